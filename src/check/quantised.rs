//! Cases of products with quantised weights: by what is planned for f32, and in int8.

use ndarray::{Array1, Array2, Axis};

use super::bounds;
use super::case::{Case, Expected, Kernels, Trouble, Work};
use super::layer::shape;
use super::operands::{Operands, Uploaded};
use super::outcome::CheckName;
use crate::linear::{
    Algorithm, Capabilities, ForwardQuantised, Operation, Plan, QuantisedMatrix, QuantisedWeights,
    ranked_candidates,
};
use crate::reference;

/// Around the edges of tiles, and of words of four terms; more columns than one workgroup of
/// `dequantise.wgsl` has threads, and more terms than one of `quantise_rows.wgsl`.
const SHAPES: [[usize; 3]; 7] = [
    [1, 1, 1],
    // So few terms that no errors cancel: one that is not rounded to the nearest shows.
    [70, 2, 67],
    [3, 5, 7],
    [13, 517, 35],
    [64, 64, 64],
    [67, 38, 256],
    [130, 33, 129],
];

pub(super) fn cases(capabilities: &Capabilities) -> Vec<Case> {
    let mut cases = Vec::new();
    for sizes in SHAPES {
        let plans = ranked_candidates(shape(sizes), Operation::QuantisedForward, capabilities);
        let (planned, in_int8) = (plans.first(), plans.iter().find(|plan| is_int8(plan)));
        for plan in planned.into_iter().chain(in_int8) {
            cases.push(case(sizes, *plan, true));
            cases.push(case(sizes, *plan, false));
        }
    }
    cases
}

fn is_int8(plan: &Plan) -> bool {
    plan.algorithm == Algorithm::Int8
}

fn case(sizes: [usize; 3], plan: Plan, is_whole: bool) -> Case {
    let [batch, inputs, outputs] = sizes;
    let numbers = if is_whole {
        ""
    } else {
        ", reals, without bias"
    };
    let name = CheckName {
        operation: "forward_quantised",
        shape: format!("{batch}×{inputs}×{outputs}"),
        variant: format!("{plan}{numbers}"),
    };
    let prepare = move |kernels: &Kernels<'_>| {
        let layer = Layer::new(sizes, is_int8(&plan), is_whole);
        layer.prepare(kernels)
    };
    Case::new(name, prepare).by(shape(sizes), Operation::QuantisedForward, plan)
}

/// Operands of a product.
struct Layer {
    x: Array2<f32>,
    w: QuantisedWeights,
    b: Array1<f32>,
    in_int8: bool,
    /// Of whole numbers that quantising does not change, with a b.
    is_whole: bool,
}

impl Layer {
    fn new([batch, inputs, outputs]: [usize; 3], in_int8: bool, is_whole: bool) -> Self {
        let mut random = fastrand::Rng::with_seed((batch * 1_009 + inputs) as u64);
        let mut number = || match is_whole {
            true => random.i32(-99..=99) as f32,
            false => 2.0 * random.f32() - 1.0,
        };
        let mut matrix = |rows, columns| Array2::from_shape_simple_fn((rows, columns), &mut number);
        let (mut x, mut w, b) = (
            matrix(batch, inputs),
            matrix(inputs, outputs),
            matrix(1, outputs).row(0).to_owned(),
        );
        if is_whole {
            for (i, mut row) in x.rows_mut().into_iter().enumerate() {
                row[7 * i % inputs] = -127.0;
            }
            for (j, mut column) in w.columns_mut().into_iter().enumerate() {
                column[(5 * j + 3) % inputs] = 127.0;
            }
        }
        if in_int8 && batch > 4 {
            x[[1, inputs - 1]] = f32::NAN;
            x[[2, 0]] = f32::NEG_INFINITY;
            x.row_mut(3).fill(0.0);
            x.row_mut(4).fill(1e-37);
        }
        // There are as many weights as there should be, and all of them are finite.
        let w = QuantisedWeights::new(
            w.as_slice().unwrap_or_default(),
            inputs as u32,
            outputs as u32,
        )
        .unwrap_or_default();
        Self {
            x,
            w,
            b,
            in_int8,
            is_whole,
        }
    }

    fn prepare(&self, kernels: &Kernels<'_>) -> Result<Work, Trouble> {
        let (inputs, outputs) = (self.w.inputs(), self.w.outputs());
        let mut operands = Operands::default();
        let x = operands.input(&self.x);
        let w = operands.words(self.w.packed().iter().copied());
        let scales = operands.input(self.w.scales());
        let b = operands.input(&self.b);
        let t = operands.output(self.x.nrows() * outputs as usize);
        let (values, bounds) = self.expected();
        let expected = vec![Expected::within("t", t, values, bounds).finite_or_not()];
        Work::new(kernels.gpu, operands, expected, |on: &Uploaded| {
            let words = on.vector(w);
            let forward = kernels.linear.forward_quantised(ForwardQuantised {
                x: on.matrix(x, inputs as usize),
                w: QuantisedMatrix::new(words.buffer, inputs, outputs).at(words.offset_bytes),
                scales: on.vector(scales),
                b: self.is_whole.then_some(on.vector(b)),
                t: on.matrix(t, outputs as usize),
            })?;
            Ok(vec![forward])
        })
    }

    /// X·Ŵ + b, with what each way to compute it may do to that.
    fn expected(&self) -> (Array2<f64>, Array2<f64>) {
        let (inputs, outputs) = (self.w.inputs() as usize, self.w.outputs() as usize);
        let x = self.x.mapv(f64::from);
        let w = Array2::from_shape_fn((inputs, outputs), |(k, j)| {
            f64::from(self.w.scales()[j]) * f64::from(self.w.whole(k, j))
        });
        let b = self
            .b
            .mapv(|b| if self.is_whole { f64::from(b) } else { 0.0 });
        let t = reference::forward(x.view(), w.view(), Some(b.view()));
        let columns = w.mapv(f64::abs).sum_axis(Axis(0));
        let magnitudes = x.mapv(f64::abs).dot(&w.mapv(f64::abs));
        let bounds = Array2::from_shape_fn(t.dim(), |(i, j)| match (self.in_int8, self.is_whole) {
            // One row counts as zeros.
            (true, true) => {
                bounds::whole_int8(t[[i, j]], b[j]) + bounds::int8(0.0, columns[j], 0.0)
            }
            (true, false) => {
                let largest = x.row(i).fold(0.0_f64, |largest, x| largest.max(x.abs()));
                bounds::int8(largest / 127.0, columns[j], t[[i, j]])
            }
            (false, true) => 0.0,
            (false, false) => bounds::sum(inputs + 1, magnitudes[[i, j]]),
        });
        (t, bounds)
    }
}
