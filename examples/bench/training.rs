//! Steps of training: `bench training`.

use std::time::Instant;

use ndarray::{Array2, Axis};
use serde_json::json;
use wgpu_linear::model::{MlpConfig, Model, ModelError, Optimizer, SgdSettings, Targets};
use wgpu_linear::{check, nn, reference};

use crate::Arguments;
use crate::contenders::Contender;
use crate::problem::{Outcome, uniform};
use crate::report::{Report, TRAINING_COLUMNS, guarded};
use crate::timing::{Samples, Session};

const LEARNING_RATE: f32 = 0.05;

/// Random batches that are trained on in turn.
pub(crate) struct Batches {
    pub(crate) x: Vec<Array2<f32>>,
    pub(crate) classes: Vec<Vec<u32>>,
}

impl Batches {
    pub(crate) fn new(sizes: &[usize], batch: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(43);
        let classes = sizes[sizes.len() - 1] as u32;
        Self {
            x: (0..4)
                .map(|_| uniform(&mut random, batch, sizes[0]))
                .collect(),
            classes: (0..4)
                .map(|_| (0..batch).map(|_| random.u32(0..classes)).collect())
                .collect(),
        }
    }
}

/// Trains `steps` steps and waits for the last; with `read_loss` for the loss of each. This is all
/// that is timed. The mean loss.
pub(crate) fn train(
    model: &mut dyn Model,
    batches: &Batches,
    steps: usize,
    read_loss: bool,
) -> Outcome<f64> {
    let rows = batches.classes[0].len();
    let order: Vec<_> = (0..batches.x.len() * rows)
        .cycle()
        .take(steps * rows)
        .collect();
    let loaded = match model.resident().map(|model| model.set_order(&order, rows)) {
        Some(Ok(())) => true,
        Some(Err(ModelError::NoData)) | None => false,
        Some(Err(error)) => return Err(error.into()),
    };
    let mut sum = 0.0;
    for step in 0..steps {
        if let Some(model) = model.resident().filter(|_| loaded) {
            model.train_next()?;
        } else {
            let batch = step % batches.x.len();
            let classes = Targets::Classes(&batches.classes[batch]);
            model.train_batch(batches.x[batch].view(), classes)?;
        }
        if read_loss {
            sum += f64::from(model.take_loss()?.mean);
        }
    }
    let mean = if read_loss {
        sum / steps as f64
    } else {
        f64::from(model.take_loss()?.mean)
    };
    if mean.is_finite() {
        Ok(mean)
    } else {
        Err(format!("wrong result: the loss is {mean}").into())
    }
}

/// Puts the batches where the model computes, if it has such a place.
fn load(model: &mut dyn Model, batches: &Batches) -> Outcome<()> {
    let views: Vec<_> = batches.x.iter().map(|x| x.view()).collect();
    let x = ndarray::concatenate(Axis(0), &views)?;
    if let Some(model) = model.resident() {
        model.load(x.view(), Targets::Classes(&batches.classes.concat()))?;
    }
    Ok(())
}

pub(crate) fn bench_training(
    arguments: &Arguments,
    session: Option<&Session>,
    report: &mut Report,
) -> Outcome<()> {
    report.measure_peaks(session, arguments.min_time)?;
    report.heading(&TRAINING_COLUMNS)?;
    for (sizes, batch) in &arguments.mlps {
        let contender = if session.is_some() {
            Contender::WgpuLinear
        } else {
            Contender::Ndarray
        };
        let name = sizes
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join("-");
        report.common(json!({"contender": contender.name(), "mlp": name, "m": batch, "k": sizes[0], "n": sizes[sizes.len() - 1]}));
        if let Err(error) = guarded(|| train_mlp(arguments, session, sizes, *batch, report)) {
            report.failure("train", &*error)?;
        }
    }
    Ok(())
}

/// A network of these sizes that plain SGD trains.
pub(crate) fn config(sizes: &[usize]) -> MlpConfig {
    let sgd = SgdSettings {
        learning_rate: LEARNING_RATE,
        ..SgdSettings::default()
    };
    MlpConfig {
        optimizer: Optimizer::Sgd(sgd),
        ..MlpConfig::new(sizes)
    }
}

pub(crate) fn train_mlp(
    arguments: &Arguments,
    session: Option<&Session>,
    sizes: &[usize],
    batch: usize,
    report: &mut Report,
) -> Outcome<()> {
    let config = config(sizes);
    let batches = Batches::new(sizes, batch);
    let begin = Instant::now();
    let mut model: Box<dyn Model> = match session {
        Some(session) => Box::new(nn::Mlp::new(&session.gpu, config.clone())?),
        None => Box::new(reference::Mlp::<f32>::new(config.clone())?),
    };
    load(&mut *model, &batches)?;
    let before = model.parameters()?;
    train(&mut *model, &batches, 1, true)?;
    let first = begin.elapsed().as_secs_f64();
    model.set_parameters(&before)?;
    let errors = check_training(&mut *model, config, &batches)?;
    check_reruns(&mut *model, &batches, arguments.rerun)?;
    for read_loss in [false, true] {
        let samples = time_training(&mut *model, &batches, read_loss, arguments.min_time)?;
        report.training(sizes, batch, read_loss, &samples, first, errors)?;
    }
    Ok(())
}

/// Three steps against the twin in f64: the relative errors of the loss and of what the steps
/// changed.
fn check_training(
    model: &mut dyn Model,
    config: MlpConfig,
    batches: &Batches,
) -> Outcome<[f64; 2]> {
    let targets = batches
        .classes
        .iter()
        .map(|labels| Targets::Classes(labels));
    let batches: Vec<_> = batches
        .x
        .iter()
        .map(|x| x.view())
        .zip(targets)
        .take(3)
        .collect();
    let errors = check::training(model, config, &batches)?;
    let (loss, update) = (errors.loss, errors.update);
    if errors.are_small() {
        return Ok([loss, update]);
    }
    Err(format!("wrong result, not timed: the loss is {loss:e} off, an update {update:e}").into())
}

/// The same steps from the same weights give the same bits. Plain SGD remembers nothing but the
/// weights.
pub(crate) fn check_reruns(model: &mut dyn Model, batches: &Batches, reruns: u32) -> Outcome<()> {
    let before = model.parameters()?;
    let mut expected = None;
    // One run to compare with comes first.
    for _ in 0..if reruns == 0 { 0 } else { reruns + 1 } {
        model.set_parameters(&before)?;
        train(model, batches, batches.x.len(), false)?;
        let after: Vec<_> = model
            .parameters()?
            .iter()
            .map(|layer| (layer.w.mapv(f32::to_bits), layer.b.mapv(f32::to_bits)))
            .collect();
        if *expected.get_or_insert_with(|| after.clone()) != after {
            return Err("wrong result, not timed: other bits on another run".into());
        }
    }
    Ok(())
}

/// Seconds a step, in five samples of many steps.
pub(crate) fn time_training(
    model: &mut dyn Model,
    batches: &Batches,
    read_loss: bool,
    min_time: f64,
) -> Outcome<Samples> {
    let mut seconds = |steps| -> Outcome<f64> {
        let begin = Instant::now();
        train(model, batches, steps, read_loss)?;
        Ok(begin.elapsed().as_secs_f64() / steps as f64)
    };
    let once = seconds(4)?;
    let inner = ((min_time / once) as usize).clamp(8, 200);
    seconds(inner)?;
    let wall = (0..5).map(|_| seconds(inner)).collect::<Outcome<_>>()?;
    Ok(Samples {
        wall,
        inner,
        ..Samples::default()
    }
    .sorted())
}

/// Floating-point operations of a step: forward and dW in every layer, dX in all but the first.
pub(crate) fn step_flops(sizes: &[usize], batch: usize) -> f64 {
    let products = sizes
        .windows(2)
        .map(|ends| 2.0 * (ends[0] * ends[1] * batch) as f64);
    3.0 * products.sum::<f64>() - 2.0 * (sizes[0] * sizes[1] * batch) as f64
}
