// r_i = max_k |x_ik| / 127        p_ik = round(x_ik / r_i)
//
// Each row as whole numbers from −127 to 127, four to a word, with a scale: x_ik ≈ r_i p_ik.
//
// Shapes      x rows × inputs, p rows × words with words = ⌈inputs / 4⌉, r rows
// Layout      row-major, dense; the lowest byte of a word is the first of its four, and what is
//             behind the last input is 0
// Grid        one workgroup of 64 threads a row, folded; each thread takes every 64th element, then
//             every 64th word
// Edges       a row whose largest magnitude is below 2⁻¹¹⁹ has r = 0 and p = 0: its scale could be
//             a denormal, by which WGSL does not divide. One with an infinity or a NaN has r = NaN
//             and p = 0. Magnitudes are compared by their bits, since compilers may assume that
//             neither exists; a NaN has the largest
// Parts       fold
// Host        src/linear/quantise_rows.rs

const LANES: u32 = 64u;

const INFINITY: u32 = 0x7f800000u;
const NAN: u32 = 0x7fc00000u;
const SMALLEST: u32 = 0x04000000u; // 2⁻¹¹⁹

struct Dims {
    rows: u32,
    inputs: u32,
    words: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> p: array<u32>;
@group(0) @binding(3) var<storage, read_write> r: array<u32>; // the bits of f32

var<workgroup> magnitudes: array<u32, LANES>;

fn largest_over_lanes(lane: u32, magnitude: u32) -> u32 {
    magnitudes[lane] = magnitude;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the previous round has been written
        if lane < half {
            magnitudes[lane] = max(magnitudes[lane], magnitudes[lane + half]);
        }
    }
    workgroupBarrier(); // the result is in magnitudes[0]
    return magnitudes[0];
}

fn whole(row: u32, k: u32, scale: f32) -> i32 {
    if k >= dims.inputs {
        return 0;
    }
    return i32(clamp(round(x[row * dims.inputs + k] / scale), -127.0, 127.0));
}

@compute @workgroup_size(LANES)
fn quantise_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = workgroup_number(workgroup, workgroups);
    if row >= dims.rows {
        return;
    }
    var magnitude = 0u;
    for (var k = lane; k < dims.inputs; k += LANES) {
        magnitude = max(magnitude, bitcast<u32>(x[row * dims.inputs + k]) & 0x7fffffffu);
    }
    let largest = largest_over_lanes(lane, magnitude);
    let has_scale = largest >= SMALLEST && largest < INFINITY;
    let scale = bitcast<f32>(largest) / 127.0;
    for (var word = lane; word < dims.words; word += LANES) {
        var four = vec4<i32>();
        if has_scale {
            let k = 4u * word;
            four = vec4<i32>(
                whole(row, k, scale), whole(row, k + 1u, scale),
                whole(row, k + 2u, scale), whole(row, k + 3u, scale));
        }
        p[row * dims.words + word] = pack4xI8(four);
    }
    if lane == 0u {
        let others = select(0u, NAN, largest >= INFINITY);
        r[row] = select(others, bitcast<u32>(scale), has_scale);
    }
}
