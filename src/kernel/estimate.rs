//! How long a dispatch takes that moves so many bytes and computes little: roughly, and rather too
//! much than too little. Products are estimated by the planner.

use wgpu::DeviceType;

/// What is estimated of an adapter, which tells neither its clock nor its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    nanoseconds_per_byte: f64,
}

/// Between two dispatches, in ns.
const DISPATCH: f64 = 5_000.0;

/// How many times as long a software adapter takes as llvmpipe: SwiftShader, by which this was
/// measured, and what else is no llvmpipe.
pub(crate) fn slowness(device_type: DeviceType, loop_iterations: Option<u32>) -> f64 {
    match (device_type, loop_iterations) {
        (DeviceType::Cpu, None) => 256.0,
        _ => 1.0,
    }
}

impl Speed {
    /// Of an adapter whose loops may go round so often.
    pub(super) fn of(device_type: DeviceType, loop_iterations: Option<u32>) -> Self {
        let nanoseconds_per_byte = match device_type {
            // Measured on llvmpipe with two cores, for an activation and an optimizer.
            DeviceType::Cpu => 0.8 * slowness(device_type, loop_iterations),
            // Memory of 20 GB/s, and of 100 GB/s.
            DeviceType::DiscreteGpu | DeviceType::VirtualGpu => 0.01,
            DeviceType::IntegratedGpu | DeviceType::Other => 0.05,
        };
        Self {
            nanoseconds_per_byte,
        }
    }

    /// In ns.
    pub(super) fn moving(self, bytes: u64) -> f64 {
        DISPATCH + bytes as f64 * self.nanoseconds_per_byte
    }
}
