// f(t) = max(t, 0)        f′(t) = 1 where t > 0, else 0
//
// Host        src/linear/activation.rs

fn value(x: f32) -> f32 {
    return max(x, 0.0);
}

fn derivative(x: f32) -> f32 {
    return select(0.0, 1.0, x > 0.0);
}
