//! WGSL to SPIR-V with the options of wgpu-hal for a trusted module.

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// The release of wgpu-hal whose options these are: `create_shader_module` and `compile_stage` in
/// its `vulkan/device.rs`. A test compares it with the lock file.
#[cfg(test)]
const WGPU_HAL: &str = "30.0.";

/// What a driver compiles.
pub(crate) struct Shader {
    pub(crate) words: Vec<u32>,
    pub(crate) entry_point: String,
    /// The binding number of each buffer, and whether it is a uniform.
    pub(crate) bindings: Vec<(u32, bool)>,
}

pub(crate) fn parse(wgsl: &str) -> Result<naga::Module, String> {
    naga::front::wgsl::parse_str(wgsl).map_err(|error| error.emit_to_string(wgsl))
}

/// Compiles the only entry point of `wgsl`.
pub(crate) fn compile(wgsl: &str) -> Result<Shader, String> {
    let module = parse(wgsl)?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|error| error.emit_to_string(wgsl))?;
    let [entry] = &module.entry_points[..] else {
        return Err("expected one entry point".to_owned());
    };
    let mut binding_map = spv::BindingMap::default();
    let mut bindings = Vec::new();
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = variable.binding else {
            continue;
        };
        let is_uniform = variable.space == naga::AddressSpace::Uniform;
        bindings.push((binding.binding, is_uniform));
        let place = spv::BindingInfo {
            descriptor_set: binding.group,
            binding: binding.binding,
            binding_array_size: None,
        };
        binding_map.insert(binding, place);
    }
    let pipeline = spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: entry.name.clone(),
    };
    let words = spv::write_vec(&module, &info, &options(binding_map), Some(&pipeline))
        .map_err(|error| error.to_string())?;
    Ok(Shader {
        words,
        entry_point: entry.name.clone(),
        bindings,
    })
}

fn options(binding_map: spv::BindingMap) -> spv::Options<'static> {
    let unchecked = BoundsCheckPolicy::Unchecked;
    spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        capabilities: None,
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ray_query_initialization_tracking: false,
        emit_int_div_checks: false,
        debug_info: None,
        task_dispatch_limits: None,
        binding_map,
        fake_missing_bindings: false,
        ..spv::Options::default()
    }
}

/// The value of a `const` of the shader, as naga evaluates it.
pub(crate) fn constant(module: &naga::Module, name: &str) -> Option<u32> {
    let (_, found) = module
        .constants
        .iter()
        .find(|(_, constant)| constant.name.as_deref() == Some(name))?;
    match module.global_expressions[found.init] {
        naga::Expression::Literal(naga::Literal::U32(value)) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_wgpu_hal_that_is_used() {
        let lock = include_str!("../../Cargo.lock");
        let (_, hal) = lock
            .split_once("name = \"wgpu-hal\"\nversion = \"")
            .unwrap();
        assert!(
            hal.starts_with(WGPU_HAL),
            "compare `options` with wgpu-hal's `vulkan/device.rs`, then set WGPU_HAL"
        );
    }

    #[test]
    fn constants_are_evaluated() {
        let module = parse("const A: u32 = 4u;\nconst B: u32 = 3u * A;\n").unwrap();
        assert_eq!(constant(&module, "B"), Some(12));
        assert_eq!(constant(&module, "C"), None);
    }
}
