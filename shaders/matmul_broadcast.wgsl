// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For adapters that run on the CPU: no barriers and no shared tiles, which cost them dearly.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one workgroup of LANES threads per tile of 8 GROUPS × 4 LANES VECTORS elements; tiles
//             numbered along the rows and folded into x and y, slabs in z. Each thread owns all
//             rows of the tile and VECTORS vectors of 4 columns
// Edges       loads outside an operand give 0, stores outside the product are left out; k = 0 gives
//             the epilogue of 0
// Parts       dims, fold, operands/*, blocks, epilogue, left/*
// Host        src/linear/algorithms/broadcast.rs

const GROUPS: u32 = 2u; // of 8 rows
const VECTORS: u32 = 1u;
const STORE_DIRECTLY: bool = false; // where sums and epilogue are short and rows aligned

const TILE_ROWS: u32 = 8u * GROUPS;
const TILE_COLUMNS: u32 = 4u * LANES * VECTORS;

// An epilogue is long: one copy of it, in a loop that is not unrolled, keeps compilers quick (on
// llvmpipe 0.1 instead of 1.7 s). What such a loop indexes cannot stay in registers, and this is
// the cheapest other place.
var<workgroup> results: array<vec4<f32>, TILE_ROWS * VECTORS * LANES>;

@compute @workgroup_size(LANES)
fn matmul_broadcast(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let tile = workgroup_number(workgroup, workgroups);
    let tiles_across = (dims.end_column - dims.first_column + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let row = dims.first_row + tile / tiles_across * TILE_ROWS;
    let first_column = dims.first_column + tile % tiles_across * TILE_COLUMNS;
    let column = first_column + 4u * local.x;
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = min(begin + dims.slab_terms, dims.end_k);

    // The loops below have constant bounds: compilers unroll them, and the arrays become registers.
    var sums: array<array<array<vec4<f32>, 8>, VECTORS>, GROUPS>;
    var column_sums: array<vec4<f32>, VECTORS>;
    for (var k = begin; k < end; k += 4u) {
        var blocks: array<mat4x4<f32>, VECTORS>;
        for (var v = 0u; v < VECTORS; v++) {
            blocks[v] = right_block(k, column + 4u * LANES * v, end);
            if SUM_COLUMNS {
                column_sums[v] += blocks[v][0] + blocks[v][1] + blocks[v][2] + blocks[v][3];
            }
        }
        for (var g = 0u; g < GROUPS; g++) {
            let rows = load_rows(row + 8u * g, k, end, local.x);
            for (var v = 0u; v < VECTORS; v++) {
                for (var r = 0u; r < 8u; r++) {
                    sums[g][v][r] += blocks[v] * terms_of(rows, r);
                }
            }
        }
    }

    let inside = (row + TILE_ROWS <= dims.end_row)
        & (first_column + TILE_COLUMNS <= dims.end_column);
    if STORE_DIRECTLY && !(ACCUMULATE || ACTIVATE || TIMES_SLOPE) && inside {
        for (var v = 0u; v < VECTORS; v++) {
            let first = addend(column + 4u * LANES * v);
            for (var g = 0u; g < GROUPS; g++) {
                for (var r = 0u; r < 8u; r++) {
                    store_inside(row + 8u * g + r, column + 4u * LANES * v, slab,
                        sums[g][v][r] + first);
                }
            }
        }
    } else {
        // Each thread leaves its sums where only itself will look, so no barrier is needed.
        for (var g = 0u; g < GROUPS; g++) {
            for (var v = 0u; v < VECTORS; v++) {
                for (var r = 0u; r < 8u; r++) {
                    results[((8u * g + r) * VECTORS + v) * LANES + local.x] = sums[g][v][r];
                }
            }
        }
        for (var v = 0u; v < VECTORS; v++) {
            let own_column = column + 4u * LANES * v;
            let first = addend(own_column);
            for (var r = 0u; r < min(TILE_ROWS, max(dims.end_row, row) - row); r++) {
                // Not named before the call: llvmpipe then keeps other registers, and the whole
                // kernel takes 4 % longer where the left factor is transposed.
                store(row + r, own_column, slab,
                    results[(r * VECTORS + v) * LANES + local.x] + first);
            }
        }
    }
    if SUM_COLUMNS && row == 0u {
        for (var v = 0u; v < VECTORS; v++) {
            store_columns(column + 4u * LANES * v, slab, column_sums[v]);
        }
    }
}
