//! A device for those who have none: adapter, buffers and the way back to the host.

mod adapter;
mod error;
mod gpu;
mod mapped;
mod matrix_units;
mod patience;
mod readback;
mod requirements;

pub use adapter::{AdapterChoice, GpuOptions};
pub use error::GpuError;
pub use gpu::{Element, Gpu};
pub use matrix_units::MatrixUnits;
pub use requirements::{Lack, Requirements, SurveyedLimit};
