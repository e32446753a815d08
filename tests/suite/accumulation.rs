//! Gradients of several batches in one update.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, Axis, s};
use wgpu_linear::model::{
    AdamSettings, LayerParameters, LionSettings, MlpConfig, Model, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::nn::{DeviceDataset, Goal, GradientSum, Mlp, Network, Training};
use wgpu_linear::{Dispatch, Matrix, PrepareError, Vector, reference};

use crate::support::{Guarded, gpu, network_kernels, reals, row};

type Prepare = fn(GradientSum<'_>) -> Result<Dispatch, PrepareError>;

/// Bit for bit: sums and one product, which WGSL wants correctly rounded.
#[test]
fn gradients_of_batches_are_added_up_as_by_the_twin() {
    let steps: [Prepare; 3] = [
        |operands| network_kernels().keep_gradients(operands),
        |operands| network_kernels().add_gradients(operands),
        |operands| network_kernels().mean_gradients(operands, 3),
    ];
    let mut random = fastrand::Rng::with_seed(91);
    for len in [0, 1, 255, 256, 257, 1000] {
        let batches: [Array1<f32>; 3] = std::array::from_fn(|_| row(reals(&mut random, 1, len)));
        let sum = Guarded::output(len);
        let mut twin = Array1::zeros(len);
        let mut last = batches[2].clone();
        reference::keep_gradients(batches[0].view(), twin.view_mut());
        reference::add_gradients(batches[1].view(), twin.view_mut());
        reference::mean_gradients(3, twin.view(), last.view_mut());
        for (i, (batch, prepare)) in batches.iter().zip(steps).enumerate() {
            let gradients = Guarded::input(batch);
            let dispatch = prepare(GradientSum {
                gradients: gradients.vector(),
                sum: sum.vector(),
            });
            gpu().run(&[dispatch.unwrap()]).unwrap();
            let expected = if i == 2 { &last } else { batch };
            assert_eq!(gradients.read(), expected.to_vec(), "{len} elements");
        }
        assert_eq!(sum.read(), twin.to_vec(), "{len} elements");
        let mean = (&batches[0] + &batches[1] + &batches[2]) / 3.0;
        assert_relative_eq!(last, mean, epsilon = 1e-6);
    }
}

fn sgd() -> Optimizer {
    Optimizer::Sgd(SgdSettings {
        learning_rate: 0.1,
        momentum: 0.5,
        ..SgdSettings::default()
    })
}

fn adam() -> Optimizer {
    Optimizer::Adam(AdamSettings {
        learning_rate: 1e-2,
        ..AdamSettings::default()
    })
}

fn config(optimizer: Optimizer, accumulation: u32) -> MlpConfig {
    MlpConfig {
        optimizer,
        accumulation,
        ..MlpConfig::new(&[5, 9, 3])
    }
}

/// Examples and their classes.
struct Sample {
    x: Array2<f32>,
    classes: Vec<u32>,
}

impl Sample {
    fn new(rows: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(92);
        Self {
            x: reals(&mut random, rows, 5),
            classes: (0..rows).map(|_| random.u32(0..3)).collect(),
        }
    }

    /// Trains on all of it, in batches of so many rows.
    fn train(&self, model: &mut dyn Model, rows: usize) {
        let parts = self.x.axis_chunks_iter(Axis(0), rows);
        for (x, classes) in parts.zip(self.classes.chunks(rows)) {
            model.train_batch(x, Targets::Classes(classes)).unwrap();
        }
    }
}

fn flat(layers: &[LayerParameters]) -> Vec<f32> {
    let layer = |layer: &LayerParameters| {
        [
            layer.w.clone().into_raw_vec_and_offset().0,
            layer.b.to_vec(),
        ]
        .concat()
    };
    layers.iter().flat_map(layer).collect()
}

fn near(actual: &[LayerParameters], expected: &[LayerParameters<f64>], epsilon: f64) {
    for (actual, expected) in actual.iter().zip(expected) {
        assert_relative_eq!(actual.w.mapv(f64::from), expected.w, epsilon = epsilon);
        assert_relative_eq!(actual.b.mapv(f64::from), expected.b, epsilon = epsilon);
    }
}

/// What the mean over the batches is, batches of equal size say at once: to rounding in f64, and on
/// the device against that.
#[test]
fn accumulated_batches_are_one_batch_of_all_their_rows() {
    let sample = Sample::new(96);
    for optimizer in [sgd(), adam()] {
        let mut whole = reference::Mlp::<f64>::new(config(optimizer, 1)).unwrap();
        let mut parts = reference::Mlp::<f64>::new(config(optimizer, 3)).unwrap();
        let mut device = Mlp::new(gpu(), config(optimizer, 3)).unwrap();
        sample.train(&mut whole, 24);
        sample.train(&mut parts, 8);
        sample.train(&mut device, 8);
        for (part, whole) in parts.layers().iter().zip(whole.layers()) {
            assert_relative_eq!(part.w, whole.w, epsilon = 1e-12);
            assert_relative_eq!(part.b, whole.b, epsilon = 1e-12);
        }
        near(&device.parameters().unwrap(), whole.layers(), 2e-6);
        let [a, b, c] = [whole.take_loss(), parts.take_loss(), device.take_loss()];
        let [a, b, c] = [a, b, c].map(Result::unwrap);
        assert_eq!([b.examples, c.examples], [a.examples; 2]);
    }
}

/// What comes before the last batch changes no parameter, and the mean is what is clipped.
#[test]
fn parameters_change_with_the_last_batch_alone() {
    let clipped = |accumulation| MlpConfig {
        clip_norm: Some(0.05),
        ..config(sgd(), accumulation)
    };
    let sample = Sample::new(8);
    let mut device = Mlp::new(gpu(), clipped(4)).unwrap();
    let mut twin = reference::Mlp::<f64>::new(clipped(4)).unwrap();
    let mut whole = reference::Mlp::<f64>::new(clipped(1)).unwrap();
    let first = device.parameters().unwrap();
    for round in 0..3 {
        for batch in 1..=4 {
            let before = (device.parameters().unwrap(), twin.layers().to_vec());
            let models: [&mut dyn Model; 2] = [&mut device, &mut twin];
            for model in models {
                let rows = 2 * (batch as usize - 1);
                let x = sample.x.slice(s![rows..rows + 2, ..]);
                let classes = Targets::Classes(&sample.classes[rows..rows + 2]);
                model.train_batch(x, classes).unwrap();
                assert_eq!(model.pending_batches(), batch % 4);
            }
            let after = (device.parameters().unwrap(), twin.layers().to_vec());
            assert_eq!(after.0 == before.0, batch < 4, "{round}, {batch}");
            assert_eq!(after.1 == before.1, batch < 4, "{round}, {batch}");
        }
        sample.train(&mut whole, 8);
    }
    assert_ne!(device.parameters().unwrap(), first);
    near(&device.parameters().unwrap(), whole.layers(), 1e-6);
    for (part, whole) in twin.layers().iter().zip(whole.layers()) {
        assert_relative_eq!(part.w, whole.w, epsilon = 1e-12);
    }
}

/// A learning rate of 0 until the last batch: the rate counts where the update is.
#[test]
fn the_rate_of_an_update_is_that_of_its_last_batch() {
    let sample = Sample::new(4);
    let mut moved = Mlp::new(gpu(), config(sgd(), 2)).unwrap();
    let mut still = Mlp::new(gpu(), config(sgd(), 2)).unwrap();
    let first = moved.parameters().unwrap();
    for (mlp, rates) in [(&mut moved, [0.0, 0.1]), (&mut still, [0.1, 0.0])] {
        for (rate, (x, classes)) in rates.into_iter().zip(
            sample
                .x
                .axis_chunks_iter(Axis(0), 2)
                .zip(sample.classes.chunks(2)),
        ) {
            mlp.set_learning_rate(rate).unwrap();
            mlp.train_batch(x, Targets::Classes(classes)).unwrap();
        }
    }
    assert_eq!(still.parameters().unwrap(), first);
    assert_ne!(moved.parameters().unwrap(), first);
}

/// From the host and on the device, over the ends of epochs: 5 batches an epoch, 3 an update, the
/// last of an epoch smaller; the same bits, every time.
#[test]
fn accumulation_gives_the_same_bits_from_the_host_and_on_the_device() {
    let sample = Sample::new(33);
    for optimizer in [sgd(), adam(), Optimizer::Lion(LionSettings::default())] {
        let run = |on_device: bool| {
            let mut mlp = Mlp::new(gpu(), config(optimizer, 3)).unwrap();
            let classes = Targets::Classes(&sample.classes);
            if on_device {
                let data = DeviceDataset::new(gpu(), sample.x.view(), classes).unwrap();
                mlp.load_dataset(data).unwrap();
            }
            let order: Vec<usize> = (0..33).collect();
            for epoch in 1..=20 {
                if on_device {
                    mlp.train_indices(&order, 7).unwrap();
                } else {
                    sample.train(&mut mlp, 7);
                }
                assert_eq!(mlp.pending_batches(), epoch * 5 % 3);
            }
            let loss = mlp.take_loss().unwrap();
            (flat(&mlp.parameters().unwrap()), loss)
        };
        let first = run(false);
        assert_eq!(run(true), first);
        assert_eq!(run(true), first);
        assert_eq!(run(false), first);
    }
}

/// The same number of dispatches as ever without, one for each batch with it.
#[test]
fn accumulation_takes_one_dispatch_a_batch() {
    let sample = Sample::new(2);
    let dispatches = |accumulation| {
        let mut mlp = Mlp::new(gpu(), config(sgd(), accumulation)).unwrap();
        sample.train(&mut mlp, 2);
        mlp.prepared_step(2).count()
    };
    // Two layers forward, the loss, three products and db backward, and the optimizer.
    assert_eq!(dispatches(1), 7);
    assert_eq!(dispatches(2), dispatches(1) + 1);
    assert_eq!(dispatches(7), dispatches(1) + 1);
}

/// Gradients that wait are forgotten where a model goes on from elsewhere.
#[test]
fn set_batches_begins_a_new_update() {
    let sample = Sample::new(8);
    let mut device = [(); 2].map(|()| Mlp::new(gpu(), config(sgd(), 2)).unwrap());
    let mut twins = [(); 2].map(|()| reference::Mlp::<f32>::new(config(sgd(), 2)).unwrap());
    // The first of each has one batch that the second has not.
    sample.train(&mut device[0], 8);
    sample.train(&mut twins[0], 8);
    device[0].set_batches(0).unwrap();
    twins[0].set_batches(0);
    assert_eq!(
        [device[0].pending_batches(), twins[0].pending_batches()],
        [0; 2]
    );
    for model in device.iter_mut() {
        sample.train(model, 4);
    }
    for model in twins.iter_mut() {
        sample.train(model, 4);
    }
    assert_eq!(
        device[0].parameters().unwrap(),
        device[1].parameters().unwrap()
    );
    assert_eq!(twins[0].layers(), twins[1].layers());
}

/// The same in the caller's passes.
#[test]
fn network_records_batch_by_batch() {
    let sample = Sample::new(12);
    let mut mlp = Mlp::new(gpu(), config(adam(), 3)).unwrap();
    let network = Network::new(gpu(), &config(adam(), 3)).unwrap();
    let labels = gpu().upload("labels", &sample.classes[..4]).unwrap();
    let x = Guarded::input(sample.x.slice(s![..4, ..]));
    let goal = Goal::Classes(Vector::new(&labels, 4));
    let x_view: Matrix<'_> = x.matrix(4, 5);
    let step = network.training(Training::new(x_view, goal)).unwrap();
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        (0..7).for_each(|batch| step.record_batch(&mut pass, batch));
    }
    gpu().queue().submit([encoder.finish()]);
    for _ in 0..7 {
        let x = sample.x.slice(s![..4, ..]);
        mlp.train_batch(x, Targets::Classes(&sample.classes[..4]))
            .unwrap();
    }
    assert_eq!(network.parameters().unwrap(), mlp.parameters().unwrap());
    assert_eq!(mlp.pending_batches(), 1);
}
