// The logistic function σ(t) = 1 / (1 + e⁻ᵗ), of which several activations are made.

// No exponential has a positive argument: WGSL promises nothing about infinities.
fn logistic(x: f32) -> f32 {
    let e = exp(-min(abs(x), 100.0));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}
