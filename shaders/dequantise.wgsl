// ŵ_kj = s_j q_kj
//
// Quantised weights as f32, for kernels that multiply those.
//
// Shapes      q outputs × words with words = ⌈inputs / 4⌉, s outputs, w inputs × outputs
// Layout      row-major, dense; w begins with row `first_row`, a multiple of 4. The lowest byte of
//             a word is the first of its four
// Grid        one thread a word of the rows from `first_row` on, those of a row of words side by
//             side, in workgroups of 256, folded
// Edges       the last word of a column has fewer rows; threads past the end do nothing
// Parts       fold
// Host        src/linear/dequantise.rs

const WORKGROUP: u32 = 256u;

struct Dims {
    outputs: u32,
    words: u32,
    first_row: u32,
    end_row: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> q: array<u32>;
@group(0) @binding(2) var<storage, read> s: array<f32>;
@group(0) @binding(3) var<storage, read_write> w: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn dequantise(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = workgroup_number(workgroup, workgroups) * WORKGROUP + lane;
    let column = i % dims.outputs;
    let row = dims.first_row + i / dims.outputs * 4u;
    if row >= dims.end_row {
        return;
    }
    let four = vec4<f32>(unpack4xI8(q[column * dims.words + row / 4u]));
    for (var l = 0u; l < min(4u, dims.end_row - row); l++) {
        w[(row + l - dims.first_row) * dims.outputs + column] = s[column] * four[l];
    }
}
