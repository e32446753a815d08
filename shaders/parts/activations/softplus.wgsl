// f(t) = log(1 + eᵗ)        f′(t) = σ(t) = 1 / (1 + e⁻ᵗ)
//
// Parts       logistic
// Host        src/linear/activation.rs

// log(1 + eᵗ) = max(t, 0) + log(1 + e), with e = e⁻ᵗ or eᵗ, whichever is below 1.
fn value(x: f32) -> f32 {
    let e = exp(-min(abs(x), 100.0));
    // The sum 1 + e loses the digits of a small e; the next term of the series is below 1e-8.
    let series = e * (1.0 - e * (1.0 / 2.0 - e * (1.0 / 3.0 - e * (1.0 / 4.0 - e * (1.0 / 5.0
        - e * (1.0 / 6.0 - e * (1.0 / 7.0 - e * (1.0 / 8.0))))))));
    return max(x, 0.0) + select(log(1.0 + e), series, e < 0.125);
}

fn derivative(x: f32) -> f32 {
    return logistic(x);
}
