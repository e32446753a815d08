// dropout             x_i ← scale · x_i where u_i ≥ threshold, else 0
// dropout_advance     batches ← batches + 1
//
// Inverted dropout (Srivastava et al., "Dropout: a simple way to prevent neural networks from
// overfitting", JMLR 2014): threshold = p · 2³² and scale = 1 / (1 − p). Run over activations in
// the forward pass and over their gradients in the backward pass, with the same mask: nothing is
// kept of it. u_i is word i % 4 of Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011) with the seed as its key and the counter (i / 4, layer, batches), so it
// depends on nothing but these, and is compared as a whole number: every device drops the same
// elements.
//
// Shapes      x `count` elements; batches one number of 64 bits, lower word first
// Grid        dropout one thread per 4 elements in workgroups of 256, folded into x and y;
//             dropout_advance one thread, run behind the last dropout of a batch
// Edges       threads past the end do nothing. What is dropped is 0, whatever it was
// Parts       elements
// Host        src/nn/ops/dropout.rs

const ROUNDS: u32 = 10u;
const MULTIPLIERS: vec2<u32> = vec2<u32>(0xd2511f53u, 0xcd9e8d57u);
const KEY_STEPS: vec2<u32> = vec2<u32>(0x9e3779b9u, 0xbb67ae85u);

alias Stored = f32; // what x is stored as, f32 or f16

struct Dims {
    count: u32,
    threshold: u32,
    scale: f32,
    layer: u32,
    seed_low: u32,
    seed_high: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> batches: vec2<u32>;
@group(0) @binding(2) var<storage, read_write> x: array<Stored>;

// The upper 32 bits of a · b, from halves of 16 bits: no sum here overflows.
fn upper_product(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let a_low = a & vec2<u32>(0xffffu);
    let a_high = a >> vec2<u32>(16u);
    let b_low = b & vec2<u32>(0xffffu);
    let b_high = b >> vec2<u32>(16u);
    let middle = a_high * b_low + ((a_low * b_low) >> vec2<u32>(16u));
    let other = a_low * b_high + (middle & vec2<u32>(0xffffu));
    return a_high * b_high + (middle >> vec2<u32>(16u)) + (other >> vec2<u32>(16u));
}

// Four words of 32 random bits.
fn philox(counter: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
    var words = counter;
    var key = seed;
    for (var round = 0u; round < ROUNDS; round++) {
        let upper = upper_product(MULTIPLIERS, words.xz);
        let lower = MULTIPLIERS * words.xz;
        let mixed = upper.yx ^ words.yw ^ key;
        words = vec4<u32>(mixed.x, lower.y, mixed.y, lower.x);
        key += KEY_STEPS;
    }
    return words;
}

fn drop_or_scale(i: u32, word: u32) {
    if i < dims.count {
        x[i] = Stored(select(0.0, dims.scale * f32(x[i]), word >= dims.threshold));
    }
}

@compute @workgroup_size(1)
fn dropout_advance() {
    let low = batches.x + 1u;
    batches = vec2<u32>(low, batches.y + select(0u, 1u, low == 0u));
}

@compute @workgroup_size(WORKGROUP)
fn dropout(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let four = element(workgroup, workgroups, local);
    // Not 4 · four, which may overflow past the end.
    if four > (dims.count - 1u) / 4u {
        return;
    }
    let counter = vec4<u32>(four, dims.layer, batches);
    let words = philox(counter, vec2<u32>(dims.seed_low, dims.seed_high));
    let first = 4u * four;
    drop_or_scale(first, words.x);
    drop_or_scale(first + 1u, words.y);
    drop_or_scale(first + 2u, words.z);
    drop_or_scale(first + 3u, words.w);
}
