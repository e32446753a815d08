// slab.squares = Σ g²        over a share of the gradients, in three ranges of magnitude
//
// Shapes      gradients: `count` numbers, loaded as bits; slabs: one NormSlab per workgroup, the
//             first at `first_slab`
// Grid        any number of workgroups of 256 threads, side by side; each thread takes every (256 ·
//             workgroups)th gradient
// Order       by thread and then by a tree: the same input gives the same bits
// Edges       threads past the end add 0; numbers that are not finite add 0 and are told
// Parts       clipping, lanes, ranges
// Host        src/nn/ops/clip.rs

struct Dims {
    count: u32,
    first_slab: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> gradients: array<u32>;
@group(0) @binding(2) var<storage, read_write> slabs: array<NormSlab>;

@compute @workgroup_size(LANES)
fn gradient_norm(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var squares = vec3<f32>();
    var non_finite = 0.0;
    for (var i = workgroup.x * LANES + lane; i < dims.count; i += workgroups.x * LANES) {
        let bits = gradients[i];
        if exponent_of(bits) == INFINITE {
            non_finite = 1.0;
        } else {
            let g = by_range(bits);
            squares += g * g;
        }
    }
    squares = sum3_over_lanes(lane, squares);
    non_finite = sum_over_lanes(lane, non_finite);
    if lane == 0u {
        let three = array<f32, 3>(squares.x, squares.y, squares.z);
        slabs[dims.first_slab + workgroup.x] = NormSlab(three, non_finite);
    }
}
