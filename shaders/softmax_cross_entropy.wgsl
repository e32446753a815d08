// row_loss_i = weight_i (log Σ_j exp(t_ij) − t_i,label_i)
// dt_ij = weight_i (softmax(t)_ij − [j = label_i]) / batch_weight
//
// With SMOOTHED labels part_ij is what class j should have of row i, and s is smoothing:
//
// part_ij = (1 − s) weight_i [j = label_i] + s class_weight_j / classes
// row_loss_i = Σ_j part_ij (log Σ_k exp(t_ik) − t_ij)
// dt_ij = (softmax(t)_ij Σ_k part_ik − part_ij) / batch_weight
//
// The loss of the batch is Σ_i row_loss_i / batch_weight; dt is its gradient. The maximum of a row
// is subtracted before exponentials are taken, so that large logits do not overflow.
//
// Functions   weight, class_weight and batch_weight are those of one of parts/weights: none makes
//             them 1, 1 and batch
// Shapes      t, dt batch × classes; labels, row_loss batch
// Layout      row-major, dense; labels are u32. A label of `classes` or more matches nothing: where
//             it has no weight of 0, the host must reject it
// Grid        one workgroup of 64 threads per row, folded into x and y; each thread takes every
//             64th class
// Edges       workgroups past the last row return at once. A row with a logit that is not finite
//             has a loss and gradients that are not finite either, whatever exp makes of it; a
//             row of weight 0 has zeros, whatever its logits are. With SMOOTHED labels that is
//             one whose label is no class, and every row where batch_weight is 0
// Parts       finite, fold, lanes, weights/*
// Host        src/nn/ops/softmax_cross_entropy.rs

const SMOOTHED: bool = false;
const LOWEST: f32 = -3.4028234e38;

struct Dims {
    batch: u32,
    classes: u32,
    smoothing: f32,
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

// What class j should have of a row, `own` more where it is the label.
fn part(j: u32, label: u32, own: f32) -> f32 {
    let spread = dims.smoothing / f32(dims.classes) * class_weight(j);
    return spread + select(0.0, own, j == label);
}

// Loss and gradient of a row with smoothed labels, from its largest logit and the sum of
// exponentials.
fn store_smoothed(row: u32, lane: u32, largest: f32, sum: f32) {
    let first = row * dims.classes;
    let label = labels[row];
    let own = (1.0 - dims.smoothing) * weight(row);
    var loss = 0.0;
    var parts = 0.0;
    for (var j = lane; j < dims.classes; j += LANES) {
        let share = part(j, label, own);
        loss += share * (log(sum) - (t[first + j] - largest));
        parts += share;
    }
    loss = sum_over_lanes(lane, loss);
    parts = sum_over_lanes(lane, parts);
    let batch = batch_weight();
    if (label >= dims.classes) | (batch == 0.0) {
        store_nothing(row, lane);
        return;
    }
    let is_sound = is_finite(sum);
    for (var j = lane; j < dims.classes; j += LANES) {
        let softmax = exp(t[first + j] - largest) / sum;
        let above = softmax * parts - part(j, label, own);
        dt[first + j] = select(sum, above / batch, is_sound);
    }
    if lane == 0u {
        row_loss[row] = select(sum, loss, is_sound);
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
    if SMOOTHED {
        store_smoothed(row, lane, largest, sum);
        return;
    }
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
