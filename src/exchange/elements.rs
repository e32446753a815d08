//! Numbers as they lie in files: little-endian, in the four types that become f32.

use half::{bf16, f16};

/// The type of the numbers of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
}

impl Element {
    /// Bytes of one number.
    #[cfg(feature = "onnx")]
    pub(super) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The numbers, the nearest f32 of each; bytes that make no whole number at the end are left.
    pub(super) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F16 => map(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Self::Bf16 => map(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            Self::F32 => map(bytes, f32::from_le_bytes),
            Self::F64 => map(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        }
    }
}

fn map<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}
