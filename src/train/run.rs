//! The training loop.

use std::ops::ControlFlow;

use super::batch::Batch;
use super::checkpoint::Saver;
use super::early_stopping::{BestEpoch, Judge};
use super::evaluate::{LOSS, evaluate_with_confusion, measure};
use super::kept::Kept;
use super::losses::Losses;
use super::plateau::PlateauState;
use super::position::Position;
use super::report;
use super::setup::{Setup, TEST};
use super::{Dataset, EpochReport, Evaluation, Progress, Summary, TrainError};
use crate::model::{LayerHistograms, MlpConfig, Model, ModelError, ResidentModel};
use crate::time::Instant;

/// The callback of a run.
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(&Progress, &mut dyn Model) -> ControlFlow<()>;

/// A run under way on one device.
pub(super) struct Run<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) model: &'a mut (dyn Model + 'a),
    on_progress: OnProgress<'a>,
    pub(super) kept: &'a mut Kept,
    pub(super) judge: Option<Judge>,
    pub(super) plateau: PlateauState,
    pub(super) position: Position,
    pub(super) base_rate: f32,
    order: Vec<usize>,
    /// Whether the model has the training set where it computes.
    loaded: bool,
    batch: Batch,
    pub(super) losses: Losses,
    /// Whether the weights are those of the best epoch.
    is_best: bool,
    /// Of the last epoch, on the set that epochs are judged by.
    pub(super) last: Option<Evaluation>,
    /// The smallest loss on that set, for a saver without early stopping.
    pub(super) best_loss: Option<f32>,
    /// Where the last regular checkpoint was, or would have been, written.
    pub(super) saved: Option<Position>,
    /// Whether the model was given back as it should be, or that was tried.
    is_restored: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        setup: &'a Setup<'a>,
        model: &'a mut (dyn Model + 'a),
        on_progress: OnProgress<'a>,
        kept: &'a mut Kept,
    ) -> Self {
        Self {
            judge: setup.stopping.clone().map(Judge::new),
            plateau: PlateauState::default(),
            position: Position::default(),
            base_rate: model.learning_rate(),
            order: (0..setup.train.len()).collect(),
            loaded: false,
            batch: Batch::default(),
            losses: Losses::default(),
            is_best: false,
            last: None,
            best_loss: None,
            saved: None,
            is_restored: false,
            setup,
            model,
            on_progress,
            kept,
        }
    }

    /// From the first event to the last but for [`Self::end`].
    pub(super) fn run(&mut self) -> Result<Summary, TrainError> {
        self.take_up()?;
        self.log_beginning();
        self.keep_beginning()?;
        self.train()?;
        self.restore()?;
        self.conclude()
    }

    /// The end of the run with this result: what is left to be done after an error, as far as the
    /// model lets us, and the last event.
    pub(super) fn end(
        mut self,
        result: Result<Summary, TrainError>,
    ) -> Result<Summary, TrainError> {
        if let Err(error) = &result {
            self.give_up(error);
        }
        let ending = report::ending(result.is_ok());
        self.kept.log.end(self.position.step, &ending);
        result
    }

    fn give_up(&mut self, error: &TrainError) {
        // Of a device that does not answer they would be waited for as long again.
        if let TrainError::Model(error) = error
            && !error.is_timeout()
        {
            let log = &mut self.kept.log;
            self.losses.log_what_is_left(self.model, log);
        }
        if !self.is_restored {
            let _ = self.restore();
        }
        if error.is_device_failure() {
            self.save_snapshot();
        }
    }

    fn log_beginning(&mut self) {
        let beginning = report::beginning(self.setup, self.model);
        let graph = self.model.config().map(MlpConfig::graph);
        let log = &mut self.kept.log;
        log.begin(self.position.step, &beginning, graph.as_ref());
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
            if self.judge.as_ref().is_some_and(Judge::is_out_of_patience) {
                break;
            }
            random.shuffle(&mut self.order);
            // Those done before a resume are shuffled for the sake of the next.
            if epoch >= self.position.epochs && self.epoch(epoch)?.is_break() {
                break;
            }
        }
        self.save_end()
    }

    /// An epoch and its report; whether to go on.
    fn epoch(&mut self, epoch: u32) -> Result<ControlFlow<()>, TrainError> {
        let begin = Instant::now();
        let (examples, flow) = self.train_epoch(epoch)?;
        if flow.is_break() && self.setup.quick_stop {
            return Ok(flow);
        }
        let examples_per_second = examples as f64 / begin.elapsed().as_secs_f64();
        let epoch = epoch + 1;
        let evaluation = self.evaluate_epoch(epoch)?;
        self.log_epoch(&evaluation, examples_per_second);
        let (_, set) = self.setup.judging();
        self.check_finite(set, &evaluation)?;
        self.last = Some(evaluation.clone());
        let is_best = self.judge(epoch, &evaluation)?;
        if flow.is_break() {
            return Ok(flow);
        }
        if let Some(settings) = &self.setup.plateau {
            self.plateau = self.plateau.after_epoch(settings, &evaluation);
        }
        let is_lowest = self.is_lowest(&evaluation);
        self.position = self.position.after_epoch(epoch);
        let report = EpochReport {
            epoch,
            is_best,
            evaluation,
            examples_per_second,
        };
        self.tell(&Progress::Epoch(report));
        self.save_after_epoch(is_best || is_lowest)?;
        Ok(self.flow())
    }

    fn tell(&mut self, progress: &Progress) {
        if (self.on_progress)(progress, self.model).is_break() {
            let stop_at = self.kept.stop_at.unwrap_or(self.position);
            self.kept.stop_at = Some(stop_at.min(self.position));
        }
    }

    /// Whether no gradients wait for those of further batches: no checkpoint knows of them.
    pub(super) fn is_between_updates(&self) -> bool {
        self.model.pending_batches() == 0
    }

    /// Whether the callback has ended the run.
    fn is_stopped(&self) -> bool {
        self.kept.stop_at.is_some()
    }

    /// Whether to go on. A run that was told to end does so between two updates.
    fn flow(&self) -> ControlFlow<()> {
        let stop_at = self.kept.stop_at;
        let is_stopped = stop_at.is_some_and(|stop_at| self.position >= stop_at);
        if is_stopped && self.is_between_updates() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
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
        self.is_best = judge.keep(BestEpoch {
            epoch,
            evaluation: evaluation.clone(),
            parameters: self.model.parameters()?,
        });
        Ok(self.is_best)
    }

    /// Gives the model back as it should be, as far as it lets us: each of these is tried, and the
    /// first error returned.
    fn restore(&mut self) -> Result<(), ModelError> {
        self.is_restored = true;
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
            let step = self.position.step;
            self.kept.log.scalar(step, report::BEST_EPOCH, epoch as f32);
        }
        let is_last = best_epoch.is_none() || self.is_best;
        let (judging, last) = (self.setup.judging().0, self.last.take());
        let (test, validation) = match last.clone().filter(|_| judging == TEST && is_last) {
            Some(test) => (test, None),
            None if self.is_stopped() && self.setup.quick_stop => {
                (Evaluation::unknown(), best.or(last))
            }
            None => (self.evaluate_test(judging)?, best.or(last)),
        };
        Ok(Summary {
            steps: self.position.step,
            test,
            validation: validation.filter(|_| judging != TEST),
            best_epoch,
            stopped: self.is_stopped(),
            recoveries: self.kept.recoveries,
            checkpoint: self.kept.saver.as_ref().and_then(Saver::last),
        })
    }

    /// How the model that the run ends with does on the test set.
    fn evaluate_test(&mut self, judging: &str) -> Result<Evaluation, TrainError> {
        let (set, metrics) = (self.setup.test, &self.setup.metrics);
        let is_seen = self.kept.log.is_on() && self.setup.options.histograms_every > 0;
        let (evaluation, confusion) = if is_seen {
            evaluate_with_confusion(self.model, set, metrics)?
        } else {
            (measure(self.model, set, metrics, |_| ())?.0, None)
        };
        // Where epochs are judged by it, the curves have their points.
        if judging != TEST {
            self.log_evaluation(TEST, &evaluation);
            let look = report::look(&[], TEST, confusion.as_ref());
            self.kept.log.summary(self.position.step, TEST, &look);
        }
        self.check_finite(set, &evaluation)?;
        Ok(evaluation)
    }

    /// How well the model does after an epoch; where the options ask for it, histograms and the
    /// confusion of classes go to the event file.
    fn evaluate_epoch(&mut self, epoch: u32) -> Result<Evaluation, TrainError> {
        let ((name, set), metrics) = (self.setup.judging(), &self.setup.metrics);
        if !self.kept.log.is_on() || !self.setup.options.has_histograms(epoch) {
            return Ok(measure(self.model, set, metrics, |_| ())?.0);
        }
        let (evaluation, confusion) = evaluate_with_confusion(self.model, set, metrics)?;
        let layers = self.histograms()?;
        let look = report::look(&layers, name, confusion.as_ref());
        self.kept.log.summary(self.position.step, name, &look);
        Ok(evaluation)
    }

    fn check_finite(&self, set: &Dataset, evaluation: &Evaluation) -> Result<(), TrainError> {
        let (step, loss) = (self.position.step, evaluation.loss);
        if loss.is_finite() || set.is_empty() {
            Ok(())
        } else {
            Err(TrainError::Diverged { step, loss })
        }
    }

    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        match self.model.histograms() {
            // A layer with more weights than a shader can number is no reason to give up a
            // training; a device that has failed is no reason to go without.
            Err(error @ ModelError::Prepare(_)) if !error.is_device_failure() => {
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
        let batches = order.len().div_ceil(batch) as u64;
        let mut examples = 0;
        let mut flow = ControlFlow::Continue(());
        let done = self.position.batches as usize;
        // Whole batches, so that those behind them are the same.
        let left = order.get(done.saturating_mul(batch)..).unwrap_or_default();
        if let Some(resident) = self.loaded() {
            resident.set_order(left, batch)?;
        }
        for indices in left.chunks(batch) {
            self.train_batch(epoch, indices)?;
            examples += indices.len();
            let Position { step, .. } = self.position;
            let is_last = self.position.batches == batches;
            let is_reported = step.is_multiple_of(self.setup.options.report_every);
            if is_last {
                self.losses.take(step, self.model, &mut self.kept.log)?;
            } else if is_reported {
                self.losses.request(step, self.model, &mut self.kept.log)?;
            }
            self.tell(&Progress::Step { step, steps });
            flow = self.flow();
            if flow.is_break() {
                if !is_last {
                    self.losses.settle(step, self.model, &mut self.kept.log)?;
                }
                // Before the epoch is judged by what there is of it.
                self.save()?;
                break;
            }
            self.save_after_step(is_last, is_reported)?;
        }
        self.order = order;
        Ok((examples, flow))
    }

    fn train_batch(&mut self, epoch: u32, indices: &[usize]) -> Result<(), TrainError> {
        self.is_best = false;
        let factor = self.plateau.factor * self.setup.factor(self.position.step, epoch);
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
        self.position = self.position.after_step();
        Ok(())
    }

    /// The model, where it has the training set where it computes.
    fn loaded(&mut self) -> Option<&mut dyn ResidentModel> {
        let loaded = self.loaded;
        self.model.resident().filter(|_| loaded)
    }

    fn log_epoch(&mut self, evaluation: &Evaluation, examples_per_second: f64) {
        self.log_evaluation(self.setup.judging().0, evaluation);
        let speed = examples_per_second as f32;
        let step = self.position.step;
        self.kept.log.scalar(step, "examples_per_second", speed);
        self.kept.log.flush();
    }

    /// `loss/test`, `accuracy/test` and so on.
    fn log_evaluation(&mut self, set: &str, evaluation: &Evaluation) {
        let loss = [(LOSS, evaluation.loss)].into_iter();
        for (name, value) in loss.chain(evaluation.metrics()) {
            let step = self.position.step;
            self.kept.log.scalar(step, &report::tag(name, set), value);
        }
    }
}
