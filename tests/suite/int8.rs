//! Quantised weights: by way of f32 and in whole numbers of eight bits, both within their bounds.

use std::time::Duration;

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use wgpu_linear::kernel::ElementType;
use wgpu_linear::linear::{
    Algorithm, Capabilities, Operation, Plan, QuantisedMatrix, QuantisedWeights, Shape, TuneCache,
    TuneOptions, Tuner, candidates, plan, ranked_candidates,
};
use wgpu_linear::{
    ForwardQuantised, Gpu, LinearKernels, Matrix, PrepareError, ShaderChecks, Vector, reference,
};

use crate::compare::hard_bound;
use crate::support::{Guarded, gpu, integers, reals, row};
use crate::windows::gpu_in_parts;

/// WGSL leaves the direction of rounding open.
const U: f64 = 1.0 / (1_u64 << 23) as f64;

const EDGES: [[usize; 3]; 13] = [
    [1, 1, 1],
    [1, 0, 3],
    [0, 5, 7],
    [5, 7, 0],
    [3, 5, 7],
    // So few terms that no errors cancel: one that is not rounded to the nearest shows.
    [70, 2, 67],
    [1, 260, 132],
    [2, 131, 65],
    [63, 31, 64],
    [64, 32, 63],
    [65, 33, 129],
    [130, 64, 67],
    [67, 300, 3],
];

/// X, quantised W, and b.
struct Case {
    x: Array2<f32>,
    w: Array2<f32>,
    quantised: QuantisedWeights,
    b: Array1<f32>,
}

impl Case {
    fn new(x: Array2<f32>, w: Array2<f32>, b: Array1<f32>) -> Self {
        let [inputs, outputs] = [w.nrows() as u32, w.ncols() as u32];
        let values: Vec<f32> = w.iter().copied().collect();
        let quantised = QuantisedWeights::new(&values, inputs, outputs).unwrap();
        Self { x, w, quantised, b }
    }

    /// Whole numbers, the largest of each row of X and each column of W ±127.
    fn whole(random: &mut fastrand::Rng, [batch, inputs, outputs]: [usize; 3]) -> Self {
        let mut x = integers(random, batch, inputs, 9);
        let mut w = integers(random, inputs, outputs, 9);
        if inputs > 0 {
            for mut row in x.rows_mut() {
                row[random.usize(0..inputs)] = if random.bool() { 127.0 } else { -127.0 };
            }
            for mut column in w.columns_mut() {
                column[random.usize(0..inputs)] = if random.bool() { 127.0 } else { -127.0 };
            }
        }
        Self::new(x, w, row(integers(random, 1, outputs, 9)))
    }

    fn real(random: &mut fastrand::Rng, [batch, inputs, outputs]: [usize; 3]) -> Self {
        let x = reals(random, batch, inputs);
        let w = reals(random, inputs, outputs);
        Self::new(x, w, row(reals(random, 1, outputs)))
    }

    fn shape(&self) -> Shape {
        Shape {
            batch: self.x.nrows() as u32,
            inputs: self.w.nrows() as u32,
            outputs: self.w.ncols() as u32,
        }
    }

    /// Ŵ without any rounding.
    fn dequantised(&self) -> Array2<f64> {
        let of =
            |(k, j)| f64::from(self.quantised.scales()[j]) * f64::from(self.quantised.whole(k, j));
        Array2::from_shape_fn(self.w.dim(), of)
    }

    /// X·Ŵ + b.
    fn exact(&self) -> Array2<f64> {
        let b = self.b.mapv(f64::from);
        reference::forward(
            self.x.mapv(f64::from).view(),
            self.dequantised().view(),
            Some(b.view()),
        )
    }

    /// T by a plan, or by what is planned.
    fn run(&self, kernels: &LinearKernels, plan: Option<Plan>) -> Array2<f32> {
        let shape = self.shape();
        if let Some(plan) = plan {
            kernels.use_plan(shape, Operation::QuantisedForward, plan);
            let used = kernels.plan(shape, Operation::QuantisedForward);
            assert_eq!(used.algorithm, plan.algorithm);
        }
        let (batch, outputs) = (self.x.nrows(), self.w.ncols());
        let words: Vec<f32> = bytemuck::cast_slice(self.quantised.packed()).to_vec();
        let (x, w) = (Guarded::input(&self.x), Guarded::input(&words));
        let (s, b) = (
            Guarded::input(self.quantised.scales()),
            Guarded::input(&self.b),
        );
        let t = Guarded::output(batch * outputs);
        let w = w.vector();
        let forward = kernels.forward_quantised(ForwardQuantised {
            x: x.matrix(batch, self.w.nrows()),
            w: QuantisedMatrix::new(w.buffer, shape.inputs, shape.outputs).at(w.offset_bytes),
            scales: s.vector(),
            b: Some(b.vector()),
            t: t.matrix(batch, outputs),
        });
        gpu().run(&[forward.unwrap()]).unwrap();
        t.read_matrix(batch, outputs)
    }

    /// The same on another device, with how many kernels that took.
    fn run_on(&self, gpu: &Gpu, kernels: &LinearKernels) -> (Array2<f32>, usize) {
        let Shape {
            batch,
            inputs,
            outputs,
        } = self.shape();
        let upload = |values: &[f32]| gpu.upload("in", values).unwrap();
        let (x, b) = (self.x.as_slice().unwrap(), self.b.as_slice().unwrap());
        let (x, s, b) = (upload(x), upload(self.quantised.scales()), upload(b));
        let w = gpu.upload("w", self.quantised.packed()).unwrap();
        let t = upload(&vec![f32::NAN; (batch * outputs) as usize]);
        let forward = kernels.forward_quantised(ForwardQuantised {
            x: Matrix::new(&x, batch, inputs),
            w: QuantisedMatrix::new(&w, inputs, outputs),
            scales: Vector::new(&s, outputs),
            b: Some(Vector::new(&b, outputs)),
            t: Matrix::new(&t, batch, outputs),
        });
        let forward = forward.unwrap();
        gpu.run([&forward]).unwrap();
        let t = Array2::from_shape_vec(self.dim(), gpu.read(&t).unwrap()).unwrap();
        (t, forward.kernels().len())
    }

    fn dim(&self) -> (usize, usize) {
        (self.x.nrows(), self.w.ncols())
    }

    /// `docs/PRECISION.md`, int8: how far each element of T may be from X·Ŵ + b.
    fn int8_bounds(&self) -> Array2<f64> {
        let (x, w) = (self.x.mapv(f64::from), self.dequantised());
        let exact = x.dot(&w);
        let gamma = 4.0 * U / (1.0 - 4.0 * U);
        Array2::from_shape_fn(exact.dim(), |(i, j)| {
            let largest = x.row(i).fold(0.0_f64, |largest, x| largest.max(x.abs()));
            let column: f64 = w.column(j).mapv(f64::abs).sum();
            let by_row = largest / 127.0 / 2.0 * (1.0 + 2.0_f64.powi(-14)) + 2.0_f64.powi(-119);
            let quantised = by_row * column;
            let rounded = gamma * (exact[[i, j]].abs() + quantised);
            let b = f64::from(self.b[j]).abs();
            quantised + rounded + U * b + 2.0_f64.powi(-124)
        })
    }

    /// How far each column of Ŵ may be from W.
    fn weight_bounds(&self) -> Array1<f64> {
        let bound = |column: ArrayView1<'_, f32>| {
            let largest = column.fold(0.0_f32, |largest, w| largest.max(w.abs()));
            f64::from(largest) / 127.0 / 2.0 * (1.0 + 2.0_f64.powi(-14)) + 2.0_f64.powi(-119)
        };
        self.w.columns().into_iter().map(bound).collect()
    }

    /// The bounds of int8, of X·W + b with the weights as they were.
    fn further_bounds(&self) -> Array2<f64> {
        let terms = self.x.mapv(|x| f64::from(x).abs()).sum_axis(Axis(1));
        let terms = terms.insert_axis(Axis(1));
        self.int8_bounds() + terms.dot(&self.weight_bounds().insert_axis(Axis(0)))
    }

    fn check_weights(&self) {
        let bounds = self.weight_bounds();
        for ((k, j), quantised) in self.dequantised().indexed_iter() {
            let error = (quantised - f64::from(self.w[[k, j]])).abs();
            assert!(error <= bounds[j], "{k}, {j}: {error:e} of {:e}", bounds[j]);
        }
    }

    fn check(&self, t: &Array2<f32>, exact: &Array2<f64>, bounds: &Array2<f64>, what: &str) {
        assert_eq!(t.dim(), exact.dim());
        for (at, found) in t.indexed_iter() {
            let error = (f64::from(*found) - exact[at]).abs();
            let (bound, shape) = (bounds[at], self.shape());
            assert!(
                error <= bound,
                "{what}, {shape}: {at:?} is {found} instead of {}, off by {error:e} of {bound:e}",
                exact[at]
            );
        }
    }

    /// By int8, against everything that is promised of it.
    fn check_int8(&self, kernels: &LinearKernels) {
        self.check_weights();
        let t = self.run(kernels, Some(int8_plan(self.shape())));
        self.check(&t, &self.exact(), &self.int8_bounds(), "int8");
        let w = self.w.mapv(f64::from);
        let b = self.b.mapv(f64::from);
        let x = self.x.mapv(f64::from);
        let unquantised = reference::forward(x.view(), w.view(), Some(b.view()));
        self.check(&t, &unquantised, &self.further_bounds(), "against W");
    }

    /// By every plan in f32, as a product with Ŵ, each of whose elements is rounded once.
    fn check_f32(&self, kernels: &LinearKernels) {
        let (exact, w) = (self.exact(), self.dequantised());
        let magnitudes = self.x.mapv(|x| f64::from(x).abs()).dot(&w.mapv(f64::abs));
        let magnitudes = magnitudes + self.b.mapv(|b| f64::from(b).abs());
        let bounds = magnitudes.mapv(|m| hard_bound(self.w.nrows() + 2, m));
        for plan in f32_plans(self.shape()) {
            let t = self.run(kernels, Some(plan));
            self.check(&t, &exact, &bounds, &plan.to_string());
        }
    }
}

fn kernels() -> LinearKernels {
    LinearKernels::new(gpu().device())
}

fn capabilities() -> Capabilities {
    Capabilities::of(gpu().device())
}

fn int8_plan(shape: Shape) -> Plan {
    let plans = candidates(shape, Operation::QuantisedForward, &capabilities());
    let found = plans.iter().find(|plan| plan.algorithm == Algorithm::Int8);
    *found.unwrap()
}

/// The planner's choice, and its last one.
fn f32_plans(shape: Shape) -> Vec<Plan> {
    let mut plans = ranked_candidates(shape, Operation::QuantisedForward, &capabilities());
    plans.retain(|plan| plan.algorithm != Algorithm::Int8);
    plans.dedup_by_key(|plan| plan.algorithm);
    let last = plans.pop();
    plans.truncate(1);
    plans.extend(last);
    plans
}

fn check_exact(checks: ShaderChecks) {
    let kernels = LinearKernels::with_checks(gpu().device(), checks);
    let mut random = fastrand::Rng::with_seed(11);
    for sizes in EDGES {
        let case = Case::whole(&mut random, sizes);
        let exact = case.exact();
        let plans = f32_plans(case.shape());
        for plan in plans {
            let t = case.run(&kernels, Some(plan));
            case.check(&t, &exact, &Array2::zeros(exact.dim()), &plan.to_string());
        }
        let t = case.run(&kernels, Some(int8_plan(case.shape())));
        case.check(&t, &exact, &nearly(&exact), "int8");
    }
}

/// Where quantising changes nothing, T is a whole number but for the quotient of 127 and 127, to
/// which WGSL grants 2.5 units in the last place, and for what is multiplied by it: far less than
/// from one whole number to the next. The largest b is 9.
fn nearly(exact: &Array2<f64>) -> Array2<f64> {
    let bounds = exact.mapv(|t| 7.0 * U * (t.abs() + 9.0));
    assert!(bounds.iter().all(|bound| *bound < 0.1));
    bounds
}

#[test]
fn quantised_products_are_exact_on_whole_numbers() {
    check_exact(ShaderChecks::WhereNeeded);
}

#[test]
fn quantised_products_are_exact_on_whole_numbers_with_all_checks() {
    check_exact(ShaderChecks::All);
}

#[test]
fn quantised_products_are_within_their_bounds_on_reals() {
    let kernels = kernels();
    let mut random = fastrand::Rng::with_seed(12);
    for sizes in EDGES {
        let case = Case::real(&mut random, sizes);
        case.check_int8(&kernels);
        case.check_f32(&kernels);
    }
}

/// Elements of all sizes, columns too; rows that one huge element flattens; rows of next to
/// nothing; and numbers half way between two whole ones.
#[test]
fn int8_is_within_its_bound_on_rows_that_lie_badly() {
    let kernels = kernels();
    let mut random = fastrand::Rng::with_seed(13);
    let mut case = Case::real(&mut random, [70, 37, 66]);
    let mut powers = |x: &mut Array2<f32>, most: i32| {
        x.mapv_inplace(|x| x * 2.0_f32.powi(random.i32(-most..=most)));
    };
    powers(&mut case.x, 40);
    powers(&mut case.w, 40);
    for (i, value) in [3e38_f32, -1e30, 1e-30, 1e-37, -1e-40]
        .into_iter()
        .enumerate()
    {
        case.x.row_mut(i).mapv_inplace(|x| x.clamp(-1.0, 1.0));
        let factor = if value.abs() < 1.0 { value } else { 1.0 };
        case.x.row_mut(i).mapv_inplace(|x| x * factor);
        case.x[[i, 5 + i]] = value;
    }
    let halves =
        Array1::from_shape_fn(37, |k| 0.5 + k as f32 * if k % 2 == 0 { 1.0 } else { -1.0 });
    case.x.row_mut(7).assign(&halves);
    case.x[[7, 3]] = 127.0;
    case.x.row_mut(8).fill(0.0);
    case.w.column_mut(2).fill(0.0);
    case.w.column_mut(3).mapv_inplace(|w| w * 1e-25);
    // So that 3e38 times a sum of columns stays a number.
    case.w.mapv_inplace(|w| w.clamp(-1e-3, 1e-3));
    let case = Case::new(case.x, case.w, case.b);
    case.check_int8(&kernels);
}

/// Sums that do not fit i16 and need all of an i32.
#[test]
fn int8_sums_reach_far() {
    let kernels = kernels();
    let inputs = match capabilities().loop_iterations {
        None => 133_144,
        Some(_) => 131_072,
    };
    let x = Array2::from_elem((1, inputs), 127.0);
    let w = Array2::from_shape_fn((inputs, 2), |(_, j)| if j == 0 { 127.0 } else { -127.0 });
    let case = Case::new(x, w, Array1::zeros(2));
    case.check_int8(&kernels);
}

/// Throughout, even where the weights are 0. A row of zeros stays b.
#[test]
fn rows_that_are_not_finite_are_nan_in_int8_and_no_others() {
    let kernels = kernels();
    let mut random = fastrand::Rng::with_seed(14);
    for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut case = Case::whole(&mut random, [67, 70, 65]);
        case.w.column_mut(4).fill(0.0);
        let mut case = Case::new(case.x, case.w, case.b);
        case.x.row_mut(3).fill(0.0);
        let exact = case.exact();
        let bounds = nearly(&exact);
        case.x[[64, 69]] = value;
        case.x[[2, 0]] = value;
        let t = case.run(&kernels, Some(int8_plan(case.shape())));
        for ((i, j), t) in t.indexed_iter() {
            if [2, 64].contains(&i) {
                assert!(t.is_nan(), "{value}: {t} in row {i}, column {j}");
            } else {
                let error = (f64::from(*t) - exact[[i, j]]).abs();
                assert!(error <= bounds[[i, j]], "{value}: {t} at {i}, {j}");
            }
        }
        let twin = reference::forward_quantised(case.x.view(), &case.quantised, None);
        assert!(twin.row(2).iter().chain(twin.row(64)).all(|t| t.is_nan()));
    }
}

/// The twin in f64 is within what quantising costs, and the kernel near the twin.
#[test]
fn int8_follows_its_twin() {
    let kernels = kernels();
    let mut random = fastrand::Rng::with_seed(15);
    let mut case = Case::real(&mut random, [40, 90, 70]);
    // Where a quotient is near the middle of two whole numbers, rounding decides what becomes of
    // it.
    let (_, r) = reference::quantise_rows(case.x.mapv(f64::from).view());
    for ((i, _), x) in case.x.indexed_iter_mut() {
        let from_half = ((f64::from(*x) / r[i]).abs().fract() - 0.5).abs();
        *x = if from_half > 1e-3 { *x } else { 0.0 };
    }
    let (x, b) = (case.x.mapv(f64::from), case.b.mapv(f64::from));
    let twin = reference::forward_quantised(x.view(), &case.quantised, Some(b.view()));
    case.check(
        &twin.mapv(|t| t as f32),
        &case.exact(),
        &case.int8_bounds(),
        "twin",
    );
    let t = case.run(&kernels, Some(int8_plan(case.shape())));
    let near = twin.mapv(|t| 8.0 * U * (t.abs() + 2.0));
    case.check(&t, &twin, &near, "kernel");
    let in_f32 = reference::forward_quantised(case.x.view(), &case.quantised, Some(case.b.view()));
    case.check(&in_f32, &twin, &near, "twin in f32");
}

#[test]
fn twin_quantises_by_hand() {
    let x = ndarray::array![
        [254.0_f32, -3.0, 1.0, -254.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, f32::NAN, 1.0, 1.0],
        [1e-37, 0.0, 0.0, 0.0],
    ];
    let (p, r) = reference::quantise_rows(x.view());
    // −1.5 and 0.5 are ties.
    assert_eq!(p.row(0), ndarray::array![127, -2, 0, -127]);
    assert!(p.slice(s![1.., ..]).iter().all(|p| *p == 0));
    assert_eq!((r[0], r[1], r[3]), (2.0, 0.0, 0.0));
    assert!(r[2].is_nan());
}

/// With grids that need both dimensions: more rows than one holds.
#[test]
fn rows_are_quantised_where_the_grid_folds() {
    let kernels = kernels();
    let mut random = fastrand::Rng::with_seed(16);
    let case = Case::whole(&mut random, [65_540, 3, 2]);
    let t = case.run(&kernels, Some(int8_plan(case.shape())));
    let exact = case.exact();
    case.check(&t, &exact, &nearly(&exact), "int8");
}

/// Results in pieces, as many as there are tiles, behind one dispatch that quantises.
#[test]
fn int8_in_pieces_has_the_same_bits() {
    let whole = kernels();
    let cut = kernels().with_longest_dispatch(Duration::from_nanos(1));
    let mut random = fastrand::Rng::with_seed(18);
    for (sizes, tiles) in [([70, 40, 133], 6), ([128, 33, 128], 4)] {
        let case = Case::real(&mut random, sizes);
        let operation = Operation::QuantisedForward;
        for kernels in [&whole, &cut] {
            kernels.use_plan(case.shape(), operation, int8_plan(case.shape()));
        }
        let (expected, few) = case.run_on(gpu(), &whole);
        let (pieces, many) = case.run_on(gpu(), &cut);
        case.check(&expected, &case.exact(), &case.int8_bounds(), "whole");
        assert!(expected == pieces, "{sizes:?}");
        assert_eq!((few, many), (2, 1 + tiles), "{sizes:?}");
    }
}

/// X, T and Ŵ are larger than a binding, Q is not.
#[test]
fn quantised_products_are_exact_in_parts() {
    let gpu = gpu_in_parts();
    let kernels = LinearKernels::new(gpu.device());
    let mut random = fastrand::Rng::with_seed(19);
    for sizes in [[131, 257, 60], [260, 132, 96]] {
        let case = Case::whole(&mut random, sizes);
        let (exact, shape) = (case.exact(), case.shape());
        let (t, count) = case.run_on(&gpu, &kernels);
        case.check(&t, &exact, &Array2::zeros(exact.dim()), "f32 in parts");
        assert!(count > 3, "{count}");
        kernels.use_plan(shape, Operation::QuantisedForward, int8_plan(shape));
        let (t, count) = case.run_on(&gpu, &kernels);
        case.check(&t, &exact, &nearly(&exact), "int8 in parts");
        assert!(count > 3 && count.is_multiple_of(2), "{count}");
    }
    let binding = gpu.device().limits().max_storage_buffer_binding_size;
    let outputs = u32::try_from(binding / 4 + 1).unwrap();
    let words = |len: u32| gpu.zeros("operand", len as usize).unwrap();
    let (one, many) = (words(1), words(outputs));
    let refused = kernels.forward_quantised(ForwardQuantised {
        x: Matrix::new(&one, 0, 1),
        w: QuantisedMatrix::new(&many, 1, outputs),
        scales: Vector::new(&many, outputs),
        b: None,
        t: Matrix::new(&one, 0, outputs),
    });
    assert!(
        matches!(
            refused,
            Err(PrepareError::Limit { name: "max_storage_buffer_binding_size", allowed, .. })
                if allowed == binding
        ),
        "{refused:?}"
    );
}

#[test]
fn no_estimate_chooses_int8() {
    for capabilities in [capabilities(), Capabilities::hardware()] {
        for batch in [1, 64, 4096] {
            let shape = Shape {
                batch,
                inputs: 4096,
                outputs: 4096,
            };
            let ranked = ranked_candidates(shape, Operation::QuantisedForward, &capabilities);
            let (last, others) = ranked.split_last().unwrap();
            assert_eq!(last.algorithm, Algorithm::Int8);
            assert!(others.iter().all(|plan| plan.algorithm != Algorithm::Int8));
            let of_f32 = ranked_candidates(shape, Operation::Forward, &capabilities);
            assert_eq!(others, of_f32);
            let planned = plan(shape, Operation::QuantisedForward, &capabilities);
            assert_eq!(planned, of_f32[0]);
        }
    }
    let kernels = kernels();
    let case = Case::whole(&mut fastrand::Rng::with_seed(17), [3, 5, 7]);
    let planned = kernels.plan(case.shape(), Operation::QuantisedForward);
    assert_ne!(planned.algorithm, Algorithm::Int8);
}

/// More terms than i32 holds, or than the loops of a driver go round.
#[test]
fn int8_is_no_candidate_where_sums_could_overflow() {
    let shape = |inputs| Shape {
        batch: 4,
        inputs,
        outputs: 4,
    };
    let is_candidate = |inputs, capabilities: &Capabilities| {
        candidates(shape(inputs), Operation::QuantisedForward, capabilities)
            .iter()
            .any(|plan| plan.algorithm == Algorithm::Int8)
    };
    let hardware = Capabilities::hardware();
    assert!(is_candidate(133_144, &hardware) && !is_candidate(133_145, &hardware));
    let kernels = kernels();
    let operation = Operation::QuantisedForward;
    kernels.use_plan(shape(133_145), operation, int8_plan(shape(64)));
    let used = kernels.plan(shape(133_145), operation);
    assert_ne!(used.algorithm, Algorithm::Int8);
    // Nor is it one for anything else.
    for other in [
        Operation::Forward,
        Operation::InputGrad,
        Operation::WeightGrad,
    ] {
        kernels.use_plan(shape(64), other, int8_plan(shape(64)));
        let used = kernels.plan(shape(64), other);
        assert_ne!(used.algorithm, Algorithm::Int8);
    }
    let mut weak = Capabilities::hardware();
    weak.max_workgroup_bytes = 4_096;
    assert!(!is_candidate(64, &weak));
}

#[test]
fn the_tuner_measures_int8_and_keeps_what_is_fastest() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TuneCache::at(folder.path().join("tuned.tsv"));
    let kernels = kernels();
    let shape = Shape {
        batch: 70,
        inputs: 301,
        outputs: 66,
    };
    let operation = Operation::QuantisedForward;
    let options = TuneOptions {
        most_candidates: 2,
        ..TuneOptions::default()
    };
    let tuner = Tuner::new(gpu(), &kernels).with_options(options);
    let tuner = tuner.with_cache(cache.clone());
    let tuned = tuner.tune(shape, operation).unwrap();
    let algorithms: Vec<_> = tuned
        .measurements
        .iter()
        .map(|m| m.plan.algorithm)
        .collect();
    assert_eq!(algorithms.len(), 2);
    assert_eq!(tuned.measurements[0].plan, tuned.planned);
    assert_eq!(algorithms[1], Algorithm::Int8);
    let fastest = tuned.measurements.iter().min_by_key(|m| m.time).unwrap();
    assert_eq!(fastest.plan, tuned.plan);
    assert_eq!(kernels.plan(shape, operation), tuned.plan);
    assert!(tuned.unsaved.is_none());
    let again = tuner.tune(shape, operation).unwrap();
    assert!(again.from_cache && again.plan == tuned.plan);
}

/// A file that says int8 was the fastest is believed.
#[test]
fn the_cache_of_plans_can_keep_int8() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let cache = TuneCache::at(&path);
    let shape = Shape {
        batch: 5,
        inputs: 40,
        outputs: 9,
    };
    let operation = Operation::QuantisedForward;
    let tuning = kernels();
    let tuner = Tuner::new(gpu(), &tuning).with_cache(cache.clone());
    tuner.tune(shape, operation).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (header, entry) = text.split_once('\n').unwrap();
    let mut fields: Vec<&str> = entry.trim_end().split('\t').collect();
    fields.pop();
    let plan = int8_plan(shape).to_string();
    fields[12] = &plan;
    let line = fields.join("\t");
    let checksum = crc32c::crc32c(line.as_bytes());
    std::fs::write(&path, format!("{header}\n{line}\t{checksum:08x}\n")).unwrap();
    let kernels = kernels();
    assert_eq!(kernels.use_plans(&cache), 1);
    let used = kernels.plan(shape, operation);
    assert_eq!(used.algorithm, Algorithm::Int8);
}

#[test]
fn operands_that_do_not_serve_are_refused() {
    let kernels = kernels();
    let buffers = ["x", "w", "s", "b", "t"].map(|label| gpu().zeros(label, 64).unwrap());
    let [x, w, s, b, t] = &buffers;
    let good = || ForwardQuantised {
        x: Matrix::new(x, 4, 6),
        w: QuantisedMatrix::new(w, 6, 3),
        scales: Vector::new(s, 3),
        b: Some(Vector::new(b, 3)),
        t: Matrix::new(t, 4, 3),
    };
    let refused = |operands| kernels.forward_quantised(operands).unwrap_err();
    assert!(kernels.forward_quantised(good()).is_ok());
    for (operand, operands) in [
        (
            "x",
            ForwardQuantised {
                x: Matrix::new(x, 4, 5),
                ..good()
            },
        ),
        (
            "t",
            ForwardQuantised {
                t: Matrix::new(t, 4, 4),
                ..good()
            },
        ),
        (
            "scales",
            ForwardQuantised {
                scales: Vector::new(s, 6),
                ..good()
            },
        ),
        (
            "b",
            ForwardQuantised {
                b: Some(Vector::new(b, 4)),
                ..good()
            },
        ),
    ] {
        let error = refused(operands);
        assert!(
            matches!(error, PrepareError::Shape { operand: told, .. } if told == operand),
            "{error}"
        );
    }
    let half = ForwardQuantised {
        x: good().x.stored_as(ElementType::F16),
        ..good()
    };
    let error = refused(half);
    assert!(
        matches!(error, PrepareError::ElementType { operand: "x", .. }),
        "{error}"
    );
    let error = refused(ForwardQuantised {
        t: Matrix::new(x, 4, 3),
        ..good()
    });
    assert!(
        matches!(
            error,
            PrepareError::Aliased {
                written: "t",
                other: "x",
                ..
            }
        ),
        "{error}"
    );
    let large = ForwardQuantised {
        x: Matrix::new(x, 0, 64),
        w: QuantisedMatrix::new(w, 64, 5),
        scales: Vector::new(s, 5),
        b: None,
        t: Matrix::new(t, 0, 5),
    };
    let error = refused(large);
    assert!(
        matches!(
            error,
            PrepareError::BufferTooSmall {
                operand: "w",
                required_bytes: 320,
                actual_bytes: 256,
                ..
            }
        ),
        "{error}"
    );
    let odd = QuantisedMatrix::new(w, 6, 3).at(4);
    let error = refused(ForwardQuantised { w: odd, ..good() });
    assert!(
        matches!(error, PrepareError::MisalignedOffset { operand: "w", .. }),
        "{error}"
    );
}
