// product = Σ_s slab_s, then the epilogue
//
// The second half of a product whose terms were dealt out to several slabs
//
// Shapes      left holds `slabs` slabs of slab_rows × n, each a partial product, the last row its
//             column sums where SUM_COLUMNS asks for them; product m × n
// Layout      row-major, dense
// Grid        one thread per 4 columns of a row in workgroups of 64, numbered along the rows and
//             folded into x and y
// Order       slab after slab: the same input gives the same bits
// Loads       of AT_ONCE slabs, so that they wait for memory together; those past the last give 0.
//             The host sets k to n, the row length of what is loaded
// Parts       dims, fold, operands/*, epilogue
// Host        src/linear/algorithms/slabs.rs

const WORKGROUP: u32 = 64u;
const AT_ONCE: u32 = 8u; // slabs

@compute @workgroup_size(WORKGROUP)
fn sum_slabs(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let quad = workgroup_number(workgroup, workgroups) * WORKGROUP + thread;
    let quads_across = (dims.n + 3u) / 4u;
    let row = quad / quads_across;
    let column = quad % quads_across * 4u;
    if row >= dims.slab_rows {
        return;
    }
    var sum = vec4<f32>();
    let end = dims.slabs * dims.slab_rows;
    for (var first = row; first < end; first += AT_ONCE * dims.slab_rows) {
        var loaded: array<vec4<f32>, AT_ONCE>;
        for (var i = 0u; i < AT_ONCE; i++) {
            loaded[i] = load_left(first + i * dims.slab_rows, column, end, dims.n);
        }
        for (var i = 0u; i < AT_ONCE; i++) {
            sum += loaded[i];
        }
    }
    if row < dims.m {
        store(row, column, 0u, sum + addend(column));
    } else {
        store_columns(column, 0u, sum);
    }
}
