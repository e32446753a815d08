//! WGSL sources: files joined to one module, and specialised by replacing the values of named `const` lines.

use std::fmt;

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
        $crate::shader::File {
            name: $name,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name)),
        }
    };
}
pub(crate) use file;

/// The value of a WGSL `const` that the host may replace.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// `true` or `false`.
    Bool(bool),
    /// An unsigned number, written with the suffix `u`.
    U32(u32),
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::U32(value) => write!(f, "{value}u"),
        }
    }
}

/// A `const` to be replaced is not in the shader: the host and the WGSL file disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shader declares no `const {name}: …;` on a line of its own")]
pub struct SpecialiseError {
    /// The name that was looked for.
    pub name: String,
}

/// Replaces the value of each named `const` declaration in `wgsl`.
///
/// A declaration is a line that begins with `const NAME: TYPE = ` and ends its value with `;`. Everything else, comments behind
/// the value included, stays as it is.
///
/// # Errors
/// [`SpecialiseError`] when a name has no such line.
///
/// ```
/// use wgpu_linear::shader::{Constant, specialise};
/// let wgsl = "const TILE: u32 = 64u; // rows\n";
/// assert_eq!(specialise(wgsl, &[("TILE", Constant::U32(32))])?, "const TILE: u32 = 32u; // rows\n");
/// assert!(specialise(wgsl, &[("TILES", Constant::U32(32))]).is_err());
/// # Ok::<(), wgpu_linear::shader::SpecialiseError>(())
/// ```
pub fn specialise(wgsl: &str, constants: &[(&str, Constant)]) -> Result<String, SpecialiseError> {
    let mut lines: Vec<String> = wgsl.split_inclusive('\n').map(str::to_owned).collect();
    for (name, value) in constants {
        let replaced = lines.iter_mut().find_map(|line| {
            *line = replace_value(line, name, *value)?;
            Some(())
        });
        replaced.ok_or_else(|| SpecialiseError {
            name: (*name).to_owned(),
        })?;
    }
    Ok(lines.concat())
}

/// The line with its value replaced, if it declares `name`.
fn replace_value(line: &str, name: &str, value: Constant) -> Option<String> {
    let declaration = line.strip_prefix("const ")?.strip_prefix(name)?;
    if !declaration.starts_with(':') {
        return None;
    }
    let (head, tail) = line.split_once(" = ")?;
    let (_, rest) = tail.split_once(';')?;
    Some(format!("{head} = {value};{rest}"))
}
