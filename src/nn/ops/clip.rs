//! `gradient_norm.wgsl`, `clip_factor.wgsl` and `clip.wgsl`: gradients are scaled where their norm
//! is too large.

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use super::optimizer::{Count, count};
use crate::kernel::{
    Binding, Constant, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    check_operands, expect_vector, file, quarters, uniform,
};
use crate::reference;

/// Elements of [`GradientNorm::clipping`].
pub const CLIPPING_WORDS: u32 = 4;

/// Threads of a workgroup.
const LANES: u32 = 256;

/// Workgroups that share a vector large enough, and elements that are not worth another one: 8 to a
/// thread.
const WORKGROUPS: u32 = 64;
const LEAST_SHARE: u32 = 8 * LANES;

/// Words of a `NormSlab`.
const SLAB_WORDS: u64 = 4;

uniform! {
    /// `Dims` in `gradient_norm.wgsl`.
    struct NormDims {
        count: u32,
        first_slab: u32,
    }
}

uniform! {
    /// `Dims` in `clip_factor.wgsl`.
    struct FactorDims {
        count: u32,
        max_norm: f32,
    }
}

const LANES_OF: &[(&str, Constant)] = &[("LANES", Constant::U32(LANES))];

pub(super) const GRADIENT_NORM: Kernel = Kernel::new(
    "wgpu_linear::gradient_norm",
    (file!("gradient_norm.wgsl"), "gradient_norm"),
    LANES_OF,
    LANES,
    &[
        Binding::dims::<NormDims>(),
        Binding::read(1, "gradients"),
        Binding::write(2, "slabs"),
    ],
)
.sharing(20 * LANES);

pub(super) const CLIP_FACTOR: Kernel = Kernel::new(
    "wgpu_linear::clip_factor",
    (file!("clip_factor.wgsl"), "clip_factor"),
    LANES_OF,
    LANES,
    &[
        Binding::dims::<FactorDims>(),
        Binding::read(1, "slabs"),
        Binding::write(2, "clipping"),
    ],
)
.sharing(20 * LANES);

pub(super) const CLIP: Kernel = elements::kernel(
    "wgpu_linear::clip",
    (file!("clip.wgsl"), "clip"),
    &[
        Binding::dims::<Count>(),
        Binding::read(1, "clipping"),
        Binding::write(2, "gradients"),
    ],
);

/// Operands of [`NetworkKernels::gradient_norm`].
#[derive(Clone, Copy, Debug)]
pub struct GradientNorm<'a> {
    /// Any number of vectors of f32, whose norm is that of all their elements together; read.
    pub gradients: &'a [Vector<'a>],
    /// What the norm is clipped to; above 0 and finite.
    pub max_norm: f32,
    /// [`CLIPPING_WORDS`] elements, of which the first is the norm in f32; overwritten. The others
    /// are for [`NetworkKernels::clip`].
    pub clipping: Vector<'a>,
}

/// Operands of [`NetworkKernels::clip`].
#[derive(Clone, Copy, Debug)]
pub struct Clip<'a> {
    /// What [`NetworkKernels::gradient_norm`] has found; read.
    pub clipping: Vector<'a>,
    /// One of its vectors; updated.
    pub gradients: Vector<'a>,
}

impl NetworkKernels {
    /// norm = √Σ g² over all elements of all vectors, and what they must be multiplied by,
    /// min(1, max_norm / (norm + 10⁻⁶)).
    ///
    /// Sums are taken in f32 in a fixed order, so the same gradients give the same bits, and in
    /// three ranges of magnitude, so that squares neither overflow nor vanish. The relative error of
    /// the norm is at most γ_m with γ_m of Higham's *Accuracy and Stability of Numerical Algorithms*
    /// (chapter 3) and, for n elements up to 2²⁹, m = ⌈n / 2¹⁵⌉ + 40. Denormals may count as 0.
    ///
    /// Where a gradient is not finite, the norm is NaN; where it is larger than f32 can say, it is
    /// infinite, and [`Self::clip`] is right all the same.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn gradient_norm(&self, operands: GradientNorm<'_>) -> Result<Dispatch, PrepareError> {
        let GradientNorm {
            gradients,
            max_norm,
            clipping,
        } = operands;
        let (norm, factor) = (GRADIENT_NORM, CLIP_FACTOR);
        expect_vector(norm.label, "clipping", clipping, CLIPPING_WORDS)?;
        let limits = self.cache.limits();
        let clipping = Operand::vector("clipping", clipping);
        check_operands(norm.label, &factor.bindings[2..], &[clipping], limits)?;
        let most = self.cache.loop_elements(LANES, 1);
        let workgroups: Vec<_> = gradients.iter().map(|g| workgroups(g.len, most)).collect();
        let slabs: u32 = workgroups.iter().sum();
        let size_bytes = u64::from(slabs.max(1)) * SLAB_WORDS * 4;
        let buffer = self.cache.scratch(norm.label, size_bytes)?;
        let scratch = Operand::buffer("slabs", &buffer, size_bytes);
        let (mut grids, mut first_slab) = (Vec::new(), 0);
        for (gradients, workgroups) in gradients.iter().zip(workgroups) {
            let count = gradients.len;
            let operand = Operand::vector("gradients", *gradients);
            check_operands(norm.label, &norm.bindings[1..2], &[operand], limits)?;
            if workgroups == 0 {
                continue;
            }
            let dims = NormDims { count, first_slab }.contents();
            let operands = [operand, scratch].map(Some);
            let share = u64::from(workgroups);
            let grid = self
                .cache
                .grid(&norm, Some(&dims), &operands, [share, 1], &norm_probe)?;
            grids.push(grid);
            first_slab += workgroups;
        }
        let count = slabs;
        let dims = FactorDims { count, max_norm }.contents();
        let operands = [scratch, clipping].map(Some);
        let grid = self
            .cache
            .grid(&factor, Some(&dims), &operands, [1, 1], &factor_probe)?;
        grids.push(grid);
        let label = norm.label;
        Ok(Dispatch { label, grids })
    }

    /// g ← g · min(1, max_norm / (norm + 10⁻⁶)) (Pascanu, Mikolov & Bengio 2013), as PyTorch's
    /// *clip_grad_norm_*.
    ///
    /// Gradients whose norm is small enough keep their bits. Where any gradient is not finite, all
    /// of them but zeros become NaN, so that nothing plausible is learned from them.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn clip(&self, operands: Clip<'_>) -> Result<Dispatch, PrepareError> {
        let Clip {
            clipping,
            gradients,
        } = operands;
        expect_vector(CLIP.label, "clipping", clipping, CLIPPING_WORDS)?;
        let operands = [
            Operand::vector("clipping", clipping),
            Operand::vector("gradients", gradients),
        ];
        let elements = u64::from(gradients.len);
        self.elementwise(
            &CLIP,
            count(gradients.len),
            &operands,
            elements,
            &clip_probe,
        )
    }
}

/// Two workgroups, the first of which has some elements more than it has threads.
fn norm_probe() -> Probe {
    let lanes = LANES as usize;
    let gradients = quarters(1, 2 * lanes + 37);
    let mut squares = [0.0; 2];
    for (i, g) in gradients.iter().enumerate() {
        squares[i / lanes % 2] += f64::from(g * g);
    }
    let [first, second] = squares.map(|sum| [0.0, sum, 0.0, 0.0]);
    let dims = NormDims {
        count: gradients.len() as u32,
        first_slab: 0,
    };
    Probe::new(dims.contents(), 2)
        .reads(&gradients)
        .writes(Wanted::exactly([first, second].concat()))
}

/// More slabs than threads.
fn factor_probe() -> Probe {
    let squares = quarters(1, LANES as usize + 37);
    let slab = |square: &f32| [0.0, square.abs(), 0.0, 0.0];
    let slabs: Vec<f32> = squares.iter().flat_map(slab).collect();
    let (max_norm, norm) = (4.0, f64::from(slabs.iter().sum::<f32>()).sqrt());
    let mut one = [1.0];
    reference::clip(max_norm, norm, &mut one);
    let dims = FactorDims {
        count: squares.len() as u32,
        max_norm,
    };
    Probe::new(dims.contents(), 1)
        .reads(&slabs)
        .writes(Wanted::near([norm, 1.0, one[0], 0.0]))
}

fn clip_probe() -> Probe {
    let gradients = quarters(1, PROBED);
    let clipped = gradients.iter().map(|g| f64::from(0.25 * g));
    Probe::new(count(PROBED as u32), PROBED_WORKGROUPS)
        .reads(&[4.0, 1.0, 0.25, 0.0])
        .updates(&gradients, Wanted::exactly(clipped))
}

/// Workgroups for a vector: about [`WORKGROUPS`], unless that would be too little for each, or more
/// than `most`.
fn workgroups(len: u32, most: u32) -> u32 {
    len.div_ceil(len.div_ceil(WORKGROUPS).clamp(LEAST_SHARE, most))
}

/// The dispatches that clip gradients to a norm of all of them together: three for one vector.
pub(in crate::nn) fn clip_step(
    kernels: &NetworkKernels,
    max_norm: f32,
    gradients: &[Vector<'_>],
) -> Result<Vec<Dispatch>, PrepareError> {
    let size_bytes = u64::from(CLIPPING_WORDS) * 4;
    let buffer = kernels.cache.scratch(CLIP.label, size_bytes)?;
    let clipping = Vector::new(&buffer, CLIPPING_WORDS);
    let mut dispatches = vec![kernels.gradient_norm(GradientNorm {
        gradients,
        max_norm,
        clipping,
    })?];
    for gradients in gradients.iter().copied() {
        dispatches.push(kernels.clip(Clip {
            clipping,
            gradients,
        })?);
    }
    Ok(dispatches)
}

#[cfg(test)]
mod tests {
    use super::workgroups;

    #[test]
    fn workgroups_are_as_many_as_are_worth_it_and_take_all_elements() {
        let lens = [0, 1, 2048, 2049, 100_000, 131_072, 1 << 29, 1 << 30];
        let most = 1 << 23;
        assert_eq!(
            lens.map(|len| workgroups(len, most)),
            [0, 1, 1, 2, 49, 64, 64, 128]
        );
    }
}
