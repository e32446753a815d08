// t_ij = r_i s_j Σ_k p_ik q_kj + b_j
//
// Whole numbers from −127 to 127, four to a word: `dot4I8Packed` multiplies and adds up four terms
// at a time. Sums are exact in i32 where k · 127² < 2³¹, which the host sees to.
//
// Shapes      p m × words, q n × words, both with their terms in a row; r m, s n, b n, t m × n
// Layout      row-major, dense; what is behind the last term of a row of words is 0
// Grid        one workgroup of 16 × 16 threads per tile of 64 × 64 results, folded, tiles of a row
//             of tiles side by side; each thread computes 4 × 4. Steps of 8 words of 64 rows of
//             each factor are staged in workgroup memory, a thread four words
// Edges       loads outside a factor give 0, stores outside t are left out; without words t = b. A
//             row whose r is NaN is NaN
// Parts       fold, nan
// Host        src/linear/algorithms/int8.rs

const ADD_BIAS: bool = true;

const SIDE: u32 = 64u; // rows and columns of a tile
const FOURS: u32 = SIDE / 4u; // of rows; so many by so many threads
const STEP: u32 = FOURS / 2u; // words of a step: half of the threads stage one factor
const STRIDE: u32 = FOURS + 1u; // fours that are stored at the same time lie in different banks

struct Dims {
    n: u32,
    words: u32,
    first_row: u32,
    end_row: u32,
    first_column: u32,
    end_column: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> p: array<u32>;
@group(0) @binding(2) var<storage, read> r: array<f32>;
@group(0) @binding(3) var<storage, read> q: array<u32>;
@group(0) @binding(4) var<storage, read> s: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read_write> t: array<f32>;

// Each vec4 is the same word of four rows.
var<workgroup> p_tile: array<vec4<u32>, STEP * STRIDE>;
var<workgroup> q_tile: array<vec4<u32>, STEP * STRIDE>;

fn p_word(row: u32, word: u32) -> u32 {
    if row < dims.end_row && word < dims.words {
        return p[row * dims.words + word];
    }
    return 0u;
}

fn q_word(column: u32, word: u32) -> u32 {
    if column < dims.end_column && word < dims.words {
        return q[column * dims.words + word];
    }
    return 0u;
}

fn stage(thread: u32, row: u32, column: u32, first_word: u32) {
    let step_word = thread % STEP;
    let four = thread / STEP % FOURS;
    let word = first_word + step_word;
    let place = step_word * STRIDE + four;
    if thread < STEP * FOURS {
        let i = row + 4u * four;
        p_tile[place] = vec4<u32>(
            p_word(i, word), p_word(i + 1u, word), p_word(i + 2u, word), p_word(i + 3u, word));
    } else {
        let j = column + 4u * four;
        q_tile[place] = vec4<u32>(
            q_word(j, word), q_word(j + 1u, word), q_word(j + 2u, word), q_word(j + 3u, word));
    }
}

// Sums of 4 × 4 results, row by row.
struct Sums {
    a: vec4<i32>,
    b: vec4<i32>,
    c: vec4<i32>,
    d: vec4<i32>,
}

fn dots(p4: u32, q4: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(
        dot4I8Packed(p4, q4.x), dot4I8Packed(p4, q4.y),
        dot4I8Packed(p4, q4.z), dot4I8Packed(p4, q4.w));
}

// With the terms of a word of the step.
fn plus(sums: Sums, word: u32, local: vec2<u32>) -> Sums {
    let p4 = p_tile[word * STRIDE + local.y];
    let q4 = q_tile[word * STRIDE + local.x];
    return Sums(
        sums.a + dots(p4.x, q4), sums.b + dots(p4.y, q4),
        sums.c + dots(p4.z, q4), sums.d + dots(p4.w, q4));
}

// r comes last: s_j and a whole number other than 0 have no product that could be a denormal.
fn store(row: u32, column: u32, sums: vec4<i32>) {
    if row >= dims.end_row {
        return;
    }
    let scale = r[row];
    for (var c = 0u; c < min(4u, max(dims.end_column, column) - column); c++) {
        let j = column + c;
        var result = s[j] * f32(sums[c]) * scale;
        if ADD_BIAS {
            result += b[j];
        }
        t[row * dims.n + j] = or_nan(scale, result);
    }
}

@compute @workgroup_size(FOURS, FOURS)
fn matmul_int8(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = workgroup_number(workgroup, workgroups);
    let tiles_across = (dims.end_column - dims.first_column + SIDE - 1u) / SIDE;
    let row = dims.first_row + tile / tiles_across * SIDE;
    let column = dims.first_column + tile % tiles_across * SIDE;

    // The steps are written out: compilers are not told to unroll loops.
    var sums: Sums;
    for (var first_word = 0u; first_word < dims.words; first_word += STEP) {
        stage(thread, row, column, first_word);
        workgroupBarrier(); // both tiles are in place
        sums = plus(sums, 0u, local.xy);
        sums = plus(sums, 1u, local.xy);
        sums = plus(sums, 2u, local.xy);
        sums = plus(sums, 3u, local.xy);
        sums = plus(sums, 4u, local.xy);
        sums = plus(sums, 5u, local.xy);
        sums = plus(sums, 6u, local.xy);
        sums = plus(sums, 7u, local.xy);
        workgroupBarrier(); // both tiles have been read
    }

    let first_row = row + 4u * local.y;
    let first_column = column + 4u * local.x;
    store(first_row, first_column, sums.a);
    store(first_row + 1u, first_column, sums.b);
    store(first_row + 2u, first_column, sums.c);
    store(first_row + 3u, first_column, sums.d);
}
