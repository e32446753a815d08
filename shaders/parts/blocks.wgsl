// Blocks of 4 × 4 elements of op(left), m × k, and op(right), k × n, from wherever they are stored.
//
// Both hold one vector per term: block[u] belongs to the term k + u. A transposed factor is stored
// as k × m (left) or n × k (right).

// block[u][i] = a_(row + i)(k + u), 0 outside.
fn left_block(row: u32, k: u32, end_k: u32) -> mat4x4<f32> {
    if LEFT_IS_TRANSPOSED {
        return mat4x4<f32>(
            load_left(k, row, end_k, dims.end_row), load_left(k + 1u, row, end_k, dims.end_row),
            load_left(k + 2u, row, end_k, dims.end_row),
            load_left(k + 3u, row, end_k, dims.end_row));
    }
    return transpose(mat4x4<f32>(
        load_left(row, k, dims.end_row, end_k), load_left(row + 1u, k, dims.end_row, end_k),
        load_left(row + 2u, k, dims.end_row, end_k), load_left(row + 3u, k, dims.end_row, end_k)));
}

// block[u][j] = b_(k + u)(column + j), 0 outside.
fn right_block(k: u32, column: u32, end_k: u32) -> mat4x4<f32> {
    if RIGHT_IS_TRANSPOSED {
        return transpose(mat4x4<f32>(
            load_right(column, k, dims.end_column, end_k),
            load_right(column + 1u, k, dims.end_column, end_k),
            load_right(column + 2u, k, dims.end_column, end_k),
            load_right(column + 3u, k, dims.end_column, end_k)));
    }
    return mat4x4<f32>(
        load_right(k, column, end_k, dims.end_column),
        load_right(k + 1u, column, end_k, dims.end_column),
        load_right(k + 2u, column, end_k, dims.end_column),
        load_right(k + 3u, column, end_k, dims.end_column));
}
