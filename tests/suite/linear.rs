//! The four operations on the GPU against their twins in f64.

use std::collections::BTreeSet;
use std::time::Duration;

use ndarray::{Array1, Array2};
use wgpu_linear::linear::{Algorithm, Broadcast, Capabilities, Operation, Plan, Shape, candidates};
use wgpu_linear::model::Activation;
use wgpu_linear::{
    BiasGrad, Forward, ForwardActivated, ForwardInference, InputGrad, InputGradActivated,
    LinearKernels, Matrix, ShaderChecks, Vector, WeightGrad, reference,
};

use crate::compare::{hard_bound, magnitude, regression_bound, same, within};
use crate::support::{Guarded, gpu, integers, linear_kernels, reals, row};

/// One layer with its inputs and an upstream gradient.
pub(crate) struct Case {
    pub(crate) x: Array2<f32>,
    pub(crate) w: Array2<f32>,
    pub(crate) b: Array1<f32>,
    pub(crate) dt: Array2<f32>,
}

/// What comes of a case, on the GPU or in the reference.
pub(crate) struct Results<F = f32> {
    pub(crate) t: Array2<F>,
    pub(crate) t_without_bias: Array2<F>,
    pub(crate) dx: Array2<F>,
    pub(crate) dw: Array2<F>,
    pub(crate) db: Array1<F>,
    /// db as weight_grad computes it.
    pub(crate) db_beside: Array1<F>,
    /// T, f(T) and dT below of the operations with an activation.
    pub(crate) t_activated: Array2<F>,
    pub(crate) a: Array2<F>,
    /// f(T) without T.
    pub(crate) a_alone: Array2<F>,
    pub(crate) dt_below: Array2<F>,
}

/// Exact on integers, and its derivative is never 0.
const LEAKY: Activation = Activation::LeakyRelu { slope: -2.0 };

impl Case {
    pub(crate) fn new(
        [batch, inputs, outputs]: [usize; 3],
        mut matrix: impl FnMut(usize, usize) -> Array2<f32>,
    ) -> Self {
        Self {
            x: matrix(batch, inputs),
            w: matrix(inputs, outputs),
            b: row(matrix(1, outputs)),
            dt: matrix(batch, outputs),
        }
    }

    /// All operations in one pass, on views into larger buffers, into outputs that begin as NaN.
    pub(crate) fn run(&self, kernels: &LinearKernels) -> Results {
        let ((batch, inputs), outputs) = (self.x.dim(), self.w.ncols());
        let [x, w, dt] = [&self.x, &self.w, &self.dt].map(Guarded::input);
        let b = Guarded::input(&self.b);
        let [t, t_without_bias, dx, dw, db, db_beside] = [
            batch * outputs,
            batch * outputs,
            batch * inputs,
            inputs * outputs,
            outputs,
            outputs,
        ]
        .map(Guarded::output);
        let [t_activated, a, a_alone] = [batch * outputs; 3].map(Guarded::output);
        let dt_below = Guarded::output(batch * inputs);
        let (x_view, w_view, dt_view) = (
            x.matrix(batch, inputs),
            w.matrix(inputs, outputs),
            dt.matrix(batch, outputs),
        );
        let forward = |b, t: &Guarded| {
            kernels
                .forward(Forward {
                    x: x_view,
                    w: w_view,
                    b,
                    t: t.matrix(batch, outputs),
                })
                .unwrap()
        };
        gpu()
            .run(&[
                forward(Some(b.vector()), &t),
                forward(None, &t_without_bias),
                kernels
                    .input_grad(InputGrad {
                        dt: dt_view,
                        w: w_view,
                        dx: dx.matrix(batch, inputs),
                    })
                    .unwrap(),
                kernels
                    .weight_grad(WeightGrad {
                        x: x_view,
                        dt: dt_view,
                        dw: dw.matrix(inputs, outputs),
                        db: Some(db_beside.vector()),
                    })
                    .unwrap(),
                kernels
                    .bias_grad(BiasGrad {
                        dt: dt_view,
                        db: db.vector(),
                    })
                    .unwrap(),
                kernels
                    .forward_activated(ForwardActivated {
                        x: x_view,
                        w: w_view,
                        b: Some(b.vector()),
                        function: LEAKY,
                        t: t_activated.matrix(batch, outputs),
                        a: a.matrix(batch, outputs),
                    })
                    .unwrap(),
                kernels
                    .forward_inference(ForwardInference {
                        x: x_view,
                        w: w_view,
                        b: Some(b.vector()),
                        function: LEAKY,
                        a: a_alone.matrix(batch, outputs),
                    })
                    .unwrap(),
                kernels
                    .input_grad_activated(InputGradActivated {
                        dt: dt_view,
                        w: w_view,
                        function: LEAKY,
                        t_below: x_view,
                        dt_below: dt_below.matrix(batch, inputs),
                    })
                    .unwrap(),
            ])
            .unwrap();
        Results {
            db_beside: db_beside.read().into(),
            t_activated: t_activated.read_matrix(batch, outputs),
            a: a.read_matrix(batch, outputs),
            a_alone: a_alone.read_matrix(batch, outputs),
            dt_below: dt_below.read_matrix(batch, inputs),
            t: t.read_matrix(batch, outputs),
            t_without_bias: t_without_bias.read_matrix(batch, outputs),
            dx: dx.read_matrix(batch, inputs),
            dw: dw.read_matrix(inputs, outputs),
            db: db.read().into(),
        }
    }

    pub(crate) fn expected(&self) -> Results<f64> {
        let [x, w, dt] = [&self.x, &self.w, &self.dt].map(|a| a.mapv(f64::from));
        let b = self.b.mapv(f64::from);
        let t = reference::forward(x.view(), w.view(), Some(b.view()));
        let dx = reference::input_grad(dt.view(), w.view());
        let db = reference::bias_grad(dt.view());
        Results {
            t_without_bias: reference::forward(x.view(), w.view(), None),
            dw: reference::weight_grad(x.view(), dt.view()),
            db_beside: db.clone(),
            db,
            a: reference::activation(LEAKY, t.view()),
            a_alone: reference::activation(LEAKY, t.view()),
            t_activated: t.clone(),
            t,
            dt_below: reference::activation_grad(LEAKY, x.view(), dx.view()),
            dx,
        }
    }

    pub(crate) fn check_exact(&self, kernels: &LinearKernels) {
        self.check_equals(kernels, &self.expected());
    }

    fn check_equals(&self, kernels: &LinearKernels, expected: &Results<f64>) {
        let actual = self.run(kernels);
        let shape = (self.x.dim(), self.w.dim());
        same(actual.t.view(), expected.t.view())
            .unwrap_or_else(|e| panic!("forward {shape:?}: {e}"));
        same(actual.t_without_bias.view(), expected.t_without_bias.view())
            .unwrap_or_else(|e| panic!("forward without bias {shape:?}: {e}"));
        same(actual.dx.view(), expected.dx.view())
            .unwrap_or_else(|e| panic!("input_grad {shape:?}: {e}"));
        same(actual.dw.view(), expected.dw.view())
            .unwrap_or_else(|e| panic!("weight_grad {shape:?}: {e}"));
        same(actual.db.view(), expected.db.view())
            .unwrap_or_else(|e| panic!("bias_grad {shape:?}: {e}"));
        same(actual.db_beside.view(), expected.db_beside.view())
            .unwrap_or_else(|e| panic!("db of weight_grad {shape:?}: {e}"));
        same(actual.t_activated.view(), expected.t_activated.view())
            .unwrap_or_else(|e| panic!("t of forward_activated {shape:?}: {e}"));
        same(actual.a.view(), expected.a.view())
            .unwrap_or_else(|e| panic!("a of forward_activated {shape:?}: {e}"));
        same(actual.a_alone.view(), expected.a_alone.view())
            .unwrap_or_else(|e| panic!("forward_inference {shape:?}: {e}"));
        same(actual.dt_below.view(), expected.dt_below.view())
            .unwrap_or_else(|e| panic!("input_grad_activated {shape:?}: {e}"));
    }

    pub(crate) fn check_bounded(&self, kernels: &LinearKernels, bound: impl Fn(usize, f64) -> f64) {
        let (actual, expected) = (self.run(kernels), self.expected());
        let ((batch, inputs), outputs) = (self.x.dim(), self.w.ncols());
        let [x, w, dt] = [&self.x, &self.w, &self.dt].map(|a| magnitude(a.view()));
        let limit = |terms: usize, magnitude: Array2<f64>| magnitude.mapv(|m| bound(terms, m));
        let xw = x.dot(&w);
        let xwb = &xw + &self.b.mapv(|b| f64::from(b).abs());
        let shape = (self.x.dim(), self.w.dim());
        within(
            actual.t.view(),
            expected.t.view(),
            limit(inputs + 1, xwb).view(),
        )
        .unwrap_or_else(|e| panic!("forward {shape:?}: {e}"));
        within(
            actual.t_without_bias.view(),
            expected.t_without_bias.view(),
            limit(inputs, xw).view(),
        )
        .unwrap_or_else(|e| panic!("forward without bias {shape:?}: {e}"));
        within(
            actual.dx.view(),
            expected.dx.view(),
            limit(outputs, dt.dot(&w.t())).view(),
        )
        .unwrap_or_else(|e| panic!("input_grad {shape:?}: {e}"));
        within(
            actual.dw.view(),
            expected.dw.view(),
            limit(batch, x.t().dot(&dt)).view(),
        )
        .unwrap_or_else(|e| panic!("weight_grad {shape:?}: {e}"));
        let sums = dt.sum_axis(ndarray::Axis(0)).mapv(|m| bound(batch, m));
        within(actual.db.view(), expected.db.view(), sums.view())
            .unwrap_or_else(|e| panic!("bias_grad {shape:?}: {e}"));
        within(
            actual.db_beside.view(),
            expected.db_beside.view(),
            sums.view(),
        )
        .unwrap_or_else(|e| panic!("db of weight_grad {shape:?}: {e}"));
    }
}

fn check_exact_for_all_shapes_of(sizes: &[usize]) {
    let mut random = fastrand::Rng::with_seed(1);
    for &batch in sizes {
        for &inputs in sizes {
            for &outputs in sizes {
                Case::new([batch, inputs, outputs], |rows, columns| {
                    integers(&mut random, rows, columns, 9)
                })
                .check_exact(linear_kernels());
            }
        }
    }
}

/// None, one, aligned to vectors of 4 and not, and more than one tile.
#[test]
fn linear_operations_are_exact_on_integers_for_edge_shapes() {
    check_exact_for_all_shapes_of(&[0, 1, 8, 33]);
}

/// Whether eight neighbouring threads can hand each other values.
fn shuffles() -> bool {
    linear_kernels().capabilities().subgroup_sizes == Some([8, 8])
}

/// Every kernel that any adapter may get, wherever this runs, whole and in slabs.
pub(crate) fn all_plans(shape: Shape, operation: Operation) -> Vec<Plan> {
    let mut without_shuffle = Capabilities::software(2);
    without_shuffle.subgroup_sizes = None;
    let mut adapters = vec![Capabilities::hardware(), without_shuffle];
    if shuffles() {
        adapters.push(Capabilities::software(2));
    }
    let plans = adapters
        .iter()
        .flat_map(|adapter| candidates(shape, operation, adapter));
    // One number of slabs is as good as another, and the geometries in between add nothing.
    let between = |plan: &Plan| {
        matches!(
            plan.algorithm,
            Algorithm::Broadcast(
                Broadcast {
                    groups: 1 | 4,
                    vectors: 1,
                    ..
                } | Broadcast {
                    groups: 1 | 2,
                    vectors: 2,
                    ..
                }
            )
        )
    };
    plans
        .filter(|plan| [1, 4].contains(&plan.slabs) && !between(plan))
        .collect()
}

/// Shapes around the edges of every tile, aligned to 4 elements and not, with sums long enough to
/// be split into slabs.
fn check_every_plan(checks: ShaderChecks) {
    let kernels = LinearKernels::with_checks(gpu().device(), checks);
    let mut random = fastrand::Rng::with_seed(10);
    let mut tried = BTreeSet::new();
    let shapes = [
        [8, 520, 132],
        [5, 517, 131],
        [520, 36, 8],
        [517, 131, 7],
        [8, 132, 520],
        [13, 517, 35],
        [13, 35, 517],
        // Few columns; rows of a multiple of 4 elements in the left factor alone.
        [29, 520, 3],
        [31, 519, 7],
        [37, 4, 516],
        [27, 7, 517],
    ];
    for sizes in shapes {
        let case = Case::new(sizes, |rows, columns| {
            integers(&mut random, rows, columns, 9)
        });
        let expected = case.expected();
        let [batch, inputs, outputs] = sizes.map(|size| size as u32);
        let shape = Shape {
            batch,
            inputs,
            outputs,
        };
        let plans = [
            Operation::Forward,
            Operation::InputGrad,
            Operation::WeightGrad,
        ]
        .map(|operation| (operation, all_plans(shape, operation)));
        let rounds = plans.iter().map(|(_, plans)| plans.len()).max().unwrap();
        for round in 0..rounds {
            for (operation, plans) in &plans {
                let plan = plans[round % plans.len()];
                tried.insert(format!("{operation:?} {plan}"));
                kernels.use_plan(shape, *operation, plan);
            }
            case.check_equals(&kernels, &expected);
        }
    }
    for kernel in [
        "tiled 128",
        "tiled 64",
        "tiled 32",
        "broadcast 32",
        "small batch of 8",
        "narrow 16×4",
        "narrow 16×8",
        "naive",
    ] {
        let for_few = kernel.starts_with("small batch") || kernel.starts_with("narrow");
        for operation in ["Forward", "InputGrad", "WeightGrad"] {
            let is_tried = !(for_few && operation == "WeightGrad")
                && (shuffles() || !kernel.starts_with("narrow"));
            if is_tried {
                let wanted = format!("{operation} {kernel}");
                let found: Vec<_> = tried
                    .iter()
                    .filter(|plan| plan.starts_with(&wanted))
                    .collect();
                assert!(found.len() >= 2, "whole and in slabs: {wanted}: {found:?}");
            }
        }
    }
}

/// A kernel for fewer rows would leave out the others, and one for another layout would read past
/// the end.
#[test]
fn use_plan_ignores_plans_that_cannot_do_the_operation() {
    let kernels = LinearKernels::new(gpu().device());
    let shape = |batch| Shape {
        batch,
        inputs: 64,
        outputs: 64,
    };
    let hardware = Capabilities::hardware();
    let small = candidates(shape(1), Operation::Forward, &hardware)
        .into_iter()
        .find(|plan| matches!(plan.algorithm, Algorithm::SmallBatch(_)))
        .unwrap();
    let sums = candidates(shape(1), Operation::BiasGrad, &hardware)[0];
    for (batch, operation, plan, is_used) in [
        (1, Operation::Forward, small, true),
        (2, Operation::Forward, small, false),
        (1, Operation::WeightGrad, small, false),
        (1, Operation::BiasGrad, small, false),
        (1, Operation::Forward, sums, false),
    ] {
        kernels.use_plan(shape(batch), operation, plan);
        // Passes may be shorter here.
        let used = kernels.plan(shape(batch), operation).algorithm == plan.algorithm;
        assert_eq!(used, is_used, "{plan} for {operation:?}, batch {batch}");
    }
}

/// Cases from a seed of their own, none of which depends on how many there are.
fn check_bounds_on_random_shapes(seed: u64, cases: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..cases {
        let mut shape = [
            random.usize(0..150),
            random.usize(0..150),
            random.usize(0..150),
        ];
        if random.u8(0..4) == 0 {
            shape[random.usize(0..3)] = random.usize(150..2000); // now and then one long side
        }
        let case = Case::new(shape, |rows, columns| reals(&mut random, rows, columns));
        // Both bounds hold where the smaller one does.
        case.check_bounded(linear_kernels(), |terms, magnitude| {
            hard_bound(terms, magnitude).min(regression_bound(terms, magnitude))
        });
    }
}

#[test]
fn linear_operations_stay_within_the_bound_on_a_few_random_shapes() {
    check_bounds_on_random_shapes(12, 15);
}

/// What `scripts/test --quick` leaves out.
mod slow {
    use super::{
        ShaderChecks, check_bounds_on_random_shapes, check_every_plan,
        check_exact_for_all_shapes_of,
    };

    #[test]
    fn every_plan_is_exact_on_integers() {
        check_every_plan(ShaderChecks::WhereNeeded);
    }

    #[test]
    fn every_plan_is_exact_on_integers_with_all_checks() {
        check_every_plan(ShaderChecks::All);
    }

    #[test]
    fn linear_operations_are_exact_on_integers_for_all_edge_shapes() {
        check_exact_for_all_shapes_of(&[0, 1, 3, 4, 8, 31, 32, 33, 67]);
    }

    #[test]
    fn linear_operations_stay_within_the_bound_on_random_shapes() {
        let is_long = std::env::var_os("WGPU_LINEAR_LONG").is_some();
        check_bounds_on_random_shapes(2, if is_long { 5000 } else { 200 });
    }
}

/// Elements from 2⁻⁶⁰ to 2⁶⁰: the bound is relative to |A||B|, so it must hold here too.
#[test]
fn linear_operations_stay_within_the_bound_on_numbers_of_all_sizes() {
    let kernels = linear_kernels();
    let mut random = fastrand::Rng::with_seed(3);
    let wide = |rows, columns| {
        Array2::from_shape_simple_fn((rows, columns), || {
            (2.0 * random.f32() - 1.0) * 2.0_f32.powi(random.i32(-60..60))
        })
    };
    Case::new([70, 33, 21], wide).check_bounded(kernels, hard_bound);
}

#[test]
fn forward_without_inputs_gives_the_bias() {
    let kernels = linear_kernels();
    let mut random = fastrand::Rng::with_seed(4);
    let case = Case::new([5, 0, 70], |rows, columns| {
        reals(&mut random, rows, columns)
    });
    for row in case.run(kernels).t.rows() {
        assert_eq!(row, case.b);
    }
}

/// Around the 32 columns and 8 lanes of a workgroup of `sum_rows`.
#[test]
fn bias_grad_is_exact_on_integers_around_its_workgroup() {
    let kernels = linear_kernels();
    let mut random = fastrand::Rng::with_seed(6);
    for batch in [0, 1, 7, 8, 9, 17] {
        for outputs in [31, 32, 33, 65] {
            Case::new([batch, 1, outputs], |rows, columns| {
                integers(&mut random, rows, columns, 9)
            })
            .check_exact(kernels);
        }
    }
}

/// Rows dealt out to several workgroups, evenly and not, in one pass and in two.
#[test]
fn bias_grad_is_exact_in_slabs() {
    let kernels = LinearKernels::new(gpu().device());
    let mut random = fastrand::Rng::with_seed(12);
    let mut tried = BTreeSet::new();
    for batch in [256, 1031, 8_192, (1 << 17) + 77] {
        for outputs in [3, 64, 65] {
            let shape = Shape {
                batch,
                inputs: 0,
                outputs,
            };
            let values = integers(&mut random, batch as usize, outputs as usize, 3);
            let sum = values.sum_axis(ndarray::Axis(0));
            for mut plan in candidates(shape, Operation::BiasGrad, &Capabilities::hardware()) {
                plan.terms_per_pass = if batch > 1 << 16 { 1 << 10 } else { 1 << 18 };
                tried.insert(plan.slabs);
                kernels.use_plan(shape, Operation::BiasGrad, plan);
                let (dt, db) = (Guarded::input(&values), Guarded::output(outputs as usize));
                let operands = BiasGrad {
                    dt: dt.matrix(batch as usize, outputs as usize),
                    db: db.vector(),
                };
                gpu().run(&[kernels.bias_grad(operands).unwrap()]).unwrap();
                assert_eq!(Array1::from(db.read()), sum, "{batch}×{outputs}, {plan}");
            }
        }
    }
    assert!(tried.len() >= 4 && tried.contains(&1), "{tried:?}");
}

/// Sums around the number of terms that one pass adds up, by a plan for software adapters, whose
/// passes are the shortest; in one slab, since several share the terms before a pass is full.
#[test]
fn linear_operations_are_exact_across_passes() {
    let mut software = Capabilities::software(2);
    software.subgroup_sizes = None;
    check_passes(&software, |plan| plan.slabs == 1);
}

/// The same for the kernel that deals terms out.
#[test]
fn products_of_few_columns_are_exact_across_passes() {
    if shuffles() {
        let is_narrow = |plan: &Plan| matches!(plan.algorithm, Algorithm::Narrow(_));
        check_passes(&Capabilities::software(2), |plan| {
            plan.slabs == 1 && is_narrow(plan)
        });
    }
}

/// Operations without a plan that is wanted are left out.
fn check_passes(software: &Capabilities, wanted: impl Fn(&Plan) -> bool) {
    let kernels = LinearKernels::new(gpu().device());
    let mut random = fastrand::Rng::with_seed(8);
    let mut tried = 0;
    for (operation, sizes) in [
        (Operation::Forward, |terms| [2, terms, 3]),
        (Operation::InputGrad, |terms| [2, 3, terms]),
        (Operation::WeightGrad, |terms| [terms, 2, 3]),
    ] as [(Operation, fn(usize) -> [usize; 3]); 3]
    {
        let plan_for = |terms| {
            let [batch, inputs, outputs] = sizes(terms).map(|size| size as u32);
            let shape = Shape {
                batch,
                inputs,
                outputs,
            };
            let plans = candidates(shape, operation, software);
            Some((shape, plans.into_iter().find(&wanted)?))
        };
        let Some((_, first)) = plan_for(1) else {
            continue;
        };
        let pass = first.terms_per_pass as usize;
        for terms in [pass - 1, pass, pass + 1, 2 * pass + 17] {
            let (shape, plan) = plan_for(terms).unwrap();
            assert_eq!(plan.terms_per_pass as usize, pass);
            tried += 1;
            kernels.use_plan(shape, operation, plan);
            Case::new(sizes(terms), |rows, columns| {
                integers(&mut random, rows, columns, 3)
            })
            .check_exact(&kernels);
        }
    }
    assert!(tried >= 8, "{tried}");
}

/// Long sums as the planner of this adapter does them.
#[test]
fn linear_operations_are_exact_for_long_sums() {
    let mut random = fastrand::Rng::with_seed(8);
    for long in [(1 << 15) - 1, 1 << 15, (1 << 15) + 1, (1 << 16) + 17] {
        for shape in [[long, 2, 3], [2, long, 3], [2, 3, long]] {
            Case::new(shape, |rows, columns| {
                integers(&mut random, rows, columns, 3)
            })
            .check_exact(linear_kernels());
        }
    }
}

/// A plan for hardware, which adds up a whole sum at a time, is followed in as many passes as this
/// adapter does right. The naive kernel goes round once for four terms: 75,005 times, where llvmpipe
/// leaves a loop after 65,535.
#[test]
fn plans_of_other_adapters_are_exact_for_long_sums() {
    let (batch, inputs, outputs) = (3, 300_017, 5);
    let mut random = fastrand::Rng::with_seed(18);
    let case = Case::new([batch, inputs, outputs], |rows, columns| {
        integers(&mut random, rows, columns, 3)
    });
    let shape = Shape {
        batch: batch as u32,
        inputs: inputs as u32,
        outputs: outputs as u32,
    };
    let kernels = LinearKernels::new(gpu().device());
    let plans = candidates(shape, Operation::Forward, &Capabilities::hardware());
    let naive = plans.iter().find(|plan| plan.to_string() == "naive");
    kernels.use_plan(shape, Operation::Forward, *naive.unwrap());
    let used = kernels.plan(shape, Operation::Forward);
    assert_eq!(used.algorithm, naive.unwrap().algorithm);
    case.check_exact(&kernels);
}

/// The same for `sum_rows`, and as many rows as made llvmpipe leave its loop early.
#[test]
fn bias_grad_is_exact_across_passes() {
    let kernels = linear_kernels();
    let mut random = fastrand::Rng::with_seed(9);
    for batch in [(1 << 18) - 1, 1 << 18, (1 << 18) + 1, (1 << 20) + 5] {
        let values = integers(&mut random, batch, 3, 3);
        let (dt, db) = (Guarded::input(&values), Guarded::output(3));
        let operands = BiasGrad {
            dt: dt.matrix(batch, 3),
            db: db.vector(),
        };
        gpu().run(&[kernels.bias_grad(operands).unwrap()]).unwrap();
        // The sums stay below 2²⁴, so those of f32 are exact as well.
        assert_eq!(
            Array1::from(db.read()),
            values.sum_axis(ndarray::Axis(0)),
            "{batch}"
        );
    }
}

/// More workgroups than fit one dimension of the grid: their number is folded into x and y.
#[test]
fn linear_operations_are_exact_when_the_grid_folds() {
    // In one piece, however long that takes.
    let kernels = LinearKernels::of(gpu()).with_longest_dispatch(Duration::from_secs(3600));
    let mut random = fastrand::Rng::with_seed(7);
    let is_folded = |rows: &u32| {
        let shape = Shape {
            batch: *rows,
            inputs: 1,
            outputs: 1,
        };
        let plan = kernels.plan(shape, Operation::Forward);
        plan.algorithm.workgroups(*rows, 1) > 65_535
    };
    let rows = [64, 256].map(|rows_of_a_workgroup| 65_536 * rows_of_a_workgroup + 3);
    let long = rows.into_iter().find(is_folded).unwrap() as usize;
    let column = row(integers(&mut random, 1, long, 9));
    let (numbers, factor, shift) = (
        Guarded::input(&column),
        Guarded::input(&[3.0]),
        Guarded::input(&[1.0]),
    );
    let (factor, shift) = (factor.matrix(1, 1), Some(shift.vector()));
    let (tall, wide) = (numbers.matrix(long, 1), numbers.matrix(1, long));
    let [t, dx, dw, db] = [0; 4].map(|_| Guarded::output(long));
    let dispatches = [
        kernels
            .forward(Forward {
                x: tall,
                w: factor,
                b: shift,
                t: t.matrix(long, 1),
            })
            .unwrap(),
        kernels
            .input_grad(InputGrad {
                dt: tall,
                w: factor,
                dx: dx.matrix(long, 1),
            })
            .unwrap(),
        kernels
            .weight_grad(WeightGrad {
                x: wide,
                dt: factor,
                dw: dw.matrix(long, 1),
                db: None,
            })
            .unwrap(),
        kernels
            .bias_grad(BiasGrad {
                dt: wide,
                db: db.vector(),
            })
            .unwrap(),
    ];
    assert!(
        dispatches
            .iter()
            .all(|dispatch| dispatch.workgroups().all(|[_, y, _]| y > 1))
    );
    gpu().run(&dispatches).unwrap();
    assert_eq!(Array1::from(t.read()), column.mapv(|x| 3.0 * x + 1.0));
    assert_eq!(Array1::from(dx.read()), column.mapv(|dt| 3.0 * dt));
    assert_eq!(Array1::from(dw.read()), column.mapv(|x| 3.0 * x));
    assert_eq!(Array1::from(db.read()), column);
}

/// Random shapes rarely have so few columns.
#[test]
fn products_of_few_columns_stay_within_the_bound() {
    let mut random = fastrand::Rng::with_seed(13);
    for columns in 1..=8 {
        for [batch, terms] in [[1, 1], [7, 33], [random.usize(9..90), random.usize(1..300)]] {
            for shape in [[batch, terms, columns], [batch, columns, terms]] {
                let case = Case::new(shape, |rows, columns| reals(&mut random, rows, columns));
                case.check_bounded(linear_kernels(), |terms, magnitude| {
                    hard_bound(terms, magnitude).min(regression_bound(terms, magnitude))
                });
            }
        }
    }
}

/// Every row is added up in the same order, whichever thread stores it, and in every run.
#[test]
fn products_of_few_columns_give_equal_rows_equal_bits() {
    if !shuffles() {
        return;
    }
    let mut random = fastrand::Rng::with_seed(14);
    let (batch, inputs) = (37, 333);
    for outputs in [3, 7] {
        let shape = Shape {
            batch: batch as u32,
            inputs: inputs as u32,
            outputs: outputs as u32,
        };
        let plans = candidates(shape, Operation::Forward, &Capabilities::software(2));
        let narrow = |plan: &&Plan| matches!(plan.algorithm, Algorithm::Narrow(_));
        let kernels = LinearKernels::new(gpu().device());
        let mut case = Case::new([batch, inputs, outputs], |rows, columns| {
            reals(&mut random, rows, columns)
        });
        let first = case.x.row(0).to_owned();
        case.x = first.broadcast((batch, inputs)).unwrap().to_owned();
        for plan in plans.iter().filter(narrow) {
            kernels.use_plan(shape, Operation::Forward, *plan);
            let t = case.run(&kernels).t;
            assert!(t.rows().into_iter().all(|row| row == t.row(0)), "{plan}");
            for _ in 0..5 {
                assert_eq!(case.run(&kernels).t, t, "{plan}");
            }
        }
    }
}

/// Prepared once, recorded twenty times; and prepared again, into other buffers.
#[test]
fn dispatch_gives_the_same_bits_whenever_recorded() {
    let kernels = linear_kernels();
    let mut random = fastrand::Rng::with_seed(5);
    let case = Case::new([100, 333, 77], |rows, columns| {
        reals(&mut random, rows, columns)
    });
    let bits = |values: Vec<f32>| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    let [x, dt] = [&case.x, &case.dt].map(Guarded::input);
    let (dw, db) = (Guarded::output(333 * 77), Guarded::output(77));
    let dt_view = dt.matrix(100, 77);
    let dispatches = [
        kernels
            .weight_grad(WeightGrad {
                x: x.matrix(100, 333),
                dt: dt_view,
                dw: dw.matrix(333, 77),
                db: None,
            })
            .unwrap(),
        kernels
            .bias_grad(BiasGrad {
                dt: dt_view,
                db: db.vector(),
            })
            .unwrap(),
    ];
    let again = case.run(kernels);
    let expected = [again.dw.iter().copied().collect(), again.db.to_vec()].map(bits);
    for _ in 0..20 {
        gpu().run(&dispatches).unwrap();
        assert_eq!([dw.read(), db.read()].map(bits), expected);
    }
}

/// One dispatch recorded three times in a pass, with the output of one as input of the next.
#[test]
fn dispatches_of_one_pass_see_each_others_writes() {
    let kernels = linear_kernels();
    let [a, b] = [
        gpu().upload("a", &[1.0_f32]).unwrap(),
        gpu().zeros("b", 1).unwrap(),
    ];
    let w = gpu().upload("w", &[3.0_f32]).unwrap();
    let one = |buffer| Matrix::new(buffer, 1, 1);
    let there = kernels
        .forward(Forward {
            x: one(&a),
            w: one(&w),
            b: None,
            t: one(&b),
        })
        .unwrap();
    let back = kernels
        .forward(Forward {
            x: one(&b),
            w: one(&w),
            b: None,
            t: one(&a),
        })
        .unwrap();
    gpu()
        .run(&[there.clone(), back.clone(), there.clone(), back, there])
        .unwrap();
    assert_eq!(gpu().read::<f32>(&b).unwrap(), [243.0]);
}

#[test]
fn linear_kernels_serve_two_threads_at_once() {
    let kernels = LinearKernels::new(gpu().device());
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let kernels = &kernels;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..20 {
                    let shape = [
                        random.usize(1..90),
                        random.usize(1..90),
                        random.usize(1..90),
                    ];
                    Case::new(shape, |rows, columns| {
                        integers(&mut random, rows, columns, 9)
                    })
                    .check_exact(kernels);
                }
            });
        }
    });
}

#[test]
fn forward_reads_operands_that_share_a_buffer() {
    let kernels = linear_kernels();
    let mut contents = vec![0.0_f32; 130];
    contents[..2].copy_from_slice(&[2.0, 3.0]); // X, 1 × 2
    contents[64..66].copy_from_slice(&[5.0, 7.0]); // W, 2 × 1
    contents[128] = 1.0; // b
    let [all, t] = [
        gpu().upload("all", &contents).unwrap(),
        gpu().zeros("t", 1).unwrap(),
    ];
    let forward = Forward {
        x: Matrix::new(&all, 1, 2),
        w: Matrix::new(&all, 2, 1).at(256),
        b: Some(Vector::new(&all, 1).at(512)),
        t: Matrix::new(&t, 1, 1),
    };
    gpu().run(&[kernels.forward(forward).unwrap()]).unwrap();
    assert_eq!(gpu().read::<f32>(&t).unwrap(), [32.0]);
}
