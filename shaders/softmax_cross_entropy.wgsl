// row_loss_i = weight_i (log Σ_j exp(t_ij) − t_i,label_i)
// dt_ij = weight_i (softmax(t)_ij − [j = label_i]) / batch_weight
//
// The loss of the batch is Σ_i row_loss_i / batch_weight; dt is its gradient. The maximum of a row
// is subtracted before exponentials are taken, so that large logits do not overflow.
//
// Functions   weight and batch_weight are those of one of parts/weights: none makes them 1 and
//             batch
// Shapes      t, dt batch × classes; labels, row_loss batch
// Layout      row-major, dense; labels are u32. A label of `classes` or more matches nothing: where
//             it has no weight of 0, the host must reject it
// Grid        one workgroup of 64 threads per row, folded into x and y; each thread takes every
//             64th class
// Edges       workgroups past the last row return at once. A row with a logit that is not finite
//             has a loss and gradients that are not finite either, whatever exp makes of it; a
//             row of weight 0 has zeros, whatever its logits are
// Parts       finite, fold, lanes, weights/*
// Host        src/nn/ops/softmax_cross_entropy.rs

const LOWEST: f32 = -3.4028234e38;

struct Dims {
    batch: u32,
    classes: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> row_loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dt: array<f32>;

fn store_nothing(row: u32, lane: u32) {
    for (var j = lane; j < dims.classes; j += LANES) {
        dt[row * dims.classes + j] = 0.0;
    }
    if lane == 0u {
        row_loss[row] = 0.0;
    }
}

@compute @workgroup_size(LANES)
fn softmax_cross_entropy(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let row = workgroup_number(workgroup, workgroups);
    if row >= dims.batch {
        return;
    }
    let first = row * dims.classes;
    let lane = local.x;

    var largest = LOWEST;
    for (var j = lane; j < dims.classes; j += LANES) {
        largest = max(largest, t[first + j]);
    }
    largest = maximum_over_lanes(lane, largest);

    var sum = 0.0;
    for (var j = lane; j < dims.classes; j += LANES) {
        let logit = t[first + j];
        sum += select(abs(logit), exp(logit - largest), is_finite(logit));
    }
    sum = sum_over_lanes(lane, sum);
    let is_sound = is_finite(sum);

    let own = weight(row);
    if own == 0.0 {
        store_nothing(row, lane);
        return;
    }
    let label = labels[row];
    let share = own / batch_weight();
    for (var j = lane; j < dims.classes; j += LANES) {
        let hit = select(0.0, 1.0, j == label);
        let above = t[first + j] - largest;
        dt[first + j] = select(sum, (exp(above) / sum - hit) * share, is_sound);
        if j == label {
            // The difference of the logits first: log(sum) would be lost beside a large maximum.
            row_loss[row] = select(sum, own * (log(sum) - above), is_sound);
        }
    }
}
