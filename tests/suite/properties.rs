//! What holds for every shape, kernel and kind of numbers, tried at random: proptest looks for the
//! smallest case that fails.

use std::f32::consts::TAU;

use ndarray::{Array1, Array2};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wgpu_linear::linear::{Operation, Shape};

use crate::compare::hard_bound;
use crate::linear::{Case, all_plans};
use crate::support::{integers, linear_kernels, reals, row};

/// Numbers of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    /// Small whole ones, whose sums are exact.
    Whole,
    /// Between −1 and 1.
    Real,
    /// Of all magnitudes from 10⁻¹⁷ to 10¹⁷ in one matrix.
    AllMagnitudes,
    /// X near 10³⁰, W near 10⁻³⁰.
    FarApart,
    /// Neighbours in every sum are each other's negative, but for the last digits.
    Cancelling,
    /// X, dT and b below the smallest normal number, which a device may take for 0.
    Denormal,
}

const KINDS: [Numbers; 6] = [
    Numbers::Whole,
    Numbers::Real,
    Numbers::AllMagnitudes,
    Numbers::FarApart,
    Numbers::Cancelling,
    Numbers::Denormal,
];

fn case(sizes: [usize; 3], numbers: Numbers, seed: u64) -> Case {
    let mut random = fastrand::Rng::with_seed(seed);
    if numbers == Numbers::Cancelling {
        return cancelling(sizes, &mut random);
    }
    let mut case = Case::new(sizes, |rows, columns| match numbers {
        Numbers::Whole => integers(&mut random, rows, columns, 9),
        Numbers::AllMagnitudes => of_all_magnitudes(&mut random, rows, columns),
        _ => reals(&mut random, rows, columns),
    });
    let scales = match numbers {
        Numbers::FarApart => [1e30, 1e-30, 1.0, 1.0],
        Numbers::Denormal => [1e-40, 1.0, 1e-40, 1e-39],
        _ => [1.0; 4],
    };
    let [of_x, of_w, of_b, of_dt] = scales;
    case.x *= of_x;
    case.w *= of_w;
    case.b *= of_b;
    case.dt *= of_dt;
    case
}

/// The logarithm is uniform, the sign random.
fn of_all_magnitudes(random: &mut fastrand::Rng, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || {
        let magnitude = 10_f32.powf(34.0 * random.f32() - 17.0);
        magnitude.copysign((TAU * random.f32()).sin())
    })
}

/// Rows of X come in equal pairs, and those of W and dT in pairs of almost opposite ones, along
/// both of their sides: every sum of two neighbours nearly vanishes.
fn cancelling([batch, inputs, outputs]: [usize; 3], random: &mut fastrand::Rng) -> Case {
    let mut nearly = |rows: usize, columns: usize, sign: fn(usize, usize) -> usize| {
        let base = reals(random, rows.div_ceil(2), columns.div_ceil(2));
        Array2::from_shape_fn((rows, columns), |(i, j)| {
            let near = 1.0 + 1e-6 * random.f32();
            let value = base[[i / 2, j / 2]] * near;
            if sign(i, j).is_multiple_of(2) {
                value
            } else {
                -value
            }
        })
    };
    Case {
        x: nearly(batch, inputs, |_, _| 0),
        w: nearly(inputs, outputs, |i, j| i + j),
        b: row(nearly(1, outputs, |_, _| 0)),
        dt: nearly(batch, outputs, |i, _| i),
    }
}

/// Each product within γ_K Σ |a||b| of the twin in f64, whole numbers exactly.
fn check(case: &Case, numbers: Numbers) {
    if numbers == Numbers::Whole {
        case.check_exact(linear_kernels());
    }
    case.check_bounded(linear_kernels(), hard_bound);
}

#[derive(Clone, Debug)]
struct Drawn {
    sizes: [usize; 3],
    numbers: Numbers,
    operation: Operation,
    plan: Index,
    seed: u64,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let size = || prop_oneof![8 => 0..=150_usize, 1 => 150..=2000_usize];
    let sizes = [size(), size(), size()];
    // Two long sides of three would take seconds each.
    let sizes = sizes.prop_filter("too large", |sizes| {
        sizes.iter().product::<usize>() < 4_000_000
    });
    let operation = prop_oneof![
        Just(Operation::Forward),
        Just(Operation::InputGrad),
        Just(Operation::WeightGrad),
    ];
    let numbers = (0..KINDS.len()).prop_map(|i| KINDS[i]);
    (sizes, numbers, operation, any::<Index>(), any::<u64>()).prop_map(
        |(sizes, numbers, operation, plan, seed)| Drawn {
            sizes,
            numbers,
            operation,
            plan,
            seed,
        },
    )
}

fn check_drawn(drawn: &Drawn) {
    let [batch, inputs, outputs] = drawn.sizes.map(|size| size as u32);
    let shape = Shape {
        batch,
        inputs,
        outputs,
    };
    let plans = all_plans(shape, drawn.operation);
    linear_kernels().use_plan(shape, drawn.operation, *drawn.plan.get(&plans));
    check(&case(drawn.sizes, drawn.numbers, drawn.seed), drawn.numbers);
}

/// The seed is printed where a case fails; `WGPU_LINEAR_SEED` sets it.
fn check_random_cases(cases: u32, seed: u64) {
    println!("WGPU_LINEAR_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&drawn(), |drawn| {
        check_drawn(&drawn);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("WGPU_LINEAR_SEED={seed}: {error}"));
}

fn given_seed() -> Option<u64> {
    std::env::var("WGPU_LINEAR_SEED").ok()?.parse().ok()
}

#[test]
fn random_products_stay_within_their_bounds() {
    check_random_cases(12, given_seed().unwrap_or(0));
}

#[test]
fn sums_of_a_thousand_and_ten_thousand_terms_stay_within_their_bounds() {
    check_long_sums(&[1_000, 10_000]);
}

fn check_long_sums(terms: &[usize]) {
    for (seed, &terms) in terms.iter().enumerate() {
        for numbers in KINDS {
            for sizes in [[3, terms, 5], [3, 5, terms], [terms, 3, 5]] {
                check(&case(sizes, numbers, seed as u64), numbers);
            }
        }
    }
}

mod slow {
    use super::*;

    #[test]
    fn many_random_products_stay_within_their_bounds() {
        let is_long = std::env::var_os("WGPU_LINEAR_LONG").is_some();
        let (cases, seed) = if is_long {
            (1_000, fastrand::u64(..))
        } else {
            (40, 1)
        };
        check_random_cases(cases, given_seed().unwrap_or(seed));
    }

    #[test]
    fn sums_of_a_hundred_thousand_and_a_million_terms_stay_within_their_bounds() {
        check_long_sums(&[100_000, 1_000_000]);
    }
}

/// The kinds are what they are called.
#[test]
fn numbers_cancel_and_are_denormal() {
    let case = case([8, 64, 12], Numbers::Cancelling, 1);
    let t = case.x.dot(&case.w);
    let magnitude = case.x.mapv(f32::abs).dot(&case.w.mapv(f32::abs));
    let largest = |a: &Array2<f32>| a.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert!(largest(&t) <= 1e-4 * largest(&magnitude));
    let denormal = super::properties::case([3, 4, 5], Numbers::Denormal, 1);
    let all: Array1<f32> = denormal.x.iter().chain(&denormal.dt).copied().collect();
    assert!(all.iter().all(|value| value.abs() < f32::MIN_POSITIVE));
    assert!(all.iter().any(|value| *value != 0.0));
}
