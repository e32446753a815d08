//! Training steps of the twin take nothing from the heap, once the buffers of a batch size are
//! there.
//!
//! A program of its own, without a test harness: the allocator counts for the whole process, all
//! threads included.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by panicking"
)]

use std::alloc::System;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wgpu_linear::model::{
    Activation, AdamSettings, Loss, MlpConfig, Model, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::ndarray::{Array2, Axis, Slice};
use wgpu_linear::reference::Mlp;

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
    println!("training steps of the twin allocate nothing");
}
