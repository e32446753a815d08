// Operands of a matrix product whose rows all hold a multiple of 4 elements: one load or store
// moves four.
//
// Bindings    right: a factor; bias: n; t: argument of the activation, m × n; product,
//             activated: m × n; db: n
// Edges       loads outside the given range give 0, so that no load needs a branch; the callers
//             store inside only
// Parts       left_factor/*, fours/*
// See         operands/f32.wgsl for all other sizes: the same functions, element by element

const RIGHT_IS_TRANSPOSED: bool = false;

// What numbers are stored as, f32 or f16. All others are f32, and so is whatever is computed.
alias Right = f32; // the right factor
alias Result = f32; // t, product, activated

@group(0) @binding(2) var<storage, read> right: array<RightFour>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> t: array<vec4<Result>>;
@group(0) @binding(5) var<storage, read_write> product: array<vec4<Result>>;
@group(0) @binding(6) var<storage, read_write> activated: array<vec4<Result>>;
@group(0) @binding(7) var<storage, read_write> db: array<vec4<f32>>;

// Four elements of the stored right factor, from (row, column) on.
fn load_right(row: u32, column: u32, end_row: u32, end_column: u32) -> vec4<f32> {
    let inside = (row < end_row) & (column < end_column);
    let stride = select(dims.n, dims.k, RIGHT_IS_TRANSPOSED);
    let at = select(0u, ((row - dims.right_base) * stride + column) / 4u, inside);
    return select(vec4<f32>(), right_as_f32(right[at]), inside);
}

fn in_product(row: u32, column: u32) -> u32 {
    return ((row - dims.product_base) * dims.n + column) / 4u;
}

fn load_bias(column: u32) -> vec4<f32> {
    return bias[column / 4u];
}

fn load_t(row: u32, column: u32) -> vec4<f32> {
    return vec4<f32>(t[in_product(row, column)]);
}

fn load_product(row: u32, column: u32) -> vec4<f32> {
    return vec4<f32>(product[in_product(row, column)]);
}

fn load_db(column: u32) -> vec4<f32> {
    return db[column / 4u];
}

fn store_product(row: u32, column: u32, value: vec4<f32>) {
    product[in_product(row, column)] = vec4<Result>(value);
}

fn store_activated(row: u32, column: u32, value: vec4<f32>) {
    activated[in_product(row, column)] = vec4<Result>(value);
}

fn store_db(column: u32, value: vec4<f32>) {
    db[column / 4u] = value;
}
