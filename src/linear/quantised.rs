//! Weights as whole numbers of eight bits, with a scale for each column.

/// The largest whole number; −128 has no counterpart and is not used.
const LARGEST: f32 = 127.0;
/// A column with no larger element counts as zeros: below, a scale could be a denormal, which
/// devices may take for 0.
const SMALLEST: f32 = f32::MIN_POSITIVE * 128.0;
/// Whole numbers in a word.
pub(super) const FOUR: u32 = 4;

/// Words of the terms of one row or column: ⌈inputs / 4⌉.
pub(super) const fn words(inputs: u32) -> u32 {
    inputs.div_ceil(FOUR)
}

/// The operation on such weights.
pub(super) const FORWARD_QUANTISED: &str = "wgpu_linear::forward_quantised";

/// Rows or columns of whole numbers as words.
pub(super) fn packed(rows: &[Vec<i8>]) -> Vec<u32> {
    let word = |four: &[i8]| {
        let byte = |l: usize| four.get(l).copied().unwrap_or(0).cast_unsigned();
        u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
    };
    let rows = rows.iter();
    rows.flat_map(|row| row.chunks(FOUR as usize).map(word))
        .collect()
}

/// For probes: so many rows of whole numbers, always the same ones.
pub(super) fn wholes(seed: u64, [rows, columns]: [u32; 2]) -> Vec<Vec<i8>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut row = || -> Vec<i8> { (0..columns).map(|_| random.i8(-127..=127)).collect() };
    (0..rows).map(|_| row()).collect()
}

/// Weights Ŵ of whole numbers from −127 to 127 with a scale for each column: ŵ_kj = s_j q_kj, where
/// s_j = max_k |w_kj| / 127 and q_kj = w_kj / s_j, rounded to the nearest.
///
/// Then |ŵ_kj − w_kj| is at most half of s_j, but for the rounding of the quotient
/// (`docs/PRECISION.md`). Columns whose largest magnitude is below 2⁻¹¹⁹ become zeros, with a scale
/// of 0.
///
/// ```
/// use wgpu_linear::linear::QuantisedWeights;
/// let w = [127.0, -2.0, -50.4, 1.0]; // 2 × 2
/// let quantised = QuantisedWeights::new(&w, 2, 2)?;
/// assert_eq!(quantised.scales(), [1.0, 2.0 / 127.0]);
/// assert_eq!(quantised.whole(1, 0), -50);
/// assert_eq!(quantised.dequantised()[2], -50.0);
/// assert_eq!(quantised.packed().len(), 2); // a word for each column
/// # Ok::<(), wgpu_linear::linear::QuantiseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantisedWeights {
    inputs: u32,
    outputs: u32,
    packed: Vec<u32>,
    scales: Vec<f32>,
}

/// Weights could not be quantised.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum QuantiseError {
    /// There are not inputs · outputs weights.
    #[error("{inputs} × {outputs} weights are {expected}, not {actual}")]
    Shape {
        /// Rows of W.
        inputs: u32,
        /// Columns of W.
        outputs: u32,
        /// Their product.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// A weight is infinite or NaN.
    #[error("the weight in row {row}, column {column} is {value}")]
    NotFinite {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// The weight.
        value: f32,
    },
}

impl QuantisedWeights {
    /// Quantises W, `inputs` × `outputs`, row-major.
    ///
    /// # Errors
    /// [`QuantiseError::Shape`] or [`QuantiseError::NotFinite`].
    pub fn new(w: &[f32], inputs: u32, outputs: u32) -> Result<Self, QuantiseError> {
        let expected = u64::from(inputs) * u64::from(outputs);
        let actual = w.len() as u64;
        if actual != expected {
            return Err(QuantiseError::Shape {
                inputs,
                outputs,
                expected,
                actual,
            });
        }
        let columns = outputs as usize;
        if let Some(i) = w.iter().position(|value| !value.is_finite()) {
            return Err(QuantiseError::NotFinite {
                row: i / columns,
                column: i % columns,
                value: w[i],
            });
        }
        let scales = scales(w, columns);
        let column = |(j, scale): (usize, &f32)| -> Vec<i8> {
            let values = w.iter().skip(j).step_by(columns);
            values.map(|value| whole(*value, *scale)).collect()
        };
        let wholes: Vec<_> = scales.iter().enumerate().map(column).collect();
        let packed = packed(&wholes);
        Ok(Self {
            inputs,
            outputs,
            packed,
            scales,
        })
    }

    /// Rows of W.
    #[must_use]
    pub fn inputs(&self) -> u32 {
        self.inputs
    }

    /// Columns of W.
    #[must_use]
    pub fn outputs(&self) -> u32 {
        self.outputs
    }

    /// The whole numbers, as a [`QuantisedMatrix`] has them.
    #[must_use]
    pub fn packed(&self) -> &[u32] {
        &self.packed
    }

    /// s, one for each column.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// q_kj.
    ///
    /// # Panics
    /// Where there is no such row or column.
    #[must_use]
    pub fn whole(&self, k: usize, j: usize) -> i8 {
        assert!(k < self.inputs as usize, "row {k} of {}", self.inputs);
        let word = self.packed[j * words(self.inputs) as usize + k / 4];
        word.to_le_bytes()[k % 4].cast_signed()
    }

    /// Ŵ, `inputs` × `outputs`, row-major; each element rounded once.
    #[must_use]
    pub fn dequantised(&self) -> Vec<f32> {
        let columns = self.scales.iter().enumerate();
        let row = |k| {
            let of = move |(j, scale): (usize, &f32)| scale * f32::from(self.whole(k, j));
            columns.clone().map(of)
        };
        (0..self.inputs as usize).flat_map(row).collect()
    }
}

fn scales(w: &[f32], columns: usize) -> Vec<f32> {
    let mut largest = vec![0.0_f32; columns];
    for row in w.chunks_exact(columns.max(1)) {
        for (largest, value) in largest.iter_mut().zip(row) {
            *largest = largest.max(value.abs());
        }
    }
    let scale = |largest: f32| match largest < SMALLEST {
        true => 0.0,
        false => largest / LARGEST,
    };
    largest.into_iter().map(scale).collect()
}

fn whole(value: f32, scale: f32) -> i8 {
    if scale == 0.0 {
        return 0;
    }
    (value / scale).round_ties_even() as i8
}

/// Quantised weights in a buffer the caller owns: `outputs` rows of ⌈`inputs` / 4⌉ words, one
/// behind the other.
///
/// The lowest byte of a word is the first of its four whole numbers, each an i8 from −127 to 127;
/// those behind the last input are 0. [`QuantisedWeights::packed`] is made so. Nothing is checked
/// here; the operation checks its operands when it is prepared.
#[derive(Clone, Copy, Debug)]
pub struct QuantisedMatrix<'a> {
    /// The buffer that holds the words, and possibly more.
    pub buffer: &'a wgpu::Buffer,
    /// Where they begin, in bytes; a multiple of the device's
    /// `min_storage_buffer_offset_alignment`.
    pub offset_bytes: u64,
    /// Rows of W.
    pub inputs: u32,
    /// Columns of W.
    pub outputs: u32,
}

impl<'a> QuantisedMatrix<'a> {
    /// Weights of `inputs` × `outputs` at the start of `buffer`.
    #[must_use]
    pub fn new(buffer: &'a wgpu::Buffer, inputs: u32, outputs: u32) -> Self {
        Self {
            buffer,
            offset_bytes: 0,
            inputs,
            outputs,
        }
    }

    /// The same shape, beginning `offset_bytes` into the buffer.
    #[must_use]
    pub fn at(self, offset_bytes: u64) -> Self {
        Self {
            offset_bytes,
            ..self
        }
    }

    /// All words.
    pub(super) fn bytes(&self) -> u64 {
        4 * u64::from(words(self.inputs)) * u64::from(self.outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 × 2, so that the second word of a column has a single number.
    const W: [f32; 10] = [127.0, 0.5, -1.0, -0.25, 2.0, 0.0, -127.0, 0.125, 64.0, -0.5];

    #[test]
    fn words_hold_four_terms_of_a_column_the_first_one_lowest() {
        let quantised = QuantisedWeights::new(&W, 5, 2).unwrap();
        assert_eq!(quantised.scales(), [1.0, 0.5 / 127.0]);
        let word = |bytes: [i8; 4]| u32::from_le_bytes(bytes.map(i8::cast_unsigned));
        // −63.5 is as far from −63 as from −64; 31.75 is not.
        let wanted = [
            [127, -1, 2, -127],
            [64, 0, 0, 0],
            [127, -64, 0, 32],
            [-127, 0, 0, 0],
        ];
        assert_eq!(quantised.packed(), wanted.map(word));
        let column: Vec<_> = (0..5).map(|k| quantised.whole(k, 0)).collect();
        assert_eq!(column, [127, -1, 2, -127, 64]);
        let dequantised = quantised.dequantised();
        assert_eq!(dequantised[..1], [127.0]);
        assert_eq!(dequantised[3], 0.5 / 127.0 * -64.0);
    }

    #[test]
    fn columns_of_next_to_nothing_are_zeros() {
        let w = [0.0, SMALLEST.next_down(), SMALLEST, f32::MAX];
        let quantised = QuantisedWeights::new(&w, 1, 4).unwrap();
        assert_eq!(quantised.scales()[..2], [0.0; 2]);
        assert!(
            quantised.scales()[2..]
                .iter()
                .all(|scale| scale.is_normal())
        );
        assert_eq!(quantised.packed(), [0, 0, 127, 127]);
        assert_eq!(quantised.dequantised()[..2], [0.0; 2]);
    }

    #[test]
    fn weights_that_are_not_finite_are_told_with_their_place() {
        for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let w = [0.0, 1.0, 2.0, 3.0, value, f32::NAN];
            let error = QuantisedWeights::new(&w, 3, 2).unwrap_err();
            assert!(
                matches!(error, QuantiseError::NotFinite { row: 2, column: 0, value: told }
                    if told.to_bits() == value.to_bits()),
                "{error}"
            );
        }
        let error = QuantisedWeights::new(&W, 5, 3).unwrap_err();
        assert!(
            matches!(
                error,
                QuantiseError::Shape {
                    expected: 15,
                    actual: 10,
                    ..
                }
            ),
            "{error}"
        );
        for [inputs, outputs] in [[0, 3], [3, 0], [0, 0]] {
            let empty = QuantisedWeights::new(&[], inputs, outputs).unwrap();
            assert_eq!(empty.scales(), vec![0.0; outputs as usize]);
            assert!(empty.packed().is_empty() && empty.dequantised().is_empty());
        }
    }
}
