//! How the layers of a state dict are called.

use std::collections::BTreeSet;

use super::error::PyTorchError;

/// Before the names of what an optimizer remembers.
pub(super) const OPTIMIZER: &str = "optimizer.";

/// How the layers of a state dict are called.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Naming {
    /// As *nn.Sequential* numbers its modules. On the way out the layers are 0, `stride`,
    /// 2 · `stride`, …; on the way in, all `*.weight` with two dimensions are layers, in the order
    /// of the numbers in their names, and any other tensor is an error.
    Sequential {
        /// From one linear layer to the next: 2 with an activation between them, 3 with a dropout
        /// besides.
        stride: usize,
    },
    /// A prefix for each layer, first to last, such as `fc1`. On the way in, all other tensors are
    /// left out.
    Prefixes(Vec<String>),
}

/// Linear layers and activations in turn: `0.weight`, `0.bias`, `2.weight`, …
impl Default for Naming {
    fn default() -> Self {
        Self::Sequential { stride: 2 }
    }
}

impl Naming {
    /// [`Self::Prefixes`] of these.
    ///
    /// ```
    /// use wgpu_linear::exchange::pytorch::Naming;
    /// let naming = Naming::prefixes(["encoder.fc1", "encoder.fc2", "head"]);
    /// ```
    #[must_use]
    pub fn prefixes<S: Into<String>>(prefixes: impl IntoIterator<Item = S>) -> Self {
        Self::Prefixes(prefixes.into_iter().map(Into::into).collect())
    }

    /// The prefixes of this many layers, on the way out.
    pub(super) fn of_layers(&self, layers: usize) -> Result<Vec<String>, PyTorchError> {
        let prefixes: Vec<String> = match self {
            Self::Sequential { stride } => (0..layers)
                .map(|layer| layer.saturating_mul(*stride).to_string())
                .collect(),
            Self::Prefixes(prefixes) => prefixes.clone(),
        };
        if prefixes.len() == layers && all_differ(&prefixes) {
            Ok(prefixes)
        } else {
            Err(PyTorchError::Names { layers, prefixes })
        }
    }
}

pub(super) fn all_differ(prefixes: &[String]) -> bool {
    let different: BTreeSet<&String> = prefixes.iter().collect();
    different.len() == prefixes.len()
}

/// `PREFIX.weight`; a lone layer may have no prefix.
pub(super) fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// The prefix of `PREFIX.name`.
pub(super) fn prefix_of<'a>(tensor: &'a str, name: &str) -> Option<&'a str> {
    let prefix = tensor.strip_suffix(name)?;
    prefix
        .strip_suffix('.')
        .or_else(|| prefix.is_empty().then_some(prefix))
}

/// What names are sorted by, so that 10 comes behind 2: runs of digits by length and digits, others
/// as text.
pub(super) fn natural_key(name: &str) -> Vec<(bool, usize, String)> {
    name.as_bytes()
        .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
        .map(|run| {
            let text = String::from_utf8_lossy(run);
            if run[0].is_ascii_digit() {
                let digits = text.trim_start_matches('0');
                (false, digits.len(), digits.to_owned())
            } else {
                (true, 0, text.into_owned())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{natural_key, prefix_of};

    #[test]
    fn numbers_in_names_are_sorted_as_numbers() {
        let mut names = ["net.10", "net.2", "net.02b", "a", "net", "3", "20", "100"];
        names.sort_by_key(|name| natural_key(name));
        assert_eq!(
            names,
            ["3", "20", "100", "a", "net", "net.2", "net.02b", "net.10"]
        );
    }

    #[test]
    fn a_prefix_ends_with_a_dot_or_is_empty() {
        assert_eq!(prefix_of("a.0.weight", "weight"), Some("a.0"));
        assert_eq!(prefix_of("weight", "weight"), Some(""));
        assert_eq!(prefix_of("overweight", "weight"), None);
        assert_eq!(prefix_of("a.bias", "weight"), None);
    }
}
