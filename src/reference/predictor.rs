//! What predicts: the twin of `nn::Predictor`, and the forward pass of [`super::Mlp`].

use ndarray::{Array2, ArrayView2, Axis, NdFloat};

use super::dropout::Dropouts;
use super::memory;
use super::pass::Workspace;
use super::rounding::round;
use crate::linear::Precision;
use crate::model::{Activation, LayerParameters, ModelError, NetworkConfig, check_inputs};

/// Rows that are predicted at a time.
const PREDICTED_ROWS: usize = 1024;

/// The layers of a network, with what is done behind each.
#[derive(Clone, Copy)]
pub(super) struct Passed<'a, F> {
    pub(super) network: &'a NetworkConfig,
    pub(super) functions: &'a [Activation],
    pub(super) layers: &'a [LayerParameters<F>],
}

impl<F: NdFloat> Passed<'_, F> {
    /// The outputs for each row of `x`, in full precision.
    pub(super) fn outputs(
        &self,
        workspace: &mut Workspace<F>,
        x: ArrayView2<'_, f32>,
    ) -> Result<Array2<F>, ModelError> {
        let sizes = self.network.layer_sizes();
        let outputs = sizes[sizes.len() - 1];
        // Here, and once more in f32 for those who predict.
        memory::ask(memory::bytes::<(F, f32)>(x.nrows(), outputs))?;
        check_inputs(&sizes, x)?;
        workspace.ask_for(&sizes, x.nrows().min(PREDICTED_ROWS))?;
        let mut t = Array2::zeros((x.nrows(), outputs));
        // In parts: a workspace for a whole data set would be as large again as the data, several
        // times over.
        let parts = x.axis_chunks_iter(Axis(0), PREDICTED_ROWS);
        for (x, mut t) in parts.zip(t.axis_chunks_iter_mut(Axis(0), PREDICTED_ROWS)) {
            let nothing = Dropouts {
                network: self.network,
                batch: None,
            };
            let outputs = workspace.forward((self.functions, nothing), self.layers, x);
            for (t, output) in t.iter_mut().zip(outputs) {
                *t = *output;
            }
        }
        Ok(t)
    }
}

/// The twin of [`crate::nn::Predictor`]: a network that only predicts, with weights that are
/// rounded once, and activations in every pass.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::{MlpConfig, Precision};
/// use wgpu_linear::reference::Mlp;
///
/// let mlp = Mlp::<f32>::new(MlpConfig::new(&[2, 16, 2]))?;
/// let x = array![[0.5, -0.25]];
/// let (full, half) = (mlp.outputs(x.view())?, mlp.predictor(Precision::F16)?.outputs(x.view())?);
/// assert!((half - full).iter().all(|error| error.abs() < 0.01));
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predictor<F = f32> {
    network: NetworkConfig,
    functions: Vec<Activation>,
    layers: Vec<LayerParameters<F>>,
}

impl<F: NdFloat> Predictor<F> {
    pub(super) fn new(passed: &Passed<'_, F>, precision: Precision) -> Result<Self, ModelError> {
        let layers = passed.network.layers().iter();
        let bytes = layers.map(|layer| memory::bytes::<F>(layer.inputs + 1, layer.outputs));
        memory::ask(bytes.fold(0, u64::saturating_add))?;
        let mut layers = passed.layers.to_vec();
        for layer in &mut layers {
            let w = layer.w.as_slice_memory_order_mut().unwrap_or_default();
            round(precision.weights(), w);
        }
        Ok(Self {
            network: passed.network.clone().precision(precision),
            functions: passed.functions.to_vec(),
            layers,
        })
    }

    /// The outputs for each row of `x`.
    ///
    /// # Errors
    /// As [`Mlp::outputs`](super::Mlp::outputs).
    pub fn outputs(&self, x: ArrayView2<'_, f32>) -> Result<Array2<F>, ModelError> {
        let passed = Passed {
            network: &self.network,
            functions: &self.functions,
            layers: &self.layers,
        };
        passed.outputs(&mut Workspace::new(), x)
    }
}
