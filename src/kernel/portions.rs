//! Work in portions that are short enough for one submission each.

use std::iter::Peekable;
use std::time::Duration;

use super::dispatch::Grid;

/// What one submission should take at most. Windows resets a GPU after 2 s, and the estimate may be
/// too low.
const LONGEST: Duration = Duration::from_secs(1);

/// Grids that are recorded portion by portion, each with what its dynamic binding moves on by.
pub(crate) struct Portions<I: Iterator> {
    grids: Peekable<I>,
}

impl<'a, I: Iterator<Item = (&'a Grid, u32)>> Portions<I> {
    pub(crate) fn of(grids: I) -> Self {
        let grids = grids.peekable();
        Self { grids }
    }

    /// Records the next portion, a grid at least, in a pass of its own.
    pub(crate) fn record(&mut self, encoder: &mut wgpu::CommandEncoder, label: &str) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(label),
            timestamp_writes: None,
        });
        self.take(|grid, offset_bytes| grid.record(&mut pass, offset_bytes));
    }

    fn take(&mut self, mut record: impl FnMut(&Grid, u32)) {
        let mut total = Duration::ZERO;
        while let Some((grid, offset_bytes)) = self
            .grids
            .next_if(|(grid, _)| total.is_zero() || total + grid.estimate <= LONGEST)
        {
            total += grid.estimate.max(Duration::from_nanos(1));
            record(grid, offset_bytes);
        }
    }

    /// Whether everything has been recorded.
    pub(crate) fn is_done(&mut self) -> bool {
        self.grids.peek().is_none()
    }
}
