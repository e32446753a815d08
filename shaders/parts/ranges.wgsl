// Numbers by range of magnitude, so that no square leaves the range of f32.
//
// Ranges      small, middle, large: |x| < 2^-40, in between, and |x| >= 2^40. Small numbers are
//             multiplied by 2^84 and large ones by 2^-84
// Edges       denormals may count as 0

const INFINITE: u32 = 255u; // exponent of infinities and NaN
const SMALL: u32 = 87u; // exponent of 2^-40
const LARGE: u32 = 167u; // exponent of 2^40
const SMALL_SCALE: f32 = 0x1p84;
const LARGE_SCALE: f32 = 0x1p-84;

fn exponent_of(bits: u32) -> u32 {
    return (bits >> 23u) & 255u;
}

// A finite number, multiplied, in the place of its range; 0 in the others.
fn by_range(bits: u32) -> vec3<f32> {
    let exponent = exponent_of(bits);
    let small = exponent < SMALL;
    let large = exponent >= LARGE;
    let range = vec3<bool>(small, !(small || large), large);
    let scale = select(select(1.0, SMALL_SCALE, small), LARGE_SCALE, large);
    return select(vec3<f32>(), vec3<f32>(bitcast<f32>(bits) * scale), range);
}
