//! What this crate writes as ONNX, and reads of it.

use wgpu_linear::exchange::onnx::{self, OnnxError, OnnxModel, Output, Standardisation};
use wgpu_linear::model::{Activation, LayerParameters, ModelError};

use super::{activations, damage, some_model};

fn standardisation() -> Standardisation {
    Standardisation {
        mean: vec![0.1, -2.0, 30.0],
        scale: vec![0.7, 3.0, 1e-3],
    }
}

fn every_output() -> [Output; 4] {
    let values = Output::Values {
        mean: vec![7.0, -0.1],
        scale: vec![0.3, 11.0],
    };
    [Output::Logits, Output::Softmax, Output::Sigmoid, values]
}

#[test]
fn onnx_gives_back_every_activation_output_and_name() {
    let mut random = fastrand::Rng::with_seed(1);
    for activation in activations() {
        for output in every_output() {
            let functions = [activation, Activation::Tanh, Activation::Identity];
            let mut model = some_model(&mut random, functions);
            model.output = output;
            model.input = Some(standardisation());
            model.classes = vec!["no".to_owned(), "yes, or äöü".to_owned()];
            model.input_name = "features".to_owned();
            model.output_name = "layer_1.t".to_owned();
            model.metadata = [("licence".to_owned(), "none".to_owned())].into();
            let read = onnx::import(&onnx::export(&model).unwrap()).unwrap();
            assert_eq!(read, model);
        }
    }
}

#[test]
fn onnx_gives_back_activations_of_the_last_layer() {
    let mut random = fastrand::Rng::with_seed(2);
    for activation in activations() {
        let functions = [Activation::Relu, Activation::Identity, activation];
        let mut model = some_model(&mut random, functions);
        let read = onnx::import(&onnx::export(&model).unwrap()).unwrap();
        // A sigmoid at the end is what the outputs become.
        if activation == Activation::Sigmoid {
            model.layers[2].activation = Activation::Identity;
            model.output = Output::Sigmoid;
        }
        assert_eq!(read, model);
    }
}

#[test]
fn onnx_refuses_to_write_what_is_no_network() {
    let mut random = fastrand::Rng::with_seed(4);
    let good = some_model(&mut random, [Activation::Relu; 3]);
    let refused = |change: &dyn Fn(&mut OnnxModel)| {
        let mut model = good.clone();
        change(&mut model);
        onnx::export(&model).unwrap_err()
    };
    let column = |error: OnnxError| match error {
        OnnxError::Column { what, column, .. } => (what, column),
        other => panic!("{other}"),
    };
    let mut input = standardisation();
    input.scale[1] = 0.0;
    let zero = refused(&|model| model.input = Some(input.clone()));
    assert_eq!(column(zero), ("standardisation", 1));
    input = standardisation();
    input.mean.push(1.0);
    let long = refused(&|model| model.input = Some(input.clone()));
    assert_eq!(column(long), ("standardisation", 3));
    let [mean, scale] = [vec![1.0, f32::NAN], vec![1.0, 2.0]];
    let output = Output::Values { mean, scale };
    let not_finite = refused(&|model| model.output = output.clone());
    assert_eq!(column(not_finite), ("values", 1));
    let class = refused(&|model| model.classes = vec!["one".to_owned()]);
    assert!(matches!(class, OnnxError::Names { .. }), "{class}");
    let same = refused(&|model| model.input_name = "output".to_owned());
    assert!(matches!(same, OnnxError::Names { .. }), "{same}");
    let swapped = refused(&|model| model.layers.swap(0, 1));
    let is_shape = matches!(swapped, OnnxError::Model(ModelError::Shape { .. }));
    assert!(is_shape, "{swapped}");
    let nan = refused(&|model| model.layers[1].parameters.w[[2, 1]] = f32::NAN);
    let place = matches!(
        nan,
        OnnxError::Model(ModelError::NonFiniteParameter {
            layer: 2,
            row: 2,
            column: 1,
            ..
        })
    );
    assert!(place, "{nan}");
    let none = refused(&|model| model.layers.clear());
    let is_sizes = matches!(none, OnnxError::Model(ModelError::LayerSizes { .. }));
    assert!(is_sizes, "{none}");
}

#[test]
fn damaged_onnx_files_are_refused_or_read_as_a_network() {
    let mut random = fastrand::Rng::with_seed(5);
    let functions = [Activation::Gelu, Activation::Silu, Activation::Identity];
    let mut model = some_model(&mut random, functions);
    model.input = Some(standardisation());
    model.output = Output::Softmax;
    damage(&onnx::export(&model).unwrap(), |bytes| {
        if let Ok(read) = onnx::import(bytes) {
            let sound = |l: &LayerParameters| l.w.ncols() == l.b.len() && l.w.len() <= 20;
            assert!(read.parameters().iter().all(sound));
        }
    });
}
