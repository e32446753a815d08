// product = op(left) · op(right), then the epilogue        c_ij = Σ_k a_ik b_kj
//
// For GPUs: a workgroup stages a tile of each factor in workgroup memory, and each thread
// multiplies what it holds in registers.
//
// Shapes      op(left) m × k, op(right) k × n, product m × n
// Layout      row-major, dense; a transposed factor is stored as k × m (left) or n × k (right)
// Grid        one workgroup of THREADS threads per tile of TILE_ROWS × TILE_COLUMNS elements; tiles
//             numbered along the rows and folded into x and y, slabs in z. Each thread owns QUADS
//             times 4 rows and VECTORS times 4 columns, and stages one block of 4 × 4 elements
// Edges       rows and columns past the end repeat the last, and what becomes of them is not
//             stored; terms past the end give 0; k = 0 gives the epilogue of 0
// Order       terms one after the other; column sums in four parts, added up at the end
// Parts       dims, fold, operands/*, whole_blocks, epilogue
// Host        src/linear/algorithms/tiled.rs

const TILE_ROWS: u32 = 64u;
const TILE_COLUMNS: u32 = 64u;
const QUADS: u32 = 2u; // of 4 rows a thread: 1 or 2
const VECTORS: u32 = 1u; // of 4 columns a thread: 1 or 2
const PREFETCH: bool = false; // load the next blocks while these are multiplied

const TILE_K: u32 = 16u; // terms staged at a time
const BLOCKS: u32 = TILE_K / 4u;
const ROW_QUADS: u32 = TILE_ROWS / 4u;
const COLUMN_QUADS: u32 = TILE_COLUMNS / 4u;
const THREADS_X: u32 = COLUMN_QUADS / VECTORS;
const THREADS_Y: u32 = ROW_QUADS / QUADS;
const THREADS: u32 = THREADS_X * THREADS_Y;

// Both tiles behind each other. The term is the slow index: the inner loop reads neighbouring
// vectors.
const RIGHT_TILE: u32 = TILE_K * ROW_QUADS;

var<workgroup> tiles: array<vec4<f32>, RIGHT_TILE + TILE_K * COLUMN_QUADS>;

// Where the vector of a quad stands among those of a term, of which four are alike. Neighbouring
// threads may store the same quad of different terms, and would all meet the same banks.
fn swizzled(quad: u32, term: u32) -> u32 {
    return quad ^ (term / 4u * 2u);
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
fn add_term(left_at: u32, right_at: u32, sums: ptr<function, Sums>) {
    let columns = tiles[right_at];
    let rows = tiles[left_at];
    (*sums).s00 = multiply_add((*sums).s00, rows, columns);
    if VECTORS == 2u {
        let more_columns = tiles[right_at + THREADS_X];
        (*sums).s01 = multiply_add((*sums).s01, rows, more_columns);
        if QUADS == 2u {
            let more_rows = tiles[left_at + THREADS_Y];
            (*sums).s10 = multiply_add((*sums).s10, more_rows, columns);
            (*sums).s11 = multiply_add((*sums).s11, more_rows, more_columns);
        }
    } else if QUADS == 2u {
        let more_rows = tiles[left_at + THREADS_Y];
        (*sums).s10 = multiply_add((*sums).s10, more_rows, columns);
    }
}

// All terms of the staged tiles.
fn add_tiles(x: u32, y: u32, sums: ptr<function, Sums>) {
    for (var term = 0u; term < TILE_K; term += 4u) {
        let left_at = term * ROW_QUADS + swizzled(y, term);
        let right_at = RIGHT_TILE + term * COLUMN_QUADS + swizzled(x, term);
        add_term(left_at, right_at, sums);
        add_term(left_at + ROW_QUADS, right_at + COLUMN_QUADS, sums);
        add_term(left_at + 2u * ROW_QUADS, right_at + 2u * COLUMN_QUADS, sums);
        add_term(left_at + 3u * ROW_QUADS, right_at + 3u * COLUMN_QUADS, sums);
    }
}

// One vector for each term of a block.
fn stage(at: u32, pitch: u32, block: mat4x4<f32>) {
    tiles[at] = block[0];
    tiles[at + pitch] = block[1];
    tiles[at + 2u * pitch] = block[2];
    tiles[at + 3u * pitch] = block[3];
}

fn sum_of_terms(block: mat4x4<f32>) -> vec4<f32> {
    return block[0] + block[1] + (block[2] + block[3]);
}

// The block of a thread, all of whose terms lie inside. The column sums are taken on the way.
fn whole_block(is_left: bool, at: BlockAt, column_sum: ptr<function, vec4<f32>>) -> mat4x4<f32> {
    var block: mat4x4<f32>;
    if is_left {
        block = left_whole_block(at);
    } else {
        block = right_whole_block(at);
        if SUM_COLUMNS {
            *column_sum += sum_of_terms(block);
        }
    }
    return block;
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
    let end_whole = begin + (end - begin) / TILE_K * TILE_K;

    // Neighbouring 32 threads own 8 × 4 blocks: they read few vectors, from different banks.
    let x = thread % 8u + thread / 32u % (THREADS_X / 8u) * 8u;
    let y = thread / 8u % 4u + thread / (4u * THREADS_X) * 4u;

    // The block that this thread stages, in every step the same. Neighbours take neighbours along
    // whichever index is contiguous in memory, so that loads coalesce.
    let is_left = thread < BLOCKS * ROW_QUADS;
    let i = select(thread - BLOCKS * ROW_QUADS, thread, is_left);
    let along_k = select(RIGHT_IS_TRANSPOSED, !LEFT_IS_TRANSPOSED, is_left);
    let quads = select(COLUMN_QUADS, ROW_QUADS, is_left);
    let quad = select(i % quads, i / BLOCKS, along_k);
    let term = 4u * select(i / quads, i % BLOCKS, along_k);
    let first = select(column, row, is_left) + 4u * quad;
    let stage_at = select(RIGHT_TILE, 0u, is_left) + term * quads + swizzled(quad, term);

    var at: BlockAt;
    if is_left {
        at = left_block_at(first, begin + term, TILE_K);
    } else {
        at = right_block_at(begin + term, first, TILE_K);
    }
    var sums: Sums;
    var column_sum: vec4<f32>;
    var block: mat4x4<f32>;
    if PREFETCH && begin < end_whole {
        block = whole_block(is_left, at, &column_sum);
    }
    for (var k = begin; k < end_whole; k += TILE_K) {
        if !PREFETCH {
            block = whole_block(is_left, at, &column_sum);
        }
        at.rows += at.step;
        stage(stage_at, quads, block);
        workgroupBarrier(); // both tiles are complete before anyone reads them
        if PREFETCH && k + TILE_K < end_whole {
            block = whole_block(is_left, at, &column_sum);
        }
        add_tiles(x, y, &sums);
        workgroupBarrier(); // everyone has read before the next tiles overwrite
    }
    if end_whole < end {
        if is_left {
            block = left_block(first, end_whole + term, end);
        } else {
            block = right_block(end_whole + term, first, end);
            if SUM_COLUMNS {
                column_sum += sum_of_terms(block);
            }
        }
        stage(stage_at, quads, block);
        workgroupBarrier(); // both tiles are complete
        add_tiles(x, y, &sums);
        workgroupBarrier(); // and have been read
    }

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
        if !is_left {
            tiles[term / 4u * COLUMN_QUADS + quad] = column_sum;
        }
        workgroupBarrier(); // the four parts of every sum are in place
        if thread < COLUMN_QUADS {
            let parts = mat4x4<f32>(
                tiles[thread], tiles[COLUMN_QUADS + thread], tiles[2u * COLUMN_QUADS + thread],
                tiles[3u * COLUMN_QUADS + thread]);
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
