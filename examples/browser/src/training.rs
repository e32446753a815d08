//! Networks that learn XOR, events, and what can be set on the way.

use std::ops::ControlFlow;

use ndarray::{Array2, array};
use wgpu_linear::events::StreamWriter;
use wgpu_linear::events::reader::RecordReader;
use wgpu_linear::model::{AdamSettings, MlpConfig, Model, Optimizer, Targets};
use wgpu_linear::nn::{DeviceDataset, Mlp};
use wgpu_linear::train::{Dataset, TrainOptions, Trainer};
use wgpu_linear::{Gpu, reference};

use crate::operations::distance;
use crate::{Checked, ensure};

const CLASSES: [u32; 4] = [0, 1, 1, 0];

fn inputs() -> Array2<f32> {
    array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
}

fn config() -> MlpConfig {
    let settings = AdamSettings {
        learning_rate: 0.02,
        ..AdamSettings::default()
    };
    MlpConfig {
        optimizer: Optimizer::Adam(settings),
        ..MlpConfig::new(&[2, 16, 2])
    }
}

/// Events have a time, which a browser gives by a clock of its own.
pub(crate) fn check_events() -> Checked {
    let mut bytes = Vec::new();
    let mut events = StreamWriter::new(&mut bytes);
    events.scalar("loss", 1, 0.5)?;
    events.close()?;
    let mut records = RecordReader::new(&bytes[..]);
    let version = records.next_event()?.ok_or("no version")?;
    let event = records.next_event()?.ok_or("no event")?;
    let (from, to) = (1.7e9, 1e10);
    let time = event.wall_time;
    ensure(from < time && time < to, format!("the time is {time} s"))?;
    ensure(version.wall_time <= time, "time goes backwards")?;
    Ok(format!("{} bytes, at {time} s", bytes.len()))
}

pub(crate) fn check_trainer() -> Checked {
    let xor = Dataset::new(inputs(), CLASSES.to_vec())?;
    let mut mlp = reference::Mlp::<f32>::new(config())?;
    let options = TrainOptions {
        epochs: 500,
        batch: 3,
        ..TrainOptions::default()
    };
    let summary = Trainer::new(options).run(&mut mlp, &xor, &xor, |_| ControlFlow::Continue(()))?;
    let accuracy = summary.test.accuracy;
    ensure(accuracy == 1.0, format!("the accuracy is {accuracy}"))?;
    Ok(format!(
        "{} steps, loss {}",
        summary.steps, summary.test.loss
    ))
}

/// As many steps on the GPU as on the twin, and the same outputs.
pub(crate) async fn check_batches(gpu: &Gpu) -> Checked {
    let (x, targets) = (inputs(), Targets::Classes(&CLASSES));
    let mut twin = reference::Mlp::<f32>::new(config())?;
    let mut mlp = Mlp::new(gpu, config())?;
    for step in 0..300 {
        mlp.train_batch(x.view(), targets)?;
        twin.train_batch(x.view(), targets)?;
        if step % 50 == 49 {
            // A browser's queue grows as long as nobody waits.
            mlp.take_loss_async().await?;
        }
    }
    mlp.train_batch(x.view(), targets)?;
    let loss = mlp.take_loss_async().await?;
    ensure(
        loss.examples == 4 && loss.mean < 0.1,
        format!("the loss is {loss:?}"),
    )?;
    twin.train_batch(x.view(), targets)?;
    let outputs = mlp.predict_async(x.view()).await?;
    let far = distance(outputs.view(), twin.predict(x.view())?.view());
    ensure(
        far < 1e-2,
        format!("outputs are {far} from those of the twin"),
    )?;
    let right = |(row, class): (usize, &u32)| {
        let other = 1 - *class as usize;
        outputs[[row, *class as usize]] > outputs[[row, other]]
    };
    ensure(
        CLASSES.iter().enumerate().all(right),
        format!("classes are wrong: {outputs}"),
    )?;
    Ok(format!(
        "XOR learned, loss {}, {far:.0e} from the twin",
        loss.mean
    ))
}

/// On data that lies on the device, with the loss on its way meanwhile.
pub(crate) async fn check_resident(gpu: &Gpu) -> Checked {
    let (x, targets) = (inputs(), Targets::Classes(&CLASSES));
    let mut mlp = Mlp::new(gpu, config())?;
    mlp.load_dataset(DeviceDataset::new(gpu, x.view(), targets)?)?;
    let order: Vec<usize> = (0..4 * 64).map(|i| (i * 7 + i / 4) % 4).collect();
    let (mut asked, mut arrived) = (0, Vec::new());
    for _ in 0..10 {
        mlp.train_indices(&order, 4)?;
        // Where none arrives meanwhile, some cannot be asked for.
        asked += usize::from(mlp.request_loss()?);
        gpu.check_async().await?;
        arrived.extend(mlp.poll_loss()?);
    }
    let last = mlp.take_loss_async().await?;
    arrived.extend(std::iter::from_fn(|| mlp.poll_loss().ok().flatten()));
    ensure(
        asked > 5 && arrived.len() == asked,
        format!("{} of {asked} losses", arrived.len()),
    )?;
    let means: Vec<_> = arrived.iter().map(|loss| loss.mean).collect();
    ensure(
        means.is_sorted_by(|a, b| a > b),
        format!("losses do not fall: {means:?}"),
    )?;
    let examples: u64 = arrived
        .iter()
        .chain([&last])
        .map(|loss| loss.examples)
        .sum();
    ensure(
        examples == 10 * 256,
        format!("losses of {examples} examples"),
    )?;
    Ok(format!(
        "losses {:.3} to {:.4}",
        means[0],
        means[means.len() - 1]
    ))
}

/// Learning rate, parameters and training state, none of which waits.
pub(crate) async fn check_setters(gpu: &Gpu) -> Checked {
    let (x, targets) = (inputs(), Targets::Classes(&CLASSES));
    let mut first = Mlp::new(gpu, config())?;
    for _ in 0..20 {
        first.train_batch(x.view(), targets)?;
    }
    let (parameters, state) = (
        first.parameters_async().await?,
        first.training_state_async().await?,
    );
    let mut second = Mlp::new(
        gpu,
        MlpConfig {
            seed: 7,
            ..config()
        },
    )?;
    ensure(
        second.parameters_async().await? != parameters,
        "seeds make no difference",
    )?;
    second.set_parameters(&parameters)?;
    second.set_training_state(&state)?;
    ensure(
        second.parameters_async().await? == parameters,
        "parameters are not those set",
    )?;
    for mlp in [&mut first, &mut second] {
        mlp.set_learning_rate(0.02)?;
        mlp.train_batch(x.view(), targets)?;
    }
    let (ours, theirs) = (
        first.parameters_async().await?,
        second.parameters_async().await?,
    );
    ensure(
        ours != parameters && ours == theirs,
        "both go on differently",
    )?;
    second.set_learning_rate(0.0)?;
    second.train_batch(x.view(), targets)?;
    ensure(
        second.parameters_async().await? == theirs,
        "a rate of 0 changes parameters",
    )?;
    ensure(
        second.set_learning_rate(f32::NAN).is_err(),
        "a rate of NaN is taken",
    )?;
    Ok(format!(
        "the same bits, at a rate of {}",
        first.learning_rate()
    ))
}
