// p ← p − learning_rate · (sign(β1 · m + (1 − β1) · gradient) + weight_decay · p)
// m ← β2 · m + (1 − β2) · gradient
//
// Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023. Every parameter moves
// by the learning rate, whatever its gradient; sign(0) = 0.
//
// Shapes      all operands hold `count` elements
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing; a NaN makes its parameter one
// Parts       elements, nan, skip/*
// Host        src/nn/ops/lion.rs

struct Dims {
    count: u32,
}

struct Settings {
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
    weight_decay: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> settings: Settings;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn lion(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count && !is_skipped() {
        let g = gradients[i];
        let p = parameters[i];
        let mean = settings.beta1 * m[i] + (1.0 - settings.beta1) * g;
        let direction = or_nan(mean, sign(mean));
        m[i] = settings.beta2 * m[i] + (1.0 - settings.beta2) * g;
        parameters[i] = p - settings.learning_rate * (direction + settings.weight_decay * p);
    }
}
