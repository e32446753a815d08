//! The training loop.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Instant;

use super::evaluate::evaluate_with_confusion;
use super::metrics::Metrics;
use super::report::{self, TEST_ACCURACY, TEST_LOSS};
use super::{
    Dataset, EpochReport, Evaluation, Progress, Summary, TrainError, TrainOptions, evaluate,
};
use crate::events::Writer;
use crate::model::{LayerHistograms, MeanLoss, Model, ModelError, ResidentModel, Targets};

/// Trains any [`Model`] that classifies.
///
/// What goes to the event file, if there is one:
///
/// | tag | when | |
/// |---|---|---|
/// | `loss/train`, `learning_rate` | every [`TrainOptions::report_every`] steps and at the end of an epoch | curves |
/// | `loss/test`, `accuracy/test`, `examples_per_second` | at the end of an epoch | curves |
/// | `weights/layer1/w`, `weights/layer1/b`, … | every [`TrainOptions::histograms_every`] epochs | histograms |
/// | `gradients/layer1/w`, `gradients/layer1/b`, … | the same | histograms, of the last step |
/// | `non_finite/weights/layer1/w`, … | the same, where there are such numbers | how many NaN and infinities |
/// | `confusion/test` | the same | image: true classes downwards, predicted ones to the right; up to 1,024 classes |
/// | `config` | at the start | text: settings, data, device |
/// | | at the start | graph of the model, where it has a [`config`](Model::config) |
/// | hyperparameters | at the start, and the status at the end | compared by `accuracy/test` and `loss/test` |
///
/// ```
/// use std::ops::ControlFlow;
/// use ndarray::array;
/// use wgpu_linear::model::MlpConfig;
/// use wgpu_linear::reference::Mlp;
/// use wgpu_linear::train::{Dataset, TrainOptions, Trainer};
///
/// let xor = Dataset::new(array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], vec![0, 1, 1, 0])?;
/// let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[2, 16, 2]))?;
/// let options = TrainOptions { epochs: 500, batch: 3, ..TrainOptions::default() };
/// let summary = Trainer::new(options).run(&mut mlp, &xor, &xor, |_| ControlFlow::Continue(()))?;
/// assert_eq!(summary.test.accuracy, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trainer {
    options: TrainOptions,
    events: Option<Writer>,
}

impl Trainer {
    /// A trainer without an event file.
    #[must_use]
    pub fn new(options: TrainOptions) -> Self {
        Self {
            options,
            events: None,
        }
    }

    /// The same, writing its metrics to `events`.
    #[must_use]
    pub fn with_events(self, events: Writer) -> Self {
        Self {
            events: Some(events),
            ..self
        }
    }

    /// Trains `model` on `train`, evaluates on `test` after every epoch, and closes the event file
    /// at the end.
    ///
    /// `on_progress` may end the run after any step or epoch by returning [`ControlFlow::Break`]. A
    /// disk that is full or fails does not end it: the training goes on, and the error comes at the
    /// end. However it ends, the model has its own learning rate back.
    ///
    /// # Errors
    /// [`TrainError`]; the event file then holds everything up to the error.
    pub fn run(
        mut self,
        model: &mut impl Model,
        train: &Dataset,
        test: &Dataset,
        on_progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Summary, TrainError> {
        self.options.check(train)?;
        let metrics = Metrics::new(self.events.take());
        let path = metrics.path();
        let rate = model.learning_rate();
        let mut run = Run {
            options: self.options,
            step: 0,
            steps: u64::from(self.options.epochs) * train.len().div_ceil(self.options.batch) as u64,
            base_rate: rate,
            order: (0..train.len()).collect(),
            loaded: false,
            awaited: VecDeque::new(),
            metrics,
            model,
            on_progress,
        };
        run.log_beginning(train, test);
        let result = run.train(train, test);
        if let Err(TrainError::Model(_)) = &result {
            run.log_what_is_left();
        }
        let restored = run
            .unload()
            .and_then(|()| run.model.set_learning_rate(rate));
        let success = result.is_ok() && restored.is_ok();
        run.metrics.summary(run.step, &report::ending(success));
        let closed = run.metrics.close();
        if let (Err(_), Err(error)) = (&result, &closed) {
            log::warn!("{}: incomplete: {error}", path.display());
        }
        let summary = result?;
        restored?;
        closed.map_err(|source| TrainError::Events {
            path,
            summary,
            source,
        })?;
        Ok(summary)
    }
}

/// A run under way.
struct Run<'a, M, P> {
    options: TrainOptions,
    step: u64,
    steps: u64,
    base_rate: f32,
    order: Vec<usize>,
    /// Whether the model has the training set where it computes.
    loaded: bool,
    /// Step and learning rate of the losses that are on their way.
    awaited: VecDeque<(u64, f32)>,
    metrics: Metrics,
    model: &'a mut M,
    on_progress: P,
}

impl<M: Model, P: FnMut(&Progress) -> ControlFlow<()>> Run<'_, M, P> {
    fn log_beginning(&self, train: &Dataset, test: &Dataset) {
        let beginning = report::beginning(&self.options, self.model, train, test);
        self.metrics.summary(0, &beginning);
        if let Some(config) = self.model.config() {
            self.metrics.graph(&config.graph());
        }
    }

    /// The model, where it has the training set where it computes.
    fn loaded(&mut self) -> Option<&mut dyn ResidentModel> {
        let loaded = self.loaded;
        self.model.resident().filter(|_| loaded)
    }

    fn unload(&mut self) -> Result<(), ModelError> {
        self.model.resident().map_or(Ok(()), ResidentModel::unload)
    }

    fn train(&mut self, train: &Dataset, test: &Dataset) -> Result<Summary, TrainError> {
        // What the model was trained on before is not this run's loss.
        self.model.take_loss()?;
        if let Some(resident) = self.model.resident() {
            let targets = Targets::Classes(train.labels());
            self.loaded = resident.load(train.x().view(), targets)?;
        }
        let mut random = fastrand::Rng::with_seed(self.options.seed);
        let mut last = None;
        for epoch in 0..self.options.epochs {
            random.shuffle(&mut self.order);
            let begin = Instant::now();
            let (examples, flow) = self.train_epoch(epoch, train)?;
            let seconds = begin.elapsed().as_secs_f64();
            let evaluation = self.evaluate(epoch + 1, test)?;
            // After a break losses may still be on their way; evaluating has waited for them.
            self.log_losses()?;
            last = Some(evaluation);
            let report = EpochReport {
                epoch: epoch + 1,
                test: evaluation,
                examples_per_second: examples as f64 / seconds,
            };
            self.log_epoch(&report);
            if flow.is_break() || (self.on_progress)(&Progress::Epoch(report)).is_break() {
                break;
            }
        }
        let test = last.map_or_else(|| evaluate(self.model, test), Ok)?;
        Ok(Summary {
            steps: self.step,
            test,
        })
    }

    /// How well the model does after an epoch; where the options ask for it, histograms and the
    /// confusion of classes go to the event file.
    fn evaluate(&mut self, epoch: u32, test: &Dataset) -> Result<Evaluation, TrainError> {
        if !self.metrics.is_on() || !self.options.has_histograms(epoch) {
            return Ok(evaluate(self.model, test)?);
        }
        let (evaluation, confusion) = evaluate_with_confusion(self.model, test)?;
        let layers = self.histograms()?;
        self.metrics
            .summary(self.step, &report::look(&layers, confusion.as_ref()));
        Ok(evaluation)
    }

    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        match self.model.histograms() {
            // A layer with more weights than a shader can number is no reason to give up a
            // training.
            Err(ModelError::Prepare(error)) => {
                log::warn!("no histograms: {error}");
                Ok(Vec::new())
            }
            result => result,
        }
    }

    /// The number of examples trained on, and whether to go on.
    fn train_epoch(
        &mut self,
        epoch: u32,
        train: &Dataset,
    ) -> Result<(usize, ControlFlow<()>), TrainError> {
        let order = std::mem::take(&mut self.order);
        let batches = order.len().div_ceil(self.options.batch);
        let mut examples = 0;
        let mut flow = ControlFlow::Continue(());
        let batch = self.options.batch;
        if let Some(resident) = self.loaded() {
            resident.set_order(&order, batch)?;
        }
        for (i, indices) in order.chunks(self.options.batch).enumerate() {
            self.train_batch(epoch, train, indices)?;
            examples += indices.len();
            if i + 1 == batches {
                self.report_last_loss()?;
            } else if self.step.is_multiple_of(self.options.report_every) {
                self.report_loss()?;
            }
            flow = (self.on_progress)(&Progress::Step {
                step: self.step,
                steps: self.steps,
            });
            if flow.is_break() {
                break;
            }
        }
        self.order = order;
        Ok((examples, flow))
    }

    fn train_batch(
        &mut self,
        epoch: u32,
        train: &Dataset,
        indices: &[usize],
    ) -> Result<(), TrainError> {
        let rate = self.base_rate * self.options.schedule.factor(self.step, self.steps, epoch);
        if rate != self.model.learning_rate() {
            self.model.set_learning_rate(rate)?;
        }
        if let Some(resident) = self.loaded() {
            resident.train_next()?;
        } else {
            let batch = train.select(indices);
            self.model
                .train_batch(batch.x().view(), Targets::Classes(batch.labels()))?;
        }
        self.step += 1;
        Ok(())
    }

    /// Asks for the loss so far, and logs what has arrived of those asked for before.
    fn report_loss(&mut self) -> Result<(), TrainError> {
        self.log_losses()?;
        self.awaited
            .push_back((self.step, self.model.learning_rate()));
        match self.model.request_loss()? {
            Some(loss) => self.log_loss(loss),
            None => Ok(()),
        }
    }

    /// The report at the end of an epoch waits for its last step, so that the epoch's time is
    /// honest.
    fn report_last_loss(&mut self) -> Result<(), TrainError> {
        let last = self.model.take_loss()?;
        self.log_losses()?;
        self.awaited
            .push_back((self.step, self.model.learning_rate()));
        self.log_loss(last)
    }

    fn log_losses(&mut self) -> Result<(), TrainError> {
        while !self.awaited.is_empty() {
            let Some(loss) = self.model.poll_loss()? else {
                break;
            };
            self.log_loss(loss)?;
        }
        Ok(())
    }

    /// Logs the loss that has been awaited longest.
    fn log_loss(&mut self, loss: MeanLoss) -> Result<(), TrainError> {
        let Some((step, rate)) = self.awaited.pop_front() else {
            return Ok(());
        };
        let loss = loss.mean;
        self.metrics.log(step, "loss/train", loss);
        self.metrics.log(step, "learning_rate", rate);
        if loss.is_finite() {
            Ok(())
        } else {
            Err(TrainError::Diverged { step, loss })
        }
    }

    /// After an error: the losses before it, as far as the model still has them.
    fn log_what_is_left(&mut self) {
        if self.awaited.is_empty() || self.model.take_loss().is_err() {
            return;
        }
        if let Err(error) = self.log_losses() {
            log::warn!("losses before the error are missing from the event file: {error}");
        }
    }

    fn log_epoch(&mut self, report: &EpochReport) {
        self.metrics.log(self.step, TEST_LOSS, report.test.loss);
        self.metrics
            .log(self.step, TEST_ACCURACY, report.test.accuracy);
        self.metrics.log(
            self.step,
            "examples_per_second",
            report.examples_per_second as f32,
        );
        self.metrics.flush();
    }
}
