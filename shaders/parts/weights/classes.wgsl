// Every row of the batch weighs what its class does; a label that is no class weighs 0.
//
// The file that needs this part has `labels`, and the number of classes in `dims`.
// Host        src/nn/ops/weights.rs

@group(0) @binding(5) var<storage, read> class_weights: array<f32>;
@group(0) @binding(6) var<storage, read> weight_sum: array<f32>;

fn weight(row: u32) -> f32 {
    let label = labels[row];
    if label < dims.classes {
        return class_weights[label];
    }
    return 0.0;
}

fn class_weight(class_number: u32) -> f32 {
    return class_weights[class_number];
}

fn batch_weight() -> f32 {
    return weight_sum[0];
}
