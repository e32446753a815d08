// total.loss += Σ_i losses_i        total.examples += batch
//
// Accumulates: unlike the other kernels it adds to what the host has left in `total`, and does not overwrite it.
//
// Shapes      losses at least `end` elements, total one pair
// Passes      a long sum is taken in several dispatches: this one adds the losses first to end
// Grid        one workgroup of 256 threads; each takes every 256th loss, then a tree adds the partial sums, always in the
//             same order: the same input gives the same bits
// Edges       threads past the end add 0
// Host        src/nn/kernels.rs

const LANES: u32 = 256u;

struct Dims {
    first: u32,
    end: u32,
    batch: u32,
}

struct Total {
    loss: f32,
    examples: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: Total;

var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn accumulate_loss(@builtin(local_invocation_id) local: vec3<u32>) {
    let lane = local.x;
    var sum = 0.0;
    for (var i = dims.first + lane; i < dims.end; i += LANES) {
        sum += losses[i];
    }
    partial[lane] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the previous round has been written
        if lane < half {
            partial[lane] += partial[lane + half];
        }
    }
    if lane == 0u {
        total.loss += partial[0];
        total.examples += dims.batch;
    }
}
