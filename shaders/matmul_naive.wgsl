// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For products too small to stage, and for sums of few terms: each thread reads what it needs.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one thread per block of 4 × 4 elements in workgroups of 64, blocks numbered along the
//             rows, folded into x and y, slabs in z
// Edges       loads outside an operand give 0, stores outside the product are left out; k = 0 gives
//             the epilogue of 0
// Parts       dims, fold, operands/*, blocks, epilogue
// Host        src/linear/algorithms/naive.rs

const WORKGROUP: u32 = 64u;

// Of a thread.
const TILE_ROWS: u32 = 4u;
const TILE_COLUMNS: u32 = 4u;

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
    let end = min(begin + dims.slab_terms, dims.end_k);

    var sums = mat4x4<f32>();
    var column_sum = vec4<f32>();
    for (var k = begin; k < end; k += 4u) {
        let rows = transpose(left_block(row, k, end));
        let columns = right_block(k, column, end);
        sums += columns * rows;
        if SUM_COLUMNS {
            column_sum += columns[0] + columns[1] + columns[2] + columns[3];
        }
    }

    let first = addend(column);
    for (var i = 0u; i < TILE_ROWS; i++) {
        store(row + i, column, slab, sums[i] + first);
    }
    if SUM_COLUMNS && row == 0u {
        store_columns(column, slab, column_sum);
    }
}
