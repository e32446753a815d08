// product = left · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj, for m <= TILE_ROWS
//
// Few rows: the time goes into reading the right factor, once. Its terms are dealt out to SLICES
// threads, which keep many loads in flight.
//
// Shapes      left m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed right factor is stored as n × k
// Grid        one workgroup of 256 threads per 4 QUADS columns, folded into x and y, slabs in z;
//             each thread owns TILE_ROWS vectors of 4 columns and every SLICES-th block of 4 terms.
//             Then one thread a column adds the partial sums in a fixed order
// Edges       rows and columns past the end repeat the last, and what becomes of them is not
//             stored; terms past the end give 0; k = 0 gives the epilogue of 0
// Parts       dims, fold, operands/*, whole_blocks, epilogue
// Host        src/linear/algorithms/small_batch.rs

const TILE_ROWS: u32 = 8u;

const QUADS: u32 = 16u; // of 4 columns a workgroup
const SLICES: u32 = 16u;

const TILE_COLUMNS: u32 = 4u * QUADS;

var<workgroup> partial: array<vec4<f32>, QUADS * SLICES>;

@compute @workgroup_size(QUADS * SLICES)
fn matmul_small_batch(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    // Neighbouring threads read neighbouring memory: columns, or terms where the factor is
    // transposed.
    let quad = select(thread % QUADS, thread / SLICES, RIGHT_IS_TRANSPOSED);
    let slice = select(thread / QUADS, thread % SLICES, RIGHT_IS_TRANSPOSED);
    let column = dims.first_column + 4u * (workgroup_number(workgroup, workgroups) * QUADS + quad);
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = max(begin, min(begin + dims.slab_terms, dims.end_k));

    var sums: array<vec4<f32>, TILE_ROWS>;
    var k = begin + 4u * slice;
    var right_at = right_block_at(k, column, 4u * SLICES);
    for (; k + 4u <= end; k += 4u * SLICES) {
        let block = right_whole_block(right_at);
        right_at.rows += right_at.step;
        for (var row = 0u; row < TILE_ROWS; row++) {
            let stored_row = min(row, dims.end_row - 1u) - dims.left_base;
            sums[row] += block * left_four((stored_row * dims.k + k) / LEFT_WIDTH, FOUR);
        }
    }
    if k < end {
        let block = right_block(k, column, end);
        for (var row = 0u; row < TILE_ROWS; row++) {
            sums[row] += block * load_left(row, k, dims.end_row, end);
        }
    }

    let first = addend(column);
    for (var row = 0u; row < TILE_ROWS; row++) {
        partial[slice * QUADS + quad] = sums[row];
        workgroupBarrier(); // every partial sum of this row is in place
        if slice == 0u {
            var total = sums[row];
            for (var other = 1u; other < SLICES; other++) {
                total += partial[other * QUADS + quad];
            }
            store(row, column, slab, total + first);
        }
        workgroupBarrier(); // it has been read before the next row overwrites it
    }
}
