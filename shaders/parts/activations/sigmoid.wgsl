// f(t) = σ(t) = 1 / (1 + e⁻ᵗ)        f′(t) = σ(t) (1 − σ(t))
//
// Parts       logistic
// Host        src/linear/activation.rs

fn value(x: f32) -> f32 {
    return logistic(x);
}

// 1 − σ(t) is σ(−t), without the cancellation.
fn derivative(x: f32) -> f32 {
    return logistic(x) * logistic(-x);
}
