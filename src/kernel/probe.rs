//! A small problem for a kernel, with what must come of it.

// A browser does not allow to wait for results, so there nobody looks at it.
#![cfg_attr(target_arch = "wasm32", expect(dead_code))]

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
}

/// Rounding, and what WGSL grants divisions, exponentials and logarithms, stays far below this
/// share of the largest result; a wrong index, factor or branch does not.
const NEAR: f64 = 1e-4;
/// The same where results are rounded to f16, whichever way.
const NEAR_IN_F16: f64 = 1.0 / 1024.0;

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
        self.reads_words(element.words(values))
    }

    /// The same of words.
    pub(crate) fn reads_words(self, words: Vec<u32>) -> Self {
        self.and(Given::Read(words))
    }

    /// The next operand is overwritten; NaN before, so that it shows what is not stored.
    pub(crate) fn writes(self, wanted: Wanted) -> Self {
        let before = vec![f32::NAN; wanted.values.len()];
        let before = wanted.element.words(&before);
        self.updates_words(before, wanted)
    }

    /// The next operand is updated.
    pub(crate) fn updates(self, before: &[f32], wanted: Wanted) -> Self {
        self.updates_as(ElementType::F32, before, wanted)
    }

    /// The same, stored as `element`.
    pub(crate) fn updates_as(self, element: ElementType, before: &[f32], wanted: Wanted) -> Self {
        self.updates_words(element.words(before), wanted.stored_as(element))
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
            decode: ElementType::F32.decoder(),
            values: values.into_iter().collect(),
            bound: 0.0,
            element: ElementType::F32,
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
            self.decode = element.decoder();
        }
        Self { element, ..self }
    }

    /// What is wrong with the words of `operand`, in words. A NaN is near to nothing.
    pub(super) fn objection(&self, operand: &str, words: &[u32]) -> Option<String> {
        let actual = (self.decode)(words);
        let padding = self.element.padding(self.values.len());
        if actual.len() != self.values.len() + usize::from(padding.is_some()) {
            return Some(format!("`{operand}` is no such result"));
        }
        let wanted = self.values.iter().copied();
        let wanted = wanted.chain(padding.map(f64::from));
        let mut pairs = actual.into_iter().zip(wanted).enumerate();
        let is_right = |actual: f64, wanted: f64| (actual - wanted).abs() <= self.bound;
        let (i, (actual, wanted)) = pairs.find(|(_, (a, b))| !is_right(*a, *b))?;
        Some(format!("{operand}[{i}] is {actual} instead of {wanted}"))
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
