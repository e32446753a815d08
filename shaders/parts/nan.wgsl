// What is made of a NaN is one. Comparisons and functions of floats promise nothing there, since
// compilers may assume that there is none; a NaN is told by its bits instead.

fn or_nan(x: f32, result: f32) -> f32 {
    return select(result, x, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);
}

fn or_nan4(x: vec4<f32>, result: vec4<f32>) -> vec4<f32> {
    let magnitude = bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu);
    return select(result, x, magnitude > vec4<u32>(0x7f800000u));
}
