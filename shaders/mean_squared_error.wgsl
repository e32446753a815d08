// element_loss_ij = (t_ij − y_ij)² / outputs        dt_ij = 2 (t_ij − y_ij) / (batch · outputs)
//
// The loss of the batch is Σ_ij element_loss_ij / batch, the mean over all elements; dt is the
// gradient of that mean.
//
// Shapes      t, y, element_loss, dt batch × outputs
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing
// Parts       elements
// Host        src/nn/ops/mean_squared_error.rs

struct Dims {
    batch: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> element_loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dt: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn mean_squared_error(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.batch * dims.outputs {
        let outputs = f32(dims.outputs);
        let difference = t[i] - y[i];
        element_loss[i] = difference * difference / outputs;
        dt[i] = 2.0 * difference / (f32(dims.batch) * outputs);
    }
}
