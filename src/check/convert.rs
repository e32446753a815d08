//! Cases of conversion between f32 and f16, both ways.

use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::kernel::ElementType;
use crate::nn::Convert;
use crate::reference;

/// Where the adapter has f16: one number, and several workgroups, the last of them with a part.
pub(super) fn cases(has_f16: bool) -> Vec<Case> {
    let case = |[from, to]: [ElementType; 2], len: usize| {
        let name = CheckName {
            operation: "convert",
            shape: len.to_string(),
            variant: format!("{from} to {to}"),
        };
        Case::new(name, move |kernels| convert([from, to], len, kernels))
    };
    let ways = match has_f16 {
        true => vec![[F32, F16], [F16, F32]],
        false => Vec::new(),
    };
    let ways = ways.into_iter();
    ways.flat_map(|way| [1, 1001].map(|len| case(way, len)))
        .collect()
}

const F32: ElementType = ElementType::F32;
const F16: ElementType = ElementType::F16;

/// All magnitudes that f16 has but subnormal ones, which a device may flush: some of 11 bits, which
/// are exact either way, and some of 24.
fn numbers(len: usize) -> impl Iterator<Item = f32> {
    (0..len).map(|i| {
        let digits = match i % 3 {
            2 => 1.0 / 1024.0 + 1.0 / 8192.0,
            other => other as f32 / 1024.0,
        };
        let size = (1.0 + digits) * 2.0_f32.powi(15 - i as i32 % 30);
        if i % 2 == 0 { size } else { -size }
    })
}

fn convert(
    [from, to]: [ElementType; 2],
    len: usize,
    kernels: &Kernels<'_>,
) -> Result<Work, Trouble> {
    let values = reference::convert(from, &numbers(len).collect::<Vec<_>>());
    let mut operands = Operands::default();
    let source = operands.input_as(from, &values);
    let x = operands.output_as(to, len);
    // What f16 does not have may be rounded either way.
    let expected = Expected::exactly("x", x, values.into_iter().map(f64::from));
    Work::new(kernels.gpu, operands, vec![expected], |on: &Uploaded| {
        let (source, x) = (on.vector(source), on.vector(x));
        Ok(vec![kernels.network.convert(Convert { source, x })?])
    })
}
