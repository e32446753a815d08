//! The same without a device: the CPU twin learns from the same kind of batches.

use std::error::Error;

use ndarray::Array2;
use wgpu_linear::model::{Model, NetworkConfig, Targets};
use wgpu_linear::reference;

use super::picture::{INPUTS, Picture, encode};
use super::{Clock, Learned};

pub(crate) fn learn(
    config: NetworkConfig,
    target: &Picture,
    batch: u32,
    seed: u64,
    clock: &Clock,
) -> Result<Learned, Box<dyn Error>> {
    let mut network = reference::Mlp::<f32>::of_network(config)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let pixels = target.pixels.len() as u32;
    let mut x = Array2::zeros((batch as usize, INPUTS));
    let mut y = Array2::zeros((batch as usize, 3));
    let mut frames = 0;
    while clock.passed() < 1.0 {
        for (mut x, mut y) in x.rows_mut().into_iter().zip(y.rows_mut()) {
            let pixel = random.u32(0..pixels);
            x.iter_mut()
                .zip(encode(target, pixel))
                .for_each(|(to, from)| *to = from);
            let colour = target.pixels[pixel as usize];
            y.iter_mut().zip(colour).for_each(|(to, from)| *to = from);
        }
        network.set_learning_rate(clock.learning_rate())?;
        network.train_batch(x.view(), Targets::Values(y.view()))?;
        frames += 1;
        if frames % 50 == 0 {
            clock.show(frames, network.take_loss()?.mean);
        }
    }
    let all: Vec<f32> = (0..pixels)
        .flat_map(|pixel| encode(target, pixel))
        .collect();
    let all = Array2::from_shape_vec((pixels as usize, INPUTS), all)?;
    let outputs = network.predict(all.view())?;
    Ok(Learned {
        picture: target.with_pixels(&outputs.into_iter().collect::<Vec<_>>()),
        frames,
        device: network.device(),
    })
}
