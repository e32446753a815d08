//! What is different on software adapters.

/// Mesa's llvmpipe silently leaves the loops of a shader after 65,535 iterations, which all its
/// loops share (`LP_MAX_TGSI_LOOP_ITERATIONS` in Mesa's `lp_limits.h`). Loops that the compiler
/// does not unroll count with every iteration; some are kept back for what comes behind them.
pub(crate) const LLVMPIPE_LOOP_ITERATIONS: u32 = 64_000;

/// Parts of the names of software adapters that have no such limit.
const UNLIMITED: [&str; 2] = ["SwiftShader", "Microsoft Basic Render"];

/// How often the loops of one shader may go round on such an adapter, all of them together; `None`
/// where there is no limit. Software that is not known may be llvmpipe under another name, as in a
/// browser.
pub(crate) fn loop_iterations(info: &wgpu::AdapterInfo) -> Option<u32> {
    let is_llvmpipe = [&info.name, &info.driver]
        .iter()
        .any(|name| name.contains("llvmpipe"));
    let may_be = info.device_type == wgpu::DeviceType::Cpu
        && !UNLIMITED.iter().any(|other| info.name.contains(other));
    (is_llvmpipe || may_be).then_some(LLVMPIPE_LOOP_ITERATIONS)
}

/// Whether kernels had better load two elements as one word of 64 bits: on software adapters that
/// know such words, whose hosts keep the first of two elements in the lower half.
pub(super) fn has_wide_loads(device: &wgpu::Device) -> bool {
    cfg!(target_endian = "little")
        && device.adapter_info().device_type == wgpu::DeviceType::Cpu
        && device.features().contains(wgpu::Features::SHADER_INT64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_limited_on_llvmpipe_and_on_software_that_may_be_it() {
        use wgpu::DeviceType::{Cpu, DiscreteGpu, Other};
        for (device_type, name, driver, limited) in [
            (Cpu, "llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe", true),
            (Other, "llvmpipe (LLVM 19.1.7, 256 bits)", "", true),
            (Other, "", "llvmpipe", true),
            (Cpu, "", "", true),
            (
                Cpu,
                "SwiftShader Device (Subzero)",
                "SwiftShader driver",
                false,
            ),
            (Cpu, "Microsoft Basic Render Driver", "10.0.26100.1", false),
            (DiscreteGpu, "NVIDIA H100 80GB HBM3", "NVIDIA", false),
            (Other, "", "", false),
        ] {
            let info = wgpu::AdapterInfo {
                name: name.to_owned(),
                driver: driver.to_owned(),
                ..wgpu::AdapterInfo::new(device_type, wgpu::Backend::Vulkan)
            };
            let expected = limited.then_some(LLVMPIPE_LOOP_ITERATIONS);
            assert_eq!(loop_iterations(&info), expected, "{device_type:?} {name}");
        }
    }
}
