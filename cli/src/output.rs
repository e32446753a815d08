//! What a command says, and to whom: people or machines.

use std::io::{IsTerminal, stderr};

use serde::Serialize;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// One JSON object on the standard output in place of text.
    pub json: bool,
    /// Nothing but the result.
    pub quiet: bool,
}

impl Output {
    /// Whether to draw bars that move: for people who look at a terminal.
    #[must_use]
    pub fn is_animated(self) -> bool {
        !self.json && !self.quiet && stderr().is_terminal()
    }

    /// Prints a result: as text for people, as one line of JSON for machines.
    pub fn result(self, text: &str, value: &impl Serialize) {
        if self.json {
            // What this program serialises are numbers, texts and lists: that cannot fail.
            println!("{}", serde_json::to_string(value).unwrap_or_default());
        } else {
            println!("{}", text.trim_end());
        }
    }

    /// Says something on the way, on the standard error, unless it is to be quiet.
    pub fn note(self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}
