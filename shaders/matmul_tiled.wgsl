// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For GPUs: a workgroup stages a tile of each factor in workgroup memory, and each thread
// multiplies what it holds in registers.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one workgroup of THREADS threads per tile of TILE_ROWS × TILE_COLUMNS elements; tiles
//             numbered along the rows and folded into x and y, slabs in z. Each thread owns 4 QUADS
//             rows and VECTORS vectors of 4 columns
// Edges       loads outside an operand give 0, stores outside the product are left out; k = 0 gives
//             the epilogue of 0
// Parts       dims, fold, operands/*, blocks, epilogue
// Host        src/linear/algorithms/tiled.rs

const TILE_ROWS: u32 = 64u;
const TILE_COLUMNS: u32 = 64u;
const TILE_K: u32 = 16u; // depth staged at a time
const QUADS: u32 = 1u; // of 4 rows a thread
const VECTORS: u32 = 1u; // of 4 columns a thread

const ROW_QUADS: u32 = TILE_ROWS / 4u;
const COLUMN_QUADS: u32 = TILE_COLUMNS / 4u;
const THREADS_X: u32 = COLUMN_QUADS / VECTORS;
const THREADS_Y: u32 = ROW_QUADS / QUADS;
const THREADS: u32 = THREADS_X * THREADS_Y;
const LEFT_BLOCKS: u32 = ROW_QUADS * TILE_K / 4u;
const RIGHT_BLOCKS: u32 = COLUMN_QUADS * TILE_K / 4u;

// Both tiles are staged with k as the slow index: the inner loop then reads neighbouring vectors.
var<workgroup> left_tile: array<vec4<f32>, TILE_K * ROW_QUADS>;
var<workgroup> right_tile: array<vec4<f32>, TILE_K * COLUMN_QUADS>;

// Neighbouring threads take neighbouring blocks along whichever index is contiguous in memory, so
// that loads coalesce.

fn stage_left(i: u32, row: u32, k: u32, end_k: u32) {
    let across = select(TILE_K / 4u, ROW_QUADS, LEFT_IS_TRANSPOSED);
    let slow = i / across;
    let fast = i % across;
    let quad = select(slow, fast, LEFT_IS_TRANSPOSED);
    let depth = 4u * select(fast, slow, LEFT_IS_TRANSPOSED);
    let block = left_block(row + 4u * quad, k + depth, end_k);
    left_tile[depth * ROW_QUADS + quad] = block[0];
    left_tile[(depth + 1u) * ROW_QUADS + quad] = block[1];
    left_tile[(depth + 2u) * ROW_QUADS + quad] = block[2];
    left_tile[(depth + 3u) * ROW_QUADS + quad] = block[3];
}

fn stage_right(i: u32, k: u32, column: u32, end_k: u32) {
    let across = select(COLUMN_QUADS, TILE_K / 4u, RIGHT_IS_TRANSPOSED);
    let slow = i / across;
    let fast = i % across;
    let quad = select(fast, slow, RIGHT_IS_TRANSPOSED);
    let depth = 4u * select(slow, fast, RIGHT_IS_TRANSPOSED);
    let block = right_block(k + depth, column + 4u * quad, end_k);
    right_tile[depth * COLUMN_QUADS + quad] = block[0];
    right_tile[(depth + 1u) * COLUMN_QUADS + quad] = block[1];
    right_tile[(depth + 2u) * COLUMN_QUADS + quad] = block[2];
    right_tile[(depth + 3u) * COLUMN_QUADS + quad] = block[3];
}

fn stage(thread: u32, row: u32, k: u32, column: u32, end_k: u32) {
    for (var i = thread; i < LEFT_BLOCKS + RIGHT_BLOCKS; i += THREADS) {
        if i < LEFT_BLOCKS {
            stage_left(i, row, k, end_k);
        } else {
            stage_right(i - LEFT_BLOCKS, k, column, end_k);
        }
    }
}

// Sixteen multiply-adds, written out: not every compiler unrolls.
fn multiply_add(sum: mat4x4<f32>, rows: vec4<f32>, columns: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(rows.x), columns, sum[0]), fma(vec4<f32>(rows.y), columns, sum[1]),
        fma(vec4<f32>(rows.z), columns, sum[2]), fma(vec4<f32>(rows.w), columns, sum[3]));
}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn matmul_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let tile = workgroup_number(workgroup, workgroups);
    let tiles_across = (dims.end_column - dims.first_column + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let row = dims.first_row + tile / tiles_across * TILE_ROWS;
    let column = dims.first_column + tile % tiles_across * TILE_COLUMNS;
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = min(begin + dims.slab_terms, dims.end_k);
    let thread = local.y * THREADS_X + local.x;
    let sums_columns = SUM_COLUMNS && row == 0u;

    var sums: array<array<mat4x4<f32>, VECTORS>, QUADS>;
    var column_sums: array<vec4<f32>, VECTORS>;
    for (var k = begin; k < end; k += TILE_K) {
        stage(thread, row, k, column, end);
        workgroupBarrier(); // both tiles are complete before anyone reads them
        for (var depth = 0u; depth < TILE_K; depth++) {
            var columns: array<vec4<f32>, VECTORS>;
            for (var v = 0u; v < VECTORS; v++) {
                columns[v] = right_tile[depth * COLUMN_QUADS + v * THREADS_X + local.x];
            }
            for (var q = 0u; q < QUADS; q++) {
                let rows = left_tile[depth * ROW_QUADS + q * THREADS_Y + local.y];
                for (var v = 0u; v < VECTORS; v++) {
                    sums[q][v] = multiply_add(sums[q][v], rows, columns[v]);
                }
            }
            if sums_columns {
                for (var v = 0u; v < VECTORS; v++) {
                    column_sums[v] += columns[v];
                }
            }
        }
        workgroupBarrier(); // everyone has read before the next tiles overwrite
    }

    for (var v = 0u; v < VECTORS; v++) {
        let first_column = column + 4u * (v * THREADS_X + local.x);
        let first = addend(first_column);
        for (var q = 0u; q < QUADS; q++) {
            let first_row = row + 4u * (q * THREADS_Y + local.y);
            for (var i = 0u; i < 4u; i++) {
                store(first_row + i, first_column, slab, sums[q][v][i] + first);
            }
        }
        if sums_columns && local.y == 0u {
            store_columns(first_column, slab, column_sums[v]);
        }
    }
}
