// f(t) = t σ(t)        f′(t) = σ(t) + t σ(t) σ(−t)        σ(t) = 1 / (1 + e⁻ᵗ)
//
// Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function
// approximation in reinforcement learning", 2018; also known as swish.
//
// Parts       logistic
// Host        src/linear/activation.rs

// Where σ has run out of digits, the factor must not grow on.
fn value(x: f32) -> f32 {
    return max(x, -100.0) * logistic(x);
}

fn derivative(x: f32) -> f32 {
    return logistic(x) + clamp(x, -100.0, 100.0) * logistic(x) * logistic(-x);
}
