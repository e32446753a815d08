//! Where a model computes.

use std::thread::sleep;
use std::time::Duration;

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
    if device == Device::Cpu {
        return Ok(None);
    }
    let opened = find(device);
    match opened {
        Err(GpuError::NoAdapter { seen, .. }) if device == Device::Auto && !is_named() => {
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

/// Whether an adapter is named; who does so means it, be it software or missing.
fn is_named() -> bool {
    std::env::var("WGPU_ADAPTER_NAME").is_ok_and(|name| !name.is_empty())
}

fn find(device: Device) -> Result<Gpu, GpuError> {
    Gpu::open(&GpuOptions {
        allow_software: device == Device::Gpu || is_named(),
        ..GpuOptions::default()
    })
}

/// Where networks compute: on a GPU, which is opened anew where it fails, or on the CPU.
#[derive(Debug)]
pub struct Place {
    device: Device,
    gpu: Option<Gpu>,
}

impl Place {
    /// As [`open`].
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(device: Device, output: Output) -> Result<Self, CliError> {
        let gpu = open(device, output)?;
        Ok(Self { device, gpu })
    }

    /// The GPU, if it is one.
    #[must_use]
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// A network there.
    ///
    /// # Errors
    /// As [`model()`].
    pub fn network(&self, config: MlpConfig) -> Result<Box<dyn Model>, CliError> {
        model(self.gpu.as_ref(), config)
    }

    /// A network on the same adapter, opened anew after this error.
    ///
    /// # Errors
    /// [`ModelError::Gpu`] where it cannot be opened: another adapter would compute other bits.
    pub fn reopened(
        &mut self,
        error: &ModelError,
        config: MlpConfig,
    ) -> Result<Box<dyn Model>, ModelError> {
        let Some(failed) = &self.gpu else {
            return Ok(Box::new(reference::Mlp::<f32>::new(config)?));
        };
        let gpu = patiently(|| find_again(self.device, failed))?;
        let model = nn::Mlp::new(&gpu, config)?;
        let failed = self.gpu.replace(gpu);
        if let ModelError::Gpu(GpuError::Timeout { .. }) = error {
            // To drop it would be to wait for what it computes.
            std::mem::forget(failed);
        }
        Ok(Box::new(model))
    }
}

/// The adapter of a device that has failed.
fn find_again(device: Device, failed: &Gpu) -> Result<Gpu, GpuError> {
    let (gpu, wanted) = (find(device)?, failed.description());
    let found = gpu.description();
    if found == wanted {
        return Ok(gpu);
    }
    Err(GpuError::NoAdapter {
        wanted,
        seen: vec![found],
        hint: "Its driver may take a while to come back",
    })
}

/// The result of `open`, which is tried some times: drivers that have reset a GPU take a moment.
fn patiently<T>(open: impl Fn() -> Result<T, GpuError>) -> Result<T, GpuError> {
    for _ in 0..3 {
        if let Ok(opened) = open() {
            return Ok(opened);
        }
        sleep(Duration::from_secs(1));
    }
    open()
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
