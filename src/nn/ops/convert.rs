//! `convert.wgsl`: the same numbers, stored as another type.

use std::borrow::Cow;

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Constant, Contents, Dispatch, ElementType, Kernel, Operand, PrepareError, Probe,
    Uniform, Vector, Wanted, expect_vector, file, quarters, uniform,
};

uniform! {
    /// `Dims` in `convert.wgsl`.
    struct Dims {
        count: u32,
    }
}

const CONVERT: Kernel = elements::kernel(
    "wgpu_linear::convert",
    (file!("convert.wgsl"), "convert"),
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "source"),
        Binding::write(2, "x"),
    ],
);

/// Both ways.
pub(super) fn kernels() -> [Kernel; 2] {
    [ElementType::F16, ElementType::F32].map(kernel)
}

/// Operands of [`NetworkKernels::convert`].
#[derive(Clone, Copy, Debug)]
pub struct Convert<'a> {
    /// The numbers, of f32 or f16; read.
    pub source: Vector<'a>,
    /// x, as many elements of the other type; overwritten.
    pub x: Vector<'a>,
}

impl NetworkKernels {
    /// x = source, stored as another type.
    ///
    /// From f16 to f32 it is exact, infinities and NaN included. From f32 to f16 it rounds to a
    /// neighbour, ±2⁻¹⁰ at most or ±2⁻²⁴ where that is more; past 65,504 come infinities, or 65,504
    /// where the device rounds towards zero. `docs/PRECISION.md` has the bounds. Its twin is
    /// [`reference::convert`](crate::reference::convert).
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`]; [`PrepareError::ElementType`] where both are of one
    /// type, and [`PrepareError::Feature`] where the device has no f16.
    pub fn convert(&self, operands: Convert<'_>) -> Result<Dispatch, PrepareError> {
        let Convert { source, x } = operands;
        expect_vector(CONVERT.label, "x", x, source.len)?;
        let to = other(source.element);
        if x.element != to {
            return Err(PrepareError::ElementType {
                operation: CONVERT.label,
                operand: "x",
                expected: to,
                actual: x.element,
            });
        }
        let operands = [
            Operand::vector("source", source).of_any_type(),
            Operand::vector("x", x).of_any_type(),
        ];
        let (dims, elements) = (dims(x.len), u64::from(x.len));
        self.elementwise(&kernel(to), dims, &operands, elements, &|| probe(to))
    }
}

const fn other(element: ElementType) -> ElementType {
    match element {
        ElementType::F32 => ElementType::F16,
        ElementType::F16 => ElementType::F32,
    }
}

/// From the other type to this one.
fn kernel(to: ElementType) -> Kernel {
    let types = [
        ("From", Constant::Type(other(to))),
        ("To", Constant::Type(to)),
    ];
    Kernel {
        variant: Cow::Owned(format!("to_{to}")),
        constants: Cow::Owned([elements::CONSTANTS, &types].concat()),
        ..CONVERT
    }
}

fn dims(count: u32) -> Contents {
    Dims { count }.contents()
}

/// Numbers that both types have.
fn probe(to: ElementType) -> Probe {
    let values = quarters(1, PROBED);
    let wanted = Wanted::exactly(values.iter().copied().map(f64::from));
    Probe::new(dims(PROBED as u32), PROBED_WORKGROUPS)
        .reads_as(other(to), &values)
        .writes(wanted.stored_as(to))
}
