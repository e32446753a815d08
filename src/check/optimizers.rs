//! Cases of the optimizers: a few steps against the twin, with the state between them.

use ndarray::Array1;

use super::bounds::U;
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::device::{Gpu, GpuError};
use crate::kernel::Dispatch;
use crate::model::{AdamSettings, LionSettings, Optimizer, SgdSettings};
use crate::nn::{Adam, Lion, Sgd, settings_bytes};
use crate::reference::{self, AdamCorrections};

const ELEMENTS: usize = 300;
const STEPS: usize = 5;

pub(super) fn cases() -> Vec<Case> {
    let sgd = SgdSettings {
        learning_rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.01,
    };
    let nesterov = SgdSettings {
        nesterov: true,
        ..sgd
    };
    let adam = AdamSettings {
        learning_rate: 0.01,
        weight_decay: 0.1,
        // So large that it shows.
        epsilon: 0.125,
        ..AdamSettings::default()
    };
    let lion = LionSettings {
        learning_rate: 0.01,
        weight_decay: 0.1,
        ..LionSettings::default()
    };
    let plain = SgdSettings {
        momentum: 0.0,
        ..sgd
    };
    let mut cases = vec![
        Case::new(name("sgd", "plain"), move |kernels| {
            by_sgd(&plain, None, kernels)
        }),
        Case::new(name("sgd", "momentum"), move |kernels| {
            by_sgd(&sgd, None, kernels)
        }),
        Case::new(name("sgd", "nesterov"), move |kernels| {
            by_sgd(&nesterov, None, kernels)
        }),
        Case::new(name("adam", "adam"), move |kernels| {
            by_adam(&adam, false, None, kernels)
        }),
        Case::new(name("adam", "adamw"), move |kernels| {
            by_adam(&adam, true, None, kernels)
        }),
        Case::new(name("lion", ""), move |kernels| {
            by_lion(&lion, None, kernels)
        }),
    ];
    cases.extend(told_cases());
    cases
}

/// Optimizers that look at a verdict, which has them take their steps, or leave them out.
fn told_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, verdict) in [("taken", [1, 0]), ("left out", [0, 1])] {
        let verdict = Some(verdict);
        cases.extend([
            Case::new(name("sgd", word), move |kernels| {
                by_sgd(&SgdSettings::default(), verdict, kernels)
            }),
            Case::new(name("adam", word), move |kernels| {
                by_adam(&AdamSettings::default(), false, verdict, kernels)
            }),
            Case::new(name("lion", word), move |kernels| {
                by_lion(&LionSettings::default(), verdict, kernels)
            }),
        ]);
    }
    cases
}

/// Those that are taken.
fn steps(verdict: Option<[u32; 2]>) -> usize {
    match verdict {
        Some([_, 1]) => 0,
        _ => STEPS,
    }
}

fn name(operation: &'static str, variant: &str) -> CheckName {
    CheckName {
        operation,
        shape: ELEMENTS.to_string(),
        variant: variant.to_owned(),
    }
}

/// Gradients, which stay the same, and parameters, both in ±1. No gradient is so near to 0 that
/// the sign of a mean, which Lion takes, would tell rounding errors apart.
fn vectors() -> [Array1<f32>; 2] {
    let mut random = fastrand::Rng::with_seed(25);
    let gradient = |_| (0.1 + 0.9 * random.f32()) * if random.bool() { 1.0 } else { -1.0 };
    let gradients = (0..ELEMENTS).map(gradient).collect();
    let parameters = (0..ELEMENTS).map(|_| 2.0 * random.f32() - 1.0).collect();
    [gradients, parameters]
}

fn settings(gpu: &Gpu, optimizer: &Optimizer) -> Result<wgpu::Buffer, GpuError> {
    let bytes = settings_bytes(optimizer);
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let label = "wgpu_linear::check settings";
    let buffer = gpu.create_buffer(label, bytes.len() as u64, usage)?;
    gpu.write(&buffer, 0, &bytes)?;
    Ok(buffer)
}

fn by_sgd(
    settings: &SgdSettings,
    verdict: Option<[u32; 2]>,
    kernels: &Kernels<'_>,
) -> Result<Work, Trouble> {
    let [gradients, parameters] = vectors();
    let uniform = self::settings(kernels.gpu, &Optimizer::Sgd(*settings))?;
    let mut operands = Operands::default();
    let g = operands.input(&gradients);
    let told = verdict.map(|verdict| operands.between_words(verdict));
    let start = 0.25;
    let v = operands.updated(&[start; ELEMENTS]);
    let p = operands.updated(&parameters);
    let gradients = gradients.mapv(f64::from);
    let mut parameters = parameters.mapv(f64::from);
    let mut velocity = Array1::from_elem(ELEMENTS, f64::from(start));
    for _ in 0..steps(verdict) {
        let state = (velocity.view_mut(), parameters.view_mut());
        reference::sgd(settings, gradients.view(), state.0, state.1);
    }
    let velocity = if settings.momentum == 0.0 {
        // The kernel leaves it as it is.
        Expected::exactly("velocity", v, [f64::from(start); ELEMENTS])
    } else {
        Expected::within("velocity", v, velocity, [2e-5; ELEMENTS])
    };
    let expected = vec![
        Expected::within("parameters", p, parameters, [2e-5; ELEMENTS]),
        velocity,
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let step = kernels.network.sgd(Sgd {
            settings: &uniform,
            gradients: on.vector(g),
            velocity: on.vector(v),
            parameters: on.vector(p),
            verdict: told.map(|told| on.vector(told)),
        })?;
        Ok(vec![step; STEPS])
    })
}

fn by_adam(
    settings: &AdamSettings,
    decoupled: bool,
    verdict: Option<[u32; 2]>,
    kernels: &Kernels<'_>,
) -> Result<Work, Trouble> {
    let [gradients, parameters] = vectors();
    let optimizer = if decoupled {
        Optimizer::AdamW(*settings)
    } else {
        Optimizer::Adam(*settings)
    };
    let uniform = self::settings(kernels.gpu, &optimizer)?;
    let mut operands = Operands::default();
    let g = operands.input(&gradients);
    let told = verdict.map(|verdict| operands.between_words(verdict));
    let c = operands.updated(&[0.0; 2]);
    let [m, v] = [0; 2].map(|_| operands.updated(&[0.0; ELEMENTS]));
    let p = operands.updated(&parameters);
    let gradients = gradients.mapv(f64::from);
    let mut parameters = parameters.mapv(f64::from);
    let [mut means, mut squares] = [0; 2].map(|_| Array1::zeros(ELEMENTS));
    let (first, second) = (0.0, 0.0);
    let mut corrections = AdamCorrections { first, second };
    for _ in 0..steps(verdict) {
        corrections = reference::adam_advance(settings, corrections);
        let state = [means.view_mut(), squares.view_mut(), parameters.view_mut()];
        reference::adam(settings, decoupled, corrections, gradients.view(), state);
    }
    let corrections = [corrections.first, corrections.second];
    let expected = vec![
        Expected::within("parameters", p, parameters, [2e-6; ELEMENTS]),
        Expected::within("m", m, means, [2e-6; ELEMENTS]),
        Expected::within("v", v, squares, [2e-6; ELEMENTS]),
        Expected::within(
            "corrections",
            c,
            corrections,
            corrections.map(|c| 40.0 * U * c),
        ),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let corrections = on.vector(c);
        let verdict = told.map(|told| on.vector(told));
        let advance = kernels
            .network
            .adam_advance(&uniform, corrections, verdict)?;
        let step = kernels.network.adam(Adam {
            settings: &uniform,
            corrections,
            gradients: on.vector(g),
            m: on.vector(m),
            v: on.vector(v),
            parameters: on.vector(p),
            verdict,
        })?;
        let both = [advance, step];
        let steps: Vec<Dispatch> = both.iter().cycle().take(2 * STEPS).cloned().collect();
        Ok(steps)
    })
}

fn by_lion(
    settings: &LionSettings,
    verdict: Option<[u32; 2]>,
    kernels: &Kernels<'_>,
) -> Result<Work, Trouble> {
    let [gradients, parameters] = vectors();
    let uniform = self::settings(kernels.gpu, &Optimizer::Lion(*settings))?;
    // Means that go with the gradient or against it, none of them so that the sum is near to 0 in
    // any of the steps.
    let against = |i: usize| 0.3 * (i % 6) as f32 - 0.3;
    let means: Array1<f32> = (0..ELEMENTS).map(|i| -against(i) * gradients[i]).collect();
    let mut operands = Operands::default();
    let g = operands.input(&gradients);
    let told = verdict.map(|verdict| operands.between_words(verdict));
    let m = operands.updated(&means);
    let p = operands.updated(&parameters);
    let gradients = gradients.mapv(f64::from);
    let [mut parameters, mut means] = [parameters, means].map(|values| values.mapv(f64::from));
    for _ in 0..steps(verdict) {
        let state = (means.view_mut(), parameters.view_mut());
        reference::lion(settings, gradients.view(), state.0, state.1);
    }
    let expected = vec![
        Expected::within("parameters", p, parameters, [2e-6; ELEMENTS]),
        Expected::within("m", m, means, [2e-6; ELEMENTS]),
    ];
    Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
        let step = kernels.network.lion(Lion {
            settings: &uniform,
            gradients: on.vector(g),
            m: on.vector(m),
            parameters: on.vector(p),
            verdict: told.map(|told| on.vector(told)),
        })?;
        Ok(vec![step; STEPS])
    })
}
