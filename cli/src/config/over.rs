//! One layer of settings over another.

/// `self` where it says something, else `other`: for each of the fields named.
macro_rules! over {
    ($self:ident, $other:ident, $($field:ident),+ $(,)?) => {
        Self { $($field: $self.$field.or($other.$field)),+ }
    };
}
pub(crate) use over;
