// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For products too small to stage, and for sums of few terms: each thread reads what it needs.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one thread per block of 4 × 4 elements in workgroups of 64, blocks numbered along the
//             rows, folded into x and y, slabs in z
// Edges       rows and columns past the end repeat the last, and what becomes of them is not
//             stored; terms past the end give 0; k = 0 gives the epilogue of 0
// Parts       dims, fold, operands/*, whole_blocks, epilogue
// Host        src/linear/algorithms/naive.rs

const WORKGROUP: u32 = 64u;

// Of a thread.
const TILE_ROWS: u32 = 4u;
const TILE_COLUMNS: u32 = 4u;

struct Sums {
    products: mat4x4<f32>,
    columns: vec4<f32>,
}

// Four terms of all sums of a thread.
fn add_block(left: mat4x4<f32>, right: mat4x4<f32>, sums: ptr<function, Sums>) {
    (*sums).products += right * transpose(left);
    if SUM_COLUMNS {
        (*sums).columns += right[0] + right[1] + right[2] + right[3];
    }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_naive(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let block = workgroup_number(workgroup, workgroups) * WORKGROUP + thread;
    let blocks_across = (dims.end_column - dims.first_column + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let row = dims.first_row + block / blocks_across * TILE_ROWS;
    let column = dims.first_column + block % blocks_across * TILE_COLUMNS;
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = max(begin, min(begin + dims.slab_terms, dims.end_k));
    let end_whole = begin + (end - begin) / 4u * 4u;

    var sums: Sums;
    var left_at = left_block_at(row, begin, 4u);
    var right_at = right_block_at(begin, column, 4u);
    for (var k = begin; k < end_whole; k += 4u) {
        add_block(left_whole_block(left_at), right_whole_block(right_at), &sums);
        left_at.rows += left_at.step;
        right_at.rows += right_at.step;
    }
    if end_whole < end {
        add_block(left_block(row, end_whole, end), right_block(end_whole, column, end), &sums);
    }

    let first = addend(column);
    for (var i = 0u; i < TILE_ROWS; i++) {
        store(row + i, column, slab, sums.products[i] + first);
    }
    if SUM_COLUMNS && row == 0u {
        store_columns(column, slab, sums.columns);
    }
}
