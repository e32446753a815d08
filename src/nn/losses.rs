//! The running loss of a network on its way to the host, for those who submit by themselves.

use crate::device::{Gpu, GpuError};
use crate::model::{MeanLoss, ModelError};

use super::loss_ring::LossRing;

/// Brings the running loss of a [`Network`](super::Network) to the host while the device works on:
/// [`Self::record`] behind the steps, [`Self::request`] after the submission, [`Self::poll`]
/// whenever you like.
///
/// ```
/// # use wgpu_linear::{Gpu, model::{MlpConfig, MeanLoss}, nn::Network};
/// # let gpu = Gpu::new()?;
/// # let network = Network::new(&gpu, &MlpConfig::new(&[2, 2]))?;
/// # let device = gpu.device();
/// let mut losses = network.losses()?;
/// let mut encoder = device.create_command_encoder(&Default::default());
/// // steps are recorded here
/// losses.record(&mut encoder);
/// gpu.queue().submit([encoder.finish()]);
/// losses.request();
/// // in the next frames
/// if let Some(loss) = losses.poll()? {
///     println!("mean loss of {} examples: {}", loss.examples, loss.mean);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Losses {
    gpu: Gpu,
    ring: LossRing,
    total: wgpu::Buffer,
    recorded: bool,
}

impl Losses {
    pub(super) fn new(gpu: &Gpu, total: &wgpu::Buffer) -> Result<Self, GpuError> {
        Ok(Self {
            ring: LossRing::new(gpu)?,
            gpu: gpu.clone(),
            total: total.clone(),
            recorded: false,
        })
    }

    /// Records the copy of the running loss, which begins again at 0; whether it did.
    ///
    /// It does not while eight are on their way, or before [`Self::request`] has asked for the one
    /// recorded last: the loss then runs on, and nothing is lost.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder) -> bool {
        if self.recorded || self.ring.is_full() {
            return false;
        }
        self.ring.record(encoder, &self.total);
        self.recorded = true;
        true
    }

    /// Asks for what [`Self::record`] has recorded, after its submission. Does nothing where
    /// nothing was recorded.
    pub fn request(&mut self) {
        if std::mem::take(&mut self.recorded) {
            self.ring.request(self.gpu.device());
        }
    }

    /// The oldest loss that has arrived; does not wait.
    ///
    /// # Errors
    /// What the device reports.
    pub fn poll(&mut self) -> Result<Option<MeanLoss>, ModelError> {
        self.gpu.poll()?;
        Ok(self.ring.poll()?)
    }
}
