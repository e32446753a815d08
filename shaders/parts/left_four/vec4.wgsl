// Four neighbouring elements of the left factor, all inside: one load where it is bound as
// vectors.

const LEFT_WIDTH: u32 = 4u; // elements that an index counts

alias LeftStored = LeftFour; // as they are stored

fn left_stored_four(at: u32, columns: vec4<u32>) -> LeftStored {
    return left[at];
}

fn left_four(at: u32, columns: vec4<u32>) -> vec4<f32> {
    return left_as_f32(left_stored_four(at, columns));
}
