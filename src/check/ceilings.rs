//! What an adapter reaches at most: two shaders that do nothing else.

use std::time::{Duration, Instant};

use crate::device::{Gpu, GpuError};
use crate::kernel::guard;

/// What this adapter reaches at most; the roofline of Williams, Waterman and Patterson (2009).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Floating-point operations a second, in multiply-adds of f32, each of which counts as two.
    pub flops: f64,
    /// Bytes a second, read and written, in a copy from buffer to buffer.
    pub bytes: f64,
}

impl Peaks {
    /// Operations a second that work of so many operations can reach, which moves so many bytes at
    /// least.
    #[must_use]
    pub fn of(self, flops: f64, bytes: f64) -> f64 {
        self.flops.min(flops / bytes * self.bytes)
    }
}

/// What a [`Ceiling`] measures.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeilingOf {
    /// Multiply-adds.
    Flops,
    /// Copying.
    Bytes,
}

/// Work that does one thing alone, ready to be timed.
#[derive(Clone, Debug)]
pub struct Ceiling {
    /// What it measures.
    pub of: CeilingOf,
    /// How it is written, in words.
    pub variant: String,
    /// Floating-point operations, or bytes read and written, of one recording.
    pub amount: f64,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 2],
}

impl Ceiling {
    /// Records the work once.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.dispatch_workgroups(self.workgroups[0], self.workgroups[1], 1);
    }
}

/// Measures both ceilings for about `time` each: always the fastest run, and of several ways to
/// write multiply-adds the best.
///
/// ```no_run
/// # let gpu = wgpu_linear::Gpu::new()?;
/// let peaks = wgpu_linear::check::peaks(&gpu, std::time::Duration::from_millis(200))?;
/// println!("{:.0} GFLOP/s, {:.0} GB/s", peaks.flops * 1e-9, peaks.bytes * 1e-9);
/// # Ok::<(), wgpu_linear::GpuError>(())
/// ```
///
/// # Errors
/// As [`Gpu::run`], [`Gpu::wait`] and [`Gpu::zeros`].
pub fn peaks(gpu: &Gpu, time: Duration) -> Result<Peaks, GpuError> {
    let [mut flops, mut bytes] = [0.0_f64; 2];
    let ceilings = ceilings(gpu)?;
    for ceiling in &ceilings {
        let alike = ceilings.iter().filter(|other| other.of == ceiling.of);
        let rate = rate(gpu, ceiling, time / alike.count() as u32)?;
        match ceiling.of {
            CeilingOf::Flops => flops = flops.max(rate),
            CeilingOf::Bytes => bytes = bytes.max(rate),
        }
    }
    Ok(Peaks { flops, bytes })
}

/// The best of some runs, each long enough that submitting and waiting do not count.
fn rate(gpu: &Gpu, ceiling: &Ceiling, time: Duration) -> Result<f64, GpuError> {
    let begin = Instant::now();
    seconds(gpu, ceiling, 1)?; // compiles
    let once = seconds(gpu, ceiling, 1)?;
    let times = ((time.as_secs_f64() / 4.0 / once) as u32).clamp(1, 1000);
    let mut fastest = once;
    let mut runs = 0;
    while runs < 2 || begin.elapsed() < time {
        fastest = fastest.min(seconds(gpu, ceiling, times)?);
        runs += 1;
    }
    Ok(ceiling.amount / fastest)
}

/// Seconds of one of so many runs.
fn seconds(gpu: &Gpu, ceiling: &Ceiling, times: u32) -> Result<f64, GpuError> {
    let mut encoder = gpu.encoder("wgpu_linear::ceiling");
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        (0..times).for_each(|_| ceiling.record(&mut pass));
    }
    let begin = Instant::now();
    let submission = gpu.submit(encoder)?;
    gpu.wait(submission)?;
    Ok(begin.elapsed().as_secs_f64() / f64::from(times))
}

/// The work by which both ceilings are measured: multiply-adds written in several ways, and a copy.
///
/// # Errors
/// [`GpuError::OutOfMemory`], [`GpuError::DeviceLost`], or [`GpuError::Refused`] where the device
/// compiles not even that.
pub fn ceilings(gpu: &Gpu) -> Result<Vec<Ceiling>, GpuError> {
    let mut ceilings = Vec::new();
    // A CPU is slower, and busy with fewer threads.
    let workgroups = if gpu.is_software() { 64 } else { 4096 };
    let [values, sums] = [0; 2].map(|_| gpu.zeros("wgpu_linear::ceiling", workgroups * 1024));
    let (values, sums) = (values?, sums?);
    for (chains, way) in WAYS {
        // Compilers that fuse nothing would take its products out of the loop.
        if gpu.is_software() && way == Way::Added {
            continue;
        }
        let shader = multiply_add_shader(chains, way);
        let program = ("multiply_add_peak", shader.as_str());
        let flops = workgroups * 256 * ITERATIONS * UNROLLED * 4 * 2;
        let of = (
            CeilingOf::Flops,
            format!("{chains} chains, {}", way.words()),
            flops as f64,
        );
        ceilings.push(ceiling(
            gpu,
            of,
            program,
            [&values, &sums],
            workgroups as u64,
        )?);
    }
    let most = if gpu.is_software() {
        64 << 20
    } else {
        256 << 20
    };
    let limits = gpu.device().limits();
    let bytes = limits.max_storage_buffer_binding_size.min(most);
    let [from, to] = [0; 2].map(|_| gpu.zeros("wgpu_linear::ceiling", bytes as usize / 4));
    let of = (CeilingOf::Bytes, "vec4".to_owned(), 2.0 * bytes as f64);
    let workgroups = bytes.div_ceil(16 * 256);
    ceilings.push(ceiling(
        gpu,
        of,
        ("copy", COPY),
        [&from?, &to?],
        workgroups,
    )?);
    Ok(ceilings)
}

fn ceiling(
    gpu: &Gpu,
    (of, variant, amount): (CeilingOf, String, f64),
    (entry_point, wgsl): (&str, &str),
    buffers: [&wgpu::Buffer; 2],
    workgroups: u64,
) -> Result<Ceiling, GpuError> {
    let (device, label) = (gpu.device(), Some("wgpu_linear::ceiling"));
    let create = || {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: None,
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let entry = |binding: u32| wgpu::BindGroupEntry {
            binding,
            resource: buffers[binding as usize].as_entire_binding(),
        };
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[0, 1].map(entry),
        });
        (pipeline, bindings)
    };
    let (pipeline, bindings) =
        guard(device, create).map_err(|failure| GpuError::of(failure, None, (entry_point, 0)))?;
    let x = workgroups.min(1 << 15);
    Ok(Ceiling {
        of,
        variant,
        amount,
        pipeline,
        bindings,
        workgroups: [x as u32, workgroups.div_ceil(x) as u32],
    })
}

/// Chains, and how they are written.
const WAYS: [(usize, Way); 6] = [
    (2, Way::Fused),
    (4, Way::Fused),
    (8, Way::Fused),
    (8, Way::Apart),
    (1, Way::Added),
    (8, Way::Added),
];

/// Below the 65,535 at which llvmpipe leaves a loop.
const ITERATIONS: usize = 128;
const UNROLLED: usize = 64;

/// How a chain of multiply-adds is written.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// c = fma(c, a, b).
    Fused,
    /// c = c · a + b.
    Apart,
    /// c = fma(a, b, c) with one a for four elements, as products do. An NVIDIA H200 reads a register
    /// that the instruction before has read, and is 1.4 times as fast as with three new ones.
    Added,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Fused => "fma",
            Self::Apart => "a * b + c",
            Self::Added => "fma onto c",
        }
    }

    fn step(self, i: usize) -> String {
        match self {
            Self::Fused => format!("        c{i} = fma(c{i}, factor, addend);\n"),
            Self::Apart => format!("        c{i} = c{i} * factor + addend;\n"),
            Self::Added => {
                let element = ["x", "y", "z", "w"][i % 4];
                format!("        c{i} = fma(vec4<f32>(factor.{element}), addend, c{i});\n")
            }
        }
    }
}

/// Nothing but multiply-adds, in several independent chains, so that no addition waits for the one
/// before. A value goes towards addend / (1 − factor), neither to infinity nor to denormals; that
/// it starts from a buffer keeps compilers from computing it beforehand.
fn multiply_add_shader(chains: usize, way: Way) -> String {
    let each = |text: &dyn Fn(usize) -> String| (0..chains).map(text).collect::<String>();
    let declare = each(&|i| format!("    var c{i} = seed + vec4<f32>({i}.0);\n"));
    let step = each(&|i| way.step(i));
    let sum = each(&|i| format!(" + c{i}"));
    format!(
        "@group(0) @binding(0) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@compute @workgroup_size(256)
fn multiply_add_peak(@builtin(global_invocation_id) id: vec3<u32>) {{
    let seed = values[id.x];
    let factor = seed + vec4<f32>(0.5);
    let addend = seed + vec4<f32>(0.25);
{declare}    for (var i = 0u; i < {ITERATIONS}u; i++) {{
{}    }}
    sums[id.x] = seed{sum};
}}
",
        step.repeat(UNROLLED / chains)
    )
}

const COPY: &str = "
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b: array<vec4<f32>>;
@compute @workgroup_size(256)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.y * groups.x * 256u + id.x;
    if index < arrayLength(&b) { b[index] = a[index]; }
}
";

#[cfg(test)]
mod tests {
    use super::*;

    /// As a GPU compiles all of them, and llvmpipe only some.
    #[test]
    fn every_way_has_as_many_multiply_adds_as_are_counted() {
        for (chains, way) in WAYS {
            let wgsl = multiply_add_shader(chains, way);
            let module = naga::front::wgsl::parse_str(&wgsl).unwrap();
            let (flags, capabilities) = Default::default();
            let mut validator = naga::valid::Validator::new(flags, capabilities);
            validator.validate(&module).unwrap();
            let steps = wgsl.matches("fma(").count() + wgsl.matches(" * factor + ").count();
            assert_eq!(steps, UNROLLED, "{wgsl}");
        }
    }
}
