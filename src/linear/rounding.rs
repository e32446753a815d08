//! Results that are stored with fewer digits than sums have: rounded once, after the last term.

use std::ops::Range;

use super::bound::Bound;
use super::plan::Plan;
use super::product::{Pass, Product};
use super::windows::{Chunk, Factors, chunks, rows_together};
use crate::kernel::{Grid, KernelCache, Operand, PrepareError};

impl<'a> Product<'a> {
    /// Whether a sum is taken in several passes.
    pub(super) fn takes_passes(&self, plan: &Plan, chunks: &[Chunk]) -> bool {
        // Fewer slabs than planned may fit.
        let longest = u64::from(plan.terms_per_pass);
        let is_part = |chunk: &Chunk| chunk.terms != (0..self.factors.k);
        u64::from(self.factors.k) > longest || chunks.iter().any(is_part)
    }

    /// Passes add to what those before have stored, which f16 would round: they do so in a matrix of
    /// f32, of which a last dispatch makes the results.
    pub(super) fn prepare_in_f32(
        &self,
        cache: &KernelCache,
        by: (&Plan, Bound<'_>),
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let Factors { m, n, .. } = self.factors;
        let bytes = 4 * u64::from(m) * u64::from(n);
        let sums = cache.scratch_in_parts(self.label, bytes)?;
        let sums = Operand::buffer("sums", &sums, bytes);
        let added = Product {
            t: None,
            product: sums,
            activated: None,
            activated_alone: None,
            ..*self
        };
        let limits = cache.limits();
        let chunks = chunks(self.label, self.factors, added.elements(), limits)?;
        added.prepare_chunks(cache, by, &chunks, grids)?;
        let matrices = [sums.element, self.product.element].map(|element| (n, element));
        for rows in rows_together(self.label, m, &matrices, limits)? {
            let finished = self.finished(&rows);
            let sums = sums.rows(n, &rows);
            let pass = finished.whole_pass();
            grids.push(finished.add_slabs(cache, &pass, (sums, rows.end - rows.start))?);
        }
        Ok(())
    }

    /// What is left to do with some rows of sums.
    fn finished(&self, rows: &Range<u32>) -> Self {
        let n = self.factors.n;
        let part = |operand: Operand<'a>| operand.rows(n, rows);
        Self {
            factors: Factors {
                m: rows.end - rows.start,
                ..self.factors
            },
            bias: None,
            t: self.t.map(|(function, t)| (function, part(t))),
            product: part(self.product),
            activated: self.activated.map(|(function, a)| (function, part(a))),
            db: None,
            ..*self
        }
    }

    /// Everything in one pass.
    fn whole_pass(&self) -> Pass {
        let Factors { m, k, n, .. } = self.factors;
        Pass {
            chunk: Chunk {
                rows: 0..m,
                columns: 0..n,
                terms: 0..k,
                left: 0..m,
                right: 0..k,
            },
            terms: 0..k,
            slabs: 1,
            slab_terms: u32::MAX / 2,
        }
    }
}
