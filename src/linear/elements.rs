//! What the operands of a matrix product are stored as.

use crate::kernel::{Constant, ElementType};

/// Each factor, and the results: the product, its activation, and what an activation was made of.
/// Biases and their gradients are f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Elements {
    pub(super) left: ElementType,
    pub(super) right: ElementType,
    pub(super) results: ElementType,
}

impl Elements {
    /// Whether whoever asked for it knows that factors have fewer digits than f32.
    pub(super) fn has_rounded_factor(self) -> bool {
        [self.left, self.right].contains(&ElementType::F16)
    }

    /// The types that the files have under these names, where they are others.
    pub(super) fn aliases(self) -> impl Iterator<Item = (&'static str, Constant)> {
        self.named()
            .into_iter()
            .map(|(alias, _, element)| (alias, Constant::Type(element)))
    }

    /// For the names of kernels.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        self.named().into_iter().map(|(_, word, _)| word)
    }

    fn named(self) -> Vec<(&'static str, &'static str, ElementType)> {
        let all = [
            ("Left", "f16_left", self.left),
            ("Right", "f16_right", self.right),
            ("Result", "f16_results", self.results),
        ];
        let is_other = |(_, _, element): &(_, _, ElementType)| *element != ElementType::F32;
        all.into_iter().filter(is_other).collect()
    }
}
