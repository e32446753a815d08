// f(t) and f′(t) of the activations.
//
// KIND  f(t)                          f′(t)
// 0     t                             1
// 1     max(t, 0)                     1 where t > 0, else 0                 ReLU
// 2     t where t > 0, else slope t   1 where t > 0, else slope             leaky ReLU
// 3     tanh t                        1 − tanh² t
// 4     σ(t) = 1 / (1 + e⁻ᵗ)          σ(t) (1 − σ(t))
// 5     t Φ(t)                        Φ(t) + t φ(t)                         GELU; Φ, φ: standard normal distribution, density

const KIND: u32 = 0u;

// The exponentials below never have a positive argument, nor a square that overflows: WGSL promises nothing about infinities.

fn hyperbolic_tangent(x: f32) -> f32 {
    let e = exp(-2.0 * min(abs(x), 50.0));
    // Near 0 the difference 1 − e cancels; the next term of the series would be 1382/155925 x¹¹.
    let s = x * x;
    let series = x * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * 62.0 / 2835.0))));
    return select(sign(x) * (1.0 - e) / (1.0 + e), series, abs(x) < 0.25);
}

// 1 − tanh² t without the cancellation: 4 e⁻²ᵗ / (1 + e⁻²ᵗ)².
fn hyperbolic_tangent_slope(x: f32) -> f32 {
    let e = exp(-2.0 * min(abs(x), 50.0));
    return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

fn sigmoid(x: f32) -> f32 {
    let e = exp(-min(abs(x), 100.0));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26: |error of erf| <= 1.5e-7.
fn normal_distribution(x: f32) -> f32 {
    let z = min(abs(x) * 0.70710678, 15.0);
    let s = 1.0 / (1.0 + 0.3275911 * z);
    let polynomial = s * (0.254829592 + s * (-0.284496736 + s * (1.421413741 + s * (-1.453152027 + s * 1.061405429))));
    let upper_tail = 0.5 * polynomial * exp(-z * z);
    return select(upper_tail, 1.0 - upper_tail, x >= 0.0);
}

fn normal_density(x: f32) -> f32 {
    let z = min(abs(x), 20.0);
    return 0.39894228 * exp(-0.5 * z * z);
}

fn value(x: f32) -> f32 {
    switch KIND {
        case 1u: { return max(x, 0.0); }
        case 2u: { return select(dims.slope * x, x, x > 0.0); }
        case 3u: { return hyperbolic_tangent(x); }
        case 4u: { return sigmoid(x); }
        case 5u: { return x * normal_distribution(x); }
        default: { return x; }
    }
}

fn derivative(x: f32) -> f32 {
    switch KIND {
        case 1u: { return select(0.0, 1.0, x > 0.0); }
        case 2u: { return select(dims.slope, 1.0, x > 0.0); }
        case 3u: { return hyperbolic_tangent_slope(x); }
        case 4u: { return sigmoid(x) * sigmoid(-x); }
        case 5u: { return normal_distribution(x) + x * normal_density(x); }
        default: { return 1.0; }
    }
}
