//! `adam.wgsl`: Adam and AdamW, with their state.

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use super::optimizer::{Count, Flat, OptimizerState, count, wide};
use super::skip;
use crate::device::{Gpu, GpuError};
use crate::kernel::{
    Binding, Contents, Dispatch, Kernel, Operand, PrepareError, Probe, Uniform, Vector, Wanted,
    expect_vector, file, quarters, uniform,
};
use crate::model::AdamSettings;
use crate::reference::{self, AdamCorrections};

/// Operands of [`NetworkKernels::adam`].
#[derive(Clone, Copy, Debug)]
pub struct Adam<'a> {
    /// A uniform buffer with what [`settings_bytes`](super::settings_bytes) says.
    pub settings: &'a wgpu::Buffer,
    /// The bias corrections of this step, two elements that [`NetworkKernels::adam_advance`] keeps.
    pub corrections: Vector<'a>,
    /// Gradients, read.
    pub gradients: Vector<'a>,
    /// Mean of the gradient, as many elements, zero at first; updated.
    pub m: Vector<'a>,
    /// Mean of its square, as many elements, zero at first; updated.
    pub v: Vector<'a>,
    /// Parameters, as many elements; updated.
    pub parameters: Vector<'a>,
    /// Two words of u32 of which the second is not 0 where the step is left out; read. `None` takes
    /// it always.
    pub verdict: Option<Vector<'a>>,
}

uniform! {
    /// `Settings` in `adam.wgsl`.
    struct Settings {
        learning_rate: f32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        weight_decay: f32,
        decoupled: u32,
    }
}

pub(super) fn settings(settings: &AdamSettings, decoupled: bool) -> Contents {
    let AdamSettings {
        learning_rate,
        beta1,
        beta2,
        epsilon,
        weight_decay,
    } = *settings;
    let settings = Settings {
        learning_rate,
        beta1,
        beta2,
        epsilon,
        weight_decay,
        decoupled: u32::from(decoupled),
    };
    settings.contents()
}

pub(super) const ADAM_ADVANCE: Kernel = Kernel::new(
    "wgpu_linear::adam_advance",
    (file!("adam.wgsl"), "adam_advance"),
    elements::CONSTANTS,
    1,
    &[
        Binding::uniform::<Settings>(1, "settings"),
        Binding::write(2, "corrections"),
        skip::VERDICT,
    ],
);

pub(super) const ADAM: Kernel = elements::kernel(
    "wgpu_linear::adam",
    (file!("adam.wgsl"), "adam"),
    &[
        Binding::dims::<Count>(),
        Binding::uniform::<Settings>(1, "settings"),
        Binding::write(2, "corrections"),
        Binding::read(3, "gradients"),
        Binding::write(4, "m"),
        Binding::write(5, "v"),
        Binding::write(6, "parameters"),
        skip::VERDICT,
    ],
);

impl NetworkKernels {
    /// Moves Adam's bias corrections one step on; once per step, before [`Self::adam`], and with the
    /// same verdict.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn adam_advance(
        &self,
        settings: &wgpu::Buffer,
        corrections: Vector<'_>,
        verdict: Option<Vector<'_>>,
    ) -> Result<Dispatch, PrepareError> {
        let is_told = verdict.is_some();
        let kernel = skip::kernel(ADAM_ADVANCE, is_told);
        expect_vector(kernel.label, "corrections", corrections, 2)?;
        let operands = [
            Operand::uniform::<Settings>("settings", settings),
            Operand::vector("corrections", corrections),
        ];
        let operands = skip::operands(&operands, verdict);
        let probe = || skip::probe(advance_probe(), is_told);
        self.cache
            .prepare_without_dims(&kernel, &operands, 1, &probe)
    }

    /// One step of Adam or AdamW; formulas in `shaders/adam.wgsl`.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn adam(&self, operands: Adam<'_>) -> Result<Dispatch, PrepareError> {
        let Adam {
            settings,
            corrections,
            gradients,
            m,
            v,
            parameters,
            verdict,
        } = operands;
        let is_told = verdict.is_some();
        let kernel = skip::kernel(ADAM, is_told);
        expect_vector(kernel.label, "corrections", corrections, 2)?;
        for (name, view) in [("m", m), ("v", v), ("parameters", parameters)] {
            expect_vector(kernel.label, name, view, gradients.len)?;
        }
        let operands = [
            Operand::uniform::<Settings>("settings", settings),
            Operand::vector("corrections", corrections),
            Operand::vector("gradients", gradients),
            Operand::vector("m", m),
            Operand::vector("v", v),
            Operand::vector("parameters", parameters),
        ];
        let operands = skip::operands(&operands, verdict);
        let elements = u64::from(gradients.len);
        let probe = || skip::probe(probe(), is_told);
        self.elementwise(&kernel, count(gradients.len), &operands, elements, &probe)
    }
}

const PROBED_SETTINGS: AdamSettings = AdamSettings {
    learning_rate: 0.5,
    beta1: 0.75,
    beta2: 0.5,
    epsilon: 0.0625,
    weight_decay: 0.125,
};

fn advance_probe() -> Probe {
    let before = [0.25, 0.5];
    let [first, second] = before.map(f64::from);
    let after = reference::adam_advance(&PROBED_SETTINGS, AdamCorrections { first, second });
    Probe::without_dims(1)
        .settings(settings(&PROBED_SETTINGS, false))
        .updates(&before, Wanted::near([after.first, after.second]))
}

fn probe() -> Probe {
    let corrections = [0.25, 0.5];
    let [first, second] = corrections.map(f64::from);
    let [gradients, m, parameters] = [1, 2, 3].map(|seed| quarters(seed, PROBED));
    let v: Vec<f32> = quarters(4, PROBED).iter().map(|v| v.abs()).collect();
    let [g, mut means, mut squares, mut p] =
        [&gradients, &m, &v, &parameters].map(|values| wide(values));
    let state = [means.view_mut(), squares.view_mut(), p.view_mut()];
    let corrected = AdamCorrections { first, second };
    reference::adam(&PROBED_SETTINGS, false, corrected, g.view(), state);
    Probe::new(count(PROBED as u32), PROBED_WORKGROUPS)
        .settings(settings(&PROBED_SETTINGS, false))
        .updates(&corrections, Wanted::exactly([first, second]))
        .reads(&gradients)
        .updates(&m, Wanted::near(means))
        .updates(&v, Wanted::near(squares))
        .updates(&parameters, Wanted::near(p))
}

/// What Adam keeps on the device.
#[derive(Debug)]
pub(super) struct AdamState {
    corrections: wgpu::Buffer,
    m: wgpu::Buffer,
    v: wgpu::Buffer,
}

impl AdamState {
    pub(super) fn new(gpu: &Gpu, elements: usize) -> Result<Self, GpuError> {
        Ok(Self {
            corrections: gpu.zeros("wgpu_linear::corrections", 2)?,
            m: gpu.zeros("wgpu_linear::m", elements)?,
            v: gpu.zeros("wgpu_linear::v", elements)?,
        })
    }
}

impl OptimizerState for AdamState {
    fn begin(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        verdict: Option<Vector<'_>>,
    ) -> Result<Option<Dispatch>, PrepareError> {
        let corrections = Vector::new(&self.corrections, 2);
        let advance = kernels.adam_advance(settings, corrections, verdict);
        advance.map(Some)
    }

    fn moments(&self) -> Vec<(&'static str, &wgpu::Buffer)> {
        vec![("m", &self.m), ("v", &self.v)]
    }

    fn scalars(&self) -> Vec<(&'static str, &wgpu::Buffer)> {
        vec![("corrections", &self.corrections)]
    }

    fn step(
        &self,
        kernels: &NetworkKernels,
        settings: &wgpu::Buffer,
        flat: &Flat<'_>,
    ) -> Result<Dispatch, PrepareError> {
        kernels.adam(Adam {
            settings,
            corrections: Vector::new(&self.corrections, 2),
            gradients: flat.gradients(),
            m: flat.of(&self.m),
            v: flat.of(&self.v),
            parameters: flat.parameters(),
            verdict: flat.verdict,
        })
    }
}
