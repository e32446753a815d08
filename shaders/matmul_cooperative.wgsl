// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For GPUs with matrix units: a workgroup stages a tile of each factor as f16, and each of its four
// subgroups has a unit multiply matrices of MATRIX × MATRIX elements of them. Sums are f32.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one workgroup of four subgroups of LANES threads per square tile of TILE_ROWS ×
//             TILE_COLUMNS elements; tiles numbered along the rows and folded into x and y, slabs in
//             z. Each subgroup owns OWNED × OWNED matrices of sums, and each thread stages a block
//             of 4 × 4 elements of either factor or of both
// Rounding    factors of f32 are rounded to f16 as they are staged; column sums are of what is stored
// Edges       rows and columns past the end repeat the last, and what becomes of them is not
//             stored; terms past the end give 0; k = 0 gives the epilogue of 0
// Order       terms by MATRIX at a time, within these as the unit adds; column sums in four parts,
//             added up at the end
// Parts       dims, fold, operands/*, whole_blocks, epilogue, matrices/*
// Host        src/linear/algorithms/cooperative.rs

const LANES: u32 = 32u; // threads of a subgroup
const OWNED: u32 = 4u; // matrices of a subgroup, along rows and along columns: 2 or 4

const TILE_ROWS: u32 = 2u * OWNED * MATRIX;
const TILE_COLUMNS: u32 = TILE_ROWS;
const TILE_K: u32 = 16u; // terms staged at a time
const BLOCKS: u32 = TILE_K / 4u;
const ACROSS: u32 = TILE_COLUMNS / 4u; // quads of a tile
const STAGED: u32 = BLOCKS * ACROSS; // blocks of a tile
const THREADS: u32 = 4u * LANES;
// Whether there are threads enough that none stages a block of both factors.
const APART: bool = THREADS >= 2u * STAGED;

// Rows of op(left), then columns of op(right), the terms of each side by side. A row takes so much
// that neighbouring ones begin at different banks. Vectors under matrices are not right everywhere.
const STRIDE: u32 = TILE_K + 8u;
const RIGHT_TILE: u32 = TILE_ROWS * STRIDE;
var<workgroup> tiles: array<f16, 2u * RIGHT_TILE>;

// A matrix of sums of each subgroup, on the way to the epilogue; sums of columns.
const PATCH: u32 = MATRIX * MATRIX;
var<workgroup> patches: array<f32, 4u * PATCH>;

// Named and not an array: not every compiler keeps an array in registers.
struct Sums {
    s00: SumMatrix, s01: SumMatrix, s10: SumMatrix, s11: SumMatrix,
    // Where OWNED is 4.
    s02: SumMatrix, s03: SumMatrix, s12: SumMatrix, s13: SumMatrix,
    s20: SumMatrix, s21: SumMatrix, s22: SumMatrix, s23: SumMatrix,
    s30: SumMatrix, s31: SumMatrix, s32: SumMatrix, s33: SumMatrix,
}

fn left_matrix(row: u32, k: u32) -> LeftMatrix {
    let at = row * STRIDE + k;
    return coopLoadT<LeftMatrix>(&tiles[at], STRIDE);
}

fn right_matrix(column: u32, k: u32) -> RightMatrix {
    let at = RIGHT_TILE + column * STRIDE + k;
    return coopLoad<RightMatrix>(&tiles[at], STRIDE);
}

// MATRIX terms of all sums of a subgroup.
fn add_terms(row: u32, column: u32, k: u32, sums: ptr<function, Sums>) {
    let a0 = left_matrix(row, k);
    let a1 = left_matrix(row + MATRIX, k);
    let b0 = right_matrix(column, k);
    let b1 = right_matrix(column + MATRIX, k);
    (*sums).s00 = coopMultiplyAdd(a0, b0, (*sums).s00);
    (*sums).s01 = coopMultiplyAdd(a0, b1, (*sums).s01);
    (*sums).s10 = coopMultiplyAdd(a1, b0, (*sums).s10);
    (*sums).s11 = coopMultiplyAdd(a1, b1, (*sums).s11);
    if OWNED == 4u {
        let a2 = left_matrix(row + 2u * MATRIX, k);
        let a3 = left_matrix(row + 3u * MATRIX, k);
        let b2 = right_matrix(column + 2u * MATRIX, k);
        let b3 = right_matrix(column + 3u * MATRIX, k);
        (*sums).s02 = coopMultiplyAdd(a0, b2, (*sums).s02);
        (*sums).s03 = coopMultiplyAdd(a0, b3, (*sums).s03);
        (*sums).s12 = coopMultiplyAdd(a1, b2, (*sums).s12);
        (*sums).s13 = coopMultiplyAdd(a1, b3, (*sums).s13);
        (*sums).s20 = coopMultiplyAdd(a2, b0, (*sums).s20);
        (*sums).s21 = coopMultiplyAdd(a2, b1, (*sums).s21);
        (*sums).s22 = coopMultiplyAdd(a2, b2, (*sums).s22);
        (*sums).s23 = coopMultiplyAdd(a2, b3, (*sums).s23);
        (*sums).s30 = coopMultiplyAdd(a3, b0, (*sums).s30);
        (*sums).s31 = coopMultiplyAdd(a3, b1, (*sums).s31);
        (*sums).s32 = coopMultiplyAdd(a3, b2, (*sums).s32);
        (*sums).s33 = coopMultiplyAdd(a3, b3, (*sums).s33);
    }
}

// All terms of the staged tiles.
fn add_tiles(row: u32, column: u32, sums: ptr<function, Sums>) {
    add_terms(row, column, 0u, sums);
    if MATRIX == 8u {
        add_terms(row, column, 8u, sums);
    }
}

// Where a thread's block of a tile lies: the first of its four rows of op(left) or columns of
// op(right), and its first term. Neighbouring threads take neighbours along whichever index is
// contiguous in memory, so that loads coalesce.
fn place(i: u32, along_k: bool) -> vec2<u32> {
    return 4u * select(vec2<u32>(i % ACROSS, i / ACROSS), vec2<u32>(i / BLOCKS, i % BLOCKS), along_k);
}

// A block as it is stored: not converted before it is staged, or everyone would wait for it first.
struct LeftBlock {
    a: LeftStored,
    b: LeftStored,
    c: LeftStored,
    d: LeftStored,
}

struct RightBlock {
    a: RightStored,
    b: RightStored,
    c: RightStored,
    d: RightStored,
}

fn load_left_block(at: BlockAt) -> LeftBlock {
    return LeftBlock(
        left_stored_four(at.rows.x, at.columns), left_stored_four(at.rows.y, at.columns),
        left_stored_four(at.rows.z, at.columns), left_stored_four(at.rows.w, at.columns));
}

fn load_right_block(at: BlockAt) -> RightBlock {
    return RightBlock(
        right_stored_four(at.rows.x, at.columns), right_stored_four(at.rows.y, at.columns),
        right_stored_four(at.rows.z, at.columns), right_stored_four(at.rows.w, at.columns));
}

// Four terms of a row.
fn stage_four(at: u32, terms: vec4<f16>) {
    tiles[at] = terms.x;
    tiles[at + 1u] = terms.y;
    tiles[at + 2u] = terms.z;
    tiles[at + 3u] = terms.w;
}

// A block: rows where these lie along k, else terms.
fn stage(at: u32, block: mat4x4<f16>, along_k: bool) {
    var rows = block;
    if !along_k {
        rows = transpose(block);
    }
    stage_four(at, rows[0]);
    stage_four(at + STRIDE, rows[1]);
    stage_four(at + 2u * STRIDE, rows[2]);
    stage_four(at + 3u * STRIDE, rows[3]);
}

fn stage_left(at: u32, block: LeftBlock) {
    let halves = mat4x4<f16>(
        vec4<f16>(block.a), vec4<f16>(block.b), vec4<f16>(block.c), vec4<f16>(block.d));
    stage(at, halves, !LEFT_IS_TRANSPOSED);
}

fn stage_right(at: u32, block: RightBlock) {
    let halves = mat4x4<f16>(
        vec4<f16>(block.a), vec4<f16>(block.b), vec4<f16>(block.c), vec4<f16>(block.d));
    stage(at, halves, RIGHT_IS_TRANSPOSED);
}

// One vector for each term.
fn stage_terms(at: u32, block: mat4x4<f32>) {
    let halves = mat4x4<f16>(
        vec4<f16>(block[0]), vec4<f16>(block[1]), vec4<f16>(block[2]), vec4<f16>(block[3]));
    stage(at, halves, false);
}

fn sum_of_terms(block: mat4x4<f32>) -> vec4<f32> {
    return block[0] + block[1] + (block[2] + block[3]);
}

fn sum_of_stored_terms(block: RightBlock) -> vec4<f32> {
    return vec4<f32>(block.a) + vec4<f32>(block.b) + (vec4<f32>(block.c) + vec4<f32>(block.d));
}

@compute @workgroup_size(THREADS)
fn matmul_cooperative(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = workgroup_number(workgroup, workgroups);
    let tiles_across = (dims.end_column - dims.first_column + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let row = dims.first_row + tile / tiles_across * TILE_ROWS;
    let column = dims.first_column + tile % tiles_across * TILE_COLUMNS;
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = max(begin, min(begin + dims.slab_terms, dims.end_k));

    // What this thread stages, in every step the same.
    let right_thread = select(thread, thread - STAGED, APART);
    let stages_left = !APART || thread < STAGED;
    let stages_right = !APART || right_thread < STAGED;
    let left_place = place(thread, !LEFT_IS_TRANSPOSED);
    let right_place = place(right_thread, RIGHT_IS_TRANSPOSED);
    let left_to = left_place.x * STRIDE + left_place.y;
    let right_to = RIGHT_TILE + right_place.x * STRIDE + right_place.y;
    var left_at: BlockAt;
    var right_at: BlockAt;
    var left_values: LeftBlock;
    var right_values: RightBlock;
    let has_whole_step = begin + TILE_K < end;
    if stages_left && has_whole_step {
        left_at = left_block_at(row + left_place.x, begin + left_place.y, TILE_K);
        left_values = load_left_block(left_at);
    }
    if stages_right && has_whole_step {
        right_at = right_block_at(begin + right_place.y, column + right_place.x, TILE_K);
        right_values = load_right_block(right_at);
    }

    let subgroup = thread / LANES;
    let own_row = subgroup / 2u * OWNED * MATRIX;
    let own_column = subgroup % 2u * OWNED * MATRIX;
    var sums: Sums;
    var column_sum: vec4<f32>;
    var k = begin;
    for (; k + TILE_K < end; k += TILE_K) {
        if stages_left {
            stage_left(left_to, left_values);
        }
        if stages_right {
            stage_right(right_to, right_values);
            if SUM_COLUMNS {
                column_sum += sum_of_stored_terms(right_values);
            }
        }
        workgroupBarrier(); // both tiles are complete
        // The next blocks, while these are multiplied. What is loaded before the last step is not
        // used.
        let has_next = k + 2u * TILE_K < end;
        if stages_left {
            left_at.rows += select(0u, left_at.step, has_next);
            left_values = load_left_block(left_at);
        }
        if stages_right {
            right_at.rows += select(0u, right_at.step, has_next);
            right_values = load_right_block(right_at);
        }
        add_tiles(own_row, own_column, &sums);
        workgroupBarrier(); // everyone has read before the next tiles overwrite
    }
    // The last step, of TILE_K terms or fewer.
    if stages_left {
        stage_terms(left_to, left_block(row + left_place.x, k + left_place.y, end));
    }
    if stages_right {
        let block = right_block(k + right_place.y, column + right_place.x, end);
        stage_terms(right_to, block);
        if SUM_COLUMNS {
            column_sum += sum_of_terms(block);
        }
    }
    workgroupBarrier(); // both tiles are complete
    add_tiles(own_row, own_column, &sums);

    finish_all(thread, row + own_row, column + own_column, slab, &sums);
    if SUM_COLUMNS && row == 0u {
        if stages_right {
            let at = (right_place.y / 4u * ACROSS + right_place.x / 4u) * 4u;
            patches[at] = column_sum.x;
            patches[at + 1u] = column_sum.y;
            patches[at + 2u] = column_sum.z;
            patches[at + 3u] = column_sum.w;
        }
        workgroupBarrier(); // the four parts of every sum are in place
        if thread < ACROSS {
            let parts = mat4x4<f32>(
                patch_four(4u * thread), patch_four(4u * (ACROSS + thread)),
                patch_four(4u * (2u * ACROSS + thread)), patch_four(4u * (3u * ACROSS + thread)));
            store_columns(column + 4u * thread, slab, sum_of_terms(parts));
        }
    }
}

fn patch_four(at: u32) -> vec4<f32> {
    return vec4<f32>(patches[at], patches[at + 1u], patches[at + 2u], patches[at + 3u]);
}

// All sums of a subgroup, the first of which is that of (row, column).
fn finish_all(thread: u32, row: u32, column: u32, slab: u32, sums: ptr<function, Sums>) {
    finish(thread, row, column, slab, (*sums).s00);
    finish(thread, row, column + MATRIX, slab, (*sums).s01);
    finish(thread, row + MATRIX, column, slab, (*sums).s10);
    finish(thread, row + MATRIX, column + MATRIX, slab, (*sums).s11);
    if OWNED == 4u {
        finish(thread, row, column + 2u * MATRIX, slab, (*sums).s02);
        finish(thread, row, column + 3u * MATRIX, slab, (*sums).s03);
        finish(thread, row + MATRIX, column + 2u * MATRIX, slab, (*sums).s12);
        finish(thread, row + MATRIX, column + 3u * MATRIX, slab, (*sums).s13);
        finish(thread, row + 2u * MATRIX, column, slab, (*sums).s20);
        finish(thread, row + 2u * MATRIX, column + MATRIX, slab, (*sums).s21);
        finish(thread, row + 2u * MATRIX, column + 2u * MATRIX, slab, (*sums).s22);
        finish(thread, row + 2u * MATRIX, column + 3u * MATRIX, slab, (*sums).s23);
        finish(thread, row + 3u * MATRIX, column, slab, (*sums).s30);
        finish(thread, row + 3u * MATRIX, column + MATRIX, slab, (*sums).s31);
        finish(thread, row + 3u * MATRIX, column + 2u * MATRIX, slab, (*sums).s32);
        finish(thread, row + 3u * MATRIX, column + 3u * MATRIX, slab, (*sums).s33);
    }
}

// One matrix of sums through workgroup memory, where its elements have names, to the epilogue.
fn finish(thread: u32, row: u32, column: u32, slab: u32, sum: SumMatrix) {
    let patch_at = thread / LANES * PATCH;
    let stride = MATRIX;
    coopStoreT(sum, &patches[patch_at], stride);
    workgroupBarrier(); // the matrix is complete
    for (var i = thread % LANES; i < PATCH / 4u; i += LANES) {
        let r = i / (MATRIX / 4u);
        let c = column + i % (MATRIX / 4u) * 4u;
        store(row + r, c, slab, patch_four(patch_at + 4u * i) + addend(c));
    }
    workgroupBarrier(); // it has been read before the next one overwrites it
}
