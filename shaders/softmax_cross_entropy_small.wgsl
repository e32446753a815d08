// loss_i = log Σ_j exp t_ij − t_i,label
// dt_ij = (softmax(t_i)_j − [j = label_i]) / batch
// total.losses += Σ_i loss_i        total.weights += batch        total.examples += batch
//
// With SMOOTHED labels, q_ij = (1 − smoothing) [j = label_i] + smoothing / classes takes the place
// of [j = label_i], and loss_i = log Σ_j exp t_ij − Σ_j q_ij t_ij.
//
// softmax_cross_entropy and accumulate_loss in one dispatch, for batches so small that starting one
// takes longer than the work.
//
// Shapes      t, dt batch × classes; labels batch; total one LossTotal
// Layout      row-major, dense
// Grid        one workgroup of 64 threads; each takes every 64th row, then one thread adds their
//             sums in a fixed order
// Edges       the largest logit is subtracted first, so that no exponential overflows; labels past
//             the end hit nothing. A row with a logit that is not finite has a loss and gradients
//             that are not finite either
// Parts       finite, loss_total
// Host        src/nn/ops/softmax_cross_entropy.rs

const SMOOTHED: bool = false;
const LANES: u32 = 64u;
const LOWEST: f32 = -3.4028234e38;

struct Dims {
    batch: u32,
    classes: u32,
    smoothing: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> t: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> dt: array<f32>;
@group(0) @binding(4) var<storage, read_write> total: LossTotal;

var<workgroup> partial: array<f32, LANES>;

// What a class should have of a row.
fn wanted(is_label: bool) -> f32 {
    let hit = select(0.0, 1.0, is_label);
    if SMOOTHED {
        return (1.0 - dims.smoothing) * hit + dims.smoothing / f32(dims.classes);
    }
    return hit;
}

// Stores the row's gradient and returns its loss.
fn row_loss(row: u32) -> f32 {
    let first = row * dims.classes;
    var largest = LOWEST;
    for (var j = 0u; j < dims.classes; j++) {
        largest = max(largest, t[first + j]);
    }
    var sum = 0.0;
    for (var j = 0u; j < dims.classes; j++) {
        let logit = t[first + j];
        sum += select(abs(logit), exp(logit - largest), is_finite(logit));
    }
    let is_sound = is_finite(sum);
    let label = labels[row];
    let mean = 1.0 / f32(dims.batch);
    var loss = 0.0;
    for (var j = 0u; j < dims.classes; j++) {
        let above = t[first + j] - largest;
        let hit = wanted(j == label);
        dt[first + j] = select(sum, (exp(above) / sum - hit) * mean, is_sound);
        // The difference of the logits first: log(sum) would be lost beside a large maximum.
        loss += hit * (log(sum) - above);
    }
    return select(sum, loss, is_sound);
}

@compute @workgroup_size(LANES)
fn softmax_cross_entropy_small(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var row = lane; row < dims.batch; row += LANES) {
        sum += row_loss(row);
    }
    partial[lane] = sum;
    workgroupBarrier(); // every partial sum is in place
    if lane == 0u {
        var loss = 0.0;
        for (var other = 0u; other < LANES; other++) {
            loss += partial[other];
        }
        add_batch(loss, dims.batch);
    }
}
