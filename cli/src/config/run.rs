//! Where a run happens and what it leaves.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::over::over;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// A hardware GPU; without one, the CPU twin
    #[default]
    Auto,
    /// Any GPU adapter, software ones such as llvmpipe too
    Gpu,
    /// The CPU twin (ndarray)
    Cpu,
}

/// Where a run happens and what it leaves.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[command(next_help_heading = "Run")]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunSettings {
    /// Folder for everything that the run leaves [default: a new one in runs/]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Where to compute [default: auto]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// Epochs between two checkpoints; 0 for one at the end alone [default: 10]
    #[arg(long, value_name = "EPOCHS")]
    pub checkpoint_every: Option<u32>,
    /// How many checkpoints are kept, beside the best [default: 2]
    #[arg(long, value_name = "N")]
    pub keep: Option<usize>,
    /// How often a GPU that fails is opened anew and the training goes on; 0 for never [default: 3]
    #[arg(long, value_name = "N")]
    pub recover: Option<u32>,
    /// Seconds in which a run that is told to end must have ended [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub grace: Option<f64>,
    /// Write report.html [default: true]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub report: Option<bool>,
}

impl RunSettings {
    pub(super) fn over(self, other: Self) -> Self {
        over!(
            self,
            other,
            out,
            device,
            checkpoint_every,
            keep,
            recover,
            grace,
            report
        )
    }
}
