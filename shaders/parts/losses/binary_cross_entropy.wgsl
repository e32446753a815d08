// loss = log(1 + eᵗ) − t y        slope = σ(t) − y = 1 / (1 + e⁻ᵗ) − y
//
// Edges       y lies between 0 and 1: the host must reject what does not
// Parts       log_one_plus, logistic
// Host        src/nn/ops/elementwise_loss.rs

// With e = e⁻ᵗ or eᵗ, whichever is below 1, the loss is max(t, 0) − t y + log(1 + e), and the
// difference is t (1 − y) or −t y: nothing cancels.
fn loss(t: f32, y: f32) -> f32 {
    let far = abs(t) * select(y, 1.0 - y, t > 0.0);
    return far + log_one_plus(exp(-min(abs(t), 100.0)));
}

fn slope(t: f32, y: f32) -> f32 {
    return logistic(t) - y;
}
