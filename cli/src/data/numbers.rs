//! Numbers in the smallest of three types that holds them.

/// Many numbers: as bytes, as f32 where that is exact, or as f64. What is missing is NaN.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Whole numbers from 0 to 255.
    Bytes(Vec<u8>),
    /// Numbers that f32 holds exactly.
    Singles(Vec<f32>),
    /// Any others.
    Doubles(Vec<f64>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Numbers {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Singles(values) => values.len(),
            Self::Doubles(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at `index`; NaN where it is missing.
    ///
    /// # Panics
    /// Where `index` is not below [`Self::len`].
    #[must_use]
    pub fn at(&self, index: usize) -> f64 {
        match self {
            Self::Bytes(values) => f64::from(values[index]),
            Self::Singles(values) => f64::from(values[index]),
            Self::Doubles(values) => values[index],
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let size = match self {
            Self::Bytes(_) => 1,
            Self::Singles(_) => 4,
            Self::Doubles(_) => 8,
        };
        self.len() as u64 * size
    }

    /// One number more; those before it are widened where it does not fit.
    pub(super) fn push(&mut self, value: f64) {
        match self {
            Self::Bytes(values) => match byte(value) {
                Some(value) => values.push(value),
                None => self.widen(value),
            },
            Self::Singles(values) => match single(value) {
                Some(value) => values.push(value),
                None => self.widen(value),
            },
            Self::Doubles(values) => values.push(value),
        }
    }

    /// Gives back what was reserved and not used.
    pub(super) fn shrink(&mut self) {
        match self {
            Self::Bytes(values) => values.shrink_to_fit(),
            Self::Singles(values) => values.shrink_to_fit(),
            Self::Doubles(values) => values.shrink_to_fit(),
        }
    }

    fn widen(&mut self, value: f64) {
        *self = match std::mem::take(self) {
            Self::Bytes(values) => Self::Singles(values.into_iter().map(f32::from).collect()),
            Self::Singles(values) => Self::Doubles(values.into_iter().map(f64::from).collect()),
            doubles @ Self::Doubles(_) => doubles,
        };
        self.push(value);
    }
}

/// The number as a byte, if it is one; −0 is none.
fn byte(value: f64) -> Option<u8> {
    let byte = value as u8;
    (f64::from(byte).to_bits() == value.to_bits()).then_some(byte)
}

/// The number as f32, if that is exact; what is missing is.
fn single(value: f64) -> Option<f32> {
    let single = value as f32;
    (f64::from(single) == value || value.is_nan()).then_some(single)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Numbers {
        let mut numbers = Numbers::default();
        for value in values {
            numbers.push(*value);
        }
        numbers
    }

    #[test]
    fn numbers_take_the_smallest_type_and_stay_what_they_are() {
        assert!(matches!(of(&[0.0, 255.0]), Numbers::Bytes(_)));
        for small in [256.0, -1.0, 0.5, -0.0, f64::NAN] {
            assert!(matches!(of(&[7.0, small]), Numbers::Singles(_)), "{small}");
        }
        for large in [0.1, 16_777_217.0, 1e300, 1e-300] {
            assert!(matches!(of(&[7.0, large]), Numbers::Doubles(_)), "{large}");
        }
        let values = [3.0, -0.0, 0.25, 0.1, 1e9 + 1.0, f64::NAN, 200.0];
        let numbers = of(&values);
        assert_eq!(numbers.len(), values.len());
        for (i, value) in values.iter().enumerate() {
            assert_eq!(numbers.at(i).to_bits(), value.to_bits());
        }
    }
}
