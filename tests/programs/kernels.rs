//! `kernels`, which shows what is compiled.

use crate::command::{example, fails_with, succeeds};

#[test]
fn kernels_prints_each_kernel_that_it_lists() {
    let list = succeeds(example("kernels").arg("--list"));
    assert!(list.lines().count() > 20, "{list}");
    for line in [list.lines().next(), list.lines().last()] {
        let name = line.unwrap().split(' ').next().unwrap();
        let wgsl = succeeds(example("kernels").args(["--print", name]));
        assert!(wgsl.contains("@compute"), "{name}: {wgsl}");
    }
}

#[test]
fn kernels_refuses_names_that_are_none() {
    fails_with(
        example("kernels").args(["--print", "no such kernel"]),
        "there is no kernel",
    );
    fails_with(
        &mut example("kernels"),
        "required arguments were not provided",
    );
}
