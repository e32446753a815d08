//! A small problem for a kernel, with what must come of it.

// A browser does not allow to wait for results, so there nobody looks at it.
#![cfg_attr(target_arch = "wasm32", expect(dead_code))]

use half::f16;

use super::element_type::ElementType;
use super::uniform::Contents;

/// What a kernel is given when it is first used on a device, and what it must make of it.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(super) dims: Option<Contents>,
    /// In the order of the bindings behind `dims`.
    pub(super) operands: Vec<Given>,
    /// Of one layer.
    pub(super) workgroups: u64,
    pub(super) layers: u32,
}

/// One operand.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// The kernel does not use it.
    Absent,
    /// A uniform beside the sizes.
    Settings(Contents),
    Read(Vec<u32>),
    Written {
        before: Vec<u32>,
        wanted: Wanted,
    },
}

/// What must stand in an operand that is written.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// From the words of the operand to the numbers that are compared.
    decode: fn(&[u32]) -> Vec<f64>,
    values: Vec<f64>,
    /// How far each may be off.
    bound: f64,
    /// What it is stored as.
    element: ElementType,
    /// Whether the last of the values is [`PADDING`].
    is_padded: bool,
}

/// Rounding, and what WGSL grants divisions, exponentials and logarithms, stays far below this
/// share of the largest result; a wrong index, factor or branch does not.
const NEAR: f64 = 1e-4;
/// The same where results are rounded to f16, whichever way.
const NEAR_IN_F16: f64 = 1.0 / 1024.0;
/// What stands behind an odd number of f16, in the same word, and must stay.
const PADDING: f32 = 1234.0;

impl Probe {
    /// For a kernel with these sizes, by so many workgroups.
    pub(crate) fn new(dims: Contents, workgroups: u64) -> Self {
        Self {
            dims: Some(dims),
            ..Self::without_dims(workgroups)
        }
    }

    /// For a kernel without sizes.
    pub(crate) fn without_dims(workgroups: u64) -> Self {
        Self {
            dims: None,
            operands: Vec::new(),
            workgroups,
            layers: 1,
        }
    }

    /// The same with so many workgroups in z for each in x and y.
    pub(crate) fn layers(self, layers: u32) -> Self {
        Self { layers, ..self }
    }

    /// The next operand is none.
    pub(crate) fn absent(self) -> Self {
        self.and(Given::Absent)
    }

    /// The next operand is a uniform.
    pub(crate) fn settings(self, settings: Contents) -> Self {
        self.and(Given::Settings(settings))
    }

    /// The next operand is read.
    pub(crate) fn reads(self, values: &[f32]) -> Self {
        self.reads_as(ElementType::F32, values)
    }

    /// The same, stored as `element`.
    pub(crate) fn reads_as(self, element: ElementType, values: &[f32]) -> Self {
        self.reads_words(stored(element, values))
    }

    /// The same of words.
    pub(crate) fn reads_words(self, words: Vec<u32>) -> Self {
        self.and(Given::Read(words))
    }

    /// The next operand is overwritten; NaN before, so that it shows what is not stored.
    pub(crate) fn writes(self, wanted: Wanted) -> Self {
        let results = wanted.values.len() - usize::from(wanted.is_padded);
        let before = stored(wanted.element, &vec![f32::NAN; results]);
        self.updates_words(before, wanted)
    }

    /// The next operand is updated.
    pub(crate) fn updates(self, before: &[f32], wanted: Wanted) -> Self {
        let words = before.iter().map(|value| value.to_bits());
        self.updates_words(words.collect(), wanted)
    }

    /// The same, stored as `element`.
    pub(crate) fn updates_as(self, element: ElementType, before: &[f32], wanted: Wanted) -> Self {
        self.updates_words(stored(element, before), wanted.stored_as(element))
    }

    /// The same of words.
    pub(crate) fn updates_words(self, before: Vec<u32>, wanted: Wanted) -> Self {
        self.and(Given::Written { before, wanted })
    }

    fn and(mut self, given: Given) -> Self {
        self.operands.push(given);
        self
    }
}

impl Wanted {
    /// These numbers and no others.
    pub(crate) fn exactly(values: impl IntoIterator<Item = f64>) -> Self {
        Self {
            decode: numbers,
            values: values.into_iter().collect(),
            bound: 0.0,
            element: ElementType::F32,
            is_padded: false,
        }
    }

    /// These numbers, but for rounding.
    pub(crate) fn near(values: impl IntoIterator<Item = f64>) -> Self {
        let exactly = Self::exactly(values);
        let largest = exactly.values.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        Self {
            bound: NEAR * largest,
            ..exactly
        }
    }

    /// These words.
    pub(crate) fn words(words: impl IntoIterator<Item = u32>) -> Self {
        Self::exactly(words.into_iter().map(f64::from)).decoded(whole)
    }

    /// The same of words that stand for other numbers.
    pub(crate) fn decoded(self, decode: fn(&[u32]) -> Vec<f64>) -> Self {
        Self { decode, ..self }
    }

    /// The same, stored as `element`.
    pub(crate) fn stored_as(mut self, element: ElementType) -> Self {
        if element == ElementType::F16 {
            let largest = self.values.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            self.bound = self.bound.max(NEAR_IN_F16 * largest);
            self.decode = halves;
            self.is_padded = !self.values.len().is_multiple_of(2);
            self.values
                .extend(self.is_padded.then_some(f64::from(PADDING)));
        }
        Self { element, ..self }
    }

    /// What is wrong with the words of `operand`, in words. A NaN is near to nothing.
    pub(super) fn objection(&self, operand: &str, words: &[u32]) -> Option<String> {
        let actual = (self.decode)(words);
        if actual.len() != self.values.len() {
            return Some(format!("`{operand}` is no such result"));
        }
        let mut pairs = actual.iter().zip(&self.values).enumerate();
        let is_right = |actual: f64, wanted: f64| (actual - wanted).abs() <= self.bound;
        let (i, (actual, wanted)) = pairs.find(|(_, (a, b))| !is_right(**a, **b))?;
        Some(format!("{operand}[{i}] is {actual} instead of {wanted}"))
    }
}

fn numbers(words: &[u32]) -> Vec<f64> {
    let number = |word: &u32| f64::from(f32::from_bits(*word));
    words.iter().map(number).collect()
}

fn halves(words: &[u32]) -> Vec<f64> {
    let halves: &[f16] = bytemuck::cast_slice(words);
    halves.iter().copied().map(f64::from).collect()
}

/// The words of numbers that are stored as `element`.
fn stored(element: ElementType, values: &[f32]) -> Vec<u32> {
    let half = |value: f32| u32::from(f16::from_f32(value).to_bits());
    match element {
        ElementType::F32 => values.iter().map(|value| value.to_bits()).collect(),
        ElementType::F16 => values
            .chunks(2)
            .map(|pair| half(pair[0]) | half(pair.get(1).copied().unwrap_or(PADDING)) << 16)
            .collect(),
    }
}

fn whole(words: &[u32]) -> Vec<f64> {
    words.iter().copied().map(f64::from).collect()
}

/// So many multiples of a quarter from −2 to 2, none of them 0, always the same ones: few products
/// and sums of them are exact in f32.
pub(crate) fn quarters(seed: u64, len: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut quarter = || random.i32(1..=8) as f32 * if random.bool() { 0.25 } else { -0.25 };
    std::iter::repeat_with(&mut quarter).take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_is_told_with_its_place() {
        let words = |values: [f32; 2]| values.map(f32::to_bits);
        let wanted = Wanted::exactly([1.0, -2.0]);
        assert_eq!(wanted.objection("t", &words([1.0, -2.0])), None);
        let told = wanted.objection("t", &words([1.0, 0.0])).unwrap();
        assert_eq!(told, "t[1] is 0 instead of -2");
        let near = Wanted::near([1.0, -2.0]);
        assert_eq!(near.objection("t", &words([1.0001, -2.0001])), None);
        for wrong in [1.001, f32::NAN, f32::INFINITY] {
            assert!(near.objection("t", &words([wrong, -2.0])).is_some());
        }
        assert!(near.objection("t", &words([1.0, -2.0])[..1]).is_some());
        assert!(Wanted::words([7]).objection("n", &[8]).is_some());
    }

    #[test]
    fn quarters_are_the_same_every_time_and_never_nothing() {
        let values = quarters(3, 100);
        assert_eq!(values, quarters(3, 100));
        assert_ne!(values, quarters(4, 100));
        let fits = |v: &f32| *v != 0.0 && v.abs() <= 2.0 && (4.0 * v).fract() == 0.0;
        assert!(values.iter().all(fits));
    }
}
