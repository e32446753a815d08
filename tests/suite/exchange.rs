//! Networks to and from other frameworks.

use ndarray::Array2;
use wgpu_linear::exchange::onnx::{OnnxModel, Output};
use wgpu_linear::model::{Activation, LayerParameters, Model, NetworkConfig};
use wgpu_linear::reference::Mlp;

use crate::support::reals;

mod build;
mod foreign;
mod onnx;
mod peers;
mod pytorch;

/// Every activation, with parameters that are not those of ONNX where nothing is said.
fn activations() -> [Activation; Activation::ALL.len()] {
    Activation::ALL.map(|function| match function {
        Activation::LeakyRelu { .. } => Activation::LeakyRelu { slope: 0.25 },
        Activation::Sine { .. } => Activation::Sine { frequency: 3.0 },
        other => other,
    })
}

/// Layers with random weights and biases.
fn some_layers(random: &mut fastrand::Rng, sizes: &[usize]) -> Vec<LayerParameters> {
    let layer = |ends: &[usize]| LayerParameters {
        w: reals(random, ends[0], ends[1]),
        b: reals(random, 1, ends[1]).into_iter().collect(),
    };
    sizes.windows(2).map(layer).collect()
}

/// 3-5-4-2, with these functions behind the layers.
fn some_model(random: &mut fastrand::Rng, functions: [Activation; 3]) -> OnnxModel {
    let sizes = [3, 5, 4, 2];
    let layers = functions.iter().zip(&sizes[1..]);
    let config = layers.fold(NetworkConfig::new(sizes[0]), |config, (function, size)| {
        config.layer(*size, *function)
    });
    OnnxModel::new(&config, some_layers(random, &sizes)).unwrap()
}

/// What a file computes, by the twin in f64.
fn outputs(model: &OnnxModel, x: &Array2<f32>) -> Array2<f64> {
    let mut x = x.clone();
    if let Some(input) = &model.input {
        for mut row in x.rows_mut() {
            for (x, (mean, scale)) in row.iter_mut().zip(input.mean.iter().zip(&input.scale)) {
                *x = (*x - mean) / scale;
            }
        }
    }
    let mut twin = Mlp::<f64>::of_network(model.config()).unwrap();
    twin.set_parameters(&model.parameters()).unwrap();
    let mut t = twin.outputs(x.view()).unwrap();
    for mut row in t.rows_mut() {
        finish(&model.output, row.as_slice_mut().unwrap());
    }
    t
}

fn finish(output: &Output, row: &mut [f64]) {
    match output {
        Output::Softmax => {
            let sum: f64 = row.iter().map(|t| t.exp()).sum();
            row.iter_mut().for_each(|t| *t = t.exp() / sum);
        }
        Output::Sigmoid => row.iter_mut().for_each(|t| *t = 1.0 / (1.0 + (-*t).exp())),
        Output::Values { mean, scale } => {
            for (t, (mean, scale)) in row.iter_mut().zip(mean.iter().zip(scale)) {
                *t = *t * f64::from(*scale) + f64::from(*mean);
            }
        }
        _ => {}
    }
}

/// The largest |a − b|, relative to 1 + |b|; NaN where one of them is not finite.
fn difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let relative = |(a, b): (&f64, &f64)| (a - b).abs() / (1.0 + b.abs());
    let worse = |worst: f64, d: f64| if d <= worst { worst } else { d };
    a.iter().zip(b).map(relative).fold(0.0, worse)
}

/// Calls `read` with every beginning of `bytes`, and with every byte changed in some bits.
fn damage(bytes: &[u8], read: impl Fn(&[u8])) {
    for len in 0..bytes.len() {
        read(&bytes[..len]);
    }
    let mut random = fastrand::Rng::with_seed(3);
    let mut damaged = bytes.to_vec();
    for at in 0..bytes.len() {
        for flip in [1 << random.u8(..8), 0x80, 0xff, random.u8(1..)] {
            damaged[at] ^= flip;
            read(&damaged);
            damaged[at] = bytes[at];
        }
    }
}
