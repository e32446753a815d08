//! `01_forward` and `02_embed`, which take no arguments.

use crate::command::{example, succeeds};

#[test]
fn forward_prints_the_product_by_hand() {
    let said = succeeds(&mut example("01_forward"));
    assert!(said.starts_with("[8.5, 1.5, 19.0, 1.5] on "), "{said}");
}

/// (0, 1) on the circle, turned by 90 degrees, and moved by (10, 0).
#[test]
fn embed_turns_and_moves_the_points() {
    let said = succeeds(&mut example("02_embed"));
    assert!(
        said.lines()
            .any(|line| line.starts_with("point 2:   9.000")),
        "{said}"
    );
}
