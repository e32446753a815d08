//! Documents that cannot lie. Every `*.md` of the repository is held against the tree:
//!
//! - **Links and images** lead to files that exist, and anchors to headings.
//! - **A code span is a path** if it has no space and contains `/`, or ends like a file
//!   (`ENDINGS`). The path exists from the root, from the document's folder, from `src/`, from a
//!   folder that the header of one of the document's tables names, as in "file of `src/nn/`", or
//!   behind a folder named before it on the line. `*`, `…` and words in capitals stand for anything
//!   within a name.
//! - **A code span is a command** if it has a space and begins with `cargo`, a script or an
//!   example. Examples, scripts, packages and paths that it names exist, and so do those in code
//!   blocks.
//! - **All other code spans are code.** Every word in them occurs in the sources: Rust, WGSL,
//!   Python, manifests and scripts, comments left out. For `a::b` a source has both words, or is in
//!   the room `a` and has `b`; a test is in just the module that is named. `a::b_…` is the
//!   beginning of a name. A flag, or what a name with hyphens stands for in a file of settings,
//!   occurs as it is, or as the field of options.
//!   Names behind "`file`: " are in that file.
//! - **What belongs to others** is in the list `foreign::NAMES`, all of which is used.
//! - **Lines** are at most 100 columns wide, but for tables, code, formulas that stand by
//!   themselves, and targets of links. `scripts/wrap.py` wraps them.
//! - **Rust** is compiled: a document with a block of it is included in a source, as doctests.
//!
//! Of a change log only links, paths and lines are looked at: it names what has gone.

use std::collections::BTreeSet;
use std::path::Path;

use foreign::NAMES;
use markdown::{Document, Kind, links, spans, width, without_spans};
use tree::{Tree, normal, words};

mod foreign;
mod markdown;
mod tree;

/// How the name of a file ends.
const ENDINGS: &[&str] = &[
    ".rs", ".wgsl", ".py", ".md", ".toml", ".lock", ".jsonl", ".json", ".csv", ".gz", ".png",
    ".yml",
];

const COLUMNS: usize = 100;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rule {
    Link,
    Path,
    Command,
    Name,
    Width,
    Rust,
}

#[derive(Debug)]
struct Finding {
    rule: Rule,
    message: String,
}

/// What is wrong with one document.
struct Check<'a> {
    tree: &'a Tree,
    document: &'a Document,
    findings: Vec<Finding>,
    /// The foreign names that it uses.
    foreign: BTreeSet<&'static str>,
    /// Where its paths may begin.
    bases: Vec<String>,
    line: usize,
}

impl<'a> Check<'a> {
    fn new(tree: &'a Tree, document: &'a Document) -> Self {
        let mut bases = vec![
            String::new(),
            format!("{}/", document.folder()),
            "src/".to_owned(),
        ];
        for line in document
            .lines
            .iter()
            .filter(|line| line.kind == Kind::TableHeader)
        {
            let spans = spans(&line.text)
                .unwrap_or_default()
                .into_iter()
                .map(|(_, span)| span);
            bases.extend(spans.filter(|span| span.ends_with('/')).map(str::to_owned));
        }
        Self {
            tree,
            document,
            findings: Vec::new(),
            foreign: BTreeSet::new(),
            bases,
            line: 0,
        }
    }

    fn run(mut self) -> Self {
        let document = self.document;
        let rust = document
            .lines
            .iter()
            .find(|line| line.kind == (Kind::Code { rust: true }));
        if let Some(line) = rust.filter(|_| !self.tree.includes(&document.name)) {
            self.line = line.number;
            self.finding(
                Rule::Rust,
                "no source includes this document as doctests".to_owned(),
            );
        }
        for line in &document.lines {
            self.line = line.number;
            match line.kind {
                Kind::Fence | Kind::Formula | Kind::Code { rust: true } => {}
                Kind::Code { rust: false } => self.command(&line.text),
                Kind::Text | Kind::Heading | Kind::TableHeader | Kind::TableRow => {
                    self.prose(&line.text);
                    if line.kind == Kind::Text && width(&line.text) > COLUMNS {
                        self.finding(Rule::Width, format!("wider than {COLUMNS} columns"));
                    }
                }
            }
        }
        self
    }

    fn finding(&mut self, rule: Rule, message: String) {
        let message = format!("{}:{}: {message}", self.document.name, self.line);
        self.findings.push(Finding { rule, message });
    }

    fn prose(&mut self, text: &str) {
        for target in links(text) {
            self.link(&target);
        }
        let Some(spans) = spans(text) else {
            self.finding(
                Rule::Name,
                "a code span does not end on its line".to_owned(),
            );
            return;
        };
        // Folders that the line has named, and the file that the names behind it are in.
        let mut folders = vec![""];
        let (mut last, mut file) = (None, None);
        for (before, span) in spans {
            file = match before {
                ": " => last,
                ", " => file,
                _ => None,
            };
            last = None;
            let is_path = !span.contains([' ', '('])
                && !span.contains("::")
                && (span.contains('/') || ENDINGS.iter().any(|end| span.ends_with(end)));
            if self.is_foreign(span) {
            } else if is_path {
                self.path(span, &folders);
                last = Some(span);
                folders.extend(Some(span).filter(|span| span.ends_with('/')));
            } else if let Some(file) = file {
                self.names_in_file(file, span);
            } else if self.is_command(span) {
                self.command(span);
            } else if !self.document.name.ends_with("CHANGELOG.md") {
                span.split(' ').for_each(|word| self.code(word));
            }
        }
    }

    fn is_foreign(&mut self, name: &str) -> bool {
        let entry = NAMES
            .iter()
            .map(|(entry, _)| *entry)
            .find(|entry| *entry == name);
        self.foreign.extend(entry);
        entry.is_some()
    }

    fn link(&mut self, target: &str) {
        if target.contains("://") || target.starts_with("mailto:") {
            return;
        }
        let (path, anchor) = match target.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (target, None),
        };
        let file = match path {
            "" => Some(self.document.name.clone()),
            _ => normal(&format!("{}/{path}", self.document.folder()))
                .map(|p| p.trim_start_matches('/').to_owned()),
        };
        let file = file.filter(|file| path.is_empty() || self.tree.has_exactly(file));
        let Some(file) = file else {
            self.finding(Rule::Link, format!("the link to {target} leads nowhere"));
            return;
        };
        let Some(anchor) = anchor else { return };
        let anchors = if file == self.document.name {
            self.document.anchors()
        } else {
            let text = self.tree.documents().find(|(name, _)| *name == file);
            text.map_or_else(Vec::new, |(name, text)| {
                Document::parse(name, text).anchors()
            })
        };
        if !anchors.iter().any(|known| known == anchor) {
            self.finding(
                Rule::Link,
                format!("there is no heading for the anchor of {target}"),
            );
        }
    }

    fn path(&mut self, path: &str, folders: &[&str]) {
        let exists = |base: &String| {
            folders
                .iter()
                .any(|folder| self.tree.has_path(&format!("{base}{folder}{path}")))
        };
        if !self.bases.iter().any(exists) {
            self.finding(Rule::Path, format!("there is no `{path}`"));
        }
    }

    /// "`file`: `name`, `name`".
    fn names_in_file(&mut self, file: &str, span: &str) {
        for name in words(span) {
            if !self
                .bases
                .iter()
                .any(|base| self.tree.has_word_in(name, &format!("{base}{file}")))
            {
                self.finding(Rule::Name, format!("`{file}` does not know `{name}`"));
            }
        }
    }

    fn is_command(&self, span: &str) -> bool {
        let Some((first, _)) = span.split_once(' ') else {
            return false;
        };
        first == "cargo" || first.contains('/') || self.tree.has_target("examples", first)
    }

    /// A line of a shell, or of something else that may name commands and paths.
    fn command(&mut self, line: &str) {
        if self.is_foreign(line.trim()) {
            return;
        }
        let line = without_spans(line);
        let line = line
            .split(" # ")
            .next()
            .unwrap_or_default()
            .trim_start_matches("# ");
        let parts: Vec<&str> = line.split_whitespace().collect();
        let is_cargo = parts.first() == Some(&"cargo");
        for (i, &word) in parts.iter().enumerate() {
            let next = parts.get(i + 1).copied().unwrap_or_default();
            let known = match word {
                "--example" => self.tree.has_target("examples", next),
                "--bench" => self.tree.has_target("benches", next),
                "--test" => self.tree.has_target("tests", next),
                "-p" if is_cargo => self.tree.has_package(next),
                "--manifest-path" => self.tree.has_exactly(next),
                _ => true,
            };
            if !known {
                self.finding(Rule::Command, format!("there is no `{word} {next}`"));
            }
            let word = word.trim_end_matches([',', ';', ':', ')', '.']);
            if let Some(name) = word.strip_prefix("target/release/examples/") {
                if !self.tree.has_target("examples", name) {
                    self.finding(Rule::Command, format!("there is no example `{name}`"));
                }
            } else if let Some((folder, _)) = word.split_once('/')
                && !word.contains("/target/")
                && self.tree.has_exactly(&format!("{folder}/"))
                && !self.is_foreign(word)
                && !self.tree.has_path(word)
            {
                let rule = if folder == "scripts" {
                    Rule::Command
                } else {
                    Rule::Path
                };
                self.finding(rule, format!("there is no `{word}`"));
            }
        }
        // Those before `--` are Cargo's.
        let from = if is_cargo {
            parts.iter().position(|&part| part == "--")
        } else {
            Some(0)
        };
        for word in parts
            .iter()
            .skip(from.unwrap_or(parts.len()))
            .filter(|w| w.starts_with("--"))
        {
            self.flag(word);
        }
    }

    fn flag(&mut self, word: &str) {
        let flag = word
            .trim_end_matches([',', ';', ':', '.'])
            .split('=')
            .next()
            .unwrap_or_default();
        let field = flag.trim_start_matches('-').replace('-', "_");
        if !field.is_empty()
            && !self.is_foreign(flag)
            && !self.tree.has_word(&field)
            && !self.tree.has_text(flag)
        {
            self.finding(Rule::Name, format!("no source knows `{flag}`"));
        }
    }

    /// A word of code: names, with whatever is between them.
    fn code(&mut self, word: &str) {
        let hyphens = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.is_foreign(word) {
        } else if word.starts_with("--") {
            self.flag(word);
        } else if word.contains('-')
            && word.starts_with(char::is_alphabetic)
            && word.chars().all(hyphens)
        {
            if !self.tree.has_text(word) && !self.tree.has_word(&word.replace('-', "_")) {
                self.finding(Rule::Name, format!("no source knows `{word}`"));
            }
        } else {
            let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '…');
            for name in word.split(|c| !inside(c)) {
                self.name(name.trim_matches(':'));
            }
        }
    }

    /// `name`, `room::name`, or the beginning of either, with an ellipsis.
    fn name(&mut self, path: &str) {
        // Single letters are mathematics; what begins with a digit is a number or a shape.
        let is_name = |name: &str| {
            name.chars().nth(1).is_some()
                && !name.starts_with(|c: char| c.is_ascii_digit() && !name.contains('_'))
        };
        if !path.split("::").any(is_name) || self.is_foreign(path) {
            return;
        }
        let names: Vec<&str> = path.split("::").collect();
        let known = match &names[..] {
            [name] => match name.strip_suffix('…') {
                Some(prefix) => self.tree.has_prefix(prefix),
                None => self.tree.has_word(name),
            },
            [rooms @ .., room, name] => {
                rooms.iter().all(|room| self.tree.has_word(room)) && self.tree.has_pair(room, name)
            }
            [] => true,
        };
        if !known {
            self.finding(Rule::Name, format!("no source knows `{path}`"));
        }
    }
}

fn repository() -> Tree {
    Tree::read(Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// Fails with all that is wrong with the documents of the repository by one rule.
fn assert_none(rule: Rule) {
    let tree = repository();
    let mut found = Vec::new();
    for (name, text) in tree.documents() {
        let document = Document::parse(name, text);
        let findings = Check::new(&tree, &document).run().findings;
        found.extend(
            findings
                .into_iter()
                .filter(|f| f.rule == rule)
                .map(|f| f.message),
        );
    }
    assert!(
        found.is_empty(),
        "{} mistakes:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn links_lead_somewhere() {
    assert_none(Rule::Link);
}

#[test]
fn paths_exist() {
    assert_none(Rule::Path);
}

#[test]
fn rust_is_compiled() {
    assert_none(Rule::Rust);
}

#[test]
fn commands_name_what_exists() {
    assert_none(Rule::Command);
}

#[test]
fn names_occur_in_the_sources() {
    assert_none(Rule::Name);
}

#[test]
fn lines_are_at_most_100_columns_wide() {
    assert_none(Rule::Width);
}

#[test]
fn foreign_names_are_all_in_use() {
    let tree = repository();
    let mut used = BTreeSet::new();
    for (name, text) in tree.documents() {
        let document = Document::parse(name, text);
        used.extend(Check::new(&tree, &document).run().foreign);
    }
    let idle: Vec<_> = NAMES
        .iter()
        .filter(|(name, _)| !used.contains(name))
        .collect();
    assert!(idle.is_empty(), "no document uses {idle:?}");
}

// The checks themselves, on a small tree.

fn small_tree() -> Tree {
    let mut tree = Tree::default();
    for (path, text) in [
        ("Cargo.toml", "name = \"small\"\ndependency-rs = \"1\"\n"),
        (
            "src/lib.rs",
            "pub struct Layer;\n// gone\nimpl Layer { pub fn forward(min_time: f32) {} }\n",
        ),
        ("src/nn/step.rs", "fn backward() {}\n"),
        ("shaders/sum.wgsl", "fn total() {}\n"),
        (
            "tests/suite/layers.rs",
            "use nn;\nfn layers_agree_exactly() {}\n",
        ),
        ("examples/show/main.rs", ""),
        ("scripts/test", "use --quick\n"),
        (
            "docs/OTHER.md",
            "# Other things, `here`: a-b!\n\n## Twice\n\n## Twice\n",
        ),
    ] {
        tree.add(path, text.to_owned());
    }
    tree
}

fn findings_in(text: &str) -> Vec<(Rule, String)> {
    let tree = small_tree();
    let document = Document::parse("docs/PAGE.md", text);
    let findings = Check::new(&tree, &document).run().findings;
    findings.into_iter().map(|f| (f.rule, f.message)).collect()
}

#[test]
fn sound_documents_pass_the_checks() {
    let text = "
# A page

[Other](OTHER.md), [there](OTHER.md#other-things-here-a-b), [again](OTHER.md#twice-1), [here](#a-page),
[up](../Cargo.toml), ![none](https://example.com/none.png).

| file of `shaders/` | |
|---|---|
| `sum.wgsl` | `total`, `src/*/step.rs`, `nn/`, `shaders/NAME.wgsl`, `examples/…/main.rs` |
| `sum.wgsl`: `total` | `lib.rs`: `Layer`, `forward`; `backward` |
| `nn/` with `step.rs` | |

`Layer::forward`, `nn::backward()`, `step::backward`, `layers::layers_agree_exactly`,
`layers::layers_agree_…`, `dependency-rs`, `--min-time`, `min-time = 3`, `--quick`, `total(k + 1)`,
`scripts/test`, `scripts/test --quick`.

- A list that goes on

    with what is no code: `total`

$$x = \\text{no width matters in what stands by itself, neither here nor on the second line of it} +
y + \\text{no width matters in what stands by itself, neither here nor on the second line of it}$$

```sh
cargo run --release -p small --example show -- --quick
scripts/test
unknown `anything`
```

    cargo run --example show
    src/lib.rs    the root
";
    assert_eq!(findings_in(text), []);
}

/// One mistake a line, each found by its rule and by no other.
#[test]
fn planted_mistakes_are_found() {
    let long = "word ".repeat(21);
    for (rule, text) in [
        (Rule::Link, "[Other](NONE.md)"),
        (Rule::Link, "![Other](images/none.png)"),
        (Rule::Link, "[Other](../../Cargo.toml)"),
        (Rule::Link, "[Other](OTHER.md#other)"),
        (Rule::Link, "[Other](OTHER.md#twice-2)"),
        (Rule::Link, "[here](#nowhere)"),
        (Rule::Link, "[other]: NONE.md"),
        (Rule::Path, "`src/none.rs`"),
        (Rule::Path, "`sum.wgsl`"),
        (Rule::Path, "`step.rs` in `nn/`"),
        (Rule::Path, "`src/*/lib.rs`"),
        (Rule::Path, "`shaders/NAME.rs`"),
        (Rule::Path, "`src/lib.rs/`"),
        (Rule::Path, "`scripts/none`"),
        (Rule::Path, "\n    src/none.rs    a room"),
        (Rule::Command, "`cargo run --example none`"),
        (Rule::Command, "`scripts/none --quick`"),
        (Rule::Command, "\n    cargo run -p none --example show"),
        (Rule::Command, "```sh\nscripts/none\n```"),
        (Rule::Name, "`Layer::back`"),
        (Rule::Name, "`gone`"),
        (Rule::Name, "`total(count)`"),
        (Rule::Name, "`src/lib.rs`: `Layer`, `backward`"),
        (Rule::Name, "`lib::backward`"),
        (Rule::Name, "`nn::layers_agree_exactly`"),
        (Rule::Name, "`layers::layers_differ_…`"),
        (Rule::Name, "`dependency`-`rs-2`"),
        (Rule::Name, "`--max-time`"),
        (Rule::Name, "`cargo run --example show -- --max-time 3`"),
        (Rule::Name, "an `open span"),
        (Rule::Rust, "```rust\nforward();\n```"),
        (Rule::Rust, "```\nforward();\n```"),
        (Rule::Width, &long),
        (Rule::Width, &format!("{long}[Other](OTHER.md)")),
    ] {
        let rules: Vec<Rule> = findings_in(text)
            .into_iter()
            .map(|(rule, _)| rule)
            .collect();
        assert_eq!(rules, [rule], "{text}");
    }
}
