// accumulate_loss             total.losses += Σ_i losses_i        total.weights += batch
// accumulate_weighted_loss    total.losses += Σ_i losses_i        total.weights += weight_sum
//
// Accumulates: unlike the other kernels both add to what the host has left in `total`, and do not
// overwrite it; the number of examples, too, grows by batch. The sum of the batch is taken in f32,
// that of all batches exactly.
//
// Shapes      losses at least `end` elements, weight_sum one, total one LossTotal
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
@group(0) @binding(3) var<storage, read> weight_sum: array<f32>;

fn batch_loss(lane: u32) -> f32 {
    var sum = 0.0;
    for (var i = dims.first + lane; i < dims.end; i += LANES) {
        sum += losses[i];
    }
    return sum_over_lanes(lane, sum);
}

@compute @workgroup_size(LANES)
fn accumulate_loss(@builtin(local_invocation_id) local: vec3<u32>) {
    let sum = batch_loss(local.x);
    if local.x == 0u {
        add_batch(sum, dims.batch);
    }
}

@compute @workgroup_size(LANES)
fn accumulate_weighted_loss(@builtin(local_invocation_id) local: vec3<u32>) {
    let sum = batch_loss(local.x);
    if local.x == 0u {
        add_f32(LOSSES, sum);
        count_examples(dims.batch);
        if dims.first == 0u {
            add_f32(WEIGHTS, weight_sum[0]);
        }
    }
}
