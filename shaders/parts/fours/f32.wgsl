// Four neighbouring elements of a factor, loaded as they are.
//
// See         fours/u64.wgsl for adapters that run on the CPU

alias Four = vec4<f32>;

fn four(loaded: Four) -> vec4<f32> {
    return loaded;
}
