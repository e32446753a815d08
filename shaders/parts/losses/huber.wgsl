// loss = (t − y)² / 2 where |t − y| <= δ, else δ (|t − y| − δ / 2)
// slope = t − y, between −δ and δ
//
// Edges       dims.parameter is δ, above 0
// Host        src/nn/ops/elementwise_loss.rs

// With the smaller of |t − y| and δ, both pieces are one.
fn loss(t: f32, y: f32) -> f32 {
    let distance = abs(t - y);
    let inner = min(distance, dims.parameter);
    return inner * (distance - 0.5 * inner);
}

fn slope(t: f32, y: f32) -> f32 {
    return clamp(t - y, -dims.parameter, dims.parameter);
}
