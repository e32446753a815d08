//! Beside PyTorch and onnxruntime, by `scripts/check_exchange.py`. Such tests are left out unless
//! asked for, since they need gigabytes of Python packages; `scripts/test --long` runs them.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use safetensors::SafeTensors;
use wgpu_linear::exchange::onnx;
use wgpu_linear::exchange::pytorch::{Naming, import};

use super::{difference, outputs};

/// What the document shows is what the tests run.
#[test]
fn python_of_the_document_is_that_of_the_script() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/EXCHANGE.md")).unwrap();
    let script = fs::read_to_string(root.join("scripts/check_exchange.py")).unwrap();
    let blocks = document.split("```python\n").skip(1);
    let blocks: Vec<&str> = blocks.map(|b| b.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2, "{blocks:?}");
    for block in blocks {
        assert!(script.contains(block), "no such lines:\n{block}");
    }
}

/// Files of PyTorch 2.15 and of `onnx`, made by `scripts/check_exchange.py golden`.
#[test]
fn files_of_pytorch_and_onnx_are_read_as_what_they_compute() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let graphs = ["gelu.script", "softplus.dynamo", "silu.dynamo", "by_hand"];
    for graph in graphs {
        let bytes = fs::read(folder.join(format!("{graph}.onnx"))).unwrap();
        let model = onnx::import(&bytes).unwrap();
        let (name, _) = graph.split_once('.').unwrap_or((graph, ""));
        let [x, expected] = read_values(&folder, name);
        let error = difference(&outputs(&model, &x), &expected.mapv(f64::from));
        assert!(error <= 1e-6, "{graph}: {error}");
    }
    let layers = fs::read(folder.join("gelu.safetensors")).unwrap();
    let layers = import(&layers, &Naming::default()).unwrap();
    let gelu = fs::read(folder.join("gelu.script.onnx")).unwrap();
    assert_eq!(onnx::import(&gelu).unwrap().parameters(), layers);
}

fn read_values(folder: &Path, name: &str) -> [Array2<f32>; 2] {
    let bytes = fs::read(folder.join(format!("{name}.values.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    ["x", "outputs"].map(|name| {
        let tensor = file.tensor(name).unwrap();
        let (words, _) = tensor.data().as_chunks::<4>();
        let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        Array2::from_shape_vec((tensor.shape()[0], tensor.shape()[1]), values).unwrap()
    })
}

mod slow {
    use std::path::Path;
    use std::process::Command;
    use std::{env, fs};

    use ndarray::{Array2, Axis, Slice};
    use safetensors::{Dtype, SafeTensors};
    use serde_json::{Value, json};
    use wgpu_linear::exchange::onnx::{self, OnnxLayer, OnnxModel, Output, Standardisation};
    use wgpu_linear::exchange::pytorch::{
        Naming, OptimizerState, export, export_training, import, import_training,
    };
    use wgpu_linear::model::{
        Activation, AdamSettings, Initialization, LayerParameters, MlpConfig, Model, NetworkConfig,
        Optimizer, SgdSettings, Targets,
    };
    use wgpu_linear::nn;
    use wgpu_linear::reference::{self, AdamCorrections, Mlp};

    use super::read_values;
    use crate::exchange::{activations, difference, outputs, some_layers};
    use crate::support::{gpu, reals};

    const PYTHON: &str = "WGPU_LINEAR_TORCH_PYTHON";

    /// Runs `scripts/check_exchange.py`; it must succeed.
    #[track_caller]
    fn python(what: &str, folder: &Path) {
        let python = env::var_os(PYTHON).unwrap_or_else(|| {
            panic!(
                "{PYTHON} is not set. It names a Python interpreter with the packages `torch`, \
                 `onnx`, `onnxruntime`, `onnxscript` and `safetensors`; `scripts/test --long` sets \
                 it up."
            )
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_exchange.py");
        let mut command = Command::new(python);
        let output = command.arg(script).arg(what).arg(folder).output().unwrap();
        let [said, complained] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{what}:\n{said}{complained}");
        print!("{said}");
    }

    /// A file of tensors of f32.
    fn write_values(folder: &Path, name: &str, x: &Array2<f32>, outputs: &Array2<f32>) {
        let bytes = |values: &Array2<f32>| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        let tensors = [("x", x), ("outputs", outputs)];
        let tensors = tensors.map(|(name, values)| (name, values.shape(), bytes(values)));
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (*name, view.unwrap())
        });
        let file = folder.join(format!("{name}.values.safetensors"));
        safetensors::serialize_to_file(views, None, &file).unwrap();
    }

    /// A network with this function behind hidden layers, first weights as PyTorch draws them, and
    /// what the device computes.
    fn on_the_device(
        random: &mut fastrand::Rng,
        sizes: &[usize],
        activation: Activation,
        x: &Array2<f32>,
    ) -> (Vec<LayerParameters>, Array2<f32>) {
        let config = MlpConfig {
            activation,
            initialization: Initialization::KaimingUniform,
            seed: random.u64(..),
            ..MlpConfig::new(sizes)
        };
        let mut mlp = nn::Mlp::new(gpu(), config).unwrap();
        let layers = mlp.parameters().unwrap();
        let outputs = mlp.predict(x.view()).unwrap();
        (layers, outputs)
    }

    /// Every activation under the names of *nn.Sequential*, and the other namings.
    fn write_state_dicts(folder: &Path, random: &mut fastrand::Rng) -> Vec<Value> {
        let sizes = [6, 16, 9, 4];
        let x = reals(random, 33, sizes[0]) * 2.0;
        let prefixes = ["encoder", "middle", "head"];
        let dropout = Naming::Sequential { stride: 3 };
        let namings = [
            ("dropout", dropout),
            ("prefixes", Naming::prefixes(prefixes)),
        ];
        let activations = activations().map(|function| (function.name(), function));
        let cases = activations.map(|(name, function)| (name, function, Naming::default()));
        let others = namings.map(|(name, naming)| (name, Activation::Relu, naming));
        let mut written = Vec::new();
        for (name, function, naming) in cases.into_iter().chain(others) {
            let (layers, outputs) = on_the_device(random, &sizes, function, &x);
            let file = folder.join(format!("{name}.safetensors"));
            fs::write(file, export(&layers, &naming).unwrap()).unwrap();
            write_values(folder, name, &x, &outputs);
            written.push(json!({
                "name": name,
                "sizes": sizes,
                "activation": function.name(),
                "parameter": function.parameter().map(|(_, value)| value),
                "stride": if name == "dropout" { 3 } else { 2 },
                "prefixes": if name == "prefixes" { &prefixes[..] } else { &[] },
            }));
        }
        written
    }

    /// Every activation, in the middle and at the end, with every output.
    fn write_graphs(folder: &Path, random: &mut fastrand::Rng) -> Vec<String> {
        let values = Output::Values {
            mean: vec![7.0, -0.5, 1.0],
            scale: vec![0.3, 2.0, -1.0],
        };
        let results = [Output::Logits, Output::Softmax, Output::Sigmoid, values];
        let mut names = Vec::new();
        for (number, function) in activations().into_iter().enumerate() {
            let config = NetworkConfig::new(5).layer(12, function);
            let config = config.layer(7, Activation::Tanh);
            let config = config.layer(3, activations()[8 - number]);
            let mut model = OnnxModel::new(&config, some_layers(random, &[5, 12, 7, 3])).unwrap();
            model.output = results[number % results.len()].clone();
            model.input = (number % 2 == 0).then(|| Standardisation {
                mean: vec![0.5, -3.0, 0.0, 10.0, 0.25],
                scale: vec![0.5, 2.0, 1.0, 20.0, 0.75],
            });
            model.classes = ["first", "second", "third"].map(String::from).to_vec();
            let name = format!("graph_{}", function.name());
            let x = reals(random, 17, 5) * 4.0;
            fs::write(
                folder.join(format!("{name}.onnx")),
                onnx::export(&model).unwrap(),
            )
            .unwrap();
            write_values(folder, &name, &x, &outputs(&model, &x).mapv(|t| t as f32));
            names.push(name);
        }
        names
    }

    #[test]
    #[ignore = "needs PyTorch and onnxruntime: WGPU_LINEAR_TORCH_PYTHON, or scripts/test --long"]
    fn pytorch_and_onnxruntime_compute_what_this_crate_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = fastrand::Rng::with_seed(11);
        let cases = json!({
            "state_dicts": write_state_dicts(folder.path(), &mut random),
            "onnx": write_graphs(folder.path(), &mut random),
        });
        fs::write(folder.path().join("cases.json"), cases.to_string()).unwrap();
        python("read", folder.path());
    }

    /// With the functions that the graph of the same network has, since a state dict has none.
    fn with_functions(layers: Vec<LayerParameters>, graph: &OnnxModel) -> OnnxModel {
        let functions = graph.layers.iter().map(|layer| layer.activation);
        let layer = |(parameters, activation)| OnnxLayer {
            parameters,
            activation,
        };
        let layers = layers.into_iter().zip(functions).map(layer).collect();
        OnnxModel {
            layers,
            ..graph.clone()
        }
    }

    #[test]
    #[ignore = "needs PyTorch and onnxruntime: WGPU_LINEAR_TORCH_PYTHON, or scripts/test --long"]
    fn this_crate_computes_what_pytorch_and_onnxruntime_do() {
        let folder = tempfile::tempdir().unwrap();
        python("write", folder.path());
        let read = |name: String| fs::read(folder.path().join(name)).unwrap();
        let graph = |name: String| onnx::import(&read(name)).unwrap();
        let check = |model: &OnnxModel, name: &str, what: &str| {
            let [x, expected] = read_values(folder.path(), name);
            let error = difference(&outputs(model, &x), &expected.mapv(f64::from));
            println!("{name}, {what}: {error:.1e}");
            assert!(error <= 1e-5, "{name}, {what}: {error}");
        };
        let names: Vec<String> = serde_json::from_slice(&read("cases.json".to_owned())).unwrap();
        assert_eq!(names.len(), Activation::ALL.len() + 1);
        for name in names {
            let [dynamo, script] =
                ["dynamo", "script"].map(|exporter| graph(format!("{name}.{exporter}.onnx")));
            check(&dynamo, &name, "torch.export");
            check(&script, &name, "torch.jit");
            assert_eq!(dynamo.layers, script.layers, "{name}");
            let first = dynamo.layers[0].activation.name();
            assert!(name == first || name == "no_bias", "{name}: {first}");
            let bytes = read(format!("{name}.safetensors"));
            let layers = import(&bytes, &Naming::default()).unwrap();
            check(&with_functions(layers, &dynamo), &name, "state dict");
        }
        let by_hand = graph("by_hand.onnx".to_owned());
        assert_eq!(by_hand.output, Output::Softmax);
        check(&by_hand, "by_hand", "onnx.helper");
    }

    /// A training that goes on with what another has remembered, in f64 by the twin.
    struct Training {
        twin: Mlp<f64>,
        optimizer: Optimizer,
        state: OptimizerState,
        /// As those of the state, in f64.
        moments: Vec<Vec<LayerParameters<f64>>>,
    }

    fn f64s(layers: &[LayerParameters]) -> Vec<LayerParameters<f64>> {
        let f64s = |layer: &LayerParameters| LayerParameters {
            w: layer.w.mapv(f64::from),
            b: layer.b.mapv(f64::from),
        };
        layers.iter().map(f64s).collect()
    }

    fn f32s(layers: &[LayerParameters<f64>]) -> Vec<LayerParameters> {
        let f32s = |layer: &LayerParameters<f64>| LayerParameters {
            w: layer.w.mapv(|v| v as f32),
            b: layer.b.mapv(|v| v as f32),
        };
        layers.iter().map(f32s).collect()
    }

    impl Training {
        fn read(bytes: &[u8], optimizer: Optimizer) -> Self {
            let (layers, state) = import_training(bytes, &Naming::default()).unwrap();
            let config = MlpConfig {
                activation: Activation::Tanh,
                optimizer,
                ..MlpConfig::new(&[6, 12, 4])
            };
            let mut twin = Mlp::new(config).unwrap();
            twin.set_parameters(&layers).unwrap();
            let moments = state.moments.iter().map(|(_, layers)| f64s(layers));
            Self {
                moments: moments.collect(),
                twin,
                optimizer,
                state,
            }
        }

        fn step(&mut self, x: &Array2<f32>, labels: &[u32], step: usize) {
            let rows = step % 5 * 16..step % 5 * 16 + 16;
            let x = x.slice_axis(Axis(0), Slice::from(rows.clone()));
            let targets = Targets::Classes(&labels[rows]);
            self.twin.backward(x, targets).unwrap();
            if let Some(steps) = &mut self.state.steps {
                *steps += 1;
            }
            let gradients = self.twin.gradients().to_vec();
            for (number, gradient) in gradients.iter().enumerate() {
                let layer = &mut self.twin.layers_mut()[number];
                match (self.optimizer, &mut self.moments[..]) {
                    (Optimizer::Sgd(settings), [velocity]) => {
                        let v = &mut velocity[number];
                        reference::sgd(
                            &settings,
                            gradient.w.view(),
                            v.w.view_mut(),
                            layer.w.view_mut(),
                        );
                        reference::sgd(
                            &settings,
                            gradient.b.view(),
                            v.b.view_mut(),
                            layer.b.view_mut(),
                        );
                    }
                    (Optimizer::Adam(settings) | Optimizer::AdamW(settings), [m, v]) => {
                        let decoupled = matches!(self.optimizer, Optimizer::AdamW(_));
                        let corrections = self.state.corrections(&settings).unwrap();
                        let [first, second] = corrections.map(f64::from);
                        let corrections = AdamCorrections { first, second };
                        let (m, v) = (&mut m[number], &mut v[number]);
                        let w = [m.w.view_mut(), v.w.view_mut(), layer.w.view_mut()];
                        reference::adam(&settings, decoupled, corrections, gradient.w.view(), w);
                        let b = [m.b.view_mut(), v.b.view_mut(), layer.b.view_mut()];
                        reference::adam(&settings, decoupled, corrections, gradient.b.view(), b);
                    }
                    (optimizer, moments) => panic!("{optimizer:?}: {} moments", moments.len()),
                }
            }
        }

        /// Weights and biases within 1e-4 of PyTorch's, by the norm of each.
        fn check(&self, bytes: &[u8], name: &str) {
            let expected = import(bytes, &Naming::default()).unwrap();
            for (ours, theirs) in self.twin.layers().iter().zip(&f64s(&expected)) {
                let norm = |squares: f64| squares.sqrt();
                let w = (&ours.w - &theirs.w).mapv(|d| d * d).sum();
                let b = (&ours.b - &theirs.b).mapv(|d| d * d).sum();
                let w = norm(w / theirs.w.mapv(|v| v * v).sum());
                let b = norm(b / theirs.b.mapv(|v| v * v).sum());
                println!("{name}: {w:.1e} {b:.1e}");
                assert!(w <= 1e-4 && b <= 1e-4, "{name}: {w} {b}");
            }
        }

        fn write(&self) -> Vec<u8> {
            let names = self.state.moments.iter().map(|(name, _)| name.clone());
            let moments = self.moments.iter().map(|layers| f32s(layers));
            let state = OptimizerState {
                moments: names.zip(moments).collect(),
                steps: self.state.steps,
            };
            let layers = f32s(self.twin.layers());
            export_training(&layers, &state, &Naming::default()).unwrap()
        }
    }

    fn optimizers() -> [(&'static str, Optimizer); 3] {
        let learning_rate = 0.007_812_5;
        let adam = |weight_decay| AdamSettings {
            learning_rate,
            weight_decay,
            ..AdamSettings::default()
        };
        let sgd = SgdSettings {
            learning_rate: 0.0625,
            momentum: 0.875,
            ..SgdSettings::default()
        };
        [
            ("adam", Optimizer::Adam(adam(0.003_906_25))),
            ("adamw", Optimizer::AdamW(adam(0.25))),
            ("momentum", Optimizer::Sgd(sgd)),
        ]
    }

    /// 20 steps there, 20 here, 20 there again, against 60 there.
    #[test]
    #[ignore = "needs PyTorch and onnxruntime: WGPU_LINEAR_TORCH_PYTHON, or scripts/test --long"]
    fn a_training_goes_from_pytorch_to_this_crate_and_back() {
        let folder = tempfile::tempdir().unwrap();
        python("begin", folder.path());
        let read = |name: String| fs::read(folder.path().join(name)).unwrap();
        let bytes = read("data.safetensors".to_owned());
        let data = SafeTensors::deserialize(&bytes).unwrap();
        let words = |name| {
            data.tensor(name)
                .unwrap()
                .data()
                .as_chunks::<4>()
                .0
                .to_vec()
        };
        let x = words("x").into_iter().map(f32::from_le_bytes).collect();
        let x = Array2::from_shape_vec((80, 6), x).unwrap();
        let labels: Vec<u32> = words("labels")
            .into_iter()
            .map(u32::from_le_bytes)
            .collect();
        for (name, optimizer) in optimizers() {
            let begun = read(format!("{name}.20.safetensors"));
            let mut training = Training::read(&begun, optimizer);
            (20..40).for_each(|step| training.step(&x, &labels, step));
            training.check(&read(format!("{name}.40.safetensors")), name);
            let (layers, state) = import_training(&begun, &Naming::default()).unwrap();
            let config = MlpConfig {
                activation: Activation::Tanh,
                optimizer,
                ..MlpConfig::new(&[6, 12, 4])
            };
            let mut mlp = nn::Mlp::new(gpu(), config).unwrap();
            mlp.set_parameters(&layers).unwrap();
            mlp.set_training_state(&state.training_state(&optimizer))
                .unwrap();
            for step in 20..40 {
                let rows = step % 5 * 16..step % 5 * 16 + 16;
                let x = x.slice_axis(Axis(0), Slice::from(rows.clone()));
                mlp.train_batch(x, Targets::Classes(&labels[rows])).unwrap();
            }
            let back = mlp.training_state().unwrap();
            let steps = state.steps.map_or(20, |steps| steps + 20);
            let back = OptimizerState::of(&back, steps);
            assert_eq!(back.steps, training.state.steps);
            training
                .twin
                .set_parameters(&mlp.parameters().unwrap())
                .unwrap();
            training.moments = back
                .moments
                .iter()
                .map(|(_, layers)| f64s(layers))
                .collect();
            training.check(&read(format!("{name}.40.safetensors")), name);
            let file = folder.path().join(format!("{name}.ours.safetensors"));
            fs::write(file, training.write()).unwrap();
        }
        python("end", folder.path());
    }
}
