// f(t) = t Φ(t)        f′(t) = Φ(t) + t φ(t)        Φ, φ: standard normal distribution and density
//
// Hendrycks & Gimpel, "Gaussian error linear units", 2016; exact, not its approximation by tanh.
//
// Host        src/linear/activation.rs

// Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26: |error of erf| <= 1.5e-7.
fn normal_distribution(x: f32) -> f32 {
    // No exponential has a positive argument, nor a square that overflows: WGSL promises nothing
    // about infinities.
    let z = min(abs(x) * 0.70710678, 15.0);
    let s = 1.0 / (1.0 + 0.3275911 * z);
    let polynomial = s * (0.254829592 + s * (-0.284496736 + s * (1.421413741
        + s * (-1.453152027 + s * 1.061405429))));
    let upper_tail = 0.5 * polynomial * exp(-z * z);
    return select(upper_tail, 1.0 - upper_tail, x >= 0.0);
}

fn normal_density(x: f32) -> f32 {
    let z = min(abs(x), 20.0);
    return 0.39894228 * exp(-0.5 * z * z);
}

fn value(x: f32) -> f32 {
    return x * normal_distribution(x);
}

fn derivative(x: f32) -> f32 {
    return normal_distribution(x) + x * normal_density(x);
}
