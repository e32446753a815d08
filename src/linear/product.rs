//! From a matrix product to dispatches: cut where an operand is larger than one binding may be,
//! where a sum is longer than one pass, and into slabs where the plan says so.

use std::ops::Range;

use crate::kernel::{
    Binding, Dispatch, ElementType, Grid, Kernel, KernelCache, Operand, PrepareError, Probe,
    Uniform, check_operands, passes,
};

use super::activation::Activation;
use super::algorithms::sum_slabs;
use super::bound::Bound;
use super::dims::ProductDims;
use super::elements::Elements;
use super::kernels::{BINDINGS, Variant};
use super::plan::Plan;
use super::probe;
use super::windows::{Chunk, Factors, chunks};

/// product = op(left) · op(right) with its epilogue; `None` where the operation has no such
/// operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product<'a> {
    pub(super) label: &'static str,
    pub(super) factors: Factors,
    pub(super) left: Operand<'a>,
    pub(super) right: Operand<'a>,
    pub(super) bias: Option<Operand<'a>>,
    /// Argument of the activation whose derivative multiplies the product.
    pub(super) t: Option<(Activation, Operand<'a>)>,
    pub(super) product: Operand<'a>,
    /// Where the activation of the product goes.
    pub(super) activated: Option<(Activation, Operand<'a>)>,
    /// The activation that takes the place of the product.
    pub(super) activated_alone: Option<Activation>,
    pub(super) db: Option<Operand<'a>>,
}

/// What is added up in one dispatch, or in one dispatch into slabs and another that adds these up.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) chunk: Chunk,
    pub(super) terms: Range<u32>,
    pub(super) slabs: u32,
    pub(super) slab_terms: u32,
}

impl<'a> Product<'a> {
    /// Checks the operands and prepares everything.
    pub(super) fn prepare(
        &self,
        cache: &KernelCache,
        plan: &Plan,
        bound: Bound<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let label = self.label;
        self.check(cache)?;
        let mut grids = Vec::new();
        if self.factors.m > 0 && self.factors.n > 0 {
            let chunks = chunks(label, self.factors, self.elements(), cache.limits())?;
            if self.product.element != ElementType::F32 && self.takes_passes(plan, &chunks) {
                self.prepare_in_f32(cache, (plan, bound), &mut grids)?;
            } else {
                self.prepare_chunks(cache, (plan, bound), &chunks, &mut grids)?;
            }
        }
        Ok(Dispatch { label, grids })
    }

    pub(super) fn prepare_chunks(
        &self,
        cache: &KernelCache,
        by: (&Plan, Bound<'_>),
        chunks: &[Chunk],
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        for chunk in chunks {
            self.prepare_chunk(cache, by, chunk, grids)?;
        }
        Ok(())
    }

    pub(super) fn elements(&self) -> Elements {
        Elements {
            left: self.left.element,
            right: self.right.element,
            results: self.product.element,
        }
    }

    /// In the order of the bindings behind `dims`. Matrices may be larger than a binding, vectors
    /// may not.
    fn operands(&self) -> [Option<Operand<'a>>; 7] {
        let in_parts = |operand: Operand<'a>| operand.of_any_type().in_parts();
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
        let (bindings, operands): (Vec<Binding>, Vec<_>) = BINDINGS[1..]
            .iter()
            .zip(self.operands())
            .filter_map(|(binding, operand)| Some((*binding, operand?)))
            .unzip();
        check_operands(self.label, &bindings, &operands, cache.limits())?;
        self.check_types()?;
        let Factors { m, k, n, .. } = self.factors;
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

    /// Whatever belongs to the results is stored as they are.
    fn check_types(&self) -> Result<(), PrepareError> {
        let expected = self.product.element;
        let t = self.t.map(|(_, t)| t);
        let others = [t, self.activated.map(|(_, activated)| activated)];
        let mut others = others.into_iter().flatten();
        match others.find(|other| other.element != expected) {
            None => Ok(()),
            Some(other) => Err(PrepareError::ElementType {
                operation: self.label,
                operand: other.name,
                expected,
                actual: other.element,
            }),
        }
    }

    fn variant(&self, cache: &KernelCache, pass: &Pass) -> Variant {
        let factors = self.factors;
        let row_lengths = [factors.left()[1], factors.right()[1], factors.n];
        let begins_aligned = |operand: &Operand<'_>| operand.offset_bytes.is_multiple_of(16);
        let elements = self.elements();
        let are_f32 = [elements.left, elements.right] == [ElementType::F32; 2];
        Variant {
            label: self.label,
            elements,
            left_is_transposed: factors.left_is_transposed,
            right_is_transposed: factors.right_is_transposed,
            aligned: row_lengths.iter().all(|columns| columns.is_multiple_of(4))
                && self.operands().iter().flatten().all(begins_aligned),
            left_aligned: row_lengths[0].is_multiple_of(4) && begins_aligned(&self.left),
            wide_loads: cache.has_wide_loads() && are_f32,
            add_bias: self.bias.is_some(),
            activate: self.activated.map(|(function, _)| function),
            activate_alone: self.activated_alone,
            times_slope: self.t.map(|(function, _)| function),
            sum_columns: self.db.is_some(),
            terms: factors.k,
            columns: factors.n,
            accumulate: pass.terms.start > 0,
            unfinished: pass.terms.end < factors.k,
        }
    }

    fn prepare_chunk(
        &self,
        cache: &KernelCache,
        (plan, bound): (&Plan, Bound<'_>),
        chunk: &Chunk,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        // Slabs hold whole products.
        let whole = chunk.rows == (0..self.factors.m) && chunk.columns == (0..self.factors.n);
        let slabs = if whole {
            self.slabs_that_fit(plan.slabs, cache.limits())
        } else {
            1
        };
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
                self.prepare_slabs(cache, (plan, bound), &pass, grids)?;
            } else {
                self.prepare_directly(cache, (plan, bound), &pass, grids)?;
            }
        }
        Ok(())
    }

    /// As many as are wanted, or half of these, and so on: all slabs are bound as one buffer.
    fn slabs_that_fit(&self, wanted: u32, limits: &wgpu::Limits) -> u32 {
        let rows = u64::from(self.factors.m) + u64::from(self.db.is_some());
        let bytes = 4 * rows * u64::from(self.factors.n);
        let most = limits.max_storage_buffer_binding_size / bytes.max(1);
        let halves = std::iter::successors(Some(wanted), |slabs| Some(slabs / 2));
        let mut fitting = halves.skip_while(|slabs| u64::from(*slabs) > most);
        fitting.next().unwrap_or(1).max(1)
    }

    fn prepare_directly(
        &self,
        cache: &KernelCache,
        (plan, bound): (&Plan, Bound<'_>),
        pass: &Pass,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let variant = self.variant(cache, pass);
        let kernel = variant.multiply(plan.algorithm, false);
        let factors = self.factors;
        let chunk = &pass.chunk;
        let [left, right, bias, t, product, activated, db] = self.operands();
        let of_product = |operand: Operand<'a>| operand.rows(factors.n, &chunk.rows);
        let operands = [
            left.map(|left| left.rows(factors.left()[1], &chunk.left)),
            right.map(|right| right.rows(factors.right()[1], &chunk.right)),
            bias,
            t.map(of_product),
            product.map(of_product),
            activated.map(of_product),
            db,
        ];
        let probe = || probe::multiply(&variant, plan.algorithm, false);
        let kernel = (&kernel, &probe as &dyn Fn() -> Probe);
        self.multiply(cache, (plan, bound), pass, kernel, (&operands, 0), grids)
    }

    /// The products of a pass, in as many dispatches as the bound asks for, all of which have the
    /// same operands.
    fn multiply(
        &self,
        cache: &KernelCache,
        (plan, bound): (&Plan, Bound<'_>),
        pass: &Pass,
        (kernel, probe): (&Kernel, &dyn Fn() -> Probe),
        (operands, slab_rows): (&[Option<Operand<'_>>], u32),
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let Chunk { rows, columns, .. } = &pass.chunk;
        let sums = (pass.terms.end - pass.terms.start, pass.slabs);
        for piece in bound.pieces(plan, (rows, columns), sums) {
            let dims = ProductDims {
                first_row: piece.rows.start,
                end_row: piece.rows.end,
                first_column: piece.columns.start,
                end_column: piece.columns.end,
                ..self.dims(pass, slab_rows)
            };
            let workgroups = plan.algorithm.workgroups(
                piece.rows.end - piece.rows.start,
                piece.columns.end - piece.columns.start,
            );
            let workgroups = [workgroups, pass.slabs.into()];
            let contents = dims.contents();
            let grid = cache.grid(kernel, Some(&contents), operands, workgroups, probe)?;
            grids.push(grid.taking(piece.nanoseconds));
        }
        Ok(())
    }

    /// Partial products into slabs, then their sum.
    fn prepare_slabs(
        &self,
        cache: &KernelCache,
        (plan, bound): (&Plan, Bound<'_>),
        pass: &Pass,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let variant = self.variant(cache, pass);
        let factors = self.factors;
        let slab_rows = factors.m + u32::from(variant.sum_columns);
        let elements = u64::from(slab_rows) * u64::from(factors.n) * u64::from(pass.slabs);
        let scratch = cache.scratch(self.label, elements * 4)?;
        let scratch = Operand::buffer("slabs", &scratch, elements * 4);
        // Slabs are taken of whole products, but maybe of a part of the terms.
        let [left, right, ..] = self.operands();
        let operands = [
            left.map(|left| left.rows(factors.left()[1], &pass.chunk.left)),
            right.map(|right| right.rows(factors.right()[1], &pass.chunk.right)),
            None,
            None,
            Some(scratch),
            None,
            None,
        ];
        let multiply = variant.multiply(plan.algorithm, true);
        let probe = || probe::multiply(&variant, plan.algorithm, true);
        let to_slabs = (&operands[..], slab_rows);
        let multiply = (&multiply, &probe as &dyn Fn() -> Probe);
        self.multiply(cache, (plan, bound), pass, multiply, to_slabs, grids)?;
        grids.push(self.add_slabs(cache, pass, (scratch, slab_rows))?);
        Ok(())
    }

    /// The sum of the slabs of a pass, and what becomes of it.
    pub(super) fn add_slabs(
        &self,
        cache: &KernelCache,
        pass: &Pass,
        (slabs, slab_rows): (Operand<'_>, u32),
    ) -> Result<Grid, PrepareError> {
        let variant = self.variant(cache, pass);
        let [_, _, bias, t, product, activated, db] = self.operands();
        let operands = [Some(slabs), bias, t, product, activated, db];
        let sizes = self.dims_of_sum(pass, slab_rows).contents();
        let workgroups = sum_slabs().workgroups(slab_rows, self.factors.n);
        let sum = variant.sum_slabs(pass.slabs);
        let probe = || probe::add(&variant, pass.slabs);
        cache.grid(&sum, Some(&sizes), &operands, [workgroups, 1], &probe)
    }

    /// The slabs stand where the left factor does: from row 0, in rows of n elements.
    fn dims_of_sum(&self, pass: &Pass, slab_rows: u32) -> ProductDims {
        ProductDims {
            k: self.factors.n,
            left_base: 0,
            ..self.dims(pass, slab_rows)
        }
    }

    fn dims(&self, pass: &Pass, slab_rows: u32) -> ProductDims {
        let Chunk {
            rows,
            columns,
            left,
            right,
            ..
        } = &pass.chunk;
        let function = self.activated.or(self.t).map(|(function, _)| function);
        let function = function.or(self.activated_alone);
        ProductDims {
            m: self.factors.m,
            k: self.factors.k,
            n: self.factors.n,
            first_row: rows.start,
            end_row: rows.end,
            first_k: pass.terms.start,
            end_k: pass.terms.end,
            first_column: columns.start,
            end_column: columns.end,
            left_base: left.start,
            right_base: right.start,
            product_base: rows.start,
            slabs: pass.slabs,
            slab_terms: pass.slab_terms,
            slab_rows,
            parameter: function.map_or(0.0, Activation::parameter_value),
        }
    }
}
