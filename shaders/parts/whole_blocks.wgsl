// Blocks of 4 × 4 elements as in blocks.wgsl, for all terms inside: where a block lies is worked
// out once, and the way from one to the next is an addition.
//
// Edges       rows of op(left) and columns of op(right) past the end repeat the last; all four
//             terms lie inside
// Parts       blocks, left_four/*, right_four/*

const FOUR = vec4<u32>(0u, 1u, 2u, 3u); // neighbours

// Indices count elements, or vectors where the factor is bound as such.
struct BlockAt {
    rows: vec4<u32>, // where the part of each stored row begins
    columns: vec4<u32>, // its elements from there, where they are loaded one by one
    step: u32, // to the block of the next step
}

// A block whose terms lie in one stored row each; `first` and `last` count along it.
fn block_across(k: u32, stride: u32, first: u32, last: u32, width: u32, terms: u32) -> BlockAt {
    let rows = (vec4<u32>(k) + FOUR) * stride;
    if width == 4u {
        return BlockAt((rows + min(first, last / 4u * 4u)) / 4u, FOUR, terms * stride / 4u);
    }
    return BlockAt(rows, min(vec4<u32>(first) + FOUR, vec4<u32>(last)), terms * stride);
}

// A block whose terms lie side by side, in stored rows `first` to `first + 3`.
fn block_along(k: u32, stride: u32, first: u32, last: u32, base: u32, width: u32, terms: u32)
    -> BlockAt {
    let rows = min(vec4<u32>(first) + FOUR, vec4<u32>(last)) - base;
    return BlockAt((rows * stride + k) / width, FOUR, terms / width);
}

// The block of rows `row` and terms `k` on; the next lies `terms` further.
fn left_block_at(row: u32, k: u32, terms: u32) -> BlockAt {
    let last = dims.end_row - 1u;
    if LEFT_IS_TRANSPOSED {
        return block_across(k - dims.left_base, dims.m, row, last, LEFT_WIDTH, terms);
    }
    return block_along(k, dims.k, row, last, dims.left_base, LEFT_WIDTH, terms);
}

// The block of terms `k` and columns `column` on; the next lies `terms` further.
fn right_block_at(k: u32, column: u32, terms: u32) -> BlockAt {
    let last = dims.end_column - 1u;
    if RIGHT_IS_TRANSPOSED {
        return block_along(k, dims.k, column, last, dims.right_base, RIGHT_WIDTH, terms);
    }
    return block_across(k - dims.right_base, dims.n, column, last, RIGHT_WIDTH, terms);
}

// A block as it is stored: block[u][i] = a_(row + i)(k + u) where the factor is stored transposed,
// else block[i][u].
fn left_stored_block(at: BlockAt) -> mat4x4<f32> {
    return mat4x4<f32>(
        left_four(at.rows.x, at.columns), left_four(at.rows.y, at.columns),
        left_four(at.rows.z, at.columns), left_four(at.rows.w, at.columns));
}

// block[j][u] = b_(k + u)(column + j) where the factor is stored transposed, else block[u][j].
fn right_stored_block(at: BlockAt) -> mat4x4<f32> {
    return mat4x4<f32>(
        right_four(at.rows.x, at.columns), right_four(at.rows.y, at.columns),
        right_four(at.rows.z, at.columns), right_four(at.rows.w, at.columns));
}

// block[u][i] = a_(row + i)(k + u)
fn left_whole_block(at: BlockAt) -> mat4x4<f32> {
    let stored = left_stored_block(at);
    if LEFT_IS_TRANSPOSED {
        return stored;
    }
    return transpose(stored);
}

// block[u][j] = b_(k + u)(column + j)
fn right_whole_block(at: BlockAt) -> mat4x4<f32> {
    let stored = right_stored_block(at);
    if RIGHT_IS_TRANSPOSED {
        return transpose(stored);
    }
    return stored;
}
