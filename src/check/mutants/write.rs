//! Mutants of a WGSL file: a line with one word exchanged, or a statement left out.

use std::fmt;

use crate::check::operands::GUARD_BYTES;
use crate::kernel::{Fault, File, ShaderChecks};

/// A file with one line changed.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    pub(super) file: &'static str,
    /// Lines of the file, as few as stand there only once.
    text: &'static str,
    instead: String,
    /// The line that is changed, and what it becomes.
    pub(super) before: &'static str,
    pub(super) after: String,
    /// Which of those in the file that read the same, from 1.
    number: usize,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, number, .. } = self;
        let number = match number {
            1 => String::new(),
            _ => format!(" #{number}"),
        };
        write!(f, "{file}{number} | {} | {}", self.before, self.after)
    }
}

impl Mutant {
    pub(super) fn fault(&self) -> Fault {
        Fault {
            kernel: Fault::ANY,
            text: self.text,
            // A test may leak: the process ends with it.
            instead: self.instead.clone().leak(),
            checks: ShaderChecks::All,
            slack_bytes: GUARD_BYTES,
        }
    }
}

/// What may stand in the place of what, spaces included: they tell operators from signs.
const EXCHANGES: &[[&str; 2]] = &[
    [" + ", " - "],
    [" - ", " + "],
    [" * ", " + "],
    [" / ", " * "],
    [" % ", " / "],
    [" < ", " <= "],
    [" <= ", " < "],
    [" > ", " >= "],
    [" >= ", " > "],
    [" == ", " != "],
    [" != ", " == "],
    [" && ", " || "],
    [" || ", " && "],
    [" += ", " -= "],
    [" *= ", " += "],
    [" << ", " >> "],
    [" >> ", " << "],
    [" & ", " | "],
    [" | ", " & "],
    [" ^ ", " | "],
    ["min(", "max("],
    ["max(", "min("],
    ["exp(", "exp2("],
    ["log(", "log2("],
    ["sqrt(", "abs("],
    ["fma(", "mix("],
    ["abs(", "sign("],
    ["if !", "if "],
    ["false", "true"],
    ["true", "false"],
    ["0.5", "0.25"],
    ["1.0", "2.0"],
    ["2.0", "1.0"],
    ["0.0", "1.0"],
    [".x", ".y"],
    [".y", ".x"],
    [".z", ".w"],
    [".w", ".z"],
];

pub(super) fn mutants_of(file: &File) -> Vec<Mutant> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for (start, line) in lines(file.source) {
        let code = line.split("//").next().unwrap_or_default();
        if !is_changed(code) {
            continue;
        }
        let changed = exchanged(code).chain(counted(code)).chain(left_out(code));
        for after in changed {
            let mut mutant = mutant(file, start, line, &after);
            let reads_the_same =
                |other: &&Mutant| other.before == mutant.before && other.after == mutant.after;
            mutant.number += mutants.iter().filter(reads_the_same).count();
            mutants.push(mutant);
        }
    }
    mutants
}

/// The lines of a text, each with where it begins.
fn lines(source: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    let begin = |line: &'static str| line.as_ptr() as usize - source.as_ptr() as usize;
    source.lines().map(move |line| (begin(line), line))
}

/// Declarations say what is bound and which constants the host replaces: the host's own tests
/// compare both.
fn is_changed(code: &str) -> bool {
    let declares = ["const ", "@", "struct ", "var<", "fn ", "}", "alias "];
    let code = code.trim_end();
    !code.is_empty() && !declares.iter().any(|start| code.starts_with(start))
}

fn exchanged(code: &str) -> impl Iterator<Item = String> {
    EXCHANGES.iter().flat_map(move |[from, to]| {
        let places = code.match_indices(from);
        let places = places.filter(move |(at, _)| stands_alone(code, *at, from));
        places.map(move |(at, _)| replaced(code, at, from.len(), to))
    })
}

/// Whether a name or number at `at` is not the end or beginning of a longer one.
fn stands_alone(code: &str, at: usize, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = code[..at].chars().next_back();
    let behind = code[at + word.len()..].chars().next();
    let begins = word.starts_with(is_word) && before.is_some_and(|c| is_word(c) || c == '.');
    let ends = word.ends_with(is_word) && behind.is_some_and(is_word);
    !begins && !ends
}

/// Unsigned numbers, one more each.
fn counted(code: &str) -> impl Iterator<Item = String> {
    code.match_indices('u').filter_map(move |(end, _)| {
        let digits = code[..end].len()
            - code[..end]
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .len();
        let number: u64 = code[end - digits..end].parse().ok()?;
        let text = &code[end - digits..=end];
        let more = format!("{}u", number + 1);
        stands_alone(code, end - digits, text)
            .then(|| replaced(code, end - digits, text.len(), &more))
    })
}

/// A statement that stores something, or waits, left out.
fn left_out(code: &str) -> Option<String> {
    let statement = code.trim();
    let declares = ["let ", "var ", "const ", "return", "for "];
    let is_statement =
        statement.ends_with(';') && !declares.iter().any(|d| statement.starts_with(d));
    is_statement.then(|| code.replace(statement, ""))
}

fn replaced(code: &str, at: usize, len: usize, with: &str) -> String {
    [&code[..at], with, &code[at + len..]].concat()
}

/// `line`, which begins at `start`, becomes `after`. Lines before it are taken in until the text
/// stands in the file only once.
fn mutant(file: &File, start: usize, line: &'static str, after: &str) -> Mutant {
    let end = start + line.len();
    let mut begin = start;
    while file.source.matches(&file.source[begin..end]).count() > 1 {
        begin = file.source[..begin - 1].rfind('\n').map_or(0, |at| at + 1);
    }
    Mutant {
        file: file.name,
        text: &file.source[begin..end],
        instead: [&file.source[begin..start], after].concat(),
        before: line.split("//").next().unwrap_or_default().trim(),
        after: after.trim().to_owned(),
        number: 1,
    }
}

#[test]
fn mutants_change_one_word_or_leave_a_statement_out() {
    let file = File {
        name: "file.wgsl",
        source: "// a + b\nconst N: u32 = 1u;\nfn f() {\n    x += a1 + 10u; // c + d\n    x += a1 + 10u;\n}\n",
    };
    let mutants = mutants_of(&file);
    let after: Vec<_> = mutants.iter().map(|mutant| mutant.after.as_str()).collect();
    let each = ["x += a1 - 10u;", "x -= a1 + 10u;", "x += a1 + 11u;", ""];
    assert_eq!(after, [each, each].concat());
    let names: Vec<_> = mutants.iter().map(ToString::to_string).collect();
    assert_eq!(names[0], "file.wgsl | x += a1 + 10u; | x += a1 - 10u;");
    assert_eq!(names[4], "file.wgsl #2 | x += a1 + 10u; | x += a1 - 10u;");
    for mutant in &mutants {
        assert_eq!(file.source.matches(mutant.text).count(), 1, "{mutant}");
        assert_eq!(mutant.before, "x += a1 + 10u;");
        let rest = mutant.instead.trim_end().strip_suffix(&mutant.after);
        assert!(rest.is_some(), "{mutant:?}");
    }
}
