// db_m = Σ_i dt_im        the rows of dT are added up, one number per column remains
//
// Shapes      dt rows × columns, db columns
// Layout      row-major, dense
// Grid        one workgroup of 32 × 8 threads per 32 columns, folded into x and y, slabs in z; the 8
//             threads of a column each add every eighth row of the slab, then one thread adds the 8
//             partial sums
// Order       fixed: the same input gives the same bits
// Edges       columns past the end are neither read nor written; rows = 0 gives 0
// Slabs       many rows are dealt out to several workgroups: each stores its part as a row of a
//             matrix of as many rows, and this kernel sums that matrix in turn
// Passes      a long sum is taken in several dispatches: this one adds the rows first_row to
//             end_row. The first overwrites db, the others ADD to what the one before has stored
// Parts       fold
// Host        src/linear/algorithms/sum_rows.rs

const COLUMNS: u32 = 32u;
const LANES: u32 = 8u;
const THREADS: u32 = COLUMNS * LANES;
const BY_EIGHT: bool = true; // where there are 64 rows or more

alias Summed = f32; // what dt is stored as, f32 or f16

struct Dims {
    columns: u32,
    first_row: u32,
    end_row: u32,
    slab_rows: u32,
    adds: u32, // 1 to add to db, 0 to overwrite it
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> dt: array<Summed>;
@group(0) @binding(2) var<storage, read_write> db: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

// Elements of one column, four rows that `step` elements lie between.
fn four_rows(at: u32, step: u32) -> vec4<f32> {
    return vec4<f32>(
        f32(dt[at]), f32(dt[at + step]), f32(dt[at + 2u * step]), f32(dt[at + 3u * step]));
}

// Every LANES-th row of a column, as far as eight of them are left at a time. Eight loads wait for
// memory together: they are added in the next round, or some compilers would wait for each before
// they ask for the next. `row` moves on.
fn sum_by_eight(column: u32, end_row: u32, row: ptr<function, u32>) -> f32 {
    let step = LANES * dims.columns;
    var sums = vec4<f32>();
    var loaded = vec4<f32>();
    var more = vec4<f32>();
    for (; *row + 7u * LANES < end_row; *row += 8u * LANES) {
        sums += loaded + more;
        let at = *row * dims.columns + column;
        loaded = four_rows(at, step);
        more = four_rows(at + 4u * step, step);
    }
    sums += loaded + more;
    return (sums.x + sums.y) + (sums.z + sums.w);
}

// Every LANES-th row of a column.
fn sum_of_lane(column: u32, first_row: u32, end_row: u32) -> f32 {
    var row = first_row;
    var sum = 0.0;
    if BY_EIGHT {
        sum = sum_by_eight(column, end_row, &row);
    }
    for (; row < end_row; row += LANES) {
        sum += f32(dt[row * dims.columns + column]);
    }
    return sum;
}

@compute @workgroup_size(COLUMNS, LANES)
fn sum_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let column = workgroup_number(workgroup, workgroups) * COLUMNS + local.x;
    let slab = workgroup.z;
    let begin = dims.first_row + slab * dims.slab_rows;
    let end = min(begin + dims.slab_rows, dims.end_row);
    var sum = 0.0;
    if column < dims.columns {
        sum = sum_of_lane(column, begin + local.y, end);
    }
    partial[local.y * COLUMNS + local.x] = sum;
    workgroupBarrier(); // every partial sum is in place

    if local.y == 0u && column < dims.columns {
        let at = slab * dims.columns + column;
        var total = 0.0;
        if dims.adds != 0u {
            total = db[at];
        }
        for (var lane = 0u; lane < LANES; lane++) {
            total += partial[lane * COLUMNS + local.x];
        }
        db[at] = total;
    }
}
