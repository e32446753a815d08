//! What becomes of a column.

/// What becomes of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Left out.
    Skip,
    /// An input that is a number.
    Number,
    /// An input that is a category.
    Text,
    /// To be learned, as a number or, perhaps, as a class with a number for a name.
    TargetNumber,
    /// To be learned, as a class.
    TargetText,
}
