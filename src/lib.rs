#![doc = include_str!("../docs/CRATE.md")]

pub use {ndarray, wgpu};

pub mod linear;
pub mod model;
pub mod nn;
pub mod reference;
pub mod shader;
pub mod train;

mod adapter;
mod cache;
mod dispatch;
mod error;
mod gpu;
mod guard;
mod kernel;
mod operand;
mod readback;
mod view;

pub use adapter::{AdapterChoice, GpuOptions};
pub use cache::ShaderChecks;
pub use dispatch::Dispatch;
pub use error::{GpuError, PrepareError};
pub use gpu::{Element, Gpu};
pub use kernel::{Access, Binding, Kernel};
pub use linear::{
    BiasGrad, Forward, ForwardActivated, InputGrad, InputGradActivated, LinearKernels, WeightGrad,
};
/// TensorBoard event files, written and read: the crate `tfevents`, which knows nothing of GPUs.
#[doc(inline)]
pub use tfevents as events;
pub use view::{Matrix, Vector};

/// Every kernel of the crate as it is compiled, so that you can read, count or translate what runs on your GPU.
///
/// ```
/// for kernel in wgpu_linear::kernels() {
///     println!("{} is `{}` in shaders/{}", kernel.label, kernel.entry_point, kernel.file());
/// }
/// ```
pub fn kernels() -> impl Iterator<Item = Kernel> {
    linear::kernels().into_iter().chain(nn::KERNELS)
}
