// loss = (t − y)²        slope = 2 (t − y)
//
// Host        src/nn/ops/elementwise_loss.rs

fn loss(t: f32, y: f32) -> f32 {
    let difference = t - y;
    return difference * difference;
}

fn slope(t: f32, y: f32) -> f32 {
    return 2.0 * (t - y);
}
