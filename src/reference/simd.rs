//! The best instructions of the processor, found at run time.

use fearless_simd::{Level, Simd, WithSimd};

/// Runs `work`, compiled for the instructions that were found: AVX2 with fused multiply-add, say.
///
/// Only what is inlined gains from it, so `work` wants `#[inline(always)]` and whatever it calls
/// too.
#[inline]
pub(super) fn with_best_instructions(work: impl FnOnce()) {
    Level::new().dispatch(Work(work));
}

/// Whether the processor multiplies and adds in one instruction; where it does not, `mul_add` is a
/// slow function.
pub(super) fn has_fused_multiply_add() -> bool {
    let level = Level::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let fused = level.as_avx2().is_some();
    #[cfg(target_arch = "aarch64")]
    let fused = level.as_neon().is_some();
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let fused = {
        let _ = level;
        false
    };
    fused
}

struct Work<W>(W);

impl<W: FnOnce()> WithSimd for Work<W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        (self.0)();
    }
}
