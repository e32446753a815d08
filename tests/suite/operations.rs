//! Every operation that prepares a dispatch, on small operands: for what must hold for all of them.

use wgpu::{BufferUsages, Features};
use wgpu_linear::kernel::ElementType;
use wgpu_linear::linear::{Activation, QuantisedMatrix};
use wgpu_linear::model::{DropoutSettings, Loss, LossScaling};
use wgpu_linear::nn::{
    AccumulateLoss, ActivationForward, ActivationGrad, Adam, CLIPPING_WORDS, ClassWeightSum, Clip,
    Convert, CopyScaled, Dropout, ElementwiseLoss, Examples, Gather, GradientNorm, GradientSum,
    HISTOGRAM_WORDS, HistogramOf, LOSS_TOTAL_WORDS, Lion, NetworkKernels, NextScale, RowWeightSum,
    ScaleGradients, Sgd, SoftmaxCrossEntropy, SoftmaxCrossEntropySmall, UnscaleGradients,
};
use wgpu_linear::{
    BiasGrad, Dispatch, Forward, ForwardActivated, ForwardInference, ForwardQuantised, InputGrad,
    InputGradActivated, LinearKernels, Matrix, PrepareError, Vector, WeightGrad,
};

/// Kernels and operands of one device.
pub(crate) struct Operations {
    pub(crate) linear: LinearKernels,
    pub(crate) network: NetworkKernels,
    buffers: [wgpu::Buffer; 6],
    settings: wgpu::Buffer,
    result: wgpu::Buffer,
    has_f16: bool,
}

type Prepared = Result<Dispatch, PrepareError>;

impl Operations {
    pub(crate) fn new(device: &wgpu::Device) -> Self {
        Self::with_buffers_of(device, device, false)
    }

    /// Kernels of one device, buffers of another, which may be mapped.
    pub(crate) fn with_buffers_of(
        device: &wgpu::Device,
        other: &wgpu::Device,
        mapped_at_creation: bool,
    ) -> Self {
        let buffer = |size, usage| {
            other.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation,
            })
        };
        Self {
            linear: LinearKernels::new(device),
            network: NetworkKernels::new(device),
            buffers: std::array::from_fn(|_| buffer(256, BufferUsages::STORAGE)),
            settings: buffer(256, BufferUsages::UNIFORM),
            result: buffer(u64::from(HISTOGRAM_WORDS) * 4, BufferUsages::STORAGE),
            has_f16: device.features().contains(Features::SHADER_F16),
        }
    }

    /// Destroys all operands.
    pub(crate) fn destroy_buffers(&self) {
        let others = [&self.settings, &self.result];
        self.buffers
            .iter()
            .chain(others)
            .for_each(wgpu::Buffer::destroy);
    }

    /// How many there are: one more where the device has f16.
    pub(crate) fn count(&self) -> usize {
        33 + usize::from(self.has_f16)
    }

    /// Each with its label, prepared one after the other.
    pub(crate) fn prepare(&self) -> Vec<(&'static str, Prepared)> {
        let mut prepared = self.products();
        prepared.extend(self.losses());
        prepared.extend(self.optimizers());
        prepared.extend(self.others());
        prepared.extend(self.regularization());
        prepared.extend(self.loss_scaling());
        if self.has_f16 {
            prepared.push(("convert", self.conversion()));
        }
        prepared
    }

    fn matrices(&self) -> [Matrix<'_>; 6] {
        self.buffers
            .each_ref()
            .map(|buffer| Matrix::new(buffer, 4, 4))
    }

    fn vectors(&self) -> [Vector<'_>; 6] {
        self.buffers.each_ref().map(|buffer| Vector::new(buffer, 4))
    }

    fn products(&self) -> Vec<(&'static str, Prepared)> {
        let (linear, function) = (&self.linear, Activation::Tanh);
        let [x, w, t, a, dt, dx] = self.matrices();
        let [.., b] = self.vectors();
        let forward = Forward {
            x,
            w,
            b: Some(b),
            t,
        };
        let activated = ForwardActivated {
            x,
            w,
            b: None,
            function,
            t,
            a,
        };
        let inference = ForwardInference {
            x,
            w,
            b: Some(b),
            function,
            a,
        };
        let quantised = ForwardQuantised {
            x,
            w: QuantisedMatrix::new(w.buffer, 4, 4),
            scales: b,
            b: Some(b),
            t,
        };
        let input = InputGrad { dt, w, dx };
        let below = InputGradActivated {
            dt,
            w,
            function,
            t_below: t,
            dt_below: dx,
        };
        let weight = WeightGrad {
            x,
            dt,
            dw: w,
            db: Some(b),
        };
        vec![
            ("forward", linear.forward(forward)),
            ("forward_activated", linear.forward_activated(activated)),
            ("forward_inference", linear.forward_inference(inference)),
            ("forward_quantised", linear.forward_quantised(quantised)),
            ("input_grad", linear.input_grad(input)),
            ("input_grad_activated", linear.input_grad_activated(below)),
            ("weight_grad", linear.weight_grad(weight)),
            ("bias_grad", linear.bias_grad(BiasGrad { dt, db: b })),
        ]
    }

    fn losses(&self) -> Vec<(&'static str, Prepared)> {
        let network = &self.network;
        let [t, y, element_loss, dt, ..] = self.matrices();
        let [.., labels, row_loss] = self.vectors();
        let total = Vector {
            len: LOSS_TOTAL_WORDS,
            ..row_loss
        };
        let [sum, class_weights, ..] = self.vectors();
        let sum = Vector { len: 1, ..sum };
        let softmax = SoftmaxCrossEntropy {
            t,
            labels,
            weights: None,
            label_smoothing: 0.0,
            row_loss,
            dt,
        };
        let small = SoftmaxCrossEntropySmall {
            t,
            labels,
            label_smoothing: 0.0,
            dt,
            total,
        };
        let elementwise = ElementwiseLoss {
            loss: Loss::MeanSquaredError,
            t,
            y,
            weight_sum: None,
            element_loss,
            dt,
        };
        let classes = ClassWeightSum {
            labels,
            class_weights,
            sum,
        };
        let accumulate = AccumulateLoss {
            losses: labels,
            batch: 4,
            weight_sum: None,
            total,
        };
        vec![
            (
                "softmax_cross_entropy",
                network.softmax_cross_entropy(softmax),
            ),
            (
                "softmax_cross_entropy_small",
                network.softmax_cross_entropy_small(small),
            ),
            ("elementwise_loss", network.elementwise_loss(elementwise)),
            (
                "row_weight_sum",
                network.row_weight_sum(RowWeightSum { y, sum }),
            ),
            ("class_weight_sum", network.class_weight_sum(classes)),
            ("accumulate_loss", network.accumulate_loss(accumulate)),
        ]
    }

    fn optimizers(&self) -> Vec<(&'static str, Prepared)> {
        let (network, settings) = (&self.network, &self.settings);
        let [gradients, velocity, parameters, m, v, corrections] = self.vectors();
        let corrections = Vector {
            len: 2,
            ..corrections
        };
        let sgd = Sgd {
            settings,
            gradients,
            velocity,
            parameters,
            verdict: None,
        };
        let adam = Adam {
            settings,
            corrections,
            gradients,
            m,
            v,
            parameters,
            verdict: None,
        };
        let lion = Lion {
            settings,
            gradients,
            m,
            parameters,
            verdict: None,
        };
        vec![
            ("sgd", network.sgd(sgd)),
            (
                "adam_advance",
                network.adam_advance(settings, corrections, None),
            ),
            ("adam", network.adam(adam)),
            ("lion", network.lion(lion)),
        ]
    }

    fn regularization(&self) -> Vec<(&'static str, Prepared)> {
        let network = &self.network;
        let [gradients, sum, x, batches, ..] = self.vectors();
        let batches = Vector { len: 2, ..batches };
        let gradients = GradientSum { gradients, sum };
        let settings = DropoutSettings {
            rate: 0.5,
            seed: 0,
            layer: 0,
        };
        let dropout = Dropout {
            settings,
            batches,
            x,
        };
        vec![
            ("keep_gradients", network.keep_gradients(gradients)),
            ("add_gradients", network.add_gradients(gradients)),
            ("mean_gradients", network.mean_gradients(gradients, 2)),
            ("dropout", network.dropout(dropout)),
            ("dropout_advance", network.dropout_advance(batches)),
        ]
    }

    fn loss_scaling(&self) -> Vec<(&'static str, Prepared)> {
        let network = &self.network;
        let [loss_scale, verdict, x, source, ..] = self.vectors();
        let [loss_scale, verdict] = [loss_scale, verdict].map(|pair| Vector { len: 2, ..pair });
        let copy = CopyScaled {
            loss_scale,
            source,
            x,
        };
        let unscale = UnscaleGradients {
            loss_scale,
            verdict,
            x,
        };
        let next = NextScale {
            scaling: LossScaling::default(),
            loss_scale,
            verdict,
        };
        vec![
            (
                "scale_gradients",
                network.scale_gradients(ScaleGradients { loss_scale, x }),
            ),
            ("copy_scaled", network.copy_scaled(copy)),
            ("unscale_gradients", network.unscale_gradients(unscale)),
            ("next_scale", network.next_scale(next)),
        ]
    }

    fn conversion(&self) -> Prepared {
        let [source, x, ..] = self.vectors();
        let x = x.stored_as(ElementType::F16);
        self.network.convert(Convert { source, x })
    }

    fn others(&self) -> Vec<(&'static str, Prepared)> {
        let (network, function) = (&self.network, Activation::Relu);
        let [t, da, dt, indices, ..] = self.vectors();
        let [data, wanted, x, _, targets, _] = self.matrices();
        let data = Examples::Values(data);
        let result = Vector::new(&self.result, HISTOGRAM_WORDS);
        let forward = ActivationForward { function, t, a: da };
        let grad = ActivationGrad {
            function,
            t,
            da,
            dt,
        };
        let clipping = Vector {
            len: CLIPPING_WORDS,
            ..da
        };
        let norm = GradientNorm {
            gradients: &[t, dt],
            max_norm: 1.0,
            clipping,
        };
        let clip = Clip {
            clipping,
            gradients: t,
        };
        let gather = Gather {
            indices,
            data,
            wanted,
            x,
            targets,
        };
        vec![
            ("activation", network.activation(forward)),
            ("activation_grad", network.activation_grad(grad)),
            ("gradient_norm", network.gradient_norm(norm)),
            ("clip", network.clip(clip)),
            ("gather", network.gather(gather)),
            (
                "histogram",
                network.histogram(HistogramOf { values: t, result }),
            ),
        ]
    }
}
