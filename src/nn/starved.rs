//! A network for which memory runs out, wherever it is asked for: a typed error, and the next time
//! the same network does the same as if nothing had happened.

use ndarray::{Array2, ArrayView2};

use super::{DeviceDataset, Mlp, Prediction};
use crate::device::{Gpu, GpuError};
use crate::kernel::{Matrix, PrepareError, starved};
use crate::model::{
    LayerHistograms, LayerParameters, MlpConfig, Model, ModelError, Targets, TrainingState,
};

const CLASSES: [u32; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

/// Tries again after an error, which must be one of memory, with sizes.
fn again<T>(mut call: impl FnMut() -> Result<T, ModelError>) -> T {
    let error = match call() {
        Ok(value) => return value,
        Err(error) => error,
    };
    let (told, bytes) = match &error {
        ModelError::Gpu(GpuError::OutOfMemory { label, bytes }) => (label.as_str(), *bytes),
        ModelError::Prepare(PrepareError::OutOfMemory { operation, bytes }) => (*operation, *bytes),
        _ => panic!("{error:?}"),
    };
    assert!(told.starts_with("wgpu_linear::"), "{error}");
    let is_compiling = matches!(error, ModelError::Prepare(_)) && bytes == 0;
    assert!(bytes > 0 || is_compiling, "{error}");
    call().unwrap()
}

/// Whatever a network has memory made for.
fn everything(gpu: &Gpu) -> Outcome {
    let x = Array2::from_shape_fn((8, 4), |(i, j)| ((i + 2 * j) % 5) as f32);
    let config = MlpConfig {
        clip_norm: Some(1.0),
        accumulation: 2,
        class_weights: vec![1.0, 2.0, 0.5],
        ..MlpConfig::new(&[4, 5, 3])
    };
    let mut mlp = again(|| Mlp::new(gpu, config.clone()));
    let data = again(|| DeviceDataset::new(gpu, x.view(), Targets::Classes(&CLASSES)));
    again(|| mlp.load_dataset(data.clone()));
    again(|| mlp.set_order(&[7, 6, 5, 4, 3, 2, 1, 0], 3));
    while again(|| mlp.train_next()) {}
    again(|| mlp.request_loss());
    again(|| mlp.train_batch(x.view(), Targets::Classes(&CLASSES)));
    let loss = again(|| mlp.take_loss());
    assert_eq!(loss.examples, mlp_examples(gpu));
    let predicted = again(|| mlp.predict(x.view()));
    between_buffers(gpu, &mlp, x.view());
    Outcome {
        predicted,
        histograms: again(|| mlp.histograms()),
        parameters: again(|| mlp.parameters()),
        state: again(|| mlp.training_state()),
    }
}

/// The noop device counts none.
fn mlp_examples(gpu: &Gpu) -> u64 {
    let executes = gpu.device().adapter_info().backend != wgpu::Backend::Noop;
    if executes { 8 } else { 0 }
}

fn between_buffers(gpu: &Gpu, mlp: &Mlp, x: ArrayView2<'_, f32>) {
    let x: Vec<f32> = x.iter().copied().collect();
    let x = again(|| Ok(gpu.upload("wgpu_linear::x", &x)?));
    let outputs = again(|| Ok(gpu.zeros("wgpu_linear::outputs", 24)?));
    let network = mlp.network().unwrap();
    let predict = || network.predict_into(Matrix::new(&x, 8, 4), Matrix::new(&outputs, 8, 3));
    let prediction: Prediction = again(predict);
    gpu.run(prediction.dispatches()).unwrap();
}

#[derive(Debug, PartialEq)]
struct Outcome {
    predicted: Array2<f32>,
    histograms: Vec<LayerHistograms>,
    parameters: Vec<LayerParameters>,
    state: TrainingState,
}

/// Each creation in its turn, on a device that executes nothing; how many there are.
#[test]
fn memory_that_runs_out_at_any_creation_is_told_and_forgotten() {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let gpu = Gpu::wrap(device.clone(), queue);
    let expected = everything(&gpu);
    let mut creations = 0;
    loop {
        starved::after(&device, creations);
        assert_eq!(everything(&gpu), expected, "creation {creations}");
        if starved::was_in_vain(&device) {
            break;
        }
        creations += 1;
    }
    assert!(creations > 80, "{creations}");
}

/// Some of them where kernels run: the same bits.
#[test]
fn a_network_that_found_no_memory_computes_the_same_bits() {
    let gpu = Gpu::new().unwrap();
    let expected = everything(&gpu);
    for creations in [0, 30, 61, 90] {
        starved::after(gpu.device(), creations);
        assert_eq!(everything(&gpu), expected, "creation {creations}");
        assert!(!starved::was_in_vain(gpu.device()), "{creations}");
    }
}
