//! Kernels compiled when first needed and kept, and dispatches made of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::adapter::from_env;
use crate::dispatch::{Dispatch, Grid, fold};
use crate::error::PrepareError;
use crate::guard::guard;
use crate::kernel::{Access, Binding, Dims, Kernel};
use crate::operand::{self, Operand};

#[derive(Clone, Debug)]
struct Compiled {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// Compiles kernels on first use and turns them into dispatches. Shared by several threads without further care.
#[derive(Debug)]
pub(crate) struct KernelCache {
    device: wgpu::Device,
    limits: wgpu::Limits,
    checks: ShaderChecks,
    compiled: Mutex<HashMap<Kernel, Compiled>>,
    /// Bound in place of operands that are absent or without elements, which WebGPU does not allow to be bound. One for each binding, since
    /// what is written must not be bound twice.
    placeholders: [wgpu::Buffer; MOST_BINDINGS],
}

/// More than any kernel has.
const MOST_BINDINGS: usize = 8;

/// Whether the compiler guards what shaders index and how long they loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShaderChecks {
    /// Only in kernels whose indices depend on data; the others are in range by construction, and much faster unguarded.
    #[default]
    WhereNeeded,
    /// In every kernel. Also chosen by the environment variable `WGPU_LINEAR_SHADER_CHECKS=all`.
    All,
}

impl ShaderChecks {
    /// `All` where the environment asks for it, whatever the program does.
    pub(crate) fn or_from_env(self) -> Self {
        match from_env("WGPU_LINEAR_SHADER_CHECKS") {
            Some(value) if value == "all" => Self::All,
            _ => self,
        }
    }
}

impl KernelCache {
    pub(crate) fn new(device: &wgpu::Device, checks: ShaderChecks) -> Self {
        let placeholder = |_| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("wgpu_linear::placeholder"),
                size: 16,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        };
        Self {
            device: device.clone(),
            limits: device.limits(),
            checks: checks.or_from_env(),
            compiled: Mutex::default(),
            placeholders: std::array::from_fn(placeholder),
        }
    }

    pub(crate) fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.device
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn checks(&self) -> ShaderChecks {
        self.checks
    }

    /// Checks the operands, then binds them once for each pass. The `Dims` of a pass become the uniform at binding 0, if the kernel has one
    /// there; `operands` fill the remaining bindings in order. No workgroups means no work: a dispatch that records nothing.
    pub(crate) fn prepare(
        &self,
        kernel: &Kernel,
        passes: &[Option<Dims>],
        operands: &[Operand<'_>],
        workgroups: u64,
    ) -> Result<Dispatch, PrepareError> {
        let label = kernel.label;
        let has_dims = passes.iter().any(Option::is_some);
        let bindings = &kernel.bindings[usize::from(has_dims)..];
        operand::check(label, bindings, operands, &self.limits)?;
        let mut grids = Vec::new();
        if workgroups > 0 {
            let operands: Vec<_> = operands.iter().copied().map(Some).collect();
            for dims in passes {
                grids.push(self.grid(kernel, dims.as_ref(), &operands, workgroups, 1)?);
            }
        }
        Ok(Dispatch { label, grids })
    }

    /// One dispatch of operands that have been checked; `None` for those that the kernel does not use. `workgroups` are folded into x and y,
    /// `layers` go into z.
    pub(crate) fn grid(
        &self,
        kernel: &Kernel,
        dims: Option<&Dims>,
        operands: &[Option<Operand<'_>>],
        workgroups: u64,
        layers: u32,
    ) -> Result<Grid, PrepareError> {
        let limit = self.limits.max_compute_workgroups_per_dimension;
        let [x, y] = fold(workgroups, limit).ok_or(PrepareError::Limit {
            operation: kernel.label,
            name: "max_compute_workgroups_per_dimension, squared",
            required: workgroups,
            allowed: u64::from(limit).pow(2),
        })?;
        let Compiled { pipeline, layout } = self.compiled(kernel)?;
        self.guard(kernel.label, || Grid {
            bindings: self.bind(kernel, &layout, dims, operands),
            pipeline,
            workgroups: [x, y, layers],
            dynamic: kernel.bindings.iter().any(|binding| binding.dynamic),
        })
    }

    /// A buffer for partial results, which lives as long as the dispatches that use it.
    pub(crate) fn scratch(
        &self,
        operation: &'static str,
        bytes: u64,
    ) -> Result<wgpu::Buffer, PrepareError> {
        self.guard(operation, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("wgpu_linear::scratch"),
                size: bytes,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        })
    }

    /// A buffer of these words, which kernels read.
    pub(crate) fn table(
        &self,
        operation: &'static str,
        words: &[u32],
    ) -> Result<wgpu::Buffer, PrepareError> {
        use wgpu::util::{BufferInitDescriptor, DeviceExt};
        self.guard(operation, || {
            self.device.create_buffer_init(&BufferInitDescriptor {
                label: Some("wgpu_linear::table"),
                contents: bytemuck::cast_slice(words),
                usage: wgpu::BufferUsages::STORAGE,
            })
        })
    }

    fn guard<T>(
        &self,
        operation: &'static str,
        create: impl FnOnce() -> T,
    ) -> Result<T, PrepareError> {
        let refused = |source| PrepareError::Refused { operation, source };
        // A driver that cannot compile a shader reports an internal error.
        guard(&self.device, wgpu::ErrorFilter::Internal, || {
            guard(&self.device, wgpu::ErrorFilter::OutOfMemory, || {
                guard(&self.device, wgpu::ErrorFilter::Validation, create)
            })
        })
        .map_err(refused)?
        .map_err(refused)?
        .map_err(refused)
    }

    fn compiled(&self, kernel: &Kernel) -> Result<Compiled, PrepareError> {
        // A panic elsewhere cannot leave the map half written: entries are inserted whole.
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled.get(kernel) {
            return Ok(found.clone());
        }
        let wgsl = kernel.wgsl()?;
        let fresh = self.guard(kernel.label, || {
            compile(&self.device, kernel, &wgsl, self.checks)
        })?;
        compiled.insert(kernel.clone(), fresh.clone());
        Ok(fresh)
    }

    fn bind(
        &self,
        kernel: &Kernel,
        layout: &wgpu::BindGroupLayout,
        dims: Option<&Dims>,
        operands: &[Option<Operand<'_>>],
    ) -> wgpu::BindGroup {
        let dims = dims.map(|dims| uniform(&self.device, bytemuck::cast_slice(dims)));
        let dims = dims.iter().map(wgpu::Buffer::as_entire_binding);
        let operands = operands
            .iter()
            .zip(&self.placeholders)
            .map(|(operand, placeholder)| resource(operand.as_ref(), placeholder));
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

/// A uniform buffer with these contents.
pub(crate) fn uniform(device: &wgpu::Device, contents: &[u8]) -> wgpu::Buffer {
    use wgpu::util::{BufferInitDescriptor, DeviceExt};
    device.create_buffer_init(&BufferInitDescriptor {
        label: Some("wgpu_linear::uniform"),
        contents,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
    })
}

fn compile(device: &wgpu::Device, kernel: &Kernel, wgsl: &str, checks: ShaderChecks) -> Compiled {
    let entries: Vec<_> = kernel.bindings.iter().map(layout_entry).collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.label),
        entries: &entries,
    });
    let source = wgpu::ShaderModuleDescriptor {
        label: Some(kernel.file()),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    };
    let module = if kernel.trusted && checks == ShaderChecks::WhereNeeded {
        trusted_module(device, source)
    } else {
        device.create_shader_module(source)
    };
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.label),
        bind_group_layouts: &[Some(&layout)],
        ..Default::default()
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.label),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(kernel.entry_point),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Every kernel writes the workgroup memory it reads.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    });
    Compiled { pipeline, layout }
}

/// Compiles a kernel of [`Kernel::trusted`] without bounds checks and loop bounds: the one place of this crate with `unsafe`.
#[expect(
    unsafe_code,
    reason = "wgpu cannot prove what the proof below says, and its checks make the kernels several times slower"
)]
fn trusted_module(
    device: &wgpu::Device,
    source: wgpu::ShaderModuleDescriptor<'_>,
) -> wgpu::ShaderModule {
    // SAFETY: only kernels of this crate's own files get here, those of `linear`; whatever the caller hands in is numbers to them.
    // * Storage buffers: every operand has been checked to hold its shape, and what is bound is exactly the rows that `Dims` names. Loads
    //   replace an index outside the ranges of `Dims` by 0, and a binding holds at least one element; stores are made inside the ranges only.
    //   Indices do not overflow: a binding has fewer than 2^31 elements, and m, k and n are below 2^31 as well, so that counters, which pass
    //   them by less than the tiles of a folded grid, stay below 2^32.
    // * Workgroup and private arrays: indexed by thread numbers and loop counters with constant bounds below their lengths.
    // * Loops: counters grow by at least 1 towards a bound below 2^31, so they end.
    // No index comes from data. The exactness tests cover every kernel at its edges, once like this and once with all checks.
    unsafe { device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) }
}

fn layout_entry(binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.access {
        Access::Uniform => wgpu::BufferBindingType::Uniform,
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding: binding.index,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: binding.dynamic,
            min_binding_size: None,
        },
        count: None,
    }
}
