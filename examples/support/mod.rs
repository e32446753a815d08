//! What the examples with a command line share: the choice of a device, and how errors are shown.

mod errors;

pub(crate) use errors::finish;

use wgpu_linear::{Gpu, GpuError, GpuOptions};

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Device {
    /// A hardware GPU; without one, the CPU twin
    Auto,
    /// Any GPU adapter, software ones such as llvmpipe too
    Gpu,
    /// The CPU twin (ndarray)
    Cpu,
}

impl Device {
    /// The GPU to use, or none for the CPU twin. Says on standard error when `auto` finds no
    /// hardware.
    pub(crate) fn open(self) -> Result<Option<Gpu>, GpuError> {
        match self {
            Self::Cpu => Ok(None),
            Self::Gpu => Gpu::new().map(Some),
            // Whoever names an adapter means it, be it software or missing.
            Self::Auto if std::env::var("WGPU_ADAPTER_NAME").is_ok_and(|name| !name.is_empty()) => {
                Gpu::new().map(Some)
            }
            Self::Auto => match Gpu::open(&GpuOptions {
                allow_software: false,
                ..GpuOptions::default()
            }) {
                Err(GpuError::NoAdapter { seen, .. }) => {
                    let seen = if seen.is_empty() {
                        "no adapter at all".to_owned()
                    } else {
                        seen.join(", ")
                    };
                    eprintln!("No hardware GPU will do the work (found: {seen}).");
                    eprintln!("The CPU twin does it instead; `--device gpu` takes any adapter.");
                    Ok(None)
                }
                opened => opened.map(Some),
            },
        }
    }
}
