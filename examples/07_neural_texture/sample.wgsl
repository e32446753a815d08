// The application's own shader: positions, encoded by sines and cosines, and their colours.

struct Frame {
    width: u32,
    height: u32,
    number: u32,
    seed: u32,
}

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // positions × 32
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // positions × 3

// Jarzynski & Olano, "Hash functions for GPU rendering", 2020: pcg.
fn hash(value: u32) -> u32 {
    let state = value * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

// Fractions of a turn first: WGSL promises an exact enough sine between ±π alone.
fn encode(row: u32, pixel: u32) {
    let place = vec2<f32>(f32(pixel % frame.width), f32(pixel / frame.width)) + 0.5;
    let at = place / vec2<f32>(f32(frame.width), f32(frame.height));
    for (var i = 0u; i < 16u; i++) {
        let turn = fract(at[i / 8u] * 0.5 * f32(1u << (i % 8u)));
        let angle = 6.2831853 * select(turn, turn - 1.0, turn > 0.5);
        x[row * 32u + 2u * i] = sin(angle);
        x[row * 32u + 2u * i + 1u] = cos(angle);
    }
}

// A batch of random positions.
@compute @workgroup_size(64)
fn random_positions(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row < arrayLength(&y) / 3u {
        let draw = hash(row ^ hash(frame.number ^ hash(frame.seed)));
        let pixel = draw % (frame.width * frame.height);
        encode(row, pixel);
        for (var c = 0u; c < 3u; c++) {
            y[3u * row + c] = picture[3u * pixel + c];
        }
    }
}

// Every position of the picture, in order; y is not touched.
@compute @workgroup_size(64)
fn all_positions(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let pixel = id.y * workgroups.x * 64u + id.x;
    if pixel < frame.width * frame.height {
        encode(pixel, pixel);
    }
}
