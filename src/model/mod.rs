//! What a trainable model is, and how a multi-layer perceptron is described. Knows neither the GPU nor the reference.

mod config;
mod graph;
mod init;
mod optimizer;

pub use crate::linear::Activation;
pub use config::{Initialization, Loss, MlpConfig};
pub use init::initial_parameters;
pub use optimizer::*;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::device::GpuError;
use crate::events::{Histogram, HistogramError};
use crate::kernel::PrepareError;

/// Weights and bias of one layer, or gradients of the same shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerParameters<F = f32> {
    /// W, inputs × outputs. PyTorch's `nn.Linear.weight` is the transpose.
    pub w: Array2<F>,
    /// b, outputs elements.
    pub b: Array1<F>,
}

/// How the numbers of one layer are spread.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerHistograms {
    /// Of W.
    pub w: Histogram,
    /// Of b.
    pub b: Histogram,
    /// Of the gradient dW of the last step; of zeros before the first.
    pub dw: Histogram,
    /// Of the gradient db of the last step; of zeros before the first.
    pub db: Histogram,
}

/// What a batch should have come out as.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each example, for [`Loss::SoftmaxCrossEntropy`].
    Classes(&'a [u32]),
    /// The outputs wanted, batch × outputs, for [`Loss::MeanSquaredError`].
    Values(ArrayView2<'a, f32>),
}

impl Targets<'_> {
    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.nrows(),
        }
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

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
    /// A number is NaN or infinite. Shaders may assume that there is none, and a ReLU turns NaN into 0 without a trace.
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
    /// The targets do not fit the loss: classes for cross-entropy, values for the mean squared error.
    #[error(
        "the loss {loss:?} takes other targets: classes for cross-entropy, values for the mean squared error"
    )]
    TargetKind {
        /// The loss of the model.
        loss: Loss,
    },
    /// A setting of the optimizer is not a finite number in its range.
    #[error("the setting {name} = {value} is out of range")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: f32,
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

/// Mean loss over a number of examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanLoss {
    /// Σ loss / examples; NaN without examples.
    pub mean: f32,
    /// How many examples it is the mean of.
    pub examples: u64,
}

/// Something that learns from batches: [`crate::nn::Mlp`] on the GPU, [`crate::reference::Mlp`] on the CPU.
pub trait Model {
    /// Sizes of input, hidden layers and output.
    fn layer_sizes(&self) -> &[usize];

    /// Where the work is done, in words: for a GPU its name, backend and driver.
    fn device(&self) -> String;

    /// The description that the model was made from, with its learning rate of now; `None` where there is no such description, which is what
    /// the provided method says.
    fn config(&self) -> Option<&MlpConfig> {
        None
    }

    /// One optimizer step on one batch: forward, loss, backward, update. May return before the device has finished.
    ///
    /// An empty batch changes nothing.
    ///
    /// # Errors
    /// [`ModelError::Shape`], [`ModelError::NonFinite`], [`ModelError::Class`] or [`ModelError::TargetKind`] where batch and model do not
    /// fit; the model is unchanged then.
    /// Otherwise what the device reports.
    fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError>;

    /// The mean loss over all examples trained on since the last call, each measured before its own update. Waits for the device.
    ///
    /// # Errors
    /// What the device reports.
    fn take_loss(&mut self) -> Result<MeanLoss, ModelError>;

    /// The outputs (logits, for cross-entropy) for each row of `x`: batch × outputs.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where `x` has other columns than the model has inputs, [`ModelError::NonFinite`]; otherwise what the device
    /// reports.
    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError>;

    /// The loss that the model minimizes.
    fn loss(&self) -> Loss;

    /// The step size of the optimizer.
    fn learning_rate(&self) -> f32;

    /// Sets the step size from the next batch on.
    ///
    /// # Errors
    /// [`ModelError::Setting`] where it is negative or not finite; the old one stays then.
    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError>;

    /// A copy of weights and biases, first layer first.
    ///
    /// # Errors
    /// What the device reports.
    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError>;

    /// Replaces weights and biases; the optimizer's state stays.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where a shape differs; nothing is changed then.
    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError>;

    /// How weights, biases and the gradients of the last step are spread, first layer first. Waits for the device.
    ///
    /// The provided method knows weights and biases alone: its histograms of gradients are empty, not even counting zeros.
    ///
    /// # Errors
    /// What the device reports.
    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        let layer = |layer: &LayerParameters| LayerHistograms {
            w: Histogram::of(layer.w.iter().copied()),
            b: Histogram::of(layer.b.iter().copied()),
            dw: Histogram::of([0.0; 0]),
            db: Histogram::of([0.0; 0]),
        };
        Ok(self.parameters()?.iter().map(layer).collect())
    }

    /// The model as one that trains on data where it computes; `None` where it gains nothing by
    /// that, which is what the provided method says.
    fn resident(&mut self) -> Option<&mut dyn ResidentModel> {
        None
    }

    /// [`Self::take_loss`] without waiting: either the loss, or `None`, and [`Self::poll_loss`] will bring it. The provided method waits.
    ///
    /// # Errors
    /// What the device reports.
    fn request_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.take_loss().map(Some)
    }

    /// The oldest loss of [`Self::request_loss`] that has arrived since. Does not wait; but whatever waits for the device, such as
    /// [`Self::take_loss`], waits for all that were requested before.
    ///
    /// # Errors
    /// What the device reports.
    fn poll_loss(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        Ok(None)
    }
}

/// A model that trains on a data set which lies where it computes, so that no step moves a row.
pub trait ResidentModel: Model {
    /// Copies a data set to where the model computes; whether there was room.
    ///
    /// # Errors
    /// As [`Model::train_batch`].
    fn load(&mut self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Result<bool, ModelError>;

    /// Lets go of the data set of [`Self::load`].
    ///
    /// # Errors
    /// What the device reports.
    fn unload(&mut self) -> Result<(), ModelError>;

    /// Sets the order in which [`Self::train_next`] takes the loaded examples: each `batch` of
    /// `indices` is one step, the last may be smaller.
    ///
    /// # Errors
    /// [`ModelError::NoData`] where nothing is loaded, [`ModelError::Index`],
    /// [`ModelError::BatchSize`]; otherwise what the device reports.
    fn set_order(&mut self, indices: &[usize], batch: usize) -> Result<(), ModelError>;

    /// The step of [`Model::train_batch`] for the next batch of [`Self::set_order`]; whether there
    /// was one left.
    ///
    /// May hand several steps to the device together, but none later than when anything else is
    /// asked of the model.
    ///
    /// # Errors
    /// [`ModelError::NoData`] where nothing is loaded; otherwise what the device reports.
    fn train_next(&mut self) -> Result<bool, ModelError>;
}

/// Checks a batch against a model, so that both implementors answer alike.
pub(crate) fn check_batch(
    sizes: &[usize],
    loss: Loss,
    x: ArrayView2<'_, f32>,
    targets: Targets<'_>,
) -> Result<(), ModelError> {
    check_inputs(sizes, x)?;
    let outputs = sizes[sizes.len() - 1];
    match (loss, targets) {
        (Loss::SoftmaxCrossEntropy, Targets::Classes(classes)) => {
            check_shape("classes", [1, x.nrows()], [1, classes.len()])?;
            match classes.iter().position(|class| *class as usize >= outputs) {
                Some(example) => Err(ModelError::Class {
                    example,
                    class: classes[example],
                    classes: outputs,
                }),
                None => Ok(()),
            }
        }
        (Loss::MeanSquaredError, Targets::Values(values)) => {
            let actual = [values.nrows(), values.ncols()];
            check_shape("target values", [x.nrows(), outputs], actual)?;
            check_finite("target values", values)
        }
        (loss, _) => Err(ModelError::TargetKind { loss }),
    }
}

pub(crate) fn check_inputs(sizes: &[usize], x: ArrayView2<'_, f32>) -> Result<(), ModelError> {
    check_shape("x", [x.nrows(), sizes[0]], [x.nrows(), x.ncols()])?;
    check_finite("x", x)
}

pub(crate) fn check_finite(
    what: &'static str,
    values: ArrayView2<'_, f32>,
) -> Result<(), ModelError> {
    // Every batch passes here: without a way out in mid-row, the compiler checks many numbers at a time.
    let is_finite = |row: ArrayView1<'_, f32>| row.fold(true, |all, value| all & value.is_finite());
    if values.rows().into_iter().all(is_finite) {
        return Ok(());
    }
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), value)) => Err(ModelError::NonFinite {
            what,
            row,
            column,
            value: *value,
        }),
        None => Ok(()),
    }
}

pub(crate) fn check_parameters(
    sizes: &[usize],
    parameters: &[LayerParameters],
) -> Result<(), ModelError> {
    check_shape("layers", [1, sizes.len() - 1], [1, parameters.len()])?;
    for (layer, ends) in parameters.iter().zip(sizes.windows(2)) {
        check_shape("w", [ends[0], ends[1]], [layer.w.nrows(), layer.w.ncols()])?;
        check_shape("b", [1, ends[1]], [1, layer.b.len()])?;
    }
    Ok(())
}

pub(crate) fn check_shape(
    what: &'static str,
    expected: [usize; 2],
    actual: [usize; 2],
) -> Result<(), ModelError> {
    if expected == actual {
        Ok(())
    } else {
        Err(ModelError::Shape {
            what,
            expected,
            actual,
        })
    }
}
