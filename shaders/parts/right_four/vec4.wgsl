// Four neighbouring elements of the right factor, all inside: one load where it is bound as
// vectors.

const RIGHT_WIDTH: u32 = 4u; // elements that an index counts

alias RightStored = RightFour; // as they are stored

fn right_stored_four(at: u32, columns: vec4<u32>) -> RightStored {
    return right[at];
}

fn right_four(at: u32, columns: vec4<u32>) -> vec4<f32> {
    return right_as_f32(right_stored_four(at, columns));
}
