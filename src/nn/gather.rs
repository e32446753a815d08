//! Picking a mini-batch out of a data set on the device, as a prepared operation.

use crate::dispatch::Dispatch;
use crate::error::PrepareError;
use crate::kernel::{dims, expect_matrix, expect_vector};
use crate::operand::Operand;
use crate::view::{Matrix, Vector};

use super::kernels;
use super::operations::NetworkKernels;

/// Threads of a workgroup: `WORKGROUP` in the shader.
const ELEMENTS_PER_WORKGROUP: u64 = 256;

/// The examples of a data set on the device, examples × inputs.
#[derive(Clone, Copy, Debug)]
pub enum Examples<'a> {
    /// Numbers as they are.
    Values(Matrix<'a>),
    /// Whole numbers from 0 to 255 that stand for their product with `scale`.
    Bytes {
        /// Four elements to a u32, the first in the lowest bits, rows without padding between them: ⌈examples · inputs / 4⌉ words.
        words: Vector<'a>,
        /// Number of examples.
        examples: u32,
        /// Elements of each.
        inputs: u32,
        /// What each element is multiplied by; finite.
        scale: f32,
    },
}

/// Operands of [`NetworkKernels::gather`].
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a> {
    /// Which example each row of the batch is, batch elements of u32, each below the number of examples; read. The values are not checked.
    pub indices: Vector<'a>,
    /// The examples, examples × inputs; read.
    pub data: Examples<'a>,
    /// What they should come out as, examples × outputs of f32, or examples × 1 of u32 for classes; read.
    pub wanted: Matrix<'a>,
    /// The examples of the batch, batch × inputs; overwritten.
    pub x: Matrix<'a>,
    /// What they should come out as, batch × outputs, in the type of `wanted`; overwritten.
    pub targets: Matrix<'a>,
}

impl NetworkKernels {
    /// x_ij = data_(index_i, j) and targets_ij = wanted_(index_i, j), one dispatch for both. Records nothing where either has no
    /// elements: nobody learns from that.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn gather(&self, operands: Gather<'_>) -> Result<Dispatch, PrepareError> {
        let Gather {
            indices,
            data,
            wanted,
            x,
            targets,
        } = operands;
        let (kernel, source, [examples, inputs], scale) = match data {
            Examples::Values(data) => {
                let shape = [data.rows, data.columns];
                (kernels::GATHER, Operand::matrix("data", data), shape, 1.0)
            }
            Examples::Bytes {
                words,
                examples,
                inputs,
                scale,
            } => {
                let source = Operand::vector("data", words);
                (kernels::GATHER_BYTES, source, [examples, inputs], scale)
            }
        };
        let elements = u64::from(examples) * u64::from(inputs);
        if let Examples::Bytes { words, .. } = data {
            // The shader numbers bytes by u32.
            let bytes = u32::try_from(elements).map_err(|_| PrepareError::Limit {
                operation: kernel.label,
                name: "elements of an operand",
                required: elements,
                allowed: u64::from(u32::MAX),
            })?;
            expect_vector(kernel.label, "data", words, bytes.div_ceil(4))?;
        }
        expect_matrix(kernel.label, "wanted", wanted, examples, wanted.columns)?;
        expect_matrix(kernel.label, "x", x, indices.len, inputs)?;
        expect_matrix(
            kernel.label,
            "targets",
            targets,
            indices.len,
            wanted.columns,
        )?;
        let operands = [
            Operand::vector("indices", indices),
            source,
            Operand::matrix("wanted", wanted),
            Operand::matrix("x", x),
            Operand::matrix("targets", targets),
        ];
        let workgroups = if x.elements() == 0 || targets.elements() == 0 {
            0
        } else {
            let quads = u64::from(x.rows) * u64::from(inputs.div_ceil(4));
            (quads + targets.elements()).div_ceil(ELEMENTS_PER_WORKGROUP)
        };
        let dims = dims([indices.len, inputs, wanted.columns, scale.to_bits()]);
        self.cache
            .prepare(&kernel, &[Some(dims)], &operands, workgroups)
    }
}
