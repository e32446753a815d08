// Every row of the batch weighs what the last column of y says, behind the values wanted.
//
// The file that needs this part has `y`, and the number of outputs in `dims`.
// Host        src/nn/ops/weights.rs

@group(0) @binding(6) var<storage, read> weight_sum: array<f32>;

const WEIGHT_COLUMNS: u32 = 1u; // behind the values of a row

fn weight(row: u32) -> f32 {
    return y[row * (dims.outputs + 1u) + dims.outputs];
}

fn batch_weight() -> f32 {
    return weight_sum[0];
}
