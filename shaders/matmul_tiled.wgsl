// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For GPUs: a workgroup stages a tile of each factor in workgroup memory, and each thread
// multiplies what it holds in registers.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one workgroup of THREADS threads per square tile of TILE_ROWS × TILE_COLUMNS elements;
//             tiles numbered along the rows and folded into x and y, slabs in z. Each thread owns
//             QUADS times 4 rows and VECTORS times 4 columns, and stages one block of 4 × 4 elements
// Edges       rows and columns past the end repeat the last, and what becomes of them is not
//             stored; terms past the end give 0; k = 0 gives the epilogue of 0
// Order       terms one after the other; column sums in four parts, added up at the end
// Parts       dims, fold, operands/*, whole_blocks, epilogue
// Host        src/linear/algorithms/tiled.rs

const TILE_ROWS: u32 = 64u;
const TILE_COLUMNS: u32 = 64u; // as many
const QUADS: u32 = 2u; // of 4 rows a thread: 1 or 2
const VECTORS: u32 = 1u; // of 4 columns a thread: 1 or 2
const PAIRS: u32 = 1u; // of tiles: with 2 the next are loaded while these are multiplied

const TILE_K: u32 = 16u; // terms staged at a time
const BLOCKS: u32 = TILE_K / 4u;
const ACROSS: u32 = TILE_COLUMNS / 4u; // quads of a tile
const THREADS_X: u32 = ACROSS / VECTORS;
const THREADS_Y: u32 = ACROSS / QUADS;
const THREADS: u32 = THREADS_X * THREADS_Y;

const LEFT: u32 = 0u;
const RIGHT: u32 = 1u;

// By pair and factor, block, term and quad. One index each, and not one for all: where most of them
// are constants, a compiler checks the others once for many loads, and not one by one.
var<workgroup> tiles: array<array<array<array<array<vec4<f32>, ACROSS>, 4>, BLOCKS>, 2>, PAIRS>;

// Where the vector of a quad stands among those of a term. Neighbouring threads may store the same
// quad of different blocks, and would all meet the same banks.
fn swizzled(quad: u32, block: u32) -> u32 {
    return quad ^ (block * 2u);
}

// Named and not an array: not every compiler keeps an array in registers.
struct Sums {
    s00: mat4x4<f32>,
    s01: mat4x4<f32>, // where VECTORS is 2
    s10: mat4x4<f32>, // where QUADS is 2
    s11: mat4x4<f32>,
}

// Sixteen multiply-adds, written out: not every compiler unrolls.
fn multiply_add(sum: mat4x4<f32>, rows: vec4<f32>, columns: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(rows.x), columns, sum[0]), fma(vec4<f32>(rows.y), columns, sum[1]),
        fma(vec4<f32>(rows.z), columns, sum[2]), fma(vec4<f32>(rows.w), columns, sum[3]));
}

// One term of all sums of a thread.
fn add_term(pair: u32, block: u32, term: u32, x: u32, y: u32, sums: ptr<function, Sums>) {
    let columns = tiles[pair][RIGHT][block][term][x];
    let rows = tiles[pair][LEFT][block][term][y];
    (*sums).s00 = multiply_add((*sums).s00, rows, columns);
    if VECTORS == 2u {
        let more_columns = tiles[pair][RIGHT][block][term][x + THREADS_X];
        (*sums).s01 = multiply_add((*sums).s01, rows, more_columns);
        if QUADS == 2u {
            let more_rows = tiles[pair][LEFT][block][term][y + THREADS_Y];
            (*sums).s10 = multiply_add((*sums).s10, more_rows, columns);
            (*sums).s11 = multiply_add((*sums).s11, more_rows, more_columns);
        }
    } else if QUADS == 2u {
        let more_rows = tiles[pair][LEFT][block][term][y + THREADS_Y];
        (*sums).s10 = multiply_add((*sums).s10, more_rows, columns);
    }
}

fn add_block(pair: u32, block: u32, x: u32, y: u32, sums: ptr<function, Sums>) {
    let x_at = swizzled(x, block);
    let y_at = swizzled(y, block);
    add_term(pair, block, 0u, x_at, y_at, sums);
    add_term(pair, block, 1u, x_at, y_at, sums);
    add_term(pair, block, 2u, x_at, y_at, sums);
    add_term(pair, block, 3u, x_at, y_at, sums);
}

// All terms of the staged tiles, written out: the loop would cost as much as a tenth of the sums.
fn add_tiles(pair: u32, x: u32, y: u32, sums: ptr<function, Sums>) {
    add_block(pair, 0u, x, y, sums);
    add_block(pair, 1u, x, y, sums);
    add_block(pair, 2u, x, y, sums);
    add_block(pair, 3u, x, y, sums);
}

// Puts a block into the tile of its factor, one vector for each term.
fn stage(pair: u32, side: u32, block: u32, at: u32, values: mat4x4<f32>) {
    tiles[pair][side][block][0][at] = values[0];
    tiles[pair][side][block][1][at] = values[1];
    tiles[pair][side][block][2][at] = values[2];
    tiles[pair][side][block][3][at] = values[3];
}

fn sum_of_terms(block: mat4x4<f32>) -> vec4<f32> {
    return block[0] + block[1] + (block[2] + block[3]);
}

// The block that a thread stages, as it is stored, all of whose terms lie inside.
fn stored_block(is_left: bool, at: BlockAt) -> mat4x4<f32> {
    if is_left {
        return left_stored_block(at);
    }
    return right_stored_block(at);
}

@compute @workgroup_size(THREADS)
fn matmul_tiled(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = workgroup_number(workgroup, workgroups);
    let tiles_across = (dims.end_column - dims.first_column + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let row = dims.first_row + tile / tiles_across * TILE_ROWS;
    let column = dims.first_column + tile % tiles_across * TILE_COLUMNS;
    let slab = workgroup.z;
    let begin = dims.first_k + slab * dims.slab_terms;
    let end = max(begin, min(begin + dims.slab_terms, dims.end_k));

    // Neighbouring 32 threads own 8 × 4 blocks: they read few vectors, from different banks.
    let x = thread % 8u + thread / 32u % (THREADS_X / 8u) * 8u;
    let y = thread / 8u % 4u + thread / (4u * THREADS_X) * 4u;

    // The block that this thread stages, in every step the same. Neighbours take neighbours along
    // whichever index is contiguous in memory, so that loads coalesce.
    let is_left = thread < BLOCKS * ACROSS;
    let i = select(thread - BLOCKS * ACROSS, thread, is_left);
    let along_k = select(RIGHT_IS_TRANSPOSED, !LEFT_IS_TRANSPOSED, is_left);
    let quad = select(i % ACROSS, i / BLOCKS, along_k);
    let block = select(i / ACROSS, i % BLOCKS, along_k);
    let first = select(column, row, is_left) + 4u * quad;
    let side = select(RIGHT, LEFT, is_left);
    let stage_at = swizzled(quad, block);

    var at: BlockAt;
    if is_left {
        at = left_block_at(first, begin + 4u * block, TILE_K);
    } else {
        at = right_block_at(begin + 4u * block, first, TILE_K);
    }
    var sums: Sums;
    var column_sum: vec4<f32>;
    var values: mat4x4<f32>;
    var pair = 0u;
    // Where there is but one step there may be no such terms.
    if PAIRS == 2u && begin + TILE_K < end {
        values = stored_block(is_left, at);
    }
    var k = begin;
    for (; k + TILE_K < end; k += TILE_K) {
        if PAIRS == 1u {
            values = stored_block(is_left, at);
        }
        // In two branches, or compilers move all sixteen values to other registers first.
        if along_k {
            stage(pair, side, block, stage_at, transpose(values));
        } else {
            stage(pair, side, block, stage_at, values);
            if SUM_COLUMNS && !is_left {
                column_sum += sum_of_terms(values);
            }
        }
        workgroupBarrier(); // both tiles are complete, and the pair before has been read
        // No branch around the loads, or they would wait for the sums: what is loaded before the
        // last step is not used.
        at.rows += select(0u, at.step, k + 2u * TILE_K < end);
        if PAIRS == 2u {
            values = stored_block(is_left, at);
        }
        add_tiles(pair, x, y, &sums);
        if PAIRS == 2u {
            pair = 1u - pair;
        } else {
            workgroupBarrier(); // everyone has read before the next tiles overwrite
        }
    }
    // The last step, of TILE_K terms or fewer. Without a branch around it, behind which compilers
    // would have all sums in other registers.
    if is_left {
        values = left_block(first, k + 4u * block, end);
    } else {
        values = right_block(k + 4u * block, first, end);
        if SUM_COLUMNS {
            column_sum += sum_of_terms(values);
        }
    }
    stage(pair, side, block, stage_at, values);
    workgroupBarrier(); // both tiles are complete
    add_tiles(pair, x, y, &sums);

    store_block(row + 4u * y, column + 4u * x, slab, sums.s00);
    if VECTORS == 2u {
        store_block(row + 4u * y, column + 4u * (THREADS_X + x), slab, sums.s01);
    }
    if QUADS == 2u {
        store_block(row + 4u * (THREADS_Y + y), column + 4u * x, slab, sums.s10);
    }
    if QUADS == 2u && VECTORS == 2u {
        store_block(row + 4u * (THREADS_Y + y), column + 4u * (THREADS_X + x), slab, sums.s11);
    }
    if SUM_COLUMNS && row == 0u {
        workgroupBarrier(); // everyone has read the last tiles
        if !is_left {
            tiles[0][RIGHT][block][0][quad] = column_sum;
        }
        workgroupBarrier(); // the four parts of every sum are in place
        if thread < ACROSS {
            let parts = mat4x4<f32>(
                tiles[0][RIGHT][0][0][thread], tiles[0][RIGHT][1][0][thread],
                tiles[0][RIGHT][2][0][thread], tiles[0][RIGHT][3][0][thread]);
            store_columns(column + 4u * thread, slab, sum_of_terms(parts));
        }
    }
}

// Four rows of four columns.
fn store_block(row: u32, column: u32, slab: u32, sum: mat4x4<f32>) {
    let first = addend(column);
    store(row, column, slab, sum[0] + first);
    store(row + 1u, column, slab, sum[1] + first);
    store(row + 2u, column, slab, sum[2] + first);
    store(row + 3u, column, slab, sum[3] + first);
}
