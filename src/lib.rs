#![doc = include_str!("../docs/CRATE.md")]

pub use {half, ndarray, wgpu};

// Checking waits for the device; a browser does not allow it.
#[cfg(not(target_arch = "wasm32"))]
pub mod check;
#[cfg(any(feature = "checkpoint", feature = "onnx"))]
pub mod exchange;
pub mod kernel;
pub mod linear;
pub mod model;
pub mod nn;
pub mod reference;
pub mod train;

mod device;
mod time;

#[cfg(not(target_arch = "wasm32"))]
pub use check::selfcheck;
pub use device::{
    AdapterChoice, Element, Gpu, GpuError, GpuOptions, Lack, MatrixUnits, Requirements,
    SurveyedLimit,
};
pub use kernel::{Access, Binding, Dispatch, Kernel, Matrix, PrepareError, ShaderChecks, Vector};
pub use linear::{
    BiasGrad, Forward, ForwardActivated, ForwardInference, ForwardQuantised, InputGrad,
    InputGradActivated, LinearKernels, WeightGrad,
};
/// TensorBoard event files, written and read: the crate `tfevents`, which knows nothing of GPUs.
#[doc(inline)]
pub use tfevents as events;

/// Every kernel of the crate as it is compiled, so that you can read, count or translate what runs
/// on your GPU.
///
/// ```
/// for kernel in wgpu_linear::kernels() {
///     println!("{} is `{}` in shaders/{}", kernel.name(), kernel.entry_point, kernel.file.name);
/// }
/// ```
pub fn kernels() -> impl Iterator<Item = Kernel> {
    linear::kernels().into_iter().chain(nn::kernels())
}

// Compiles the programs of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
#[cfg(doctest)]
#[doc = include_str!("../docs/PRECISION.md")]
mod precision {}
