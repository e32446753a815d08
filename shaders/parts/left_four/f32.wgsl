// Four elements of a stored row of the left factor, all inside: one by one.

const LEFT_WIDTH: u32 = 1u; // elements that an index counts

fn left_four(at: u32, columns: vec4<u32>) -> vec4<f32> {
    let each = at + columns;
    return vec4<f32>(
        f32(left[each.x]), f32(left[each.y]), f32(left[each.z]), f32(left[each.w]));
}
