//! Prepared work, and how it is cut where it is too large for one dispatch.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Kernel;

/// One operation with everything it needs: pipeline, bindings and grid. Prepared once, recorded as
/// often as you like.
///
/// A dispatch holds its buffers, so they live as long as it does; their contents are read when the
/// recorded pass is executed.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub(crate) label: &'static str,
    /// One after the other; none where the output has no elements. More than one where a sum is too
    /// long for one.
    pub(crate) grids: Vec<Grid>,
}

#[derive(Clone)]
pub(crate) struct Grid {
    /// Shared with the cache and with every other grid of the same kernel.
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) bindings: wgpu::BindGroup,
    pub(crate) workgroups: [u32; 3],
    /// Whether one of the bindings takes its offset when recorded.
    pub(crate) dynamic: bool,
    /// How long it should take.
    pub(crate) estimate: Duration,
}

impl Grid {
    /// The same with another estimate, in ns.
    pub(crate) fn taking(self, nanoseconds: f64) -> Self {
        let estimate = Duration::from_nanos(nanoseconds as u64);
        Self { estimate, ..self }
    }

    /// Records it, with the dynamic binding, where there is one, moved on by `offset_bytes`.
    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>, offset_bytes: u32) {
        pass.set_pipeline(&self.pipeline);
        let offsets = [offset_bytes];
        pass.set_bind_group(0, &self.bindings, &offsets[..usize::from(self.dynamic)]);
        let [x, y, z] = self.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Without the sources of the kernel.
impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grid")
            .field("kernel", &self.kernel.name())
            .field("bindings", &self.bindings)
            .field("workgroups", &self.workgroups)
            .finish_non_exhaustive()
    }
}

impl Dispatch {
    /// Records the operation into `pass`. Cannot fail and allocates nothing of its own; sets the
    /// pass's pipeline and bind group 0.
    ///
    /// Within one pass, wgpu makes each dispatch see the writes of those before it.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for grid in &self.grids {
            grid.record(pass, 0);
        }
    }

    /// Each of its grids as a dispatch of its own, for those who spread them over several passes or
    /// frames. They are recorded in order, with nothing between them that uses their operands.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Self> {
        let label = self.label;
        self.grids.iter().map(move |grid| Self {
            label,
            grids: vec![grid.clone()],
        })
    }

    /// How long each of its grids should take on this adapter: a rough figure, meant to keep
    /// submissions short. Operating systems reset a GPU that works on one for longer than they
    /// allow, Windows for 2 s; [`Gpu::run`](crate::Gpu::run) submits no more at a time than should
    /// take one.
    ///
    /// ```
    /// # use wgpu_linear::{BiasGrad, Gpu, LinearKernels, Matrix, Vector};
    /// # let gpu = Gpu::new()?;
    /// # let (dt, db) = (gpu.zeros("dt", 6)?, gpu.zeros("db", 3)?);
    /// # let (dt, db) = (Matrix::new(&dt, 2, 3), Vector::new(&db, 3));
    /// let dispatch = LinearKernels::new(gpu.device()).bias_grad(BiasGrad { dt, db })?;
    /// assert!(dispatch.estimates().sum::<std::time::Duration>().as_millis() < 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn estimates(&self) -> impl ExactSizeIterator<Item = Duration> {
        self.grids.iter().map(|grid| grid.estimate)
    }

    /// The same, each grid of which takes so many ns at most.
    pub(crate) fn taking_at_most(mut self, nanoseconds: f64) -> Self {
        let most = Duration::from_nanos(nanoseconds as u64);
        for grid in &mut self.grids {
            grid.estimate = grid.estimate.min(most);
        }
        self
    }

    /// Full label of the operation, for example `wgpu_linear::forward`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// The kernels that it runs, once for each grid that is dispatched, so that their WGSL can be
    /// read.
    ///
    /// ```
    /// # use wgpu_linear::{BiasGrad, Gpu, LinearKernels, Matrix, Vector};
    /// # let gpu = Gpu::new()?;
    /// # let (dt, db) = (gpu.zeros("dt", 6)?, gpu.zeros("db", 3)?);
    /// # let (dt, db) = (Matrix::new(&dt, 2, 3), Vector::new(&db, 3));
    /// let dispatch = LinearKernels::new(gpu.device()).bias_grad(BiasGrad { dt, db })?;
    /// for kernel in dispatch.kernels() {
    ///     println!("// {}\n{}", kernel.name(), kernel.wgsl()?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kernels(&self) -> impl ExactSizeIterator<Item = &Kernel> {
        self.grids.iter().map(|grid| grid.kernel.as_ref())
    }

    /// Workgroups in x, y and z, once for each grid that is dispatched; none where there is nothing
    /// to do.
    pub fn workgroups(&self) -> impl ExactSizeIterator<Item = [u32; 3]> {
        self.grids.iter().map(|grid| grid.workgroups)
    }
}

/// Spreads `total` workgroups over x and y, at most `limit` in each; `None` if they do not fit.
///
/// The kernels number their workgroups as y · x_count + x; up to x_count − 1 of them lie past the
/// end and do nothing.
pub(crate) fn fold(total: u64, limit: u32) -> Option<[u32; 2]> {
    let x = u32::try_from(total).unwrap_or(u32::MAX).min(limit);
    let y = u32::try_from(total.div_ceil(u64::from(x.max(1)))).ok()?;
    (y <= limit).then_some([x, y])
}

/// Cuts a sum of `terms` into ranges of at most `per_pass`, in order; at least one, so that a sum
/// over nothing is stored too.
pub(crate) fn passes(terms: u32, per_pass: u32) -> impl Iterator<Item = Range<u32>> {
    let step = per_pass.max(1);
    (0..terms.div_ceil(step).max(1))
        .map(move |i| i * step..i.saturating_add(1).saturating_mul(step).min(terms))
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn fold_covers_the_total_within_the_limit() {
        for (total, expected) in [
            (1, [1, 1]),
            (65_535, [65_535, 1]),
            (65_536, [65_535, 2]),
            (65_535 * 65_535, [65_535, 65_535]),
        ] {
            assert_eq!(fold(total, 65_535), Some(expected));
        }
    }

    #[test]
    fn fold_refuses_more_than_two_dimensions_hold() {
        assert_eq!(fold(65_535 * 65_535 + 1, 65_535), None);
        assert_eq!(fold(u64::MAX, 65_535), None);
    }
}
