//! `04_apply` beside numpy.

use crate::command::{path_of, script, succeeds};

/// On both devices, in both layouts of the weights; and files that it must refuse.
#[test]
fn apply_equals_numpy_and_refuses_other_files() {
    let said = succeeds(script("check_apply.py").arg(path_of("04_apply")));
    assert!(said.contains("runs equal numpy's results"), "{said}");
}
