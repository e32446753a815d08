//! Whether this adapter computes right: its kernels against their twins, and what it reaches at
//! most.

mod accumulation;
mod activations;
mod bounds;
mod buffers;
mod case;
mod cases;
mod ceilings;
mod clipping;
mod convert;
mod cross_entropy;
mod dropout;
#[cfg(test)]
mod first_use_tests;
mod layer;
mod linear;
mod loss_scale;
mod losses;
#[cfg(test)]
mod mutants;
mod operands;
mod optimizers;
mod outcome;
mod quantised;
#[cfg(test)]
mod tests;
mod totals;
mod training;

pub use cases::{selfcheck, selfcheck_of};
pub use ceilings::{Ceiling, CeilingOf, Peaks, ceilings, peaks};
pub use outcome::{Check, CheckError, CheckName, SelfCheck, Verdict, Wrong};
pub use training::{TrainingErrors, training, update_error};
