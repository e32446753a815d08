// Whether an optimizer's step is left out: where loss_scale.wgsl has found gradients that are not
// finite.

@group(0) @binding(7) var<storage, read> verdict: vec2<u32>; // the second as `skip` there

fn is_skipped() -> bool {
    return verdict.y != 0u;
}
