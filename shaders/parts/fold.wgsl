// Grids folded into x and y, so that more workgroups fit than one dimension holds.
//
// Edges       the last row of a folded grid reaches past the end: callers leave out what lies there
// Host        src/kernel/dispatch.rs

// The number of a workgroup, from 0, along x first.
fn workgroup_number(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}
