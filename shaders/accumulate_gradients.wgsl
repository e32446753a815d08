// keep_gradients    sum_i ← gradient_i
// add_gradients     sum_i ← sum_i + gradient_i
// mean_gradients    gradient_i ← factor (sum_i + gradient_i)
//
// Of k batches, the first is kept, the next are added, and with factor = 1 / k the last makes the
// gradient the mean of all: sums come first, so that there is one order and nothing to fuse.
//
// Shapes      all operands hold `count` elements
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing
// Parts       elements
// Host        src/nn/ops/accumulate_gradients.rs

struct Dims {
    count: u32,
    factor: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn keep_gradients(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        sum[i] = gradients[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn add_gradients(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        sum[i] += gradients[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn mean_gradients(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        gradients[i] = dims.factor * (sum[i] + gradients[i]);
    }
}
