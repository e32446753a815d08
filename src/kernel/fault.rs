//! Kernels that go wrong on purpose.

use super::{Operand, ShaderChecks};

/// A kernel that is compiled to something else than its source says, as by a driver with a bug.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// The kernel, whatever its variant; with a `/`, how its name begins; or [`Self::ANY`].
    pub(crate) kernel: &'static str,
    /// Text of its WGSL.
    pub(crate) text: &'static str,
    /// What stands there instead.
    pub(crate) instead: &'static str,
    /// Whether the compiler guards what it indexes.
    pub(crate) checks: ShaderChecks,
    /// How many bytes behind each operand are bound with it, as far as its buffer and the limits go:
    /// guards of the device hide who goes one too far.
    pub(crate) slack_bytes: u64,
}

impl Fault {
    /// Every kernel that has the text.
    pub(crate) const ANY: &str = "*";
    /// Instead of any text: what loses the device while it is compiled.
    pub(crate) const LOSES_THE_DEVICE: &str = "// loses the device";

    pub(crate) fn is_in(&self, kernel: &str) -> bool {
        if self.kernel == Self::ANY {
            return true;
        }
        let rest = kernel.strip_prefix(self.kernel);
        let is_any = self.kernel.contains('/');
        rest.is_some_and(|rest| is_any || rest.is_empty() || rest.starts_with('/'))
    }

    /// The WGSL of a kernel, with the fault where it is one of those.
    pub(super) fn planted(&self, kernel: &str, wgsl: String) -> String {
        if !self.is_in(kernel) {
            return wgsl;
        }
        let is_there = wgsl.contains(self.text) || self.kernel == Self::ANY;
        assert!(is_there, "no {:?} in\n{wgsl}", self.text);
        wgsl.replace(self.text, self.instead)
    }

    /// What is bound of an operand.
    pub(super) fn widened<'a>(&self, operand: Operand<'a>, limits: &wgpu::Limits) -> Operand<'a> {
        let rest = operand.buffer.size().saturating_sub(operand.offset_bytes);
        let most = rest.min(limits.max_storage_buffer_binding_size);
        let wanted = operand.size_bytes + self.slack_bytes;
        Operand {
            size_bytes: wanted.min(most).max(operand.size_bytes),
            ..operand
        }
    }

    /// As wgpu does where the driver refuses the pipeline of the kernel.
    pub(super) fn lose(&self, device: &wgpu::Device, kernel: &str) {
        if self.is_in(kernel) && self.instead == Self::LOSES_THE_DEVICE {
            device.destroy();
        }
    }
}
