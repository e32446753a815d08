//! The kernels around the linear layer: file, entry point, constants and bindings.

use std::borrow::Cow;

use crate::events::Histogram;
use crate::kernel::{Access, Binding, Kernel};
use crate::model::Activation;
use crate::shader::{Constant, file};

const DIMS: Binding = Binding::new(0, "dims", Access::Uniform);
const SETTINGS: Binding = Binding::new(1, "settings", Access::Uniform);

const ACTIVATION_BINDINGS: &[Binding] = &[
    DIMS,
    Binding::new(1, "t", Access::Read),
    Binding::new(3, "result", Access::ReadWrite),
];
const ACTIVATION_GRAD_BINDINGS: &[Binding] = &[
    DIMS,
    Binding::new(1, "t", Access::Read),
    Binding::new(2, "da", Access::Read),
    Binding::new(3, "result", Access::ReadWrite),
];

const fn activation_kernel(
    label: &'static str,
    entry_point: &'static str,
    bindings: &'static [Binding],
    constants: &'static [(&'static str, Constant)],
) -> Kernel {
    Kernel {
        label,
        files: Cow::Borrowed(&[
            file!("activation.wgsl"),
            file!("parts/activation_functions.wgsl"),
        ]),
        entry_point,
        constants: Cow::Borrowed(constants),
        bindings,
        trusted: false,
    }
}

/// `KIND` in the shaders, one entry per activation.
const KINDS: [&[(&str, Constant)]; 6] = [
    &[("KIND", Constant::U32(0))],
    &[("KIND", Constant::U32(1))],
    &[("KIND", Constant::U32(2))],
    &[("KIND", Constant::U32(3))],
    &[("KIND", Constant::U32(4))],
    &[("KIND", Constant::U32(5))],
];

pub(super) const fn activation(activation: Activation) -> Kernel {
    let constants = KINDS[activation.kind() as usize];
    activation_kernel(
        "wgpu_linear::activation",
        "activation",
        ACTIVATION_BINDINGS,
        constants,
    )
}

pub(super) const fn activation_grad(activation: Activation) -> Kernel {
    let constants = KINDS[activation.kind() as usize];
    activation_kernel(
        "wgpu_linear::activation_grad",
        "activation_grad",
        ACTIVATION_GRAD_BINDINGS,
        constants,
    )
}

pub(super) const SOFTMAX_CROSS_ENTROPY: Kernel = Kernel {
    label: "wgpu_linear::softmax_cross_entropy",
    files: Cow::Borrowed(&[file!("softmax_cross_entropy.wgsl")]),
    entry_point: "softmax_cross_entropy",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        DIMS,
        Binding::new(1, "t", Access::Read),
        Binding::new(2, "labels", Access::Read),
        Binding::new(3, "row_loss", Access::ReadWrite),
        Binding::new(4, "dt", Access::ReadWrite),
    ],
    trusted: false,
};

pub(super) const SOFTMAX_CROSS_ENTROPY_SMALL: Kernel = Kernel {
    label: "wgpu_linear::softmax_cross_entropy_small",
    files: Cow::Borrowed(&[file!("softmax_cross_entropy_small.wgsl")]),
    entry_point: "softmax_cross_entropy_small",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        DIMS,
        Binding::new(1, "t", Access::Read),
        Binding::new(2, "labels", Access::Read),
        Binding::new(3, "dt", Access::ReadWrite),
        Binding::new(4, "total", Access::ReadWrite),
    ],
    trusted: false,
};

pub(super) const MEAN_SQUARED_ERROR: Kernel = Kernel {
    label: "wgpu_linear::mean_squared_error",
    files: Cow::Borrowed(&[file!("mean_squared_error.wgsl")]),
    entry_point: "mean_squared_error",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        DIMS,
        Binding::new(1, "t", Access::Read),
        Binding::new(2, "y", Access::Read),
        Binding::new(3, "element_loss", Access::ReadWrite),
        Binding::new(4, "dt", Access::ReadWrite),
    ],
    trusted: false,
};

pub(super) const ACCUMULATE_LOSS: Kernel = Kernel {
    label: "wgpu_linear::accumulate_loss",
    files: Cow::Borrowed(&[file!("accumulate_loss.wgsl")]),
    entry_point: "accumulate_loss",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        DIMS,
        Binding::new(1, "losses", Access::Read),
        Binding::new(2, "total", Access::ReadWrite),
    ],
    trusted: false,
};

pub(super) const SGD: Kernel = Kernel {
    label: "wgpu_linear::sgd",
    files: Cow::Borrowed(&[file!("sgd.wgsl")]),
    entry_point: "sgd",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        DIMS,
        SETTINGS,
        Binding::new(2, "gradients", Access::Read),
        Binding::new(3, "velocity", Access::ReadWrite),
        Binding::new(4, "parameters", Access::ReadWrite),
    ],
    trusted: false,
};

pub(super) const ADAM_ADVANCE: Kernel = Kernel {
    label: "wgpu_linear::adam_advance",
    files: Cow::Borrowed(&[file!("adam.wgsl")]),
    entry_point: "adam_advance",
    constants: Cow::Borrowed(&[]),
    bindings: &[SETTINGS, Binding::new(2, "corrections", Access::ReadWrite)],
    trusted: false,
};

pub(super) const ADAM: Kernel = Kernel {
    label: "wgpu_linear::adam",
    files: Cow::Borrowed(&[file!("adam.wgsl")]),
    entry_point: "adam",
    constants: Cow::Borrowed(&[]),
    bindings: &[
        DIMS,
        SETTINGS,
        Binding::new(2, "corrections", Access::ReadWrite),
        Binding::new(3, "gradients", Access::Read),
        Binding::new(4, "m", Access::ReadWrite),
        Binding::new(5, "v", Access::ReadWrite),
        Binding::new(6, "parameters", Access::ReadWrite),
    ],
    trusted: false,
};

const GATHER_BINDINGS: &[Binding] = &[
    DIMS,
    // One upload holds the indices of many batches.
    Binding::dynamic(1, "indices", Access::Read),
    Binding::new(2, "data", Access::Read),
    Binding::new(3, "wanted", Access::Read),
    Binding::new(4, "x", Access::ReadWrite),
    Binding::new(5, "targets", Access::ReadWrite),
];

const fn gather_kernel(
    label: &'static str,
    constants: &'static [(&'static str, Constant)],
) -> Kernel {
    Kernel {
        label,
        files: Cow::Borrowed(&[file!("gather.wgsl")]),
        entry_point: "gather",
        constants: Cow::Borrowed(constants),
        bindings: GATHER_BINDINGS,
        trusted: false,
    }
}

pub(super) const GATHER: Kernel = gather_kernel("wgpu_linear::gather", &[]);

pub(super) const GATHER_BYTES: Kernel = gather_kernel(
    "wgpu_linear::gather_bytes",
    &[("BYTES", Constant::Bool(true))],
);

/// As many buckets as the host knows.
const HISTOGRAM_CONSTANTS: &[(&str, Constant)] =
    &[("BUCKETS", Constant::U32(Histogram::BUCKETS as u32))];

pub(super) const HISTOGRAM: Kernel = Kernel {
    label: "wgpu_linear::histogram",
    files: Cow::Borrowed(&[file!("histogram.wgsl"), file!("parts/histogram.wgsl")]),
    entry_point: "histogram",
    constants: Cow::Borrowed(HISTOGRAM_CONSTANTS),
    bindings: &[
        DIMS,
        Binding::new(1, "inner_edges", Access::Read),
        Binding::new(2, "values", Access::Read),
        Binding::new(3, "slabs", Access::ReadWrite),
    ],
    trusted: false,
};

pub(super) const MERGE_HISTOGRAMS: Kernel = Kernel {
    label: "wgpu_linear::merge_histograms",
    files: Cow::Borrowed(&[
        file!("merge_histograms.wgsl"),
        file!("parts/histogram.wgsl"),
    ]),
    entry_point: "merge_histograms",
    constants: Cow::Borrowed(HISTOGRAM_CONSTANTS),
    bindings: &[
        DIMS,
        Binding::new(1, "slabs", Access::Read),
        Binding::new(2, "result", Access::ReadWrite),
    ],
    trusted: false,
};

/// All of them, for [`crate::kernels`].
pub(crate) const ALL: [Kernel; 23] = [
    activation(Activation::Identity),
    activation(Activation::Relu),
    activation(Activation::LeakyRelu { slope: 0.0 }),
    activation(Activation::Tanh),
    activation(Activation::Sigmoid),
    activation(Activation::Gelu),
    activation_grad(Activation::Identity),
    activation_grad(Activation::Relu),
    activation_grad(Activation::LeakyRelu { slope: 0.0 }),
    activation_grad(Activation::Tanh),
    activation_grad(Activation::Sigmoid),
    activation_grad(Activation::Gelu),
    SOFTMAX_CROSS_ENTROPY,
    SOFTMAX_CROSS_ENTROPY_SMALL,
    MEAN_SQUARED_ERROR,
    ACCUMULATE_LOSS,
    SGD,
    ADAM_ADVANCE,
    ADAM,
    GATHER,
    GATHER_BYTES,
    HISTOGRAM,
    MERGE_HISTOGRAMS,
];
