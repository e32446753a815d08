// One thread an element, in workgroups of WORKGROUP threads.
//
// Parts       fold
// Host        src/nn/ops/elements.rs

const WORKGROUP: u32 = 256u;

// The element of a thread; past the end in the last workgroups.
fn element(workgroup: vec3<u32>, workgroups: vec3<u32>, local: vec3<u32>) -> u32 {
    return workgroup_number(workgroup, workgroups) * WORKGROUP + local.x;
}
