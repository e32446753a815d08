//! Which kernels are compiled.

use std::path::Path;

use wgpu_linear::kernel::Kernel;

/// A kernel under the name that tables and records have for it.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) wgsl: String,
    /// Workgroup memory.
    pub(crate) shared_bytes: u32,
    pub(crate) uses_units: bool,
}

/// Files of kernels for adapters that run on the CPU.
const SOFTWARE: [&str; 2] = ["matmul_broadcast.wgsl", "matmul_narrow.wgsl"];

/// Every kernel that the planner may choose on hardware: those of layers that are trusted, without
/// what is for software adapters.
pub(crate) fn of_hardware() -> Result<Vec<Job>, String> {
    let is_for_software =
        |kernel: &Kernel| SOFTWARE.contains(&kernel.file.name) || kernel.name().contains("by_twos");
    let is_for_hardware = |kernel: &Kernel| kernel.trusted && !is_for_software(kernel);
    let job = |kernel: Kernel| {
        Ok(Job {
            name: kernel.name(),
            wgsl: kernel.wgsl().map_err(|error| error.to_string())?,
            shared_bytes: kernel.shared_bytes,
            uses_units: kernel.uses_matrix_units(),
        })
    };
    wgpu_linear::kernels()
        .filter(is_for_hardware)
        .map(job)
        .collect()
}

/// Whether the matrix units of a device multiply as the kernel has them: matrices of sixteen, by
/// subgroups of 64 on AMD and of 32 on NVIDIA.
pub(crate) fn suits(job: &Job, device: &str) -> bool {
    let lanes = if device.starts_with("nv") { 32 } else { 64 };
    !job.uses_units || job.name.contains(&format!("_of_16_by_{lanes}"))
}

/// A WGSL file that is not (yet) a kernel.
pub(crate) fn of_file(path: &str) -> Result<Job, String> {
    let name = Path::new(path).file_stem().unwrap_or_default();
    Ok(Job {
        name: name.to_string_lossy().into_owned(),
        wgsl: std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        shared_bytes: 0,
        uses_units: false,
    })
}
