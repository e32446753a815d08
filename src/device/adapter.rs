//! Which adapter to take: options, environment variables, preference.

use std::path::PathBuf;
use std::time::Duration;

use crate::kernel::from_env;

use wgpu::{Backends, DeviceType, Features, PowerPreference};

/// Which adapter to take.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The one named by the environment variable `WGPU_ADAPTER_NAME`, else the best according to
    /// the power preference.
    #[default]
    Auto,
    /// The best of those whose name contains this text, whatever the case.
    Name(String),
    /// The one at this position of [`Gpu::adapters`](crate::Gpu::adapters).
    Index(usize),
}

/// What to look for in an adapter. `GpuOptions::default()` takes the best there is, hardware or
/// software.
#[derive(Clone, Debug)]
pub struct GpuOptions {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// The wgpu instance to look in, for applications that have one: wgpu numbers buffers per
    /// instance, so that those of another one may be mistaken, see
    /// [`LinearKernels::new`](crate::LinearKernels::new). Default: one that all devices of this
    /// crate share.
    pub instance: Option<wgpu::Instance>,
    /// Which backends to look at. Default: those in the environment variable `WGPU_BACKEND`, else
    /// all.
    pub backends: Option<Backends>,
    /// Discrete or integrated first. Default: as in the environment variable `WGPU_POWER_PREF`
    /// (`low` or `high`), else high performance.
    pub power_preference: Option<PowerPreference>,
    /// Whether a software adapter that runs on the CPU, such as llvmpipe, will do. Default: yes.
    pub allow_software: bool,
    /// What to ask of the device beyond WebGPU's core, as far as the adapter has it; see what came
    /// of it in [`wgpu::Device::features`]. Default: nothing.
    pub features: Features,
    /// Whether to open the matrix units ([`MatrixUnits`](crate::MatrixUnits)) of an adapter
    /// that has them: products of which a factor is stored as f16 may be planned with them then, and
    /// round the other to f16 as well (`docs/PRECISION.md`). wgpu has them as an experiment, which may
    /// have faults of any kind in wgpu and in drivers; the checks on first use find wrong results, and
    /// nothing worse. Default: where the environment variable `WGPU_LINEAR_MATRIX_UNITS` is `1`.
    pub matrix_units: bool,
    /// Folder that keeps the pipelines that [`nn`](crate::nn) and
    /// [`LinearKernels::of`](crate::LinearKernels::of) compile, for processes to come; made when
    /// there is something to keep. Worth it on Vulkan where the driver keeps none itself; without
    /// effect elsewhere, and on llvmpipe, which hands none out. A file of another version or
    /// driver, or one that is damaged, is replaced. Others must not be able to write there: what is
    /// in the files goes to the driver. Default: none.
    pub pipelines: Option<PathBuf>,
    /// How long to wait for the device before [`GpuError::Timeout`](crate::GpuError::Timeout).
    /// Default: two minutes.
    pub timeout: Duration,
    /// Whether each kernel is run once, on a small problem whose results are known, before it is
    /// first used on the device by [`nn`](crate::nn) or
    /// [`LinearKernels::of`](crate::LinearKernels::of). One that computes wrong results is not
    /// used: the planner takes another where there is one, with a warning in the log, and else
    /// there is [`PrepareError::Miscompiled`](crate::PrepareError::Miscompiled). On llvmpipe a
    /// network of 64-128-10 pays 3 ms for it, once a device. Nothing is checked in a browser, which
    /// does not allow to wait for results. Default: yes.
    pub first_use_checks: bool,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            adapter: AdapterChoice::Auto,
            instance: None,
            backends: None,
            power_preference: None,
            allow_software: true,
            features: Features::empty(),
            matrix_units: from_env("WGPU_LINEAR_MATRIX_UNITS").as_deref() == Some("1"),
            pipelines: None,
            timeout: Duration::from_secs(120),
            first_use_checks: true,
        }
    }
}

pub(crate) async fn enumerate(options: &GpuOptions) -> Vec<wgpu::Adapter> {
    let backends = options
        .backends
        .or_else(backends_from_env)
        .unwrap_or(Backends::all());
    let adapters = match &options.instance {
        Some(theirs) => theirs.enumerate_adapters(backends).await,
        None => instance().enumerate_adapters(backends).await,
    };
    let computes = |adapter: &wgpu::Adapter| {
        adapter
            .get_downlevel_capabilities()
            .flags
            .contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    };
    adapters.into_iter().filter(computes).collect()
}

/// The backends of `WGPU_BACKEND`. A name that wgpu does not know gives no backend, and so no
/// adapter.
fn backends_from_env() -> Option<Backends> {
    from_env("WGPU_BACKEND").map(|names| Backends::from_comma_list(&names))
}

/// One instance serves the whole process, unless the application has its own. Buffers are numbered
/// per instance: with one each, a buffer of another device may be taken for one of our own instead
/// of being refused.
#[cfg(not(target_arch = "wasm32"))]
fn instance() -> &'static wgpu::Instance {
    static INSTANCE: std::sync::OnceLock<wgpu::Instance> = std::sync::OnceLock::new();
    INSTANCE.get_or_init(new_instance)
}

/// The browser numbers nothing, and its objects stay on their thread.
#[cfg(target_arch = "wasm32")]
fn instance() -> wgpu::Instance {
    new_instance()
}

fn new_instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: Backends::all(),
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    })
}

/// Position of the adapter that `options` asks for.
pub(crate) fn choose(options: &GpuOptions, infos: &[wgpu::AdapterInfo]) -> Option<usize> {
    let power = options
        .power_preference
        .or_else(PowerPreference::from_env)
        .unwrap_or(PowerPreference::HighPerformance);
    let wanted = wanted_name(options);
    let suits = |index: usize, info: &wgpu::AdapterInfo| {
        (options.allow_software || info.device_type != DeviceType::Cpu)
            && match &options.adapter {
                AdapterChoice::Index(wanted) => index == *wanted,
                AdapterChoice::Auto | AdapterChoice::Name(_) => wanted
                    .as_ref()
                    .is_none_or(|name| info.name.to_lowercase().contains(&name.to_lowercase())),
            }
    };
    let candidates = infos
        .iter()
        .enumerate()
        .filter(|(index, info)| suits(*index, info));
    candidates
        .min_by_key(|(_, info)| rank(info.device_type, power))
        .map(|(index, _)| index)
}

fn wanted_name(options: &GpuOptions) -> Option<String> {
    match &options.adapter {
        AdapterChoice::Auto => from_env("WGPU_ADAPTER_NAME"),
        AdapterChoice::Name(name) => Some(name.clone()),
        AdapterChoice::Index(_) => None,
    }
}

/// Lower is better.
fn rank(device_type: DeviceType, power: PowerPreference) -> u8 {
    let low_power = power == PowerPreference::LowPower;
    match device_type {
        DeviceType::DiscreteGpu => u8::from(low_power),
        DeviceType::IntegratedGpu => u8::from(!low_power),
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

pub(crate) fn describe(info: &wgpu::AdapterInfo) -> String {
    let wgpu::AdapterInfo {
        name,
        backend,
        device_type,
        driver,
        driver_info,
        ..
    } = info;
    let kind = match device_type {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "software, runs on the CPU",
        DeviceType::Other => "kind unknown",
    };
    let driver = [driver.as_str(), driver_info.as_str()].join(" ");
    format!("{name} ({kind}; {backend:?}; {})", driver.trim())
}

pub(crate) fn describe_request(options: &GpuOptions) -> String {
    let what = match (&options.adapter, wanted_name(options)) {
        (AdapterChoice::Index(index), _) => format!("number {index}"),
        (_, Some(name)) => format!("the name \"{name}\""),
        (_, None) => "this machine".to_owned(),
    };
    let software = if options.allow_software {
        ""
    } else {
        ", software adapters excluded"
    };
    let backends = match (options.backends, from_env("WGPU_BACKEND")) {
        (Some(backends), _) => format!(", backends {backends:?}"),
        (None, Some(names)) => format!(", WGPU_BACKEND={names}"),
        (None, None) => String::new(),
    };
    format!("{what}{software}{backends}")
}

pub(crate) fn install_hint() -> &'static str {
    if cfg!(target_os = "linux") {
        "Install the Vulkan driver of your GPU (NVIDIA: the proprietary driver and libvulkan1; AMD and Intel: mesa-vulkan-drivers). \
         Without a GPU, mesa-vulkan-drivers brings the software adapter llvmpipe. `vulkaninfo --summary` lists what is there"
    } else if cfg!(target_os = "macos") {
        "Metal needs macOS 10.13 or later and a session with access to the GPU"
    } else if cfg!(target_os = "windows") {
        "Install the driver of your GPU; DirectX 12 or Vulkan 1.1 is needed. Windows brings the software adapter WARP"
    } else if cfg!(target_arch = "wasm32") {
        "Use a browser with WebGPU enabled"
    } else {
        "A Vulkan driver is needed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_prefers_hardware_and_follows_the_power_preference() {
        use DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};
        let order = |power| {
            let mut kinds = [Cpu, Other, IntegratedGpu, VirtualGpu, DiscreteGpu];
            kinds.sort_by_key(|kind| rank(*kind, power));
            kinds
        };
        assert_eq!(
            order(PowerPreference::HighPerformance),
            [DiscreteGpu, IntegratedGpu, VirtualGpu, Other, Cpu]
        );
        assert_eq!(
            order(PowerPreference::LowPower),
            [IntegratedGpu, DiscreteGpu, VirtualGpu, Other, Cpu]
        );
    }
}
