// The left factor of a matrix product where its rows hold a multiple of 4 elements: one load moves
// four. Those of the other operands need not.
//
// Edges       loads outside the given range give 0, so that no load needs a branch
// Parts       fours/*
// See         left_factor/f32.wgsl for all other sizes

const LEFT_IS_TRANSPOSED: bool = false;

alias Left = f32; // what it is stored as, f32 or f16

@group(0) @binding(1) var<storage, read> left: array<LeftFour>;

// Four elements of the stored left factor, from (row, column) on.
fn load_left(row: u32, column: u32, end_row: u32, end_column: u32) -> vec4<f32> {
    let inside = (row < end_row) & (column < end_column);
    let stride = select(dims.k, dims.m, LEFT_IS_TRANSPOSED);
    let at = select(0u, ((row - dims.left_base) * stride + column) / 4u, inside);
    return select(vec4<f32>(), left_as_f32(left[at]), inside);
}
