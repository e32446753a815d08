// Sums and maxima over the LANES threads of a workgroup, by a tree: always in the same order, so
// the same values give the same bits.
//
// Edges       all threads of the workgroup take part; each gets the result. LANES is a power of two
// Host        LANES: accumulate_loss.rs, histogram.rs and softmax_cross_entropy.rs in src/nn/ops

const LANES: u32 = 64u;

var<workgroup> scratch: array<f32, LANES>;
var<workgroup> scratch3: array<vec3<f32>, LANES>;

fn maximum_over_lanes(lane: u32, value: f32) -> f32 {
    workgroupBarrier(); // the previous result has been read by all
    scratch[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the previous round has been written
        if lane < half {
            scratch[lane] = max(scratch[lane], scratch[lane + half]);
        }
    }
    workgroupBarrier(); // the result is in scratch[0]
    return scratch[0];
}

fn sum_over_lanes(lane: u32, value: f32) -> f32 {
    workgroupBarrier(); // the previous result has been read by all
    scratch[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the previous round has been written
        if lane < half {
            scratch[lane] += scratch[lane + half];
        }
    }
    workgroupBarrier(); // the result is in scratch[0]
    return scratch[0];
}

fn sum3_over_lanes(lane: u32, value: vec3<f32>) -> vec3<f32> {
    workgroupBarrier(); // the previous result has been read by all
    scratch3[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier(); // the previous round has been written
        if lane < half {
            scratch3[lane] += scratch3[lane + half];
        }
    }
    workgroupBarrier(); // the result is in scratch3[0]
    return scratch3[0];
}
