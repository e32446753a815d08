// activation          a  = f(t)
// activation_grad     dt = da · f′(t)
//
// Functions   f is one of parts/activations
// Shapes      all operands hold `count` elements, any layout
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing; a NaN stays one
// Parts       elements, activations/*, nan
// Host        src/nn/ops/activation.rs

struct Dims {
    count: u32,
    parameter: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read> da: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn activation(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        result[i] = or_nan(t[i], value(t[i]));
    }
}

@compute @workgroup_size(WORKGROUP)
fn activation_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        result[i] = da[i] * or_nan(t[i], derivative(t[i]));
    }
}
