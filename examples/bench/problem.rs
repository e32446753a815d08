//! The operations, random operands for them, and the check against f64.

use std::error::Error;

use clap::ValueEnum;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use wgpu_linear::reference;

use crate::contenders::limit;

/// batch, inputs, outputs
pub(crate) type Shape = [usize; 3];
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// One of the four operations. Each is a product A·B: with b added in the forward pass, and with a
/// row of ones for A in the bias gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Forward,
    InputGrad,
    WeightGrad,
    BiasGrad,
}
use Operation::{BiasGrad as Db, Forward as Fwd, InputGrad as Dx, WeightGrad as Dw};

/// Cases that are measured in turn, so that their ratio comes from one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    Fwd,
    Dx,
    Dw,
    Db,
    Bwd,
}

pub(crate) type Case = (&'static str, &'static [Operation]);

impl Group {
    pub(crate) fn cases(self) -> &'static [Case] {
        match self {
            Self::Fwd => &[("fwd", &[Fwd])],
            Self::Dx => &[("dx", &[Dx])],
            Self::Dw => &[("dw", &[Dw])],
            Self::Db => &[("db", &[Db])],
            Self::Bwd => &[("bwd", &[Dx, Dw, Db]), ("bwd_no_db", &[Dx, Dw])],
        }
    }
}

impl Operation {
    /// Floating-point operations, as everybody counts them: those of the product. db's additions
    /// count where db is all there is.
    pub(crate) fn flops([m, k, n]: Shape, operations: &[Self]) -> f64 {
        let products = operations
            .iter()
            .filter(|operation| **operation != Db)
            .count();
        let additions = if products == 0 { m * n } else { 0 };
        2.0 * (m as f64) * (k as f64) * (n as f64) * products as f64 + additions as f64
    }

    /// Bytes that must move at least: every operand of a product is read once, every result written
    /// once. db costs no second reading of dT beside a product that reads it.
    pub(crate) fn bytes([m, k, n]: Shape, operations: &[Self]) -> f64 {
        let alone = operations.len() == 1;
        let elements = operations.iter().map(|operation| match operation {
            Fwd => m * k + k * n + n + m * n,
            Dx | Dw => m * k + k * n + m * n,
            Db if alone => m * n + n,
            Db => n,
        });
        4.0 * elements.sum::<usize>() as f64
    }
}

/// Seeded random operands in −1 to 1.
pub(crate) struct Problem {
    pub(crate) shape: Shape,
    pub(crate) x: Array2<f32>,
    pub(crate) w: Array2<f32>,
    pub(crate) b: Array1<f32>,
    pub(crate) dt: Array2<f32>,
    pub(crate) ones: Array2<f32>,
}

impl Problem {
    /// Refuses what no device buffer could hold before the host's memory is asked for it.
    pub(crate) fn new(shape: Shape, max_bytes: u64) -> Outcome<Self> {
        let [m, k, n] = shape;
        let elements = [(m, k), (k, n), (m, n)].map(|(rows, columns)| rows as u64 * columns as u64);
        let largest = elements.into_iter().max().unwrap_or(0).saturating_mul(4);
        if largest > max_bytes {
            return Err(limit("bytes in one matrix", largest, max_bytes).into());
        }
        let mut random = fastrand::Rng::with_seed((m * 1_000_003 + k * 1_009 + n) as u64);
        let mut matrix = |rows, columns| uniform(&mut random, rows, columns);
        let (x, w, dt) = (matrix(m, k), matrix(k, n), matrix(m, n));
        let b = matrix(1, n).row(0).to_owned();
        Ok(Self {
            shape,
            x,
            w,
            b,
            dt,
            ones: Array2::ones((1, m)),
        })
    }

    /// A, B and the vector that is added, of an operation.
    pub(crate) fn factors(&self, operation: Operation) -> Factors<'_> {
        match operation {
            Fwd => (self.x.view(), self.w.view(), Some(self.b.view())),
            Dx => (self.dt.view(), self.w.t(), None),
            Dw => (self.x.t(), self.dt.view(), None),
            Db => (self.ones.view(), self.dt.view(), None),
        }
    }

    pub(crate) fn on_host(&self, operation: Operation) -> Array2<f32> {
        match operation {
            Fwd => reference::forward(self.x.view(), self.w.view(), Some(self.b.view())),
            Dx => reference::input_grad(self.dt.view(), self.w.view()),
            Dw => reference::weight_grad(self.x.view(), self.dt.view()),
            Db => reference::bias_grad(self.dt.view()).insert_axis(Axis(0)),
        }
    }

    /// The largest error of `actual`, as a fraction of what rounding may do; Err where it is more
    /// than that.
    ///
    /// Beyond [`CHECKED_PRODUCTS`] the first, the last and random rows and columns are checked,
    /// whole.
    pub(crate) fn check(&self, operation: Operation, actual: &Array2<f32>) -> Result<f64, String> {
        let (a, b, bias) = self.factors(operation);
        let ((rows, terms), columns) = (a.dim(), b.ncols());
        if actual.dim() != (rows, columns) {
            return Err(format!("{:?} instead of {rows} × {columns}", actual.dim()));
        }
        if rows as f64 * terms as f64 * columns as f64 <= CHECKED_PRODUCTS {
            return compare((a, b, bias), actual.view());
        }
        let (some_rows, some_columns) = (picked(rows), picked(columns));
        let a_rows = a.select(Axis(0), &some_rows);
        let in_rows = compare(
            (a_rows.view(), b, bias),
            actual.select(Axis(0), &some_rows).view(),
        )?;
        let b_columns = b.select(Axis(1), &some_columns);
        let bias = bias.map(|bias| bias.select(Axis(0), &some_columns));
        let factors = (a, b_columns.view(), bias.as_ref().map(|bias| bias.view()));
        let in_columns = compare(factors, actual.select(Axis(1), &some_columns).view())?;
        Ok(in_rows.max(in_columns))
    }
}

pub(crate) type Factors<'a> = (
    ArrayView2<'a, f32>,
    ArrayView2<'a, f32>,
    Option<ArrayView1<'a, f32>>,
);

/// Multiply-adds in f64 that one check may take: a second or less.
pub(crate) const CHECKED_PRODUCTS: f64 = (1_u64 << 30) as f64;

pub(crate) fn uniform(random: &mut fastrand::Rng, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || 2.0 * random.f32() - 1.0)
}

/// From −9 to 9: sums of many products are exact.
pub(crate) fn integers(random: &mut fastrand::Rng, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || random.i32(-9..=9) as f32)
}

/// The first, the last and up to 14 others of `len` indices.
pub(crate) fn picked(len: usize) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    (0..14)
        .map(|_| random.usize(0..len))
        .chain([0, len - 1])
        .collect()
}

/// Compares with A·B + bias in f64. The bound is that of any order of summation (Higham, Accuracy
/// and Stability of Numerical Algorithms, chapter 3), for any rounding direction and with denormals
/// flushed, as WGSL allows both.
pub(crate) fn compare(
    (a, b, bias): Factors<'_>,
    actual: ArrayView2<'_, f32>,
) -> Result<f64, String> {
    let [exact, magnitude] = [f64::from, |value: f32| f64::from(value).abs()].map(|as_f64| {
        let bias = bias.map(|bias| bias.mapv(as_f64));
        let bias = bias.as_ref().map(|bias| bias.view());
        reference::forward(a.mapv(as_f64).view(), b.mapv(as_f64).view(), bias)
    });
    let terms = (a.ncols() + 1) as f64;
    let gamma = terms * 2_f64.powi(-23) / (1.0 - terms * 2_f64.powi(-23));
    let mut worst = 0.0_f64;
    for ((index, actual), (exact, magnitude)) in
        actual.indexed_iter().zip(exact.iter().zip(&magnitude))
    {
        let error = (f64::from(*actual) - exact).abs();
        let bound = gamma * magnitude + terms * f64::from(f32::MIN_POSITIVE);
        // A NaN is within nothing.
        let good = error <= bound;
        if !good {
            return Err(format!(
                "{actual} instead of {exact} at {index:?} of the rows or columns checked, {bound:e} off is allowed"
            ));
        }
        worst = worst.max(error / bound);
    }
    Ok(worst)
}
