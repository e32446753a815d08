//! How far a forward pass is from exact arithmetic, over the length of its sums: `bench precision`.

use half::f16;
use ndarray::{Array2, Zip};
use serde_json::json;
use wgpu_linear::kernel::ElementType;
use wgpu_linear::linear::{Operation, Precision, Shape};
use wgpu_linear::{Forward, Gpu, LinearKernels, Matrix};

use crate::problem::{Outcome, uniform};
use crate::report::{PRECISION_COLUMNS, Report, guarded, rounded};
use crate::timing::Session;

const ROWS: usize = 8;
const COLUMNS: usize = 32;
/// Powers of two between which the length of a sum is doubled.
const POWERS: std::ops::RangeInclusive<u32> = 4..=16;

/// What factors and results are stored as, under the name of the record.
const SERIES: [(&str, [ElementType; 2]); 3] = [
    ("f32", [ElementType::F32, ElementType::F32]),
    ("f16, results f32", [ElementType::F16, ElementType::F32]),
    ("f16", [ElementType::F16, ElementType::F16]),
];

/// What is added up.
#[derive(Clone, Copy)]
enum Numbers {
    /// Uniform in ±1.
    BothSigns,
    /// Uniform from 0 to 1: nothing cancels.
    Positive,
    /// All factors 1/3: sums are rounded the same way for many terms on end.
    Equal,
}

impl Numbers {
    const ALL: [Self; 3] = [Self::BothSigns, Self::Positive, Self::Equal];

    const fn name(self) -> &'static str {
        match self {
            Self::BothSigns => "both signs",
            Self::Positive => "positive",
            Self::Equal => "equal",
        }
    }

    fn matrix(self, random: &mut fastrand::Rng, rows: usize, columns: usize) -> Array2<f32> {
        match self {
            Self::BothSigns => uniform(random, rows, columns),
            Self::Positive => uniform(random, rows, columns).mapv(f32::abs),
            Self::Equal => Array2::from_elem((rows, columns), 1.0 / 3.0),
        }
    }
}

pub(crate) fn bench_precision(session: Option<&Session>, report: &mut Report) -> Outcome<()> {
    let Some(Session { gpu, .. }) = session else {
        return Err("it is a GPU whose arithmetic is measured".into());
    };
    report.heading(&PRECISION_COLUMNS)?;
    let kernels = LinearKernels::of(gpu);
    let has_f16 = kernels.capabilities().has_f16;
    for (series, elements) in SERIES {
        if elements.contains(&ElementType::F16) && !has_f16 {
            println!("{series}: left out, the device has no f16");
            continue;
        }
        for numbers in Numbers::ALL {
            for k in POWERS.map(|power| 1_usize << power) {
                report.common(json!({
                    "contender": "wgpu-linear", "series": series, "numbers": numbers.name(),
                    "m": ROWS, "k": k, "n": COLUMNS,
                }));
                match guarded(|| largest_error(gpu, &kernels, elements, numbers, k)) {
                    Ok((error, bound, kernel)) => {
                        let known = json!({
                            "case": "precision", "kernel": kernel,
                            "largest_error": rounded(error), "bound": rounded(bound),
                        });
                        report.precision(series, numbers.name(), k, [error, bound], known)?;
                    }
                    Err(reason) => report.failure("precision", &*reason)?,
                }
            }
        }
    }
    Ok(())
}

/// The largest |t − t̂| / Σ|x||w| of a product with sums of `k` terms, its bound, and its kernel.
fn largest_error(
    gpu: &Gpu,
    kernels: &LinearKernels,
    [factors, results]: [ElementType; 2],
    numbers: Numbers,
    k: usize,
) -> Outcome<(f64, f64, String)> {
    let mut random = fastrand::Rng::with_seed(k as u64);
    let x = stored(factors, numbers.matrix(&mut random, ROWS, k));
    let w = stored(factors, numbers.matrix(&mut random, k, COLUMNS));
    let t = product(gpu, kernels, (&x, &w), [factors, results])?;
    let wide = |values: &Array2<f32>| values.mapv(f64::from);
    let exact = wide(&x).dot(&wide(&w));
    let sizes = wide(&x).mapv(f64::abs).dot(&wide(&w).mapv(f64::abs));
    let errors = Zip::from(&t)
        .and(&exact)
        .and(&sizes)
        .map_collect(|t, exact, size| (t - exact).abs() / size);
    let largest = errors.iter().copied().fold(0.0, |a: f64, b| {
        // A NaN stays.
        if a.is_nan() || a > b { a } else { b }
    });
    let bound = bound(k, results);
    if largest <= bound {
        let precision = match factors {
            ElementType::F16 => Precision::F16,
            _ => Precision::F32,
        };
        let plan = kernels.plan_for(shape(k), Operation::Forward, precision);
        return Ok((largest, bound, plan.to_string()));
    }
    Err(format!("wrong result: {largest:e} off, where {bound:e} is allowed").into())
}

fn shape(k: usize) -> Shape {
    Shape {
        batch: ROWS as u32,
        inputs: k as u32,
        outputs: COLUMNS as u32,
    }
}

/// γ_k with u = 2⁻²³, and one more rounding where results are stored as f16; these are far from
/// subnormal.
fn bound(k: usize, results: ElementType) -> f64 {
    let ku = k as f64 * 2.0_f64.powi(-23);
    let sum = ku / (1.0 - ku);
    match results {
        ElementType::F16 => sum + 2.0_f64.powi(-10) * (1.0 + sum),
        _ => sum,
    }
}

/// The numbers as they are stored.
fn stored(element: ElementType, values: Array2<f32>) -> Array2<f32> {
    match element {
        ElementType::F16 => values.mapv(|value| f16::from_f32(value).to_f32()),
        _ => values,
    }
}

/// T = X·W as the device computes it.
fn product(
    gpu: &Gpu,
    kernels: &LinearKernels,
    (x, w): (&Array2<f32>, &Array2<f32>),
    [factors, results]: [ElementType; 2],
) -> Outcome<Array2<f64>> {
    let upload = |values: &Array2<f32>| {
        let values: Vec<f32> = values.iter().copied().collect();
        match factors {
            ElementType::F16 => {
                let halves: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
                gpu.upload("bench::factor", &halves)
            }
            _ => gpu.upload("bench::factor", &values),
        }
    };
    let (x_buffer, w_buffer) = (upload(x)?, upload(w)?);
    let len = ROWS * COLUMNS;
    let t = gpu.zeros("bench::t", len)?;
    let view = |buffer, rows: usize, columns: usize| {
        Matrix::new(buffer, rows as u32, columns as u32).stored_as(factors)
    };
    let forward = kernels.forward(Forward {
        x: view(&x_buffer, ROWS, x.ncols()),
        w: view(&w_buffer, w.nrows(), COLUMNS),
        b: None,
        t: view(&t, ROWS, COLUMNS).stored_as(results),
    })?;
    gpu.run(&[forward])?;
    let values: Vec<f64> = match results {
        ElementType::F16 => {
            let halves: Vec<f16> = gpu.read_range(&t, 0, len)?;
            halves.into_iter().map(f64::from).collect()
        }
        _ => gpu.read::<f32>(&t)?.into_iter().map(f64::from).collect(),
    };
    Ok(Array2::from_shape_vec((ROWS, COLUMNS), values)?)
}
