//! Numbers of array files: their types, and streams of them.

use std::io::Read;

use super::error::{DataError, Fault, Place};
use super::memory::Budget;
use super::numbers::Numbers;
use super::source::{Origin, fill};

/// Numbers that are read at once.
const CHUNK: usize = 1 << 15;

/// What a number is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// A number in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) kind: Kind,
    /// The most significant byte comes first.
    pub(super) is_big_endian: bool,
}

impl Element {
    /// By the description of NumPy, such as `<f4`.
    pub(super) fn of_numpy(text: &str) -> Option<Self> {
        let (order, kind) = text.split_at_checked(1)?;
        let kind = match kind {
            "u1" | "b1" => Kind::U8,
            "i1" => Kind::I8,
            "u2" => Kind::U16,
            "i2" => Kind::I16,
            "u4" => Kind::U32,
            "i4" => Kind::I32,
            "u8" => Kind::U64,
            "i8" => Kind::I64,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ => return None,
        };
        let is_big_endian = match order {
            "<" | "|" => false,
            ">" => true,
            _ => return None,
        };
        Some(Self {
            kind,
            is_big_endian,
        })
    }

    /// By the third byte of an IDX file.
    pub(super) fn of_idx(byte: u8) -> Option<Self> {
        let kind = match byte {
            0x08 => Kind::U8,
            0x09 => Kind::I8,
            0x0b => Kind::I16,
            0x0c => Kind::I32,
            0x0d => Kind::F32,
            0x0e => Kind::F64,
            _ => return None,
        };
        Some(Self {
            kind,
            is_big_endian: true,
        })
    }

    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self.kind {
            Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    fn value(self, bytes: &[u8]) -> f64 {
        let mut word = [0; 8];
        for (i, byte) in bytes.iter().enumerate() {
            let place = if self.is_big_endian {
                bytes.len() - 1 - i
            } else {
                i
            };
            word[place] = *byte;
        }
        let word = u64::from_le_bytes(word);
        match self.kind {
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => word as f64,
            Kind::I8 => f64::from(word as u8 as i8),
            Kind::I16 => f64::from(word as u16 as i16),
            Kind::I32 => f64::from(word as u32 as i32),
            Kind::I64 => word as i64 as f64,
            Kind::F32 => f64::from(f32::from_bits(word as u32)),
            Kind::F64 => f64::from_bits(word),
        }
    }

    /// Where such numbers go, with place for `len` of them.
    fn store(self, len: usize, budget: Budget, place: &Place) -> Result<Numbers, DataError> {
        Ok(match self.kind {
            Kind::F32 => Numbers::Singles(budget.vector(len, place)?),
            Kind::F64 => Numbers::Doubles(budget.vector(len, place)?),
            // Whole numbers take what the largest of them needs.
            _ => Numbers::Bytes(budget.vector(len, place)?),
        })
    }
}

/// A stream of numbers, of which there should be a certain count.
pub(super) struct Elements<R> {
    reader: R,
    element: Element,
    origin: Origin,
    total: u64,
    left: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Elements<R> {
    pub(super) fn new(reader: R, element: Element, total: u64, origin: Origin) -> Self {
        Self {
            reader,
            element,
            origin,
            total,
            left: total,
            buffer: Vec::new(),
        }
    }

    /// The next numbers, `count` at most, as bytes.
    fn bytes(&mut self, count: usize) -> Result<&[u8], DataError> {
        let size = self.element.size();
        self.buffer.resize(count * size, 0);
        let read = fill(&mut self.reader, &mut self.buffer);
        let read = read.map_err(|error| self.origin.broken(error))?;
        if read < self.buffer.len() {
            let before = (self.total - self.left) * size as u64;
            return Err(self.origin.fault(Fault::Short {
                expected: self.total * size as u64,
                found: before + read as u64,
            }));
        }
        self.left -= count as u64;
        Ok(&self.buffer)
    }

    /// The next numbers.
    pub(super) fn next(&mut self, count: usize, values: &mut Vec<f64>) -> Result<(), DataError> {
        let element = self.element;
        let bytes = self.bytes(count)?;
        values.clear();
        values.extend(
            bytes
                .chunks_exact(element.size())
                .map(|bytes| element.value(bytes)),
        );
        Ok(())
    }

    /// All numbers; they are `columns` a row, and f32 numbers of the same count come later.
    pub(super) fn all(mut self, columns: usize, budget: Budget) -> Result<Numbers, DataError> {
        let place = self.origin.place.clone();
        let bytes = self.total.saturating_mul(4 + self.element.size() as u64);
        budget.ask(bytes, &place)?;
        let len = usize::try_from(self.total).unwrap_or(usize::MAX);
        let mut numbers = self.element.store(len, budget, &place)?;
        let mut values = Vec::new();
        while self.left > 0 {
            let count = self.left.min(CHUNK as u64) as usize;
            if let (Numbers::Bytes(all), Kind::U8) = (&mut numbers, self.element.kind) {
                all.extend_from_slice(self.bytes(count)?);
                continue;
            }
            let first = self.total - self.left;
            self.next(count, &mut values)?;
            check_finite(&values, first, columns, &place)?;
            match &mut numbers {
                Numbers::Singles(all) if self.element.kind == Kind::F32 => {
                    all.extend(values.iter().map(|value| *value as f32));
                }
                Numbers::Doubles(all) => all.extend_from_slice(&values),
                numbers => values.iter().for_each(|value| numbers.push(*value)),
            }
        }
        self.end()?;
        Ok(numbers)
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(mut self) -> Result<(), DataError> {
        let read = fill(&mut self.reader, &mut [0]);
        match read.map_err(|error| self.origin.broken(error))? {
            0 => Ok(()),
            _ => Err(self.origin.fault(Fault::Long {
                expected: self.total * self.element.size() as u64,
            })),
        }
    }
}

/// Refuses infinities.
pub(super) fn check_finite(
    values: &[f64],
    first: u64,
    columns: usize,
    file: &Place,
) -> Result<(), DataError> {
    match values.iter().position(|value| value.is_infinite()) {
        None => Ok(()),
        Some(index) => {
            let at = first + index as u64;
            let column = (at % columns.max(1) as u64) as usize + 1;
            let place = file.clone().row(at / columns.max(1) as u64 + 1);
            let place = place.column(column, &super::error::unnamed(column));
            Err(place.fault(Fault::NotFinite {
                field: values[index].to_string(),
                flag: column.to_string(),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_in_either_order_of_bytes() {
        for (text, bytes, value) in [
            ("|u1", &[200_u8][..], 200.0),
            ("|i1", &[200], -56.0),
            ("<u2", &[1, 2], 513.0),
            (">u2", &[1, 2], 258.0),
            ("<i2", &[0xff, 0xff], -1.0),
            ("<i4", &(-70_000_i32).to_le_bytes(), -70_000.0),
            (">i4", &(-70_000_i32).to_be_bytes(), -70_000.0),
            ("<u4", &u32::MAX.to_le_bytes(), 4_294_967_295.0),
            ("<i8", &(-5_i64).to_le_bytes(), -5.0),
            (">f4", &1.5_f32.to_be_bytes(), 1.5),
            ("<f8", &0.1_f64.to_le_bytes(), 0.1),
        ] {
            let element = Element::of_numpy(text).unwrap();
            assert_eq!(element.size(), bytes.len(), "{text}");
            assert_eq!(element.value(bytes), value, "{text}");
        }
        for text in ["<c8", "<f2", "|O", "<U3", "f4", "", "é", "=f4"] {
            assert_eq!(Element::of_numpy(text), None, "{text}");
        }
    }
}
