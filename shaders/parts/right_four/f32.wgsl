// Four elements of a stored row of the right factor, all inside: one by one.

const RIGHT_WIDTH: u32 = 1u; // elements that an index counts

alias RightStored = vec4<Right>; // as they are stored

fn right_stored_four(at: u32, columns: vec4<u32>) -> RightStored {
    let each = at + columns;
    return RightStored(right[each.x], right[each.y], right[each.z], right[each.w]);
}

fn right_four(at: u32, columns: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(right_stored_four(at, columns));
}
