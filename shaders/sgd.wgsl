// g = gradient + weight_decay · p
// v ← momentum · v + g                       where momentum ≠ 0; else v is not touched
// p ← p − learning_rate · (g + momentum · v  with Nesterov, else v)
//
// Stochastic gradient descent with momentum (Sutskever et al., "On the importance of initialization
// and momentum in deep learning", ICML 2013) in the form of PyTorch's torch.optim.SGD with
// dampening 0.
//
// Shapes      all operands hold `count` elements
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing
// Parts       elements, skip/*
// Host        src/nn/ops/sgd.rs

struct Dims {
    count: u32,
}

struct Settings {
    learning_rate: f32,
    momentum: f32,
    weight_decay: f32,
    nesterov: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<uniform> settings: Settings;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn sgd(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count && !is_skipped() {
        let g = gradients[i] + settings.weight_decay * parameters[i];
        var direction = g;
        if settings.momentum != 0.0 {
            // Without momentum the velocity would be the gradient again: half of the traffic for
            // nothing.
            let v = settings.momentum * velocity[i] + g;
            velocity[i] = v;
            direction = select(v, g + settings.momentum * v, settings.nesterov != 0u);
        }
        parameters[i] -= settings.learning_rate * direction;
    }
}
