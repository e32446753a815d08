// f(t) = t        f′(t) = 1
//
// Host        src/linear/activation.rs

fn value(x: f32) -> f32 {
    return x;
}

fn derivative(x: f32) -> f32 {
    return 1.0;
}
