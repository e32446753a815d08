//! The files of the repository, and the names that occur in its sources.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

#[derive(Debug, Default)]
pub(super) struct Tree {
    /// By path from the root, with `/`; what cannot be a source has no words.
    files: BTreeMap<String, Source>,
}

#[derive(Debug, Default)]
struct Source {
    text: String,
    words: HashSet<String>,
}

impl Tree {
    /// Everything below a folder, but for what Git and Cargo keep there.
    pub(super) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.add_folder(root, "");
        tree
    }

    fn add_folder(&mut self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{prefix}{name}");
            if !entry.file_type().unwrap().is_dir() {
                let text = if is_text(&path) {
                    fs::read_to_string(entry.path()).unwrap()
                } else {
                    String::new()
                };
                self.add(&path, text);
            } else if !matches!(
                &*name,
                ".git" | "target" | "runs" | "corpus" | "__pycache__"
            ) {
                self.add_folder(&entry.path(), &format!("{path}/"));
            }
        }
    }

    pub(super) fn add(&mut self, path: &str, text: String) {
        let mut source = Source {
            text,
            words: HashSet::new(),
        };
        // This test lists names that the sources need not have.
        if is_source(path) && !path.starts_with("tests/suite/documents") {
            let comment = if path.ends_with(".rs") || path.ends_with(".wgsl") {
                "//"
            } else {
                "# "
            };
            for line in source
                .text
                .lines()
                .filter(|l| !l.trim_start().starts_with(comment))
            {
                source.words.extend(words(line).map(str::to_owned));
            }
        } else if !path.ends_with(".md") {
            source.text.clear();
        }
        self.files.insert(path.to_owned(), source);
    }

    /// All files of Markdown, with their texts.
    pub(super) fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        let documents = self.files.iter().filter(|(path, _)| path.ends_with(".md"));
        documents.map(|(path, source)| (&**path, &*source.text))
    }

    /// Whether there is a file or folder of that name. `*` and `…` stand for anything within a
    /// name; so do words in capitals where there is no such file: `shaders/NAME.wgsl`.
    pub(super) fn has_path(&self, path: &str) -> bool {
        let Some(path) = normal(path) else {
            return false;
        };
        let pattern = path.replace('…', "*");
        self.any_path(&pattern) || self.any_path(&with_stars_for_capitals(&pattern))
    }

    /// Whether there is a file or folder of just that name.
    pub(super) fn has_exactly(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    fn any_path(&self, pattern: &str) -> bool {
        self.files.keys().any(|path| leads_to(pattern, path))
    }

    /// Whether a word occurs in a file of that name.
    pub(super) fn has_word_in(&self, word: &str, path: &str) -> bool {
        let Some(path) = normal(path) else {
            return false;
        };
        let mut files = self.files.iter().filter(|(file, _)| leads_to(&path, file));
        files.any(|(_, source)| source.words.contains(word))
    }

    /// Whether an example, a benchmark or an integration test has that name.
    pub(super) fn has_target(&self, folder: &str, name: &str) -> bool {
        self.files.keys().any(|path| {
            let (before, rest) = path.split_once(&format!("{folder}/")).unwrap_or_default();
            (before.is_empty() || before.ends_with('/'))
                && (rest == format!("{name}.rs") || rest == format!("{name}/main.rs"))
        })
    }

    /// Whether there is a package of that name.
    pub(super) fn has_package(&self, name: &str) -> bool {
        let line = format!("name = \"{name}\"");
        let manifests = self
            .files
            .iter()
            .filter(|(path, _)| path.ends_with("Cargo.toml"));
        manifests
            .map(|(_, source)| source)
            .any(|source| source.text.contains(&line))
    }

    /// Whether a source includes this file.
    pub(super) fn includes(&self, name: &str) -> bool {
        self.files.iter().any(|(path, source)| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut paths = source.text.split("include_str!(\"").skip(1);
            path.ends_with(".rs")
                && paths.any(|rest| {
                    let path = rest.split('"').next().unwrap_or_default();
                    normal(&format!("{folder}/{path}")).as_deref() == Some(name)
                })
        })
    }

    /// Whether a word occurs in a source, or in the path of one.
    pub(super) fn has_word(&self, word: &str) -> bool {
        self.files
            .iter()
            .any(|(path, source)| source.words.contains(word) || is_room(word, path))
    }

    /// Whether a word that begins so occurs in a source.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.files
            .values()
            .any(|source| source.words.iter().any(|word| word.starts_with(prefix)))
    }

    /// Whether `text` occurs in a source with no part of a name before or behind it.
    pub(super) fn has_text(&self, text: &str) -> bool {
        let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
        self.files
            .values()
            .filter(|source| !source.words.is_empty())
            .any(|source| {
                source.text.match_indices(text).any(|(at, _)| {
                    !part(source.text[..at].chars().next_back())
                        && !part(source.text[at + text.len()..].chars().next())
                })
            })
    }

    /// Whether `parent::name` may be right: a source has both words, or is the room `parent` and
    /// has the word `name`. A test is in the module that is named. An ellipsis ends a part of a
    /// name.
    pub(super) fn has_pair(&self, parent: &str, name: &str) -> bool {
        let prefix = name.strip_suffix('…');
        let is = |word: &str| prefix.map_or(word == name, |prefix| word.starts_with(prefix));
        self.files
            .iter()
            .filter(|(_, source)| source.words.iter().any(|word| is(word)))
            .any(|(path, source)| {
                let is_test = format!("/{path}").contains("/tests/")
                    && source
                        .text
                        .split("fn ")
                        .skip(1)
                        .any(|rest| is(words(rest).next().unwrap_or_default()));
                is_room(parent, path) || !is_test && source.words.contains(parent)
            })
    }
}

/// What counts as a source.
fn is_source(path: &str) -> bool {
    [".rs", ".wgsl", ".py", ".toml"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.starts_with("scripts/")
}

fn is_text(path: &str) -> bool {
    is_source(path) || path.ends_with(".md")
}

/// Whether a folder of the path, or the file without its extension, has this name.
fn is_room(name: &str, path: &str) -> bool {
    is_source(path)
        && path
            .split('/')
            .any(|part| part.split('.').next() == Some(name))
}

/// Letters, digits and underscores.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The path without `.` and `..`; `None` if it leaves the root.
pub(super) fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a pattern is that of a file, or of a folder that it is in.
fn leads_to(pattern: &str, file: &str) -> bool {
    let mut wanted = pattern.split('/').filter(|part| !part.is_empty());
    let mut parts = file.split('/');
    wanted.all(|wanted| parts.next().is_some_and(|part| glob(wanted, part)))
        // A slash at the end wants a folder.
        && (!pattern.ends_with('/') || parts.next().is_some())
}

/// `NAME.wgsl` to `*.wgsl`, `YYYY-MM-DD.jsonl` to `*-*-*.jsonl`.
fn with_stars_for_capitals(path: &str) -> String {
    let mut result = String::new();
    let mut word = String::new();
    for c in path.chars().chain(['\0']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        let capitals = word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
        result.push_str(if capitals { "*" } else { &word });
        word.clear();
        result.push(c);
    }
    result.pop();
    result
}

/// Whether a name fits a pattern, in which `*` stands for anything.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
