//! What was found.

use serde::Serialize;

use super::device::DeviceReport;

/// All that is known.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) version: &'static str,
    pub(super) system: System,
    pub(super) adapters: Vec<Adapter>,
    /// None where no device could be opened.
    pub(super) device: Option<DeviceReport>,
    /// Why not.
    pub(super) error: Option<String>,
    pub(super) advice: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct System {
    pub(super) os: &'static str,
    pub(super) architecture: &'static str,
    pub(super) threads: usize,
}

/// An adapter of this machine.
#[derive(Debug, Serialize)]
pub(super) struct Adapter {
    pub(super) name: String,
    pub(super) backend: String,
    pub(super) kind: String,
    pub(super) driver: String,
    pub(super) vendor: u32,
    pub(super) device: u32,
}

impl Adapter {
    pub(super) fn of(info: wgpu_linear::wgpu::AdapterInfo) -> Self {
        let driver = format!("{} {}", info.driver, info.driver_info);
        Self {
            name: info.name,
            backend: format!("{:?}", info.backend),
            kind: format!("{:?}", info.device_type),
            driver: driver.trim().to_owned(),
            vendor: info.vendor,
            device: info.device,
        }
    }

    pub(super) fn is_software(&self) -> bool {
        self.kind == "Cpu"
    }
}
