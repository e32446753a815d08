//! Kernels compiled when first needed and kept, and dispatches made of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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
    compiled: Mutex<HashMap<Kernel, Compiled>>,
    /// Bound in place of operands without elements, which WebGPU does not allow to be bound.
    placeholder: wgpu::Buffer,
}

impl KernelCache {
    pub(crate) fn new(device: &wgpu::Device) -> Self {
        let placeholder = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("wgpu_linear::placeholder"),
            size: 16,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        Self {
            device: device.clone(),
            limits: device.limits(),
            compiled: Mutex::default(),
            placeholder,
        }
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
        if workgroups == 0 {
            return Ok(Dispatch {
                label,
                grids: Vec::new(),
            });
        }
        let limit = self.limits.max_compute_workgroups_per_dimension;
        let workgroups = fold(workgroups, limit).ok_or(PrepareError::Limit {
            operation: label,
            name: "max_compute_workgroups_per_dimension, squared",
            required: workgroups,
            allowed: u64::from(limit).pow(2),
        })?;
        let Compiled { pipeline, layout } = self.compiled(kernel)?;
        let grids = self.guard(label, || {
            let grid = |dims: &Option<Dims>| Grid {
                pipeline: pipeline.clone(),
                bindings: self.bind(kernel, &layout, dims.as_ref(), operands),
                workgroups,
                dynamic: kernel.bindings.iter().any(|binding| binding.dynamic),
            };
            passes.iter().map(grid).collect()
        })?;
        Ok(Dispatch { label, grids })
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
        let fresh = self.guard(kernel.label, || compile(&self.device, kernel, &wgsl))?;
        compiled.insert(kernel.clone(), fresh.clone());
        Ok(fresh)
    }

    fn bind(
        &self,
        kernel: &Kernel,
        layout: &wgpu::BindGroupLayout,
        dims: Option<&Dims>,
        operands: &[Operand<'_>],
    ) -> wgpu::BindGroup {
        let dims = dims.map(|dims| uniform(&self.device, bytemuck::cast_slice(dims)));
        let dims = dims.iter().map(wgpu::Buffer::as_entire_binding);
        let resources = dims.chain(operands.iter().map(|operand| self.resource(operand)));
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

    fn resource<'a>(&'a self, operand: &Operand<'a>) -> wgpu::BindingResource<'a> {
        match wgpu::BufferSize::new(operand.size_bytes) {
            None => self.placeholder.as_entire_binding(),
            size => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: operand.buffer,
                offset: operand.offset_bytes,
                size,
            }),
        }
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

fn compile(device: &wgpu::Device, kernel: &Kernel, wgsl: &str) -> Compiled {
    let entries: Vec<_> = kernel.bindings.iter().map(layout_entry).collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.label),
        entries: &entries,
    });
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(kernel.file),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
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
