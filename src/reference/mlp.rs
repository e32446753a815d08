//! The twin of `nn::Mlp`.

use ndarray::{Array1, Array2, ArrayView2, Axis, NdFloat};

use super::clip::{clip, gradient_norm};
use super::float::to_f32;
use super::histogram::histogram;
use super::loss::{Objective, Sums};
use super::memory;
use super::pass::Workspace;
use super::total::LossTotal;
use super::update::{Moments, layer_from_f32, layer_to_f32};
use crate::model::{
    Activation, LayerHistograms, LayerParameters, Loss, MeanLoss, MlpConfig, Model, ModelError,
    NetworkConfig, Targets, TrainingState, check_batch, check_inputs, check_parameters,
    initial_parameters,
};

/// A multi-layer perceptron on the CPU: the network that [`crate::nn::Mlp`] is, in ndarray.
///
/// In f32 it stands in where there is no GPU; in f64 it is the oracle of the tests.
///
/// ```
/// use ndarray::array;
/// use wgpu_linear::model::{MlpConfig, Model, Targets};
/// use wgpu_linear::reference::Mlp;
///
/// let mut mlp = Mlp::<f32>::new(MlpConfig::new(&[2, 16, 2]))?;
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// for _ in 0..500 {
///     mlp.train_batch(x.view(), Targets::Classes(&[0, 1, 1, 0]))?;
/// }
/// let logits = mlp.predict(x.view())?;
/// assert!(logits[[1, 1]] > logits[[1, 0]] && logits[[3, 0]] > logits[[3, 1]]);
/// # Ok::<(), wgpu_linear::model::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlp<F = f32> {
    config: Option<MlpConfig>,
    network: NetworkConfig,
    sizes: Vec<usize>,
    /// The activation of each layer.
    functions: Vec<Activation>,
    layers: Vec<LayerParameters<F>>,
    gradients: Vec<LayerParameters<F>>,
    moments: Moments<F>,
    workspace: Workspace<F>,
    total: LossTotal,
    /// Batches trained on.
    batches: u64,
}

/// Rows that are predicted at a time.
const PREDICTED_ROWS: usize = 1024;

impl<F: NdFloat> Mlp<F> {
    /// A network with the weights of [`initial_parameters`].
    ///
    /// # Errors
    /// [`ModelError::LayerSizes`] or [`ModelError::Setting`] where `config` describes no network,
    /// [`ModelError::Memory`] where the machine has too little memory for it.
    pub fn new(config: MlpConfig) -> Result<Self, ModelError> {
        config.check()?;
        let network = NetworkConfig::from(&config);
        Ok(Self {
            config: Some(config),
            ..Self::of_network(network)?
        })
    }

    /// The twin of [`crate::nn::Network`]: a network whose layers each have an activation of their
    /// own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_network(network: NetworkConfig) -> Result<Self, ModelError> {
        network.check()?;
        memory::ask(bytes_of_network::<F>(&network.layer_sizes()))?;
        let layers = initial_parameters(network.clone());
        let layers: Vec<_> = layers.iter().map(layer_from_f32).collect();
        let zeros = || layers.iter().map(zeros_like).collect::<Vec<_>>();
        let moments = Moments::new(zeros);
        Ok(Self {
            gradients: zeros(),
            config: None,
            sizes: network.layer_sizes(),
            functions: network.layers().iter().map(|l| l.activation).collect(),
            network,
            layers,
            moments,
            workspace: Workspace::new(),
            total: LossTotal::default(),
            batches: 0,
        })
    }

    /// Weights and biases in full precision, first layer first.
    #[must_use]
    pub fn layers(&self) -> &[LayerParameters<F>] {
        &self.layers
    }

    /// The same, to be changed; the optimizer's state stays.
    pub fn layers_mut(&mut self) -> &mut [LayerParameters<F>] {
        &mut self.layers
    }

    /// The gradients of the last batch, in the shapes of the parameters; zeros before the first.
    #[must_use]
    pub fn gradients(&self) -> &[LayerParameters<F>] {
        &self.gradients
    }

    /// The outputs for each row of `x`, in full precision.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where `x` has other columns than the network has inputs,
    /// [`ModelError::NonFinite`], [`ModelError::Memory`] where the machine has too little memory.
    pub fn outputs(&self, x: ArrayView2<'_, f32>) -> Result<Array2<F>, ModelError> {
        self.outputs_in(&mut Workspace::new(), x)
    }

    /// The mean loss over a batch, which is also what [`Self::backward`] differentiates; NaN where
    /// no example weighs anything.
    ///
    /// # Errors
    /// As [`Model::train_batch`].
    pub fn batch_loss(
        &self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<F, ModelError> {
        check_batch(&self.sizes, self.network.loss, x, targets)?;
        let outputs = self.sizes[self.sizes.len() - 1];
        let (mut t, _) = self.outputs(x)?.into_raw_vec_and_offset();
        let Sums { loss, weight } = self.objective().measure(&mut t, outputs, targets);
        Ok(loss / weight)
    }

    /// Computes [`Self::gradients`] of the mean loss over a batch, changes no parameter, and
    /// returns the sum of losses, each times the weight of its example.
    ///
    /// # Errors
    /// As [`Model::train_batch`].
    pub fn backward(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<F, ModelError> {
        check_batch(&self.sizes, self.network.loss, x, targets)?;
        self.workspace.ask_for(&self.sizes, x.nrows())?;
        Ok(self.differentiate(x, targets).loss)
    }

    fn objective(&self) -> Objective<'_> {
        Objective {
            loss: self.network.loss,
            class_weights: &self.network.class_weights,
        }
    }

    /// [`Self::backward`] on a batch that fits.
    fn differentiate(&mut self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Sums<F> {
        let functions = &self.functions;
        let objective = Objective {
            loss: self.network.loss,
            class_weights: &self.network.class_weights,
        };
        self.workspace.forward(functions, &self.layers, x);
        let gradients = &mut self.gradients;
        self.workspace
            .backward((functions, objective), &self.layers, targets, gradients)
    }

    /// Clips the gradients, where the configuration says so.
    fn clip(&mut self) {
        let Some(max_norm) = self.network.clip_norm else {
            return;
        };
        let norm = gradient_norm(
            self.gradients
                .iter()
                .flat_map(|layer| layer.w.iter().chain(&layer.b)),
        );
        let gradients = self.gradients.iter_mut();
        clip(
            max_norm,
            norm,
            gradients.flat_map(|layer| layer.w.iter_mut().chain(&mut layer.b)),
        );
    }

    /// [`Self::outputs`] in a given workspace.
    fn outputs_in(
        &self,
        workspace: &mut Workspace<F>,
        x: ArrayView2<'_, f32>,
    ) -> Result<Array2<F>, ModelError> {
        let sizes = &self.sizes;
        let outputs = sizes[sizes.len() - 1];
        // Here, and once more in f32 for those who predict.
        memory::ask(memory::bytes::<(F, f32)>(x.nrows(), outputs))?;
        check_inputs(sizes, x)?;
        workspace.ask_for(sizes, x.nrows().min(PREDICTED_ROWS))?;
        let mut t = Array2::zeros((x.nrows(), outputs));
        // In parts: a workspace for a whole data set would be as large again as the data, several
        // times over.
        let parts = x.axis_chunks_iter(Axis(0), PREDICTED_ROWS);
        for (x, mut t) in parts.zip(t.axis_chunks_iter_mut(Axis(0), PREDICTED_ROWS)) {
            let outputs = workspace.forward(&self.functions, &self.layers, x);
            for (t, output) in t.iter_mut().zip(outputs) {
                *t = *output;
            }
        }
        Ok(t)
    }
}

impl<F: NdFloat> Model for Mlp<F> {
    fn layer_sizes(&self) -> &[usize] {
        &self.sizes
    }

    fn device(&self) -> String {
        format!("CPU twin (ndarray, {})", std::any::type_name::<F>())
    }

    fn config(&self) -> Option<&MlpConfig> {
        self.config.as_ref()
    }

    fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError> {
        check_batch(&self.sizes, self.network.loss, x, targets)?;
        if targets.is_empty() {
            return Ok(());
        }
        self.workspace.ask_for(&self.sizes, x.nrows())?;
        let Sums { loss, weight } = self.differentiate(x, targets);
        let [loss, weight] = [loss, weight].map(|sum| sum.to_f64().unwrap_or(f64::NAN));
        self.total.add(loss, weight, targets.len() as u64);
        self.clip();
        let (optimizer, gradients) = (&self.network.optimizer, &self.gradients);
        self.moments.update(optimizer, gradients, &mut self.layers);
        self.batches += 1;
        Ok(())
    }

    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        Ok(std::mem::take(&mut self.total).mean())
    }

    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        let mut workspace = std::mem::replace(&mut self.workspace, Workspace::new());
        let outputs = self.outputs_in(&mut workspace, x);
        self.workspace = workspace;
        Ok(outputs?.mapv(to_f32))
    }

    fn loss(&self) -> Loss {
        self.network.loss
    }

    fn learning_rate(&self) -> f32 {
        self.network.optimizer.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        self.network.optimizer.set_learning_rate(learning_rate)?;
        if let Some(config) = &mut self.config {
            config.optimizer = self.network.optimizer;
        }
        Ok(())
    }

    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        Ok(self.layers.iter().map(layer_to_f32).collect())
    }

    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        check_parameters(&self.sizes, parameters)?;
        self.layers = parameters.iter().map(layer_from_f32).collect();
        Ok(())
    }

    /// In f32, as [`Self::parameters`]: a twin in f64 that goes on from there is not the same to the
    /// last bit.
    fn training_state(&self) -> Result<TrainingState, ModelError> {
        Ok(self.moments.state(&self.network.optimizer, self.batches))
    }

    fn set_training_state(&mut self, state: &TrainingState) -> Result<(), ModelError> {
        self.moments.set_state(&self.network.optimizer, state)?;
        self.batches = state.batches;
        Ok(())
    }

    fn histograms(&mut self) -> Result<Vec<LayerHistograms>, ModelError> {
        let layer =
            |(layer, gradients): (&LayerParameters<F>, &LayerParameters<F>)| LayerHistograms {
                w: histogram(&layer.w),
                b: histogram(&layer.b),
                dw: histogram(&gradients.w),
                db: histogram(&gradients.b),
            };
        let layers = self.layers.iter().zip(&self.gradients);
        Ok(layers.map(layer).collect())
    }
}

/// Parameters, gradients and two moments. The first weights are drawn in f32, and gone before the
/// last of these is there.
fn bytes_of_network<F>(sizes: &[usize]) -> u64 {
    let layers = sizes.windows(2);
    // A row more for the bias.
    let layers = layers.map(|ends| memory::bytes::<[F; 4]>(ends[0].saturating_add(1), ends[1]));
    layers.fold(0, u64::saturating_add)
}

fn zeros_like<F: NdFloat>(layer: &LayerParameters<F>) -> LayerParameters<F> {
    LayerParameters {
        w: Array2::zeros(layer.w.dim()),
        b: Array1::zeros(layer.b.dim()),
    }
}
