// db_m = Σ_i dt_im        the rows of dT are added up, one number per column remains
//
// Shapes      dt rows × columns, db columns
// Layout      row-major, dense
// Grid        one workgroup of 32 × 8 threads per 32 columns, folded into x and y; the 8 threads of
//             a column each add every eighth row, then one thread adds the 8 partial sums in a
//             fixed order: the same input gives the same bits
// Edges       columns past the end are neither read nor written; rows = 0 gives 0
// Passes      a long sum is taken in several dispatches: this one adds the rows first_row to
//             end_row. The first overwrites db, the others add to what the one before has stored
// Parts       fold
// Host        src/linear/algorithms/sum_rows.rs

const COLUMNS: u32 = 32u;
const LANES: u32 = 8u;
const THREADS: u32 = COLUMNS * LANES;

struct Dims {
    columns: u32,
    first_row: u32,
    end_row: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dt: array<f32>;
@group(0) @binding(2) var<storage, read_write> db: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(COLUMNS, LANES)
fn sum_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let column = workgroup_number(workgroup, workgroups) * COLUMNS + local.x;
    var sum = 0.0;
    if column < dims.columns {
        for (var row = dims.first_row + local.y; row < dims.end_row; row += LANES) {
            sum += dt[row * dims.columns + column];
        }
    }
    partial[local.y * COLUMNS + local.x] = sum;
    workgroupBarrier(); // every partial sum is in place

    if local.y == 0u && column < dims.columns {
        var total = 0.0;
        if dims.first_row > 0u {
            total = db[column];
        }
        for (var lane = 0u; lane < LANES; lane++) {
            total += partial[lane * COLUMNS + local.x];
        }
        db[column] = total;
    }
}
