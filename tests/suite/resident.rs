//! Training on data that lives on the device: the same steps as from the host, bit for bit.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, array};
use wgpu_linear::events::Writer;
use wgpu_linear::model::{
    LayerParameters, Loss, MlpConfig, Model, ModelError, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::nn::{DeviceDataset, Examples, Gather, Mlp};
use wgpu_linear::train::{Dataset, Progress, Schedule, Summary, TrainOptions, Trainer};
use wgpu_linear::{PrepareError, Vector, reference};

use crate::delegate::delegate;
use crate::support::{Guarded, gpu, network_kernels, reals};

/// (examples, inputs, outputs, batch): nothing, one, ragged, more than a workgroup.
const SHAPES: [[usize; 4]; 5] = [
    [3, 2, 1, 0],
    [1, 1, 1, 1],
    [5, 3, 1, 7],
    [100, 257, 10, 65],
    [9, 64, 1, 33],
];

fn random_indices(random: &mut fastrand::Rng, examples: usize, batch: usize) -> Vec<u32> {
    (0..batch).map(|_| random.u32(0..examples as u32)).collect()
}

#[test]
fn gather_matches_its_twin_on_ragged_shapes() {
    let kernels = network_kernels();
    let mut random = fastrand::Rng::with_seed(41);
    for [examples, inputs, outputs, batch] in SHAPES {
        let (x, y) = (
            reals(&mut random, examples, inputs),
            reals(&mut random, examples, outputs),
        );
        let indices = random_indices(&mut random, examples, batch);
        let index_buffer = gpu().upload("indices", &indices).unwrap();
        let (data, wanted) = (Guarded::input(&x), Guarded::input(&y));
        let out = (
            Guarded::output(batch * inputs),
            Guarded::output(batch * outputs),
        );
        let gather = kernels.gather(Gather {
            indices: Vector::new(&index_buffer, batch as u32),
            data: Examples::Values(data.matrix(examples, inputs)),
            wanted: wanted.matrix(examples, outputs),
            x: out.0.matrix(batch, inputs),
            targets: out.1.matrix(batch, outputs),
        });
        gpu().run(&[gather.unwrap()]).unwrap();
        let picked = (
            out.0.read_matrix(batch, inputs),
            out.1.read_matrix(batch, outputs),
        );
        assert_eq!(picked.0, reference::gather(x.view(), &indices));
        assert_eq!(picked.1, reference::gather(y.view(), &indices));
    }
}

/// Bit for bit: one multiplication, which WGSL wants correctly rounded.
#[test]
fn gather_bytes_matches_its_twin_on_ragged_shapes() {
    let kernels = network_kernels();
    let mut random = fastrand::Rng::with_seed(42);
    for ([examples, inputs, outputs, batch], scale) in SHAPES
        .into_iter()
        .flat_map(|shape| [(shape, 1.0 / 16.0), (shape, 1.0 / 255.0)])
    {
        let bytes = Array2::from_shape_simple_fn((examples, inputs), || random.u8(..));
        let y = reals(&mut random, examples, outputs);
        let indices = random_indices(&mut random, examples, batch);
        let mut padded: Vec<u8> = bytes.iter().copied().collect();
        padded.resize(padded.len().next_multiple_of(4), 0);
        let words: Vec<u32> = padded
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        let (index_buffer, word_buffer) = (
            gpu().upload("indices", &indices).unwrap(),
            gpu().upload("words", &words).unwrap(),
        );
        let wanted = Guarded::input(&y);
        let out = (
            Guarded::output(batch * inputs),
            Guarded::output(batch * outputs),
        );
        let gather = kernels.gather(Gather {
            indices: Vector::new(&index_buffer, batch as u32),
            data: Examples::Bytes {
                words: Vector::new(&word_buffer, words.len() as u32),
                examples: examples as u32,
                inputs: inputs as u32,
                scale,
            },
            wanted: wanted.matrix(examples, outputs),
            x: out.0.matrix(batch, inputs),
            targets: out.1.matrix(batch, outputs),
        });
        gpu().run(&[gather.unwrap()]).unwrap();
        let expected = reference::gather_bytes(bytes.view(), scale, &indices);
        assert_eq!(out.0.read_matrix(batch, inputs), expected);
        out.1.read();
    }
}

#[test]
fn gather_refuses_shapes_that_do_not_fit() {
    let kernels = network_kernels();
    let buffers = [(); 5].map(|()| gpu().zeros("operand", 64).unwrap());
    let [indices, data, wanted, x, targets] = &buffers;
    let matrix = wgpu_linear::Matrix::new;
    let good = Gather {
        indices: Vector::new(indices, 2),
        data: Examples::Values(matrix(data, 5, 3)),
        wanted: matrix(wanted, 5, 1),
        x: matrix(x, 2, 3),
        targets: matrix(targets, 2, 1),
    };
    kernels.gather(good).unwrap();
    let empty = Gather {
        data: Examples::Values(matrix(data, 5, 0)),
        x: matrix(x, 2, 0),
        ..good
    };
    assert_eq!(kernels.gather(empty).unwrap().workgroups().len(), 0);
    let bytes = Examples::Bytes {
        words: Vector::new(data, 3),
        examples: 5,
        inputs: 3,
        scale: 1.0,
    };
    for (bad, name) in [
        (
            Gather {
                data: bytes,
                ..good
            },
            "data",
        ),
        (
            Gather {
                wanted: matrix(wanted, 4, 1),
                ..good
            },
            "wanted",
        ),
        (
            Gather {
                x: matrix(x, 2, 4),
                ..good
            },
            "x",
        ),
        (
            Gather {
                targets: matrix(targets, 3, 1),
                ..good
            },
            "targets",
        ),
    ] {
        let result = kernels.gather(bad);
        assert!(
            matches!(result, Err(PrepareError::Shape { operand, .. }) if operand == name),
            "{name}: {result:?}"
        );
    }
}

/// Examples as bytes, the same as f32, their classes, and values wanted.
struct Sample {
    bytes: Array2<u8>,
    scale: f32,
    x: Array2<f32>,
    classes: Vec<u32>,
    values: Array2<f32>,
}

fn sample(examples: usize, inputs: usize, outputs: usize, scale: f32) -> Sample {
    let mut random = fastrand::Rng::with_seed(43);
    let bytes = Array2::from_shape_simple_fn((examples, inputs), || random.u8(..));
    Sample {
        scale,
        x: bytes.mapv(|byte| f32::from(byte) * scale),
        classes: (0..examples)
            .map(|_| random.u32(0..outputs as u32))
            .collect(),
        values: reals(&mut random, examples, outputs),
        bytes,
    }
}

impl Sample {
    fn targets(&self, loss: Loss) -> Targets<'_> {
        match loss {
            Loss::SoftmaxCrossEntropy => Targets::Classes(&self.classes),
            _ => Targets::Values(self.values.view()),
        }
    }

    fn as_f32(&self, loss: Loss) -> DeviceDataset {
        DeviceDataset::new(gpu(), self.x.view(), self.targets(loss)).unwrap()
    }

    fn as_bytes(&self, loss: Loss) -> DeviceDataset {
        let targets = self.targets(loss);
        DeviceDataset::from_bytes(gpu(), self.bytes.view(), self.scale, targets).unwrap()
    }

    /// One step from the host.
    fn train_batch(&self, mlp: &mut Mlp, indices: &[usize]) {
        let rows: Vec<u32> = indices.iter().map(|index| *index as u32).collect();
        let x = reference::gather(self.x.view(), &rows);
        let classes: Vec<_> = indices.iter().map(|index| self.classes[*index]).collect();
        let values = reference::gather(self.values.view(), &rows);
        let targets = match mlp.loss() {
            Loss::SoftmaxCrossEntropy => Targets::Classes(&classes),
            _ => Targets::Values(values.view()),
        };
        mlp.train_batch(x.view(), targets).unwrap();
    }
}

fn mlp(config: &MlpConfig) -> Mlp {
    Mlp::new(gpu(), config.clone()).unwrap()
}

fn orders(examples: usize, count: usize) -> Vec<Vec<usize>> {
    let mut random = fastrand::Rng::with_seed(44);
    let mut order: Vec<_> = (0..examples).collect();
    let next = |_| {
        random.shuffle(&mut order);
        order.clone()
    };
    (0..count).map(next).collect()
}

/// f32 and bytes, both losses and two optimizers, with a smaller last batch: every bit of the
/// parameters is that of the steps from the host.
#[test]
fn training_on_the_device_gives_the_bits_of_training_from_the_host() {
    let sgd = Optimizer::Sgd(SgdSettings {
        momentum: 0.9,
        ..SgdSettings::default()
    });
    for (loss, optimizer, scale) in [
        (Loss::SoftmaxCrossEntropy, None, 1.0 / 16.0),
        (Loss::MeanSquaredError, Some(sgd), 1.0 / 255.0),
    ] {
        let mut config = MlpConfig {
            loss,
            ..MlpConfig::new(&[13, 17, 3])
        };
        config.optimizer = optimizer.unwrap_or(config.optimizer);
        let sample = sample(150, 13, 3, scale);
        let (mut host, mut device, mut bytes) = (mlp(&config), mlp(&config), mlp(&config));
        device.load_dataset(sample.as_f32(loss)).unwrap();
        bytes.load_dataset(sample.as_bytes(loss)).unwrap();
        for order in orders(150, 4) {
            for indices in order.chunks(32) {
                sample.train_batch(&mut host, indices);
            }
            device.train_indices(&order, 32).unwrap();
            bytes.train_indices(&order, 32).unwrap();
        }
        let expected = host.take_loss().unwrap();
        assert_eq!(expected.examples, 600);
        assert_eq!(device.take_loss().unwrap(), expected);
        assert_eq!(bytes.take_loss().unwrap(), expected);
        assert_ne!(
            host.parameters().unwrap(),
            mlp(&config).parameters().unwrap()
        );
        assert_eq!(device.parameters().unwrap(), host.parameters().unwrap());
        assert_eq!(bytes.parameters().unwrap(), host.parameters().unwrap());
    }
}

/// Whatever else is asked of the network between two steps comes after the first and before the
/// second.
#[test]
fn steps_that_wait_are_taken_before_anything_else() {
    let config = MlpConfig::new(&[5, 8, 3]);
    let sample = sample(60, 5, 3, 1.0 / 16.0);
    let loss = Loss::SoftmaxCrossEntropy;
    let (mut host, mut device) = (mlp(&config), mlp(&config));
    device.load_dataset(sample.as_f32(loss)).unwrap();
    // Many quick steps first, so that several fit a submission and have something to wait for.
    for order in orders(60, 20) {
        device.train_indices(&order, 4).unwrap();
        order
            .chunks(4)
            .for_each(|indices| sample.train_batch(&mut host, indices));
    }
    let order = &orders(60, 21)[20];
    device.set_order(order, 4).unwrap();
    for (i, indices) in order.chunks(4).enumerate() {
        assert!(device.train_next().unwrap());
        sample.train_batch(&mut host, indices);
        match i {
            0 => assert_eq!(device.parameters().unwrap(), host.parameters().unwrap()),
            1 => assert_eq!(device.take_loss().unwrap(), host.take_loss().unwrap()),
            2 => {
                device.set_learning_rate(0.5).unwrap();
                host.set_learning_rate(0.5).unwrap();
            }
            // More rows than fit the buffers of a batch.
            3 => {
                let x = sample.x.view();
                assert_eq!(device.predict(x).unwrap(), host.predict(x).unwrap());
            }
            4 => {
                sample.train_batch(&mut device, &[1, 2, 3]);
                sample.train_batch(&mut host, &[1, 2, 3]);
            }
            5 => {
                let first = wgpu_linear::model::initial_parameters(&config);
                device.set_parameters(&first).unwrap();
                host.set_parameters(&first).unwrap();
            }
            6 => assert_eq!(
                pollster::block_on(device.gradients_async()).unwrap(),
                pollster::block_on(host.gradients_async()).unwrap()
            ),
            7 => assert_eq!(device.histograms().unwrap(), host.histograms().unwrap()),
            _ => {}
        }
    }
    assert!(!device.train_next().unwrap());
    assert_eq!(device.parameters().unwrap(), host.parameters().unwrap());
}

/// More batch sizes than are kept, while steps wait.
#[test]
fn training_on_the_device_takes_any_number_of_batch_sizes() {
    let config = MlpConfig::new(&[5, 3]);
    let sample = sample(150, 5, 3, 1.0);
    let (mut host, mut device) = (mlp(&config), mlp(&config));
    device
        .load_dataset(sample.as_f32(Loss::SoftmaxCrossEntropy))
        .unwrap();
    let order = &orders(150, 1)[0];
    for batch in 70..140 {
        device.train_indices(order, batch).unwrap();
        order
            .chunks(batch)
            .for_each(|indices| sample.train_batch(&mut host, indices));
    }
    assert_eq!(device.parameters().unwrap(), host.parameters().unwrap());
}

/// More losses than there are slots, none of them waited for.
#[test]
fn requested_losses_arrive_in_order() {
    let config = MlpConfig::new(&[5, 8, 3]);
    let sample = sample(60, 5, 3, 1.0 / 16.0);
    let (mut host, mut device) = (mlp(&config), mlp(&config));
    device
        .load_dataset(sample.as_f32(Loss::SoftmaxCrossEntropy))
        .unwrap();
    assert!(Mlp::poll_loss(&mut device).unwrap().is_none());
    let order = &orders(60, 1)[0];
    device.set_order(order, 3).unwrap();
    let (mut expected, mut arrived) = (Vec::new(), Vec::new());
    for indices in order.chunks(3) {
        sample.train_batch(&mut host, indices);
        expected.push(host.take_loss().unwrap());
        device.train_next().unwrap();
        assert!(Mlp::request_loss(&mut device).unwrap());
    }
    assert_eq!(device.take_loss().unwrap().examples, 0);
    while let Some(loss) = Mlp::poll_loss(&mut device).unwrap() {
        arrived.push(loss);
    }
    assert_eq!(expected.len(), 20);
    assert_eq!(arrived, expected);
}

#[test]
fn mlp_refuses_bad_orders_and_stays_usable() {
    let mut mlp = mlp(&MlpConfig::new(&[2, 2]));
    assert!(matches!(
        mlp.train_indices(&[0], 1),
        Err(ModelError::NoData)
    ));
    assert!(matches!(mlp.train_next(), Err(ModelError::NoData)));
    let x = array![[1.0, 2.0], [3.0, 4.0]];
    let data = DeviceDataset::new(gpu(), x.view(), Targets::Classes(&[0, 1])).unwrap();
    assert_eq!((data.len(), data.inputs(), data.is_empty()), (2, 2, false));
    mlp.load_dataset(data).unwrap();
    let before = mlp.parameters().unwrap();
    let result = mlp.train_indices(&[0, 1, 2], 2);
    assert!(
        matches!(
            result,
            Err(ModelError::Index {
                position: 2,
                index: 2,
                examples: 2
            })
        ),
        "{result:?}"
    );
    assert!(matches!(
        mlp.train_indices(&[usize::MAX], 1),
        Err(ModelError::Index { .. })
    ));
    assert!(matches!(
        mlp.train_indices(&[0], 0),
        Err(ModelError::BatchSize)
    ));
    mlp.train_indices(&[], 3).unwrap();
    assert_eq!(mlp.parameters().unwrap(), before);
    mlp.train_indices(&[1, 0, 1], usize::MAX).unwrap();
    assert_eq!(mlp.take_loss().unwrap().examples, 3);
    mlp.unload().unwrap();
    assert!(matches!(
        mlp.train_indices(&[0], 1),
        Err(ModelError::NoData)
    ));
}

#[test]
fn device_dataset_refuses_what_no_network_could_learn_from() {
    let x = array![[1.0, 2.0], [3.0, f32::NAN]];
    let result = DeviceDataset::new(gpu(), x.view(), Targets::Classes(&[0, 1]));
    assert!(
        matches!(
            result,
            Err(ModelError::NonFinite {
                what: "x",
                row: 1,
                column: 1,
                ..
            })
        ),
        "{result:?}"
    );
    let x = array![[1.0, 2.0], [3.0, 4.0]];
    let result = DeviceDataset::new(gpu(), x.view(), Targets::Classes(&[0]));
    assert!(
        matches!(
            result,
            Err(ModelError::Shape {
                what: "classes",
                ..
            })
        ),
        "{result:?}"
    );
    let y = array![[f32::INFINITY], [0.0]];
    let result = DeviceDataset::new(gpu(), x.view(), Targets::Values(y.view()));
    assert!(
        matches!(
            result,
            Err(ModelError::NonFinite {
                what: "target values",
                ..
            })
        ),
        "{result:?}"
    );
    let bytes = array![[1, 2]];
    for scale in [f32::NAN, f32::INFINITY, 1e37] {
        let result = DeviceDataset::from_bytes(gpu(), bytes.view(), scale, Targets::Classes(&[0]));
        assert!(
            matches!(result, Err(ModelError::Setting { name: "scale", .. })),
            "{result:?}"
        );
    }
}

#[test]
fn mlp_refuses_data_sets_that_do_not_fit_it() {
    let mut mlp = mlp(&MlpConfig::new(&[2, 2]));
    let set = |mlp: &mut Mlp, x: ArrayView2<'_, f32>, targets| {
        mlp.load_dataset(DeviceDataset::new(gpu(), x, targets).unwrap())
    };
    let (x, wide) = (Array2::zeros((2, 2)), Array2::zeros((2, 3)));
    let result = set(&mut mlp, wide.view(), Targets::Classes(&[0, 1]));
    assert!(
        matches!(result, Err(ModelError::Shape { what: "x", .. })),
        "{result:?}"
    );
    let result = set(&mut mlp, x.view(), Targets::Classes(&[0, 2]));
    assert!(
        matches!(
            result,
            Err(ModelError::Class {
                example: 1,
                class: 2,
                classes: 2
            })
        ),
        "{result:?}"
    );
    let result = set(&mut mlp, x.view(), Targets::Values(x.view()));
    assert!(
        matches!(result, Err(ModelError::TargetKind { .. })),
        "{result:?}"
    );
    set(&mut mlp, x.view(), Targets::Classes(&[0, 1])).unwrap();
}

/// A network on the GPU that says it cannot hold a data set: the trainer hands it batch after
/// batch.
struct FromHost(Mlp);

impl Model for FromHost {
    delegate!(0: layer_sizes, device, config, train_batch, take_loss, predict, loss, learning_rate, set_learning_rate, parameters, histograms, set_parameters);
}

type Value = (String, i64, Option<u32>, Vec<(u64, Vec<u8>)>);
type Run = (Vec<Value>, Summary, Vec<LayerParameters>);

/// The values of the event file (without times and speeds), the parameters and the result of a run
/// that may end early.
fn run(mut model: impl Model, schedule: Schedule, stop_at: u64) -> Run {
    let sample = sample(150, 13, 3, 1.0 / 16.0);
    let train = Dataset::new(sample.x, sample.classes).unwrap();
    let options = TrainOptions {
        epochs: 3,
        batch: 32,
        report_every: 2,
        schedule,
        ..TrainOptions::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let summary = Trainer::new(options)
        .with_events(Writer::create(folder.path()).unwrap())
        .run(&mut model, &train, &train, |progress| match progress {
            Progress::Step { step, .. } if *step == stop_at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    let [file] = &crate::support::event_files(folder.path())[..] else {
        panic!("not exactly one file");
    };
    let points: Vec<_> = crate::decoder::decode(&std::fs::read(file).unwrap())
        .into_iter()
        .filter(|event| {
            event.tag != "examples_per_second" && !event.tag.starts_with("_hparams_/session")
        })
        .map(|event| (event.tag, event.step, event.value_bits, event.messages))
        .collect();
    (points, summary, model.parameters().unwrap())
}

#[test]
fn trainer_gives_the_same_run_whether_the_data_is_on_the_device_or_not() {
    let config = MlpConfig::new(&[13, 17, 3]);
    for schedule in [Schedule::Constant, Schedule::Cosine { floor: 0.1 }] {
        for stop_at in [u64::MAX, 8] {
            assert_eq!(
                run(mlp(&config), schedule, stop_at),
                run(FromHost(mlp(&config)), schedule, stop_at)
            );
        }
    }
}
