//! The kinds of values other than scalars, a call each.

use super::Writer;
use crate::{Graph, HParams, Histogram, Image, SessionStatus, Step, Summary, message};

/// What takes no step.
const NO_STEP: i64 = 0;

impl Writer {
    /// Adds a histogram: TensorBoard shows it under *Histograms* and *Distributions*.
    pub fn histogram(&self, tag: &str, step: impl Step, histogram: &Histogram) {
        self.summary(step, &Summary::new().histogram(tag, histogram));
    }

    /// Adds an image.
    pub fn image(&self, tag: &str, step: impl Step, image: &Image) {
        self.summary(step, &Summary::new().image(tag, image));
    }

    /// Adds a text, in which TensorBoard understands Markdown.
    pub fn text(&self, tag: &str, step: impl Step, text: &str) {
        self.summary(step, &Summary::new().text(tag, text));
    }

    /// Says with which hyperparameters this run begins, and by which metrics runs are compared: a
    /// row of the page *HParams*. The metrics are written as scalars;
    /// [`hparams_end`](Self::hparams_end) says how the run ended.
    pub fn hparams(&self, hparams: &HParams) {
        self.summary(NO_STEP, &Summary::new().hparams_experiment(hparams));
        self.summary(NO_STEP, &Summary::new().hparams_start(hparams));
    }

    /// Says how the run ended, and when: now.
    pub fn hparams_end(&self, status: SessionStatus) {
        let now = self.handle.settings.clock.now();
        self.add_summary(now, NO_STEP, &Summary::new().hparams_end_at(status, now));
    }

    /// Adds the graph of the model, of which TensorBoard shows one a run.
    pub fn graph(&self, graph: &Graph) {
        let now = self.handle.settings.clock.now();
        let graph = graph.encoded();
        self.handed_in(self.handle.shared.append(|state| {
            state.record(|data| message::graph(data, now, &graph));
        }));
    }
}
