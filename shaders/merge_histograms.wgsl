// result = Σ_s slab_s        counts and sums are added, the least and the greatest values chosen
//
// Shapes      `count` slabs of one Histogram each, result one
// Grid        one thread per bucket, and one more for all other numbers, in workgroups of 256
// Order       slab after slab: the same input gives the same bits
// Edges       threads past the end do nothing
// Parts       histogram
// Host        src/nn/ops/histogram.rs

const WORKGROUP: u32 = 256u;

struct Dims {
    count: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> slabs: array<Histogram>;
@group(0) @binding(2) var<storage, read_write> result: Histogram;

fn merge_bucket(i: u32) {
    var count = 0u;
    for (var slab = 0u; slab < dims.count; slab++) {
        count += slabs[slab].buckets[i];
    }
    result.buckets[i] = count;
}

fn merge_others() {
    var non_finite = 0u;
    var least = 0xffffffffu;
    var greatest = 0u;
    var sums = vec3<f32>();
    var squares = vec3<f32>();
    for (var i = 0u; i < dims.count; i++) {
        non_finite += slabs[i].non_finite;
        least = min(least, slabs[i].least);
        greatest = max(greatest, slabs[i].greatest);
        sums += vec3<f32>(slabs[i].sums[0], slabs[i].sums[1], slabs[i].sums[2]);
        squares += vec3<f32>(slabs[i].squares[0], slabs[i].squares[1], slabs[i].squares[2]);
    }
    result.non_finite = non_finite;
    result.least = least;
    result.greatest = greatest;
    result.sums = array<f32, 3>(sums.x, sums.y, sums.z);
    result.squares = array<f32, 3>(squares.x, squares.y, squares.z);
}

@compute @workgroup_size(WORKGROUP)
fn merge_histograms(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x < BUCKETS {
        merge_bucket(thread.x);
    } else if thread.x == BUCKETS {
        merge_others();
    }
}
