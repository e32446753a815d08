//! A linear layer with its activation, on the caller's device.

use std::sync::Arc;

use ndarray::{Array1, Array2};

use crate::device::Gpu;
use crate::kernel::{Dispatch, Matrix, PrepareError, Vector};
use crate::linear::{
    Activation, Forward, ForwardActivated, ForwardInference, InputGrad, InputGradActivated,
    LinearKernels, WeightGrad,
};
use crate::model::{
    LayerConfig, LayerParameters, ModelError, NetworkConfig, check_parameters, initial_parameters,
};

use super::parameters::Parameters;

/// A layer A = f(X·W + b) whose parameters and gradients stay on the device: the piece that
/// [`Network`](super::Network) is made of, for those who put their own together.
///
/// Cloning is cheap and refers to the same parameters. Each method prepares dispatches, once; they
/// are recorded into any compute pass of the device, as often as you like.
///
/// ```
/// use wgpu_linear::model::{Activation, LayerConfig};
/// use wgpu_linear::nn::Linear;
/// use wgpu_linear::{Gpu, Matrix};
///
/// let gpu = Gpu::new()?; // or Gpu::wrap(device, queue)
/// let layer = Linear::new(&gpu, LayerConfig::new(2, 3, Activation::Relu), 0)?;
/// let x = gpu.upload("x", &[1.0, 2.0])?;
/// let a = gpu.zeros("a", 3)?;
/// let forward = layer.infer(Matrix::new(&x, 1, 2), Matrix::new(&a, 1, 3))?;
/// gpu.run(&[forward]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    kernels: Arc<LinearKernels>,
    activation: Activation,
    /// The parameters of this layer alone, or of all layers of a network.
    parameters: Arc<Parameters>,
    /// Which of them.
    index: usize,
}

/// What inference needs to know of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct InferredLayer<'a> {
    pub(super) kernels: &'a LinearKernels,
    pub(super) w: Matrix<'a>,
    pub(super) b: Vector<'a>,
    pub(super) function: Activation,
}

impl InferredLayer<'_> {
    /// A = f(X·W + b)
    pub(super) fn infer(&self, x: Matrix<'_>, a: Matrix<'_>) -> Result<Dispatch, PrepareError> {
        self.kernels.forward_inference(ForwardInference {
            x,
            w: self.w,
            b: Some(self.b),
            function: self.function,
            a,
        })
    }
}

/// Operands of [`Linear::forward`].
#[derive(Clone, Copy, Debug)]
pub struct LinearForward<'a> {
    /// X, batch × inputs; read.
    pub x: Matrix<'a>,
    /// T = X·W + b, batch × outputs; overwritten. Kept for [`Linear::backward`] of the layer above.
    pub t: Matrix<'a>,
    /// A = f(T), batch × outputs; overwritten. `None` where T alone is wanted.
    pub a: Option<Matrix<'a>>,
}

/// Operands of [`Linear::backward`].
#[derive(Clone, Copy, Debug)]
pub struct LinearBackward<'a> {
    /// X, batch × inputs, what the layer was given; read.
    pub x: Matrix<'a>,
    /// dT, batch × outputs: the gradient with respect to T, not A; read.
    pub dt: Matrix<'a>,
    /// Where the gradient goes on to, if anywhere.
    pub below: Option<Below<'a>>,
}

/// What lies below a layer.
#[derive(Clone, Copy, Debug)]
pub enum Below<'a> {
    /// dX = dT·Wᵀ, batch × inputs; overwritten.
    Inputs(Matrix<'a>),
    /// X came out of an activation: X = f(T below).
    Activated {
        /// f.
        function: Activation,
        /// T below, batch × inputs; read.
        t: Matrix<'a>,
        /// dT below = dT·Wᵀ ⊙ f′(T below), batch × inputs; overwritten.
        dt: Matrix<'a>,
    },
}

impl Linear {
    /// A layer with first weights of its own.
    ///
    /// # Errors
    /// [`ModelError::LayerSizes`] or [`ModelError::Setting`] where `config` describes no layer,
    /// [`ModelError::Gpu`] where the device has not enough memory.
    pub fn new(gpu: &Gpu, config: LayerConfig, seed: u64) -> Result<Self, ModelError> {
        let kernels = Arc::new(LinearKernels::of(gpu));
        let network = NetworkConfig::of_layer(config).seed(seed);
        network.check()?;
        let parameters = Arc::new(Parameters::new(gpu, network.layers())?);
        parameters.write(gpu, &initial_parameters(network))?;
        Ok(Self {
            kernels,
            activation: config.activation,
            parameters,
            index: 0,
        })
    }

    /// The layers of a network, whose parameters lie together.
    pub(super) fn layers(
        kernels: &Arc<LinearKernels>,
        parameters: &Arc<Parameters>,
        layers: &[LayerConfig],
    ) -> Vec<Self> {
        let layer = |(index, layer): (usize, &LayerConfig)| Self {
            kernels: kernels.clone(),
            activation: layer.activation,
            parameters: parameters.clone(),
            index,
        };
        layers.iter().enumerate().map(layer).collect()
    }

    /// f.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// W, inputs × outputs, on the device.
    #[must_use]
    pub fn w(&self) -> Matrix<'_> {
        self.parameters.w(self.index)
    }

    /// b, outputs elements, on the device.
    #[must_use]
    pub fn b(&self) -> Vector<'_> {
        self.parameters.b(self.index)
    }

    /// dW, inputs × outputs, on the device; what [`Self::backward`] has left there.
    #[must_use]
    pub fn dw(&self) -> Matrix<'_> {
        self.parameters.dw(self.index)
    }

    /// db, outputs elements, on the device; what [`Self::backward`] has left there.
    #[must_use]
    pub fn db(&self) -> Vector<'_> {
        self.parameters.db(self.index)
    }

    /// Replaces W and b for whatever is submitted from now on.
    ///
    /// # Errors
    /// [`ModelError::Shape`] where a shape differs, [`ModelError::NonFinite`]; nothing is changed
    /// then.
    pub fn set_parameters(
        &self,
        gpu: &Gpu,
        parameters: &LayerParameters,
    ) -> Result<(), ModelError> {
        let sizes = [self.w().rows as usize, self.w().columns as usize];
        check_parameters(&sizes, std::slice::from_ref(parameters))?;
        Ok(self.parameters.write_layer(gpu, self.index, parameters)?)
    }

    /// T = X·W + b and, where it is asked for, A = f(T), in one pass over memory.
    ///
    /// # Errors
    /// As [`LinearKernels::forward`].
    pub fn forward(&self, operands: LinearForward<'_>) -> Result<Dispatch, PrepareError> {
        let LinearForward { x, t, a } = operands;
        let (w, b) = (self.w(), Some(self.b()));
        match a {
            None => self.kernels.forward(Forward { x, w, b, t }),
            Some(a) => self.kernels.forward_activated(ForwardActivated {
                x,
                w,
                b,
                function: self.activation,
                t,
                a,
            }),
        }
    }

    /// A = f(X·W + b) alone, for inference: T is not stored.
    ///
    /// # Errors
    /// As [`LinearKernels::forward`].
    pub fn infer(&self, x: Matrix<'_>, a: Matrix<'_>) -> Result<Dispatch, PrepareError> {
        self.inferred().infer(x, a)
    }

    pub(super) fn inferred(&self) -> InferredLayer<'_> {
        InferredLayer {
            kernels: &self.kernels,
            w: self.w(),
            b: self.b(),
            function: self.activation,
        }
    }

    /// The kernels of its products.
    pub(super) fn kernels(&self) -> &Arc<LinearKernels> {
        &self.kernels
    }

    /// dW = Xᵀ·dT and db = Σ_i dT_i·, into the layer's gradients, and what the layer below needs:
    /// one dispatch or two.
    ///
    /// # Errors
    /// As [`LinearKernels::forward`].
    pub fn backward(&self, operands: LinearBackward<'_>) -> Result<Vec<Dispatch>, PrepareError> {
        let LinearBackward { x, dt, below } = operands;
        let mut dispatches = vec![self.parameter_grad(x, dt)?];
        if let Some(below) = below {
            dispatches.push(self.input_grad(dt, below)?);
        }
        Ok(dispatches)
    }

    /// dW = Xᵀ·dT and db.
    pub(super) fn parameter_grad(
        &self,
        x: Matrix<'_>,
        dt: Matrix<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let (dw, db) = (self.dw(), Some(self.db()));
        self.kernels.weight_grad(WeightGrad { x, dt, dw, db })
    }

    /// What the layer below needs.
    pub(super) fn input_grad(
        &self,
        dt: Matrix<'_>,
        below: Below<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let w = self.w();
        match below {
            Below::Inputs(dx) => self.kernels.input_grad(InputGrad { dt, w, dx }),
            Below::Activated {
                function,
                t: t_below,
                dt: dt_below,
            } => self.kernels.input_grad_activated(InputGradActivated {
                dt,
                w,
                function,
                t_below,
                dt_below,
            }),
        }
    }

    /// A copy of W and b.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn parameters_async(&self, gpu: &Gpu) -> Result<LayerParameters, ModelError> {
        let (w, b) = (self.w(), self.b());
        let len = w.elements() as usize;
        let values = gpu.read_range_async::<f32>(w.buffer, w.offset_bytes, len);
        let values = values.await?;
        let biases = gpu.read_range_async::<f32>(b.buffer, b.offset_bytes, b.len as usize);
        let shape = (w.rows as usize, w.columns as usize);
        Ok(LayerParameters {
            // The number of values is right by construction.
            w: Array2::from_shape_vec(shape, values).unwrap_or_default(),
            b: Array1::from_vec(biases.await?),
        })
    }

    /// The buffers that its parameters lie in, with those of their gradients.
    pub(super) fn storage(&self) -> &Arc<Parameters> {
        &self.parameters
    }
}
