// scale_gradients     x ← s · x
// copy_scaled         x = s · from
// unscale_gradients   x ← x / s, and whether each of them is finite
// next_scale          where all were finite: s ← 2 · s after `interval` updates in a row;
//                     else s ← s / 2, and the update is left out
//
// Dynamic loss scaling (Micikevicius et al., "Mixed precision training", ICLR 2018): gradients that
// are stored as f16 are computed from a loss that is multiplied by s.
//
// Shapes      x, from `count` elements
// Grid        one thread per element in workgroups of 256, folded into x and y; next_scale one
//             thread, run behind the last unscale_gradients of an update, and before the optimizer
// Edges       threads past the end do nothing; what is not finite is told by its exponent. s stays
//             between LEAST and MOST
// Parts       elements
// Host        src/nn/ops/loss_scale.rs

const MOST: f32 = 16777216.0; // 2²⁴
const LEAST: f32 = 5.9604644775390625e-8; // 2⁻²⁴

struct Dims {
    count: u32,
    interval: u32,
}

struct LossScale {
    scale: f32,
    updates: f32, // since it was changed; whole
}

struct Verdict {
    found: atomic<u32>, // 1 where a gradient was not finite since the last update
    skip: u32, // 1 where this update is left out
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> loss_scale: LossScale;
@group(0) @binding(2) var<storage, read_write> verdict: Verdict;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;
@group(0) @binding(4) var<storage, read> source: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn scale_gradients(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        x[i] *= loss_scale.scale;
    }
}

@compute @workgroup_size(WORKGROUP)
fn copy_scaled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        x[i] = loss_scale.scale * source[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn unscale_gradients(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        let scaled = x[i];
        if (bitcast<u32>(scaled) & 0x7f800000u) == 0x7f800000u {
            atomicStore(&verdict.found, 1u);
        }
        x[i] = scaled / loss_scale.scale;
    }
}

@compute @workgroup_size(1)
fn next_scale() {
    let found = atomicLoad(&verdict.found);
    atomicStore(&verdict.found, 0u);
    verdict.skip = found;
    let updates = loss_scale.updates + 1.0;
    if found != 0u {
        loss_scale = LossScale(max(0.5 * loss_scale.scale, LEAST), 0.0);
    } else if updates >= f32(dims.interval) {
        loss_scale = LossScale(min(2.0 * loss_scale.scale, MOST), 0.0);
    } else {
        loss_scale.updates = updates;
    }
}
