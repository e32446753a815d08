//! What the numbers of an operand are stored as.

use std::fmt;

use half::f16;

/// What the numbers of a matrix or a vector are stored as. Whatever it is, sums are taken in f32.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// Four bytes. Vectors of u32 (labels) count as such, too.
    #[default]
    F32,
    /// Two bytes: 11 significant bits, up to 65,504. Needs [`wgpu::Features::SHADER_F16`].
    F16,
}

impl ElementType {
    /// Of one number.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// What stands behind so many numbers in the last word of a probe or a check, and must stay.
    pub(crate) fn padding(self, len: usize) -> Option<f32> {
        let is_whole = self == Self::F32 || len.is_multiple_of(2);
        (!is_whole).then_some(1234.0)
    }

    /// These numbers, and their padding, as the words of a buffer.
    pub(crate) fn words(self, values: &[f32]) -> Vec<u32> {
        let half = |value: f32| u32::from(f16::from_f32(value).to_bits());
        match self {
            Self::F32 => values.iter().map(|value| value.to_bits()).collect(),
            Self::F16 => {
                let mut halves = values.to_vec();
                halves.extend(self.padding(values.len()));
                let pairs = halves.chunks_exact(2);
                pairs
                    .map(|pair| half(pair[0]) | half(pair[1]) << 16)
                    .collect()
            }
        }
    }

    /// The way back, to the last of the padding.
    pub(crate) fn decoder(self) -> fn(&[u32]) -> Vec<f64> {
        match self {
            Self::F32 => floats,
            Self::F16 => halves,
        }
    }

    /// As WGSL and Rust call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

fn floats(words: &[u32]) -> Vec<f64> {
    let float = |word: &u32| f64::from(f32::from_bits(*word));
    words.iter().map(float).collect()
}

fn halves(words: &[u32]) -> Vec<f64> {
    let halves: &[f16] = bytemuck::cast_slice(words);
    halves.iter().copied().map(f64::from).collect()
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
