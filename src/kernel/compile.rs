//! From a kernel to a pipeline; with `pipelines.rs` and `device/matrix_units.rs` the places of this
//! crate with `unsafe`.

use std::borrow::Cow;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::{Arc, atomic::AtomicBool};

use super::environment::from_env;
use super::{Access, Binding, Kernel};

/// Whether the compiler guards what shaders index and how long they loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShaderChecks {
    /// Only in kernels whose indices depend on data; the others are in range by construction, and
    /// much faster unguarded.
    #[default]
    WhereNeeded,
    /// In every kernel. Also chosen by the environment variable `WGPU_LINEAR_SHADER_CHECKS=all`.
    All,
}

impl ShaderChecks {
    /// `All` where the environment asks for it, whatever the program does.
    pub(super) fn or_from_env(self) -> Self {
        match from_env("WGPU_LINEAR_SHADER_CHECKS") {
            Some(value) if value == "all" => Self::All,
            _ => self,
        }
    }
}

/// A kernel on a device.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    /// Whether it is known to compute right.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) is_cleared: Arc<AtomicBool>,
}

pub(super) fn compile(
    device: &wgpu::Device,
    kernel: &Kernel,
    wgsl: &str,
    checks: ShaderChecks,
    cache: Option<&wgpu::PipelineCache>,
) -> Compiled {
    let entries: Vec<_> = kernel.bindings.iter().map(layout_entry).collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.label),
        entries: &entries,
    });
    let source = wgpu::ShaderModuleDescriptor {
        label: Some(kernel.file.name),
        source: wgpu::ShaderSource::Wgsl(dialect(wgsl)),
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
        cache,
    });
    Compiled {
        pipeline,
        layout,
        #[cfg(not(target_arch = "wasm32"))]
        is_cleared: Arc::default(),
    }
}

/// naga knows subgroups without being told, and no such line.
#[cfg(not(target_arch = "wasm32"))]
fn dialect(wgsl: &str) -> Cow<'_, str> {
    wgsl.into()
}

/// A browser wants to be told of subgroups.
#[cfg(target_arch = "wasm32")]
fn dialect(wgsl: &str) -> Cow<'_, str> {
    match super::source::uses_subgroups(wgsl) {
        true => format!("enable subgroups;\n{wgsl}").into(),
        false => wgsl.into(),
    }
}

/// Compiles a kernel of [`Kernel::trusted`] without bounds checks and loop bounds: with
/// `pipeline_cache` and `experiments` the only `unsafe` of this crate.
#[expect(
    unsafe_code,
    reason = "wgpu cannot prove what the proof below says, and its checks make the kernels several times slower"
)]
fn trusted_module(
    device: &wgpu::Device,
    source: wgpu::ShaderModuleDescriptor<'_>,
) -> wgpu::ShaderModule {
    // SAFETY: only kernels of this crate's own files get here, those of `linear`; whatever the
    // caller hands in is numbers to them. Their uniform is `ProductDims` in `linear/product.rs`,
    // or `SumRowsDims` in `linear/algorithms/sum_rows.rs`. Members are set by name, and the
    // contract test `kernel_uniforms_match_the_shader` holds names, order, types and offsets
    // against the shader, so no value can arrive in the place of another.
    // * Storage buffers: every operand has been checked to hold its shape. What is bound are the
    //   stored rows from `left_base`, `right_base` and `product_base` on (`windows.rs`), among them
    //   all that the ranges `first_row..end_row`, `first_column..end_column` and `first_k..end_k`
    //   name (`bound.rs`), none of which is empty but the last. Loads replace an index outside these
    //   ranges by 0, and a binding holds at least one element. Those of `whole_blocks.wgsl` are
    //   made of whole blocks of terms inside `first_k..end_k` alone, and replace a row or column
    //   outside its range by the last inside; what they add to an address behind the last block is
    //   not used. Stores are made inside the ranges only. A slab has `slab_rows` rows of
    //   `n` elements, and the buffer holds `slabs` of them. `sum_rows` reads rows
    //   `first_row..end_row` of `columns` elements, and stores below `columns` in as many rows as
    //   it has slabs, which the buffer holds.
    //   Indices do not overflow: a binding has fewer than 2^31 elements, and `m`, `k` and `n` are
    //   below 2^31 as well, so that counters, which pass them by less than the tiles of a folded
    //   grid, stay below 2^32.
    //   Operands are bound as vectors of four, or as two words of 64 bits, only where all their
    //   rows hold a multiple of 4 elements (`product.rs`), the left factor by itself.
    // * Workgroup and private arrays: indexed by thread numbers and loop counters with constant
    //   bounds below their lengths; of matrices that units load and store, `experiments` says where
    //   they lie. Shuffles hand on values, none of which becomes an index.
    // * Loops: counters grow by at least 1 towards a bound below 2^31, so they end.
    // No index comes from data. The exactness tests cover every kernel at its edges, once like
    // this and once with all checks.
    unsafe { device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) }
}

fn layout_entry(binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.access {
        Access::Uniform(_) => wgpu::BufferBindingType::Uniform,
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
