// sum = Σ_i weight_i
//
// What a weighted loss of a batch is divided by.
//
// Functions   weight is that of one of parts/weights
// Shapes      labels batch, or y batch × (outputs + 1); sum one number
// Passes      a long sum is taken in several dispatches: this one takes the rows first to end. The
//             first overwrites the sum, the others add to it
// Grid        one workgroup of 256 threads; each takes every 256th row, then a tree adds the
//             partial sums, always in the same order: the same input gives the same bits
// Edges       threads past the end add 0
// Parts       lanes, weights/*
// Host        src/nn/ops/weights.rs

struct Dims {
    first: u32,
    end: u32,
    outputs: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum: array<f32>;

@compute @workgroup_size(LANES)
fn sum_weights(@builtin(local_invocation_index) lane: u32) {
    var partial = 0.0;
    for (var row = dims.first + lane; row < dims.end; row += LANES) {
        partial += weight(row);
    }
    partial = sum_over_lanes(lane, partial);
    if lane == 0u {
        sum[0] = select(sum[0] + partial, partial, dims.first == 0u);
    }
}
