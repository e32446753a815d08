//! What share of the multiply-adds of its matrix units a kernel can reach at most.

use crate::executed::{Executed, Step};
use crate::program::Kind;

/// A quarter of a multiprocessor of NVIDIA, or a SIMD of AMD.
struct Units {
    /// Multiply-adds of f16 into f32 in a clock.
    multiply_adds: f64,
    /// What other instructions cost them.
    others: Others,
}

enum Others {
    /// Vector instructions, of 64 threads by 32 at a time, go the same way and take two clocks.
    InTurn,
    /// Any instruction is issued in a clock, and the units multiply meanwhile.
    Beside,
}

/// By the white papers of the architectures: 256 multiply-adds a compute unit of two SIMDs on RDNA 3
/// (512 operations), 512 on RDNA 4; 256 a multiprocessor of four quarters on GeForce of Turing,
/// Ampere and Ada, which add into f32 at half the rate.
fn of(device: &str) -> Option<Units> {
    let units = |multiply_adds, others| {
        Some(Units {
            multiply_adds,
            others,
        })
    };
    match device {
        "navi31" => units(128.0, Others::InTurn),
        "gfx1201" => units(256.0, Others::InTurn),
        "nv162" | "nv172" | "nv192" => units(64.0, Others::Beside),
        _ => None,
    }
}

/// In percent, where everything that is loaded is there in time and the kernel has so many
/// instructions in 16 terms. `None` where it multiplies no matrices.
pub(crate) fn share(device: &str, step: Option<Step>, executed: &Executed) -> Option<f64> {
    let units = of(device).filter(|_| executed.count(Kind::MatrixMultiply) > 0.0)?;
    let multiplying = step?.multiply_adds_of_subgroup() / units.multiply_adds;
    let all = match units.others {
        Others::InTurn => multiplying + 2.0 * executed.count(Kind::Vector),
        Others::Beside => multiplying.max(executed.total()),
    };
    Some(100.0 * multiplying / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::tests::program;

    /// A subgroup of 64 × 64 sums: 512 clocks on RDNA 3, 1,024 on NVIDIA.
    #[test]
    fn vector_instructions_cost_amd_and_not_nvidia() {
        let looped = program(&[
            (&[], &[1]),
            (
                &[
                    (Kind::MatrixMultiply, 16),
                    (Kind::Vector, 64),
                    (Kind::Barrier, 2),
                ],
                &[1, 2],
            ),
            (&[], &[]),
        ]);
        let step = Step {
            terms: 16.0,
            multiply_adds: 1024.0,
            bytes: 32.0,
            threads: 256.0,
        };
        let executed = Executed::of(&looped, Some(step));
        let share = |device| share(device, Some(step), &executed);
        assert_eq!(share("navi31"), Some(80.0));
        assert_eq!(share("nv172"), Some(100.0));
        assert_eq!(share("m1"), None);
    }
}
