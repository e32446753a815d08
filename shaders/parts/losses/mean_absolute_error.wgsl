// loss = |t − y|        slope = sign(t − y), 0 where t = y
//
// Host        src/nn/ops/elementwise_loss.rs

fn loss(t: f32, y: f32) -> f32 {
    return abs(t - y);
}

// By comparison: a difference of two numbers that are not equal may be flushed to 0.
fn slope(t: f32, y: f32) -> f32 {
    return select(select(0.0, -1.0, t < y), 1.0, t > y);
}
