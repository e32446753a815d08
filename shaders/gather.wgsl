// x_ij = data_(index_i, j)        targets_ij = wanted_(index_i, j)
//
// Picks a mini-batch's examples and what they should come out as from a data set on the device.
// With BYTES, data holds whole numbers from 0 to 255, and x_ij = scale · data_(index_i, j).
//
// Shapes      indices batch; data examples × inputs; wanted examples × outputs (one label each:
//             outputs = 1); x batch × inputs; targets batch × outputs
// Layout      row-major, dense. Words are copied as they are, f32 or u32. With BYTES, four elements
//             lie in a word, the first in the lowest bits, without padding between rows
// Grid        one thread per 4 elements of a row of x, then one per element of targets, in
//             workgroups of 256, folded into x and y
// Edges       threads past the end do nothing. An index past the last example would pick anything:
//             the host must reject it
// Parts       elements
// Host        src/nn/ops/gather.rs

const BYTES: bool = false;

struct Dims {
    batch: u32,
    inputs: u32,
    outputs: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> data: array<u32>;
@group(0) @binding(3) var<storage, read> wanted: array<u32>;
@group(0) @binding(4) var<storage, read_write> x: array<u32>;
@group(0) @binding(5) var<storage, read_write> targets: array<u32>;

// The bits of element i of data.
fn bits_of(i: u32) -> u32 {
    if BYTES {
        let byte = (data[i / 4u] >> (8u * (i % 4u))) & 0xffu;
        return bitcast<u32>(f32(byte) * dims.scale);
    }
    return data[i];
}

@compute @workgroup_size(WORKGROUP)
fn gather(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    let quads = (dims.inputs + 3u) / 4u;
    if i < dims.batch * quads {
        let row = i / quads;
        let source = indices[row] * dims.inputs;
        let first = i % quads * 4u;
        for (var column = first; column < min(first + 4u, dims.inputs); column++) {
            x[row * dims.inputs + column] = bits_of(source + column);
        }
    } else if i - dims.batch * quads < dims.batch * dims.outputs {
        let k = i - dims.batch * quads;
        targets[k] = wanted[indices[k / dims.outputs] * dims.outputs + k % dims.outputs];
    }
}
