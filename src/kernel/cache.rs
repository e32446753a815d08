//! Kernels compiled when first needed and kept, and dispatches made of them.

mod buffers;
mod compiled;
mod try_out;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::compile::Compiled;
use super::dispatch::{Dispatch, Grid, fold};
use super::estimate::Speed;
#[cfg(test)]
use super::fault::Fault;
#[cfg(not(target_arch = "wasm32"))]
use super::first_use::FirstUse;
use super::guard::{Failure, create};
use super::operand::{Operand, check_operands};
use super::owner::is_foreign;
#[cfg(not(target_arch = "wasm32"))]
use super::pipelines::Pipelines;
use super::probe::Probe;
use super::software::{has_wide_loads, loop_iterations};
use super::uniform::Contents;
use super::{Access, Kernel, PrepareError, ShaderChecks, SourceError};

/// Compiles kernels on first use and turns them into dispatches. Shared by several threads without
/// further care.
#[derive(Debug)]
pub(crate) struct KernelCache {
    device: wgpu::Device,
    limits: wgpu::Limits,
    speed: Speed,
    checks: ShaderChecks,
    wide_loads: bool,
    features: wgpu::Features,
    #[cfg(not(target_arch = "wasm32"))]
    pipelines: Option<Pipelines>,
    /// What is known of the kernels of the device; `None` where they are taken as they are.
    #[cfg(not(target_arch = "wasm32"))]
    first_use: Option<Arc<FirstUse>>,
    /// A lock for each kernel, so that several are compiled side by side, and none of them twice.
    compiled: Mutex<HashMap<Arc<Kernel>, Arc<Slot>>>,
    /// Bound in place of operands that are absent or without elements, which WebGPU does not allow
    /// to be bound. One for each binding, since what is written must not be bound twice. Made when
    /// first needed: where there was no memory for one, there may be some the next time.
    placeholders: OnceLock<[wgpu::Buffer; MOST_BINDINGS]>,
    /// What goes wrong on purpose.
    #[cfg(test)]
    fault: Option<Fault>,
}

/// A kernel, once it has been compiled.
type Slot = Mutex<Option<Compiled>>;

/// More than any kernel has.
const MOST_BINDINGS: usize = 8;

impl KernelCache {
    pub(crate) fn new(device: &wgpu::Device, checks: ShaderChecks) -> Self {
        let info = device.adapter_info();
        Self {
            device: device.clone(),
            limits: device.limits(),
            speed: Speed::of(info.device_type, loop_iterations(&info)),
            checks: checks.or_from_env(),
            wide_loads: has_wide_loads(device),
            features: device.features(),
            #[cfg(not(target_arch = "wasm32"))]
            pipelines: None,
            #[cfg(not(target_arch = "wasm32"))]
            first_use: None,
            compiled: Mutex::default(),
            placeholders: OnceLock::new(),
            #[cfg(test)]
            fault: None,
        }
    }

    /// The same with a kernel that goes wrong.
    #[cfg(test)]
    pub(crate) fn with_fault(self, fault: Option<Fault>) -> Self {
        let checks = fault.map_or(self.checks, |fault| fault.checks.or_from_env());
        Self {
            fault,
            checks,
            ..self
        }
    }

    /// The same, compiling with what `pipelines` hold and adding to them.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn with_pipelines(self, pipelines: Option<Pipelines>) -> Self {
        Self { pipelines, ..self }
    }

    /// The same, running each kernel once before it is used.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn with_first_use(self, first_use: Option<Arc<FirstUse>>) -> Self {
        Self { first_use, ..self }
    }

    pub(crate) fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// Whether kernels had better load two elements as one word of 64 bits.
    pub(crate) fn has_wide_loads(&self) -> bool {
        self.wide_loads
    }

    /// Elements that `lanes` threads of a workgroup may go through in each of so many loops: a
    /// power of two.
    pub(crate) fn loop_elements(&self, lanes: u32, loops: u32) -> u32 {
        let iterations = loop_iterations(&self.device.adapter_info());
        let power = iterations.map_or(31, |iterations| (iterations / loops * lanes).ilog2());
        1 << power
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.device
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn checks(&self) -> ShaderChecks {
        self.checks
    }

    /// The names of kernels that compute wrong results on the device, as far as is known.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn condemned(&self) -> Vec<String> {
        let condemned = self.first_use.as_ref().map(|known| known.condemned());
        let names = condemned.into_iter().flatten().map(|(name, _)| name);
        names.collect()
    }

    /// Where nothing can be waited for, nothing is known.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn condemned(&self) -> Vec<String> {
        Vec::new()
    }

    /// How long a dispatch takes that moves so many bytes, in ns.
    pub(crate) fn moving(&self, bytes: u64) -> f64 {
        self.speed.moving(bytes)
    }

    /// Checks the operands, then binds them once for each of `passes`, whose contents become the
    /// uniform at binding 0; `operands` fill the remaining bindings in order. No workgroups means
    /// no work: a dispatch that records nothing.
    pub(crate) fn prepare(
        &self,
        kernel: &Kernel,
        passes: &[Contents],
        operands: &[Operand<'_>],
        workgroups: u64,
        probe: &dyn Fn() -> Probe,
    ) -> Result<Dispatch, PrepareError> {
        check_operands(kernel.label, &kernel.bindings[1..], operands, &self.limits)?;
        self.grids(kernel, passes.iter().map(Some), operands, workgroups, probe)
    }

    /// [`Self::prepare`] for a kernel without sizes: `operands` fill all bindings.
    pub(crate) fn prepare_without_dims(
        &self,
        kernel: &Kernel,
        operands: &[Operand<'_>],
        workgroups: u64,
        probe: &dyn Fn() -> Probe,
    ) -> Result<Dispatch, PrepareError> {
        check_operands(kernel.label, kernel.bindings, operands, &self.limits)?;
        self.grids(kernel, [None], operands, workgroups, probe)
    }

    fn grids<'c>(
        &self,
        kernel: &Kernel,
        passes: impl IntoIterator<Item = Option<&'c Contents>>,
        operands: &[Operand<'_>],
        workgroups: u64,
        probe: &dyn Fn() -> Probe,
    ) -> Result<Dispatch, PrepareError> {
        let mut grids = Vec::new();
        if workgroups > 0 {
            let operands: Vec<_> = operands.iter().copied().map(Some).collect();
            for dims in passes {
                grids.push(self.grid(kernel, dims, &operands, [workgroups, 1], probe)?);
            }
        }
        let label = kernel.label;
        Ok(Dispatch { label, grids })
    }

    /// One dispatch of operands that have been checked; `None` for those that the kernel does not
    /// use. `workgroups` are folded into x and y, `layers` go into z. `probe` shows whether the
    /// kernel is right, where it has not been used on this device before. The estimate is that of
    /// moving all operands.
    pub(crate) fn grid(
        &self,
        kernel: &Kernel,
        dims: Option<&Contents>,
        operands: &[Option<Operand<'_>>],
        [workgroups, layers]: [u64; 2],
        probe: &dyn Fn() -> Probe,
    ) -> Result<Grid, PrepareError> {
        check_dims(kernel, dims)?;
        let workgroups = self.folded(kernel, workgroups, layers)?;
        let (shared, compiled) = self.compiled(kernel)?;
        self.try_out(&shared, &compiled, probe)?;
        let placeholders = self.placeholders(kernel.label)?;
        let bind = || self.bind(kernel, &compiled.layout, dims, (operands, placeholders));
        let bindings = create(&self.device, bind);
        // What wgpu binds, or does not know, may be of another instance.
        if matches!(bindings, Ok(_) | Err(Failure::Panicked(_)))
            && let Some(operand) = self.foreign(operands)
        {
            let operation = kernel.label;
            return Err(PrepareError::Foreign { operation, operand });
        }
        let bytes_of_dims = dims.map_or(0, Contents::bytes);
        let refused = |failure| refusal(kernel.label, bytes_of_dims, failure);
        let grid = grid(shared, compiled, bindings.map_err(refused)?, workgroups);
        Ok(grid.taking(self.speed.moving(bytes(operands))))
    }

    /// Workgroups in x, y and z.
    fn folded(
        &self,
        kernel: &Kernel,
        workgroups: u64,
        layers: u64,
    ) -> Result<[u32; 3], PrepareError> {
        let limit = self.limits.max_compute_workgroups_per_dimension;
        let [x, y] = fold(workgroups, limit).ok_or(PrepareError::Limit {
            operation: kernel.label,
            name: "max_compute_workgroups_per_dimension, squared",
            required: workgroups,
            allowed: u64::from(limit).pow(2),
        })?;
        Ok([x, y, layers as u32])
    }

    /// The operand whose buffer another device has made.
    fn foreign(&self, operands: &[Option<Operand<'_>>]) -> Option<&'static str> {
        let bound = operands.iter().flatten().filter(|o| o.size_bytes > 0);
        let mut foreign = bound.filter(|operand| is_foreign(&self.device, operand.buffer));
        foreign.next().map(|operand| operand.name)
    }

    fn bind(
        &self,
        kernel: &Kernel,
        layout: &wgpu::BindGroupLayout,
        dims: Option<&Contents>,
        (operands, placeholders): (&[Option<Operand<'_>>], &[wgpu::Buffer; MOST_BINDINGS]),
    ) -> wgpu::BindGroup {
        let dims = dims.map(|dims| {
            let (label, usage) = ("wgpu_linear::uniform", wgpu::BufferUsages::UNIFORM);
            filled_buffer(&self.device, label, usage, &dims.padded())
        });
        let dims = dims.iter().map(wgpu::Buffer::as_entire_binding);
        let operands = operands
            .iter()
            .zip(placeholders)
            .map(|(operand, placeholder)| {
                #[cfg(test)]
                let operand = &operand.map(|operand| match self.fault {
                    Some(fault) => fault.widened(operand, &self.limits),
                    None => operand,
                });
                resource(operand.as_ref(), placeholder)
            });
        let resources = dims.chain(operands);
        let entries: Vec<_> = kernel
            .bindings
            .iter()
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry {
                binding: binding.index,
                resource,
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.label),
            layout,
            entries: &entries,
        })
    }
}

fn grid(
    kernel: Arc<Kernel>,
    compiled: Compiled,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
) -> Grid {
    Grid {
        dynamic: kernel.bindings.iter().any(|binding| binding.dynamic),
        kernel,
        bindings,
        pipeline: compiled.pipeline,
        workgroups,
        estimate: Duration::default(),
    }
}

/// Of all operands together.
fn bytes(operands: &[Option<Operand<'_>>]) -> u64 {
    let operands = operands.iter().flatten();
    operands.map(|operand| operand.size_bytes).sum()
}

fn resource<'a>(
    operand: Option<&Operand<'a>>,
    placeholder: &'a wgpu::Buffer,
) -> wgpu::BindingResource<'a> {
    match operand.and_then(|operand| Some((operand, wgpu::BufferSize::new(operand.size_bytes)?))) {
        None => placeholder.as_entire_binding(),
        Some((operand, size)) => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: operand.buffer,
            offset: operand.offset_bytes,
            size: Some(size),
        }),
    }
}

/// Every value must arrive under its own name.
fn check_dims(kernel: &Kernel, dims: Option<&Contents>) -> Result<(), SourceError> {
    let fits = match (dims, kernel.bindings.first().map(|first| first.access)) {
        (Some(dims), Some(Access::Uniform(members))) => dims.fits(members),
        (Some(_), _) => false,
        (None, _) => true,
    };
    let kernel = kernel.label;
    fits.then_some(()).ok_or(SourceError::Uniform { kernel })
}

/// A failure as an error of `operation`, which has asked for so many bytes. Panics that are none of
/// wgpu's business go on.
fn refusal(operation: &'static str, bytes: u64, failure: Failure) -> PrepareError {
    match failure {
        Failure::Lost => PrepareError::DeviceLost { operation },
        Failure::Refused(wgpu::Error::OutOfMemory { .. }) => {
            PrepareError::OutOfMemory { operation, bytes }
        }
        Failure::Refused(source) => PrepareError::Refused { operation, source },
        Failure::Panicked(panic) => std::panic::resume_unwind(panic),
    }
}

/// A buffer with these contents, for use inside of a guard: where it could not be made, whatever
/// uses it is refused.
fn filled_buffer(
    device: &wgpu::Device,
    label: &str,
    usage: wgpu::BufferUsages,
    contents: &[u8],
) -> wgpu::Buffer {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: contents.len() as u64,
        usage,
        mapped_at_creation: true,
    });
    if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
        view.copy_from_slice(contents);
    }
    buffer.unmap();
    buffer
}
