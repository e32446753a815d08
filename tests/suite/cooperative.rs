//! Matrix units: when they are planned, what they make of numbers that f16 does not have, and whether
//! the same operands give the same bits. That each plan is exact, and within its bound, the tests of
//! `halves` say, which take every candidate there is.
//!
//! Only a device that was opened with them has them, see `GpuOptions::matrix_units`, and few
//! implementations without a GPU do: `scripts/test --cooperative` brings one.

use half::f16;
use ndarray::Array2;
use wgpu_linear::linear::{
    Algorithm, Capabilities, Cooperative, Operation, Plan, Precision, candidates, plan,
    ranked_candidates,
};
use wgpu_linear::{Gpu, LinearKernels, MatrixUnits};

use crate::compare::{hard_bound, magnitude};
use crate::halves::{Layer, OPERATIONS, shape};
use crate::support::{gpu, integers, reals};

/// The device of all tests, where it was opened with matrix units. Where they were asked for, they
/// must be there.
fn gpu_with_units() -> Option<&'static Gpu> {
    let gpu = gpu();
    let has_units = Capabilities::of(gpu.device()).matrix_units.is_some();
    if std::env::var("WGPU_LINEAR_MATRIX_UNITS").is_ok_and(|value| value == "1") {
        assert!(has_units, "{} has no matrix units", gpu.description());
    }
    if !has_units {
        eprintln!(
            "SKIPPED: {} was opened without matrix units",
            gpu.description()
        );
    }
    has_units.then_some(gpu)
}

fn is_by_units(plan: &Plan) -> bool {
    matches!(plan.algorithm, Algorithm::Cooperative(_))
}

/// A GPU with units that multiply sixteen times as fast as its other processors.
fn with_units() -> Capabilities {
    let mut capabilities = Capabilities::hardware();
    capabilities.matrix_units = Some(MatrixUnits {
        size: 16,
        lanes: 32,
    });
    capabilities.processor.matrix_multiply_adds = 16 * capabilities.processor.multiply_adds;
    capabilities
}

#[test]
fn they_are_planned_where_factors_may_be_rounded_and_nowhere_else() {
    let units = with_units();
    let mut without = units.clone();
    without.matrix_units = None;
    for operation in OPERATIONS {
        let shape = shape([4096; 3]);
        let large = plan(shape, operation, &units.rounding_factors());
        assert_eq!(large.to_string(), "cooperative 128×128 of 16×16");
        for exact in [&units, &without, &without.rounding_factors()] {
            assert!(!candidates(shape, operation, exact).iter().any(is_by_units));
        }
    }
    let bias_grad = candidates(
        shape([64, 0, 64]),
        Operation::BiasGrad,
        &units.rounding_factors(),
    );
    assert!(!bias_grad.iter().any(is_by_units));
}

/// Where nothing is known of them, they are measured before they are used.
#[test]
fn units_of_unknown_speed_are_candidates_and_never_the_first() {
    let mut unknown = with_units().rounding_factors();
    unknown.processor.matrix_multiply_adds = 0;
    for operation in OPERATIONS {
        let ranked = ranked_candidates(shape([4096; 3]), operation, &unknown);
        assert!(ranked.iter().any(is_by_units));
        assert!(!is_by_units(&ranked[0]));
    }
}

fn plans_by_units(kernels: &LinearKernels, sizes: [usize; 3], operation: Operation) -> Vec<Plan> {
    let capabilities = kernels.capabilities().rounding_factors();
    let mut plans = candidates(shape(sizes), operation, &capabilities);
    plans.retain(is_by_units);
    plans
}

/// Kernels that use units for all three products of a layer.
fn kernels_by_units(gpu: &Gpu, sizes: [usize; 3]) -> LinearKernels {
    let kernels = LinearKernels::new(gpu.device());
    for operation in OPERATIONS {
        let plan = plans_by_units(&kernels, sizes, operation)[0];
        kernels.use_plan(shape(sizes), operation, plan);
    }
    kernels
}

#[test]
fn a_plan_by_units_is_none_for_f32() {
    let Some(gpu) = gpu_with_units() else {
        return;
    };
    let sizes = [32; 3];
    let kernels = kernels_by_units(gpu, sizes);
    for operation in OPERATIONS {
        let of = |precision| kernels.plan_for(shape(sizes), operation, precision);
        assert!(is_by_units(&of(Precision::F16)));
        assert!(is_by_units(&of(Precision::Mixed)));
        assert!(!is_by_units(&of(Precision::F32)));
    }
    // Rounded to f16, factors would be far out of this bound.
    let mut random = fastrand::Rng::with_seed(4);
    let mut layer = Layer::new(sizes, Precision::F32, |rows, columns| {
        reals(&mut random, rows, columns)
    });
    layer.w = reals(&mut random, 32, 32);
    layer.check(gpu, &kernels, false, "f32");
}

/// Around the edges of tiles, with terms for several steps and slabs; `halves` tries more sizes.
#[test]
fn every_plan_by_units_is_exact_on_small_integers_and_within_its_bound_on_reals() {
    let Some(gpu) = gpu_with_units() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(3);
    let mut tried = 0;
    for sizes in [[3, 5, 7], [33, 131, 67], [64, 260, 36]] {
        for precision in [Precision::F16, Precision::Mixed] {
            let whole = Layer::new(sizes, precision, |rows, columns| {
                integers(&mut random, rows, columns, 3)
            });
            let real = Layer::new(sizes, precision, |rows, columns| {
                reals(&mut random, rows, columns)
            });
            let kernels = LinearKernels::new(gpu.device());
            let plans = OPERATIONS.map(|operation| plans_by_units(&kernels, sizes, operation));
            for i in 0..plans.iter().map(Vec::len).max().unwrap() {
                for (operation, plans) in OPERATIONS.into_iter().zip(&plans) {
                    kernels.use_plan(shape(sizes), operation, plans[i % plans.len()]);
                }
                whole.check(gpu, &kernels, true, &format!("{sizes:?}, plan {i}"));
                real.check(gpu, &kernels, false, &format!("{sizes:?}, plan {i}"));
                tried += 1;
            }
        }
    }
    assert!(tried >= 8, "{tried}");
}

/// Those of other GPUs, with more threads than subgroups have here: four matrices instead of two in
/// either direction, and threads that stage blocks of one factor alone.
#[test]
fn kernels_for_larger_subgroups_are_right_on_small_ones() {
    let Some(gpu) = gpu_with_units() else {
        return;
    };
    let kernels = LinearKernels::new(gpu.device());
    let here = kernels.capabilities().matrix_units.unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    for (lanes, owned, sizes) in [
        (2, 4, [67, 36, 67]),
        (4, 4, [65, 67, 68]),
        (4, 2, [36, 40, 35]),
    ] {
        let algorithm = Algorithm::Cooperative(Cooperative {
            units: MatrixUnits {
                lanes: lanes * here.lanes,
                ..here
            },
            owned,
        });
        for operation in OPERATIONS {
            let mut plan = plans_by_units(&kernels, sizes, operation)[0];
            plan.algorithm = algorithm;
            kernels.use_plan(shape(sizes), operation, plan);
            let used = kernels.plan_for(shape(sizes), operation, Precision::F16);
            assert_eq!(used.algorithm, algorithm);
        }
        for precision in [Precision::F16, Precision::Mixed] {
            let layer = Layer::new(sizes, precision, |rows, columns| {
                integers(&mut random, rows, columns, 3)
            });
            layer.check(gpu, &kernels, true, &format!("{algorithm:?}"));
        }
    }
}

/// X is what f16 has and W is not: W is rounded, and nothing else is lost.
#[test]
fn a_factor_of_f32_is_rounded_to_f16() {
    let Some(gpu) = gpu_with_units() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(1);
    let sizes = [13, 67, 35];
    let mut layer = Layer::new(sizes, Precision::Mixed, |rows, columns| {
        reals(&mut random, rows, columns)
    });
    layer.w = reals(&mut random, 67, 35);
    let [t, dx, ..] = layer.run(gpu, &kernels_by_units(gpu, sizes));
    let [exact_t, exact_dx, ..] = layer.expected();
    let off = layer.w.mapv(|w| f64::from(f16::from_f32(w)) - f64::from(w));
    assert!(off.iter().any(|off| *off != 0.0));
    // Rounded in whichever direction.
    let rounded = |w: f64| w.abs() * 2.0_f64.powi(-10) + 2.0_f64.powi(-24);
    let lost = layer.w.mapv(|w| rounded(f64::from(w)));
    let [ax, adt] = [&layer.x, &layer.dt].map(|values| magnitude(values.view()));
    within(&t, &exact_t, &ax.dot(&lost));
    within(&dx, &exact_dx, &adt.dot(&lost.t()));
}

/// Results that are stored as f16.
fn within(
    found: &Array2<f64>,
    (exact, magnitude, terms): &(Array2<f64>, Array2<f64>, usize),
    lost: &Array2<f64>,
) {
    for (((found, exact), magnitude), lost) in found.iter().zip(exact).zip(magnitude).zip(lost) {
        let sum = lost + hard_bound(*terms, magnitude + lost);
        let bound = sum + (exact.abs() + sum) * 2.0_f64.powi(-10) + 2.0_f64.powi(-24);
        let error = (found - exact).abs();
        assert!(
            error <= bound,
            "{found} instead of {exact}, allowed {bound}"
        );
    }
}

/// Staging is formally a race in naga's SPIR-V, which declares no memory model for it. A hundred runs
/// of several workgroups, steps and slabs give the same bits.
#[test]
fn the_same_operands_give_the_same_bits_again() {
    let Some(gpu) = gpu_with_units() else {
        return;
    };
    let mut random = fastrand::Rng::with_seed(2);
    let sizes = [67, 131, 68];
    let layer = Layer::new(sizes, Precision::F16, |rows, columns| {
        reals(&mut random, rows, columns)
    });
    let kernels = kernels_by_units(gpu, sizes);
    let first = layer.run(gpu, &kernels);
    assert!(
        first
            .iter()
            .all(|result| result.iter().all(|value| value.is_finite()))
    );
    for run in 1..100 {
        assert_eq!(layer.run(gpu, &kernels), first, "run {run}");
    }
}
