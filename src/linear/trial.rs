//! What a plan is tried on: operands of small whole numbers, and a proof of the result that takes
//! far less time than the result.

use crate::device::{Gpu, GpuError};
use crate::kernel::{Dispatch, ElementType, Matrix, PrepareError, Vector};

use super::operands::{BiasGrad, Forward, ForwardQuantised, InputGrad, WeightGrad};
use super::operations::LinearKernels;
use super::plan::Plan;
use super::precision::Precision;
use super::quantised::{QuantisedMatrix, QuantisedWeights};
use super::shape::{Operation, Shape};

/// Operands of one operation on the device, and what its result must be.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    gpu: &'a Gpu,
    shape: Shape,
    operation: Operation,
    /// What both factors are stored as.
    elements: [ElementType; 2],
    left: wgpu::Buffer,
    right: wgpu::Buffer,
    /// Of the columns of the right factor, where it is quantised.
    scales: wgpu::Buffer,
    bias: wgpu::Buffer,
    product: wgpu::Buffer,
    sums: wgpu::Buffer,
    proof: Proof,
}

/// Freivalds' check (R. Freivalds, "Probabilistic machines can use less running time", 1977): where
/// P = L·R, then P·r = L·(R·r) for every vector r, and that takes m k + k n + m n multiplications
/// in place of m k n.
///
/// All numbers are whole and small, so both sides are exact. No element of r is 0: one wrong
/// element of a row never goes unseen, and several cancel with a probability of one in hundreds.
#[derive(Debug)]
struct Proof {
    r: Vec<f64>,
    /// L·(R·r), an element a row of the product.
    product: Vec<f64>,
    /// The same of the column sums beside it, where there are any.
    sums: Option<f64>,
}

/// Elements of operands are at most so large, but for some where they are quantised.
const LARGEST: i32 = 9;

/// What both factors of `operation` are stored as.
fn elements(operation: Operation, precision: Precision) -> [ElementType; 2] {
    let (activations, weights) = (precision.activations(), precision.weights());
    match operation {
        Operation::Forward | Operation::InputGrad => [activations, weights],
        Operation::WeightGrad | Operation::BiasGrad => [activations; 2],
        Operation::QuantisedForward => [ElementType::F32; 2],
    }
}

/// Bytes of the operands of `operation`, on the device and, while they are made, on the host.
pub(super) fn required_bytes(shape: Shape, operation: Operation) -> u64 {
    let [m, k, n] = operation.product(shape).map(u64::from);
    let elements = [
        m.saturating_mul(k),
        k.saturating_mul(n),
        m.saturating_mul(n),
    ];
    elements
        .iter()
        .fold(0, |sum: u64, elements| sum.saturating_add(*elements))
        .saturating_mul(4)
}

impl<'a> Trial<'a> {
    /// Operands that are drawn anew, the factors stored as `precision` says. No size of the product is
    /// 0.
    pub(super) fn new(
        gpu: &'a Gpu,
        shape: Shape,
        operation: Operation,
        precision: Precision,
    ) -> Result<Self, GpuError> {
        let [m, k, n] = operation.product(shape).map(|size| size as usize);
        let mut random = fastrand::Rng::with_seed(0x7075);
        // Every partial sum is below 2²⁴ and so exact in f32; beyond 2²⁴ terms, by how random signs
        // cancel.
        let largest = if k < 200_000 { LARGEST } else { 1 };
        let mut integers = |len: usize| -> Vec<f32> {
            let draw = || random.i32(-largest..=largest) as f32;
            std::iter::repeat_with(draw).take(len).collect()
        };
        let (mut left, mut right, bias) = (integers(m * k), integers(k * n), integers(n));
        if operation == Operation::QuantisedForward {
            exactly_quantised(&mut left, &mut right, [m, k, n]);
        }
        let proof = Proof::new(operation, [m, k, n], [&left, &right, &bias]);
        let quantised = match operation {
            // They are finite, and as many as there should be.
            Operation::QuantisedForward => {
                QuantisedWeights::new(&right, shape.inputs, shape.outputs).ok()
            }
            _ => None,
        };
        let elements = elements(operation, precision);
        let label = "wgpu_linear::tune right";
        let (right, scales) = match &quantised {
            Some(quantised) => (gpu.upload(label, quantised.packed())?, quantised.scales()),
            None => (gpu.upload_as(label, elements[1], &right)?, &[][..]),
        };
        Ok(Self {
            gpu,
            shape,
            operation,
            elements,
            left: gpu.upload_as("wgpu_linear::tune left", elements[0], &left)?,
            right,
            scales: gpu.upload("wgpu_linear::tune scales", scales)?,
            bias: gpu.upload("wgpu_linear::tune bias", &bias)?,
            product: gpu.zeros("wgpu_linear::tune product", m * n)?,
            sums: gpu.zeros("wgpu_linear::tune sums", n)?,
            proof,
        })
    }

    /// The operation by `plan`, with everything that usually comes with it: the bias of T, and db
    /// beside dW.
    pub(super) fn prepare(
        &self,
        kernels: &LinearKernels,
        plan: Plan,
    ) -> Result<Dispatch, PrepareError> {
        let Shape {
            batch,
            inputs,
            outputs,
        } = self.shape;
        kernels.use_plan(self.shape, self.operation, plan);
        let sums = Vector::new(&self.sums, outputs);
        let [left, right] = self.elements;
        let left = |rows, columns| Matrix::new(&self.left, rows, columns).stored_as(left);
        let right = |rows, columns| Matrix::new(&self.right, rows, columns).stored_as(right);
        match self.operation {
            Operation::Forward => kernels.forward(Forward {
                x: left(batch, inputs),
                w: right(inputs, outputs),
                b: Some(Vector::new(&self.bias, outputs)),
                t: Matrix::new(&self.product, batch, outputs),
            }),
            Operation::InputGrad => kernels.input_grad(InputGrad {
                dt: left(batch, outputs),
                w: right(inputs, outputs),
                dx: Matrix::new(&self.product, batch, inputs),
            }),
            Operation::WeightGrad => kernels.weight_grad(WeightGrad {
                x: left(batch, inputs),
                dt: right(batch, outputs),
                dw: Matrix::new(&self.product, inputs, outputs),
                db: Some(sums),
            }),
            Operation::BiasGrad => kernels.bias_grad(BiasGrad {
                dt: right(batch, outputs),
                db: sums,
            }),
            Operation::QuantisedForward => kernels.forward_quantised(ForwardQuantised {
                x: left(batch, inputs),
                w: QuantisedMatrix::new(&self.right, inputs, outputs),
                scales: Vector::new(&self.scales, outputs),
                b: Some(Vector::new(&self.bias, outputs)),
                t: Matrix::new(&self.product, batch, outputs),
            }),
        }
    }

    /// Runs `dispatch` once and checks its whole result.
    pub(super) fn is_right(&self, dispatch: &Dispatch) -> Result<bool, GpuError> {
        let [m, _, n] = self.operation.product(self.shape).map(|size| size as usize);
        let has_product = self.operation != Operation::BiasGrad;
        // What is not stored shows.
        self.fill(&self.product, m * n)?;
        self.fill(&self.sums, n)?;
        self.gpu.run(std::slice::from_ref(dispatch))?;
        let mut product = if has_product {
            self.gpu.read_range(&self.product, 0, m * n)?
        } else {
            Vec::new()
        };
        if self.operation == Operation::QuantisedForward {
            product.iter_mut().for_each(|t| *t = whole(*t));
        }
        let sums = match self.proof.sums {
            Some(_) => self.gpu.read_range(&self.sums, 0, n)?,
            None => Vec::new(),
        };
        Ok(self.proof.accepts(&product, &sums))
    }

    fn fill(&self, buffer: &wgpu::Buffer, len: usize) -> Result<(), GpuError> {
        let nan = vec![f32::NAN; len];
        self.gpu.write(buffer, 0, bytemuck::cast_slice(&nan))
    }
}

impl Proof {
    fn new(operation: Operation, [m, k, n]: [usize; 3], operands: [&[f32]; 3]) -> Self {
        let [left, right, bias] = operands;
        let mut random = fastrand::Rng::with_seed(0x7076);
        let signed = || f64::from(random.i32(1..=255) * if random.bool() { 1 } else { -1 });
        let r: Vec<f64> = std::iter::repeat_with(signed).take(n).collect();
        let right_r = match operation {
            Operation::InputGrad => transposed_times(right, [n, k], &r),
            _ => times(right, n, &r),
        };
        let product = match operation {
            Operation::Forward | Operation::QuantisedForward => {
                let bias_r = dot(bias, &r);
                let products = times(left, k, &right_r);
                products.iter().map(|product| product + bias_r).collect()
            }
            Operation::InputGrad => times(left, k, &right_r),
            Operation::WeightGrad => transposed_times(left, [k, m], &right_r),
            Operation::BiasGrad => Vec::new(),
        };
        let has_sums = matches!(operation, Operation::WeightGrad | Operation::BiasGrad);
        let sums = has_sums.then(|| right_r.iter().sum());
        Self { r, product, sums }
    }

    fn accepts(&self, product: &[f32], sums: &[f32]) -> bool {
        times(product, self.r.len(), &self.r) == self.product
            && self.sums.is_none_or(|sum| dot(sums, &self.r) == sum)
    }
}

/// Puts a ±127 into every row of X and every column of W, so that all scales are 1 and quantising
/// changes nothing.
fn exactly_quantised(x: &mut [f32], w: &mut [f32], [_, k, n]: [usize; 3]) {
    for (i, row) in x.chunks_exact_mut(k).enumerate() {
        row[7 * i % k] = if i % 2 == 0 { 127.0 } else { -127.0 };
    }
    for j in 0..n {
        w[(5 * j + 3) % k * n + j] = if j % 3 == 0 { 127.0 } else { -127.0 };
    }
}

/// The whole number that a result stands for, which is then proved like any other; NaN where the
/// result is further from it than int8 allows for operands that quantising does not change
/// (`docs/PRECISION.md`): 2.5 units of 2⁻²³ for the division by 127, 3 for the conversion and the
/// factors, 1 for the sum with b.
fn whole(t: f32) -> f32 {
    let (t, nearest) = (f64::from(t), f64::from(t).round());
    let bound = 7.0 * (t.abs() + f64::from(LARGEST)) * f64::from(f32::EPSILON);
    if (t - nearest).abs() <= bound {
        nearest as f32
    } else {
        f32::NAN
    }
}

fn dot(row: &[f32], vector: &[f64]) -> f64 {
    let products = row.iter().zip(vector).map(|(a, b)| f64::from(*a) * b);
    products.sum()
}

/// A·v for A with so many columns.
fn times(matrix: &[f32], columns: usize, vector: &[f64]) -> Vec<f64> {
    let rows = matrix.chunks_exact(columns);
    rows.map(|row| dot(row, vector)).collect()
}

/// Aᵀ·v for A of rows × columns.
fn transposed_times(matrix: &[f32], [_, columns]: [usize; 2], vector: &[f64]) -> Vec<f64> {
    let mut result = vec![0.0; columns];
    for (row, factor) in matrix.chunks_exact(columns).zip(vector) {
        for (sum, element) in result.iter_mut().zip(row) {
            *sum += f64::from(*element) * factor;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [2, 3, 2]: T = X·W + b by hand.
    #[test]
    fn proof_accepts_the_product_and_nothing_else() {
        let x = [1.0, 2.0, 3.0, -4.0, 5.0, 6.0];
        let w = [1.0, -2.0, 3.0, 4.0, 5.0, 6.0];
        let proof = Proof::new(Operation::Forward, [2, 3, 2], [&x, &w, &[10.0, 20.0]]);
        let right = [32.0, 44.0, 51.0, 84.0];
        assert!(proof.accepts(&right, &[]));
        for index in 0..4 {
            for wrong in [f32::NAN, right[index] + 1.0, f32::INFINITY] {
                let mut result = right;
                result[index] = wrong;
                assert!(!proof.accepts(&result, &[]), "{index}: {wrong}");
            }
        }
        assert!(!proof.accepts(&[32.0, 51.0, 44.0, 84.0], &[]), "transposed");
        assert!(!proof.accepts(&[], &[]), "nothing");
    }

    #[test]
    fn trial_sees_what_is_not_computed() {
        let gpu = Gpu::new().unwrap();
        let kernels = LinearKernels::new(gpu.device());
        let shape = Shape {
            batch: 300,
            inputs: 301,
            outputs: 5,
        };
        for operation in [
            Operation::Forward,
            Operation::InputGrad,
            Operation::WeightGrad,
            Operation::BiasGrad,
            Operation::QuantisedForward,
        ] {
            for precision in Precision::ALL {
                if !gpu.device().features().contains(precision.features()) {
                    eprintln!("SKIPPED: {} has no {precision}", gpu.description());
                    continue;
                }
                let trial = Trial::new(&gpu, shape, operation, precision).unwrap();
                let capabilities = kernels.capabilities_for(precision.has_rounded_factor());
                for plan in super::super::candidates(shape, operation, &capabilities) {
                    let mut dispatch = trial.prepare(&kernels, plan).unwrap();
                    let what = format!("{operation:?} {precision} {plan}");
                    assert!(trial.is_right(&dispatch).unwrap(), "{what}");
                    dispatch.grids.pop();
                    assert!(!trial.is_right(&dispatch).unwrap(), "{what}");
                }
            }
        }
    }

    #[test]
    fn whole_numbers_are_known_within_rounding_and_nothing_else_is() {
        for t in [0.0, 5.0, -16_129.0, 100_000.0] {
            assert_eq!(whole(t), t);
            assert_eq!(whole(t + 6.0 * t.abs() * f32::EPSILON), t);
            for wrong in [t + 0.25, t - 0.49, f32::NAN] {
                assert!(whole(wrong).is_nan(), "{wrong}");
            }
        }
    }

    #[test]
    fn proof_knows_the_gradients() {
        let x = [1.0, 2.0, 3.0, 4.0]; // 2 × 2
        let dt = [1.0, -1.0, 2.0, 3.0];
        let proof = Proof::new(Operation::WeightGrad, [2, 2, 2], [&x, &dt, &[]]);
        assert!(proof.accepts(&[7.0, 8.0, 10.0, 10.0], &[3.0, 2.0]));
        assert!(!proof.accepts(&[7.0, 8.0, 10.0, 10.0], &[3.0, 3.0]));
        let proof = Proof::new(Operation::InputGrad, [2, 2, 2], [&dt, &x, &[]]);
        assert!(proof.accepts(&[-1.0, -1.0, 8.0, 18.0], &[]));
    }
}
