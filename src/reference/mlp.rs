//! The twin of `nn::Mlp`.

use ndarray::{Array1, Array2, ArrayView2, NdFloat};

use super::accumulate_gradients::{add_gradients, keep_gradients, mean_gradients};
use super::clip::{clip, gradient_norm};
use super::dropout::Dropouts;
use super::float::to_f32;
use super::histogram::histogram;
use super::loss::{Objective, Sums};
use super::loss_scale::ScaledLoss;
use super::memory;
use super::pass::Workspace;
use super::predictor::{Passed, Predictor};
use super::total::LossTotal;
use super::update::{Moments, layer_from_f32, layer_to_f32};
use crate::linear::Precision;
use crate::model::{
    Activation, LayerConfig, LayerHistograms, LayerParameters, Loss, LossScale, MeanLoss,
    MlpConfig, Model, ModelError, NetworkConfig, Targets, TrainingState, check_batch,
    check_parameters, initial_parameters,
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
    /// The sum of those of earlier batches; empty where every batch makes an update.
    sums: Vec<LayerParameters<F>>,
    /// Batches trained on, and how many of them wait for an update.
    batches: u64,
    pending: u32,
    moments: Moments<F>,
    /// What gradients are multiplied by, where they are.
    scaled: Option<ScaledLoss>,
    workspace: Workspace<F>,
    total: LossTotal,
}

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
        memory::ask(bytes_of_network::<F>(&network))?;
        let layers = initial_parameters(network.clone());
        let layers: Vec<_> = layers.iter().map(layer_from_f32).collect();
        let zeros = || layers.iter().map(zeros_like).collect::<Vec<_>>();
        let moments = Moments::new(zeros);
        let sums = if network.accumulation > 1 {
            zeros()
        } else {
            Vec::new()
        };
        Ok(Self {
            gradients: zeros(),
            sums,
            batches: 0,
            pending: 0,
            config: None,
            sizes: network.layer_sizes(),
            functions: network.layers().iter().map(|l| l.activation).collect(),
            scaled: network.scales_loss().map(ScaledLoss::new),
            network,
            layers,
            moments,
            workspace: Workspace::new(),
            total: LossTotal::default(),
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
        self.passed().outputs(&mut Workspace::new(), x)
    }

    /// A copy for inference, whose weights are stored as `precision` says: the twin of
    /// [`Network::predictor`](crate::nn::Network::predictor).
    ///
    /// # Errors
    /// [`ModelError::Memory`] where the machine has too little memory.
    pub fn predictor(&self, precision: Precision) -> Result<Predictor<F>, ModelError> {
        Predictor::new(&self.passed(), precision)
    }

    /// The mean loss over a batch, which is also what [`Self::backward`] differentiates, with
    /// smoothed labels and with what is dropped in the batch that is trained on next; NaN where no
    /// example weighs anything.
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
        let mut workspace = Workspace::new();
        workspace.ask_for(&self.sizes, x.nrows())?;
        let behind = (&self.functions[..], self.dropouts());
        let mut t = workspace.forward(behind, &self.layers, x).to_vec();
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
        let sums = self.differentiate(x, targets);
        if let Some(scaled) = &self.scaled {
            scaled.unscale(&mut self.gradients);
        }
        Ok(sums.loss)
    }

    /// Goes on as after `batches` batches: the next one drops what it would drop there, see
    /// [`MlpConfig::dropout`], and is the first of an update.
    pub fn set_batches(&mut self, batches: u64) {
        self.batches = batches;
        self.pending = 0;
    }

    fn objective(&self) -> Objective<'_> {
        objective(&self.network)
    }

    /// What is dropped in the batch that is trained on next.
    fn dropouts(&self) -> Dropouts<'_> {
        Dropouts {
            network: &self.network,
            batch: Some(self.batches),
        }
    }

    /// [`Self::backward`] on a batch that fits, of the loss as it is scaled.
    fn differentiate(&mut self, x: ArrayView2<'_, f32>, targets: Targets<'_>) -> Sums<F> {
        let (functions, objective) = (&self.functions[..], objective(&self.network));
        let dropouts = Dropouts {
            network: &self.network,
            batch: Some(self.batches),
        };
        self.workspace
            .forward((functions, dropouts), &self.layers, x);
        let gradients = &mut self.gradients;
        let network = (functions, dropouts, objective);
        let scale = self.scaled.as_ref().map_or(F::one(), ScaledLoss::scale);
        self.workspace
            .backward(network, scale, &self.layers, targets, gradients)
    }

    /// Adds the gradients of a batch to those before it; whether they are complete, and the
    /// gradients are the mean of all.
    fn accumulate(&mut self) -> bool {
        let (pending, batches) = (self.pending, self.network.accumulation);
        self.pending = (pending + 1) % batches;
        for (g, sum) in self.gradients.iter_mut().zip(&mut self.sums) {
            if self.pending == 0 {
                mean_gradients(batches, sum.w.view(), g.w.view_mut());
                mean_gradients(batches, sum.b.view(), g.b.view_mut());
            } else if pending == 0 {
                keep_gradients(g.w.view(), sum.w.view_mut());
                keep_gradients(g.b.view(), sum.b.view_mut());
            } else {
                add_gradients(g.w.view(), sum.w.view_mut());
                add_gradients(g.b.view(), sum.b.view_mut());
            }
        }
        self.pending == 0
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

    /// What predicts.
    fn passed(&self) -> Passed<'_, F> {
        Passed {
            network: &self.network,
            functions: &self.functions,
            layers: &self.layers,
        }
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
        self.batches += 1;
        if !self.accumulate() {
            return Ok(());
        }
        if let Some(scaled) = &mut self.scaled
            && !scaled.update(&mut self.gradients)
        {
            return Ok(());
        }
        self.clip();
        let (optimizer, gradients) = (&self.network.optimizer, &self.gradients);
        self.moments.update(optimizer, gradients, &mut self.layers);
        Ok(())
    }

    fn pending_batches(&self) -> u32 {
        self.pending
    }

    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        Ok(std::mem::take(&mut self.total).mean())
    }

    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        let mut workspace = std::mem::replace(&mut self.workspace, Workspace::new());
        let outputs = self.passed().outputs(&mut workspace, x);
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
        let mut state = self.moments.state(&self.network.optimizer, self.batches);
        state
            .scalars
            .extend(self.scaled.as_ref().map(ScaledLoss::state));
        Ok(state)
    }

    fn set_training_state(&mut self, state: &TrainingState) -> Result<(), ModelError> {
        let scaled = self.scaled.as_ref().map(|_| LossScale::NAME);
        self.moments
            .set_state(&self.network.optimizer, scaled, state)?;
        if let Some(scaled) = &mut self.scaled {
            scaled.set_state(state);
        }
        self.set_batches(state.batches);
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

/// Parameters, gradients and two moments, and sums of gradients where there are any. The first
/// weights are drawn in f32, and gone before the last of these is there.
fn bytes_of_network<F>(network: &NetworkConfig) -> u64 {
    let layer = |layer: &LayerConfig| {
        // A row more for the bias.
        let (rows, columns) = (layer.inputs.saturating_add(1), layer.outputs);
        match network.accumulation {
            1 => memory::bytes::<[F; 4]>(rows, columns),
            _ => memory::bytes::<[F; 5]>(rows, columns),
        }
    };
    let layers = network.layers().iter().map(layer);
    layers.fold(0, u64::saturating_add)
}

fn objective(network: &NetworkConfig) -> Objective<'_> {
    Objective {
        loss: network.loss,
        class_weights: &network.class_weights,
        label_smoothing: network.label_smoothing,
    }
}

fn zeros_like<F: NdFloat>(layer: &LayerParameters<F>) -> LayerParameters<F> {
    LayerParameters {
        w: Array2::zeros(layer.w.dim()),
        b: Array1::zeros(layer.b.dim()),
    }
}
