// The left factor of a matrix product, of any size: four elements are loaded one by one.
//
// Edges       elements outside the given range are loaded as 0, without a branch
// See         left_factor/vec4.wgsl for rows of a multiple of 4 elements

const LEFT_IS_TRANSPOSED: bool = false;

alias Left = f32; // what it is stored as, f32 or f16

@group(0) @binding(1) var<storage, read> left: array<Left>;

// Four elements of the stored left factor, from (row, column) on.
fn load_left(row: u32, column: u32, end_row: u32, end_column: u32) -> vec4<f32> {
    let wanted = inside(row, column, end_row, end_column);
    let stride = select(dims.k, dims.m, LEFT_IS_TRANSPOSED);
    let at = select(vec4<u32>(), (row - dims.left_base) * stride + column + NEXT, wanted);
    let loaded = vec4<f32>(
        f32(left[at.x]), f32(left[at.y]), f32(left[at.z]), f32(left[at.w]));
    return select(vec4<f32>(), loaded, wanted);
}
