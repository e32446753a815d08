// total.losses += Σ_i losses_i        total.weights += batch        total.examples += batch
//
// Accumulates: unlike the other kernels it adds to what the host has left in `total`, and does not
// overwrite it. The sum of the batch is taken in f32, that of all batches exactly.
//
// Shapes      losses at least `end` elements, total one LossTotal
// Passes      a long sum is taken in several dispatches: this one adds the losses first to end
// Grid        one workgroup of 256 threads; each takes every 256th loss, then a tree adds the
//             partial sums, always in the same order: the same input gives the same bits
// Edges       threads past the end add 0
// Parts       lanes, loss_total
// Host        src/nn/ops/accumulate_loss.rs

struct Dims {
    first: u32,
    end: u32,
    batch: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: LossTotal;

@compute @workgroup_size(LANES)
fn accumulate_loss(@builtin(local_invocation_id) local: vec3<u32>) {
    let lane = local.x;
    var sum = 0.0;
    for (var i = dims.first + lane; i < dims.end; i += LANES) {
        sum += losses[i];
    }
    sum = sum_over_lanes(lane, sum);
    if lane == 0u {
        add_batch(sum, dims.batch);
    }
}
