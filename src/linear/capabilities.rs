//! What a plan needs to know of an adapter.

use wgpu::DeviceType;

use super::adapters::processors;
use super::processor::Processor;
use crate::device::MatrixUnits;
use crate::kernel::{LLVMPIPE_LOOP_ITERATIONS, loop_iterations, slowness};

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
    /// Whether the device was opened with [`wgpu::Features::SHADER_F16`].
    pub has_f16: bool,
    /// The matrix units that the device was opened with, see
    /// [`GpuOptions::matrix_units`](crate::GpuOptions::matrix_units).
    pub matrix_units: Option<MatrixUnits>,
    /// Whether factors may be rounded to f16, as matrix units need it: where one of them is stored as
    /// f16. See [`Self::rounding_factors`].
    pub rounds_factors: bool,
    /// Processors, each of which runs a workgroup or several at the same time: threads of the host
    /// for software, those of hardware by vendor and name of the adapter.
    pub parallel_workgroups: u32,
    /// What one processor of hardware can do; software is estimated without.
    pub processor: Processor,
    /// `max_compute_invocations_per_workgroup` of the device.
    pub max_invocations: u32,
    /// `max_compute_workgroup_storage_size` of the device, in bytes.
    pub max_workgroup_bytes: u32,
    /// How often the loops of one shader may go round, all of them together, before the driver
    /// leaves them in silence; `None` where there is no such limit.
    pub loop_iterations: Option<u32>,
    /// Up to how many rounds of a loop with a large body the compiler writes out, so that the
    /// arrays that it indexes become registers; of software alone. llvmpipe does four, that of Mesa
    /// 23 to 25 two. SwiftShader does none: arrays stay in memory, and each thread fetches its
    /// element by itself.
    pub most_unrolled: u32,
}

/// What a kernel asks for at most.
const MOST_UNROLLED: u32 = 4;

/// As measured: Mesa 25.0, with LLVM 15 and with LLVM 19, takes 4 times as long for tiles of four
/// groups of rows as 22.3 and 26.2 do. The versions between were not to be had; should one of them
/// unroll more, it loses a tenth.
fn most_unrolled(info: &wgpu::AdapterInfo) -> u32 {
    let mesa = info.driver_info.strip_prefix("Mesa ");
    let version = mesa.and_then(|rest| rest.split('.').next()?.parse().ok());
    match (loop_iterations(info), version) {
        (None, _) if info.device_type == DeviceType::Cpu => 0,
        (Some(_), Some(23..=25)) => 2,
        _ => MOST_UNROLLED,
    }
}

impl Capabilities {
    /// Those of an opened device.
    #[must_use]
    pub fn of(device: &wgpu::Device) -> Self {
        Self::of_adapter(&device.adapter_info(), device.features(), &device.limits())
    }

    /// Those of a device that is opened on such an adapter with these features and limits.
    ///
    /// ```
    /// use wgpu_linear::linear::Capabilities;
    /// let info = wgpu::AdapterInfo {
    ///     name: "Apple M2".into(),
    ///     ..wgpu::AdapterInfo::new(wgpu::DeviceType::IntegratedGpu, wgpu::Backend::Metal)
    /// };
    /// let limits = wgpu::Limits::default();
    /// let m2 = Capabilities::of_adapter(&info, wgpu::Features::SUBGROUP, &limits);
    /// assert_eq!(m2.parallel_workgroups, 10);
    /// ```
    #[must_use]
    pub fn of_adapter(
        info: &wgpu::AdapterInfo,
        features: wgpu::Features,
        limits: &wgpu::Limits,
    ) -> Self {
        let subgroups = features.contains(wgpu::Features::SUBGROUP);
        let (parallel_workgroups, processor) = if info.device_type == DeviceType::Cpu {
            let threads = std::thread::available_parallelism();
            let threads = threads.map_or(1, |threads| threads.get() as u32);
            (threads, Processor::UNKNOWN)
        } else {
            processors(info)
        };
        Self {
            device_type: info.device_type,
            vendor: info.vendor,
            subgroup_sizes: subgroups.then_some([info.subgroup_min_size, info.subgroup_max_size]),
            has_f16: features.contains(wgpu::Features::SHADER_F16),
            matrix_units: MatrixUnits::of_opened(info, features),
            rounds_factors: false,
            parallel_workgroups,
            processor,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            loop_iterations: loop_iterations(info),
            most_unrolled: most_unrolled(info),
        }
    }

    /// A hardware GPU of the middle class with the limits that WebGPU guarantees, for planning
    /// without a device.
    #[must_use]
    pub fn hardware() -> Self {
        Self {
            device_type: DeviceType::DiscreteGpu,
            vendor: 0,
            subgroup_sizes: None,
            has_f16: false,
            matrix_units: None,
            rounds_factors: false,
            parallel_workgroups: 32,
            processor: Processor::UNKNOWN,
            max_invocations: 256,
            max_workgroup_bytes: 32_768,
            loop_iterations: None,
            most_unrolled: MOST_UNROLLED,
        }
    }

    /// A software adapter on a host with `threads` threads, with the subgroups of 8 and the limit on
    /// loops that llvmpipe has.
    #[must_use]
    pub fn software(threads: u32) -> Self {
        Self {
            device_type: DeviceType::Cpu,
            subgroup_sizes: Some([8, 8]),
            parallel_workgroups: threads,
            loop_iterations: Some(LLVMPIPE_LOOP_ITERATIONS),
            ..Self::hardware()
        }
    }

    /// The same for products of which a factor is stored as f16: the matrix units may be used, where
    /// the device was opened with them.
    #[must_use]
    pub fn rounding_factors(&self) -> Self {
        Self {
            rounds_factors: true,
            ..self.clone()
        }
    }

    /// How many times as long it takes as llvmpipe, by kernels whose estimates were fitted to that.
    pub(super) fn slowness(&self) -> f64 {
        slowness(self.device_type, self.loop_iterations)
    }

    pub(super) fn is_software(&self) -> bool {
        self.device_type == DeviceType::Cpu
    }

    /// Whether eight neighbouring threads can hand each other values.
    pub(super) fn shuffles(&self) -> bool {
        self.subgroup_sizes == Some([8, 8])
    }
}
