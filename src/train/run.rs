//! The training loop.

use std::ops::ControlFlow;
use std::time::Instant;

use super::batch::Batch;
use super::early_stopping::{Best, Judge};
use super::evaluate::{LOSS, evaluate_with_confusion, measure};
use super::event_log::EventLog;
use super::losses::Losses;
use super::plateau::PlateauState;
use super::report;
use super::setup::{Setup, TEST};
use super::{Dataset, EpochReport, Evaluation, Progress, Summary, TrainError};
use crate::model::{LayerHistograms, Model, ModelError, ResidentModel};

/// The callback of a run.
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(&Progress, &mut dyn Model) -> ControlFlow<()>;

/// A run under way.
pub(super) struct Run<'a> {
    setup: Setup<'a>,
    model: &'a mut (dyn Model + 'a),
    on_progress: OnProgress<'a>,
    log: EventLog,
    judge: Option<Judge>,
    plateau: PlateauState,
    step: u64,
    base_rate: f32,
    order: Vec<usize>,
    /// Whether the model has the training set where it computes.
    loaded: bool,
    batch: Batch,
    losses: Losses,
    /// Whether the weights are those of the best epoch.
    is_best: bool,
    /// Of the last epoch, on the set that epochs are judged by.
    last: Option<Evaluation>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        setup: Setup<'a>,
        model: &'a mut (dyn Model + 'a),
        on_progress: OnProgress<'a>,
        log: EventLog,
    ) -> Self {
        Self {
            judge: setup.stopping.clone().map(Judge::new),
            plateau: PlateauState::default(),
            step: 0,
            base_rate: model.learning_rate(),
            order: (0..setup.train.len()).collect(),
            loaded: false,
            batch: Batch::default(),
            losses: Losses::default(),
            is_best: false,
            last: None,
            setup,
            model,
            on_progress,
            log,
        }
    }

    /// From the first event to the last, but for the closing of the file.
    pub(super) fn run(&mut self) -> Result<Summary, TrainError> {
        self.log_beginning();
        let trained = self.train();
        if let Err(TrainError::Model(_)) = &trained {
            self.losses.log_what_is_left(self.model, &self.log);
        }
        let restored = self.restore();
        let result = trained
            .and_then(|()| Ok(restored?))
            .and_then(|()| self.conclude());
        self.log.summary(self.step, &report::ending(result.is_ok()));
        result
    }

    /// Closes the event file.
    pub(super) fn close(self) -> Result<(), crate::events::WriteError> {
        self.log.close()
    }

    fn log_beginning(&self) {
        let beginning = report::beginning(&self.setup, self.model);
        self.log.summary(0, &beginning);
        if let Some(config) = self.model.config() {
            self.log.graph(&config.graph());
        }
    }

    fn train(&mut self) -> Result<(), TrainError> {
        self.setup.check_against(self.model)?;
        // What the model was trained on before is not this run's loss.
        self.model.take_loss()?;
        if let Some(resident) = self.model.resident() {
            let train = self.setup.train;
            self.loaded = resident.load(train.x().view(), train.targets())?;
        }
        let mut random = fastrand::Rng::with_seed(self.setup.options.seed);
        for epoch in 0..self.setup.options.epochs {
            random.shuffle(&mut self.order);
            if self.epoch(epoch)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// An epoch and its report; whether to go on.
    fn epoch(&mut self, epoch: u32) -> Result<ControlFlow<()>, TrainError> {
        let begin = Instant::now();
        let (examples, flow) = self.train_epoch(epoch)?;
        let examples_per_second = examples as f64 / begin.elapsed().as_secs_f64();
        let epoch = epoch + 1;
        let evaluation = self.evaluate_epoch(epoch)?;
        // After a break losses may still be on their way; evaluating has waited for them.
        self.losses.log_arrived(self.model, &self.log)?;
        self.log_epoch(&evaluation, examples_per_second);
        let (_, set) = self.setup.judging();
        self.check_finite(set, &evaluation)?;
        self.last = Some(evaluation.clone());
        if let Some(settings) = &self.setup.plateau {
            self.plateau = self.plateau.after_epoch(settings, &evaluation);
        }
        let report = EpochReport {
            epoch,
            is_best: self.judge(epoch, &evaluation)?,
            evaluation,
            examples_per_second,
        };
        if flow.is_break() || self.tell(&Progress::Epoch(report)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        Ok(match &self.judge {
            Some(judge) if judge.is_out_of_patience() => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    }

    fn tell(&mut self, progress: &Progress) -> ControlFlow<()> {
        (self.on_progress)(progress, self.model)
    }

    /// Whether the epoch is the best so far; its weights are kept then.
    fn judge(&mut self, epoch: u32, evaluation: &Evaluation) -> Result<bool, ModelError> {
        let Some(judge) = &mut self.judge else {
            return Ok(false);
        };
        if !judge.is_improvement(evaluation) {
            judge.wait();
            return Ok(false);
        }
        self.is_best = judge.keep(Best {
            epoch,
            evaluation: evaluation.clone(),
            parameters: self.model.parameters()?,
        });
        Ok(self.is_best)
    }

    /// Gives the model back as it should be, as far as it lets us: each of these is tried, and the
    /// first error returned.
    fn restore(&mut self) -> Result<(), ModelError> {
        let unloaded = match self.model.resident() {
            Some(resident) => resident.unload(),
            None => Ok(()),
        };
        let rate = self.model.set_learning_rate(self.base_rate);
        let best = self.judge.as_ref().and_then(Judge::best);
        let best = match best.filter(|_| !self.is_best) {
            Some(best) => self.model.set_parameters(&best.parameters),
            None => Ok(()),
        };
        unloaded.and(rate).and(best)
    }

    /// What the run has brought. The test set is evaluated now, unless it was after the last step.
    fn conclude(&mut self) -> Result<Summary, TrainError> {
        let best = self.judge.as_ref().and_then(Judge::best);
        let best_epoch = best.map(|best| best.epoch);
        let best = best.map(|best| best.evaluation.clone());
        if let Some(epoch) = best_epoch {
            self.log.scalar(self.step, report::BEST_EPOCH, epoch as f32);
        }
        let is_last = best_epoch.is_none() || self.is_best;
        let (judging, last) = (self.setup.judging().0, self.last.take());
        let (test, validation) = match last.clone().filter(|_| judging == TEST && is_last) {
            Some(test) => (test, None),
            None => (self.evaluate_test(judging)?, best.or(last)),
        };
        Ok(Summary {
            steps: self.step,
            test,
            validation: validation.filter(|_| judging != TEST),
            best_epoch,
        })
    }

    /// How the model that the run ends with does on the test set.
    fn evaluate_test(&mut self, judging: &str) -> Result<Evaluation, TrainError> {
        let (set, metrics) = (self.setup.test, &self.setup.metrics);
        let is_seen = self.log.is_on() && self.setup.options.histograms_every > 0;
        let (evaluation, confusion) = if is_seen {
            evaluate_with_confusion(self.model, set, metrics)?
        } else {
            (measure(self.model, set, metrics, |_| ())?.0, None)
        };
        // Where epochs are judged by it, the curves have their points.
        if judging != TEST {
            self.log_evaluation(TEST, &evaluation);
            self.log
                .summary(self.step, &report::look(&[], TEST, confusion.as_ref()));
        }
        self.check_finite(set, &evaluation)?;
        Ok(evaluation)
    }

    /// How well the model does after an epoch; where the options ask for it, histograms and the
    /// confusion of classes go to the event file.
    fn evaluate_epoch(&mut self, epoch: u32) -> Result<Evaluation, TrainError> {
        let ((name, set), metrics) = (self.setup.judging(), &self.setup.metrics);
        if !self.log.is_on() || !self.setup.options.has_histograms(epoch) {
            return Ok(measure(self.model, set, metrics, |_| ())?.0);
        }
        let (evaluation, confusion) = evaluate_with_confusion(self.model, set, metrics)?;
        let layers = self.histograms()?;
        self.log
            .summary(self.step, &report::look(&layers, name, confusion.as_ref()));
        Ok(evaluation)
    }

    fn check_finite(&self, set: &Dataset, evaluation: &Evaluation) -> Result<(), TrainError> {
        let (step, loss) = (self.step, evaluation.loss);
        if loss.is_finite() || set.is_empty() {
            Ok(())
        } else {
            Err(TrainError::Diverged { step, loss })
        }
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
    fn train_epoch(&mut self, epoch: u32) -> Result<(usize, ControlFlow<()>), TrainError> {
        let order = std::mem::take(&mut self.order);
        let (batch, steps) = (self.setup.options.batch, self.setup.steps());
        let batches = order.len().div_ceil(batch);
        let mut examples = 0;
        let mut flow = ControlFlow::Continue(());
        if let Some(resident) = self.loaded() {
            resident.set_order(&order, batch)?;
        }
        for (i, indices) in order.chunks(batch).enumerate() {
            self.train_batch(epoch, indices)?;
            examples += indices.len();
            if i + 1 == batches {
                self.losses.take(self.step, self.model, &self.log)?;
            } else if self.step.is_multiple_of(self.setup.options.report_every) {
                self.losses.request(self.step, self.model, &self.log)?;
            }
            let step = self.step;
            flow = self.tell(&Progress::Step { step, steps });
            if flow.is_break() {
                break;
            }
        }
        self.order = order;
        Ok((examples, flow))
    }

    fn train_batch(&mut self, epoch: u32, indices: &[usize]) -> Result<(), TrainError> {
        self.is_best = false;
        let factor = self.plateau.factor * self.setup.factor(self.step, epoch);
        let rate = self.base_rate * factor;
        if rate != self.model.learning_rate() {
            self.model.set_learning_rate(rate)?;
        }
        if let Some(resident) = self.loaded() {
            resident.train_next()?;
        } else {
            let (x, targets) = self.batch.copy(self.setup.train, indices);
            self.model.train_batch(x, targets)?;
        }
        self.step += 1;
        Ok(())
    }

    /// The model, where it has the training set where it computes.
    fn loaded(&mut self) -> Option<&mut dyn ResidentModel> {
        let loaded = self.loaded;
        self.model.resident().filter(|_| loaded)
    }

    fn log_epoch(&self, evaluation: &Evaluation, examples_per_second: f64) {
        self.log_evaluation(self.setup.judging().0, evaluation);
        let speed = examples_per_second as f32;
        self.log.scalar(self.step, "examples_per_second", speed);
        self.log.flush();
    }

    /// `loss/test`, `accuracy/test` and so on.
    fn log_evaluation(&self, set: &str, evaluation: &Evaluation) {
        let loss = [(LOSS, evaluation.loss)].into_iter();
        for (name, value) in loss.chain(evaluation.metrics()) {
            self.log.scalar(self.step, &report::tag(name, set), value);
        }
    }
}
