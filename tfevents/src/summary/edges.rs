//! The edges between the buckets of a histogram, computed by the compiler.
//!
//! Source: `tensorflow/core/lib/histogram/histogram.cc`, whose buckets grow by a tenth from 10⁻¹²
//! to 10²⁰ on both sides of 0.

const FIRST: f64 = 1e-12;
const GROWTH: f64 = 1.1;
const END: f64 = 1e20;

/// How many edges lie above 0.
const POSITIVE: usize = {
    let mut count = 0;
    let mut edge = FIRST;
    while edge < END {
        count += 1;
        edge *= GROWTH;
    }
    count
};

pub(super) const COUNT: usize = 2 * POSITIVE + 1;

/// By repeated multiplication, as in the sources of TensorFlow and PyTorch: a power of 1.1 would be
/// rounded otherwise.
pub(super) static EDGES: [f64; COUNT] = {
    let mut edges = [0.0; COUNT];
    let mut edge = FIRST;
    let mut i = 0;
    while i < POSITIVE {
        edges[POSITIVE + 1 + i] = edge;
        edges[POSITIVE - 1 - i] = -edge;
        edge *= GROWTH;
        i += 1;
    }
    edges
};

/// For each edge, the smallest `f32` that is not below it: an `f32` is on the same side of both.
pub(super) static EDGES_F32: [f32; COUNT] = {
    let mut edges = [0.0; COUNT];
    let mut i = 0;
    while i < COUNT {
        let nearest = EDGES[i] as f32;
        edges[i] = if (nearest as f64) < EDGES[i] {
            nearest.next_up()
        } else {
            nearest
        };
        i += 1;
    }
    edges
};
