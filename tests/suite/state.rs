//! Training states: what is taken out of one model has another go on with the same bits.

use ndarray::{Array2, Axis};
use wgpu_linear::model::{
    AdamSettings, LayerConfig, LayerParameters, LionSettings, Loss, MlpConfig, Model, ModelError,
    Moment, Optimizer, SgdSettings, Targets, TrainingState,
};
use wgpu_linear::nn::{DeviceDataset, Linear, Network, NetworkKernels, Update};
use wgpu_linear::{Gpu, nn, reference};

use crate::delegate::delegate;
use crate::support::{gpu, reals};
use crate::windows::gpu_with;

const SIZES: [usize; 3] = [7, 19, 3];
const ROWS: usize = 50;

fn optimizers() -> [Optimizer; 6] {
    let sgd = |momentum, nesterov| {
        Optimizer::Sgd(SgdSettings {
            momentum,
            nesterov,
            weight_decay: 0.01,
            ..SgdSettings::default()
        })
    };
    let adam = AdamSettings {
        weight_decay: 0.01,
        ..AdamSettings::default()
    };
    [
        sgd(0.0, false),
        sgd(0.9, false),
        sgd(0.9, true),
        Optimizer::Adam(adam),
        Optimizer::AdamW(adam),
        Optimizer::Lion(LionSettings::default()),
    ]
}

fn config(optimizer: Optimizer, clip_norm: Option<f32>) -> MlpConfig {
    MlpConfig {
        loss: Loss::MeanSquaredError,
        optimizer,
        clip_norm,
        seed: 9,
        ..MlpConfig::new(&SIZES)
    }
}

fn data() -> (Array2<f32>, Array2<f32>) {
    let mut random = fastrand::Rng::with_seed(71);
    let x = reals(&mut random, ROWS, SIZES[0]);
    (x, reals(&mut random, ROWS, SIZES[2]))
}

/// Five batches, the last of which is smaller.
fn train(model: &mut dyn Model) {
    train_on(model, 12);
}

fn train_on(model: &mut dyn Model, rows: usize) {
    let (x, y) = data();
    let batches = x.axis_chunks_iter(Axis(0), rows);
    for (x, y) in batches.zip(y.axis_chunks_iter(Axis(0), rows)) {
        model.train_batch(x, Targets::Values(y)).unwrap();
    }
}

/// The same on the device.
fn train_resident(mlp: &mut nn::Mlp) {
    let (x, y) = data();
    let data = DeviceDataset::new(gpu(), x.view(), Targets::Values(y.view())).unwrap();
    mlp.load_dataset(data).unwrap();
    let order: Vec<_> = (0..ROWS).rev().collect();
    mlp.train_indices(&order, 12).unwrap();
}

fn bits(layers: &[LayerParameters]) -> Vec<u32> {
    let numbers = layers
        .iter()
        .flat_map(|layer| layer.w.iter().chain(&layer.b));
    numbers.map(|number| number.to_bits()).collect()
}

fn copy(from: &dyn Model, to: &mut dyn Model) {
    to.set_parameters(&from.parameters().unwrap()).unwrap();
    to.set_training_state(&from.training_state().unwrap())
        .unwrap();
}

/// `first` trains, `second` goes on from its state, and both go on: whether the weights have the
/// same bits.
fn goes_on<M: Model>(
    [mut first, mut second]: [M; 2],
    train: fn(&mut M),
    copy: fn(&dyn Model, &mut dyn Model),
) -> bool {
    train(&mut first);
    copy(&first, &mut second);
    for model in [&mut first, &mut second] {
        train(model);
    }
    let [first, second] = [first, second].map(|model| bits(&model.parameters().unwrap()));
    first == second
}

fn mlp(config: &MlpConfig) -> nn::Mlp {
    nn::Mlp::new(gpu(), config.clone()).unwrap()
}

fn twin(config: &MlpConfig) -> reference::Mlp {
    reference::Mlp::new(config.clone()).unwrap()
}

#[test]
fn a_model_goes_on_from_a_state_with_the_same_bits() {
    for optimizer in optimizers() {
        for clip_norm in [None, Some(0.05)] {
            let config = config(optimizer, clip_norm);
            let mlps = || [mlp(&config), mlp(&config)];
            let twins = [twin(&config), twin(&config)];
            assert!(goes_on(twins, |twin| train(twin), copy), "{config:?}");
            assert!(goes_on(mlps(), |mlp| train(mlp), copy), "{config:?}");
            assert!(goes_on(mlps(), train_resident, copy), "{config:?}");
        }
    }
}

/// The number of the batch says what is dropped.
#[test]
fn dropout_goes_on_where_it_was() {
    let config = MlpConfig {
        dropout: 0.3,
        // A training is five batches.
        accumulation: 5,
        ..config(Optimizer::Adam(AdamSettings::default()), None)
    };
    let mlps = || [mlp(&config), mlp(&config)];
    let twins = || [twin(&config), twin(&config)];
    assert!(goes_on(twins(), |twin| train(twin), copy));
    assert!(goes_on(mlps(), |mlp| train(mlp), copy));
    assert!(goes_on(mlps(), train_resident, copy));
    let from_the_first_batch = |from: &dyn Model, to: &mut dyn Model| {
        to.set_parameters(&from.parameters().unwrap()).unwrap();
        let state = from.training_state().unwrap();
        let state = TrainingState {
            batches: 0,
            ..state
        };
        to.set_training_state(&state).unwrap();
    };
    assert!(!goes_on(twins(), |twin| train(twin), from_the_first_batch));
    assert!(!goes_on(mlps(), |mlp| train(mlp), from_the_first_batch));
}

/// The test above would notice: the parameters alone do not do.
#[test]
fn parameters_alone_do_not_go_on_with_the_same_bits() {
    let parameters_alone = |from: &dyn Model, to: &mut dyn Model| {
        to.set_parameters(&from.parameters().unwrap()).unwrap();
    };
    for optimizer in &optimizers()[1..] {
        let config = config(*optimizer, None);
        let mlps = [mlp(&config), mlp(&config)];
        assert!(!goes_on(mlps, |mlp| train(mlp), parameters_alone));
        let twins = [twin(&config), twin(&config)];
        assert!(!goes_on(twins, |twin| train(twin), parameters_alone));
    }
}

#[test]
fn states_are_the_same_on_the_gpu_and_in_the_twin() {
    for optimizer in optimizers() {
        let config = config(optimizer, None);
        let (mut mlp, mut twin) = (mlp(&config), twin(&config));
        train(&mut mlp);
        let state = mlp.training_state().unwrap();
        twin.set_training_state(&state).unwrap();
        assert_eq!(twin.training_state().unwrap(), state);
        // Not what it had before.
        train(&mut twin);
        let state = twin.training_state().unwrap();
        assert_ne!(mlp.training_state().unwrap(), state);
        mlp.set_training_state(&state).unwrap();
        assert_eq!(mlp.training_state().unwrap(), state);
        assert_eq!(state.batches, 10);
    }
}

#[test]
fn a_state_has_the_moments_of_the_formulas() {
    for (optimizer, moments, scalars) in [
        (optimizers()[1], &["velocity"][..], &[][..]),
        (optimizers()[3], &["m", "v"], &["corrections"]),
        (optimizers()[4], &["m", "v"], &["corrections"]),
        (optimizers()[5], &["m"], &[]),
    ] {
        let mut mlp = mlp(&config(optimizer, None));
        let begin = mlp.training_state().unwrap();
        assert!(
            begin
                .moments
                .iter()
                .all(|moment| { bits(&moment.layers).iter().all(|bits| *bits == 0) })
        );
        train(&mut mlp);
        let state = mlp.training_state().unwrap();
        let names: Vec<_> = state.moments.iter().map(|moment| &moment.name).collect();
        assert_eq!(names, moments);
        let names: Vec<_> = state.scalars.iter().map(|(name, _)| name).collect();
        assert_eq!(names, scalars);
        let m = state.moment(moments[0]).unwrap();
        assert_eq!(m[1].w.dim(), (19, 3));
        assert!(m.iter().all(|layer| layer.w.iter().any(|m| *m != 0.0)));
        for corrections in scalars.iter().map(|name| state.scalar(name).unwrap()) {
            let expected = [0.9_f32, 0.999].map(|beta| 1.0 - beta.powi(5));
            for (correction, expected) in corrections.iter().zip(expected) {
                assert!((correction - expected).abs() <= 1e-5 * expected);
            }
        }
        assert_eq!((state.moment("w"), state.scalar("m")), (None, None));
    }
}

#[test]
fn empty_batches_do_not_count_and_those_that_wait_do() {
    let config = config(optimizers()[3], None);
    let (mut mlp, mut twin) = (mlp(&config), twin(&config));
    let (x, y) = data();
    let none = (x.slice(ndarray::s![..0, ..]), y.slice(ndarray::s![..0, ..]));
    for model in [&mut mlp as &mut dyn Model, &mut twin] {
        model.train_batch(none.0, Targets::Values(none.1)).unwrap();
        assert_eq!(model.training_state().unwrap().batches, 0);
        train(model);
        assert_eq!(model.training_state().unwrap().batches, 5);
    }
    let data = DeviceDataset::new(gpu(), x.view(), Targets::Values(y.view())).unwrap();
    mlp.load_dataset(data).unwrap();
    mlp.set_order(&[3, 4, 5], 1).unwrap();
    for batches in [6, 7] {
        assert!(mlp.train_next().unwrap());
        assert_eq!(mlp.training_state().unwrap().batches, batches);
    }
}

/// States that do not fit, each with a part of what is said about it.
fn misfits(good: &TrainingState) -> Vec<(TrainingState, &'static str)> {
    let changed = |change: &dyn Fn(&mut TrainingState)| {
        let mut state = good.clone();
        change(&mut state);
        state
    };
    vec![
        (TrainingState::default(), "the moments []"),
        (
            changed(&|state| state.moments[1].name = "velocity".into()),
            "[m, velocity]",
        ),
        (
            changed(&|state| state.moments.push(state.moments[0].clone())),
            "[m, m, v]",
        ),
        (changed(&|state| state.scalars.clear()), "the scalars []"),
        (
            changed(&|state| state.scalars[0].1.push(0.0)),
            "corrections",
        ),
        (
            changed(&|state| state.scalars[0].1[1] = f32::NAN),
            "corrections",
        ),
        (
            changed(&|state| drop(state.moments[0].layers.pop())),
            "m in",
        ),
        (
            changed(&|state| state.moments[1].layers[1].w = Array2::zeros((3, 19))),
            "v in",
        ),
        (
            changed(&|state| state.moments[1].layers[0].b[18] = f32::INFINITY),
            "v in",
        ),
        (
            changed(&|state| state.moments[0].layers[1].w[[2, 2]] = f32::NAN),
            "m in",
        ),
    ]
}

#[test]
fn states_that_do_not_fit_are_refused_and_change_nothing() {
    let config = config(optimizers()[3], None);
    let (mut mlp, mut twin) = (mlp(&config), twin(&config));
    for model in [&mut mlp as &mut dyn Model, &mut twin] {
        train(model);
        let good = model.training_state().unwrap();
        let mut other = good.clone();
        other.moments.reverse();
        for (state, words) in misfits(&good) {
            let error = model.set_training_state(&state).unwrap_err();
            assert!(error.to_string().contains(words), "{error}: {words}");
            assert_eq!(model.training_state().unwrap(), good);
        }
        // The order of the moments does not matter.
        model.set_training_state(&other).unwrap();
        assert_eq!(model.training_state().unwrap(), good);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let mut twin = twin(&config(optimizers()[1], None));
    let mut state = twin.training_state().unwrap();
    state.moments[0].layers[1].w[[2, 1]] = f32::NAN;
    let Err(ModelError::State { name, source }) = twin.set_training_state(&state) else {
        panic!("NaN was taken");
    };
    assert_eq!(name, "velocity");
    let ModelError::NonFiniteParameter {
        layer,
        what,
        row,
        column,
        ..
    } = *source
    else {
        panic!("{source}");
    };
    assert_eq!((layer, what, row, column), (2, "w", 2, 1));
}

/// A matrix whose rows do not lie one behind the other is the same matrix.
#[test]
fn moments_are_taken_in_any_memory_layout() {
    let config = config(optimizers()[1], None);
    let by_columns = |from: &dyn Model, to: &mut dyn Model| {
        let mut state = from.training_state().unwrap();
        let mut parameters = from.parameters().unwrap();
        let moments = state
            .moments
            .iter_mut()
            .flat_map(|moment| &mut moment.layers);
        for layer in moments.chain(&mut parameters) {
            let transposed = layer.w.t().as_standard_layout().into_owned();
            layer.w = transposed.reversed_axes();
            assert!(!layer.w.is_standard_layout());
        }
        to.set_parameters(&parameters).unwrap();
        to.set_training_state(&state).unwrap();
    };
    let twins = [twin(&config), twin(&config)];
    assert!(goes_on(twins, |twin| train(twin), by_columns));
    let mlps = [mlp(&config), mlp(&config)];
    assert!(goes_on(mlps, |mlp| train(mlp), by_columns));
}

/// A model that is not this crate's, and keeps no state.
struct Foreign {
    twin: reference::Mlp,
}

impl Model for Foreign {
    delegate!(twin: layer_sizes, device, train_batch, take_loss, predict, loss, learning_rate,
        set_learning_rate, parameters, set_parameters);
}

#[test]
fn models_without_a_state_take_none() {
    let mut foreign = Foreign {
        twin: twin(&config(optimizers()[3], None)),
    };
    train(&mut foreign);
    let state = foreign.training_state().unwrap();
    assert!(state.is_empty());
    foreign.set_training_state(&state).unwrap();
    let full = foreign.twin.training_state().unwrap();
    let error = foreign.set_training_state(&full).unwrap_err();
    assert!(matches!(error, ModelError::Stateless), "{error}");
    let counted = TrainingState {
        batches: 1,
        ..TrainingState::default()
    };
    assert!(foreign.set_training_state(&counted).is_err());
}

fn layer(inputs: usize, outputs: usize, seed: u64) -> Linear {
    let config = LayerConfig::new(inputs, outputs, wgpu_linear::model::Activation::Relu);
    Linear::new(gpu(), config, seed).unwrap()
}

/// Layers that were put together by hand, one of them twice, whose sizes do not follow each other.
#[test]
fn an_update_of_single_layers_keeps_their_moments_apart() {
    let layers = [layer(4, 6, 1), layer(5, 2, 2), layer(3, 3, 3)];
    let given = [
        layers[0].clone(),
        layers[1].clone(),
        layers[0].clone(),
        layers[2].clone(),
    ];
    let adam = Optimizer::Adam(AdamSettings::default());
    let update = || Update::new(gpu(), adam, &given).unwrap();
    let (first, second) = (update(), update());
    let mut state = pollster::block_on(first.training_state_async(gpu())).unwrap();
    let sizes = |state: &TrainingState| -> Vec<_> {
        state.moments[0]
            .layers
            .iter()
            .map(|layer| layer.w.dim())
            .collect()
    };
    assert_eq!(sizes(&state), [(4, 6), (5, 2), (3, 3)]);
    number(&mut state);
    second.set_training_state(gpu(), &state).unwrap();
    assert_eq!(
        pollster::block_on(second.training_state_async(gpu())).unwrap(),
        state
    );

    // Each has the moment of its own: the gradients are 0, so a step is that of the moments.
    let before = layers.each_ref().map(parameters);
    let kernels = NetworkKernels::of(gpu());
    gpu().run(&second.dispatches(&kernels).unwrap()).unwrap();
    let [beta1, beta2] = [0.9, 0.999];
    for (i, (layer, before)) in layers.iter().zip(before).enumerate() {
        let [m, v] = ["m", "v"].map(|name| &state.moment(name).unwrap()[i].w);
        let correction = |beta: f32, c: f32| beta * c + (1.0 - beta);
        let (c1, c2) = (correction(beta1, 0.25), correction(beta2, 0.5));
        let step = |m: f32, v: f32| 1e-3 * (beta1 * m / c1) / ((beta2 * v / c2).sqrt() + 1e-8);
        let steps = ndarray::Zip::from(m)
            .and(v)
            .map_collect(|m, v| step(*m, *v));
        let error = (parameters(layer).w - (before.w - steps)).mapv(f32::abs);
        assert!(error.iter().all(|error| *error <= 1e-6), "{error}");
    }
}

fn parameters(layer: &Linear) -> LayerParameters {
    pollster::block_on(layer.parameters_async(gpu())).unwrap()
}

/// Numbers that are all different, positive, and corrections of 1/4 and 1/2.
fn number(state: &mut TrainingState) {
    let mut next = 0.0;
    for Moment { layers, .. } in &mut state.moments {
        for number in layers
            .iter_mut()
            .flat_map(|layer| layer.w.iter_mut().chain(&mut layer.b))
        {
            next += 0.25;
            *number = next;
        }
    }
    state.scalars[0].1 = vec![0.25, 0.5];
}

/// The parameters of [`SIZES`] take two buffers.
fn narrow_gpu() -> Gpu {
    gpu_with(|adapter| wgpu::Limits {
        max_buffer_size: 800,
        ..adapter
    })
}

#[test]
fn a_state_lies_in_as_many_buffers_as_the_parameters() {
    let narrow = narrow_gpu();
    let config = config(optimizers()[3], None);
    let make = |gpu: &Gpu| Network::new(gpu, &config).unwrap();
    let (narrow, wide) = (make(&narrow), make(gpu()));
    let mut state = wide.training_state().unwrap();
    number(&mut state);
    narrow.set_training_state(&state).unwrap();
    assert_eq!(narrow.training_state().unwrap(), state);
    // One for each part: the corrections are of all.
    let corrections = narrow
        .update()
        .state()
        .filter(|(name, _)| *name == "corrections");
    assert!(corrections.count() > 1);
    wide.set_training_state(&state).unwrap();
    assert_eq!(wide.training_state().unwrap(), state);
}

/// On a device of several buffers, every part has the corrections of the state.
#[test]
fn a_network_in_several_buffers_goes_on_with_the_same_bits() {
    let narrow = narrow_gpu();
    let config = config(optimizers()[3], None);
    let mlps = [(); 2].map(|()| nn::Mlp::new(&narrow, config.clone()).unwrap());
    // No more rows than have room in such a buffer.
    assert!(goes_on(mlps, |mlp| train_on(mlp, 4), copy));
}
