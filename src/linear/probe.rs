//! What the kernels of the matrix products are first given: a tile and a bit of another, of numbers
//! whose sums are exact in f32.

use std::ops::Range;

use super::activation::Activation;
use super::activation_formula::{derivative, value};
use super::algorithms::{Algorithm, sum_slabs};
use super::dims::ProductDims;
use super::kernels::Variant;
use crate::kernel::{ElementType, Probe, Uniform, Wanted, quarters};

/// Several steps of every kernel, the last of them short.
const TERMS: usize = 68;
/// Slabs, and terms of the first of them.
const SLABS: usize = 2;
const SLAB_TERMS: usize = 48;

/// For the kernel that multiplies.
pub(super) fn multiply(variant: &Variant, algorithm: Algorithm, to_slab: bool) -> Probe {
    let sizes = sizes(variant, algorithm);
    let factors = Factors::new(variant, sizes);
    let slabs = if to_slab { SLABS } else { 1 };
    let [m, k, n] = sizes;
    let slab_rows = m + usize::from(variant.sum_columns);
    let dims = ProductDims {
        end_k: k as u32,
        slab_terms: if to_slab {
            SLAB_TERMS as u32
        } else {
            u32::MAX / 2
        },
        ..dims(variant, sizes, [slabs, slab_rows])
    };
    let probe = Probe::new(dims.contents(), algorithm.workgroups(m as u32, n as u32))
        .layers(slabs as u32)
        .reads_as(variant.elements.left, &factors.left)
        .reads_as(variant.elements.right, &factors.right);
    let sums_columns = algorithm.room().sums_columns();
    if to_slab {
        let slabs = [0..SLAB_TERMS, SLAB_TERMS..k].map(|terms| factors.slab(variant, terms));
        let probe = probe.absent().absent();
        let probe = probe.writes(Wanted::exactly(slabs.concat())).absent();
        return if sums_columns { probe.absent() } else { probe };
    }
    let sums = factors.sums(0..k);
    let columns = sums_columns.then(|| factors.column_sums(0..k));
    Epilogue { variant, sums, n }.add_to(probe, columns)
}

/// For the kernel that adds slabs up.
pub(super) fn add(variant: &Variant, slabs: u32) -> Probe {
    // One more than it loads at once.
    let slabs = 1 + slabs.clamp(1, 8).next_power_of_two() as usize;
    let (m, n) = (37, if variant.aligned { 8 } else { 7 });
    let slab_rows = m + usize::from(variant.sum_columns);
    let dims = ProductDims {
        // The slabs stand where the left factor does.
        k: n as u32,
        ..dims(variant, [m, TERMS, n], [slabs, slab_rows])
    };
    let len = slab_rows * n;
    let all = quarters(1, slabs * len);
    let mut sums = vec![0.0; len];
    for slab in all.chunks_exact(len) {
        let pairs = sums.iter_mut().zip(slab);
        pairs.for_each(|(sum, part)| *sum += f64::from(*part));
    }
    let columns = sums.split_off(m * n);
    let workgroups = sum_slabs().workgroups(slab_rows as u32, n as u32);
    let probe = Probe::new(dims.contents(), workgroups).reads(&all);
    Epilogue { variant, sums, n }.add_to(probe, Some(columns))
}

/// A product of m × n sums of k terms that the kernel takes: rows of a multiple of 4 elements where
/// it loads four at a time, and no others.
fn sizes(variant: &Variant, algorithm: Algorithm) -> [usize; 3] {
    let Variant {
        left_is_transposed,
        right_is_transposed,
        aligned,
        ..
    } = *variant;
    let left_aligned = aligned || variant.left_aligned;
    let ragged = |size: usize, is_ragged: bool| size - usize::from(is_ragged);
    let fours_of_terms = left_aligned && !left_is_transposed || aligned && right_is_transposed;
    let [rows, columns] = algorithm.tile().map(|size| size as usize);
    let m = match algorithm {
        Algorithm::SmallBatch(_) => rows,
        Algorithm::Naive => ragged(36, !(left_aligned && left_is_transposed)),
        _ => ragged(rows + 4, !(left_aligned && left_is_transposed)),
    };
    let n = match algorithm {
        Algorithm::Narrow(_) => columns,
        Algorithm::Naive => 36,
        _ => columns + 4,
    };
    [m, ragged(TERMS, !fours_of_terms), ragged(n, !aligned)]
}

fn dims(variant: &Variant, [m, k, n]: [usize; 3], [slabs, slab_rows]: [usize; 2]) -> ProductDims {
    let function = variant.activate.or(variant.activate_alone);
    let function = function.or(variant.times_slope);
    let function = function.map(Activation::with_mild_parameter);
    ProductDims {
        m: m as u32,
        k: k as u32,
        n: n as u32,
        end_row: m as u32,
        end_column: n as u32,
        slabs: slabs as u32,
        slab_rows: slab_rows as u32,
        slab_terms: u32::MAX / 2,
        parameter: function.map_or(0.0, Activation::parameter_value),
        ..ProductDims::default()
    }
}

/// Both factors as they are stored.
struct Factors {
    sizes: [usize; 3],
    left: Vec<f32>,
    right: Vec<f32>,
    /// From one term, and from one row or column, to the next.
    left_steps: [usize; 2],
    right_steps: [usize; 2],
}

impl Factors {
    fn new(variant: &Variant, [m, k, n]: [usize; 3]) -> Self {
        let right = quarters(2, k * n);
        Self {
            sizes: [m, k, n],
            left: quarters(1, m * k),
            // So small that sums stay where activations are no straight lines.
            right: right.iter().map(|value| value / 16.0).collect(),
            left_steps: if variant.left_is_transposed {
                [m, 1]
            } else {
                [1, k]
            },
            right_steps: if variant.right_is_transposed {
                [1, k]
            } else {
                [n, 1]
            },
        }
    }

    /// Row by row.
    fn sums(&self, terms: Range<usize>) -> Vec<f64> {
        let [m, _, n] = self.sizes;
        let mut sums = vec![0.0; m * n];
        for (row, sums) in sums.chunks_exact_mut(n).enumerate() {
            for term in terms.clone() {
                let left = self.left[term * self.left_steps[0] + row * self.left_steps[1]];
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum += f64::from(left) * self.right(term, column);
                }
            }
        }
        sums
    }

    fn column_sums(&self, terms: Range<usize>) -> Vec<f64> {
        let [_, _, n] = self.sizes;
        let of = |column| terms.clone().map(|term| self.right(term, column)).sum();
        (0..n).map(of).collect()
    }

    fn right(&self, term: usize, column: usize) -> f64 {
        f64::from(self.right[term * self.right_steps[0] + column * self.right_steps[1]])
    }

    /// The sums of some terms and, where they are asked for, of the columns.
    fn slab(&self, variant: &Variant, terms: Range<usize>) -> Vec<f64> {
        let mut slab = self.sums(terms.clone());
        if variant.sum_columns {
            slab.extend(self.column_sums(terms));
        }
        slab
    }
}

/// What becomes of finished sums: `parts/epilogue.wgsl`.
struct Epilogue<'a> {
    variant: &'a Variant,
    sums: Vec<f64>,
    n: usize,
}

impl Epilogue<'_> {
    /// The operands behind the factors; the last one where there are sums of columns.
    fn add_to(self, probe: Probe, columns: Option<Vec<f64>>) -> Probe {
        let Self { variant, sums, n } = self;
        let accumulates = variant.accumulate;
        let (bias, before) = (quarters(3, n), quarters(4, sums.len()));
        let bias = Some(bias).filter(|_| variant.add_bias && !accumulates);
        let added = |i: usize| match (accumulates, &bias) {
            (true, _) => before[i],
            (false, Some(bias)) => bias[i % n],
            (false, None) => 0.0,
        };
        let sums = sums.iter().enumerate();
        let totals: Vec<f64> = sums.map(|(i, sum)| sum + f64::from(added(i))).collect();
        let slope = finished(variant, variant.times_slope);
        let t = slope.map(|_| quarters(5, totals.len()));
        let product = product(variant, &totals, t.as_deref());
        let beside = finished(variant, variant.activate)
            .map(|f| wanted(f, totals.iter().map(|sum| value(f, *sum))));
        let stored = variant.elements.results;
        let read = |probe: Probe, element, values: Option<Vec<f32>>| match values {
            Some(values) => probe.reads_as(element, &values),
            None => probe.absent(),
        };
        let probe = read(read(probe, ElementType::F32, bias), stored, t);
        let probe = if accumulates {
            // Of f32: passes add to nothing else.
            probe.updates(&before, product)
        } else {
            probe.writes(product.stored_as(stored))
        };
        let probe = match beside {
            Some(activated) => probe.writes(activated.stored_as(stored)),
            None => probe.absent(),
        };
        match columns {
            Some(columns) => add_columns(variant, probe, columns),
            None => probe,
        }
    }
}

/// The function, if this pass applies it, with the parameter that it is given here.
fn finished(variant: &Variant, function: Option<Activation>) -> Option<Activation> {
    let function = function.filter(|_| !variant.unfinished);
    function.map(Activation::with_mild_parameter)
}

fn product(variant: &Variant, totals: &[f64], t: Option<&[f32]>) -> Wanted {
    let alone = finished(variant, variant.activate_alone);
    match (finished(variant, variant.times_slope).zip(t), alone) {
        (Some((f, t)), _) => {
            let slopes = t.iter().map(|t| derivative(f, f64::from(*t)));
            wanted(f, totals.iter().zip(slopes).map(|(sum, slope)| sum * slope))
        }
        (None, Some(f)) => wanted(f, totals.iter().map(|sum| value(f, *sum))),
        (None, None) => Wanted::exactly(totals.iter().copied()),
    }
}

/// db, where it is asked for.
fn add_columns(variant: &Variant, probe: Probe, columns: Vec<f64>) -> Probe {
    if !variant.sum_columns {
        return probe.absent();
    }
    if !variant.accumulate {
        return probe.writes(Wanted::exactly(columns));
    }
    let before = quarters(6, columns.len());
    let both = columns.iter().zip(&before);
    let both = both.map(|(sum, before)| sum + f64::from(*before));
    probe.updates(&before, Wanted::exactly(both))
}

/// Exact where the function is.
fn wanted(function: Activation, values: impl Iterator<Item = f64>) -> Wanted {
    if function.is_short() {
        Wanted::exactly(values)
    } else {
        Wanted::near(values)
    }
}
