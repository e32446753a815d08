//! From a matrix product to dispatches: cut where an operand is larger than one binding may be, where a sum is longer than one pass, and
//! into slabs where the plan says so.

use std::ops::Range;

use crate::cache::KernelCache;
use crate::dispatch::{Dispatch, Grid, passes};
use crate::error::PrepareError;
use crate::kernel::{Dims, dims};
use crate::model::Activation;
use crate::operand::{self, Operand};

use super::kernels::{BINDINGS, Variant};
use super::plan::Plan;
use super::windows::{Chunk, Layout, chunks};

/// product = op(left) · op(right) with its epilogue; `None` where the operation has no such operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product<'a> {
    pub(super) label: &'static str,
    pub(super) layout: Layout,
    pub(super) left: Operand<'a>,
    pub(super) right: Operand<'a>,
    pub(super) bias: Option<Operand<'a>>,
    /// Argument of the activation whose derivative multiplies the product.
    pub(super) t: Option<(Activation, Operand<'a>)>,
    pub(super) product: Operand<'a>,
    /// Where the activation of the product goes.
    pub(super) activated: Option<(Activation, Operand<'a>)>,
    pub(super) db: Option<Operand<'a>>,
}

/// What is added up in one dispatch, or in one dispatch into slabs and another that adds these up.
#[derive(Clone, Debug)]
struct Pass {
    chunk: Chunk,
    terms: Range<u32>,
    slabs: u32,
    slab_terms: u32,
}

impl<'a> Product<'a> {
    /// Checks the operands and prepares everything.
    pub(super) fn prepare(
        &self,
        cache: &KernelCache,
        plan: &Plan,
    ) -> Result<Dispatch, PrepareError> {
        let label = self.label;
        self.check(cache)?;
        let mut grids = Vec::new();
        if self.layout.m > 0 && self.layout.n > 0 {
            for chunk in chunks(label, self.layout, cache.limits())? {
                self.prepare_chunk(cache, plan, &chunk, &mut grids)?;
            }
        }
        Ok(Dispatch { label, grids })
    }

    /// In the order of the bindings behind `dims`. Matrices may be larger than a binding, vectors may not.
    fn operands(&self) -> [Option<Operand<'a>>; 7] {
        let in_parts = |operand: Operand<'a>| Operand {
            in_parts: true,
            ..operand
        };
        [
            Some(in_parts(self.left)),
            Some(in_parts(self.right)),
            self.bias,
            self.t.map(|(_, t)| in_parts(t)),
            Some(in_parts(self.product)),
            self.activated.map(|(_, a)| in_parts(a)),
            self.db,
        ]
    }

    fn check(&self, cache: &KernelCache) -> Result<(), PrepareError> {
        let present: Vec<_> = self
            .operands()
            .into_iter()
            .zip(&BINDINGS[1..])
            .filter_map(|(operand, binding)| Some((operand?, binding.access)))
            .collect();
        operand::check_all(self.label, &present, cache.limits())?;
        let Layout { m, k, n, .. } = self.layout;
        let (required, allowed) = (u64::from(m.max(k).max(n)), u64::from(u32::MAX / 2));
        if required > allowed {
            return Err(PrepareError::Limit {
                operation: self.label,
                name: "rows or columns of an operand",
                required,
                allowed,
            });
        }
        Ok(())
    }

    fn variant(&self, pass: &Pass) -> Variant {
        let layout = self.layout;
        let row_lengths = [layout.left()[1], layout.right()[1], layout.n];
        Variant {
            label: self.label,
            left_is_transposed: layout.left_is_transposed,
            right_is_transposed: layout.right_is_transposed,
            aligned: row_lengths.iter().all(|columns| columns.is_multiple_of(4))
                && self
                    .operands()
                    .iter()
                    .flatten()
                    .all(|operand| operand.offset_bytes.is_multiple_of(16)),
            add_bias: self.bias.is_some(),
            activate: self.activated.map(|(function, _)| function),
            times_slope: self.t.map(|(function, _)| function),
            sum_columns: self.db.is_some(),
            few_terms: layout.k <= FEW_TERMS,
            accumulate: pass.terms.start > 0,
            unfinished: pass.terms.end < layout.k,
        }
    }

    fn prepare_chunk(
        &self,
        cache: &KernelCache,
        plan: &Plan,
        chunk: &Chunk,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        // Slabs hold whole products.
        let whole = chunk.rows == (0..self.layout.m) && chunk.columns == (0..self.layout.n);
        let slabs = if whole { plan.slabs.max(1) } else { 1 };
        let terms = chunk.terms.end - chunk.terms.start;
        let slab_terms = terms
            .div_ceil(slabs)
            .next_multiple_of(16)
            .min(plan.terms_per_pass);
        for part in passes(terms, slab_terms.saturating_mul(slabs)) {
            let pass = Pass {
                chunk: chunk.clone(),
                terms: chunk.terms.start + part.start..chunk.terms.start + part.end,
                slabs,
                slab_terms: if slabs > 1 { slab_terms } else { u32::MAX / 2 },
            };
            if slabs > 1 {
                self.prepare_slabs(cache, plan, &pass, grids)?;
            } else {
                self.prepare_directly(cache, plan, &pass, grids)?;
            }
        }
        Ok(())
    }

    fn prepare_directly(
        &self,
        cache: &KernelCache,
        plan: &Plan,
        pass: &Pass,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let kernel = self.variant(pass).multiply(plan.algorithm, false);
        let layout = self.layout;
        let chunk = &pass.chunk;
        let [left, right, bias, t, product, activated, db] = self.operands();
        let of_product = |operand: Operand<'a>| operand.rows(layout.n, &chunk.rows);
        let operands = [
            left.map(|left| left.rows(layout.left()[1], &chunk.left)),
            right.map(|right| right.rows(layout.right()[1], &chunk.right)),
            bias,
            t.map(of_product),
            product.map(of_product),
            activated.map(of_product),
            db,
        ];
        let workgroups = plan.algorithm.workgroups(
            chunk.rows.end - chunk.rows.start,
            chunk.columns.end - chunk.columns.start,
        );
        grids.push(cache.grid(&kernel, Some(&self.dims(pass, 0)), &operands, workgroups, 1)?);
        Ok(())
    }

    /// Partial products into slabs, then their sum.
    fn prepare_slabs(
        &self,
        cache: &KernelCache,
        plan: &Plan,
        pass: &Pass,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let variant = self.variant(pass);
        let layout = self.layout;
        let slab_rows = layout.m + u32::from(variant.sum_columns);
        let elements = u64::from(slab_rows) * u64::from(layout.n) * u64::from(pass.slabs);
        let scratch = cache.scratch(self.label, elements * 4)?;
        let scratch = Operand {
            name: "slabs",
            buffer: &scratch,
            offset_bytes: 0,
            size_bytes: elements * 4,
            in_parts: false,
        };
        // Slabs are taken of whole products, but maybe of a part of the terms.
        let [left, right, bias, t, product, activated, db] = self.operands();
        let factors = [
            left.map(|left| left.rows(layout.left()[1], &pass.chunk.left)),
            right.map(|right| right.rows(layout.right()[1], &pass.chunk.right)),
            None,
            None,
            Some(scratch),
            None,
            None,
        ];
        let multiply = variant.multiply(plan.algorithm, true);
        let workgroups = plan.algorithm.workgroups(layout.m, layout.n);
        let sizes = self.dims(pass, slab_rows);
        grids.push(cache.grid(&multiply, Some(&sizes), &factors, workgroups, pass.slabs)?);

        let operands = [Some(scratch), bias, t, product, activated, db];
        let sizes = self.dims_of_sum(pass, slab_rows);
        let quads = u64::from(slab_rows) * u64::from(layout.n.div_ceil(4));
        let workgroups = quads.div_ceil(SUM_SLABS_WORKGROUP);
        let sum = variant.sum_slabs();
        grids.push(cache.grid(&sum, Some(&sizes), &operands, workgroups, 1)?);
        Ok(())
    }

    /// The slabs stand where the left factor does: from row 0, in rows of n elements.
    fn dims_of_sum(&self, pass: &Pass, slab_rows: u32) -> Dims {
        let layout = Layout {
            k: self.layout.n,
            ..self.layout
        };
        let chunk = Chunk {
            left: 0..slab_rows,
            ..pass.chunk.clone()
        };
        let pass = Pass {
            chunk,
            ..pass.clone()
        };
        Self { layout, ..*self }.dims(&pass, slab_rows)
    }

    /// The words of `Dims` in `parts/dims.wgsl`.
    fn dims(&self, pass: &Pass, slab_rows: u32) -> Dims {
        let Chunk {
            rows,
            columns,
            left,
            right,
            ..
        } = &pass.chunk;
        let function = self.activated.or(self.t).map(|(function, _)| function);
        dims([
            self.layout.m,
            self.layout.k,
            self.layout.n,
            rows.start,
            rows.end,
            pass.terms.start,
            pass.terms.end,
            columns.start,
            columns.end,
            left.start,
            right.start,
            rows.start,
            pass.slabs,
            pass.slab_terms,
            slab_rows,
            function.map_or(0, |function| function.slope().to_bits()),
        ])
    }
}

/// Up to so many terms, storing a result takes about as long as adding it up on a software adapter.
const FEW_TERMS: u32 = 32;
/// Threads of a workgroup of `sum_slabs.wgsl`.
const SUM_SLABS_WORKGROUP: u64 = 64;
