// Four elements of a stored row of the left factor, all inside: one by one.

const LEFT_WIDTH: u32 = 1u; // elements that an index counts

alias LeftStored = vec4<Left>; // as they are stored

fn left_stored_four(at: u32, columns: vec4<u32>) -> LeftStored {
    let each = at + columns;
    return LeftStored(left[each.x], left[each.y], left[each.z], left[each.w]);
}

fn left_four(at: u32, columns: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(left_stored_four(at, columns));
}
