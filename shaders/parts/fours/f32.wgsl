// Four neighbouring elements of a factor, loaded as they are.
//
// See         fours/u64.wgsl for adapters that run on the CPU

alias LeftFour = vec4<Left>;
alias RightFour = vec4<Right>;

fn left_as_f32(loaded: LeftFour) -> vec4<f32> {
    return vec4<f32>(loaded);
}

fn right_as_f32(loaded: RightFour) -> vec4<f32> {
    return vec4<f32>(loaded);
}
