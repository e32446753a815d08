//! Kernels: a WGSL entry point with its bindings, compiled when first needed and kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::dispatch::{Dispatch, Grid, fold};
use crate::error::PrepareError;
use crate::shader::{Constant, SpecialiseError, specialise};
use crate::view::{Matrix, Vector};

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A uniform buffer with the sizes or settings.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and read where the formula says so.
    ReadWrite,
}

/// One variable of a kernel in bind group 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// `@binding` number.
    pub index: u32,
    /// Name of the variable in the WGSL file.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
}

impl Binding {
    pub(crate) const fn new(index: u32, name: &'static str, access: Access) -> Self {
        Self {
            index,
            name,
            access,
        }
    }
}

/// A compute kernel as the crate runs it: readable source, constants and bindings.
///
/// [`crate::kernels`] lists all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Full label, shown by graphics debuggers and in errors.
    pub label: &'static str,
    /// Name of the file in `shaders/`.
    pub file: &'static str,
    /// Its contents.
    pub source: &'static str,
    /// Name of the entry point.
    pub entry_point: &'static str,
    /// Values that replace those of the file.
    pub constants: &'static [(&'static str, Constant)],
    /// Bindings, sorted by index.
    pub bindings: &'static [Binding],
}

impl Kernel {
    /// The WGSL that is compiled: the file with this kernel's constants.
    ///
    /// # Errors
    /// [`SpecialiseError`] if file and host disagree; a test of this crate rules that out.
    pub fn wgsl(&self) -> Result<String, SpecialiseError> {
        specialise(self.source, self.constants)
    }

    pub(crate) fn expect_matrix(
        &self,
        operand: &'static str,
        view: Matrix<'_>,
        rows: u32,
        columns: u32,
    ) -> Result<(), PrepareError> {
        self.expect_shape(operand, [view.rows, view.columns], [rows, columns])
    }

    pub(crate) fn expect_vector(
        &self,
        operand: &'static str,
        view: Vector<'_>,
        len: u32,
    ) -> Result<(), PrepareError> {
        self.expect_shape(operand, [1, view.len], [1, len])
    }

    fn expect_shape(
        &self,
        operand: &'static str,
        actual: [u32; 2],
        expected: [u32; 2],
    ) -> Result<(), PrepareError> {
        if actual == expected {
            return Ok(());
        }
        Err(PrepareError::Shape {
            operation: self.label,
            operand,
            expected,
            actual,
        })
    }
}

/// The words of a kernel's `Dims`, padded: sizes, and whatever else differs from dispatch to dispatch.
pub(crate) type Dims = [u32; 8];

/// `words`, at most eight, padded with zeros.
pub(crate) fn dims(words: impl IntoIterator<Item = u32>) -> Dims {
    let mut dims = Dims::default();
    dims.iter_mut().zip(words).for_each(|(to, word)| *to = word);
    dims
}

/// An operand in the order of the kernel's bindings, under the name by which the caller knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    pub(crate) name: &'static str,
    pub(crate) buffer: &'a wgpu::Buffer,
    pub(crate) offset_bytes: u64,
    pub(crate) size_bytes: u64,
}

impl<'a> Operand<'a> {
    pub(crate) fn matrix(name: &'static str, view: Matrix<'a>) -> Self {
        let size_bytes = view.elements().saturating_mul(4);
        Self {
            name,
            buffer: view.buffer,
            offset_bytes: view.offset_bytes,
            size_bytes,
        }
    }

    pub(crate) fn uniform(name: &'static str, buffer: &'a wgpu::Buffer, size_bytes: u64) -> Self {
        Self {
            name,
            buffer,
            offset_bytes: 0,
            size_bytes,
        }
    }

    pub(crate) fn vector(name: &'static str, view: Vector<'a>) -> Self {
        let size_bytes = u64::from(view.len) * 4;
        Self {
            name,
            buffer: view.buffer,
            offset_bytes: view.offset_bytes,
            size_bytes,
        }
    }
}

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
        self.check(label, &kernel.bindings[usize::from(has_dims)..], operands)?;
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
            };
            passes.iter().map(grid).collect()
        })?;
        Ok(Dispatch { label, grids })
    }

    fn check(
        &self,
        operation: &'static str,
        bindings: &[Binding],
        operands: &[Operand<'_>],
    ) -> Result<(), PrepareError> {
        for (operand, binding) in operands.iter().zip(bindings) {
            check_operand(operation, operand, binding.access, &self.limits)?;
        }
        check_aliasing(operation, bindings, operands)
    }

    /// Runs `create` and returns what the device had to say about it, instead of leaving it to the uncaptured-error handler.
    #[cfg(not(target_arch = "wasm32"))]
    fn guard<T>(
        &self,
        operation: &'static str,
        create: impl FnOnce() -> T,
    ) -> Result<T, PrepareError> {
        let out_of_memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let created = create();
        // Natively both futures are ready at once.
        let refused = pollster::block_on(validation.pop());
        let exhausted = pollster::block_on(out_of_memory.pop());
        match refused.or(exhausted) {
            Some(source) => Err(PrepareError::Refused { operation, source }),
            None => Ok(created),
        }
    }

    /// A browser answers error scopes later than we may wait; there wgpu's uncaptured-error handler hears of them.
    #[cfg(target_arch = "wasm32")]
    fn guard<T>(
        &self,
        _operation: &'static str,
        create: impl FnOnce() -> T,
    ) -> Result<T, PrepareError> {
        Ok(create())
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

fn check_operand(
    operation: &'static str,
    operand: &Operand<'_>,
    access: Access,
    limits: &wgpu::Limits,
) -> Result<(), PrepareError> {
    let Operand {
        name,
        buffer,
        offset_bytes,
        size_bytes,
    } = *operand;
    let required = match access {
        Access::Uniform => wgpu::BufferUsages::UNIFORM,
        Access::Read | Access::ReadWrite => wgpu::BufferUsages::STORAGE,
    };
    if !buffer.usage().contains(required) {
        let actual = buffer.usage();
        return Err(PrepareError::MissingUsage {
            operation,
            operand: name,
            required,
            actual,
        });
    }
    let required_bytes = offset_bytes.saturating_add(size_bytes);
    if required_bytes > buffer.size() {
        let actual_bytes = buffer.size();
        return Err(PrepareError::BufferTooSmall {
            operation,
            operand: name,
            required_bytes,
            actual_bytes,
        });
    }
    let alignment_bytes = u64::from(limits.min_storage_buffer_offset_alignment);
    if !offset_bytes.is_multiple_of(alignment_bytes) {
        return Err(PrepareError::MisalignedOffset {
            operation,
            operand: name,
            offset_bytes,
            alignment_bytes,
        });
    }
    let allowed = limits.max_storage_buffer_binding_size;
    if size_bytes > allowed {
        let name = "max_storage_buffer_binding_size";
        return Err(PrepareError::Limit {
            operation,
            name,
            required: size_bytes,
            allowed,
        });
    }
    // Kernels address elements by u32, and the last workgroups of a folded grid reach past the end.
    let (required, allowed) = (size_bytes / 4, u64::from(u32::MAX / 2));
    if required > allowed {
        return Err(PrepareError::Limit {
            operation,
            name: "elements of an operand",
            required,
            allowed,
        });
    }
    Ok(())
}

fn check_aliasing(
    operation: &'static str,
    bindings: &[Binding],
    operands: &[Operand<'_>],
) -> Result<(), PrepareError> {
    let bound = |operand: &Operand<'_>| operand.size_bytes > 0;
    for (i, (written, _)) in operands
        .iter()
        .zip(bindings)
        .enumerate()
        .filter(|(_, (o, b))| b.access == Access::ReadWrite && bound(o))
    {
        let shares = |(j, other): &(usize, &Operand<'_>)| {
            *j != i && bound(other) && other.buffer == written.buffer
        };
        if let Some((_, other)) = operands.iter().enumerate().find(shares) {
            return Err(PrepareError::Aliased {
                operation,
                written: written.name,
                other: other.name,
            });
        }
    }
    Ok(())
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
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}
