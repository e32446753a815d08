//! No dispatch longer than a bound: the results of a product are cut into pieces, each a dispatch.
//! Whatever the pieces, each result has the same terms in the same order, and so the same bits.

use std::ops::Range;
use std::time::Duration;

use crate::kernel::passes;

use super::capabilities::Capabilities;
use super::plan::Plan;

/// Less than half of what a dispatch may take, since the estimate may be too low.
pub(super) const LONGEST_DISPATCH: Duration = Duration::from_millis(200);

/// How long a dispatch may be estimated to take on an adapter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    pub(super) capabilities: &'a Capabilities,
    pub(super) longest: Duration,
}

/// Rows and columns of results that one dispatch computes, with its estimate in ns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) rows: Range<u32>,
    pub(super) columns: Range<u32>,
    pub(super) nanoseconds: f64,
}

impl Bound<'_> {
    /// Cuts these results of `plan`, sums of so many terms in so many slabs, along the rows first.
    /// Pieces are whole tiles, so a single one may take longer than the bound.
    pub(super) fn pieces(
        &self,
        plan: &Plan,
        (rows, columns): (&Range<u32>, &Range<u32>),
        (terms, slabs): (u32, u32),
    ) -> Vec<Piece> {
        let estimate = |rows: u32, columns: u32| {
            plan.dispatch_nanoseconds([rows, terms, columns], slabs, self.capabilities)
        };
        let most = self.longest.as_nanos() as f64;
        let [tile_rows, tile_columns] = plan.algorithm.tile();
        let (height, width) = (rows.end - rows.start, columns.end - columns.start);
        let row_step = step(height, tile_rows, estimate(height, width) / most).min(height);
        let column_step = step(width, tile_columns, estimate(row_step, width) / most);
        let mut pieces = Vec::new();
        for of_rows in passes(height, row_step) {
            for of_columns in passes(width, column_step) {
                let size = [&of_rows, &of_columns].map(|range| range.end - range.start);
                pieces.push(Piece {
                    rows: rows.start + of_rows.start..rows.start + of_rows.end,
                    columns: columns.start + of_columns.start..columns.start + of_columns.end,
                    nanoseconds: estimate(size[0], size[1]),
                });
            }
        }
        pieces
    }
}

/// How many of `size` rows or columns go into a piece, whole tiles, where all of them take so many
/// times as long as a piece may.
fn step(size: u32, tile: u32, times: f64) -> u32 {
    if times <= 1.0 {
        return size.max(1);
    }
    let tiles = (f64::from(size) / times / f64::from(tile)) as u32;
    tiles.max(1).saturating_mul(tile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::plan::plan;
    use crate::linear::shape::{Operation, Shape};

    const OPERATIONS: [Operation; 3] = [
        Operation::Forward,
        Operation::InputGrad,
        Operation::WeightGrad,
    ];

    fn capabilities() -> [Capabilities; 3] {
        let swift_shader = Capabilities {
            loop_iterations: None,
            subgroup_sizes: Some([4, 4]),
            ..Capabilities::software(2)
        };
        [
            Capabilities::hardware(),
            Capabilities::software(2),
            swift_shader,
        ]
    }

    fn pieces_of(sizes: [u32; 3], operation: Operation, adapter: &Capabilities) -> Vec<Piece> {
        let [batch, inputs, outputs] = sizes;
        let shape = Shape {
            batch,
            inputs,
            outputs,
        };
        let plan = plan(shape, operation, adapter);
        let [m, k, n] = operation.product(shape);
        let terms = k.min(plan.terms_per_pass.saturating_mul(plan.slabs));
        let bound = Bound {
            capabilities: adapter,
            longest: LONGEST_DISPATCH,
        };
        bound.pieces(&plan, (&(0..m), &(0..n)), (terms, plan.slabs))
    }

    /// Large in every direction, on every kind of adapter.
    #[test]
    fn no_piece_is_estimated_to_take_half_a_second() {
        for adapter in capabilities() {
            for sizes in [
                [16_384, 16_384, 16_384],
                [1 << 25, 64, 8],
                [8, 1 << 16, 1 << 16],
                [64, 1 << 25, 64],
                [300_000, 1_000, 1_000],
                [1, 1 << 17, 1 << 16],
            ] {
                for operation in OPERATIONS {
                    for piece in pieces_of(sizes, operation, &adapter) {
                        assert!(
                            piece.nanoseconds <= 500e6,
                            "{sizes:?} {operation:?} {piece:?} {adapter:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn pieces_cover_every_result_once() {
        let adapter = Capabilities::software(2);
        let plan = plan(
            Shape {
                batch: 130,
                inputs: 64,
                outputs: 300,
            },
            Operation::Forward,
            &adapter,
        );
        for longest in [0, 1, 10_000, 100_000, 1_000_000] {
            let bound = Bound {
                capabilities: &adapter,
                longest: Duration::from_nanos(longest),
            };
            let mut seen = vec![0; 130 * 300];
            let pieces = bound.pieces(&plan, (&(5..130), &(7..300)), (64, 1));
            for piece in &pieces {
                for row in piece.rows.clone() {
                    for column in piece.columns.clone() {
                        seen[row as usize * 300 + column as usize] += 1;
                    }
                }
            }
            let is_inside = |at: usize| u32::from(at / 300 >= 5 && at % 300 >= 7);
            assert!(
                seen.iter()
                    .enumerate()
                    .all(|(at, times)| *times == is_inside(at))
            );
            assert_eq!(pieces.len() > 1, longest < 1_000_000, "{longest}");
        }
    }

    #[test]
    fn short_products_are_not_cut() {
        for adapter in &capabilities()[..2] {
            for operation in OPERATIONS {
                assert_eq!(pieces_of([512; 3], operation, adapter).len(), 1);
            }
        }
        // With kernels that were made for llvmpipe they take two seconds there.
        let slow = &capabilities()[2];
        assert!(pieces_of([512; 3], Operation::Forward, slow).len() > 4);
    }

    /// The kernel that it gets was measured there: 56 ms at 512³ on two cores.
    #[test]
    fn products_on_swift_shader_are_cut_by_what_was_measured_there() {
        let [.., slow] = capabilities();
        let swift_shader = Capabilities {
            most_unrolled: 0,
            ..slow
        };
        for operation in OPERATIONS {
            assert_eq!(pieces_of([512; 3], operation, &swift_shader).len(), 1);
            let pieces = pieces_of([2048; 3], operation, &swift_shader);
            assert!(pieces.len() >= 10, "{operation:?} {}", pieces.len());
            assert!(pieces.iter().all(|piece| piece.nanoseconds <= 250e6));
        }
    }
}
