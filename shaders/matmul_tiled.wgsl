// product = op(left) · op(right) [+ bias]        c_ij = Σ_k a_ik b_kj [+ bias_j]
//
// Operations  forward                  T  = X·W + b      left = X,  right = W             m = batch,  k = inputs,  n = outputs
//             forward_without_bias     T  = X·W          left = X,  right = W             m = batch,  k = inputs,  n = outputs
//             input_grad               dX = dT·Wᵀ        left = dT, right = W transposed  m = batch,  k = outputs, n = inputs
//             weight_grad              dW = Xᵀ·dT        left = X transposed, right = dT  m = inputs, k = batch,   n = outputs
// Shapes      op(left) m × k, op(right) k × n, bias n, product m × n
// Layout      row-major, dense; a transposed operand is stored as k × m (left) or n × k (right)
// Grid        one workgroup of 16 × 16 threads per 64 × 64 tile of the product, tiles numbered along the rows
//             and folded into x and y; each thread owns 4 × 4 elements, 16 apart, so that neighbours stay coalesced
// Edges       loads outside an operand give 0, stores outside the product are left out; k = 0 gives the bias or 0
// Passes      a long sum is taken in several dispatches: this one adds the terms first_k to end_k. The first overwrites the
//             product and adds the bias, the others add to what the one before has stored
// Host        src/linear/mod.rs

const LEFT_IS_TRANSPOSED: bool = false;
const RIGHT_IS_TRANSPOSED: bool = false;
const TILE: u32 = 64u; // rows and columns of the product per workgroup
const TILE_K: u32 = 16u; // depth staged at a time
const SIDE: u32 = 16u; // threads along each side of the tile
const STAGED: u32 = TILE * TILE_K;

struct Dims {
    m: u32,
    k: u32,
    n: u32,
    first_k: u32,
    end_k: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> right: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> product: array<f32>;

// Both tiles are staged with k as the slow index: the inner loop then reads neighbouring words.
var<workgroup> left_tile: array<f32, STAGED>;
var<workgroup> right_tile: array<f32, STAGED>;

fn load_left(row: u32, k: u32) -> f32 {
    if row >= dims.m || k >= dims.end_k {
        return 0.0;
    }
    if LEFT_IS_TRANSPOSED {
        return left[k * dims.m + row];
    }
    return left[row * dims.k + k];
}

fn load_right(k: u32, column: u32) -> f32 {
    if k >= dims.end_k || column >= dims.n {
        return 0.0;
    }
    if RIGHT_IS_TRANSPOSED {
        return right[column * dims.k + k];
    }
    return right[k * dims.n + column];
}

// Threads walk along whichever index is contiguous in memory, so that loads coalesce.
fn stage(thread: u32, first_row: u32, first_k: u32, first_column: u32) {
    for (var i = thread; i < STAGED; i += SIDE * SIDE) {
        var left_k = i % TILE_K;
        var left_row = i / TILE_K;
        if LEFT_IS_TRANSPOSED {
            left_k = i / TILE;
            left_row = i % TILE;
        }
        left_tile[left_k * TILE + left_row] = load_left(first_row + left_row, first_k + left_k);

        var right_k = i / TILE;
        var right_column = i % TILE;
        if RIGHT_IS_TRANSPOSED {
            right_k = i % TILE_K;
            right_column = i / TILE_K;
        }
        right_tile[right_k * TILE + right_column] = load_right(first_k + right_k, first_column + right_column);
    }
}

// Rows y, y + 16, y + 32, y + 48 of the tile; in each a vector of columns x, x + 16, x + 32, x + 48.
fn multiply_staged(x: u32, y: u32, sums: ptr<function, mat4x4<f32>>) {
    var sum = *sums;
    for (var k = 0u; k < TILE_K; k++) {
        let l = k * TILE + y;
        let r = k * TILE + x;
        let columns = vec4<f32>(
            right_tile[r], right_tile[r + SIDE], right_tile[r + 2u * SIDE], right_tile[r + 3u * SIDE]);
        sum[0] += left_tile[l] * columns;
        sum[1] += left_tile[l + SIDE] * columns;
        sum[2] += left_tile[l + 2u * SIDE] * columns;
        sum[3] += left_tile[l + 3u * SIDE] * columns;
    }
    *sums = sum;
}

fn store(row: u32, first_column: u32, values: vec4<f32>) {
    if row >= dims.m {
        return;
    }
    for (var j = 0u; j < 4u; j++) {
        let column = first_column + j * SIDE;
        if column < dims.n {
            let i = row * dims.n + column;
            var value = values[j];
            if dims.first_k > 0u {
                value += product[i];
            }
            product[i] = value;
        }
    }
}

fn tile_origin(workgroup: vec3<u32>, workgroups: vec3<u32>) -> vec2<u32> {
    let tile = workgroup.y * workgroups.x + workgroup.x;
    let tiles_across = (dims.n + TILE - 1u) / TILE;
    return TILE * vec2<u32>(tile / tiles_across, tile % tiles_across);
}

fn accumulate(origin: vec2<u32>, local: vec3<u32>) -> mat4x4<f32> {
    var sums = mat4x4<f32>();
    for (var k = dims.first_k; k < dims.end_k; k += TILE_K) {
        stage(local.y * SIDE + local.x, origin.x, k, origin.y);
        workgroupBarrier(); // both tiles are complete before anyone reads them
        multiply_staged(local.x, local.y, &sums);
        workgroupBarrier(); // everyone has read before the next tiles overwrite
    }
    return sums;
}

fn store_tile(origin: vec2<u32>, local: vec3<u32>, sums: mat4x4<f32>, addend: vec4<f32>) {
    let row = origin.x + local.y;
    let column = origin.y + local.x;
    store(row, column, sums[0] + addend);
    store(row + SIDE, column, sums[1] + addend);
    store(row + 2u * SIDE, column, sums[2] + addend);
    store(row + 3u * SIDE, column, sums[3] + addend);
}

fn multiply(workgroup: vec3<u32>, workgroups: vec3<u32>, local: vec3<u32>) {
    let origin = tile_origin(workgroup, workgroups);
    store_tile(origin, local, accumulate(origin, local), vec4<f32>());
}

fn load_bias(column: u32) -> f32 {
    if column < dims.n && dims.first_k == 0u {
        return bias[column];
    }
    return 0.0;
}

@compute @workgroup_size(SIDE, SIDE)
fn forward(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let origin = tile_origin(workgroup, workgroups);
    let column = origin.y + local.x;
    let biases = vec4<f32>(
        load_bias(column), load_bias(column + SIDE), load_bias(column + 2u * SIDE), load_bias(column + 3u * SIDE));
    store_tile(origin, local, accumulate(origin, local), biases);
}

@compute @workgroup_size(SIDE, SIDE)
fn forward_without_bias(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    multiply(workgroup, workgroups, local);
}

@compute @workgroup_size(SIDE, SIDE)
fn input_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    multiply(workgroup, workgroups, local);
}

@compute @workgroup_size(SIDE, SIDE)
fn weight_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    multiply(workgroup, workgroups, local);
}
