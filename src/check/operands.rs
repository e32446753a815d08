//! Operands of a check on the device, with guard cells around each: what is not stored shows, and
//! what is stored elsewhere, too.

use crate::device::{Gpu, GpuError};
use crate::kernel::{ElementType, Matrix, Vector};

/// Between operands: 256 bytes, the largest alignment that WebGPU allows a device to ask for.
const GUARD_WORDS: usize = 64;
/// Behind each operand lie at least so many that belong to no other.
#[cfg(test)]
pub(super) const GUARD_BYTES: u64 = 4 * GUARD_WORDS as u64;

/// Where an operand lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    buffer: usize,
    first: usize,
    /// Words.
    pub(super) len: usize,
    elements: usize,
    pub(super) element: ElementType,
}

/// What is only read, what is written, and what one dispatch writes and the next one reads, while it
/// writes elsewhere. WebGPU does not bind a buffer for both.
const BUFFERS: usize = 3;
const READ: usize = 0;
const WRITTEN: usize = 1;
const BETWEEN: usize = 2;

/// Operands on their way to the device.
#[derive(Debug, Default)]
pub(super) struct Operands {
    words: [Vec<u32>; BUFFERS],
    written_places: Vec<Place>,
}

/// The same on the device.
#[derive(Debug)]
pub(super) struct Uploaded {
    buffers: Vec<wgpu::Buffer>,
    written_places: Vec<Place>,
}

impl Operands {
    /// Numbers that are read.
    pub(super) fn input<'a>(&mut self, values: impl IntoIterator<Item = &'a f32>) -> Place {
        self.input_as(ElementType::F32, values)
    }

    /// Numbers that are read, stored as `element`.
    pub(super) fn input_as<'a>(
        &mut self,
        element: ElementType,
        values: impl IntoIterator<Item = &'a f32>,
    ) -> Place {
        self.place_as(READ, element, values.into_iter().copied())
    }

    /// Words that are read.
    pub(super) fn words(&mut self, words: impl IntoIterator<Item = u32>) -> Place {
        self.place(READ, words)
    }

    /// Numbers that are overwritten, NaN before.
    pub(super) fn output(&mut self, len: usize) -> Place {
        self.output_as(ElementType::F32, len)
    }

    /// Numbers that are overwritten, stored as `element`, NaN before.
    pub(super) fn output_as(&mut self, element: ElementType, len: usize) -> Place {
        self.place_as(WRITTEN, element, std::iter::repeat_n(f32::NAN, len))
    }

    /// Numbers that are updated, stored as `element`.
    pub(super) fn updated_as<'a>(
        &mut self,
        element: ElementType,
        values: impl IntoIterator<Item = &'a f32>,
    ) -> Place {
        self.place_as(WRITTEN, element, values.into_iter().copied())
    }

    /// Numbers that are updated.
    pub(super) fn updated<'a>(&mut self, values: impl IntoIterator<Item = &'a f32>) -> Place {
        self.updated_as(ElementType::F32, values)
    }

    /// Words that are updated.
    pub(super) fn updated_words(&mut self, words: impl IntoIterator<Item = u32>) -> Place {
        self.place(WRITTEN, words)
    }

    /// Numbers that one dispatch overwrites and the next one reads, NaN before.
    pub(super) fn between(&mut self, len: usize) -> Place {
        self.place(BETWEEN, vec![f32::NAN.to_bits(); len])
    }

    fn place_as(
        &mut self,
        buffer: usize,
        element: ElementType,
        values: impl Iterator<Item = f32>,
    ) -> Place {
        let values: Vec<f32> = values.collect();
        Place {
            elements: values.len(),
            element,
            ..self.place(buffer, element.words(&values))
        }
    }

    /// Words that one dispatch updates and the next one reads.
    pub(super) fn between_words(&mut self, words: impl IntoIterator<Item = u32>) -> Place {
        self.place(BETWEEN, words)
    }

    /// Behind guard cells, and filled up with more of them.
    fn place(&mut self, buffer: usize, words: impl IntoIterator<Item = u32>) -> Place {
        let all = &mut self.words[buffer];
        guard(buffer, all, all.len() + GUARD_WORDS);
        let first = all.len();
        all.extend(words);
        let len = all.len() - first;
        guard(buffer, all, all.len().next_multiple_of(GUARD_WORDS));
        let place = Place {
            buffer,
            first,
            len,
            elements: len,
            element: ElementType::F32,
        };
        if buffer != READ {
            self.written_places.push(place);
        }
        place
    }

    pub(super) fn upload(self, gpu: &Gpu) -> Result<Uploaded, GpuError> {
        let upload = |(buffer, mut words): (usize, Vec<u32>)| {
            let len = words.len() + GUARD_WORDS;
            guard(buffer, &mut words, len);
            gpu.upload("wgpu_linear::check", &words)
        };
        let buffers = self.words.into_iter().enumerate().map(upload);
        Ok(Uploaded {
            buffers: buffers.collect::<Result<_, _>>()?,
            written_places: self.written_places,
        })
    }
}

impl Uploaded {
    /// The operand as one of `columns` columns.
    pub(super) fn matrix(&self, place: Place, columns: usize) -> Matrix<'_> {
        let rows = place.elements / columns.max(1);
        let view = Matrix::new(&self.buffers[place.buffer], rows as u32, columns as u32);
        view.at(4 * place.first as u64).stored_as(place.element)
    }

    pub(super) fn vector(&self, place: Place) -> Vector<'_> {
        let view = Vector::new(&self.buffers[place.buffer], place.elements as u32);
        view.at(4 * place.first as u64).stored_as(place.element)
    }

    /// What the device has written.
    pub(super) fn read_back(&self, gpu: &Gpu) -> Result<Results, GpuError> {
        let mut words = [const { Vec::new() }; BUFFERS];
        let mut is_guard = words.clone().map(|_| Vec::new());
        for place in &self.written_places {
            let buffer = place.buffer;
            if words[buffer].is_empty() {
                words[buffer] = gpu.read(&self.buffers[buffer])?;
                is_guard[buffer] = vec![true; words[buffer].len()];
            }
            is_guard[buffer][place.first..place.first + place.len].fill(false);
        }
        Ok(Results { words, is_guard })
    }
}

/// What the device has written.
#[derive(Debug)]
pub(super) struct Results {
    words: [Vec<u32>; BUFFERS],
    is_guard: [Vec<bool>; BUFFERS],
}

impl Results {
    pub(super) fn of(&self, place: Place) -> &[u32] {
        &self.words[place.buffer][place.first..place.first + place.len]
    }

    /// Of the guard cells that were written.
    pub(super) fn broken_guards(&self) -> Option<BrokenGuards> {
        let buffers = self.words.iter().zip(&self.is_guard).enumerate();
        let cells = buffers.flat_map(|(buffer, (words, is_guard))| {
            let cells = words.iter().zip(is_guard).enumerate();
            cells.map(move |(i, (word, is_guard))| (guard_word(buffer, i), *word, *is_guard))
        });
        let is_broken =
            |(_, (wanted, word, is_guard)): &(usize, (u32, u32, bool))| *is_guard && word != wanted;
        let mut broken = cells.enumerate().filter(is_broken);
        let (first, (expected, actual, _)) = broken.next()?;
        let [actual, expected] = [actual, expected].map(|word| f64::from(f32::from_bits(word)));
        Some(BrokenGuards {
            first,
            actual,
            expected,
            count: 1 + broken.count(),
        })
    }
}

/// Guard cells that were written.
#[derive(Debug)]
pub(super) struct BrokenGuards {
    /// Among the cells of all buffers.
    pub(super) first: usize,
    pub(super) actual: f64,
    pub(super) expected: f64,
    pub(super) count: usize,
}

/// Fills up with guard cells to `len` words.
fn guard(buffer: usize, words: &mut Vec<u32>, len: usize) {
    let first = words.len();
    words.extend((first..len).map(|i| guard_word(buffer, i)));
}

/// A number that no other guard cell near or of another buffer has: one that is copied shows.
fn guard_word(buffer: usize, i: usize) -> u32 {
    let number = (12_345 + i % 50_021) * BUFFERS + buffer;
    (number as f32).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_guarded_on_both_sides_and_begin_where_every_device_can_bind() {
        let mut operands = Operands::default();
        let places = [1, 0, 64, 65].map(|len| operands.output(len));
        for place in places {
            assert!(place.first.is_multiple_of(GUARD_WORDS));
            let cells = operands.words[WRITTEN].iter().enumerate();
            let before = cells.skip(place.first - GUARD_WORDS).take(GUARD_WORDS);
            for (i, word) in before {
                assert_eq!(*word, guard_word(WRITTEN, i));
            }
        }
        assert!((1..64).all(|i| guard_word(READ, i) != guard_word(WRITTEN, 64 - i)));
    }

    #[test]
    fn broken_guards_are_found() {
        let mut operands = Operands::default();
        let place = operands.updated(&[1.0, 2.0]);
        let mut words = operands.words[WRITTEN].clone();
        let is_guard: Vec<_> = (0..words.len())
            .map(|i| !(place.first..place.first + place.len).contains(&i))
            .collect();
        words[place.first] = 7;
        let results = |words: &[u32]| Results {
            words: [Vec::new(), words.to_vec(), Vec::new()],
            is_guard: [Vec::new(), is_guard.clone(), Vec::new()],
        };
        assert!(results(&words).broken_guards().is_none());
        words[place.first + 2] = 7;
        let broken = results(&words).broken_guards().unwrap();
        assert_eq!((broken.first, broken.count), (place.first + 2, 1));
        assert_eq!(broken.actual, f64::from(f32::from_bits(7)));
        let expected = guard_word(WRITTEN, place.first + 2);
        assert_eq!(broken.expected, f64::from(f32::from_bits(expected)));
    }
}
