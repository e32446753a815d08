//! 100 steps of every optimizer beside PyTorch in f64, from equal weights and batches, with clipping
//! by the global norm and a cosine schedule. `scripts/torch_reference.py` made the numbers.

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use safetensors::SafeTensors;
use serde_json::Value;
use wgpu_linear::exchange::pytorch::{Naming, import};
use wgpu_linear::model::{
    Activation, AdamSettings, LayerParameters, MlpConfig, Model, Optimizer, SgdSettings, Targets,
};
use wgpu_linear::nn;
use wgpu_linear::reference::Mlp;
use wgpu_linear::train::Schedule;

use crate::support::gpu;

const FILE: &[u8] = include_bytes!("../data/torch_reference.safetensors");

const NAMES: [&str; 5] = ["sgd", "momentum", "nesterov", "adam", "adamw"];

/// What the file holds beside weights.
struct Reference {
    settings: Value,
    x: Array2<f32>,
    labels: Vec<u32>,
}

impl Reference {
    fn read() -> Self {
        let (_, metadata) = SafeTensors::read_metadata(FILE).unwrap();
        let settings = &metadata.metadata().as_ref().unwrap()["settings"];
        let file = SafeTensors::deserialize(FILE).unwrap();
        let numbers = |name: &str| {
            let tensor = file.tensor(name).unwrap();
            let (words, _) = tensor.data().as_chunks::<4>();
            (words.to_vec(), tensor.shape().to_vec())
        };
        let (x, shape) = numbers("x");
        let x: Vec<f32> = x.into_iter().map(f32::from_le_bytes).collect();
        let (labels, _) = numbers("labels");
        Self {
            settings: serde_json::from_str(settings).unwrap(),
            x: Array2::from_shape_vec((shape[0], shape[1]), x).unwrap(),
            labels: labels.into_iter().map(u32::from_le_bytes).collect(),
        }
    }

    fn config(&self, name: &str) -> MlpConfig {
        let number = |key: &str| number(&self.settings[key]);
        let sizes = self.settings["sizes"].as_array().unwrap();
        let sizes: Vec<_> = sizes
            .iter()
            .map(|size| size.as_u64().unwrap() as usize)
            .collect();
        MlpConfig {
            activation: Activation::Tanh,
            optimizer: self.optimizer(name),
            clip_norm: Some(number("clip_norm")),
            ..MlpConfig::new(&sizes)
        }
    }

    fn optimizer(&self, name: &str) -> Optimizer {
        let settings = &self.settings["optimizers"][name];
        // Neither no step nor every step is clipped.
        let clipped = settings["clipped"].as_u64().unwrap();
        assert!((10..95).contains(&clipped), "{name}: {clipped}");
        let [learning_rate, weight_decay] =
            ["lr", "weight_decay"].map(|key| number(&settings[key]));
        let sgd = SgdSettings {
            learning_rate,
            momentum: settings.get("momentum").map_or(0.0, number),
            nesterov: settings.get("nesterov").is_some(),
            weight_decay,
        };
        let adam = || AdamSettings {
            learning_rate,
            beta1: number(&settings["betas"][0]),
            beta2: number(&settings["betas"][1]),
            epsilon: number(&settings["eps"]),
            weight_decay,
        };
        match name {
            "adam" => Optimizer::Adam(adam()),
            "adamw" => Optimizer::AdamW(adam()),
            _ => Optimizer::Sgd(sgd),
        }
    }

    /// Trains from the first weights of the file.
    fn train(&self, model: &mut impl Model) {
        let naming = Naming::prefixes(["first.0", "first.2", "first.4"]);
        model
            .set_parameters(&import(FILE, &naming).unwrap())
            .unwrap();
        let count = |key: &str| self.settings[key].as_u64().unwrap();
        let (batch, steps) = (count("batch") as usize, count("steps"));
        let floor = number(&self.settings["floor"]);
        let rate = model.learning_rate();
        for step in 0..steps {
            let factor = Schedule::Cosine { floor }.factor(step, steps, 0);
            model.set_learning_rate(rate * factor).unwrap();
            let begin = step as usize * batch % self.labels.len();
            let x = self
                .x
                .slice_axis(Axis(0), Slice::from(begin..begin + batch));
            let targets = Targets::Classes(&self.labels[begin..begin + batch]);
            model.train_batch(x, targets).unwrap();
        }
    }
}

/// One that f32 holds exactly.
fn number(value: &Value) -> f32 {
    let value = value.as_f64().unwrap();
    assert_eq!(f64::from(value as f32), value);
    value as f32
}

/// PyTorch's last weights in f64: outputs × inputs, and biases.
fn expected(name: &str) -> Vec<(Array2<f64>, Array1<f64>)> {
    let file = SafeTensors::deserialize(FILE).unwrap();
    let numbers = |name: String| {
        let tensor = file.tensor(&name).unwrap();
        let (words, _) = tensor.data().as_chunks::<8>();
        let numbers: Vec<f64> = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
        (numbers, tensor.shape().to_vec())
    };
    let layer = |number: usize| {
        let (w, shape) = numbers(format!("{name}.{number}.weight"));
        let (b, _) = numbers(format!("{name}.{number}.bias"));
        (
            Array2::from_shape_vec((shape[0], shape[1]), w).unwrap(),
            b.into(),
        )
    };
    [0, 2, 4].map(layer).to_vec()
}

/// ‖a − b‖ / ‖b‖ of one tensor, and the largest |a − b| / |b| of an element.
fn errors(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> [f64; 2] {
    let norm = |values: Array2<f64>| values.mapv(|v| v * v).sum().sqrt();
    let elements = (&a - &b) / b;
    let worse = |worst: f64, e: &f64| if e.abs() <= worst { worst } else { e.abs() };
    [
        norm(&a - &b) / norm(b.to_owned()),
        elements.iter().fold(0.0, worse),
    ]
}

/// Every tensor within `bound` of PyTorch, by its norm, and every single weight within ten times
/// that.
#[track_caller]
fn check(name: &str, layers: &[LayerParameters<f64>], bound: f64) {
    let expected = expected(name);
    assert_eq!(layers.len(), expected.len());
    for (number, (layer, (w, b))) in layers.iter().zip(&expected).enumerate() {
        let [by_row, row] = [layer.b.view(), b.view()].map(|b| b.insert_axis(Axis(0)));
        for (what, [norm, element]) in [
            ("w", errors(layer.w.t(), w.view())),
            ("b", errors(by_row, row)),
        ] {
            println!("{name} {number} {what}: {norm:.1e} {element:.1e}");
            assert!(norm <= bound, "{name}, layer {number}, {what}: {norm}");
            assert!(
                element <= 10.0 * bound,
                "{name}, layer {number}, {what}: {element}"
            );
        }
    }
}

fn f64s(layers: Vec<LayerParameters>) -> Vec<LayerParameters<f64>> {
    let f64s = |layer: LayerParameters| LayerParameters {
        w: layer.w.mapv(f64::from),
        b: layer.b.mapv(f64::from),
    };
    layers.into_iter().map(f64s).collect()
}

#[test]
fn optimizers_of_the_twin_agree_with_pytorch() {
    let reference = Reference::read();
    for name in NAMES {
        let mut twin = Mlp::<f64>::new(reference.config(name)).unwrap();
        reference.train(&mut twin);
        check(name, twin.layers(), 1e-6);
        let mut twin = Mlp::<f32>::new(reference.config(name)).unwrap();
        reference.train(&mut twin);
        check(name, &f64s(twin.parameters().unwrap()), 1e-4);
    }
}

#[test]
fn optimizers_on_the_device_agree_with_pytorch() {
    let reference = Reference::read();
    for name in NAMES {
        let mut mlp = nn::Mlp::new(gpu(), reference.config(name)).unwrap();
        reference.train(&mut mlp);
        check(name, &f64s(mlp.parameters().unwrap()), 1e-4);
    }
}
