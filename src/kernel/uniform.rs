//! Uniforms with named members: the host gives values by name, and a test compares names, types
//! and offsets with what the shader declares.

/// The type of a uniform's member. All take four bytes, so members lie one behind the other.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `u32`.
    U32,
    /// `f32`.
    F32,
}

/// One member of a uniform: `name: scalar` in the shader's struct.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its name in the WGSL file.
    pub name: &'static str,
    /// Its type.
    pub scalar: Scalar,
}

impl Member {
    pub(crate) const fn new(name: &'static str, scalar: Scalar) -> Self {
        Self { name, scalar }
    }
}

/// A struct of the host that mirrors a uniform of a shader. [`uniform!`] declares them.
pub(crate) trait Uniform {
    /// The members in the order of the shader.
    const MEMBERS: &'static [Member];

    /// The values with their names.
    fn contents(&self) -> Contents;
}

/// The members of a uniform with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    members: &'static [Member],
    words: Vec<u32>,
}

impl Contents {
    /// What [`uniform!`] calls: one word for each member.
    pub(crate) fn new(members: &'static [Member], words: Vec<u32>) -> Self {
        debug_assert_eq!(members.len(), words.len());
        Self { members, words }
    }

    /// Whether a shader with these members reads every value under its own name.
    pub(crate) fn fits(&self, members: &[Member]) -> bool {
        self.members == members
    }

    /// Size of the uniform buffer.
    pub(crate) fn bytes(&self) -> u64 {
        bytes(self.members)
    }

    /// The bytes of the uniform buffer: as many as [`bytes`] says.
    pub(crate) fn padded(&self) -> Vec<u8> {
        let mut contents: Vec<u8> = bytemuck::cast_slice(&self.words).to_vec();
        contents.resize(bytes(self.members) as usize, 0);
        contents
    }
}

/// Size of the buffer of a uniform: whole vectors of 16 bytes, as every shading language has them.
pub(crate) const fn bytes(members: &[Member]) -> u64 {
    (4 * members.len() as u64).next_multiple_of(16)
}

/// A type of members.
pub(crate) trait Word {
    const SCALAR: Scalar;
    fn bits(self) -> u32;
}

impl Word for u32 {
    const SCALAR: Scalar = Scalar::U32;
    fn bits(self) -> u32 {
        self
    }
}

impl Word for f32 {
    const SCALAR: Scalar = Scalar::F32;
    fn bits(self) -> u32 {
        self.to_bits()
    }
}

/// Declares a struct of `u32` and `f32` fields as the mirror of a shader's uniform.
///
/// Fields are set by name, so no two can be swapped by position; that names, order and types are
/// those of the shader is what the contract tests compare.
macro_rules! uniform {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $scalar:ident,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        $vis struct $name {
            $($(#[$field_meta])* $vis $field: $scalar,)*
        }

        impl $crate::kernel::uniform::Uniform for $name {
            const MEMBERS: &'static [$crate::kernel::Member] = &[$(
                $crate::kernel::Member::new(
                    stringify!($field),
                    <$scalar as $crate::kernel::uniform::Word>::SCALAR,
                ),
            )*];

            fn contents(&self) -> $crate::kernel::uniform::Contents {
                let words = vec![$($crate::kernel::uniform::Word::bits(self.$field),)*];
                $crate::kernel::uniform::Contents::new(Self::MEMBERS, words)
            }
        }
    };
}
pub(crate) use uniform;

#[cfg(test)]
mod tests {
    use super::*;

    uniform! {
        struct Example {
            count: u32,
            slope: f32,
        }
    }

    #[test]
    fn contents_are_in_the_order_of_the_members_and_padded() {
        let example = Example {
            slope: 0.5,
            count: 7,
        };
        let members = [("count", Scalar::U32), ("slope", Scalar::F32)];
        assert_eq!(
            Example::MEMBERS,
            members.map(|(name, s)| Member::new(name, s))
        );
        let bytes = example.contents().padded();
        let words: &[u32] = bytemuck::cast_slice(&bytes);
        assert_eq!(words, [7, 0.5_f32.to_bits(), 0, 0]);
    }

    #[test]
    fn contents_do_not_fit_other_members() {
        let contents = Example::default().contents();
        assert!(contents.fits(Example::MEMBERS));
        assert!(!contents.fits(&Example::MEMBERS[..1]));
        let swapped = [Example::MEMBERS[1], Example::MEMBERS[0]];
        assert!(!contents.fits(&swapped));
    }
}
