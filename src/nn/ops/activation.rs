//! `activation.wgsl`: a = f(t) and dt = da · f′(t), element by element.

use std::borrow::Cow;

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Contents, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_vector, file, quarters, uniform,
};
use crate::linear::{Activation, derivative, value};

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

fn dims(function: Activation, count: u32) -> Contents {
    let dims = Dims {
        count,
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
        let probe = || probe(function);
        let (dims, elements) = (dims(function, t.len), u64::from(t.len));
        self.elementwise(&kernel, dims, &operands, elements, &probe)
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
        let probe = || grad_probe(function);
        let (dims, elements) = (dims(function, t.len), u64::from(t.len));
        self.elementwise(&kernel, dims, &operands, elements, &probe)
    }
}

fn probe(function: Activation) -> Probe {
    let function = function.with_mild_parameter();
    let t = quarters(1, PROBED);
    let a = t.iter().map(|t| value(function, f64::from(*t)));
    Probe::new(dims(function, PROBED as u32), PROBED_WORKGROUPS)
        .reads(&t)
        .writes(Wanted::near(a))
}

fn grad_probe(function: Activation) -> Probe {
    let function = function.with_mild_parameter();
    let [t, da] = [1, 2].map(|seed| quarters(seed, PROBED));
    let slope = |(t, da): (&f32, &f32)| f64::from(*da) * derivative(function, f64::from(*t));
    let dt = t.iter().zip(&da).map(slope);
    Probe::new(dims(function, PROBED as u32), PROBED_WORKGROUPS)
        .reads(&t)
        .reads(&da)
        .writes(Wanted::near(dt))
}
