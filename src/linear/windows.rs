//! Operands larger than `max_storage_buffer_binding_size`: which rows of each are bound for which
//! part of the product.

use std::ops::Range;

use super::elements::Elements;
use crate::kernel::{ElementType, PrepareError, passes};

/// The sizes of a product and how its factors lie in memory, row-major.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    pub(super) m: u32,
    pub(super) k: u32,
    pub(super) n: u32,
    /// The left factor is stored as k × m.
    pub(super) left_is_transposed: bool,
    /// The right factor is stored as n × k.
    pub(super) right_is_transposed: bool,
}

impl Factors {
    /// Stored rows and columns of the left factor.
    pub(super) fn left(&self) -> [u32; 2] {
        if self.left_is_transposed {
            [self.k, self.m]
        } else {
            [self.m, self.k]
        }
    }

    /// Stored rows and columns of the right factor.
    pub(super) fn right(&self) -> [u32; 2] {
        if self.right_is_transposed {
            [self.n, self.k]
        } else {
            [self.k, self.n]
        }
    }
}

/// A part of a product whose operands can be bound: ranges of rows, columns and terms, and the
/// stored rows of both factors that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) rows: Range<u32>,
    pub(super) columns: Range<u32>,
    pub(super) terms: Range<u32>,
    pub(super) left: Range<u32>,
    pub(super) right: Range<u32>,
}

/// Cuts a product. Along the terms last: those of one part are added up one after the other.
///
/// Each operand can only be cut along its stored rows. Those of the product are its own rows, those
/// of an untransposed factor m on the left and k on the right, those of a transposed one k and n.
pub(super) fn chunks(
    label: &'static str,
    factors: Factors,
    elements: Elements,
    limits: &wgpu::Limits,
) -> Result<Vec<Chunk>, PrepareError> {
    let left = Stored::new(factors.left(), elements.left);
    let right = Stored::new(factors.right(), elements.right);
    let (mut of_rows, mut of_terms, mut of_columns) = (Vec::new(), Vec::new(), Vec::new());
    of_rows.push(Stored::new([factors.m, factors.n], elements.results));
    if factors.left_is_transposed {
        of_terms.push(left);
    } else {
        of_rows.push(left);
    }
    if factors.right_is_transposed {
        of_columns.push(right);
    } else {
        of_terms.push(right);
    }
    let step = |of: &[Stored]| rows_per_binding(label, of, limits);
    let (row_step, term_step, column_step) =
        (step(&of_rows)?, step(&of_terms)?, step(&of_columns)?);
    let mut chunks = Vec::new();
    for rows in passes(factors.m, row_step) {
        for columns in passes(factors.n, column_step) {
            for terms in passes(factors.k, term_step) {
                chunks.push(chunk(factors, &rows, &columns, terms));
            }
        }
    }
    Ok(chunks)
}

/// Cuts the rows of matrices that have as many of them, each with its columns and what it is stored
/// as.
pub(super) fn rows_together(
    label: &'static str,
    rows: u32,
    matrices: &[(u32, ElementType)],
    limits: &wgpu::Limits,
) -> Result<impl Iterator<Item = Range<u32>>, PrepareError> {
    let matrices = matrices.iter();
    let stored = matrices.map(|(columns, element)| Stored::new([rows, *columns], *element));
    let stored: Vec<_> = stored.collect();
    Ok(passes(rows, rows_per_binding(label, &stored, limits)?))
}

fn chunk(factors: Factors, rows: &Range<u32>, columns: &Range<u32>, terms: Range<u32>) -> Chunk {
    let either =
        |transposed, a: &Range<u32>, b: &Range<u32>| if transposed { b } else { a }.clone();
    Chunk {
        left: either(factors.left_is_transposed, rows, &terms),
        right: either(factors.right_is_transposed, &terms, columns),
        rows: rows.clone(),
        columns: columns.clone(),
        terms,
    }
}

/// A matrix as it is stored.
#[derive(Clone, Copy, Debug)]
struct Stored {
    rows: u32,
    row_bytes: u64,
    element: ElementType,
}

impl Stored {
    fn new([rows, columns]: [u32; 2], element: ElementType) -> Self {
        Self {
            rows,
            row_bytes: u64::from(columns) * element.bytes(),
            element,
        }
    }

    /// Kernels address elements by u32, and the last workgroups of a folded grid reach past the
    /// end.
    fn allowed(&self, limits: &wgpu::Limits) -> u64 {
        let addressed = u64::from(u32::MAX / 2) * self.element.bytes();
        limits.max_storage_buffer_binding_size.min(addressed)
    }

    fn fits(&self, limits: &wgpu::Limits) -> bool {
        u64::from(self.rows) * self.row_bytes <= self.allowed(limits)
    }

    /// After how many rows another binding may begin: 4 times a power of two, so that blocks of
    /// 4 × 4 elements stay whole.
    fn step(&self, limits: &wgpu::Limits) -> u64 {
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        4 * (alignment / greatest_common_divisor(alignment, 4 * self.row_bytes))
    }
}

/// How many rows of matrices that are cut together fit into one binding each: all, or a number
/// after which another binding of each may begin.
fn rows_per_binding(
    label: &'static str,
    together: &[Stored],
    limits: &wgpu::Limits,
) -> Result<u32, PrepareError> {
    if together.iter().all(|stored| stored.fits(limits)) {
        return Ok(u32::MAX);
    }
    // Of powers of two the largest is a multiple of the others.
    let steps = together.iter().map(|stored| stored.step(limits));
    let step = steps.max().unwrap_or(4);
    let mut most = u64::from(u32::MAX);
    for stored in together {
        let (row_bytes, allowed) = (stored.row_bytes, stored.allowed(limits));
        let fitting = allowed.checked_div(row_bytes).unwrap_or(most) / step * step;
        if fitting == 0 {
            return Err(PrepareError::Limit {
                operation: label,
                name: "max_storage_buffer_binding_size",
                required: step * row_bytes,
                allowed,
            });
        }
        most = most.min(fitting);
    }
    Ok(u32::try_from(most).unwrap_or(u32::MAX))
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTORS: Factors = Factors {
        m: 100,
        k: 60,
        n: 40,
        left_is_transposed: false,
        right_is_transposed: false,
    };

    fn limits(binding_bytes: u64) -> wgpu::Limits {
        aligned_limits(binding_bytes, 32)
    }

    fn aligned_limits(binding_bytes: u64, alignment: u32) -> wgpu::Limits {
        wgpu::Limits {
            max_storage_buffer_binding_size: binding_bytes,
            min_storage_buffer_offset_alignment: alignment,
            ..wgpu::Limits::default()
        }
    }

    #[test]
    fn small_products_are_not_cut() {
        let all = chunks("test", FACTORS, Elements::default(), &limits(1 << 20)).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(
            [&all[0].rows, &all[0].columns, &all[0].terms],
            [&(0..100), &(0..40), &(0..60)]
        );
    }

    /// Every result gets every term exactly once, and every binding fits and begins where it may.
    #[test]
    fn chunks_cover_the_product_whatever_is_transposed() {
        use ElementType::{F16, F32};
        // In the last, rows of the product are more often where a binding may begin than those of
        // the left factor.
        for (binding, alignment, n) in [
            (4096, 32, 40),
            (4096, 64, 40),
            (8192, 256, 40),
            (18_432, 256, 128),
        ] {
            let factors = Factors { n, ..FACTORS };
            for [left, right, results] in [
                [F32; 3],
                [F16; 3],
                [F16, F32, F16],
                [F32, F16, F32],
                [F16, F16, F32],
            ] {
                let elements = Elements {
                    left,
                    right,
                    results,
                };
                check_chunks(factors, elements, aligned_limits(binding, alignment));
            }
        }
    }

    fn check_chunks(factors: Factors, elements: Elements, limits: wgpu::Limits) {
        let alignment = limits.min_storage_buffer_offset_alignment;
        let binding = limits.max_storage_buffer_binding_size;
        for transposed in 0..4 {
            let factors = Factors {
                left_is_transposed: transposed & 1 > 0,
                right_is_transposed: transposed & 2 > 0,
                ..factors
            };
            let all = chunks("test", factors, elements, &limits).unwrap();
            let mut seen = std::collections::HashMap::new();
            for chunk in &all {
                for row in chunk.rows.clone() {
                    for column in chunk.columns.clone() {
                        let next = seen.entry((row, column)).or_insert(0);
                        assert_eq!(*next, chunk.terms.start);
                        *next = chunk.terms.end;
                    }
                }
                let operands = [
                    (&chunk.left, factors.left()[1], elements.left),
                    (&chunk.right, factors.right()[1], elements.right),
                    (&chunk.rows, factors.n, elements.results),
                ];
                for (rows, columns, element) in operands {
                    let row_bytes = u64::from(columns) * element.bytes();
                    assert!(u64::from(rows.end - rows.start) * row_bytes <= binding);
                    assert_eq!(u64::from(rows.start) * row_bytes % u64::from(alignment), 0);
                }
            }
            assert_eq!(seen.len(), 100 * factors.n as usize);
            assert!(seen.values().all(|terms| *terms == 60));
        }
    }

    #[test]
    fn rows_larger_than_a_binding_are_refused() {
        let error = chunks("test", FACTORS, Elements::default(), &limits(256)).unwrap_err();
        assert!(matches!(error, PrepareError::Limit { .. }));
    }

    /// Sixteen rows of 60 elements until the next binding may begin.
    #[test]
    fn rows_between_two_bindings_are_refused_where_they_do_not_fit() {
        let error = chunks(
            "test",
            FACTORS,
            Elements::default(),
            &aligned_limits(3839, 256),
        )
        .unwrap_err();
        let required = 16 * 60 * 4;
        assert!(
            matches!(error, PrepareError::Limit { required: bytes, .. } if bytes == required),
            "{error:?}"
        );
    }
}
