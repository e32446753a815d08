//! WGSL sources: files put together by what their headers ask for, and specialised by replacing
//! the values of named `const` and `alias` lines.
//!
//! A file says in its header which parts it needs: `// Parts       dims, blocks, operands/*`.
//! A name is the file `shaders/parts/NAME.wgsl`. `folder/*` is one file of that folder, which the
//! host chooses. Parts may need parts of their own.

use std::fmt;

use super::element_type::ElementType;

/// A WGSL file of this crate.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// Its path below `shaders/`.
    pub name: &'static str,
    /// Its contents.
    pub source: &'static str,
}

/// The [`File`] of this path below `shaders/`.
macro_rules! file {
    ($name:literal) => {
        $crate::kernel::File {
            name: $name,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name)),
        }
    };
}
pub(crate) use file;

/// What a header may name. Files of the folders below `parts/` are chosen by the host instead.
const PARTS: &[File] = &[
    file!("parts/blocks.wgsl"),
    file!("parts/clipping.wgsl"),
    file!("parts/dims.wgsl"),
    file!("parts/elements.wgsl"),
    file!("parts/epilogue.wgsl"),
    file!("parts/finite.wgsl"),
    file!("parts/fold.wgsl"),
    file!("parts/histogram.wgsl"),
    file!("parts/lanes.wgsl"),
    file!("parts/log_one_plus.wgsl"),
    file!("parts/logistic.wgsl"),
    file!("parts/loss_total.wgsl"),
    file!("parts/nan.wgsl"),
    file!("parts/ranges.wgsl"),
    file!("parts/whole_blocks.wgsl"),
];

/// The value of a WGSL `const` that the host may replace, or the type of an `alias`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// `true` or `false`.
    Bool(bool),
    /// An unsigned number, written with the suffix `u`.
    U32(u32),
    /// A type of numbers.
    Type(ElementType),
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::U32(value) => write!(f, "{value}u"),
            Self::Type(element) => write!(f, "{element}"),
        }
    }
}

/// A shader file and its host code disagree.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A `const` or an `alias` to be replaced is not in the shader.
    #[error(
        "the shader declares no `const {name}: …;` and no `alias {name} = …;` on a line of its own"
    )]
    NoConstant {
        /// The name that was looked for.
        name: String,
    },
    /// A header names a part that does not exist.
    #[error("{file} needs the part `{part}`, which does not exist")]
    NoPart {
        /// The file with the header.
        file: &'static str,
        /// The name in its header.
        part: String,
    },
    /// A header leaves a choice to the host, which has chosen none or several.
    #[error("{file} needs one of `{part}`, the host has chosen {chosen}")]
    Choice {
        /// The file with the header.
        file: &'static str,
        /// The folder in its header, with `/*`.
        part: String,
        /// How many files of that folder the host has chosen.
        chosen: usize,
    },
    /// The host has chosen a file that no header asks for.
    #[error("no header asks for the chosen {file}")]
    UnusedChoice {
        /// The file.
        file: &'static str,
    },
    /// The host gives a uniform other members than the kernel reads.
    #[error("the kernel {kernel} reads another uniform than it was given")]
    Uniform {
        /// Full label of the kernel.
        kernel: &'static str,
    },
}

/// The algorithm's file and the parts that it needs, each once. `choices` are the files that the
/// host takes where a header leaves it the choice.
pub(super) fn assemble(algorithm: File, choices: &[File]) -> Result<Vec<File>, SourceError> {
    let mut files = vec![algorithm];
    let mut next = 0;
    while let Some(file) = files.get(next).copied() {
        for name in parts(file.source) {
            let part = find(file.name, name, choices)?;
            if !files.contains(&part) {
                files.push(part);
            }
        }
        next += 1;
    }
    match choices.iter().find(|choice| !files.contains(choice)) {
        Some(unused) => Err(SourceError::UnusedChoice { file: unused.name }),
        None => Ok(files),
    }
}

/// The names on the line `// Parts` of a header.
fn parts(source: &str) -> impl Iterator<Item = &str> {
    let header = source.lines().take_while(|line| line.starts_with("//"));
    header
        .filter_map(|line| line.strip_prefix("// Parts "))
        .flat_map(|names| names.split(',').map(str::trim))
}

fn find(file: &'static str, part: &str, choices: &[File]) -> Result<File, SourceError> {
    let Some(folder) = part.strip_suffix('*') else {
        let path = format!("parts/{part}.wgsl");
        let found = PARTS.iter().find(|other| other.name == path);
        return found.copied().ok_or_else(|| SourceError::NoPart {
            file,
            part: part.to_owned(),
        });
    };
    let path = format!("parts/{folder}");
    let mut chosen = choices
        .iter()
        .filter(|choice| choice.name.starts_with(&path));
    match (chosen.next(), chosen.count()) {
        (Some(choice), 0) => Ok(*choice),
        (first, others) => Err(SourceError::Choice {
            file,
            part: part.to_owned(),
            chosen: usize::from(first.is_some()) + others,
        }),
    }
}

/// Replaces the value of each named `const` declaration in `wgsl`, and the type of each `alias`.
///
/// A declaration is a line that begins with `const NAME: TYPE = ` or `alias NAME = ` and ends its
/// value with `;`.
/// Everything else, comments behind the value included, stays as it is.
///
/// # Errors
/// [`SourceError::NoConstant`] when a name has no such line.
///
/// ```
/// use wgpu_linear::kernel::{Constant, specialise};
/// let wgsl = "const TILE: u32 = 64u; // rows\n";
/// assert_eq!(specialise(wgsl, &[("TILE", Constant::U32(32))])?, "const TILE: u32 = 32u; // rows\n");
/// assert!(specialise(wgsl, &[("TILES", Constant::U32(32))]).is_err());
/// # Ok::<(), wgpu_linear::kernel::SourceError>(())
/// ```
pub fn specialise(wgsl: &str, constants: &[(&str, Constant)]) -> Result<String, SourceError> {
    let mut lines: Vec<String> = wgsl.split_inclusive('\n').map(str::to_owned).collect();
    for (name, value) in constants {
        let replaced = lines.iter_mut().find_map(|line| {
            *line = replace_value(line, name, *value)?;
            Some(())
        });
        replaced.ok_or_else(|| SourceError::NoConstant {
            name: (*name).to_owned(),
        })?;
    }
    Ok(lines.concat())
}

/// Whether there is a function or a value of subgroups outside of comments, as `subgroupShuffle` and
/// `subgroup_size` are.
pub(super) fn uses_subgroups(wgsl: &str) -> bool {
    let code = wgsl.lines().filter_map(|line| line.split("//").next());
    let mut words = code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|word| {
        word.strip_prefix("subgroup")
            .is_some_and(|rest| !rest.is_empty())
    })
}

/// The line with its value replaced, if it declares `name`.
fn replace_value(line: &str, name: &str, value: Constant) -> Option<String> {
    let (keyword, behind) = match value {
        Constant::Type(_) => ("alias ", " = "),
        Constant::Bool(_) | Constant::U32(_) => ("const ", ":"),
    };
    let declaration = line.strip_prefix(keyword)?.strip_prefix(name)?;
    if !declaration.starts_with(behind) {
        return None;
    }
    let (head, tail) = line.split_once(" = ")?;
    let (_, rest) = tail.split_once(';')?;
    Some(format!("{head} = {value};{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn file(name: &'static str, source: &'static str) -> File {
        File { name, source }
    }

    const LEFT: File = file("parts/left/by_load.wgsl", "// Loads.\n");
    const SHUFFLE: File = file("parts/left/by_shuffle.wgsl", "// Shuffles.\n");

    #[test]
    fn assemble_follows_the_headers_and_takes_each_part_once() {
        let main = file("main.wgsl", "// c = 1\n// Parts       fold, elements\n\n");
        let names: Vec<_> = assemble(main, &[])
            .unwrap()
            .iter()
            .map(|f| f.name)
            .collect();
        assert_eq!(
            names,
            ["main.wgsl", "parts/fold.wgsl", "parts/elements.wgsl"]
        );
    }

    #[test]
    fn assemble_reads_the_header_alone() {
        let main = file("main.wgsl", "// c = 1\n\n// Parts       nowhere\n");
        assert_eq!(assemble(main, &[]), Ok(vec![main]));
    }

    #[test]
    fn assemble_wants_one_file_for_each_choice() {
        let main = file("main.wgsl", "// Parts       left/*\n");
        assert_eq!(assemble(main, &[LEFT]), Ok(vec![main, LEFT]));
        for choices in [&[][..], &[LEFT, SHUFFLE]] {
            let error = assemble(main, choices).unwrap_err();
            let chosen = choices.len();
            assert!(matches!(error, SourceError::Choice { chosen: c, .. } if c == chosen));
        }
    }

    #[test]
    fn assemble_refuses_what_does_not_exist_or_is_not_asked_for() {
        let main = file("main.wgsl", "// Parts       nowhere\n");
        assert!(matches!(
            assemble(main, &[]),
            Err(SourceError::NoPart { .. })
        ));
        let main = file("main.wgsl", "// c = 1\n");
        let unused = SourceError::UnusedChoice { file: LEFT.name };
        assert_eq!(assemble(main, &[LEFT]), Err(unused));
    }
}
