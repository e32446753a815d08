// f(t) = t where t > 0, else slope · t        f′(t) = 1 where t > 0, else slope
//
// Parameter   the slope
// Host        src/linear/activation.rs

fn value(x: f32) -> f32 {
    return select(dims.parameter * x, x, x > 0.0);
}

fn derivative(x: f32) -> f32 {
    return select(dims.parameter, 1.0, x > 0.0);
}
