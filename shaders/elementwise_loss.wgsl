// element_loss_ij = weight_i loss(t_ij, y_ij) / outputs
// dt_ij = weight_i slope(t_ij, y_ij) / (batch_weight · outputs)
//
// The loss of the batch is Σ_ij element_loss_ij / batch_weight, the mean over all elements; dt is
// its gradient. slope is the derivative of loss by its first argument.
//
// Functions   loss and slope are those of one of parts/losses; weight and batch_weight those of one
//             of parts/weights: none makes them 1 and batch
// Shapes      t, y, element_loss, dt batch × outputs; y has WEIGHT_COLUMNS more
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing. Where t is not finite, neither are loss and
//             gradient, whatever the functions make of it; a row of weight 0 has zeros, whatever t
//             is
// Parts       elements, finite, losses/*, weights/*
// Host        src/nn/ops/elementwise_loss.rs

struct Dims {
    batch: u32,
    outputs: u32,
    parameter: f32, // of the loss
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> element_loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dt: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn elementwise_loss(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.batch * dims.outputs {
        let row = i / dims.outputs;
        let wanted = y[i + WEIGHT_COLUMNS * row];
        let own = weight(row);
        let outputs = f32(dims.outputs);
        if own == 0.0 {
            element_loss[i] = 0.0;
            dt[i] = 0.0;
        } else if is_finite(t[i]) {
            element_loss[i] = own * loss(t[i], wanted) / outputs;
            dt[i] = own * slope(t[i], wanted) / (batch_weight() * outputs);
        } else {
            element_loss[i] = abs(t[i]);
            dt[i] = t[i];
        }
    }
}
