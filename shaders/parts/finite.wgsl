// Infinities and NaN, told by their exponent: WGSL lets compilers assume that there are none, and
// built-in functions may turn them into numbers.

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
