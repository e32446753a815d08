//! Why a model could not be built, or could not take a batch.

use super::loss::{Loss, TargetKind};
use crate::device::GpuError;
use crate::events::HistogramError;
use crate::kernel::PrepareError;
use crate::linear::Precision;

/// A model could not be built, or could not take a batch.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A network needs at least an input and an output, each of one element or more.
    #[error(
        "a network needs two or more layer sizes, all at least 1, and weights that fit in memory; got {sizes:?}"
    )]
    LayerSizes {
        /// The sizes that were asked for.
        sizes: Vec<usize>,
    },
    /// An array has the wrong shape.
    #[error("{what}: expected {expected:?} (rows, columns), got {actual:?}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Rows and columns that the model needs; a vector counts as one row.
        expected: [usize; 2],
        /// Rows and columns of the array.
        actual: [usize; 2],
    },
    /// A number is NaN or infinite. Shaders may assume that there is none, and a ReLU turns NaN
    /// into 0 without a trace.
    #[error("{what}: row {row}, column {column} is {value}, not a finite number")]
    NonFinite {
        /// Which array.
        what: &'static str,
        /// From 0.
        row: usize,
        /// From 0.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// A weight or bias is NaN or infinite.
    #[error("layer {layer}, {what}: row {row}, column {column} is {value}, not a finite number")]
    NonFiniteParameter {
        /// Which layer, from 1.
        layer: usize,
        /// `w` or `b`.
        what: &'static str,
        /// From 0; a bias counts as one row.
        row: usize,
        /// From 0.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// A class is out of range.
    #[error("example {example} has class {class}, but the model has {classes} classes")]
    Class {
        /// Index within the batch or the data set.
        example: usize,
        /// Its class.
        class: u32,
        /// Number of outputs of the model.
        classes: usize,
    },
    /// The index of an example is out of range.
    #[error(
        "position {position} of the order is example {index}, but there are {examples} examples"
    )]
    Index {
        /// Where in the order, from 0.
        position: usize,
        /// What stands there.
        index: usize,
        /// Number of examples.
        examples: usize,
    },
    /// A batch of 0 examples.
    #[error("a batch needs at least one example")]
    BatchSize,
    /// The model holds no data set.
    #[error("the model holds no data set to train on")]
    NoData,
    /// A value wanted is no probability, from 0 to 1, and the loss takes no other.
    #[error("target values: row {row}, column {column} is {value}, not a probability")]
    Probability {
        /// From 0.
        row: usize,
        /// From 0.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// The weight of an example is negative or not finite.
    #[error("example {example} has the weight {weight}, which is not a finite number from 0")]
    Weight {
        /// Index within the batch or the data set.
        example: usize,
        /// Its weight.
        weight: f32,
    },
    /// The targets do not fit the loss: classes for the softmax cross-entropy, values for all
    /// others.
    #[error(
        "the loss {loss:?} takes other targets: classes for the softmax cross-entropy, values for all others"
    )]
    TargetKind {
        /// The loss of the model.
        loss: Loss,
    },
    /// A metric of classes was asked of values, or one of values of classes.
    #[error("the metric {metric} is not one of these targets, but of {}", takes.name())]
    MetricTargets {
        /// Its name.
        metric: String,
        /// The targets that it takes.
        takes: TargetKind,
    },
    /// No network is trained with parameters of so few digits.
    #[error("networks are trained with f32 or mixed precision, not {0}")]
    Precision(Precision),
    /// A setting of the network or its optimizer is not a finite number in its range.
    #[error("the setting {name} = {value} is out of range")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: f32,
    },
    /// A training state is of another optimizer than the model's: its moments or scalars have other
    /// names.
    #[error(
        "the training state has the {what} [{}], but the model's optimizer [{}]: the state is of another optimizer",
        actual.join(", "),
        expected.join(", ")
    )]
    StateNames {
        /// `moments` or `scalars`.
        what: &'static str,
        /// The names that the model knows, sorted.
        expected: Vec<String>,
        /// The names in the state, sorted.
        actual: Vec<String>,
    },
    /// A moment or scalar of a training state does not fit the model, or is not finite.
    #[error("{name} in the training state does not fit the model")]
    State {
        /// The name of the moment or of the scalar.
        name: String,
        /// [`Self::Shape`], [`Self::NonFiniteParameter`] or [`Self::NonFinite`].
        source: Box<ModelError>,
    },
    /// The model keeps no training state, and was given one.
    #[error("this model keeps no training state, so it cannot go on from one")]
    Stateless,
    /// The machine has not as much memory.
    #[error("{bytes} bytes of memory are needed, which is more than can be had")]
    Memory {
        /// What was asked for at once.
        bytes: u64,
    },
    /// An operation could not be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The GPU did not do its work.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// What the GPU has counted is no histogram.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

impl ModelError {
    /// Whether the device has failed at what it could do before: it was lost, did not finish in
    /// time, or ran out of memory. The same work may go through on a device that is opened anew;
    /// see [`Trainer::run_recovering`](crate::train::Trainer::run_recovering).
    #[must_use]
    pub fn is_device_failure(&self) -> bool {
        match self {
            Self::Gpu(
                GpuError::DeviceLost | GpuError::Timeout { .. } | GpuError::OutOfMemory { .. },
            )
            | Self::Prepare(PrepareError::DeviceLost { .. }) => true,
            Self::Prepare(PrepareError::Refused { source, .. }) => {
                matches!(source, wgpu::Error::OutOfMemory { .. })
            }
            _ => false,
        }
    }

    /// Whether the device does not answer: what waits for it may wait as long again.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Gpu(GpuError::Timeout { .. }))
    }
}
