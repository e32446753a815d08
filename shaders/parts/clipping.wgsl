// What becomes of gradients whose norm is too large, as it lies in memory.
//
// Host        src/nn/ops/clip.rs

// What gradient_norm.wgsl writes for each workgroup.
struct NormSlab {
    squares: array<f32, 3>, // small, middle, large, as in parts/ranges.wgsl
    non_finite: f32, // 0 where all numbers are finite
}

// What clip_factor.wgsl makes of them: every gradient is multiplied by `scale` and then by `factor`.
struct Clipping {
    norm: u32, // the bits of an f32, which may be an infinity or a NaN
    scale: f32, // 1, or 2^-84 where factor alone might vanish
    factor: f32,
    non_finite: u32, // 0 where all gradients are finite
}
