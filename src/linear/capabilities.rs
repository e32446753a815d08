//! What a plan needs to know of an adapter.

use wgpu::DeviceType;

use crate::kernel::loop_iterations;

/// The properties of an adapter and its device that decide which kernel is fast there.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// Hardware of which kind, or software.
    pub device_type: DeviceType,
    /// PCI vendor of the adapter, 0 where unknown.
    pub vendor: u32,
    /// Smallest and largest subgroup, where the device was opened with
    /// [`wgpu::Features::SUBGROUP`].
    pub subgroup_sizes: Option<[u32; 2]>,
    /// Workgroups that run at the same time: threads of the host for software, a guess for
    /// hardware, which does not tell.
    pub parallel_workgroups: u32,
    /// `max_compute_invocations_per_workgroup` of the device.
    pub max_invocations: u32,
    /// `max_compute_workgroup_storage_size` of the device, in bytes.
    pub max_workgroup_bytes: u32,
}

/// Workgroups of 256 threads that a GPU of the middle class runs at once.
const HARDWARE_PARALLEL_WORKGROUPS: u32 = 128;

impl Capabilities {
    /// Those of an opened device.
    #[must_use]
    pub fn of(device: &wgpu::Device) -> Self {
        let info = device.adapter_info();
        let limits = device.limits();
        let subgroups = device.features().contains(wgpu::Features::SUBGROUP);
        let parallel_workgroups = if info.device_type == DeviceType::Cpu {
            std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32)
        } else {
            HARDWARE_PARALLEL_WORKGROUPS
        };
        Self {
            device_type: info.device_type,
            vendor: info.vendor,
            subgroup_sizes: subgroups.then_some([info.subgroup_min_size, info.subgroup_max_size]),
            parallel_workgroups,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        }
    }

    /// A hardware GPU with the limits that WebGPU guarantees, for planning without a device.
    #[must_use]
    pub fn hardware() -> Self {
        Self {
            device_type: DeviceType::DiscreteGpu,
            vendor: 0,
            subgroup_sizes: None,
            parallel_workgroups: HARDWARE_PARALLEL_WORKGROUPS,
            max_invocations: 256,
            max_workgroup_bytes: 16_384,
        }
    }

    /// A software adapter on a host with `threads` threads, with the subgroups of 8 that llvmpipe
    /// has.
    #[must_use]
    pub fn software(threads: u32) -> Self {
        Self {
            device_type: DeviceType::Cpu,
            subgroup_sizes: Some([8, 8]),
            parallel_workgroups: threads,
            ..Self::hardware()
        }
    }

    pub(super) fn is_software(&self) -> bool {
        self.device_type == DeviceType::Cpu
    }

    /// How often the loops of one shader may go round, all of them together; `None` for any number.
    pub(super) fn loop_iterations(&self) -> Option<u32> {
        loop_iterations(self.device_type)
    }

    /// Whether eight neighbouring threads can hand each other values.
    pub(super) fn shuffles(&self) -> bool {
        self.subgroup_sizes == Some([8, 8])
    }
}
