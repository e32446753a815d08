//! Where a model computes.

use wgpu_linear::model::{MlpConfig, Model, ModelError};
use wgpu_linear::{Gpu, GpuError, GpuOptions, nn, reference};

use crate::CliError;
use crate::config::Device;
use crate::output::{Output, wrapped};

/// The GPU to use, or none for the CPU twin. Says so when `auto` finds no hardware.
///
/// # Errors
/// [`CliError::Failure`] where a GPU is asked for and there is none.
pub fn open(device: Device, output: Output) -> Result<Option<Gpu>, CliError> {
    let is_named = std::env::var("WGPU_ADAPTER_NAME").is_ok_and(|name| !name.is_empty());
    let hardware = || {
        Gpu::open(&GpuOptions {
            allow_software: false,
            ..GpuOptions::default()
        })
    };
    let opened = match device {
        Device::Cpu => return Ok(None),
        Device::Gpu => Gpu::new(),
        // Whoever names an adapter means it, be it software or missing.
        Device::Auto if is_named => Gpu::new(),
        Device::Auto => hardware(),
    };
    match opened {
        Err(GpuError::NoAdapter { seen, .. }) if device == Device::Auto && !is_named => {
            let seen = match seen.is_empty() {
                true => "no adapter at all".to_owned(),
                false => seen.join(", "),
            };
            let text = format!(
                "No hardware GPU (found: {seen}); the CPU twin computes. --device gpu takes any adapter."
            );
            output.note(&wrapped(&text, "  ", 80));
            Ok(None)
        }
        Err(error) => Err(CliError::failure(&error)),
        Ok(gpu) => Ok(Some(gpu)),
    }
}

/// A network on the GPU, or its twin.
///
/// # Errors
/// [`CliError::Input`] where `config` describes no network, [`CliError::Failure`] where there is not
/// enough memory.
pub fn model(gpu: Option<&Gpu>, config: MlpConfig) -> Result<Box<dyn Model>, CliError> {
    let model: Result<Box<dyn Model>, _> = match gpu {
        Some(gpu) => nn::Mlp::new(gpu, config).map(|mlp| Box::new(mlp) as _),
        None => reference::Mlp::<f32>::new(config).map(|mlp| Box::new(mlp) as _),
    };
    model.map_err(|error| match error {
        ModelError::Setting { name, value } => {
            CliError::input(format!("{value} is out of the range of {}", option(name)))
        }
        ModelError::LayerSizes { .. } => CliError::input(format!("{error}; see --hidden")),
        error => CliError::failure(&error),
    })
}

/// The option that sets what the library calls so.
fn option(setting: &str) -> String {
    match setting {
        "slope" | "frequency" => "--activation".to_owned(),
        "delta" => "--loss".to_owned(),
        name => format!("--{}", name.replace('_', "-")),
    }
}
