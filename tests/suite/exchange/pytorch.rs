//! State dicts of PyTorch.

use std::borrow::Cow;

use half::{bf16, f16};
use ndarray::array;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use wgpu_linear::exchange::pytorch::{
    self, Naming, OptimizerState, PyTorchError, export, export_training, import, import_training,
};
use wgpu_linear::model::LayerParameters;

use super::{damage, some_layers};

/// A tensor to be written.
struct Tensor(Dtype, Vec<usize>, Vec<u8>);

impl safetensors::View for &Tensor {
    fn dtype(&self) -> Dtype {
        self.0
    }
    fn shape(&self) -> &[usize] {
        &self.1
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.2)
    }
    fn data_len(&self) -> usize {
        self.2.len()
    }
}

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor(Dtype::F32, shape.to_vec(), bytes)
}

/// A tensor whose numbers do not matter.
fn any(shape: &[usize]) -> Tensor {
    f32s(shape, &vec![0.5; shape.iter().product()])
}

fn file(tensors: &[(&str, Tensor)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, tensor)| (*name, tensor));
    safetensors::serialize(views, None).unwrap()
}

fn some(sizes: &[usize]) -> Vec<LayerParameters> {
    some_layers(&mut fastrand::Rng::with_seed(7), sizes)
}

#[test]
fn a_state_dict_has_the_names_and_the_transposes_of_pytorch() {
    let layers = [LayerParameters {
        w: array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
        b: array![7.0, 8.0, 9.0],
    }];
    let bytes = export(&layers, &Naming::default()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["0.bias", "0.weight"]);
    let numbers = |tensor: &TensorView<'_>| -> Vec<f32> {
        let numbers = tensor.data().chunks(4);
        numbers
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let weight = file.tensor("0.weight").unwrap();
    assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, &[3, 2][..]));
    assert_eq!(numbers(&weight), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let bias = file.tensor("0.bias").unwrap();
    assert_eq!(bias.shape(), [3]);
    assert_eq!(numbers(&bias), [7.0, 8.0, 9.0]);
}

#[test]
fn state_dicts_come_back_under_every_naming() {
    let layers = some(&[3, 5, 4, 2]);
    let names = |naming: &Naming| {
        let bytes = export(&layers, naming).unwrap();
        assert_eq!(import(&bytes, naming).unwrap(), layers);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let names = file
            .names()
            .into_iter()
            .filter_map(|n| n.strip_suffix(".weight"));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&Naming::default()), ["0", "2", "4"]);
    assert_eq!(names(&Naming::Sequential { stride: 3 }), ["0", "3", "6"]);
    let prefixes = Naming::prefixes(["in", "z.mid", "head"]);
    assert_eq!(names(&prefixes), ["head", "in", "z.mid"]);
    // Twelve layers: 10 comes behind 8, not behind 0.
    let deep = some(&[2, 3, 4, 5, 2, 3, 4, 5, 2, 3, 4, 5, 2]);
    let bytes = export(&deep, &Naming::default()).unwrap();
    assert_eq!(import(&bytes, &Naming::default()).unwrap(), deep);
    // A lone layer without a prefix.
    let lone = some(&[3, 2]);
    let bytes = export(&lone, &Naming::prefixes([""])).unwrap();
    assert!(
        SafeTensors::deserialize(&bytes)
            .unwrap()
            .tensor("weight")
            .is_ok()
    );
    assert_eq!(import(&bytes, &Naming::default()).unwrap(), lone);
}

#[test]
fn layers_are_read_in_the_order_of_their_numbers_and_without_biases() {
    let bytes = file(&[
        ("net.10.weight", f32s(&[1, 2], &[5.0, 6.0])),
        ("net.9.weight", f32s(&[2, 1], &[3.0, 4.0])),
        ("net.9.bias", f32s(&[2], &[1.0, 2.0])),
    ]);
    let layers = import(&bytes, &Naming::default()).unwrap();
    assert_eq!(layers[0].w, array![[3.0, 4.0]]);
    assert_eq!(layers[0].b, array![1.0, 2.0]);
    assert_eq!(layers[1].w, array![[5.0], [6.0]]);
    assert_eq!(layers[1].b, array![0.0]);
}

#[test]
fn numbers_of_every_float_type_become_f32() {
    let values = [1.5_f32, -2.25, 0.0625, 96.0];
    let of = |dtype, bytes: Vec<u8>| {
        let bytes = file(&[("0.weight", Tensor(dtype, vec![4, 1], bytes))]);
        let layers = import(&bytes, &Naming::default()).unwrap();
        assert_eq!(layers[0].w.as_slice().unwrap(), values, "{dtype:?}");
    };
    let halves = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes());
    of(Dtype::F16, halves.collect());
    let brains = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes());
    of(Dtype::BF16, brains.collect());
    let doubles = values.iter().flat_map(|v| f64::from(*v).to_le_bytes());
    of(Dtype::F64, doubles.collect());
}

/// Each file with the words of its error.
#[test]
fn state_dicts_that_are_no_network_are_refused() {
    let default = Naming::default();
    let two = Naming::prefixes(["a", "b"]);
    let integers = Tensor(Dtype::I64, vec![1, 1], vec![0; 8]);
    let empty = |shape: &[usize]| Tensor(Dtype::F32, shape.to_vec(), Vec::new());
    let good = || ("0.weight", any(&[2, 3]));
    for (tensors, naming, words) in [
        (vec![], &default, "there is no linear layer"),
        (
            vec![good(), ("1.weight", any(&[2]))],
            &default,
            "1.weight with shape [2] belongs to no linear",
        ),
        (
            vec![good(), ("1.running_mean", any(&[2]))],
            &default,
            "1.running_mean",
        ),
        (vec![good(), ("1.bias", any(&[2]))], &default, "1.bias"),
        (
            vec![good(), ("c.weight", any(&[2, 2, 3, 3]))],
            &default,
            "c.weight",
        ),
        (
            vec![("0.weight", integers)],
            &default,
            "0.weight is of type I64",
        ),
        (
            vec![good(), ("2.weight", any(&[1, 3]))],
            &default,
            "2 takes 3 inputs, but 0 before it gives 2 outputs",
        ),
        (
            vec![good(), ("0.bias", any(&[3]))],
            &default,
            "0.bias has shape [3], expected [2]",
        ),
        (
            vec![good(), ("0.bias", any(&[1, 2]))],
            &default,
            "0.bias has shape [1, 2], expected [2]",
        ),
        // No bytes, and more outputs than there is memory.
        (
            vec![("0.weight", empty(&[1 << 44, 0]))],
            &default,
            "without inputs or outputs",
        ),
        (
            vec![("0.weight", empty(&[0, 3]))],
            &default,
            "without inputs or outputs",
        ),
        (
            vec![("a.weight", any(&[2, 3]))],
            &two,
            "there is no tensor b.weight",
        ),
        (
            vec![("a.weight", any(&[2, 3])), ("b.weight", any(&[2]))],
            &two,
            "b.weight with shape [2]",
        ),
    ] {
        let said = import(&file(&tensors), naming).unwrap_err().to_string();
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    let twice = Naming::prefixes(["0", "0"]);
    let error = import(&file(&[good()]), &twice).unwrap_err();
    assert!(matches!(error, PyTorchError::Names { .. }), "{error}");
    for bytes in [&b""[..], b"not a file", &[0xff; 64]] {
        let error = import(bytes, &default).unwrap_err();
        assert!(matches!(error, PyTorchError::File(_)), "{error}");
    }
}

#[test]
fn layers_named_by_prefixes_leave_the_others_out() {
    let bytes = file(&[
        ("norm.running_mean", any(&[4])),
        ("head.weight", f32s(&[1, 2], &[3.0, 4.0])),
        ("conv.weight", any(&[1, 1, 3, 3])),
    ]);
    let layers = import(&bytes, &Naming::prefixes(["head"])).unwrap();
    assert_eq!(layers[0].w, array![[3.0], [4.0]]);
}

#[test]
fn layers_that_are_no_network_are_not_written() {
    let refused = |layers: &[LayerParameters], naming: &Naming| {
        export(layers, naming).unwrap_err().to_string()
    };
    let default = Naming::default();
    let layers = some(&[3, 5, 4]);
    let said = refused(&layers, &Naming::prefixes(["a"]));
    assert!(said.contains("2 layers need as many prefixes"), "{said}");
    let said = refused(&layers, &Naming::Sequential { stride: 0 });
    assert!(said.contains("all different"), "{said}");
    assert!(refused(&[], &default).contains("no linear layer"));
    let swapped = [layers[1].clone(), layers[0].clone()];
    let said = refused(&swapped, &default);
    assert!(
        said.contains("2 takes 3 inputs, but 0 before it gives 4"),
        "{said}"
    );
    let mut short = layers.clone();
    short[1].b = array![1.0];
    let said = refused(&short, &default);
    assert!(
        said.contains("2.bias has shape [1], expected [4]"),
        "{said}"
    );
}

fn some_state() -> OptimizerState {
    let layers = |seed| some_layers(&mut fastrand::Rng::with_seed(seed), &[3, 5, 2]);
    OptimizerState {
        moments: vec![
            ("exp_avg".to_owned(), layers(1)),
            ("exp_avg_sq".to_owned(), layers(2)),
        ],
        steps: Some((1 << 24) + 1),
    }
}

#[test]
fn what_an_optimizer_remembers_comes_back() {
    let (layers, state) = (some(&[3, 5, 2]), some_state());
    for naming in [Naming::default(), Naming::prefixes(["a.b", "c"])] {
        let bytes = export_training(&layers, &state, &naming).unwrap();
        let back = import_training(&bytes, &naming).unwrap();
        assert_eq!(back, (layers.clone(), state.clone()));
        assert_eq!(import(&bytes, &naming).unwrap(), layers);
    }
    assert_eq!(state.moment("exp_avg_sq"), Some(&state.moments[1].1[..]));
    assert_eq!(state.moment("momentum_buffer"), None);
    let bytes = export_training(&layers, &state, &Naming::default()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let moment = file.tensor("optimizer.exp_avg_sq.2.weight").unwrap();
    assert_eq!(moment.shape(), [2, 5]);
    let bare = export(&layers, &Naming::default()).unwrap();
    let (_, nothing) = import_training(&bare, &Naming::default()).unwrap();
    assert_eq!(nothing, OptimizerState::default());
}

#[test]
fn moments_that_do_not_fit_are_refused() {
    let layers = some(&[3, 5, 2]);
    let default = Naming::default();
    let refused = |state: &OptimizerState| {
        let error = export_training(&layers, state, &default).unwrap_err();
        error.to_string()
    };
    let mut state = some_state();
    state.moments[1].1.pop();
    assert!(refused(&state).contains("no tensor optimizer.exp_avg_sq"));
    let mut state = some_state();
    state.moments[0].1[1].w = array![[1.0]];
    let said = refused(&state);
    assert!(
        said.contains("optimizer.exp_avg.2.weight has shape [1, 1], expected [2, 5]"),
        "{said}"
    );
    let good = || ("0.weight", any(&[2, 3]));
    let moment = |name, shape: &[usize]| vec![good(), ("0.bias", any(&[2])), (name, any(shape))];
    let step = |tensor| vec![good(), ("optimizer.step", tensor)];
    let long = |value: i64| Tensor(Dtype::I64, vec![1], value.to_le_bytes().to_vec());
    for (tensors, words) in [
        (
            moment("optimizer.m.0.weight", &[2, 3]),
            "no tensor optimizer.m.0.bias",
        ),
        (
            moment("optimizer.m.0.bias", &[2]),
            "no tensor optimizer.m.0.weight",
        ),
        (
            moment("optimizer.m.0.weight", &[3, 2]),
            "has shape [3, 2], expected [2, 3]",
        ),
        (step(f32s(&[], &[1.5])), "no whole number"),
        (step(f32s(&[], &[-1.0])), "no whole number"),
        (step(f32s(&[2], &[1.0, 2.0])), "no whole number"),
        (step(f32s(&[], &[f32::NAN])), "no whole number"),
        (step(long(-1)), "no whole number"),
    ] {
        let said = import_training(&file(&tensors), &default)
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    for tensor in [long(20), f32s(&[], &[20.0])] {
        let (_, state) = import_training(&file(&step(tensor)), &default).unwrap();
        assert_eq!(state.steps, Some(20));
    }
}

#[test]
fn damaged_state_dicts_are_refused_or_read_as_a_network() {
    let naming = Naming::default();
    let bytes = export_training(&some(&[3, 5, 2]), &some_state(), &naming).unwrap();
    damage(&bytes, |bytes| {
        if let Ok((layers, _)) = pytorch::import_training(bytes, &naming) {
            assert!(
                layers
                    .iter()
                    .all(|l| l.w.ncols() == l.b.len() && l.w.len() <= 15)
            );
        }
    });
}
