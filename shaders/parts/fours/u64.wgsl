// Four neighbouring elements of a factor, loaded by twos, for adapters that run on the CPU and know
// 64-bit integers.
//
// llvmpipe loads thread by thread and puts each word that it has loaded into a vector. On CPUs
// without masked vectors every such word waits for a store to the stack, so half as many words take
// half as long.
// Layout      little-endian, as all hosts of llvmpipe are
// See         fours/f32.wgsl for all other adapters

alias LeftFour = vec2<u64>;
alias RightFour = vec2<u64>;

fn left_as_f32(loaded: LeftFour) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(
        u32(loaded.x), u32(loaded.x >> 32u), u32(loaded.y), u32(loaded.y >> 32u)));
}

fn right_as_f32(loaded: RightFour) -> vec4<f32> {
    return left_as_f32(loaded);
}
