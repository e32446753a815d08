//! `lion.wgsl`: Lion, with its state.

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use super::optimizer::{Count, Flat, OptimizerState, count, wide};
use super::skip;
use crate::device::{Gpu, GpuError};
use crate::kernel::{
    Binding, Contents, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_vector, file, quarters, uniform,
};
use crate::model::LionSettings;
use crate::reference;

/// Operands of [`NetworkKernels::lion`].
#[derive(Clone, Copy, Debug)]
pub struct Lion<'a> {
    /// A uniform buffer with what [`settings_bytes`](super::settings_bytes) says.
    pub settings: &'a wgpu::Buffer,
    /// Gradients, read.
    pub gradients: Vector<'a>,
    /// Mean of the gradient, as many elements, zero at first; updated.
    pub m: Vector<'a>,
    /// Parameters, as many elements; updated.
    pub parameters: Vector<'a>,
    /// Two words of u32 of which the second is not 0 where the step is left out; read. `None` takes
    /// it always.
    pub verdict: Option<Vector<'a>>,
}

uniform! {
    /// `Settings` in `lion.wgsl`.
    struct Settings {
        learning_rate: f32,
        beta1: f32,
        beta2: f32,
        weight_decay: f32,
    }
}

pub(super) fn settings(settings: &LionSettings) -> Contents {
    let LionSettings {
        learning_rate,
        beta1,
        beta2,
        weight_decay,
    } = *settings;
    let settings = Settings {
        learning_rate,
        beta1,
        beta2,
        weight_decay,
    };
    settings.contents()
}

pub(super) const LION: Kernel = elements::kernel(
    "wgpu_linear::lion",
    (file!("lion.wgsl"), "lion"),
    &[
        Binding::dims::<Count>(),
        Binding::uniform::<Settings>(1, "settings"),
        Binding::read(2, "gradients"),
        Binding::write(3, "m"),
        Binding::write(4, "parameters"),
        skip::VERDICT,
    ],
);

impl NetworkKernels {
    /// One step of Lion; formulas in `shaders/lion.wgsl`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn lion(&self, operands: Lion<'_>) -> Result<Dispatch, PrepareError> {
        let Lion {
            settings,
            gradients,
            m,
            parameters,
            verdict,
        } = operands;
        let is_told = verdict.is_some();
        let kernel = skip::kernel(LION, is_told);
        expect_vector(kernel.label, "m", m, gradients.len)?;
        expect_vector(kernel.label, "parameters", parameters, gradients.len)?;
        let operands = [
            Operand::uniform::<Settings>("settings", settings),
            Operand::vector("gradients", gradients),
            Operand::vector("m", m),
            Operand::vector("parameters", parameters),
        ];
        let operands = skip::operands(&operands, verdict);
        let elements = u64::from(gradients.len);
        let probe = || skip::probe(probe(), is_told);
        self.elementwise(&kernel, count(gradients.len), &operands, elements, &probe)
    }
}

/// The means are so far from 0 that no rounding turns their sign.
fn probe() -> Probe {
    let settings = LionSettings {
        learning_rate: 0.5,
        beta1: 0.75,
        beta2: 0.5,
        weight_decay: 0.125,
    };
    let gradients = quarters(1, PROBED);
    let m: Vec<f32> = gradients.iter().map(|g| -0.75 * g.signum()).collect();
    let parameters = quarters(3, PROBED);
    let [g, mut means, mut p] = [&gradients, &m, &parameters].map(|values| wide(values));
    reference::lion(&settings, g.view(), means.view_mut(), p.view_mut());
    Probe::new(count(PROBED as u32), PROBED_WORKGROUPS)
        .settings(self::settings(&settings))
        .reads(&gradients)
        .updates(&m, Wanted::near(means))
        .updates(&parameters, Wanted::near(p))
}

/// What Lion keeps on the device.
#[derive(Debug)]
pub(super) struct LionState {
    m: wgpu::Buffer,
}

impl LionState {
    pub(super) fn new(gpu: &Gpu, elements: usize) -> Result<Self, GpuError> {
        Ok(Self {
            m: gpu.zeros("wgpu_linear::m", elements)?,
        })
    }
}

impl OptimizerState for LionState {
    fn moments(&self) -> Vec<(&'static str, &wgpu::Buffer)> {
        vec![("m", &self.m)]
    }

    fn step(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        flat: &Flat<'_>,
    ) -> Result<Dispatch, PrepareError> {
        kernels.lion(Lion {
            settings,
            gradients: flat.gradients(),
            m: flat.of(&self.m),
            parameters: flat.parameters(),
            verdict: flat.verdict,
        })
    }
}
