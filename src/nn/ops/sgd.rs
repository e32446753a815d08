//! `sgd.wgsl`: stochastic gradient descent, with its state.

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use super::optimizer::{Count, Flat, OptimizerState, count, wide};
use super::skip;
use crate::device::{Gpu, GpuError};
use crate::kernel::{
    Binding, Contents, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_vector, file, quarters, uniform,
};
use crate::model::SgdSettings;
use crate::reference;

/// Operands of [`NetworkKernels::sgd`].
#[derive(Clone, Copy, Debug)]
pub struct Sgd<'a> {
    /// A uniform buffer with what [`settings_bytes`](super::settings_bytes) says.
    pub settings: &'a wgpu::Buffer,
    /// Gradients, read.
    pub gradients: Vector<'a>,
    /// Velocity, as many elements, zero at first; updated.
    pub velocity: Vector<'a>,
    /// Parameters, as many elements; updated.
    pub parameters: Vector<'a>,
    /// Two words of u32 of which the second is not 0 where the step is left out; read. `None` takes
    /// it always.
    pub verdict: Option<Vector<'a>>,
}

uniform! {
    /// `Settings` in `sgd.wgsl`.
    struct Settings {
        learning_rate: f32,
        momentum: f32,
        weight_decay: f32,
        nesterov: u32,
    }
}

pub(super) fn settings(settings: &SgdSettings) -> Contents {
    let SgdSettings {
        learning_rate,
        momentum,
        nesterov,
        weight_decay,
    } = *settings;
    let settings = Settings {
        learning_rate,
        momentum,
        weight_decay,
        nesterov: u32::from(nesterov),
    };
    settings.contents()
}

pub(super) const SGD: Kernel = elements::kernel(
    "wgpu_linear::sgd",
    (file!("sgd.wgsl"), "sgd"),
    &[
        Binding::dims::<Count>(),
        Binding::uniform::<Settings>(1, "settings"),
        Binding::read(2, "gradients"),
        Binding::write(3, "velocity"),
        Binding::write(4, "parameters"),
        skip::VERDICT,
    ],
);

impl NetworkKernels {
    /// One step of stochastic gradient descent; formulas in `shaders/sgd.wgsl`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn sgd(&self, operands: Sgd<'_>) -> Result<Dispatch, PrepareError> {
        let Sgd {
            settings,
            gradients,
            velocity,
            parameters,
            verdict,
        } = operands;
        let is_told = verdict.is_some();
        let kernel = skip::kernel(SGD, is_told);
        expect_vector(kernel.label, "velocity", velocity, gradients.len)?;
        expect_vector(kernel.label, "parameters", parameters, gradients.len)?;
        let operands = [
            Operand::uniform::<Settings>("settings", settings),
            Operand::vector("gradients", gradients),
            Operand::vector("velocity", velocity),
            Operand::vector("parameters", parameters),
        ];
        let operands = skip::operands(&operands, verdict);
        let elements = u64::from(gradients.len);
        let probe = || skip::probe(probe(), is_told);
        self.elementwise(&kernel, count(gradients.len), &operands, elements, &probe)
    }
}

fn probe() -> Probe {
    let settings = SgdSettings {
        learning_rate: 0.5,
        momentum: 0.25,
        weight_decay: 0.125,
        nesterov: true,
    };
    let [gradients, velocity, parameters] = [1, 2, 3].map(|seed| quarters(seed, PROBED));
    let [g, mut v, mut p] = [&gradients, &velocity, &parameters].map(|values| wide(values));
    reference::sgd(&settings, g.view(), v.view_mut(), p.view_mut());
    Probe::new(count(PROBED as u32), PROBED_WORKGROUPS)
        .settings(self::settings(&settings))
        .reads(&gradients)
        .updates(&velocity, Wanted::near(v))
        .updates(&parameters, Wanted::near(p))
}

/// What SGD keeps on the device.
#[derive(Debug)]
pub(super) struct SgdState {
    velocity: wgpu::Buffer,
}

impl SgdState {
    pub(super) fn new(gpu: &Gpu, elements: usize) -> Result<Self, GpuError> {
        Ok(Self {
            velocity: gpu.zeros("wgpu_linear::velocity", elements)?,
        })
    }
}

impl OptimizerState for SgdState {
    fn moments(&self) -> Vec<(&'static str, &wgpu::Buffer)> {
        vec![("velocity", &self.velocity)]
    }

    fn step(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        flat: &Flat<'_>,
    ) -> Result<Dispatch, PrepareError> {
        kernels.sgd(Sgd {
            settings,
            gradients: flat.gradients(),
            velocity: flat.of(&self.velocity),
            parameters: flat.parameters(),
            verdict: flat.verdict,
        })
    }
}
