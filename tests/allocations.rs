//! Training steps of the twin take nothing from the heap, once the buffers of a batch size are
//! there, those of a trainer included; and splits that move a data set take no more than the part.
//!
//! A program of its own, without a test harness: the allocator counts for the whole process, all
//! threads included.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by panicking"
)]

use std::alloc::System;
use std::ops::ControlFlow;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wgpu_linear::model::{
    Activation, AdamSettings, Loss, MlpConfig, Model, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::ndarray::{Array2, Axis, Slice};
use wgpu_linear::reference::Mlp;
use wgpu_linear::train::{Dataset, Progress, TrainOptions, Trainer};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and reallocations of steps with two batch sizes, after a few with both.
fn allocations(config: MlpConfig, batch: usize) -> usize {
    let (inputs, outputs) = (
        config.layer_sizes[0],
        config.layer_sizes[config.layer_sizes.len() - 1],
    );
    let x = Array2::from_shape_fn((batch, inputs), |(i, j)| {
        ((i * 7 + j * 3) % 11) as f32 / 11.0
    });
    let classes: Vec<u32> = (0..batch).map(|i| (i % outputs) as u32).collect();
    let values = Array2::from_shape_fn((batch, outputs), |(i, j)| ((i + j) % 3) as f32);
    let loss = config.loss;
    let mut mlp = Mlp::<f32>::new(config).unwrap();
    let mut step = |rows: usize| {
        let part = Slice::from(..rows);
        let targets = match loss {
            Loss::MeanSquaredError => Targets::Values(values.slice_axis(Axis(0), part)),
            _ => Targets::Classes(&classes[..rows]),
        };
        mlp.train_batch(x.slice_axis(Axis(0), part), targets)
            .unwrap();
    };
    // The last batch of an epoch is smaller.
    let mut steps = || (0..20).for_each(|i| step(batch - i % 2 * (batch / 3)));
    steps();
    // A thread that waits for work for the first time allocates what it waits with.
    std::thread::sleep(Duration::from_millis(20));
    steps();
    let region = Region::new(ALLOCATOR);
    steps();
    let change = region.change();
    change.allocations + change.reallocations
}

/// Allocations and reallocations between the first step of a trainer's third epoch and its last.
/// The last batch of an epoch is smaller.
fn trainer_allocations(data: &Dataset, loss: Loss) -> usize {
    let config = MlpConfig {
        loss,
        ..MlpConfig::new(&[64, 32, 10])
    };
    let options = TrainOptions {
        epochs: 3,
        batch: 16,
        histograms_every: 0,
        ..TrainOptions::default()
    };
    let steps = data.len().div_ceil(options.batch) as u64;
    let mut begin = ALLOCATOR.stats();
    let mut taken = None;
    Trainer::new(options)
        .run(
            &mut Mlp::<f32>::new(config).unwrap(),
            data,
            data,
            |progress| {
                match progress {
                    Progress::Step { step, .. } if *step == 2 * steps + 1 => {
                        begin = ALLOCATOR.stats()
                    }
                    Progress::Step { step, .. } if *step == 3 * steps => {
                        let change = ALLOCATOR.stats() - begin;
                        taken = Some(change.allocations + change.reallocations);
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    taken.unwrap()
}

/// 1,000 examples of 64 numbers, with classes or with values.
fn datasets() -> [(Dataset, Loss); 2] {
    let x = Array2::from_shape_fn((1000, 64), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 11.0);
    let classes = (0..1000).map(|i| i % 10).collect();
    let values = Array2::from_shape_fn((1000, 10), |(i, j)| ((i + j) % 3) as f32);
    [
        (
            Dataset::new(x.clone(), classes).unwrap(),
            Loss::SoftmaxCrossEntropy,
        ),
        (
            Dataset::with_values(x, values).unwrap(),
            Loss::MeanSquaredError,
        ),
    ]
}

/// Everything that is allocated meanwhile bounds what is held beside the data.
fn check_splits(data: Dataset) {
    let rows = data.len();
    let width = data.x().ncols() + data.values().map_or(1, Array2::ncols);
    let bytes = |examples: usize| 4 * width * examples;
    let check = |split: &dyn Fn(Dataset) -> (Dataset, Dataset)| {
        let whole = data.clone();
        let region = Region::new(ALLOCATOR);
        let (rest, taken) = split(whole);
        let change = region.change();
        // A byte and two indices for each example, at most, and the lists of the classes.
        let allowed = bytes(taken.len()) + 24 * rows;
        let (allocated, freed) = (change.bytes_allocated, change.bytes_deallocated);
        assert!(
            allocated <= allowed,
            "{allocated} bytes for {} of {rows} examples",
            taken.len()
        );
        // What the rest no longer needs is given back: nothing is held twice afterwards.
        assert!(allocated <= freed + 100, "{allocated} bytes, {freed} freed");
        assert_eq!(rest.len() + taken.len(), rows);
    };
    check(&|data| data.into_split(|i| i.is_multiple_of(10)));
    check(&|data| data.into_split_random(0.2, 1));
    check(&|data| data.into_split_stratified(0.2, 1));
}

fn main() {
    let small = MlpConfig::new(&[64, 128, 10]);
    let optimizers = [
        Optimizer::Sgd(SgdSettings::default()),
        Optimizer::Adam(AdamSettings::default()),
        Optimizer::AdamW(AdamSettings::default()),
    ];
    for optimizer in optimizers {
        let config = MlpConfig {
            optimizer,
            ..small.clone()
        };
        assert_eq!(allocations(config, 64), 0, "{optimizer:?}");
    }
    for (activation, loss) in [
        (Activation::Gelu, Loss::SoftmaxCrossEntropy),
        (Activation::Tanh, Loss::MeanSquaredError),
    ] {
        let config = MlpConfig {
            activation,
            loss,
            ..small.clone()
        };
        assert_eq!(allocations(config, 64), 0, "{activation:?}, {loss:?}");
    }
    let regularized = MlpConfig {
        dropout: 0.25,
        label_smoothing: 0.1,
        accumulation: 3,
        ..small
    };
    assert_eq!(allocations(regularized, 64), 0, "regularized");
    // Large enough for several threads, where there are processors.
    assert_eq!(allocations(MlpConfig::new(&[784, 512, 10]), 256), 0);
    for (data, loss) in datasets() {
        assert_eq!(trainer_allocations(&data, loss), 0, "{loss:?}");
        check_splits(data);
    }
    println!("training steps of the twin allocate nothing, and splits no more than the part");
}
