// f(t) = log(1 + eᵗ)        f′(t) = σ(t) = 1 / (1 + e⁻ᵗ)
//
// Parts       log_one_plus, logistic
// Host        src/linear/activation.rs

// log(1 + eᵗ) = max(t, 0) + log(1 + e), with e = e⁻ᵗ or eᵗ, whichever is below 1.
fn value(x: f32) -> f32 {
    return max(x, 0.0) + log_one_plus(exp(-min(abs(x), 100.0)));
}

fn derivative(x: f32) -> f32 {
    return logistic(x);
}
