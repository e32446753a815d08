// norm = √Σ_s slab_s.squares        factor = min(1, max_norm / (norm + 10⁻⁶))
//
// As PyTorch's torch.nn.utils.clip_grad_norm_.
//
// Shapes      `count` slabs, clipping one
// Grid        one workgroup of 256 threads; each takes every 256th slab, then a tree adds the
//             partial sums: the same input gives the same bits
// Edges       where a gradient is not finite, norm is NaN; where norm is too large for f32, it is
//             infinite, and factor is right all the same. No slabs: norm = 0, factor = 1
// Parts       clipping, lanes, ranges
// Host        src/nn/ops/clip.rs

struct Dims {
    count: u32,
    max_norm: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> slabs: array<NormSlab>;
@group(0) @binding(2) var<storage, read_write> clipping: Clipping;

const NAN: u32 = 0x7fc00000u;

// From the sums of squares of small, middle and large gradients: the highest that is not 0, and the
// one below. Roots come off their scale before they are squared: 2^-84 twice is 2^-168, which is no
// f32, and compilers do take two constants for one.
fn clipping_of(squares: vec3<f32>) -> Clipping {
    if squares.z > 0.0 {
        // The 10⁻⁶ is far below the last place of such a norm.
        let middle = sqrt(squares.y) * LARGE_SCALE;
        let root = sqrt(squares.z + middle * middle);
        let fits = dims.max_norm * LARGE_SCALE >= root;
        let factor = select(dims.max_norm / root, 1.0, fits);
        let norm = bitcast<u32>(root * SMALL_SCALE);
        return Clipping(norm, select(LARGE_SCALE, 1.0, fits), factor, 0u);
    }
    let small = sqrt(squares.x) * LARGE_SCALE;
    let norm = select(sqrt(squares.y + small * small), small, squares.y == 0.0);
    let factor = min(1.0, dims.max_norm / (norm + 1e-6));
    return Clipping(bitcast<u32>(norm), 1.0, factor, 0u);
}

@compute @workgroup_size(LANES)
fn clip_factor(@builtin(local_invocation_index) lane: u32) {
    var squares = vec3<f32>();
    var non_finite = 0.0;
    for (var i = lane; i < dims.count; i += LANES) {
        let three = slabs[i].squares;
        squares += vec3<f32>(three[0], three[1], three[2]);
        non_finite += slabs[i].non_finite;
    }
    squares = sum3_over_lanes(lane, squares);
    non_finite = sum_over_lanes(lane, non_finite);
    if lane == 0u {
        clipping = clipping_of(squares);
        if non_finite > 0.0 {
            clipping.norm = NAN;
            clipping.non_finite = 1u;
        }
    }
}
