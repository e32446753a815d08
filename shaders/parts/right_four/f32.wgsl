// Four elements of a stored row of the right factor, all inside: one by one.

const RIGHT_WIDTH: u32 = 1u; // elements that an index counts

fn right_four(at: u32, columns: vec4<u32>) -> vec4<f32> {
    let each = at + columns;
    return vec4<f32>(
        f32(right[each.x]), f32(right[each.y]), f32(right[each.z]), f32(right[each.w]));
}
