//! A lost device is an error, whatever is asked of it: no panic, no wait without end, and nothing
//! for the handlers that belong to the application.

use std::ops::ControlFlow;
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use wgpu_linear::events::{Reader, Writer};
use wgpu_linear::model::{
    Activation, LayerConfig, MlpConfig, Model, ModelError, NetworkConfig, Targets,
};
use wgpu_linear::nn::{
    DeviceDataset, Goal, Linear, Mlp, Network, NetworkKernels, Training, Update,
};
use wgpu_linear::train::{Dataset, Progress, TrainError, TrainOptions, Trainer};
use wgpu_linear::{Gpu, GpuError, Matrix, PrepareError, Vector};

use crate::operations::Operations;
use crate::support::{Heard, loss_of};

/// A device of its own, with handlers that count.
struct Doomed {
    gpu: Gpu,
    heard: Heard,
}

impl Doomed {
    fn new() -> Self {
        let gpu = Gpu::new().unwrap();
        let heard = Heard::of(gpu.device());
        Self { gpu, heard }
    }

    /// Loses the device; `let_go` has wgpu notice, and destroy what the device had.
    fn lose(&self, let_go: bool) {
        self.gpu.device().destroy();
        if let_go {
            self.gpu.device().poll(wgpu::PollType::Poll).unwrap();
        }
    }

    fn assert_silent(&self) {
        assert_eq!(self.heard.counts()[0], 0);
    }
}

fn is_lost(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::Gpu(GpuError::DeviceLost)
            | ModelError::Prepare(PrepareError::DeviceLost { .. })
    )
}

#[test]
fn every_call_of_a_gpu_reports_the_loss() {
    type Call<'a> = &'a dyn Fn(&Gpu) -> Result<(), GpuError>;
    for let_go in [false, true] {
        let doomed = Doomed::new();
        let gpu = &doomed.gpu;
        let buffer = gpu.upload("numbers", &[1.0, 2.0]).unwrap();
        let operations = Operations::new(gpu.device());
        let dispatches: Vec<_> = operations
            .prepare()
            .into_iter()
            .map(|(_, dispatch)| dispatch.unwrap())
            .collect();
        let earlier = gpu.run(&dispatches).unwrap();
        pollster::block_on(gpu.check_async()).unwrap();
        doomed.lose(let_go);
        let calls: [(&str, Call<'_>); 9] = [
            ("check", &|gpu| pollster::block_on(gpu.check_async())),
            ("upload", &|gpu| gpu.upload("more", &[1.0]).map(drop)),
            ("upload of nothing", &|gpu| {
                gpu.upload::<f32>("none", &[]).map(drop)
            }),
            ("zeros", &|gpu| gpu.zeros("zeros", 4).map(drop)),
            ("run", &|gpu| gpu.run(&dispatches).map(drop)),
            ("run of nothing", &|gpu| gpu.run(&[]).map(drop)),
            ("read", &|gpu| gpu.read::<f32>(&buffer).map(drop)),
            ("read_range", &|gpu| {
                gpu.read_range::<f32>(&buffer, 4, 1).map(drop)
            }),
            ("run and wait", &|gpu| gpu.wait(gpu.run(&dispatches)?)),
        ];
        for (name, call) in calls {
            for _ in 0..2 {
                let result = call(gpu);
                assert!(
                    matches!(result, Err(GpuError::DeviceLost)),
                    "{name}: {result:?}"
                );
            }
        }
        // What was submitted before is through, or lost.
        let result = gpu.wait(earlier);
        assert!(
            matches!(result, Ok(()) | Err(GpuError::DeviceLost)),
            "{result:?}"
        );
        doomed.assert_silent();
    }
}

#[test]
fn a_submission_that_was_refused_cannot_be_waited_for() {
    let doomed = Doomed::new();
    doomed.lose(false);
    let submission = doomed.gpu.queue().submit([]);
    let result = doomed.gpu.wait(submission);
    assert!(matches!(result, Err(GpuError::DeviceLost)), "{result:?}");
}

/// Compiled before or not, with kernels and operands from before the loss or after it.
#[test]
fn every_operation_reports_the_loss() {
    for (compiled, let_go) in [(false, false), (true, false), (true, true)] {
        let doomed = Doomed::new();
        let device = doomed.gpu.device();
        let before = Operations::new(device);
        if compiled {
            assert!(
                before
                    .prepare()
                    .iter()
                    .all(|(_, dispatch)| dispatch.is_ok())
            );
        }
        doomed.lose(let_go);
        let mut prepared = before.prepare();
        prepared.extend(after(device).prepare());
        assert_eq!(prepared.len(), 2 * 29);
        for (name, result) in prepared {
            let Err(PrepareError::DeviceLost { operation }) = result else {
                panic!("{name}: {result:?}");
            };
            assert!(operation.starts_with("wgpu_linear::"), "{operation}");
        }
        doomed.assert_silent();
    }
}

/// What is made on a lost device: wgpu hands it out without a word.
fn after(device: &wgpu::Device) -> Operations {
    Operations::new(device)
}

fn table(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i + 2 * j) % 5) as f32)
}

const CLASSES: [u32; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

/// A network with a data set, of which every part has been used once.
fn trained(gpu: &Gpu, x: ArrayView2<'_, f32>) -> Mlp {
    let mut mlp = Mlp::new(gpu, MlpConfig::new(&[4, 5, 3])).unwrap();
    let data = DeviceDataset::new(gpu, x, Targets::Classes(&CLASSES)).unwrap();
    mlp.load_dataset(data).unwrap();
    mlp.train_indices(&[0, 1, 2, 3], 2).unwrap();
    mlp.train_batch(x, Targets::Classes(&CLASSES)).unwrap();
    mlp.predict(x).unwrap();
    mlp.histograms().unwrap();
    mlp.set_order(&[0, 1, 2, 3, 4, 5], 2).unwrap();
    mlp
}

#[test]
fn every_call_of_a_network_reports_the_loss() {
    type Call<'a> = &'a dyn Fn(&mut Mlp) -> Result<(), ModelError>;
    let x = table(8, 4);
    let x = x.view();
    for let_go in [false, true] {
        let doomed = Doomed::new();
        let gpu = &doomed.gpu;
        let mut mlp = trained(gpu, x);
        let parameters = mlp.parameters().unwrap();
        let data = DeviceDataset::new(gpu, x, Targets::Classes(&CLASSES)).unwrap();
        doomed.lose(let_go);
        let two = x.slice_axis(ndarray::Axis(0), (..2).into());
        let three = x.slice_axis(ndarray::Axis(0), (..3).into());
        let calls: [(&str, Call<'_>); 15] = [
            ("predict", &|mlp| mlp.predict(x).map(drop)),
            ("predict, another size", &|mlp| mlp.predict(three).map(drop)),
            ("train_batch", &|mlp| {
                mlp.train_batch(x, Targets::Classes(&CLASSES))
            }),
            ("train_batch, another size", &|mlp| {
                mlp.train_batch(three, Targets::Classes(&CLASSES[..3]))
            }),
            ("train_batch, a larger size", &|mlp| {
                mlp.train_batch(table(9, 4).view(), Targets::Classes(&[0; 9]))
            }),
            ("take_loss", &|mlp| mlp.take_loss().map(drop)),
            ("request_loss", &|mlp| mlp.request_loss().map(drop)),
            ("parameters", &|mlp| mlp.parameters().map(drop)),
            ("gradients", &|mlp| {
                pollster::block_on(mlp.gradients_async()).map(drop)
            }),
            ("set_parameters", &|mlp| mlp.set_parameters(&parameters)),
            ("set_learning_rate", &|mlp| mlp.set_learning_rate(0.5)),
            ("histograms", &|mlp| mlp.histograms().map(drop)),
            ("load_dataset", &|mlp| mlp.load_dataset(data.clone())),
            ("train_indices", &|mlp| mlp.train_indices(&[0, 1, 2, 3], 2)),
            ("DeviceDataset::new", &|_| {
                DeviceDataset::new(gpu, two, Targets::Classes(&[0, 1])).map(drop)
            }),
        ];
        for (name, call) in calls {
            for _ in 0..2 {
                let error = call(&mut mlp).expect_err(name);
                assert!(is_lost(&error), "{name}: {error:?}");
            }
        }
        let error = Mlp::new(gpu, MlpConfig::new(&[4, 5, 3])).unwrap_err();
        assert!(is_lost(&error), "{error:?}");
        doomed.assert_silent();
    }
}

#[test]
fn every_call_of_a_network_between_buffers_reports_the_loss() {
    type Call<'a> = &'a dyn Fn(&mut Network) -> Result<(), ModelError>;
    for let_go in [false, true] {
        let doomed = Doomed::new();
        let gpu = &doomed.gpu;
        let config = NetworkConfig::new(4)
            .layer(5, Activation::Relu)
            .layer(3, Activation::Tanh);
        let mut network = Network::new(gpu, config.clone()).unwrap();
        let parameters = network.parameters().unwrap();
        let buffers = [16, 12, 4].map(|len| gpu.zeros("operand", len).unwrap());
        let [x, outputs, labels] = &buffers;
        let (x, outputs) = (Matrix::new(x, 4, 4), Matrix::new(outputs, 4, 3));
        let training = Training::new(x, Goal::Classes(Vector::new(labels, 4)));
        let kernels = NetworkKernels::new(gpu.device());
        let layers = network.layers().to_vec();
        let mut losses = network.losses().unwrap();
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        assert!(losses.record(&mut encoder));
        gpu.queue().submit([encoder.finish()]);
        losses.request();
        doomed.lose(let_go);
        let layer = LayerConfig::new(4, 5, Activation::Relu);
        let calls: [(&str, Call<'_>); 11] = [
            ("training", &|network| network.training(training).map(drop)),
            ("predict_into", &|network| {
                network.predict_into(x, outputs).map(drop)
            }),
            ("losses", &|network| network.losses().map(drop)),
            ("set_parameters", &|network| {
                network.set_parameters(&parameters)
            }),
            ("set_learning_rate", &|network| {
                network.set_learning_rate(0.5)
            }),
            ("parameters", &|network| network.parameters().map(drop)),
            ("Network::new", &|_| {
                Network::new(gpu, config.clone()).map(drop)
            }),
            ("Linear::new", &|_| Linear::new(gpu, layer, 0).map(drop)),
            ("Linear::set_parameters", &|network| {
                network.layers()[0].set_parameters(gpu, &parameters[0])
            }),
            ("Linear::parameters_async", &|network| {
                pollster::block_on(network.layers()[0].parameters_async(gpu)).map(drop)
            }),
            ("Update::new", &|network| {
                let optimizer = network.config().optimizer;
                let update = Update::new(gpu, optimizer, &layers)?;
                Ok(update.dispatches(&kernels).map(drop)?)
            }),
        ];
        for (name, call) in calls {
            let error = call(&mut network).expect_err(name);
            assert!(is_lost(&error), "{name}: {error:?}");
        }
        // The loss under way had arrived, or went with the device.
        let loss = loss_of(|| losses.poll());
        assert!(
            loss.is_ok() || matches!(&loss, Err(error) if is_lost(error)),
            "{loss:?}"
        );
        doomed.assert_silent();
    }
}

/// Steps that wait, a loss on its way: what is asked for next finds out.
#[test]
fn steps_and_losses_under_way_end_in_an_error() {
    let x = table(8, 4);
    let doomed = Doomed::new();
    let mut mlp = trained(&doomed.gpu, x.view());
    assert!(mlp.request_loss().is_ok());
    doomed.lose(false);
    let outcome = (0..100).find_map(|_| match mlp.train_next() {
        Err(error) => Some(Err(error)),
        Ok(false) => Some(mlp.submit()),
        Ok(true) => None,
    });
    let error = outcome.unwrap().unwrap_err();
    assert!(is_lost(&error), "{error:?}");
    let loss = loss_of(|| mlp.poll_loss());
    // It had arrived, or went with the device.
    assert!(
        loss.is_ok() || matches!(&loss, Err(error) if is_lost(error)),
        "{loss:?}"
    );
    doomed.assert_silent();
}

#[test]
fn a_trainer_ends_with_the_loss() {
    let doomed = Doomed::new();
    let mut mlp = Mlp::new(&doomed.gpu, MlpConfig::new(&[4, 5, 3])).unwrap();
    let data = Dataset::new(table(8, 4), CLASSES.to_vec()).unwrap();
    let options = TrainOptions {
        epochs: 1000,
        batch: 2,
        ..TrainOptions::default()
    };
    let mut epochs = 0;
    let result = Trainer::new(options).run(&mut mlp, &data, &data, |_| {
        epochs += 1;
        if epochs == 3 {
            doomed.gpu.device().destroy();
        }
        ControlFlow::Continue(())
    });
    let error = result.unwrap_err();
    assert!(
        matches!(&error, TrainError::Model(error) if is_lost(error)),
        "{error:?}"
    );
    doomed.assert_silent();
}

/// A training whose device is lost after so many steps, or after a time by another thread; its
/// event file is whole, and says how it ended.
fn check_loss_while_training(random: &mut fastrand::Rng) {
    let doomed = Doomed::new();
    let mut mlp = Mlp::new(&doomed.gpu, MlpConfig::new(&[4, 5, 3])).unwrap();
    let data = Dataset::new(table(8, 4), CLASSES.to_vec()).unwrap();
    let options = TrainOptions {
        epochs: 100_000,
        batch: 2,
        report_every: 1,
        histograms_every: random.u32(0..4),
        ..TrainOptions::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let events = Writer::create(folder.path()).unwrap();
    let (by_steps, last) = (random.bool(), random.u64(0..200));
    let pause = std::time::Duration::from_micros(random.u64(0..100_000));
    let device = doomed.gpu.device().clone();
    let result = std::thread::scope(|scope| {
        if !by_steps {
            scope.spawn(|| {
                std::thread::sleep(pause);
                device.destroy();
            });
        }
        let trainer = Trainer::new(options).with_events(events);
        trainer.run(&mut mlp, &data, &data, |progress| {
            if by_steps && matches!(progress, Progress::Step { step, .. } if *step >= last) {
                device.destroy();
            }
            ControlFlow::Continue(())
        })
    });
    let error = result.unwrap_err();
    assert!(
        matches!(&error, TrainError::Model(error) if is_lost(error)),
        "{error:?}"
    );
    doomed.assert_silent();
    check_events(folder.path());
}

/// Every record can be read to the end, the losses come step by step, and the run has failed.
fn check_events(folder: &Path) {
    let mut reader = Reader::open(folder).unwrap();
    let points: Vec<_> = reader.points().collect::<Result<_, _>>().unwrap();
    assert!(reader.tail().is_none(), "{:?}", reader.tail());
    let of_losses = points.iter().filter(|point| point.tag == "loss/train");
    let steps: Vec<_> = of_losses.map(|point| point.step).collect();
    let expected: Vec<_> = (1..).take(steps.len()).collect();
    assert_eq!(steps, expected);
    let ends = points
        .iter()
        .filter(|point| point.tag.contains("session_end"));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_device_lost_at_a_random_moment_of_a_training_is_an_error() {
    let mut random = fastrand::Rng::with_seed(3);
    (0..5).for_each(|_| check_loss_while_training(&mut random));
}

/// What `scripts/test --quick` leaves out.
mod slow {
    use super::check_loss_while_training;

    #[test]
    fn fifty_devices_lost_at_random_moments_of_a_training_are_errors() {
        let mut random = fastrand::Rng::with_seed(4);
        (0..50).for_each(|_| check_loss_while_training(&mut random));
    }
}
