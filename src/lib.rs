#![cfg_attr(feature = "gpu", doc = include_str!("../docs/CRATE.md"))]
#![cfg_attr(
    not(feature = "gpu"),
    doc = "TensorBoard event files: [`events`]. Without the feature `gpu`, nothing else."
)]

#[cfg(feature = "gpu")]
pub use {ndarray, wgpu};

pub mod events;
#[cfg(feature = "gpu")]
pub mod linear;
#[cfg(feature = "gpu")]
pub mod model;
#[cfg(feature = "gpu")]
pub mod nn;
#[cfg(feature = "gpu")]
pub mod reference;
#[cfg(feature = "gpu")]
pub mod shader;
#[cfg(feature = "gpu")]
pub mod train;

#[cfg(feature = "gpu")]
mod adapter;
#[cfg(feature = "gpu")]
mod cache;
#[cfg(feature = "gpu")]
mod dispatch;
#[cfg(feature = "gpu")]
mod error;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "gpu")]
mod guard;
#[cfg(feature = "gpu")]
mod kernel;
#[cfg(feature = "gpu")]
mod operand;
#[cfg(feature = "gpu")]
mod readback;
#[cfg(feature = "gpu")]
mod view;

#[cfg(feature = "gpu")]
pub use adapter::{AdapterChoice, GpuOptions};
#[cfg(feature = "gpu")]
pub use cache::ShaderChecks;
#[cfg(feature = "gpu")]
pub use dispatch::Dispatch;
#[cfg(feature = "gpu")]
pub use error::{GpuError, PrepareError};
#[cfg(feature = "gpu")]
pub use gpu::{Element, Gpu};
#[cfg(feature = "gpu")]
pub use kernel::{Access, Binding, Kernel};
#[cfg(feature = "gpu")]
pub use linear::{
    BiasGrad, Forward, ForwardActivated, InputGrad, InputGradActivated, LinearKernels, WeightGrad,
};
#[cfg(feature = "gpu")]
pub use view::{Matrix, Vector};

/// Every kernel of the crate as it is compiled, so that you can read, count or translate what runs on your GPU.
///
/// ```
/// for kernel in wgpu_linear::kernels() {
///     println!("{} is `{}` in shaders/{}", kernel.label, kernel.entry_point, kernel.file());
/// }
/// ```
#[cfg(feature = "gpu")]
pub fn kernels() -> impl Iterator<Item = Kernel> {
    linear::kernels().into_iter().chain(nn::KERNELS)
}
