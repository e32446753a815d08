// product = left · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj, for few columns
//
// For adapters that run on the CPU in subgroups of eight threads: too few columns to give each
// thread its own, so the terms are dealt out instead. No barriers and no staged tiles.
//
// Shapes      left m × k, op(right) k × n, product m × n with n <= TILE_COLUMNS
// Layout      row-major, dense; a transposed right factor is stored as n × k
// Grid        one workgroup of 8 threads per 8 GROUPS rows, folded into x and y, slabs in z; each
//             thread owns 4 of every 32 terms, for all results of the tile. Then the threads add
//             their sums up, always in the same order
// Edges       loads outside an operand give 0, stores outside the product are left out; k = 0 gives
//             the epilogue of 0
// Parts       dims, fold, operands/*, blocks, epilogue
// Host        src/linear/algorithms/narrow.rs

const GROUPS: u32 = 2u; // of 8 rows
const VECTORS: u32 = 1u; // of 4 columns

const LANES: u32 = 8u;
const TILE_ROWS: u32 = 8u * GROUPS;
const TILE_COLUMNS: u32 = 4u * VECTORS;

// One copy of the epilogue, in a loop that is not unrolled, keeps compilers quick; what such a loop
// indexes cannot stay in registers.
var<workgroup> totals: array<vec4<f32>, TILE_ROWS * VECTORS>;

// Half of the threads are left with `low` and the others with `high`, each added to what the thread
// at this distance has of it.
fn halve(low: vec4<f32>, high: vec4<f32>, lane: u32, distance: u32) -> vec4<f32> {
    let takes_high = (lane & distance) != 0u;
    let given = select(high, low, takes_high);
    return select(low, high, takes_high) + subgroupShuffleXor(given, distance);
}

@compute @workgroup_size(LANES)
fn matmul_narrow(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let lane = local.x;
    let row = dims.first_row + workgroup_number(workgroup, workgroups) * TILE_ROWS;
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = min(begin + dims.slab_terms, dims.end_k);

    // The loops below have constant bounds: compilers unroll them, and the arrays become registers.
    var sums: array<array<array<vec4<f32>, 8>, VECTORS>, GROUPS>;
    for (var step = begin; step < end; step += 4u * LANES) {
        let k = step + 4u * lane;
        var blocks: array<mat4x4<f32>, VECTORS>;
        for (var v = 0u; v < VECTORS; v++) {
            blocks[v] = right_block(k, dims.first_column + 4u * v, end);
        }
        for (var g = 0u; g < GROUPS; g++) {
            for (var r = 0u; r < 8u; r++) {
                let terms = load_left(row + 8u * g + r, k, dims.end_row, end);
                for (var v = 0u; v < VECTORS; v++) {
                    sums[g][v][r] += blocks[v] * terms;
                }
            }
        }
    }

    // Each thread ends with the total of one row of the eight, and leaves it where only itself will
    // look, so no barrier is needed.
    for (var g = 0u; g < GROUPS; g++) {
        for (var v = 0u; v < VECTORS; v++) {
            let even = halve(
                halve(sums[g][v][0], sums[g][v][4], lane, 4u),
                halve(sums[g][v][2], sums[g][v][6], lane, 4u), lane, 2u);
            let odd = halve(
                halve(sums[g][v][1], sums[g][v][5], lane, 4u),
                halve(sums[g][v][3], sums[g][v][7], lane, 4u), lane, 2u);
            totals[(g * VECTORS + v) * LANES + lane] = halve(even, odd, lane, 1u);
        }
    }
    for (var v = 0u; v < VECTORS; v++) {
        let column = dims.first_column + 4u * v;
        let first = addend(column);
        for (var r = 0u; r < min(TILE_ROWS, max(dims.end_row, row) - row); r += 8u) {
            let total = totals[(r / 8u * VECTORS + v) * LANES + lane];
            store(row + r + lane, column, slab, total + first);
        }
    }
}
