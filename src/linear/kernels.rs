//! The kernels of the four operations: file, entry point, constants and bindings.

use crate::kernel::{Access, Binding, Kernel};
use crate::shader::Constant;

const DIMS: Binding = Binding::new(0, "dims", Access::Uniform);
const LEFT: Binding = Binding::new(1, "left", Access::Read);
const RIGHT: Binding = Binding::new(2, "right", Access::Read);
const BIAS: Binding = Binding::new(3, "bias", Access::Read);
const PRODUCT: Binding = Binding::new(4, "product", Access::ReadWrite);

const fn matmul_tiled(
    label: &'static str,
    entry_point: &'static str,
    constants: &'static [(&'static str, Constant)],
    bindings: &'static [Binding],
) -> Kernel {
    let file = "matmul_tiled.wgsl";
    let source = include_str!("../../shaders/matmul_tiled.wgsl");
    Kernel {
        label,
        file,
        source,
        entry_point,
        constants,
        bindings,
    }
}

pub(crate) const FORWARD: Kernel = matmul_tiled(
    "wgpu_linear::forward",
    "forward",
    &[],
    &[DIMS, LEFT, RIGHT, BIAS, PRODUCT],
);

pub(crate) const FORWARD_WITHOUT_BIAS: Kernel = matmul_tiled(
    "wgpu_linear::forward_without_bias",
    "forward_without_bias",
    &[],
    &[DIMS, LEFT, RIGHT, PRODUCT],
);

pub(crate) const INPUT_GRAD: Kernel = matmul_tiled(
    "wgpu_linear::input_grad",
    "input_grad",
    &[("RIGHT_IS_TRANSPOSED", Constant::Bool(true))],
    &[DIMS, LEFT, RIGHT, PRODUCT],
);

pub(crate) const WEIGHT_GRAD: Kernel = matmul_tiled(
    "wgpu_linear::weight_grad",
    "weight_grad",
    &[("LEFT_IS_TRANSPOSED", Constant::Bool(true))],
    &[DIMS, LEFT, RIGHT, PRODUCT],
);

pub(crate) const BIAS_GRAD: Kernel = Kernel {
    label: "wgpu_linear::bias_grad",
    file: "sum_rows.wgsl",
    source: include_str!("../../shaders/sum_rows.wgsl"),
    entry_point: "sum_rows",
    constants: &[],
    bindings: &[
        DIMS,
        Binding::new(1, "dt", Access::Read),
        Binding::new(2, "db", Access::ReadWrite),
    ],
};

/// All of them, for [`crate::kernels`].
pub(crate) const ALL: [Kernel; 5] = [
    FORWARD,
    FORWARD_WITHOUT_BIAS,
    INPUT_GRAD,
    WEIGHT_GRAD,
    BIAS_GRAD,
];
