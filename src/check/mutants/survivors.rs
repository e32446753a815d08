//! The committed list of mutants that nothing notices, each with its reason.
//!
//! ```text
//! # why the mutants below this line compute the same
//! file | line | what it becomes
//! file #2 | the second line that reads so | what it becomes
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

    /// A shader that was changed takes its lines out of the list. `wanted` are the files that the
    /// mutants are of, unless they are of all.
    pub(super) fn expect_all_among(&self, mutants: &[Mutant], wanted: Option<&[String]>) {
        let names: Vec<_> = mutants.iter().map(ToString::to_string).collect();
        let is_wanted = |line: &str| {
            let file = line.split([' ', '|']).next().unwrap_or_default();
            wanted.is_none_or(|wanted| wanted.iter().any(|name| name == file))
        };
        for (line, _) in self.0.iter().filter(|(line, _)| is_wanted(line)) {
            assert!(
                names.iter().any(|name| name.trim() == *line),
                "no such mutant: {line}"
            );
        }
    }
}
