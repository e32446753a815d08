// buckets_i = number of values with edge_i <= value < edge_(i+1); least, greatest, Σ value and Σ
// value² of the finite ones; number of others
//
// Shapes      values: `count` numbers, loaded as bits; inner_edges: 2047 keys, ascending, those of
//             all edges but the first and the last, then all bits set; slabs: one Histogram per
//             workgroup, the first at `first_slab`
// Grid        any number of workgroups of 256 threads, side by side; each thread takes every (256 ·
//             workgroups)th value
// Order       counts are integers, and floating-point sums are taken by thread and then by a tree:
//             the same input gives the same bits
// Edges       values below the first edge belong to the first bucket, values above the last edge to
//             the last; threads past the end add nothing; count = 0 gives zeros
// Passes      a buffer larger than a binding takes several dispatches, each with slabs of its own
// Parts       histogram, lanes, ranges
// Host        src/nn/ops/histogram.rs

struct Dims {
    count: u32,
    first_slab: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> inner_edges: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> slabs: array<Histogram>;

var<workgroup> buckets: array<atomic<u32>, BUCKETS>;
var<workgroup> non_finite: atomic<u32>;
var<workgroup> least: atomic<u32>;
var<workgroup> greatest: atomic<u32>;

const SIGN: u32 = 0x80000000u;

// a < b as numbers where key(a) < key(b); both zeros have the same key.
fn key(bits: u32) -> u32 {
    let signed = bits > SIGN;
    return select(bits | SIGN, ~bits, signed);
}

fn past(ordered: u32, at: u32, stride: u32) -> u32 {
    return select(at, at + stride, inner_edges[at + stride - 1u] <= ordered);
}

// How many inner edges are not above the key: the number of its bucket. Without a loop, of which
// llvmpipe allows a shader only so many rounds.
fn bucket_of(ordered: u32) -> u32 {
    var at = past(ordered, 0u, 1024u);
    at = past(ordered, at, 512u);
    at = past(ordered, at, 256u);
    at = past(ordered, at, 128u);
    at = past(ordered, at, 64u);
    at = past(ordered, at, 32u);
    at = past(ordered, at, 16u);
    at = past(ordered, at, 8u);
    at = past(ordered, at, 4u);
    at = past(ordered, at, 2u);
    return past(ordered, at, 1u);
}

fn clear_shared(lane: u32) {
    for (var i = lane; i < BUCKETS; i += LANES) {
        atomicStore(&buckets[i], 0u);
    }
    if lane == 0u {
        atomicStore(&non_finite, 0u);
        atomicStore(&least, 0xffffffffu);
        atomicStore(&greatest, 0u);
    }
}

@compute @workgroup_size(LANES)
fn histogram(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    clear_shared(lane);
    workgroupBarrier(); // no count is lost to a late zero

    var others = 0u;
    var lowest = 0xffffffffu;
    var highest = 0u;
    var sum = vec3<f32>();
    var square = vec3<f32>();
    for (var i = workgroup.x * LANES + lane; i < dims.count; i += workgroups.x * LANES) {
        let bits = values[i];
        if exponent_of(bits) == INFINITE {
            others++;
            continue;
        }
        let ordered = key(bits);
        atomicAdd(&buckets[bucket_of(ordered)], 1u);
        lowest = min(lowest, ordered);
        highest = max(highest, ordered);
        let scaled = by_range(bits);
        sum += scaled;
        square += scaled * scaled;
    }
    atomicAdd(&non_finite, others);
    atomicMin(&least, lowest);
    atomicMax(&greatest, highest);
    sum = sum3_over_lanes(lane, sum);
    square = sum3_over_lanes(lane, square);

    // The barriers above are behind every count.
    let slab = dims.first_slab + workgroup.x;
    for (var i = lane; i < BUCKETS; i += LANES) {
        slabs[slab].buckets[i] = atomicLoad(&buckets[i]);
    }
    if lane == 0u {
        slabs[slab].non_finite = atomicLoad(&non_finite);
        slabs[slab].least = atomicLoad(&least);
        slabs[slab].greatest = atomicLoad(&greatest);
        slabs[slab].sums = array<f32, 3>(sum.x, sum.y, sum.z);
        slabs[slab].squares = array<f32, 3>(square.x, square.y, square.z);
    }
}
