//! Cases of dropout, which drops the same elements everywhere.

use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::kernel::ElementType;
use crate::model::DropoutSettings;
use crate::nn::Dropout;
use crate::reference;

pub(super) fn cases(has_f16: bool) -> Vec<Case> {
    // A part of a workgroup, and several, the last thread of which has one element.
    let case = |len: usize, element: ElementType| {
        let name = CheckName {
            operation: "dropout",
            shape: len.to_string(),
            variant: match element {
                ElementType::F32 => String::new(),
                other => other.to_string(),
            },
        };
        Case::new(name, move |kernels| dropout(len, element, kernels))
    };
    let types = [ElementType::F32, ElementType::F16];
    let types = types.into_iter().take(1 + usize::from(has_f16));
    types
        .flat_map(|element| [1, 3005].map(|len| case(len, element)))
        .collect()
}

/// What element 2339 of the first batch draws: it stays.
const DRAWN: u32 = 0x5636_5c00;

/// Two batches, between which the lower word of their number overflows. The product of a power of
/// two is exact, so nothing may differ.
fn dropout(len: usize, element: ElementType, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
    let settings = DropoutSettings {
        rate: DRAWN as f32 / 2.0_f32.powi(32),
        seed: 0x0123_4567_89ab_cdef,
        layer: 5,
    };
    let first = (7 << 32) - 1;
    let values: Vec<f32> = (0..len)
        .map(|i| 2.0_f32.powi(i as i32 % 9 - 4) * if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let mut operands = Operands::default();
    let number = operands.updated_words([first as u32, (first >> 32) as u32]);
    let places = [0; 2].map(|_| operands.updated_as(element, &values));
    let mut expected = vec![Expected::words("batches", number, [1, 7])];
    for (place, batch) in places.into_iter().zip(first..) {
        let mut x = values.clone();
        reference::dropout(settings, batch, &mut x);
        expected.push(Expected::exactly("x", place, x.into_iter().map(f64::from)));
    }
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let batches = on.vector(number);
        let [first, second] = places.map(|place| {
            kernels.network.dropout(Dropout {
                settings,
                batches,
                x: on.vector(place),
            })
        });
        let advance = kernels.network.dropout_advance(batches)?;
        Ok(vec![first?, advance.clone(), second?, advance])
    })
}
