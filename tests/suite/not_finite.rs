//! A NaN or an infinity in an operand is seen in every result that it is part of, and in no other.

use ndarray::{Array1, Array2, ArrayView, Dimension};
use wgpu_linear::linear::{Operation, Shape};
use wgpu_linear::model::{
    Activation, AdamSettings, LayerConfig, LionSettings, Optimizer, SgdSettings,
};
use wgpu_linear::nn::{ActivationForward, ActivationGrad, Linear, LinearBackward, Update};
use wgpu_linear::{ForwardInference, Matrix, Vector, reference};

use crate::linear::{Case, all_plans};
use crate::support::{gpu, integers, linear_kernels, network_kernels};

const ODD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Where the twin has a number, the same number; where it has none, none.
fn assert_seen<D: Dimension>(
    what: &str,
    actual: ArrayView<'_, f32, D>,
    expected: ArrayView<'_, f64, D>,
) {
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let is_seen = if expected.is_finite() {
            f64::from(*actual) == *expected
        } else {
            !actual.is_finite()
        };
        assert!(
            is_seen,
            "{what}, element {i}: {actual} instead of {expected}"
        );
    }
}

fn check_products(case: &Case, planted: &str) {
    let (actual, expected) = (case.run(linear_kernels()), case.expected());
    let what = |name: &str| format!("{name}, {planted}");
    assert_seen(&what("t"), actual.t.view(), expected.t.view());
    let (bare, wanted) = (&actual.t_without_bias, &expected.t_without_bias);
    assert_seen(&what("t without bias"), bare.view(), wanted.view());
    assert_seen(&what("dx"), actual.dx.view(), expected.dx.view());
    assert_seen(&what("dw"), actual.dw.view(), expected.dw.view());
    assert_seen(&what("db"), actual.db.view(), expected.db.view());
    assert_seen(
        &what("db beside dw"),
        actual.db_beside.view(),
        expected.db_beside.view(),
    );
    assert_seen(
        &what("activated t"),
        actual.t_activated.view(),
        expected.t_activated.view(),
    );
    assert_seen(&what("a"), actual.a.view(), expected.a.view());
    assert_seen(
        &what("a alone"),
        actual.a_alone.view(),
        expected.a_alone.view(),
    );
    assert_seen(
        &what("dt below"),
        actual.dt_below.view(),
        expected.dt_below.view(),
    );
}

/// Plants [`ODD`] numbers at `places` positions of each operand, for each kernel that may serve.
fn check_planted(sizes: [usize; 3], places: usize) {
    let mut random = fastrand::Rng::with_seed(5);
    let mut next = || {
        let mut case = Case::new(sizes, |rows, columns| {
            integers(&mut random, rows, columns, 9)
        });
        let (odd, operand) = (random.choice(ODD).unwrap(), random.usize(0..4));
        let name = ["x", "w", "b", "dt"][operand];
        let values = match operand {
            0 => case.x.as_slice_mut(),
            1 => case.w.as_slice_mut(),
            2 => case.b.as_slice_mut(),
            _ => case.dt.as_slice_mut(),
        };
        let values = values.unwrap();
        let at = random.usize(0..values.len());
        values[at] = odd;
        // Beside it, in the same sum more often than not, perhaps its negative.
        let next = (at + 1) % values.len();
        values[next] = random.choice([odd, -odd, values[next]]).unwrap();
        (case, format!("{odd} at {at} of {name}"))
    };
    let [batch, inputs, outputs] = sizes.map(|size| size as u32);
    let shape = Shape {
        batch,
        inputs,
        outputs,
    };
    for operation in [
        Operation::Forward,
        Operation::InputGrad,
        Operation::WeightGrad,
    ] {
        for plan in all_plans(shape, operation) {
            linear_kernels().use_plan(shape, operation, plan);
            for _ in 0..places {
                let (case, planted) = next();
                check_products(&case, &format!("{planted}, {operation:?} by {plan}"));
            }
        }
    }
}

#[test]
fn products_show_what_is_not_finite() {
    check_planted([7, 9, 11], 4);
}

mod slow {
    use super::*;

    #[test]
    fn products_of_all_layouts_show_what_is_not_finite() {
        for sizes in [[3, 260, 4], [8, 132, 20], [64, 64, 64], [29, 131, 3]] {
            check_planted(sizes, 6);
        }
    }
}

/// Of every activation, its slope too. An infinity may have a finite image, as that of tanh.
#[test]
fn activations_of_a_nan_are_nan() {
    let t = Array1::from(vec![1.5, f32::NAN, -0.5, -f32::NAN]);
    for function in Activation::ALL {
        let (a, slope) = activated(function, &t);
        for (what, result) in [("f", a), ("f′", slope)] {
            let is_nan: Vec<_> = result.iter().map(|value| value.is_nan()).collect();
            assert_eq!(is_nan, [false, true, false, true], "{what} of {function:?}");
        }
    }
}

/// The same in the epilogue of a product, and the twin agrees.
#[test]
fn activations_behind_a_product_keep_a_nan() {
    for function in Activation::ALL {
        let t = Array2::from_shape_vec((1, 2), vec![f32::NAN, 0.5]).unwrap();
        let one = Array2::ones((1, 2));
        let twin = reference::activation(function, t.view());
        let slope = reference::activation_grad(function, t.view(), one.view());
        for twin in [twin, slope] {
            assert!(
                twin[[0, 0]].is_nan() && twin[[0, 1]].is_finite(),
                "{function:?}: {twin}"
            );
        }
        let a = inferred(function);
        assert!(a[0].is_nan() && a[1].is_finite(), "{function:?}: {a:?}");
    }
}

fn inferred(function: Activation) -> Vec<f32> {
    let [x, w, a] = [&[1.0][..], &[f32::NAN, 0.5], &[0.0; 2]]
        .map(|values| gpu().upload("operand", values).unwrap());
    let forward = linear_kernels().forward_inference(ForwardInference {
        x: Matrix::new(&x, 1, 1),
        w: Matrix::new(&w, 1, 2),
        b: None,
        function,
        a: Matrix::new(&a, 1, 2),
    });
    gpu().run(&[forward.unwrap()]).unwrap();
    gpu().read(&a).unwrap()
}

/// f(t) and f′(t) on the device.
fn activated(function: Activation, t: &Array1<f32>) -> (Vec<f32>, Vec<f32>) {
    let len = t.len() as u32;
    let t = gpu().upload("t", t.as_slice().unwrap()).unwrap();
    let ones = gpu().upload("da", &vec![1.0; len as usize]).unwrap();
    let [a, dt] = ["a", "dt"].map(|label| gpu().zeros(label, len as usize).unwrap());
    let vector = |buffer| Vector::new(buffer, len);
    let forward = network_kernels().activation(ActivationForward {
        function,
        t: vector(&t),
        a: vector(&a),
    });
    let grad = network_kernels().activation_grad(ActivationGrad {
        function,
        t: vector(&t),
        da: vector(&ones),
        dt: vector(&dt),
    });
    gpu().run(&[forward.unwrap(), grad.unwrap()]).unwrap();
    (gpu().read(&a).unwrap(), gpu().read(&dt).unwrap())
}

/// Every optimizer makes the parameter of a gradient that is NaN one, and no other.
#[test]
fn a_nan_gradient_is_seen_in_its_parameter() {
    let sgd = |momentum, nesterov| {
        Optimizer::Sgd(SgdSettings {
            momentum,
            nesterov,
            ..SgdSettings::default()
        })
    };
    for optimizer in [
        sgd(0.0, false),
        sgd(0.9, false),
        sgd(0.9, true),
        Optimizer::Adam(AdamSettings::default()),
        Optimizer::Lion(LionSettings::default()),
    ] {
        let layer = Linear::new(gpu(), LayerConfig::new(1, 2, Activation::Identity), 1).unwrap();
        let update = Update::new(gpu(), optimizer, std::slice::from_ref(&layer)).unwrap();
        let [x, dt] =
            [&[1.0][..], &[f32::NAN, 1.0]].map(|values| gpu().upload("operand", values).unwrap());
        let backward = layer.backward(LinearBackward {
            x: Matrix::new(&x, 1, 1),
            dt: Matrix::new(&dt, 1, 2),
            below: None,
        });
        let mut dispatches: Vec<_> = backward.unwrap().into_iter().collect();
        dispatches.extend(update.dispatches(network_kernels()).unwrap());
        gpu().run(&dispatches).unwrap();
        let new = pollster::block_on(layer.parameters_async(gpu())).unwrap();
        for values in [new.w.row(0), new.b.view()] {
            assert!(
                values[0].is_nan() && values[1].is_finite(),
                "{optimizer:?}: {values}"
            );
        }
    }
}
