// A histogram as it lies in memory: what histogram.wgsl writes for each workgroup, and
// merge_histograms.wgsl for all of them.
//
// Sums        split by magnitude, in the order of parts/ranges.wgsl: small, middle, large. The host
//             puts the three together in f64
// Keys        numbers ordered as integers: WGSL may flush denormals and may assume that there is no
//             NaN, but not with u32
// Host        src/nn/ops/histogram.rs

const BUCKETS: u32 = 1548u;

struct Histogram {
    buckets: array<u32, BUCKETS>,
    non_finite: u32,
    least: u32, // key; all bits set where there is no finite value
    greatest: u32, // key; 0 where there is no finite value
    sums: array<f32, 3>,
    squares: array<f32, 3>,
}
