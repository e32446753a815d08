//! Who is measured: this crate, and the kernel that one writes first.

use clap::ValueEnum;
use ndarray::{Array2, ArrayView2, Axis};
use wgpu_linear::check::Ceiling;
use wgpu_linear::{
    BiasGrad, Dispatch, Forward, Gpu, GpuError, InputGrad, LinearKernels, Matrix, PrepareError,
    Vector, WeightGrad,
};

use crate::problem::Operation::{
    self, BiasGrad as Db, Forward as Fwd, InputGrad as Dx, WeightGrad as Dw,
};
use crate::problem::{Outcome, Problem, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// This crate
    WgpuLinear,
    /// One thread per output element
    Naive,
    /// The twin in f32, on the host
    Ndarray,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WgpuLinear => "wgpu-linear",
            Self::Naive => "naive",
            Self::Ndarray => "ndarray",
        }
    }
}

/// The matrices of a problem on the device.
pub(crate) struct Operands {
    pub(crate) x: wgpu::Buffer,
    pub(crate) w: wgpu::Buffer,
    pub(crate) b: wgpu::Buffer,
    pub(crate) dt: wgpu::Buffer,
    pub(crate) t: wgpu::Buffer,
    pub(crate) dx: wgpu::Buffer,
    pub(crate) dw: wgpu::Buffer,
    pub(crate) db: wgpu::Buffer,
    /// What the naive kernel takes for a row of ones, and for the bias where there is none.
    pub(crate) one: wgpu::Buffer,
    pub(crate) zero: wgpu::Buffer,
}

impl Operands {
    pub(crate) fn new(gpu: &Gpu, problem: &Problem) -> Result<Self, GpuError> {
        let [m, k, n] = problem.shape;
        let upload =
            |label, matrix: &Array2<f32>| gpu.upload(label, matrix.as_slice().unwrap_or(&[]));
        let operands = Self {
            x: upload("x", &problem.x)?,
            w: upload("w", &problem.w)?,
            b: gpu.upload("b", &problem.b.to_vec())?,
            dt: upload("dt", &problem.dt)?,
            t: gpu.zeros("t", m * n)?,
            dx: gpu.zeros("dx", m * k)?,
            dw: gpu.zeros("dw", k * n)?,
            db: gpu.zeros("db", n)?,
            one: gpu.upload("one", &[1.0])?,
            zero: gpu.zeros("zero", 1)?,
        };
        // No first operation shall wait for uploads.
        gpu.wait(gpu.run(&[])?)?;
        Ok(operands)
    }

    pub(crate) fn output(&self, operation: Operation) -> &wgpu::Buffer {
        match operation {
            Fwd => &self.t,
            Dx => &self.dx,
            Dw => &self.dw,
            Db => &self.db,
        }
    }

    /// The operations as this crate prepares them.
    pub(crate) fn prepare(
        &self,
        kernels: &LinearKernels,
        shape: Shape,
        operations: &[Operation],
    ) -> Result<Vec<Dispatch>, PrepareError> {
        let [m, k, n] = shape.map(|size| size as u32);
        let (x, w) = (Matrix::new(&self.x, m, k), Matrix::new(&self.w, k, n));
        let dt = Matrix::new(&self.dt, m, n);
        let one = |operation: &Operation| match operation {
            Fwd => {
                let (b, t) = (Some(Vector::new(&self.b, n)), Matrix::new(&self.t, m, n));
                kernels.forward(Forward { x, w, b, t })
            }
            Dx => kernels.input_grad(InputGrad {
                dt,
                w,
                dx: Matrix::new(&self.dx, m, k),
            }),
            Dw => kernels.weight_grad(WeightGrad {
                x,
                dt,
                dw: Matrix::new(&self.dw, k, n),
                // Beside dW, where both are asked for.
                db: operations.contains(&Db).then_some(Vector::new(&self.db, n)),
            }),
            Db => kernels.bias_grad(BiasGrad {
                dt,
                db: Vector::new(&self.db, n),
            }),
        };
        let alone = |operation: &&Operation| **operation != Db || !operations.contains(&Dw);
        operations.iter().filter(alone).map(one).collect()
    }

    /// An operation as [`NAIVE`] does it, one sum after the other in passes that stay below
    /// llvmpipe's 65,535 iterations.
    pub(crate) fn prepare_naive(
        &self,
        gpu: &Gpu,
        problem: &Problem,
        operation: Operation,
    ) -> Outcome<Raw> {
        let (a_view, b_view, _) = problem.factors(operation);
        let ((rows, terms), columns) = (a_view.dim(), b_view.ncols());
        let (a, b, bias) = match operation {
            Fwd => (&self.x, &self.w, &self.b),
            Dx => (&self.dt, &self.w, &self.zero),
            Dw => (&self.x, &self.dt, &self.zero),
            Db => (&self.one, &self.dt, &self.zero),
        };
        let strides =
            |view: &ArrayView2<'_, f32>| [0, 1].map(|axis| view.stride_of(Axis(axis)) as u32);
        let [a_row, a_term] = if operation == Db {
            [0, 0]
        } else {
            strides(&a_view)
        };
        let [b_term, b_column] = strides(&b_view);
        let passes = (0..terms as u32).step_by(1 << 15).map(|first| {
            let end = (terms as u32).min(first + (1 << 15));
            let bias_column = u32::from(operation == Fwd);
            let sizes = [rows as u32, columns as u32, first, end];
            let strides = [a_row, a_term, b_term, b_column, bias_column, 0, 0, 0];
            gpu.upload("sizes", &[&sizes[..], &strides].concat())
        });
        let passes = passes.collect::<Result<Vec<_>, _>>()?;
        let bindings: Vec<_> = passes
            .iter()
            .map(|sizes| vec![sizes, a, b, bias, self.output(operation)])
            .collect();
        Raw::new(
            gpu,
            "naive",
            NAIVE,
            &bindings,
            (rows * columns).div_ceil(64) as u64,
        )
    }
}

/// One thread per output element, as one writes it first: no tiles, no workgroup memory.
pub(crate) const NAIVE: &str = "
struct Sizes { rows: u32, columns: u32, first: u32, end: u32, a_row: u32, a_term: u32, b_term: u32, b_column: u32, bias_column: u32 }
@group(0) @binding(0) var<storage, read> s: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> product: array<f32>;

@compute @workgroup_size(64)
fn naive(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.y * groups.x * 64u + id.x;
    if index >= s.rows * s.columns { return; }
    let row = index / s.columns;
    let column = index % s.columns;
    var sum = bias[column * s.bias_column];
    if s.first > 0u { sum = product[index]; }
    for (var term = s.first; term < s.end; term++) {
        sum += a[row * s.a_row + term * s.a_term] * b[term * s.b_term + column * s.b_column];
    }
    product[index] = sum;
}
";

/// A shader of this file with its bindings, one set for each pass.
pub(crate) struct Raw {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) bindings: Vec<wgpu::BindGroup>,
    pub(crate) workgroups: [u32; 2],
}

impl Raw {
    pub(crate) fn new(
        gpu: &Gpu,
        entry_point: &str,
        wgsl: &str,
        buffers: &[Vec<&wgpu::Buffer>],
        workgroups: u64,
    ) -> Outcome<Self> {
        let device = gpu.device();
        let allowed = device.limits().max_storage_buffer_binding_size;
        if let Some(buffer) = buffers
            .iter()
            .flatten()
            .find(|buffer| buffer.size() > allowed)
        {
            return Err(limit("max_storage_buffer_binding_size", buffer.size(), allowed).into());
        }
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(entry_point),
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry_point),
            layout: None,
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let bind = |buffers: &Vec<&wgpu::Buffer>| {
            let entries = buffers
                .iter()
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry {
                    binding,
                    resource: buffer.as_entire_binding(),
                });
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(entry_point),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries.collect::<Vec<_>>(),
            })
        };
        let bindings = buffers.iter().map(bind).collect();
        let x = workgroups.min(1 << 15);
        Ok(Self {
            pipeline,
            bindings,
            workgroups: [x as u32, workgroups.div_ceil(x) as u32],
        })
    }
}

pub(crate) fn limit(name: &'static str, required: u64, allowed: u64) -> PrepareError {
    PrepareError::Limit {
        operation: "bench",
        name,
        required,
        allowed,
    }
}

pub(crate) enum Step {
    Crate(Dispatch),
    Ceiling(Ceiling),
    Raw(Raw),
}

impl Step {
    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        match self {
            Self::Crate(dispatch) => dispatch.record(pass),
            Self::Ceiling(ceiling) => ceiling.record(pass),
            Self::Raw(raw) => {
                pass.set_pipeline(&raw.pipeline);
                for bindings in &raw.bindings {
                    pass.set_bind_group(0, bindings, &[]);
                    pass.dispatch_workgroups(raw.workgroups[0], raw.workgroups[1], 1);
                }
            }
        }
    }

    pub(crate) fn label(&self) -> &str {
        match self {
            Self::Crate(dispatch) => dispatch.label(),
            Self::Ceiling(_) => "ceiling",
            Self::Raw(_) => "naive",
        }
    }
}
