// convert             x_i = source_i, stored as another type
//
// From f16 to f32 exact; from f32 to f16 rounded, in whichever direction the device rounds. What
// f16 cannot hold becomes an infinity or its largest number, and a NaN stays one.
//
// Shapes      source and x `count` elements
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing: behind an odd number of f16, the other half of the
//             last word is not written
// Parts       elements
// Host        src/nn/ops/convert.rs

alias From = f32; // what source is stored as, f32 or f16
alias To = f32; // what x is stored as, the other one

struct Dims {
    count: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> source: array<From>;
@group(0) @binding(2) var<storage, read_write> x: array<To>;

@compute @workgroup_size(WORKGROUP)
fn convert(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        x[i] = To(source[i]);
    }
}
