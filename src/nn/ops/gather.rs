//! `gather.wgsl`: picks a mini-batch out of a data set on the device.

use ndarray::Array2;

use super::elements;
use super::kernels::NetworkKernels;
use crate::kernel::{
    Binding, Constant, Dispatch, Kernel, Matrix, Operand, PrepareError, Probe, Uniform, Vector,
    Wanted, expect_matrix, expect_vector, file, uniform,
};
use crate::reference;

uniform! {
    /// `Dims` in `gather.wgsl`.
    struct Dims {
        batch: u32,
        inputs: u32,
        outputs: u32,
        scale: f32,
    }
}

const BINDINGS: &[Binding] = &[
    Binding::dims::<Dims>(),
    // One upload holds the indices of many batches.
    Binding::read(1, "indices").dynamic(),
    Binding::read(2, "data"),
    Binding::read(3, "wanted"),
    Binding::write(4, "x"),
    Binding::write(5, "targets"),
];

const fn kernel(label: &'static str, constants: &'static [(&'static str, Constant)]) -> Kernel {
    let file = (file!("gather.wgsl"), "gather");
    Kernel::new(label, file, constants, elements::WORKGROUP, BINDINGS)
}

pub(super) const GATHER: Kernel = kernel("wgpu_linear::gather", elements::CONSTANTS);

const BYTES_CONSTANTS: &[(&str, Constant)] =
    &[elements::CONSTANTS[0], ("BYTES", Constant::Bool(true))];

pub(super) const GATHER_BYTES: Kernel = kernel("wgpu_linear::gather_bytes", BYTES_CONSTANTS);

/// The examples of a data set on the device, examples × inputs.
#[derive(Clone, Copy, Debug)]
pub enum Examples<'a> {
    /// Numbers as they are.
    Values(Matrix<'a>),
    /// Whole numbers from 0 to 255 that stand for their product with `scale`.
    Bytes {
        /// Four elements to a u32, the first in the lowest bits, rows without padding between them:
        /// ⌈examples · inputs / 4⌉ words.
        words: Vector<'a>,
        /// Number of examples.
        examples: u32,
        /// Elements of each.
        inputs: u32,
        /// What each element is multiplied by; finite.
        scale: f32,
    },
}

impl<'a> Examples<'a> {
    fn kernel(&self) -> Kernel {
        match self {
            Self::Values(_) => GATHER,
            Self::Bytes { .. } => GATHER_BYTES,
        }
    }

    /// Examples, and elements of each.
    fn shape(&self) -> [u32; 2] {
        match *self {
            Self::Values(data) => [data.rows, data.columns],
            Self::Bytes {
                examples, inputs, ..
            } => [examples, inputs],
        }
    }

    fn scale(&self) -> f32 {
        match *self {
            Self::Values(_) => 1.0,
            Self::Bytes { scale, .. } => scale,
        }
    }

    fn operand(&self) -> Operand<'a> {
        match *self {
            Self::Values(data) => Operand::matrix("data", data),
            Self::Bytes { words, .. } => Operand::vector("data", words),
        }
    }

    /// Whether the words of bytes are as many as the examples need.
    fn check(&self, operation: &'static str) -> Result<(), PrepareError> {
        let Self::Bytes { words, .. } = *self else {
            return Ok(());
        };
        let [examples, inputs] = self.shape().map(u64::from);
        // The shader numbers bytes by u32.
        let bytes = u32::try_from(examples * inputs).map_err(|_| PrepareError::Limit {
            operation,
            name: "elements of an operand",
            required: examples * inputs,
            allowed: u64::from(u32::MAX),
        })?;
        expect_vector(operation, "data", words, bytes.div_ceil(4))
    }
}

/// Operands of [`NetworkKernels::gather`].
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a> {
    /// Which example each row of the batch is, batch elements of u32, each below the number of
    /// examples; read. The values are not checked.
    pub indices: Vector<'a>,
    /// The examples, examples × inputs; read.
    pub data: Examples<'a>,
    /// What they should come out as, examples × outputs of f32, or examples × 1 of u32 for classes;
    /// read.
    pub wanted: Matrix<'a>,
    /// The examples of the batch, batch × inputs; overwritten.
    pub x: Matrix<'a>,
    /// What they should come out as, batch × outputs, in the type of `wanted`; overwritten.
    pub targets: Matrix<'a>,
}

impl NetworkKernels {
    /// x_ij = data_(index_i, j) and targets_ij = wanted_(index_i, j), one dispatch for both.
    /// Records nothing where either has no elements: nobody learns from that.
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
        let kernel = data.kernel();
        let [examples, inputs] = data.shape();
        data.check(kernel.label)?;
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
            data.operand(),
            Operand::matrix("wanted", wanted),
            Operand::matrix("x", x),
            Operand::matrix("targets", targets),
        ];
        let elements = if x.elements() == 0 || targets.elements() == 0 {
            0
        } else {
            u64::from(x.rows) * u64::from(inputs.div_ceil(4)) + targets.elements()
        };
        let dims = Dims {
            batch: indices.len,
            inputs,
            outputs: wanted.columns,
            scale: data.scale(),
        };
        let of_bytes = matches!(data, Examples::Bytes { .. });
        let probe = || probe(of_bytes);
        self.elementwise(&kernel, dims.contents(), &operands, elements, &probe)
    }
}

/// Rows whose length is no multiple of 4, one of them twice.
fn probe(of_bytes: bool) -> Probe {
    let (examples, inputs, outputs) = (7_usize, 13_usize, 3_usize);
    let indices = [6, 0, 3, 3, 5];
    let bytes = Array2::from_shape_fn((examples, inputs), |(i, j)| (31 * i + 7 * j) as u8);
    let wanted = Array2::from_shape_fn((examples, outputs), |(i, j)| (10 * i + j) as u32);
    let scale = if of_bytes { 0.25 } else { 1.0 };
    let data = if of_bytes {
        let four = |four: &[u8]| {
            let word = |(place, byte): (usize, &u8)| u32::from(*byte) << (8 * place);
            four.iter().enumerate().map(word).sum()
        };
        let bytes: Vec<_> = bytes.iter().copied().collect();
        bytes.chunks(4).map(four).collect()
    } else {
        bytes
            .iter()
            .map(|byte| f32::from(*byte).to_bits())
            .collect()
    };
    let x = reference::gather_bytes(bytes.view(), scale, &indices);
    let targets = reference::gather(wanted.view(), &indices);
    let dims = Dims {
        batch: indices.len() as u32,
        inputs: inputs as u32,
        outputs: outputs as u32,
        scale,
    };
    Probe::new(dims.contents(), 1)
        .reads_words(indices.to_vec())
        .reads_words(data)
        .reads_words(wanted.iter().copied().collect())
        .writes(Wanted::exactly(x.mapv(f64::from)))
        .writes(Wanted::words(targets))
}
