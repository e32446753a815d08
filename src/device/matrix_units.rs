//! The matrix units of an adapter, as far as kernels are known to compute right with them.

use wgpu::{Backend, CooperativeScalarType, Features};

/// How the matrix units of an adapter multiply: matrices of f16, whose products they add up in f32.
///
/// wgpu offers them as an experiment, [`Features::EXPERIMENTAL_COOPERATIVE_MATRIX`], and tells
/// neither how many threads a subgroup has there nor how well they do. So there is a list of
/// drivers: those of NVIDIA on Vulkan, RADV, Metal, and recent llvmpipe. Intel's Arc A770 gets
/// slower by them (llama.cpp, pull request 24404), and is not in it.
///
/// An application that opens its device by itself asks for that feature and for
/// [`Features::SHADER_F16`], with [`wgpu::ExperimentalFeatures::enabled`], where [`Self::of`] has
/// something to say. A device that was opened with both is used with its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatrixUnits {
    /// Rows, columns and terms of the matrices: 8 or 16.
    pub size: u32,
    /// Threads of the subgroups that the driver makes of a workgroup of four.
    pub lanes: u32,
}

/// What a device is opened with, beside permission.
const FEATURES: Features = Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(Features::SHADER_F16);

impl MatrixUnits {
    /// Those of an adapter that has them, in the size that the list says.
    #[must_use]
    pub fn of(adapter: &wgpu::Adapter) -> Option<Self> {
        let known = Self::by_driver(&adapter.get_info());
        known.filter(|units| {
            let offered = adapter.cooperative_matrix_properties();
            adapter.features().contains(FEATURES) && offered.iter().any(|one| units.is(one))
        })
    }

    /// Those of a device that was opened with these features.
    #[must_use]
    pub fn of_opened(info: &wgpu::AdapterInfo, features: Features) -> Option<Self> {
        Self::by_driver(info).filter(|_| features.contains(FEATURES))
    }

    fn by_driver(info: &wgpu::AdapterInfo) -> Option<Self> {
        const NVIDIA: u32 = 0x10DE;
        let units = |size, lanes| Some(Self { size, lanes });
        match (info.backend, info.driver.as_str()) {
            (Backend::Metal, _) => units(8, 32),
            // It makes subgroups of 64 threads wherever a workgroup has more than 32.
            (Backend::Vulkan, "radv") => units(16, 64),
            (Backend::Vulkan, "llvmpipe") if info.subgroup_max_size == 8 => units(8, 8),
            (Backend::Vulkan, _) if info.vendor == NVIDIA => units(16, 32),
            _ => None,
        }
    }

    fn is(&self, offered: &wgpu::CooperativeMatrixProperties) -> bool {
        let sizes = [offered.m_size, offered.n_size, offered.k_size];
        sizes == [self.size; 3]
            && offered.ab_type == CooperativeScalarType::F16
            && offered.cr_type == CooperativeScalarType::F32
    }
}

/// Permission for what wgpu has as an experiment: with `trusted_module` and `pipeline_cache` the only
/// `unsafe` of this crate.
#[expect(unsafe_code, reason = "wgpu promises nothing about matrix units yet")]
pub(super) fn experiments() -> wgpu::ExperimentalFeatures {
    // SAFETY: what wgpu asks for is to know that experiments may have faults, up to undefined
    // behaviour, and to report them. Only who sets `GpuOptions::matrix_units`, or the environment
    // variable behind it, gets here, and both say so. What is done with the experiment is one shader,
    // `matmul_cooperative.wgsl`, on drivers of a list, in a size that the adapter offers:
    // * No matrix is loaded from or stored to a buffer. Loads stay inside `tiles`: the last one
    //   begins `MATRIX` rows before its end, in rows of `STRIDE` elements that hold `TILE_K` terms.
    //   Stores stay inside `patches`, one of `MATRIX` rows for each subgroup.
    // * Matrices are loaded, multiplied and stored where all threads of a workgroup come by: what
    //   decides about loops and branches around them are sizes and constants.
    // Without any of these calls the permission does nothing.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(backend: Backend, vendor: u32, driver: &str) -> Option<MatrixUnits> {
        let info = wgpu::AdapterInfo {
            vendor,
            driver: driver.into(),
            subgroup_max_size: 8,
            ..wgpu::AdapterInfo::new(wgpu::DeviceType::Other, backend)
        };
        assert_eq!(MatrixUnits::of_opened(&info, Features::SHADER_F16), None);
        MatrixUnits::of_opened(&info, FEATURES)
    }

    #[test]
    fn units_are_those_of_listed_drivers() {
        let units = |size, lanes| Some(MatrixUnits { size, lanes });
        for (backend, vendor, driver, expected) in [
            (Backend::Vulkan, 0x10DE, "NVIDIA", units(16, 32)),
            (Backend::Vulkan, 0x10DE, "NVK", units(16, 32)),
            (Backend::Vulkan, 0x1002, "radv", units(16, 64)),
            (Backend::Vulkan, 0x1002, "AMD proprietary driver", None),
            (
                Backend::Vulkan,
                0x8086,
                "Intel open-source Mesa driver",
                None,
            ),
            (Backend::Vulkan, 0x1_0005, "llvmpipe", units(8, 8)),
            (Backend::Metal, 0x106B, "", units(8, 32)),
            (Backend::Dx12, 0x10DE, "NVIDIA", None),
        ] {
            assert_eq!(opened(backend, vendor, driver), expected, "{driver}");
        }
    }
}
