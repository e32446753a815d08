//! The matrix product of [`super::Mlp`]: the sums of [`super::forward`], [`super::input_grad`] and
//! [`super::weight_grad`], into buffers that exist already.
//!
//! Blocked as in Goto & van de Geijn, *Anatomy of High-Performance Matrix Multiplication* (2008):
//! both operands are copied in panels that fit the caches, and a tile of the result is summed up in
//! registers. The compiler vectorizes the tile, so there are no intrinsics; `fearless_simd`
//! compiles it for AVX2 with fused multiply-add too, and chooses at run time.
//!
//! Every element is summed up in the same order, wherever its tile begins: the result does not
//! depend on the number of threads.

use std::ops::Range;

use fearless_simd::{Level, Simd, WithSimd};
use ndarray::NdFloat;

use super::simd::has_fused_multiply_add;
use super::threads::{self, Task};

/// Depth of a panel, bytes: a panel of B stays in the first-level cache while the panels of A pass
/// by.
const DEPTH_BYTES: usize = 1024;
/// Columns of B in panels at a time, bytes per unit of depth: with the depth, half a MiB of the
/// second-level cache.
const B_BYTES: usize = 2048;
/// Rows of A in panels at a time: 16 panels of 6 or 24 of 4.
const A_LINES: usize = 96;
/// Multiplications and additions that are worth waking another thread for: some 80 µs, of which
/// waking it takes ten or more.
const LEAST_WORK: usize = 1 << 23;

/// One operand: lines that are multiplied with the lines of the other, element by element, and
/// added up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<'a, F> {
    values: &'a [F],
    /// Columns of `values`.
    width: usize,
    are_rows: bool,
}

impl<'a, F> Lines<'a, F> {
    /// The rows of a row-major matrix of `width` columns.
    pub(super) fn rows(values: &'a [F], width: usize) -> Self {
        Self {
            values,
            width,
            are_rows: true,
        }
    }

    /// The columns of a row-major matrix of `width` columns.
    pub(super) fn columns(values: &'a [F], width: usize) -> Self {
        Self {
            are_rows: false,
            ..Self::rows(values, width)
        }
    }

    /// (number of lines, elements of a line)
    fn size(&self) -> (usize, usize) {
        let rows = self.values.len() / self.width;
        if self.are_rows {
            (rows, self.width)
        } else {
            (self.width, rows)
        }
    }
}

/// Panels of both operands, kept from product to product; one pair a thread.
#[derive(Clone, Debug)]
pub(super) struct Scratch<F> {
    a: Vec<F>,
    b: Vec<F>,
}

/// out_ij = Σ_p a_ip b_jp for line i of `a` and line j of `b`; then `finish(i, row)` for every row
/// of `out`.
///
/// `out` is overwritten, never read. Grows `scratch` when a product is the largest yet, and
/// allocates nothing otherwise.
pub(super) fn product<F: NdFloat>(
    scratch: &mut Vec<Scratch<F>>,
    a: Lines<'_, F>,
    b: Lines<'_, F>,
    out: &mut [F],
    finish: impl Fn(usize, &mut [F]) + Sync,
) {
    let ((rows, depth), (columns, b_depth)) = (a.size(), b.size());
    assert_eq!(depth, b_depth, "lines of one length");
    assert_eq!(out.len(), rows * columns, "an element for each pair");
    let levels = threads::levels(2 * rows * columns * depth, LEAST_WORK);
    let parts = 1 << levels;
    if scratch.len() < parts {
        scratch.resize_with(parts, || Scratch {
            a: Vec::new(),
            b: Vec::new(),
        });
    }
    let part = Part {
        a,
        b,
        first_row: 0,
        out,
        scratch: &mut scratch[..parts],
        finish: &finish,
    };
    threads::run(part, levels);
}

/// Some rows of the result.
struct Part<'a, F, E> {
    a: Lines<'a, F>,
    b: Lines<'a, F>,
    first_row: usize,
    out: &'a mut [F],
    scratch: &'a mut [Scratch<F>],
    finish: &'a E,
}

impl<F: NdFloat, E: Fn(usize, &mut [F]) + Sync> Task for Part<'_, F, E> {
    fn halves(self) -> (Self, Self) {
        let columns = self.b.size().0;
        // Whole panels of A, as far as there are any: a ragged one costs as much as a full one.
        let rows = self.out.len() / columns;
        let half = (rows / 2).next_multiple_of(12).min(rows);
        let (upper, lower) = self.out.split_at_mut(half * columns);
        let (left, right) = self.scratch.split_at_mut(self.scratch.len() / 2);
        let part = |first_row, out, scratch| Part {
            first_row,
            out,
            scratch,
            ..self
        };
        (
            part(self.first_row, upper, left),
            part(self.first_row + half, lower, right),
        )
    }

    fn run(self) {
        if self.out.is_empty() {
            return;
        }
        let level = Level::new();
        // A tile needs rows × columns / lanes registers, and a few more: 12 of 16 with AVX2, 8 of
        // 16 with SSE.
        match (has_fused_multiply_add(), size_of::<F>()) {
            (true, 4) => level.dispatch(Blocked::<_, _, 6, 16, true>(self)),
            (true, _) => level.dispatch(Blocked::<_, _, 6, 8, true>(self)),
            (false, 4) => level.dispatch(Blocked::<_, _, 4, 8, false>(self)),
            (false, _) => level.dispatch(Blocked::<_, _, 4, 4, false>(self)),
        }
    }
}

/// A part, to be done in tiles of `H` × `W` elements.
struct Blocked<'a, F, E, const H: usize, const W: usize, const FUSED: bool>(Part<'a, F, E>);

impl<F, E, const H: usize, const W: usize, const FUSED: bool> WithSimd
    for Blocked<'_, F, E, H, W, FUSED>
where
    F: NdFloat,
    E: Fn(usize, &mut [F]) + Sync,
{
    type Output = ();

    // `inline(always)` here and below: only what is inlined is compiled for the instructions that
    // were found.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Part {
            a,
            b,
            first_row,
            out,
            scratch,
            finish,
        } = self.0;
        let ((columns, depth), packed) = (b.size(), &mut scratch[0]);
        let rows = out.len() / columns;
        if depth == 0 {
            out.fill(F::zero());
        }
        for depths in ranges(depth, DEPTH_BYTES / size_of::<F>()) {
            for across in ranges(columns, B_BYTES / size_of::<F>()) {
                pack::<W, F>(b, across.clone(), depths.clone(), &mut packed.b);
                for down in ranges(rows, A_LINES) {
                    let lines = first_row + down.start..first_row + down.end;
                    pack::<H, F>(a, lines, depths.clone(), &mut packed.a);
                    let block = &mut out[down.start * columns..down.end * columns];
                    let add = depths.start > 0;
                    multiply::<H, W, FUSED, F>(
                        packed,
                        depths.len(),
                        block,
                        columns,
                        across.clone(),
                        add,
                    );
                }
            }
        }
        for (i, row) in out.chunks_exact_mut(columns).enumerate() {
            finish(first_row + i, row);
        }
    }
}

/// 0..len in pieces of nearly equal length, at most `most`.
#[inline(always)]
fn ranges(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let step = len.div_ceil(len.div_ceil(most).max(1)).max(1);
    (0..len)
        .step_by(step)
        .map(move |start| start..(start + step).min(len))
}

/// Copies a block of lines in panels of `N` lines: the elements that meet in one step of a tile's
/// sum lie side by side.
#[inline(always)]
fn pack<const N: usize, F: NdFloat>(
    lines: Lines<'_, F>,
    block: Range<usize>,
    depths: Range<usize>,
    packed: &mut Vec<F>,
) {
    let (depth, width) = (depths.len(), lines.width);
    let needed = block.len().div_ceil(N) * N * depth;
    if packed.len() < needed {
        packed.resize(needed, F::zero());
    }
    for (start, panel) in block
        .clone()
        .step_by(N)
        .zip(packed.chunks_exact_mut(N * depth))
    {
        let count = N.min(block.end - start);
        if lines.are_rows {
            // The last panel repeats its last line: what that adds up to is never stored.
            let parts: [&[F]; N] = std::array::from_fn(|i| {
                let line = start + i.min(count - 1);
                &lines.values[line * width..][..width][depths.clone()]
            });
            for (p, slots) in panel.chunks_exact_mut(N).enumerate() {
                for (slot, part) in slots.iter_mut().zip(&parts) {
                    *slot = part[p];
                }
            }
        } else {
            let rows = lines.values[depths.start * width..].chunks(width);
            for (slots, row) in panel.chunks_exact_mut(N).zip(rows) {
                if count == N {
                    slots.copy_from_slice(&row[start..start + N]);
                } else {
                    // What lies behind is left over from another block, and its sums are never
                    // stored either.
                    slots[..count].copy_from_slice(&row[start..start + count]);
                }
            }
        }
    }
}

/// The panels of A times the panels of B into the columns `across` of `out`.
#[inline(always)]
fn multiply<const H: usize, const W: usize, const FUSED: bool, F: NdFloat>(
    packed: &Scratch<F>,
    depth: usize,
    out: &mut [F],
    columns: usize,
    across: Range<usize>,
    add: bool,
) {
    for (left, b) in across
        .clone()
        .step_by(W)
        .zip(packed.b.chunks_exact(W * depth))
    {
        let right = (left + W).min(across.end);
        let blocks = out.chunks_mut(H * columns);
        for (rows, a) in blocks.zip(packed.a.chunks_exact(H * depth)) {
            let sums = tile::<H, W, FUSED, F>(a, b);
            for (row, sums) in rows.chunks_exact_mut(columns).zip(&sums) {
                store(&mut row[left..right], sums, add);
            }
        }
    }
}

/// One tile of the result: Σ_p a_ip b_jp.
#[inline(always)]
fn tile<const H: usize, const W: usize, const FUSED: bool, F: NdFloat>(
    a: &[F],
    b: &[F],
) -> [[F; W]; H] {
    let mut sums = [[F::zero(); W]; H];
    for (a, b) in a.chunks_exact(H).zip(b.chunks_exact(W)) {
        for i in 0..H {
            for j in 0..W {
                sums[i][j] = if FUSED {
                    a[i].mul_add(b[j], sums[i][j])
                } else {
                    sums[i][j] + a[i] * b[j]
                };
            }
        }
    }
    sums
}

#[inline(always)]
fn store<const W: usize, F: NdFloat>(out: &mut [F], sums: &[F; W], add: bool) {
    if add {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out += *sum;
        }
    } else if out.len() == W {
        out.copy_from_slice(sums);
    } else {
        out.copy_from_slice(&sums[..out.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, not symmetric: every sum of products is exact.
    fn integers(len: usize, seed: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((i * 37 + seed * 11 + i / 7) % 17) as f32 - 8.0)
            .collect()
    }

    fn reals(len: usize, seed: u64) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..len).map(|_| random.f32() - 0.5).collect()
    }

    fn transposed<F: NdFloat>(values: &[F], width: usize) -> Vec<F> {
        (0..values.len())
            .map(|i| values[i % (values.len() / width) * width + i / (values.len() / width)])
            .collect()
    }

    /// A product cut `levels` times, whatever its size; the result begins as NaN.
    fn compute<F: NdFloat>(
        levels: usize,
        a: Lines<'_, F>,
        b: Lines<'_, F>,
        finish: impl Fn(usize, &mut [F]) + Sync,
    ) -> Vec<F> {
        let mut out = vec![F::nan(); a.size().0 * b.size().0];
        let empty = Scratch {
            a: Vec::new(),
            b: Vec::new(),
        };
        let mut scratch = vec![empty; 1 << levels];
        let part = Part {
            a,
            b,
            first_row: 0,
            out: &mut out,
            scratch: &mut scratch,
            finish: &finish,
        };
        threads::run(part, levels);
        out
    }

    fn check_exact<F: NdFloat>(rows: usize, columns: usize, depth: usize) {
        let exact = |values: Vec<f32>| -> Vec<F> {
            values.into_iter().map(super::super::float::cast).collect()
        };
        let (a, b) = (
            exact(integers(rows * depth, 1)),
            exact(integers(columns * depth, 2)),
        );
        let mut expected = Vec::new();
        for i in 0..rows {
            for j in 0..columns {
                let terms = (0..depth).map(|p| a[i * depth + p] * b[j * depth + p]);
                // `finish` is to see every row once, and to know which.
                expected.push(terms.fold(super::super::float::cast(i as f32), F::add));
            }
        }
        let finish = |i, row: &mut [F]| {
            row.iter_mut()
                .for_each(|t| *t += super::super::float::cast(i as f32))
        };
        let (a_columns, b_columns) = (transposed(&a, depth), transposed(&b, depth));
        for a in [Lines::rows(&a, depth), Lines::columns(&a_columns, rows)] {
            for b in [Lines::rows(&b, depth), Lines::columns(&b_columns, columns)] {
                for levels in 0..3 {
                    assert_eq!(
                        compute(levels, a, b, finish),
                        expected,
                        "{rows} {columns} {depth}"
                    );
                }
            }
        }
    }

    #[test]
    fn product_is_exact_on_small_integers_for_ragged_shapes() {
        for rows in [1, 5, 6, 7, 13, 97] {
            for columns in [1, 8, 10, 16, 17, 33] {
                for depth in [1, 2, 63, 257] {
                    check_exact::<f32>(rows, columns, depth);
                    check_exact::<f64>(rows, columns, depth);
                }
            }
        }
        check_exact::<f32>(7, 1030, 600);
    }

    #[test]
    fn product_of_nothing_is_zero_or_empty() {
        let nothing = Lines::<f32>::columns(&[], 3);
        assert_eq!(compute(1, nothing, nothing, |_, _| ()), [0.0; 9]);
        let none = Lines::<f32>::rows(&[], 3);
        assert_eq!(
            compute(1, none, Lines::rows(&[1.0; 6], 3), |_, _| ()),
            [0.0; 0]
        );
    }

    #[test]
    fn product_has_the_same_bits_however_it_is_cut() {
        let (a, b) = (reals(101 * 300, 1), reals(45 * 300, 2));
        let (a, b) = (Lines::rows(&a, 300), Lines::rows(&b, 300));
        let whole = compute(0, a, b, |_, _| ());
        for levels in 1..=3 {
            let cut = compute(levels, a, b, |_, _| ());
            assert!(
                whole
                    .iter()
                    .zip(&cut)
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            );
        }
    }
}
