//! The trainer: what it is told, and what a run promises.

use std::ops::ControlFlow;

use super::checkpoint::{Checkpoint, CheckpointError, Checkpoints, Saver};
use super::curve::Curve;
use super::event_log::EventLog;
use super::kept::Kept;
use super::run::Run;
use super::setup::Setup;
use super::snapshot::Snapshot;
use super::{
    Dataset, DeviceFailure, EarlyStopping, Metric, Progress, Recovery, ReduceOnPlateau, Summary,
    TrainError, TrainOptions, recovering, resume,
};
use crate::events::Writer;
use crate::model::{Model, ModelError};

/// Trains any [`Model`], on classes or values as its loss takes them.
///
/// Settings that are plain values are [`TrainOptions`]; functions and data are added by the
/// methods. With a validation set, epochs are judged by that, and the test set is evaluated once,
/// at the end; without one, it is evaluated after every epoch.
///
/// What goes to the event file, if there is one:
///
/// | tag | when | |
/// |---|---|---|
/// | `loss/train`, `learning_rate` | every [`TrainOptions::report_every`] steps and at the end of an epoch | curves |
/// | `loss/test`, `accuracy/test`, `mean_absolute_error/test`, `r2/test` and those of other [`Metric`]s | at the end of an epoch; with a validation set, at the end of the run | curves |
/// | `loss/validation`, … | at the end of an epoch, where there is a validation set | curves |
/// | `examples_per_second` | at the end of an epoch | curve |
/// | `weights/layer1/w`, `weights/layer1/b`, … | every [`TrainOptions::histograms_every`] epochs | histograms |
/// | `gradients/layer1/w`, `gradients/layer1/b`, … | the same | histograms, of the last step |
/// | `non_finite/weights/layer1/w`, … | the same, where there are such numbers | how many NaN and infinities |
/// | `confusion/test` or `confusion/validation` | the same; of the test set, also at the end of a run with a validation set | image: true classes downwards, predicted ones to the right; up to 1,024 classes |
/// | `recovery` | where the run goes on on [another device](Trainer::run_recovering) | text: what failed, and where it goes on |
/// | `best_epoch` | at the end, with [`EarlyStopping`] | the epoch whose weights the model has |
/// | `config` | at the start | text: settings, data, device |
/// | | at the start | graph of the model, where it has a [`config`](Model::config) |
/// | hyperparameters | at the start, and the status at the end | compared by the metrics and the loss of each set |
///
/// A loss that is not finite, in training or on a set that is evaluated, ends the run with
/// [`TrainError::Diverged`].
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
///
/// A line through noisy points: values in place of classes, a validation set, and the best weights.
///
/// ```
/// use std::ops::ControlFlow;
/// use ndarray::Array2;
/// use wgpu_linear::model::{Loss, MlpConfig};
/// use wgpu_linear::reference::Mlp;
/// use wgpu_linear::train::{Dataset, EarlyStopping, TrainOptions, Trainer};
///
/// let x = Array2::from_shape_fn((200, 1), |(i, _)| i as f32 / 100.0 - 1.0);
/// let y = x.mapv(|x| 3.0 * x + 0.1 * (57.0 * x).sin());
/// let (rest, test) = Dataset::with_values(x, y)?.split_random(0.2, 1);
/// let (train, validation) = rest.split_random(0.25, 2);
/// let config = MlpConfig { loss: Loss::MeanSquaredError, ..MlpConfig::new(&[1, 16, 1]) };
/// let summary = Trainer::new(TrainOptions { epochs: 300, ..TrainOptions::default() })
///     .with_validation(&validation)
///     .with_early_stopping(EarlyStopping::min("loss", 20))
///     .run(&mut Mlp::<f32>::new(config)?, &train, &test, |_| ControlFlow::Continue(()))?;
/// assert!(summary.test.metric("r2") > Some(0.99));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trainer<'a> {
    options: TrainOptions,
    events: Option<Writer>,
    curve: Curve<'a>,
    metrics: Vec<Metric>,
    validation: Option<&'a Dataset>,
    stopping: Option<EarlyStopping>,
    plateau: Option<ReduceOnPlateau>,
    quick_stop: bool,
    checkpoints: Option<Checkpoints>,
    start: Option<Checkpoint>,
    recovery: Recovery,
}

impl<'a> Trainer<'a> {
    /// A trainer without an event file.
    #[must_use]
    pub fn new(options: TrainOptions) -> Self {
        Self {
            curve: Curve::Schedule(options.schedule),
            options,
            events: None,
            metrics: Vec::new(),
            validation: None,
            stopping: None,
            plateau: None,
            quick_stop: false,
            checkpoints: None,
            start: None,
            recovery: Recovery::default(),
        }
    }

    /// The same, writing its metrics to `events`.
    #[must_use]
    pub fn with_events(mut self, events: Writer) -> Self {
        self.events = Some(events);
        self
    }

    /// The same, judging epochs by `validation` and not by the test set.
    #[must_use]
    pub fn with_validation(mut self, validation: &'a Dataset) -> Self {
        self.validation = Some(validation);
        self
    }

    /// The same, measuring `metric` too, beside those that suit the targets: the accuracy of
    /// classes, mean absolute error and R² of values. One with the name of another takes its place.
    /// One that is not of such targets is [refused](crate::model::ModelError::MetricTargets) by the
    /// run.
    #[must_use]
    pub fn with_metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// The same, ending where `stopping` says so. However the run ends, the model then has the
    /// weights of its best epoch; the optimizer's state is that of the last step.
    ///
    /// The weights of every epoch that is better than all before are copied from the model.
    #[must_use]
    pub fn with_early_stopping(mut self, stopping: EarlyStopping) -> Self {
        self.stopping = Some(stopping);
        self
    }

    /// The same, with a learning rate that falls where a metric no longer gets better: what
    /// `plateau` makes of the epochs so far is multiplied with what the schedule says.
    #[must_use]
    pub fn with_plateau(mut self, plateau: ReduceOnPlateau) -> Self {
        self.plateau = Some(plateau);
        self
    }

    /// The same, ending at once where the callback breaks after a step: the epoch at hand and the
    /// test set are not evaluated then. Losses arrive, the event file is closed, and a
    /// [checkpoint](super::checkpoint) is written, if there are any.
    #[must_use]
    pub fn with_quick_stop(mut self) -> Self {
        self.quick_stop = true;
        self
    }

    /// The same, writing [checkpoints](super::checkpoint), the last where the run ends, also where
    /// the callback ends it.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use ndarray::array;
    /// use wgpu_linear::model::{MlpConfig, Model};
    /// use wgpu_linear::reference::Mlp;
    /// use wgpu_linear::train::checkpoint::Checkpoints;
    /// use wgpu_linear::train::{Dataset, Progress, TrainOptions, Trainer};
    ///
    /// let data = Dataset::new(array![[0.0], [1.0], [2.0]], vec![0, 1, 1])?;
    /// let config = MlpConfig::new(&[1, 8, 2]);
    /// let trainer = || Trainer::new(TrainOptions { batch: 2, epochs: 9, ..TrainOptions::default() });
    /// let folder = tempfile::tempdir()?;
    ///
    /// // Stopped in the midst of the second epoch.
    /// let mut mlp = Mlp::<f32>::new(config.clone())?;
    /// let checkpoints = Checkpoints::new(folder.path());
    /// trainer().with_checkpoints(checkpoints.clone()).with_quick_stop().run(
    ///     &mut mlp, &data, &data,
    ///     |progress| match progress {
    ///         Progress::Step { step: 3, .. } => ControlFlow::Break(()),
    ///         _ => ControlFlow::Continue(()),
    ///     },
    /// )?;
    ///
    /// // Another program goes on from there.
    /// let (_, latest) = Checkpoints::latest(folder.path())?.ok_or("no checkpoint")?;
    /// let mut mlp = Mlp::<f32>::new(latest.config.clone())?;
    /// let trainer_again = trainer().with_checkpoints(checkpoints).resume(latest);
    /// trainer_again.run(&mut mlp, &data, &data, |_| ControlFlow::Continue(()))?;
    ///
    /// // As if nobody had stopped it.
    /// let mut at_once = Mlp::<f32>::new(config)?;
    /// trainer().run(&mut at_once, &data, &data, |_| ControlFlow::Continue(()))?;
    /// assert_eq!(mlp.parameters()?, at_once.parameters()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// The same, going on from `checkpoint`: with the parameters, the training state and the
    /// learning rate that it has, at its step. On the same device the weights after that are, bit
    /// for bit, those of a run without interruption.
    ///
    /// The data, metrics, schedule and the rest of the options are to be those of before, as far as
    /// that can be told. There may be more epochs or fewer; a schedule over all steps, such as a
    /// cosine, then runs over their new number. Point and mean of the first `loss/train` may differ,
    /// since losses from before the checkpoint are not in it.
    #[must_use]
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.start = Some(checkpoint);
        self
    }

    /// The same, recovering as `recovery` says where it is run by [`Self::run_recovering`].
    #[must_use]
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// The same, with a function in the place of [`TrainOptions::schedule`]: what the learning rate
    /// is multiplied by at a step, from the step and the number of steps, both counted behind the
    /// warm-up, and the epoch, from 0; as [`Schedule::factor`](super::Schedule::factor).
    ///
    /// ```
    /// use wgpu_linear::train::{TrainOptions, Trainer};
    ///
    /// let linear = |step, steps, _| 1.0 - step as f32 / steps as f32;
    /// let trainer = Trainer::new(TrainOptions::default()).with_schedule(linear);
    /// ```
    #[must_use]
    pub fn with_schedule(mut self, factor: impl Fn(u64, u64, u32) -> f32 + 'a) -> Self {
        self.curve = Curve::Function(Box::new(factor));
        self
    }

    /// Trains `model` on `train`, evaluates on `test`, and closes the event file at the end.
    ///
    /// `on_progress` may end the run after any step or epoch by returning [`ControlFlow::Break`]. A
    /// disk that is full or fails does not end it: the training goes on, and the error comes at the
    /// end. However it ends, the model has its own learning rate back. [`Self::run_with`] shows the
    /// model to the callback.
    ///
    /// A model behind a pointer is trained as it is: a `&mut dyn Model` is passed itself, a
    /// `Box<dyn Model>` by `boxed.as_mut()`.
    ///
    /// # Errors
    /// [`TrainError`]; the event file then holds everything up to the error.
    pub fn run(
        self,
        model: &mut dyn Model,
        train: &Dataset,
        test: &Dataset,
        mut on_progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Summary, TrainError> {
        self.run_with(model, train, test, |progress, _| on_progress(progress))
    }

    /// [`Self::run`], with a callback that also gets the model: to predict, to save its parameters,
    /// or to change them.
    ///
    /// Whatever reads a model on a device waits for it, so do that after epochs rather than after
    /// steps. What the callback does goes into the run as it is:
    ///
    /// - Parameters that it sets are trained on from there. The report at hand, and the weights
    ///   that early stopping keeps, are those before. What it changes after the last epoch stays,
    ///   unless [early stopping](Self::with_early_stopping) restores an earlier epoch; the summary
    ///   knows of it where the test set is evaluated at the end.
    /// - Batches that it trains on count in `loss/train`.
    /// - A learning rate that it sets lasts until the next step, which the schedule rules: see
    ///   [`Self::with_schedule`].
    /// - Losses that it takes ([`Model::take_loss`], [`Model::request_loss`], [`Model::poll_loss`])
    ///   are missing from `loss/train`, and until the end of the epoch its points may be at the
    ///   wrong steps.
    /// - The [data set on the device](Model::resident) is the trainer's. With another, or none, the
    ///   next step trains on that, or is an error.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use ndarray::array;
    /// use wgpu_linear::model::MlpConfig;
    /// use wgpu_linear::reference::Mlp;
    /// use wgpu_linear::train::{Dataset, Progress, TrainOptions, Trainer, evaluate};
    ///
    /// let data = Dataset::new(array![[0.0], [1.0]], vec![0, 1])?;
    /// let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[1, 2]))?;
    /// let mut losses = Vec::new();
    /// Trainer::new(TrainOptions::default()).run_with(&mut mlp, &data, &data, |progress, model| {
    ///     if let Progress::Epoch(_) = progress {
    ///         losses.push(evaluate(model, &data).map(|evaluation| evaluation.loss));
    ///     }
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(losses.len(), 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_with(
        self,
        model: &mut dyn Model,
        train: &Dataset,
        test: &Dataset,
        mut on_progress: impl FnMut(&Progress, &mut dyn Model) -> ControlFlow<()>,
    ) -> Result<Summary, TrainError> {
        let (setup, mut kept) = self.begin(model, train, test, None)?;
        let mut run = Run::new(&setup, model, &mut on_progress, &mut kept);
        let result = run.run();
        let result = run.end(result);
        kept.close(result)
    }

    /// [`Self::run_with`] for a device that may fail: where it is lost, does not answer in time or
    /// runs out of memory ([`ModelError::is_device_failure`]), `rebuild` makes a model like the
    /// first one on a new device, and the run goes on there from its last state in memory. On the
    /// same adapter the weights, and all points of the event file but times, are in the end those of
    /// a run without failures, bit for bit.
    ///
    /// [`Recovery`] says how often at most, and how often the state is taken. Steps since then are
    /// taken again, and the callback hears of them again; the event file has each of their points
    /// once. A failure that comes back before the run has got any further than where it was noticed
    /// is the end.
    ///
    /// - `rebuild` opens the device anew; where a driver takes its time to come back, it waits. Its
    ///   model has the configuration of the first. Its weights do not matter, unless the first
    ///   device fails before its state could be read ([`DeviceFailure::back_to`]).
    /// - `model` is the one that is trained in the end. One whose device has failed lets go of its
    ///   data set, and is dropped when the next is there; one whose device does not answer is
    ///   leaked, since drivers wait for a device that is dropped. So keep the
    ///   [`Gpu`](crate::Gpu) of such a device, too, as long as you do not want to wait.
    /// - With [checkpoints](super::checkpoint), a run that cannot recover leaves its last state as a
    ///   checkpoint, to [`resume`](Self::resume) later.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    /// use wgpu_linear::model::{MlpConfig, Model, ModelError};
    /// use wgpu_linear::{Gpu, nn};
    /// # use wgpu_linear::train::{Dataset, TrainOptions, Trainer};
    /// # let data = Dataset::new(ndarray::array![[0.0], [1.0]], vec![0, 1])?;
    ///
    /// let make = || -> Result<Box<dyn Model>, ModelError> {
    ///     Ok(Box::new(nn::Mlp::new(&Gpu::new()?, MlpConfig::new(&[1, 8, 2]))?))
    /// };
    /// let mut model = make()?;
    /// let summary = Trainer::new(TrainOptions::default()).run_recovering(
    ///     &mut model,
    ///     |failure| {
    ///         eprintln!("after step {}: {}", failure.step, failure.error);
    ///         make()
    ///     },
    ///     &data,
    ///     &data,
    ///     |_, _| ControlFlow::Continue(()),
    /// )?;
    /// println!("{} recoveries, accuracy {}", summary.recoveries, summary.test.accuracy);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::run`]; [`TrainError::NotRecovered`] where the next device fails at the same place
    /// or too often, `rebuild` has an error, or its model has another configuration.
    pub fn run_recovering<'m>(
        self,
        model: &mut Box<dyn Model + 'm>,
        mut rebuild: impl FnMut(&DeviceFailure<'_>) -> Result<Box<dyn Model + 'm>, ModelError>,
        train: &Dataset,
        test: &Dataset,
        mut on_progress: impl FnMut(&Progress, &mut dyn Model) -> ControlFlow<()>,
    ) -> Result<Summary, TrainError> {
        let recovery = Some(self.recovery).filter(|recovery| recovery.most_times > 0);
        let (setup, mut kept) = self.begin(model.as_ref(), train, test, recovery)?;
        let result = recovering::run(&setup, &mut kept, model, &mut rebuild, &mut on_progress);
        kept.close(result)
    }

    /// Checks everything that can be checked before the first step, and opens files.
    fn begin<'s>(
        self,
        model: &dyn Model,
        train: &'s Dataset,
        test: &'s Dataset,
        recovery: Option<Recovery>,
    ) -> Result<(Setup<'s>, Kept), TrainError>
    where
        'a: 's,
    {
        let setup = Setup {
            options: self.options,
            curve: self.curve,
            metrics: Metric::suiting(train.targets(), &self.metrics)?,
            stopping: self.stopping,
            plateau: self.plateau,
            quick_stop: self.quick_stop,
            train,
            validation: self.validation,
            test,
        };
        setup.check()?;
        if let Some(start) = &self.start {
            resume::check(start, &setup, model)?;
        }
        let kept = Kept {
            saver: open_saver(self.checkpoints, self.start.is_none(), model)?,
            log: EventLog::new(self.events, recovery.is_some()),
            recovery,
            snapshot: self.start.and_then(Snapshot::of_checkpoint),
            stop_at: None,
            recoveries: 0,
        };
        Ok((setup, kept))
    }
}

/// Refuses, before the first step, what would only be found out at the first checkpoint.
fn open_saver(
    checkpoints: Option<Checkpoints>,
    is_new: bool,
    model: &dyn Model,
) -> Result<Option<Saver>, CheckpointError> {
    match checkpoints {
        Some(_) if model.config().is_none() => Err(CheckpointError::NoConfig),
        Some(checkpoints) => Saver::open(checkpoints, is_new).map(Some),
        None => Ok(None),
    }
}
