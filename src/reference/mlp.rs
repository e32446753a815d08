//! The twin of `nn::Mlp`.

use ndarray::{Array1, Array2, ArrayView2, NdFloat};

use super::cast;
use super::{
    AdamCorrections, activation, activation_grad, adam, adam_advance, bias_grad, forward,
    input_grad, mean_squared_error, sgd, softmax_cross_entropy, weight_grad,
};
use crate::model::{
    AdamSettings, LayerParameters, Loss, MeanLoss, MlpConfig, Model, ModelError, Optimizer,
    SgdSettings, Targets, check_batch, check_inputs, check_parameters, initial_parameters,
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
    config: MlpConfig,
    layers: Vec<LayerParameters<F>>,
    gradients: Vec<LayerParameters<F>>,
    moments: Moments<F>,
    total_loss: F,
    examples: u64,
}

/// What the optimizer remembers. SGD needs the first moment (its velocity) only.
#[derive(Clone, Debug)]
struct Moments<F> {
    first: Vec<LayerParameters<F>>,
    second: Vec<LayerParameters<F>>,
    corrections: AdamCorrections<F>,
}

impl<F: NdFloat> Mlp<F> {
    /// A network with the weights of [`initial_parameters`].
    ///
    /// # Errors
    /// [`ModelError::LayerSizes`] or [`ModelError::Setting`] where `config` describes no network.
    pub fn new(config: MlpConfig) -> Result<Self, ModelError> {
        config.check()?;
        let layers: Vec<_> = initial_parameters(&config).iter().map(from_f32).collect();
        let zeros = || layers.iter().map(zeros_like).collect::<Vec<_>>();
        let moments = Moments {
            first: zeros(),
            second: if matches!(config.optimizer, Optimizer::Sgd(_)) {
                Vec::new()
            } else {
                zeros()
            },
            corrections: AdamCorrections {
                first: F::zero(),
                second: F::zero(),
            },
        };
        Ok(Self {
            gradients: zeros(),
            config,
            layers,
            moments,
            total_loss: F::zero(),
            examples: 0,
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
    /// [`ModelError::Shape`] where `x` has other columns than the network has inputs.
    pub fn outputs(&self, x: ArrayView2<'_, f32>) -> Result<Array2<F>, ModelError> {
        check_inputs(&self.config.layer_sizes, x)?;
        let mut passes = self.forward(x);
        Ok(passes
            .pop()
            .map_or_else(|| Array2::zeros((0, 0)), |last| last.t))
    }

    /// The mean loss over a batch, which is also what [`Self::backward`] differentiates.
    ///
    /// # Errors
    /// As [`Model::train_batch`].
    pub fn batch_loss(
        &self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<F, ModelError> {
        check_batch(&self.config.layer_sizes, self.config.loss, x, targets)?;
        let t = self.outputs(x)?;
        Ok(measure(t.view(), targets).0 / count(targets.len()))
    }

    /// Computes [`Self::gradients`] of the mean loss over a batch, changes no parameter, and returns the sum of losses.
    ///
    /// # Errors
    /// As [`Model::train_batch`].
    pub fn backward(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<F, ModelError> {
        check_batch(&self.config.layer_sizes, self.config.loss, x, targets)?;
        let passes = self.forward(x);
        let Some(last) = passes.last() else {
            return Ok(F::zero());
        };
        let (loss, mut dt) = measure(last.t.view(), targets);
        for layer in (0..self.layers.len()).rev() {
            let input = &passes[layer].input;
            self.gradients[layer] = LayerParameters {
                w: weight_grad(input.view(), dt.view()),
                b: bias_grad(dt.view()),
            };
            if layer > 0 {
                let da = input_grad(dt.view(), self.layers[layer].w.view());
                dt = activation_grad(
                    self.config.activation,
                    passes[layer - 1].t.view(),
                    da.view(),
                );
            }
        }
        Ok(loss)
    }

    /// Input and result of every linear layer.
    fn forward(&self, x: ArrayView2<'_, f32>) -> Vec<Pass<F>> {
        let mut passes: Vec<Pass<F>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let input = match passes.last() {
                None => x.mapv(cast),
                Some(below) => activation(self.config.activation, below.t.view()),
            };
            let t = forward(input.view(), layer.w.view(), Some(layer.b.view()));
            passes.push(Pass { input, t });
        }
        passes
    }

    fn update(&mut self) {
        match self.config.optimizer {
            Optimizer::Sgd(settings) => self.update_sgd(&settings),
            Optimizer::Adam(settings) => self.update_adam(&settings, false),
            Optimizer::AdamW(settings) => self.update_adam(&settings, true),
        }
    }

    fn update_sgd(&mut self, settings: &SgdSettings) {
        let layers = self
            .layers
            .iter_mut()
            .zip(&self.gradients)
            .zip(&mut self.moments.first);
        for ((layer, gradient), velocity) in layers {
            sgd(
                settings,
                gradient.w.view(),
                velocity.w.view_mut(),
                layer.w.view_mut(),
            );
            sgd(
                settings,
                gradient.b.view(),
                velocity.b.view_mut(),
                layer.b.view_mut(),
            );
        }
    }

    fn update_adam(&mut self, settings: &AdamSettings, decoupled: bool) {
        let Moments {
            first,
            second,
            corrections,
        } = &mut self.moments;
        *corrections = adam_advance(settings, *corrections);
        let layers = self
            .layers
            .iter_mut()
            .zip(&self.gradients)
            .zip(first)
            .zip(second);
        for (((layer, gradient), m), v) in layers {
            let w = [m.w.view_mut(), v.w.view_mut(), layer.w.view_mut()];
            adam(settings, decoupled, *corrections, gradient.w.view(), w);
            let b = [m.b.view_mut(), v.b.view_mut(), layer.b.view_mut()];
            adam(settings, decoupled, *corrections, gradient.b.view(), b);
        }
    }
}

impl<F: NdFloat> Model for Mlp<F> {
    fn layer_sizes(&self) -> &[usize] {
        &self.config.layer_sizes
    }

    fn device(&self) -> String {
        format!("CPU twin (ndarray, {})", std::any::type_name::<F>())
    }

    fn train_batch(
        &mut self,
        x: ArrayView2<'_, f32>,
        targets: Targets<'_>,
    ) -> Result<(), ModelError> {
        check_batch(&self.config.layer_sizes, self.config.loss, x, targets)?;
        if targets.is_empty() {
            return Ok(());
        }
        let loss = self.backward(x, targets)?;
        self.total_loss += loss;
        self.examples += targets.len() as u64;
        self.update();
        Ok(())
    }

    fn take_loss(&mut self) -> Result<MeanLoss, ModelError> {
        let examples = std::mem::take(&mut self.examples);
        let sum = std::mem::replace(&mut self.total_loss, F::zero());
        Ok(MeanLoss {
            mean: to_f32(sum) / examples as f32,
            examples,
        })
    }

    fn predict(&mut self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>, ModelError> {
        Ok(self.outputs(x)?.mapv(to_f32))
    }

    fn loss(&self) -> Loss {
        self.config.loss
    }

    fn learning_rate(&self) -> f32 {
        self.config.optimizer.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: f32) -> Result<(), ModelError> {
        self.config.optimizer.set_learning_rate(learning_rate)
    }

    fn parameters(&self) -> Result<Vec<LayerParameters>, ModelError> {
        let layer = |layer: &LayerParameters<F>| LayerParameters {
            w: layer.w.mapv(to_f32),
            b: layer.b.mapv(to_f32),
        };
        Ok(self.layers.iter().map(layer).collect())
    }

    fn set_parameters(&mut self, parameters: &[LayerParameters]) -> Result<(), ModelError> {
        check_parameters(&self.config.layer_sizes, parameters)?;
        self.layers = parameters.iter().map(from_f32).collect();
        Ok(())
    }
}

#[derive(Debug)]
struct Pass<F> {
    input: Array2<F>,
    t: Array2<F>,
}

/// The sum of the losses of a batch, and the gradient of their mean.
fn measure<F: NdFloat>(t: ArrayView2<'_, F>, targets: Targets<'_>) -> (F, Array2<F>) {
    match targets {
        Targets::Classes(labels) => {
            let (row_loss, dt) = softmax_cross_entropy(t, labels);
            (row_loss.sum(), dt)
        }
        Targets::Values(y) => {
            let (element_loss, dt) = mean_squared_error(t, y.mapv(cast).view());
            (element_loss.sum(), dt)
        }
    }
}

fn from_f32<F: NdFloat>(layer: &LayerParameters) -> LayerParameters<F> {
    LayerParameters {
        w: layer.w.mapv(cast),
        b: layer.b.mapv(cast),
    }
}

fn zeros_like<F: NdFloat>(layer: &LayerParameters<F>) -> LayerParameters<F> {
    LayerParameters {
        w: Array2::zeros(layer.w.dim()),
        b: Array1::zeros(layer.b.dim()),
    }
}

fn to_f32<F: NdFloat>(value: F) -> f32 {
    value.to_f32().unwrap_or(f32::NAN)
}

fn count<F: NdFloat>(examples: usize) -> F {
    F::from(examples).unwrap_or_else(F::nan)
}
