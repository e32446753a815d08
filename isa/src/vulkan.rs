//! A Vulkan device that compiles pipelines and says what came out. Nothing is ever executed.
#![expect(
    unsafe_code,
    reason = "Vulkan is a C interface, and wgpu hands on neither statistics nor machine code"
)]

use std::ffi::{CStr, CString, c_char};

use ash::prelude::VkResult;
use ash::vk;

use crate::spirv::Shader;

/// What a driver's compiler says of a kernel.
pub(crate) struct Compiled {
    /// Names and values, as the driver calls them.
    pub(crate) statistics: Vec<(String, String)>,
    /// Names and texts; the last is the machine code, where the driver gives any.
    pub(crate) texts: Vec<(String, String)>,
}

/// The first device of the first driver, opened as wgpu does. What Vulkan made is left to the end
/// of the process.
pub(crate) struct Device {
    device: ash::Device,
    reader: ash::khr::pipeline_executable_properties::Device,
    pub(crate) name: String,
    /// Whether it multiplies matrices of f16 by units of its own.
    pub(crate) has_units: bool,
}

impl Device {
    pub(crate) fn open() -> Result<Self, String> {
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the loader is Vulkan's; the structures live until the calls return, and the
        // handles are used with the instance and the device they came from, which live on.
        unsafe {
            let vulkan = ash::Entry::load().map_err(|error| error.to_string())?;
            let instance = vulkan.create_instance(&create, None).map_err(failed)?;
            let physical = instance.enumerate_physical_devices().map_err(failed)?;
            let physical = *physical.first().ok_or("the driver found no device")?;
            let (device, has_units) = create_device(&instance, physical).map_err(failed)?;
            let reader = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
            let properties = instance.get_physical_device_properties(physical);
            // The entry points must stay loaded.
            std::mem::forget(vulkan);
            Ok(Self {
                device,
                reader,
                name: text(&properties.device_name),
                has_units,
            })
        }
    }

    /// Compiles a shader as wgpu-hal does, with subgroups of varying size.
    pub(crate) fn compile(&self, shader: &Shader) -> Result<Compiled, String> {
        // SAFETY: the words are SPIR-V that naga validated and wrote, the layout has its bindings,
        // and the pipeline was compiled with both capture flags.
        unsafe {
            let pipeline = self.pipeline(shader).map_err(failed)?;
            let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
            let statistics = self
                .reader
                .get_pipeline_executable_statistics(&info)
                .map_err(failed)?;
            let statistics = statistics
                .iter()
                .map(|one| (text(&one.name), value(one)))
                .collect();
            Ok(Compiled {
                statistics,
                texts: self.texts(&info).map_err(failed)?,
            })
        }
    }

    /// # Safety
    /// The words are valid SPIR-V with this entry point and these bindings in group 0.
    unsafe fn pipeline(&self, shader: &Shader) -> VkResult<vk::Pipeline> {
        let bindings: Vec<_> = shader.bindings.iter().map(layout_binding).collect();
        let module = vk::ShaderModuleCreateInfo::default().code(&shader.words);
        let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let entry_point = CString::new(shader.entry_point.as_str()).unwrap_or_default();
        // SAFETY: as promised; everything that is pointed to lives until the calls return.
        unsafe {
            let module = self.device.create_shader_module(&module, None)?;
            let sets = [self.device.create_descriptor_set_layout(&set, None)?];
            let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = self.device.create_pipeline_layout(&layout, None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&entry_point);
            let create = vk::ComputePipelineCreateInfo::default()
                .flags(
                    vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                        | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
                )
                .layout(layout)
                .stage(stage);
            self.device
                .create_compute_pipelines(vk::PipelineCache::null(), &[create], None)
                .map(|pipelines| pipelines[0])
                .map_err(|(_, error)| error)
        }
    }

    /// # Safety
    /// The pipeline was compiled with `CAPTURE_INTERNAL_REPRESENTATIONS_KHR`.
    unsafe fn texts(
        &self,
        info: &vk::PipelineExecutableInfoKHR<'_>,
    ) -> VkResult<Vec<(String, String)>> {
        let read = self
            .reader
            .fp()
            .get_pipeline_executable_internal_representations_khr;
        let mut count = 0;
        // SAFETY: first the driver says how many there are, then how long each is, then it writes
        // into buffers of that length, which live until the call returns.
        unsafe {
            read(self.device.handle(), info, &mut count, std::ptr::null_mut()).result()?;
            let mut list =
                vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            read(self.device.handle(), info, &mut count, list.as_mut_ptr()).result()?;
            let mut buffers: Vec<Vec<u8>> = list.iter().map(|one| vec![0; one.data_size]).collect();
            for (one, buffer) in list.iter_mut().zip(&mut buffers) {
                one.p_data = buffer.as_mut_ptr().cast();
            }
            read(self.device.handle(), info, &mut count, list.as_mut_ptr()).result()?;
            let texts = list.iter().zip(&buffers).map(|(one, buffer)| {
                let end = buffer.iter().position(|c| *c == 0).unwrap_or(buffer.len());
                let body = String::from_utf8_lossy(&buffer[..end]).into_owned();
                (text(&one.name), body)
            });
            Ok(texts.collect())
        }
    }
}

/// The device, and whether it has matrix units.
///
/// # Safety
/// `physical` is of `instance`.
unsafe fn create_device(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
) -> VkResult<(ash::Device, bool)> {
    // SAFETY: as promised.
    let available = unsafe { instance.enumerate_device_extension_properties(physical) }?;
    let has = |name: &str| {
        let mut available = available.iter();
        available.any(|extension| text(&extension.extension_name) == name)
    };
    let has_robustness = has("VK_EXT_robustness2");
    let mut extensions = vec![ash::khr::pipeline_executable_properties::NAME.as_ptr()];
    let mut statistics = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
        .pipeline_executable_info(true);
    let mut robustness =
        vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
    let mut subgroups = vk::PhysicalDeviceSubgroupSizeControlFeatures::default()
        .subgroup_size_control(true)
        .compute_full_subgroups(true);
    // As wgpu asks for where a kernel has numbers of 16 bits.
    let mut float16 = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(true);
    let mut storage16 = vk::PhysicalDevice16BitStorageFeatures::default()
        .storage_buffer16_bit_access(true)
        .uniform_and_storage_buffer16_bit_access(true);
    // As wgpu asks for where a kernel has matrix units.
    let has_units = has("VK_KHR_cooperative_matrix");
    let mut units =
        vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
    let mut memory =
        vk::PhysicalDeviceVulkanMemoryModelFeatures::default().vulkan_memory_model(true);
    let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    if has_robustness {
        extensions.push(ash::ext::robustness2::NAME.as_ptr());
    }
    if has_units {
        extensions.push(ash::khr::cooperative_matrix::NAME.as_ptr());
    }
    let mut create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queues)
        .enabled_extension_names(&extensions)
        .enabled_features(&features)
        .push_next(&mut statistics)
        .push_next(&mut subgroups)
        .push_next(&mut float16)
        .push_next(&mut storage16);
    if has_robustness {
        create = create.push_next(&mut robustness);
    }
    if has_units {
        create = create.push_next(&mut units).push_next(&mut memory);
    }
    // SAFETY: as promised; what is pointed to lives until the call returns.
    let device = unsafe { instance.create_device(physical, &create, None) }?;
    Ok((device, has_units))
}

fn layout_binding(&(binding, is_uniform): &(u32, bool)) -> vk::DescriptorSetLayoutBinding<'_> {
    let ty = if is_uniform {
        vk::DescriptorType::UNIFORM_BUFFER
    } else {
        vk::DescriptorType::STORAGE_BUFFER
    };
    vk::DescriptorSetLayoutBinding::default()
        .binding(binding)
        .descriptor_type(ty)
        .descriptor_count(1)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)
}

fn value(statistic: &vk::PipelineExecutableStatisticKHR<'_>) -> String {
    use vk::PipelineExecutableStatisticFormatKHR as Format;
    // SAFETY: the format says which member the driver has written.
    unsafe {
        match statistic.format {
            Format::FLOAT64 => statistic.value.f64.to_string(),
            Format::INT64 => statistic.value.i64.to_string(),
            Format::BOOL32 => statistic.value.b32.to_string(),
            _ => statistic.value.u64.to_string(),
        }
    }
}

fn text(raw: &[c_char]) -> String {
    let bytes: Vec<u8> = raw.iter().map(|c| c.to_ne_bytes()[0]).collect();
    let text = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

fn failed(error: vk::Result) -> String {
    format!("Vulkan: {error}")
}
