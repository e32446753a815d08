// adam_advance     correction ← β · correction + (1 − β)      for β1 and β2: 1 − βˢ after step s
// adam             g = gradient + weight_decay · p                        (Adam)
//                  p ← p − learning_rate · weight_decay · p               (AdamW: g = gradient)
//                  m ← β1 · m + (1 − β1) · g
//                  v ← β2 · v + (1 − β2) · g²
//                  p ← p − learning_rate · (m / correction1) / (√(v / correction2) + ε)
//
// Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015; decoupled weight decay:
// Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019. The bias corrections
// stay on the device, so that many steps fit one submission. Their recurrence is the one that the
// moments obey, fed with ones: unlike 1 − pow(β, s) it does not cancel in the first steps, where it
// matters.
//
// Shapes      gradients, m, v, parameters `count` elements; corrections one pair, zero before the
//             first step
// Grid        adam_advance one thread, run just before adam; adam one thread per element in
//             workgroups of 256, folded into x and y
// Edges       threads past the end do nothing
// Parts       elements, skip/*
// Host        src/nn/ops/adam.rs

struct Dims {
    count: u32,
}

struct Settings {
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    weight_decay: f32,
    decoupled: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> settings: Settings;
@group(0) @binding(2) var<storage, read_write> corrections: vec2<f32>;
@group(0) @binding(3) var<storage, read> gradients: array<f32>;
@group(0) @binding(4) var<storage, read_write> m: array<f32>;
@group(0) @binding(5) var<storage, read_write> v: array<f32>;
@group(0) @binding(6) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(1)
fn adam_advance() {
    if is_skipped() {
        return;
    }
    let beta = vec2<f32>(settings.beta1, settings.beta2);
    corrections = beta * corrections + (1.0 - beta);
}

@compute @workgroup_size(WORKGROUP)
fn adam(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i >= dims.count || is_skipped() {
        return;
    }
    var p = parameters[i];
    var g = gradients[i];
    if settings.decoupled != 0u {
        p -= settings.learning_rate * settings.weight_decay * p;
    } else {
        g += settings.weight_decay * p;
    }
    let mean = settings.beta1 * m[i] + (1.0 - settings.beta1) * g;
    let square = settings.beta2 * v[i] + (1.0 - settings.beta2) * g * g;
    m[i] = mean;
    v[i] = square;
    let step = (mean / corrections.x) / (sqrt(square / corrections.y) + settings.epsilon);
    parameters[i] = p - settings.learning_rate * step;
}
