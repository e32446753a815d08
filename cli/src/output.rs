//! What a command says, and to whom: people or machines.

use std::io::{self, IsTerminal, Write, stderr};

use serde::Serialize;

use crate::CliError;

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
    ///
    /// # Errors
    /// As [`print()`].
    pub fn result(self, text: &str, value: &impl Serialize) -> Result<(), CliError> {
        if self.json {
            let line = serde_json::to_string(value).map_err(|error| CliError::failure(&error))?;
            print(&format!("{line}\n"))
        } else {
            print(&format!("{}\n", text.trim_end()))
        }
    }

    /// Says something on the way, on the standard error, unless it is to be quiet.
    pub fn note(self, text: &str) {
        if !self.quiet {
            // Nobody is left who could be told of a failure.
            let _ = writeln!(stderr(), "{text}");
        }
    }
}

/// Writes a result to the standard output.
///
/// # Errors
/// [`CliError::Failure`] where it cannot be written; not where whoever reads has seen enough and is
/// gone.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// How writing to the standard output went.
///
/// # Errors
/// As [`print()`].
pub fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let told = format!("the result cannot be written to the standard output: {error}");
            Err(CliError::Failure(told))
        }
        _ => Ok(()),
    }
}

/// `text` in lines of at most `width` characters, all but the first of which begin with `indent`.
#[must_use]
pub fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let fits = line.chars().count() + 1 + word.chars().count() <= width;
        if line.trim().is_empty() {
            line.push_str(word);
        } else if fits {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines.join("\n")
}

/// A plan for a column of a table: `tiled 64×64 /4` where it says `tiled 64×64, 4 slabs`.
#[must_use]
pub fn plan_in_short(plan: &str) -> String {
    let slabs = plan
        .strip_suffix(" slabs")
        .and_then(|plan| plan.rsplit_once(", "));
    slabs.map_or_else(
        || plan.to_owned(),
        |(kernel, slabs)| format!("{kernel} /{slabs}"),
    )
}

#[cfg(test)]
mod tests {
    use super::{plan_in_short, wrapped};

    #[test]
    fn plans_are_shortened_by_their_slabs() {
        assert_eq!(plan_in_short("tiled 64×64, 4 slabs"), "tiled 64×64 /4");
        let prefetched = "tiled 64×64, prefetched";
        assert_eq!(plan_in_short(prefetched), prefetched);
        assert_eq!(
            plan_in_short(&format!("{prefetched}, 16 slabs")),
            format!("{prefetched} /16")
        );
    }

    #[test]
    fn lines_are_filled_and_not_overfull() {
        assert_eq!(wrapped("a bb ccc dddd", "  ", 6), "a bb\n  ccc\n  dddd");
        assert_eq!(wrapped("a bb", "  ", 4), "a bb");
        assert_eq!(wrapped("abcdefgh i", "  ", 4), "abcdefgh\n  i");
        assert_eq!(wrapped("", "  ", 4), "");
    }
}
