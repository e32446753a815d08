// Operands of a matrix product of any size: loads and stores of four elements are made one by one.
//
// Bindings    right: a factor; bias: n; t: argument of the activation, m × n; product,
//             activated: m × n; db: n
// Edges       elements outside the given range are loaded as 0, without a branch, and not stored
// Parts       left_factor/*
// See         operands/vec4.wgsl for rows of a multiple of 4 elements: the same functions, four at
//             a time

const RIGHT_IS_TRANSPOSED: bool = false;

// What numbers are stored as, f32 or f16. All others are f32, and so is whatever is computed.
alias Right = f32; // the right factor
alias Result = f32; // t, product, activated

@group(0) @binding(2) var<storage, read> right: array<Right>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> t: array<Result>;
@group(0) @binding(5) var<storage, read_write> product: array<Result>;
@group(0) @binding(6) var<storage, read_write> activated: array<Result>;
@group(0) @binding(7) var<storage, read_write> db: array<f32>;

const NEXT = vec4<u32>(0u, 1u, 2u, 3u);

// Which of four elements from `column` on lie inside.
fn inside(row: u32, column: u32, end_row: u32, end_column: u32) -> vec4<bool> {
    return (vec4<u32>(row) < vec4<u32>(end_row))
        & (vec4<u32>(column) + NEXT < vec4<u32>(end_column));
}

// Four elements of the stored right factor, from (row, column) on.
fn load_right(row: u32, column: u32, end_row: u32, end_column: u32) -> vec4<f32> {
    let wanted = inside(row, column, end_row, end_column);
    let stride = select(dims.n, dims.k, RIGHT_IS_TRANSPOSED);
    let at = select(vec4<u32>(), (row - dims.right_base) * stride + column + NEXT, wanted);
    let loaded = vec4<f32>(
        f32(right[at.x]), f32(right[at.y]), f32(right[at.z]), f32(right[at.w]));
    return select(vec4<f32>(), loaded, wanted);
}

fn in_product(row: u32, column: u32) -> u32 {
    return (row - dims.product_base) * dims.n + column;
}

// Four columns from `column` on; those past the end repeat the last.
fn columns_from(column: u32) -> vec4<u32> {
    return min(vec4<u32>(column) + NEXT, vec4<u32>(dims.n - 1u));
}

fn load_bias(column: u32) -> vec4<f32> {
    let at = columns_from(column);
    return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

fn load_t(row: u32, column: u32) -> vec4<f32> {
    let at = in_product(row, 0u) + columns_from(column);
    return vec4<f32>(f32(t[at.x]), f32(t[at.y]), f32(t[at.z]), f32(t[at.w]));
}

fn load_product(row: u32, column: u32) -> vec4<f32> {
    let at = in_product(row, 0u) + columns_from(column);
    return vec4<f32>(f32(product[at.x]), f32(product[at.y]), f32(product[at.z]), f32(product[at.w]));
}

fn load_db(column: u32) -> vec4<f32> {
    let at = columns_from(column);
    return vec4<f32>(db[at.x], db[at.y], db[at.z], db[at.w]);
}

fn store_product(row: u32, column: u32, value: vec4<f32>) {
    let at = in_product(row, column);
    for (var j = 0u; j < min(4u, dims.n - column); j++) {
        product[at + j] = Result(value[j]);
    }
}

fn store_activated(row: u32, column: u32, value: vec4<f32>) {
    let at = in_product(row, column);
    for (var j = 0u; j < min(4u, dims.n - column); j++) {
        activated[at + j] = Result(value[j]);
    }
}

fn store_db(column: u32, value: vec4<f32>) {
    for (var j = 0u; j < min(4u, dims.n - column); j++) {
        db[column + j] = value[j];
    }
}
