//! What an adapter reaches at most: two shaders that do nothing else.

use crate::contenders::{Raw, Step};
use crate::problem::Outcome;
use crate::report::Report;
use crate::timing::{Samples, Session, Work, measure};

/// What this adapter reaches at most, in operations and bytes a second.
#[derive(Clone, Copy)]
pub(crate) struct Peaks {
    pub(crate) flops: f64,
    pub(crate) bytes: f64,
}

impl Peaks {
    /// The roofline: what multiply-adds allow, or what moving the bytes allows.
    pub(crate) fn of(self, flops: f64, bytes: f64) -> f64 {
        self.flops.min(flops / bytes * self.bytes)
    }
}

/// Nothing but multiply-adds, in several independent chains, so that no addition waits for the one
/// before. A value goes towards addend / (1 − factor), neither to infinity nor to denormals; that
/// it starts from a buffer keeps compilers from computing it beforehand.
pub(crate) fn fma_shader(chains: usize, fused: bool) -> String {
    let each = |text: &dyn Fn(usize) -> String| (0..chains).map(text).collect::<String>();
    let declare = each(&|i| format!("    var c{i} = seed + vec4<f32>({i}.0);\n"));
    let step = each(&|i| {
        if fused {
            format!("        c{i} = fma(c{i}, factor, addend);\n")
        } else {
            format!("        c{i} = c{i} * factor + addend;\n")
        }
    });
    let sum = each(&|i| format!(" + c{i}"));
    format!(
        "@group(0) @binding(0) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@compute @workgroup_size(256)
fn fma_peak(@builtin(global_invocation_id) id: vec3<u32>) {{
    let seed = values[id.x];
    let factor = seed + vec4<f32>(0.5);
    let addend = seed + vec4<f32>(0.25);
{declare}    for (var i = 0u; i < {FMA_ITERATIONS}u; i++) {{
{}    }}
    sums[id.x] = seed{sum};
}}
",
        step.repeat(FMA_UNROLLED / chains)
    )
}

/// Below the 65,535 at which llvmpipe leaves a loop.
pub(crate) const FMA_ITERATIONS: usize = 128;
pub(crate) const FMA_UNROLLED: usize = 64;

pub(crate) const COPY: &str = "
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b: array<vec4<f32>>;
@compute @workgroup_size(256)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.y * groups.x * 256u + id.x;
    if index < arrayLength(&b) { b[index] = a[index]; }
}
";

/// Measures both ceilings; of multiply-adds the best of several ways to write them, and always the
/// fastest sample.
pub(crate) fn measure_peaks(
    session: &Session,
    min_time: f64,
    report: &mut Report,
) -> Outcome<Peaks> {
    let gpu = &session.gpu;
    // A CPU is slower, and busy with fewer threads.
    let software = gpu.is_software();
    let workgroups = if software { 64 } else { 4096 };
    let [values, sums] = [
        gpu.zeros("values", workgroups * 1024)?,
        gpu.zeros("sums", workgroups * 1024)?,
    ];
    let flops = (workgroups * 256 * FMA_ITERATIONS * FMA_UNROLLED * 4 * 2) as f64;
    let mut peaks = Peaks {
        flops: 0.0,
        bytes: 0.0,
    };
    for (chains, fused) in [(2, true), (4, true), (8, true), (8, false)] {
        let raw = Raw::new(
            gpu,
            "fma_peak",
            &fma_shader(chains, fused),
            &[vec![&values, &sums]],
            workgroups as u64,
        )?;
        let samples = measure_peak(session, raw, min_time)?;
        let label = format!(
            "{chains} chains, {}",
            if fused { "fma" } else { "a * b + c" }
        );
        report.peak("peak_fma", &label, &samples, [flops, f64::NAN])?;
        peaks.flops = peaks.flops.max(flops / samples.fastest());
    }
    let bytes = gpu
        .device()
        .limits()
        .max_storage_buffer_binding_size
        .min(if software { 64 << 20 } else { 256 << 20 });
    let [from, to] = [
        gpu.zeros("from", bytes as usize / 4)?,
        gpu.zeros("to", bytes as usize / 4)?,
    ];
    let raw = Raw::new(
        gpu,
        "copy",
        COPY,
        &[vec![&from, &to]],
        bytes.div_ceil(16 * 256),
    )?;
    let samples = measure_peak(session, raw, min_time)?;
    report.peak(
        "peak_copy",
        "vec4",
        &samples,
        [f64::NAN, 2.0 * bytes as f64],
    )?;
    peaks.bytes = 2.0 * bytes as f64 / samples.fastest();
    Ok(peaks)
}

pub(crate) fn measure_peak(session: &Session, raw: Raw, min_time: f64) -> Outcome<Samples> {
    let work = Work::Device {
        session,
        steps: vec![Step::Raw(raw)],
    };
    // A ceiling is worth a moment, however short the cases are.
    let [_, end] = measure(&[&work], min_time.max(0.2))?;
    end.into_iter().next().ok_or_else(|| "no sample".into())
}
