//! The training loop.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use ndarray::{ArrayView2, Axis};

use super::metrics::Metrics;
use super::{Dataset, Schedule};
use crate::events::{WriteError, Writer};
use crate::model::{MeanLoss, Model, ModelError, Targets};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainOptions {
    /// How often to go through the training set.
    pub epochs: u32,
    /// Examples per step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Seed of the shuffling.
    pub seed: u64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Steps between two values of `loss/train`, beside the one at the end of each epoch, which alone waits for the device.
    pub report_every: u64,
}

impl Default for TrainOptions {
    /// 50 epochs of batches of 64, seed 0, constant learning rate, a value every 10 steps.
    fn default() -> Self {
        Self {
            epochs: 50,
            batch: 64,
            seed: 0,
            schedule: Schedule::Constant,
            report_every: 10,
        }
    }
}

/// Training stopped early.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to learn from.
    #[error("the training set is empty")]
    NoExamples,
    /// A batch of 0 examples, or a report every 0 steps.
    #[error("{name} must be at least 1")]
    Zero {
        /// The option.
        name: &'static str,
    },
    /// The loss is no longer a finite number. A device may have taken a few more steps before that was seen.
    #[error(
        "the loss is {loss} after step {step}: training diverged; try a smaller learning rate, or look for non-finite inputs"
    )]
    Diverged {
        /// Steps taken when the loss was measured.
        step: u64,
        /// The mean loss since the last report.
        loss: f32,
    },
    /// The model reports an error.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The training went through, but points are missing from the event file.
    #[error("the model is trained, but the event file {} is incomplete", path.display())]
    Events {
        /// The file.
        path: PathBuf,
        /// What the training brought.
        summary: Summary,
        /// Why the file could not be written.
        source: WriteError,
    },
}

/// How well a model does on a data set.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean softmax cross-entropy; NaN without examples.
    pub loss: f32,
    /// Fraction of examples whose largest output is their class; NaN without examples.
    pub accuracy: f32,
}

/// What one epoch brought.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// Which epoch, from 1.
    pub epoch: u32,
    /// On the test set, after the epoch.
    pub test: Evaluation,
    /// Training examples per second of wall time, evaluation excluded.
    pub examples_per_second: f64,
}

/// What the callback of [`Trainer::run`] gets to see.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// A step was handed to the model, which may hand several to the device together.
    Step {
        /// Steps so far.
        step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// An epoch was evaluated.
    Epoch(EpochReport),
}

/// What a whole run brought.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Steps taken.
    pub steps: u64,
    /// On the test set, at the end.
    pub test: Evaluation,
}

/// Trains any [`Model`] that classifies.
///
/// Writes `loss/train`, `loss/test`, `accuracy/test`, `learning_rate` and `examples_per_second` to the event file, if there is one.
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

    /// Trains `model` on `train`, evaluates on `test` after every epoch, and closes the event file at the end.
    ///
    /// `on_progress` may end the run after any step or epoch by returning [`ControlFlow::Break`]. A disk that is full or fails does not end
    /// it: the training goes on, and the error comes at the end. However it ends, the model has its own learning rate back.
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
        self.check(train)?;
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
        let result = run.train(train, test);
        if let Err(TrainError::Model(_)) = &result {
            run.log_what_is_left();
        }
        let restored = run
            .model
            .unload()
            .and_then(|()| run.model.set_learning_rate(rate));
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

    fn check(&self, train: &Dataset) -> Result<(), TrainError> {
        if train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        if self.options.batch == 0 {
            return Err(TrainError::Zero { name: "batch" });
        }
        if self.options.report_every == 0 {
            return Err(TrainError::Zero {
                name: "report_every",
            });
        }
        Ok(())
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
    fn train(&mut self, train: &Dataset, test: &Dataset) -> Result<Summary, TrainError> {
        // What the model was trained on before is not this run's loss.
        self.model.take_loss()?;
        self.loaded = self
            .model
            .load(train.x().view(), Targets::Classes(train.labels()))?;
        let mut random = fastrand::Rng::with_seed(self.options.seed);
        let mut last = None;
        for epoch in 0..self.options.epochs {
            random.shuffle(&mut self.order);
            let begin = Instant::now();
            let (examples, flow) = self.train_epoch(epoch, train)?;
            let seconds = begin.elapsed().as_secs_f64();
            let evaluation = evaluate(self.model, test)?;
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
        if self.loaded {
            self.model.set_order(&order, self.options.batch)?;
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
        if self.loaded {
            self.model.train_next()?;
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

    /// The report at the end of an epoch waits for its last step, so that the epoch's time is honest.
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
        self.metrics.log(self.step, "loss/test", report.test.loss);
        self.metrics
            .log(self.step, "accuracy/test", report.test.accuracy);
        self.metrics.log(
            self.step,
            "examples_per_second",
            report.examples_per_second as f32,
        );
        self.metrics.flush();
    }
}

/// Loss and accuracy of a classifier on `data`.
///
/// # Errors
/// As [`Model::predict`]; [`ModelError::Class`] where a label is out of range, [`ModelError::Shape`] where the model gives another number of
/// rows than it was given.
pub fn evaluate(model: &mut impl Model, data: &Dataset) -> Result<Evaluation, ModelError> {
    let logits = model.predict(data.x().view())?;
    let classes = logits.ncols();
    if logits.nrows() != data.len() {
        let (expected, actual) = ([data.len(), classes], [logits.nrows(), classes]);
        return Err(ModelError::Shape {
            what: "the model's outputs",
            expected,
            actual,
        });
    }
    if let Some(example) = data
        .labels()
        .iter()
        .position(|label| *label as usize >= classes)
    {
        return Err(ModelError::Class {
            example,
            class: data.labels()[example],
            classes,
        });
    }
    let (losses, _) =
        crate::reference::softmax_cross_entropy(logits.mapv(f64::from).view(), data.labels());
    let hits = count_hits(logits.view(), data.labels());
    let examples = data.len() as f64;
    Ok(Evaluation {
        loss: (losses.sum() / examples) as f32,
        accuracy: (hits as f64 / examples) as f32,
    })
}

/// How many rows have their strictly largest value at their label; a NaN anywhere is a miss.
fn count_hits(logits: ArrayView2<'_, f32>, labels: &[u32]) -> usize {
    let hit = |(row, label): (ndarray::ArrayView1<'_, f32>, &u32)| {
        let label = *label as usize;
        row.iter()
            .enumerate()
            .all(|(class, value)| class == label || *value < row[label])
    };
    logits
        .axis_iter(Axis(0))
        .zip(labels)
        .filter(|pair| hit((pair.0, pair.1)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn count_hits_takes_ties_and_nan_for_misses() {
        let logits = array![
            [1.0, 2.0],
            [2.0, 2.0],
            [f32::NAN, 2.0],
            [3.0, f32::NAN],
            [3.0, 1.0]
        ];
        assert_eq!(count_hits(logits.view(), &[1, 1, 1, 0, 0]), 2);
    }
}
