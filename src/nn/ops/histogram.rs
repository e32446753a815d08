//! `histogram.wgsl` and `merge_histograms.wgsl`: how the numbers of a buffer are spread.

use std::ops::Range;

use super::kernels::NetworkKernels;
use crate::events::{Histogram, HistogramError};
use crate::kernel::{
    Binding, Constant, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    check_operands, expect_vector, file, passes, quarters, uniform,
};
use crate::reference;

/// Elements of [`HistogramOf::result`]: a count for each of [`Histogram::BUCKETS`], and nine more
/// numbers.
pub const HISTOGRAM_WORDS: u32 = Histogram::BUCKETS as u32 + 9;

/// What the shader searches in eleven steps: keys of all edges but the first and the last, then
/// filled up.
const SEARCHED_EDGES: usize = (1 << 11) - 1;

/// Threads of a workgroup that counts, and of one that merges.
const LANES: u32 = 256;
const WORKGROUP: u32 = 256;

/// Workgroups that share a buffer large enough, and elements that are not worth another one: 8 to a
/// thread.
const WORKGROUPS: u32 = 64;
const LEAST_SHARE: u32 = 8 * LANES;

/// What the shader multiplies small numbers by, and divides large ones by.
const SCALE: f64 = (1_u128 << 84) as f64;

/// As many buckets as the host knows.
const BUCKETS: (&str, Constant) = ("BUCKETS", Constant::U32(Histogram::BUCKETS as u32));

uniform! {
    /// `Dims` in `histogram.wgsl`.
    struct Dims {
        count: u32,
        first_slab: u32,
    }
}

uniform! {
    /// `Dims` in `merge_histograms.wgsl`.
    struct MergeDims {
        count: u32,
    }
}

pub(super) const HISTOGRAM: Kernel = Kernel::new(
    "wgpu_linear::histogram",
    (file!("histogram.wgsl"), "histogram"),
    &[BUCKETS, ("LANES", Constant::U32(LANES))],
    LANES,
    &[
        Binding::dims::<Dims>(),
        Binding::read(1, "inner_edges"),
        Binding::read(2, "values"),
        Binding::write(3, "slabs"),
    ],
)
// The buckets, three numbers beside them, and a vec3 (16 bytes) for each thread.
.sharing(4 * (Histogram::BUCKETS as u32 + 3) + 16 * LANES);

pub(super) const MERGE_HISTOGRAMS: Kernel = Kernel::new(
    "wgpu_linear::merge_histograms",
    (file!("merge_histograms.wgsl"), "merge_histograms"),
    &[BUCKETS, ("WORKGROUP", Constant::U32(WORKGROUP))],
    WORKGROUP,
    &[
        Binding::dims::<MergeDims>(),
        Binding::read(1, "slabs"),
        Binding::write(2, "result"),
    ],
);

/// Operands of [`NetworkKernels::histogram`].
#[derive(Clone, Copy, Debug)]
pub struct HistogramOf<'a> {
    /// Numbers of f32, as many as there are; NaN and infinities are allowed. Read.
    pub values: Vector<'a>,
    /// [`HISTOGRAM_WORDS`] elements of u32 for [`histogram_from_words`]; overwritten.
    pub result: Vector<'a>,
}

impl NetworkKernels {
    /// Counts how many values are in each bucket of [`Histogram`], and takes minimum, maximum, Σ v
    /// and Σ v² of the finite ones.
    ///
    /// | operand | elements | |
    /// |---|---|---|
    /// | `values` | any number of f32 | read |
    /// | `result` | [`HISTOGRAM_WORDS`] of u32 | overwritten |
    ///
    /// Counts, minimum and maximum are exact. The sums are taken in f32 in a fixed order, so the
    /// same values give the same bits. Their error is at most γ_m Σ |v|, or γ_m Σ v² for the
    /// squares, with γ_m of Higham's *Accuracy and Stability of Numerical Algorithms* (chapter 3)
    /// and, for n values up to 2²⁹, m = ⌈n / 2¹⁴⌉ + 100 additions that follow each other. Denormals
    /// may count as 0 in the sums, and nowhere else. The values may be larger than one binding.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    ///
    /// ```
    /// use wgpu_linear::nn::{HISTOGRAM_WORDS, HistogramOf, NetworkKernels, histogram_from_words};
    /// use wgpu_linear::{Gpu, Vector};
    ///
    /// let gpu = Gpu::new()?;
    /// let values = gpu.upload("values", &[0.5_f32, -2.0, 0.5, f32::NAN])?;
    /// let result = gpu.zeros("result", HISTOGRAM_WORDS as usize)?;
    /// let step = NetworkKernels::new(gpu.device()).histogram(HistogramOf {
    ///     values: Vector::new(&values, 4),
    ///     result: Vector::new(&result, HISTOGRAM_WORDS),
    /// })?;
    /// gpu.run(&[step])?;
    /// let histogram = histogram_from_words(&gpu.read(&result)?)?;
    /// assert_eq!((histogram.num(), histogram.sum(), histogram.non_finite()), (3, -1.0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn histogram(&self, operands: HistogramOf<'_>) -> Result<Dispatch, PrepareError> {
        let kernel = HISTOGRAM;
        expect_vector(kernel.label, "result", operands.result, HISTOGRAM_WORDS)?;
        let values = Operand::vector("values", operands.values).in_parts();
        let result = Operand::vector("result", operands.result);
        let edges = Vector::new(self.inner_edges()?, SEARCHED_EDGES as u32);
        let edges = Operand::vector("inner_edges", edges);
        let bindings = &kernel.bindings[1..];
        let limits = self.cache.limits();
        check_operands(kernel.label, bindings, &[edges, values, result], limits)?;

        let len = operands.values.len;
        let largest = self.cache.loop_elements(LANES, 1);
        let shares: Vec<_> = passes(len, largest_range(limits))
            .map(|range| Share::new(range, len, largest))
            .collect();
        if let [Share { workgroups: 1, .. }] = *shares {
            // The only slab is the result.
            let dims = Dims {
                count: len,
                first_slab: 0,
            };
            let operands = [edges, values, result];
            let dims = [dims.contents()];
            return self
                .cache
                .prepare(&kernel, &dims, &operands, 1, &count_probe);
        }
        self.count_in_slabs([edges, values, result], &shares)
    }

    /// A slab for each workgroup of each share, then their sum.
    fn count_in_slabs(
        &self,
        [edges, values, result]: [Operand<'_>; 3],
        shares: &[Share],
    ) -> Result<Dispatch, PrepareError> {
        let (count, merge) = (HISTOGRAM, MERGE_HISTOGRAMS);
        let slabs: u32 = shares.iter().map(|share| share.workgroups).sum();
        let size_bytes = u64::from(slabs) * u64::from(HISTOGRAM_WORDS) * 4;
        let buffer = self.cache.scratch(count.label, size_bytes)?;
        let scratch = Operand::buffer("slabs", &buffer, size_bytes);
        let mut grids = Vec::new();
        let mut first_slab = 0;
        for Share { range, workgroups } in shares {
            let operands = [edges, values.rows(1, range), scratch].map(Some);
            let dims = Dims {
                count: range.end - range.start,
                first_slab,
            };
            let (dims, share) = (dims.contents(), [u64::from(*workgroups), 1]);
            let grid = self
                .cache
                .grid(&count, Some(&dims), &operands, share, &count_probe)?;
            // A number is searched and counted, where others are only moved.
            let nanoseconds = 4.0 * grid.estimate.as_nanos() as f64;
            grids.push(grid.taking(nanoseconds));
            first_slab += workgroups;
        }
        let operands = [scratch, result].map(Some);
        let dims = MergeDims { count: slabs }.contents();
        let workgroups = (Histogram::BUCKETS as u64 + 1).div_ceil(u64::from(WORKGROUP));
        let workgroups = [workgroups, 1];
        let grid = self
            .cache
            .grid(&merge, Some(&dims), &operands, workgroups, &merge_probe)?;
        grids.push(grid);
        let label = count.label;
        Ok(Dispatch { label, grids })
    }

    fn inner_edges(&self) -> Result<&wgpu::Buffer, PrepareError> {
        if let Some(edges) = self.edges.get() {
            return Ok(edges);
        }
        let table = self.cache.table(HISTOGRAM.label, &searched_edges())?;
        Ok(self.edges.get_or_init(|| table))
    }
}

fn searched_edges() -> Vec<u32> {
    let edges = Histogram::edges_f32();
    let inner = edges[1..edges.len() - 1].iter().map(|edge| key(*edge));
    let filler = std::iter::repeat(u32::MAX);
    inner.chain(filler).take(SEARCHED_EDGES).collect()
}

/// More values than threads, of which two are not finite.
fn count_probe() -> Probe {
    let mut values = quarters(1, LANES as usize + 37);
    values.extend([f32::NAN, 0.0, f32::NEG_INFINITY, -16.0, 16.0]);
    let dims = Dims {
        count: values.len() as u32,
        first_slab: 0,
    };
    let wanted = Wanted::exactly(histogram_numbers(&reference::histogram(&values)));
    let read =
        |words: &[u32]| histogram_from_words(words).map_or(Vec::new(), |h| histogram_numbers(&h));
    Probe::new(dims.contents(), 1)
        .reads_words(searched_edges())
        .reads(&values)
        .updates_words(vec![1; HISTOGRAM_WORDS as usize], wanted.decoded(read))
}

/// Sums first, then all that is exact.
pub(crate) fn histogram_numbers(histogram: &Histogram) -> Vec<f64> {
    let numbers = [
        histogram.sum(),
        histogram.sum_squares(),
        histogram.min(),
        histogram.max(),
        histogram.num() as f64,
        histogram.non_finite() as f64,
    ];
    let counts = histogram.buckets().iter().map(|count| *count as f64);
    numbers.into_iter().chain(counts).collect()
}

/// Three slabs.
fn merge_probe() -> Probe {
    let (mut slabs, mut counts) = (Vec::new(), vec![0; Histogram::BUCKETS]);
    let keys = [3.0, -2.0, 5.0].map(key);
    for (slab, key) in keys.into_iter().enumerate() {
        let of_slab = |bucket: usize| ((slab + 2) * bucket % 7) as u32;
        for (bucket, count) in counts.iter_mut().enumerate() {
            *count += of_slab(bucket);
        }
        slabs.extend((0..Histogram::BUCKETS).map(of_slab));
        slabs.extend([slab as u32, key, key]);
        slabs.extend(quarters(slab as u64, 6).iter().map(|sum| sum.to_bits()));
    }
    let [a, b, c] = [0, 1, 2].map(|slab| quarters(slab, 6));
    let sums = (0..6).map(|i| f64::from(a[i] + b[i] + c[i]));
    counts.extend([3, key(-2.0), key(5.0)]);
    let wanted = counts.into_iter().map(f64::from).chain(sums);
    let read = |words: &[u32]| {
        let (whole, sums) = words.split_at(words.len().saturating_sub(6));
        let whole = whole.iter().copied().map(f64::from);
        whole.chain(sums.iter().copied().map(float)).collect()
    };
    let workgroups = (Histogram::BUCKETS as u64 + 1).div_ceil(u64::from(WORKGROUP));
    Probe::new(MergeDims { count: 3 }.contents(), workgroups)
        .reads_words(slabs)
        .updates_words(
            vec![1; HISTOGRAM_WORDS as usize],
            Wanted::exactly(wanted).decoded(read),
        )
}

/// Values that one dispatch counts, and by how many workgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Share {
    range: Range<u32>,
    workgroups: u32,
}

impl Share {
    /// This range of `len` values. About [`WORKGROUPS`] share all of them, unless that would be too
    /// little for each, or more than `largest`.
    fn new(range: Range<u32>, len: u32, largest: u32) -> Self {
        let share = len.div_ceil(WORKGROUPS).clamp(LEAST_SHARE, largest);
        let workgroups = (range.end - range.start).div_ceil(share).max(1);
        Self { range, workgroups }
    }
}

/// The most elements that one dispatch counts, so that it does not take long.
const MOST_COUNTED: u32 = 1 << 24;

/// The most elements that one binding holds, ending where the next may begin; no more than are
/// counted at a time.
fn largest_range(limits: &wgpu::Limits) -> u32 {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let most = limits
        .max_storage_buffer_binding_size
        .min(u64::from(u32::MAX));
    ((most / alignment * alignment / 4) as u32).min(MOST_COUNTED)
}

/// The histogram that [`NetworkKernels::histogram`] has left in its result.
///
/// # Errors
/// [`HistogramError::Buckets`] where there are not [`HISTOGRAM_WORDS`] words, the others where the
/// words are no result of the kernel.
pub fn histogram_from_words(words: &[u32]) -> Result<Histogram, HistogramError> {
    let (counts, others) = words
        .split_at_checked(Histogram::BUCKETS)
        .unwrap_or_default();
    let &[non_finite, least, greatest, a, b, c, d, e, f] = others else {
        let counts = words.len();
        return Err(HistogramError::Buckets { counts });
    };
    let (sums, squares) = ([a, b, c], [d, e, f]);
    let [small, middle, large] = squares.map(float);
    let sum_squares = small / SCALE / SCALE + middle + large * SCALE * SCALE;
    let [small, middle, large] = sums.map(float);
    let sum = small / SCALE + middle + large * SCALE;
    let (min, max) = (number(least), number(greatest));
    let counts: Vec<_> = counts.iter().copied().map(u64::from).collect();
    Histogram::from_buckets(min, max, sum, sum_squares, &counts, u64::from(non_finite))
}

fn float(bits: u32) -> f64 {
    f64::from(f32::from_bits(bits))
}

/// A number as the integer that is ordered like it; both zeros are one.
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits > SIGN { !bits } else { bits | SIGN }
}

/// The number of a key.
fn number(key: u32) -> f64 {
    float(if key < SIGN { !key } else { key ^ SIGN })
}

const SIGN: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Gpu;

    /// On llvmpipe.
    const LARGEST_SHARE: u32 = 1 << 23;

    #[test]
    fn shares_keep_threads_within_the_loops_that_llvmpipe_runs() {
        for len in [0, 1, 2048, 2049, 131_072, 131_073, 1 << 24, u32::MAX] {
            for most in [1 << 12, 1 << 25, 1 << 30] {
                let shares: Vec<_> = passes(len, most)
                    .map(|range| Share::new(range, len, LARGEST_SHARE))
                    .collect();
                let mut slabs = 0;
                for Share { range, workgroups } in &shares {
                    assert!(*workgroups >= 1);
                    assert!((range.end - range.start).div_ceil(workgroups * 256) <= 1 << 15);
                    slabs += u64::from(*workgroups);
                }
                // The threads of merge_histograms take them all.
                let least = len.div_ceil(most).max(1) + len.div_ceil(LARGEST_SHARE);
                assert!(slabs <= u64::from(least.max(WORKGROUPS) + least));
            }
        }
    }

    #[test]
    fn shares_are_as_many_as_are_worth_it() {
        let workgroups = |len| Share::new(0..len, len, LARGEST_SHARE).workgroups;
        let lens = [0, 1, 2048, 2049, 100_000, 131_072, 1 << 29, 1 << 30];
        assert_eq!(lens.map(workgroups), [1, 1, 1, 2, 49, 64, 64, 128]);
    }

    #[test]
    fn keys_are_ordered_like_their_numbers() {
        let numbers = [f32::MIN, -1.0, -1e-45, 0.0, 1e-45, 1.0, f32::MAX];
        assert!(numbers.is_sorted_by(|a, b| key(*a) < key(*b)));
        assert!(numbers.iter().all(|x| number(key(*x)) == f64::from(*x)));
        assert_eq!(key(-0.0), key(0.0));
    }

    #[test]
    fn histogram_from_words_refuses_other_buffers() {
        for len in [0, Histogram::BUCKETS, HISTOGRAM_WORDS as usize + 1] {
            let result = histogram_from_words(&vec![0; len]);
            assert_eq!(result, Err(HistogramError::Buckets { counts: len }));
        }
    }

    #[test]
    fn slabs_that_one_binding_does_not_hold_are_refused_by_the_name_of_the_limit() {
        let slabs_bytes = u64::from(WORKGROUPS * HISTOGRAM_WORDS) * 4;
        for most in [1 << 20, 64 << 10] {
            let descriptor = wgpu::DeviceDescriptor {
                required_limits: wgpu::Limits {
                    max_storage_buffer_binding_size: most,
                    ..wgpu::Limits::default()
                },
                ..Default::default()
            };
            let (device, queue) = wgpu::Device::noop(&descriptor);
            let gpu = Gpu::wrap(device, queue);
            let buffers = [1 << 18, HISTOGRAM_WORDS].map(|len| gpu.zeros("operand", len as usize));
            let [values, result] = buffers.map(Result::unwrap);
            let dispatch = NetworkKernels::new(gpu.device()).histogram(HistogramOf {
                values: Vector::new(&values, 1 << 18),
                result: Vector::new(&result, HISTOGRAM_WORDS),
            });
            match dispatch {
                Ok(_) => assert!(slabs_bytes <= most),
                Err(PrepareError::Limit { name, required, .. }) => {
                    assert_eq!(name, "max_storage_buffer_binding_size");
                    assert_eq!(required, slabs_bytes);
                    assert!(required > most);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
