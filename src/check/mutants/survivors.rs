//! The committed list of mutants that nothing notices, each with its reason.
//!
//! ```text
//! # why the mutants below this line compute the same
//! file | line | what it becomes
//! ```

use super::write::Mutant;

const LIST: &str = include_str!("../../../tests/data/wgsl_mutants.txt");

/// The list.
pub(super) struct Survivors(Vec<(&'static str, &'static str)>);

impl Survivors {
    pub(super) fn read() -> Self {
        let (mut reason, mut list) = ("", Vec::new());
        let lines = LIST.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines {
            match line.strip_prefix('#') {
                Some(text) => reason = text.trim(),
                None => list.push((line, reason)),
            }
        }
        assert!(list.iter().all(|(_, reason)| !reason.is_empty()));
        Self(list)
    }

    pub(super) fn reason(&self, mutant: &Mutant) -> Option<&'static str> {
        let name = mutant.to_string();
        let found = self.0.iter().find(|(line, _)| *line == name.trim());
        found.map(|(_, reason)| *reason)
    }

    /// A shader that was changed takes its lines out of the list.
    pub(super) fn expect_all_among(&self, mutants: &[Mutant]) {
        let names: Vec<_> = mutants.iter().map(ToString::to_string).collect();
        for (line, _) in &self.0 {
            assert!(
                names.iter().any(|name| name.trim() == *line),
                "no such mutant: {line}"
            );
        }
    }
}
