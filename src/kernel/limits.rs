//! The limits of a device that a kernel counts on, in one place: named where they are too low,
//! before anything is compiled.

use super::{Access, Kernel, PrepareError};

/// A limit: its name in [`wgpu::Limits`], what a kernel needs of it, and what a device has.
type Limit = (&'static str, fn(&Kernel) -> u64, fn(&wgpu::Limits) -> u64);

/// What a person can do something about comes first: the first one that is too low is reported.
const LIMITS: [Limit; 12] = [
    (
        "max_storage_buffers_per_shader_stage",
        |kernel| count(kernel, is_storage),
        |limits| limits.max_storage_buffers_per_shader_stage.into(),
    ),
    (
        "max_uniform_buffers_per_shader_stage",
        |kernel| count(kernel, |access| !is_storage(access)),
        |limits| limits.max_uniform_buffers_per_shader_stage.into(),
    ),
    (
        "max_dynamic_storage_buffers_per_pipeline_layout",
        |kernel| kernel.bindings.iter().filter(|b| b.dynamic).count() as u64,
        |limits| {
            limits
                .max_dynamic_storage_buffers_per_pipeline_layout
                .into()
        },
    ),
    (
        "max_buffers_and_acceleration_structures_per_shader_stage",
        |kernel| kernel.bindings.len() as u64,
        |limits| {
            let limit = limits.max_buffers_and_acceleration_structures_per_shader_stage;
            limit.into()
        },
    ),
    (
        "max_compute_invocations_per_workgroup",
        |kernel| {
            kernel
                .workgroup
                .iter()
                .map(|side| u64::from(*side))
                .product()
        },
        |limits| limits.max_compute_invocations_per_workgroup.into(),
    ),
    (
        "max_compute_workgroup_size_x",
        |kernel| kernel.workgroup[0].into(),
        |limits| limits.max_compute_workgroup_size_x.into(),
    ),
    (
        "max_compute_workgroup_size_y",
        |kernel| kernel.workgroup[1].into(),
        |limits| limits.max_compute_workgroup_size_y.into(),
    ),
    (
        "max_compute_workgroup_size_z",
        |kernel| kernel.workgroup[2].into(),
        |limits| limits.max_compute_workgroup_size_z.into(),
    ),
    (
        "max_compute_workgroup_storage_size",
        |kernel| kernel.shared_bytes.into(),
        |limits| limits.max_compute_workgroup_storage_size.into(),
    ),
    (
        "max_uniform_buffer_binding_size",
        largest_uniform,
        |limits| limits.max_uniform_buffer_binding_size,
    ),
    (
        "max_bindings_per_bind_group",
        |kernel| {
            kernel
                .bindings
                .iter()
                .map(|b| u64::from(b.index) + 1)
                .max()
                .unwrap_or(0)
        },
        |limits| limits.max_bindings_per_bind_group.into(),
    ),
    (
        "max_bind_groups",
        |_| 1,
        |limits| limits.max_bind_groups.into(),
    ),
];

fn is_storage(access: Access) -> bool {
    matches!(access, Access::Read | Access::ReadWrite)
}

fn count(kernel: &Kernel, counts: fn(Access) -> bool) -> u64 {
    let bindings = kernel.bindings.iter();
    bindings.filter(|binding| counts(binding.access)).count() as u64
}

fn largest_uniform(kernel: &Kernel) -> u64 {
    let bytes = |access| match access {
        Access::Uniform(members) => super::uniform::bytes(members),
        _ => 0,
    };
    let sizes = kernel.bindings.iter().map(|binding| bytes(binding.access));
    sizes.max().unwrap_or(0)
}

impl Kernel {
    /// What it needs of a device to be compiled: names as in [`wgpu::Limits`], and how much.
    ///
    /// ```
    /// let kernel = wgpu_linear::kernels().next().unwrap();
    /// for (name, least) in kernel.limits() {
    ///     println!("{name} of at least {least}");
    /// }
    /// ```
    pub fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LIMITS
            .iter()
            .map(|(name, required, _)| (*name, required(self)))
    }
}

/// Refuses a kernel that needs more than these limits.
pub(super) fn check_limits(kernel: &Kernel, limits: &wgpu::Limits) -> Result<(), PrepareError> {
    for (name, required, allowed) in LIMITS {
        let (required, allowed) = (required(kernel), allowed(limits));
        if required > allowed {
            return Err(PrepareError::Limit {
                operation: kernel.label,
                name,
                required,
                allowed,
            });
        }
    }
    Ok(())
}
