// g ← g · min(1, max_norm / (norm + 10⁻⁶)), with norm and quotient of clip_factor.wgsl
//
// Shapes      gradients: `count` numbers, loaded as bits; clipping one
// Grid        one thread per element in workgroups of 256, folded into x and y
// Edges       threads past the end do nothing. Where the norm is small enough, nothing is stored.
//             Where a gradient is not finite, all but zeros become NaN; zeros stay, since there are
//             some between the tensors of a network, which no step computes anew
// Parts       clipping, elements
// Host        src/nn/ops/clip.rs

const NAN: u32 = 0x7fc00000u;

struct Dims {
    count: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> clipping: Clipping;
@group(0) @binding(2) var<storage, read_write> gradients: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn clip(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let i = element(workgroup, workgroups, local);
    if i < dims.count {
        let bits = gradients[i];
        if clipping.non_finite != 0u {
            gradients[i] = select(NAN, bits, (bits & 0x7fffffffu) == 0u);
        } else if clipping.factor != 1.0 || clipping.scale != 1.0 {
            let scaled = bitcast<f32>(bits) * clipping.scale;
            gradients[i] = bitcast<u32>(scaled * clipping.factor);
        }
    }
}
