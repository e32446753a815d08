//! `activation.wgsl`: a = f(t) and dt = da · f′(t), element by element.

use std::borrow::Cow;

use super::elements;
use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Contents, Dispatch, Kernel, Operand, PrepareError, Uniform, Vector, expect_vector,
    file, uniform,
};
use crate::linear::Activation;

/// Operands of [`NetworkKernels::activation`].
#[derive(Clone, Copy, Debug)]
pub struct ActivationForward<'a> {
    /// f.
    pub function: Activation,
    /// t, read.
    pub t: Vector<'a>,
    /// a = f(t), as many elements; overwritten.
    pub a: Vector<'a>,
}

/// Operands of [`NetworkKernels::activation_grad`].
#[derive(Clone, Copy, Debug)]
pub struct ActivationGrad<'a> {
    /// f.
    pub function: Activation,
    /// t, the argument of f in the forward pass; read.
    pub t: Vector<'a>,
    /// da, as many elements; read.
    pub da: Vector<'a>,
    /// dt = da · f′(t), as many elements; overwritten.
    pub dt: Vector<'a>,
}

uniform! {
    /// `Dims` in `activation.wgsl`.
    struct Dims {
        count: u32,
        parameter: f32,
    }
}

fn dims(function: Activation, t: Vector<'_>) -> Contents {
    let dims = Dims {
        count: t.len,
        parameter: function.parameter_value(),
    };
    dims.contents()
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "t"),
    Binding::write(3, "result"),
];

const GRAD_BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    Binding::read(1, "t"),
    Binding::read(2, "da"),
    Binding::write(3, "result"),
];

pub(super) fn activation_kernel(function: Activation) -> Kernel {
    kernel(function, "wgpu_linear::activation", "activation", BINDINGS)
}

pub(super) fn activation_grad_kernel(function: Activation) -> Kernel {
    kernel(
        function,
        "wgpu_linear::activation_grad",
        "activation_grad",
        GRAD_BINDINGS,
    )
}

fn kernel(
    function: Activation,
    label: &'static str,
    entry_point: &'static str,
    bindings: &'static [Binding],
) -> Kernel {
    Kernel {
        variant: Cow::Borrowed(function.name()),
        choices: Cow::Owned(vec![function.file()]),
        ..elements::kernel(label, (file!("activation.wgsl"), entry_point), bindings)
    }
}

impl NetworkKernels {
    /// a = f(t), element by element; formulas in `shaders/parts/activations/`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn activation(&self, operands: ActivationForward<'_>) -> Result<Dispatch, PrepareError> {
        let ActivationForward { function, t, a } = operands;
        let kernel = activation_kernel(function);
        expect_vector(kernel.label, "a", a, t.len)?;
        let operands = [Operand::vector("t", t), Operand::vector("a", a)];
        self.elementwise(&kernel, dims(function, t), &operands, u64::from(t.len))
    }

    /// dt = da · f′(t), element by element.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn activation_grad(&self, operands: ActivationGrad<'_>) -> Result<Dispatch, PrepareError> {
        let ActivationGrad {
            function,
            t,
            da,
            dt,
        } = operands;
        let kernel = activation_grad_kernel(function);
        expect_vector(kernel.label, "da", da, t.len)?;
        expect_vector(kernel.label, "dt", dt, t.len)?;
        let operands = [
            Operand::vector("t", t),
            Operand::vector("da", da),
            Operand::vector("dt", dt),
        ];
        self.elementwise(&kernel, dims(function, t), &operands, u64::from(t.len))
    }
}
