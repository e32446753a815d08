//! The house: files depend on each other without circles, and rooms on lower rooms alone.
//!
//! What a file names in a `use`, or by a path from `crate` or `super`, is an arrow to the file that
//! declares it. Re-exports and `mod` lines are the way there and no arrows themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom to the top; those side by side do not know each other.
const ROOMS: [&[&str]; 7] = [
    &["kernel"],
    &["device"],
    &["linear"],
    &["model"],
    &["reference", "exchange"],
    &["nn"],
    &["check", "train"],
];

/// A module path below the crate, such as `["nn", "ops"]`.
type Module = Vec<String>;

#[derive(Default)]
struct Source {
    /// Paths that the file names, absolute.
    names: BTreeSet<Module>,
    /// What it hands on: the name here (`*` for everything), and the absolute path.
    exports: Vec<(String, Module)>,
}

struct House {
    sources: BTreeMap<Module, Source>,
}

impl House {
    /// The sources below this folder of the repository.
    fn read(folder: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut sources = BTreeMap::new();
        for path in rust_files(&root) {
            let mut module: Module = path
                .strip_prefix(&root)
                .unwrap()
                .with_extension("")
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            module.retain(|part| part != "mod" && part != "lib");
            let text = fs::read_to_string(&path).unwrap();
            sources.insert(module.clone(), Source::parse(&root, &module, &text));
        }
        Self { sources }
    }

    /// The module that declares what an absolute path names; `None` outside of the crate.
    fn declaring(&self, path: &[String]) -> Option<Module> {
        let mut module = Module::new();
        for (i, part) in path.iter().enumerate() {
            let child = [&module[..], std::slice::from_ref(part)].concat();
            if self.sources.contains_key(&child) {
                module = child;
                continue;
            }
            let rest = &path[i + 1..];
            return Some(self.through_exports(&module, part, rest).unwrap_or(module));
        }
        Some(module)
    }

    fn through_exports(&self, module: &Module, name: &str, rest: &[String]) -> Option<Module> {
        let exports = &self.sources[module].exports;
        let named = exports.iter().find(|(exported, _)| exported == name);
        if let Some((_, target)) = named {
            return self.declaring(&[target, rest].concat());
        }
        exports
            .iter()
            .filter(|(exported, _)| exported == "*")
            .find_map(|(_, target)| self.through_exports(target, name, rest))
    }

    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let arrows = |(module, source): (&Module, &Source)| {
            let mut targets: BTreeSet<_> = source
                .names
                .iter()
                .filter_map(|name| self.declaring(name))
                .collect();
            targets.remove(module);
            (module.clone(), targets)
        };
        self.sources.iter().map(arrows).collect()
    }
}

impl Source {
    fn parse(root: &Path, module: &Module, text: &str) -> Self {
        let (code, _) = text
            .split_once("#[cfg(test)]\nmod tests")
            .unwrap_or((text, ""));
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code: String = lines.flat_map(|line| [line, "\n"]).collect();
        let mut source = Self::default();
        for (statement, rest) in uses(&code) {
            let is_export = statement.starts_with("pub");
            for (alias, path) in flatten(rest) {
                let Some(path) = absolute(root, module, &path) else {
                    continue;
                };
                if is_export {
                    source.exports.push((alias, path));
                } else {
                    source.names.insert(path);
                }
            }
        }
        let code = without_imports(&code);
        // What a file hands on and also uses is an arrow all the same.
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let words: BTreeSet<&str> = code.split(|c| !is_word(c)).collect();
        let used = source
            .exports
            .iter()
            .filter(|(name, _)| words.contains(name.as_str()));
        source.names.extend(used.map(|(_, path)| path.clone()));
        for path in inline_paths(&code) {
            source.names.extend(absolute(root, module, &path));
        }
        source
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Every `use` at the beginning of a line, with what stands before and behind it up to the `;`.
fn uses(code: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or("");
        let is_statement = line.trim().is_empty() || line.trim().starts_with("pub");
        if let (true, Some((tree, _))) = (is_statement, code[at + 4..].split_once(';')) {
            found.push((line.trim(), tree));
        }
    }
    found
}

/// What is no import and says not where something is visible.
fn without_imports(code: &str) -> String {
    let mut rest = code.to_owned();
    for (_, tree) in uses(code) {
        rest = rest.replace(&format!("use {tree};"), "");
    }
    let mut parts = rest.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    let behind = parts.filter_map(|part| part.split_once(')'));
    behind.fold(first, |all, (_, behind)| all + behind)
}

/// The paths of a tree of imports, each with the name by which it is known.
fn flatten(tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some((prefix, inside)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let last = path.rsplit("::").next().unwrap_or(path);
        let name = if alias.is_empty() { last } else { alias };
        return vec![(name.trim().to_owned(), path.trim().to_owned())];
    };
    let inside = inside.trim_end().strip_suffix('}').unwrap();
    let mut depth = 0;
    let branches = inside.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    branches
        .filter(|branch| !branch.trim().is_empty())
        .flat_map(flatten)
        .map(|(name, path)| (name, format!("{}{path}", prefix.trim())))
        .collect()
}

/// Paths from `crate`, `super` or a module below in the midst of code.
fn inline_paths(code: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.split(|c| !is_path(c))
        .filter(|word| word.contains("::") && word.starts_with(char::is_lowercase))
        .map(|word| word.trim_end_matches(':').to_owned())
        .collect()
}

/// The path from the root of the crate; `None` where it leads out of it.
fn absolute(root: &Path, module: &Module, path: &str) -> Option<Module> {
    let mut parts: Vec<_> = path.split("::").map(str::to_owned).collect();
    if parts
        .last()
        .is_some_and(|last| last == "self" || last == "*")
    {
        parts.pop();
    }
    let mut base = match parts.first()?.as_str() {
        "crate" => Module::new(),
        "super" => module.clone(),
        "self" => module.clone(),
        _ => return known_child(root, module, parts),
    };
    while parts.first().is_some_and(|part| part == "super") {
        base.pop();
        parts.remove(0);
    }
    parts.retain(|part| part != "crate" && part != "self");
    Some([base, parts].concat())
}

/// A path that begins with a module of the same folder: those of re-exports do.
fn known_child(root: &Path, module: &Module, parts: Vec<String>) -> Option<Module> {
    let folder = module
        .iter()
        .fold(root.to_owned(), |path, part| path.join(part));
    let first = parts.first()?;
    let exists = folder.join(format!("{first}.rs")).exists() || folder.join(first).is_dir();
    exists.then(|| [module.clone(), parts].concat())
}

/// A way along the arrows from `module` back to itself.
fn circle(arrows: &BTreeMap<Module, BTreeSet<Module>>, module: &Module) -> Option<Vec<Module>> {
    let mut ways = vec![vec![module.clone()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &arrows[&way[way.len() - 1]] {
            if next == module {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push([&way[..], std::slice::from_ref(next)].concat());
            }
        }
    }
    None
}

#[test]
fn files_depend_on_each_other_without_circles() {
    for (folder, least) in [("src", 200), ("tfevents/src", 60), ("cli/src", 100)] {
        let arrows = House::read(folder).arrows();
        let count: usize = arrows.values().map(BTreeSet::len).sum();
        assert!(count > least, "{folder}: {count} arrows");
        let circles: Vec<_> = arrows
            .keys()
            .filter_map(|module| circle(&arrows, module))
            .map(|way| way.iter().map(|m| m.join("/")).collect::<Vec<_>>())
            .collect();
        assert!(circles.is_empty(), "{folder}: {circles:#?}");
    }
}

#[test]
fn rooms_depend_on_lower_rooms_alone() {
    let height = |module: &Module| {
        let room = module.first()?;
        ROOMS
            .iter()
            .position(|rooms| rooms.contains(&room.as_str()))
    };
    for (from, targets) in House::read("src").arrows() {
        for to in targets {
            let same_room = from.first() == to.first();
            if let (false, Some(above), Some(below)) = (same_room, height(&from), height(&to)) {
                assert!(
                    above > below,
                    "{from:?} knows {to:?}, which is no lower room"
                );
            }
        }
    }
}

#[test]
fn names_are_followed_to_the_file_that_declares_them() {
    let house = House::read("src");
    let declared_in = |path: &str| {
        let path: Module = path.split("::").map(str::to_owned).collect();
        house.declaring(&path).unwrap().join("/")
    };
    assert_eq!(declared_in("nn::Adam"), "nn/ops/adam");
    assert_eq!(declared_in("kernel::Matrix"), "kernel/view");
    assert_eq!(declared_in("model::Activation"), "linear/activation");
    assert_eq!(declared_in("linear::Plan::new"), "linear/plan");
}

/// A browser's program panics where the clocks of the standard library are asked.
#[test]
fn clocks_are_those_that_browsers_have_too() {
    // What is not compiled for browsers.
    let native = ["check", "linear/tune", "nn/queue"];
    let clocks = ["Instant", "SystemTime", "UNIX_EPOCH"];
    for folder in ["src", "tfevents/src"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for path in rust_files(&root) {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if name == "time.rs" || native.iter().any(|native| name.starts_with(native)) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (line, rest) in text.match_indices("std::time::").map(|(at, found)| {
                let line = text[..at].lines().count();
                (line, &text[at + found.len()..])
            }) {
                let named = rest.split_once(';').map_or(rest, |(named, _)| named);
                let clock = clocks.iter().find(|clock| named.contains(**clock));
                assert_eq!(clock, None, "{folder}/{name}:{line}: use crate::time");
            }
        }
    }
}
