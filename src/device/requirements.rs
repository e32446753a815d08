//! What to ask of a device, and what the absence of each of it costs.

use std::fmt;

use wgpu::{DeviceType, Features, Limits};

/// What to ask an adapter for, for an application that opens its device by itself.
///
/// Nothing but WebGPU's default limits is *required*: with less, operations are refused, with
/// [`PrepareError::Limit`](crate::PrepareError::Limit) naming the limit. The rest is *recommended*,
/// and [`Self::explain`] says of a device what it lacks and what that costs.
///
/// | | required | without it |
/// |---|---|---|
/// | `max_storage_buffers_per_shader_stage` | 7 | matrix products are refused |
/// | `max_uniform_buffers_per_shader_stage` | 2 | optimizers are refused |
/// | `max_compute_invocations_per_workgroup`, `max_compute_workgroup_size_x` | 256 | most operations are refused |
/// | `max_compute_workgroup_storage_size` | 10,300 | losses, sums of rows and histograms are refused |
/// | `max_dynamic_storage_buffers_per_pipeline_layout` | 1 | training from data on the device is refused |
///
/// | | recommended | without it |
/// |---|---|---|
/// | [`Features::SUBGROUP`], on software adapters | with subgroups of 8 | training takes 1.3 to 1.8 times as long (measured on llvmpipe with AVX-512) |
/// | [`Features::SHADER_INT64`], on software adapters | | products take up to 1.7 times as long (measured on llvmpipe: 1.1 with AVX-512, 1.7 without) |
/// | [`Features::SHADER_F16`] | | operands that are stored as f16 are refused, with [`PrepareError::Feature`](crate::PrepareError::Feature) |
/// | `max_compute_workgroup_storage_size` | 16,384, for the fastest tiles of GPUs 32,768 | products on GPUs go without their largest tiles, products on the CPU without some of theirs; with 16,384 those above 2048³ take 1.1 to 1.2 times as long (measured on an H200) |
/// | `max_storage_buffer_binding_size` | as large as possible | larger operands take several dispatches; a data set of which a part is larger stays on the host and is copied batch by batch; a row of a matrix that is larger is refused |
/// | `max_buffer_size` | as large as possible | all weights of a network are in one buffer, and larger networks are refused |
/// | `max_compute_workgroups_per_dimension` | 65,535 | outputs of more than its square of workgroups are refused |
///
/// ```no_run
/// use wgpu_linear::{Requirements, wgpu};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # pollster::block_on(async {
/// let instance = wgpu::Instance::default();
/// let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await?;
/// // With what the application needs itself:
/// let requirements = Requirements::of(&adapter);
/// let (device, queue) = adapter
///     .request_device(&wgpu::DeviceDescriptor {
///         required_features: requirements.features() | wgpu::Features::TIMESTAMP_QUERY,
///         ..requirements.descriptor()
///     })
///     .await?;
/// for lack in Requirements::explain(&device) {
///     println!("{lack}");
/// }
/// # Ok(()) })
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Requirements {
    features: Features,
    limits: Limits,
}

impl Requirements {
    /// What to ask of `adapter`: the recommended features that it has, and all of its limits.
    #[must_use]
    pub fn of(adapter: &wgpu::Adapter) -> Self {
        Self {
            features: adapter.features() & recommended(adapter.get_info().device_type),
            limits: adapter.limits(),
        }
    }

    /// The features.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits.clone()
    }

    /// Both, for [`wgpu::Adapter::request_device`].
    #[must_use]
    pub fn descriptor(&self) -> wgpu::DeviceDescriptor<'static> {
        wgpu::DeviceDescriptor {
            label: Some("wgpu_linear::device"),
            required_features: self.features,
            required_limits: self.limits(),
            ..Default::default()
        }
    }

    /// What `device` lacks, with what that costs: first what makes operations be refused, then what
    /// makes them slow. [`LinearKernels::new`](crate::LinearKernels::new) warns of each in the log.
    ///
    /// Adapters are not asked: one that has no more than this cannot be helped.
    #[must_use]
    pub fn explain(device: &wgpu::Device) -> Vec<Lack> {
        let mut lacks: Vec<_> = Self::survey(&device.limits())
            .into_iter()
            .filter_map(|limit| limit.lack)
            .collect();
        lacks.extend(missing_subgroups(device));
        lacks.extend(missing_wide_loads(device));
        lacks.sort_by_key(|lack| !lack.is_required);
        lacks
    }

    /// Every limit that matters, with what is needed of it.
    #[must_use]
    pub fn survey(limits: &Limits) -> Vec<SurveyedLimit> {
        LIMITS.iter().map(|wanted| wanted.survey(limits)).collect()
    }
}

/// A limit that matters, whether it is high enough or not.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedLimit {
    /// Its name, as in [`wgpu::Limits`].
    pub name: &'static str,
    /// Below this, operations are refused.
    pub required: u64,
    /// Below this, they are slower, or large ones are refused.
    pub recommended: u64,
    /// How much there is.
    pub actual: u64,
    /// What that costs; `None` where it is enough.
    pub lack: Option<Lack>,
}

/// Something that a device lacks.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Name of the limit, as in [`wgpu::Limits`], or of the feature.
    pub name: &'static str,
    /// How much is wanted; 1 for a feature.
    pub wanted: u64,
    /// How much there is; 0 for a feature.
    pub actual: u64,
    /// What comes of it, in words.
    pub cost: &'static str,
    /// Whether operations are refused for it; else they are slower.
    pub is_required: bool,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            wanted,
            actual,
            cost,
            ..
        } = self;
        match self.wanted {
            1 if [SUBGROUP, SHADER_INT64].contains(name) => {
                write!(f, "opened without {name}: {cost}")
            }
            _ => write!(f, "{name} is {actual}, {wanted} are wanted: {cost}"),
        }
    }
}

const SUBGROUP: &str = "SUBGROUP";
const SHADER_INT64: &str = "SHADER_INT64";

/// Kernels for hardware load four elements at a time as they are.
fn recommended(device_type: DeviceType) -> Features {
    let everywhere = Features::SUBGROUP | Features::SHADER_F16;
    match device_type {
        DeviceType::Cpu => everywhere | Features::SHADER_INT64,
        _ => everywhere,
    }
}

/// A limit with the least that it should be.
struct Wanted {
    name: &'static str,
    of: fn(&Limits) -> u64,
    /// Below this, operations are refused.
    required: u64,
    refused: &'static str,
    /// Below this, they are slower.
    recommended: u64,
    slow: &'static str,
}

impl Wanted {
    /// A limit of which more than required brings nothing.
    const fn required(
        name: &'static str,
        of: fn(&Limits) -> u64,
        required: u64,
        refused: &'static str,
    ) -> Self {
        Self {
            name,
            of,
            required,
            refused,
            recommended: required,
            slow: "",
        }
    }

    /// The same with a higher value that is worth having.
    const fn recommended(self, recommended: u64, slow: &'static str) -> Self {
        Self {
            recommended,
            slow,
            ..self
        }
    }

    fn survey(&self, limits: &Limits) -> SurveyedLimit {
        SurveyedLimit {
            name: self.name,
            required: self.required,
            recommended: self.recommended,
            actual: (self.of)(limits),
            lack: self.lack(limits),
        }
    }

    fn lack(&self, limits: &Limits) -> Option<Lack> {
        let actual = (self.of)(limits);
        let is_required = actual < self.required;
        let (wanted, cost) = if is_required {
            (self.required, self.refused)
        } else {
            (self.recommended, self.slow)
        };
        let name = self.name;
        (actual < wanted).then_some(Lack {
            name,
            wanted,
            actual,
            cost,
            is_required,
        })
    }
}

const PRODUCTS: &str = "matrix products are refused";
const MOST: &str = "most operations are refused";

/// Every limit of a kernel that has no smaller rival is here; a test tries each of them.
const LIMITS: [Wanted; 9] = [
    Wanted::required(
        "max_storage_buffers_per_shader_stage",
        |limits| limits.max_storage_buffers_per_shader_stage.into(),
        7,
        PRODUCTS,
    ),
    Wanted::required(
        "max_uniform_buffers_per_shader_stage",
        |limits| limits.max_uniform_buffers_per_shader_stage.into(),
        2,
        "optimizers are refused, and without any every operation",
    ),
    Wanted::required(
        "max_dynamic_storage_buffers_per_pipeline_layout",
        |limits| {
            limits
                .max_dynamic_storage_buffers_per_pipeline_layout
                .into()
        },
        1,
        "training from data on the device is refused",
    ),
    Wanted::required(
        "max_compute_invocations_per_workgroup",
        |limits| limits.max_compute_invocations_per_workgroup.into(),
        256,
        MOST,
    ),
    Wanted::required(
        "max_compute_workgroup_size_x",
        |limits| limits.max_compute_workgroup_size_x.into(),
        256,
        MOST,
    ),
    Wanted::required(
        "max_compute_workgroup_storage_size",
        |limits| limits.max_compute_workgroup_storage_size.into(),
        10_300,
        "histograms are refused, and below 1024 bytes sums of rows and losses as well",
    )
    .recommended(16_384, "matrix products go without their largest tiles"),
    Wanted::required(
        "max_compute_workgroups_per_dimension",
        |limits| limits.max_compute_workgroups_per_dimension.into(),
        1,
        "every operation is refused",
    )
    .recommended(
        65_535,
        "operations of more workgroups than its square are refused",
    ),
    Wanted::required(
        "max_storage_buffer_binding_size",
        |limits| limits.max_storage_buffer_binding_size,
        1,
        "every operation is refused",
    )
    .recommended(
        128 << 20,
        "larger operands take several dispatches, rows that are larger are refused, and data sets \
         of which a part is larger stay on the host",
    ),
    Wanted::required(
        "max_buffer_size",
        |limits| limits.max_buffer_size,
        1,
        "no buffer can be made",
    )
    .recommended(
        256 << 20,
        "networks whose weights take more, and larger operands, are refused",
    ),
];

/// Software adapters load word by word, so that words of two elements take half as long.
fn missing_wide_loads(device: &wgpu::Device) -> Option<Lack> {
    let cost = "products take up to 1.7 times as long on llvmpipe";
    missing_on_llvmpipe(device, Features::SHADER_INT64, SHADER_INT64, cost)
}

/// Subgroups make the kernels for software adapters faster, and only those of 8 threads. Kernels
/// for hardware do without.
fn missing_subgroups(device: &wgpu::Device) -> Option<Lack> {
    let cost = "training takes 1.3 to 1.8 times as long on llvmpipe";
    missing_on_llvmpipe(device, Features::SUBGROUP, SUBGROUP, cost)
}

fn missing_on_llvmpipe(
    device: &wgpu::Device,
    feature: Features,
    name: &'static str,
    cost: &'static str,
) -> Option<Lack> {
    let would_help = is_like_llvmpipe(&device.adapter_info());
    let lacks = would_help && !device.features().contains(feature);
    lacks.then_some(Lack {
        name,
        wanted: 1,
        actual: 0,
        cost,
        is_required: false,
    })
}

/// A software adapter with subgroups of eight threads.
fn is_like_llvmpipe(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == DeviceType::Cpu
        && [info.subgroup_min_size, info.subgroup_max_size] == [8, 8]
}
