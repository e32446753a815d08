//! The numbers of a tensor, as f32.

use super::error::OnnxError;
use super::messages::{TensorProto, data_type};
use crate::exchange::elements::Element;

/// Numbers in a row-major shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    /// As many as the shape says.
    pub(super) values: Vec<f32>,
}

impl Constant {
    /// Reads a tensor; its numbers must be there before anything is made of its shape.
    pub(super) fn read(tensor: &TensorProto) -> Result<Self, OnnxError> {
        let refused = |reason: String| OnnxError::Tensor {
            tensor: tensor.name.clone(),
            reason,
        };
        if tensor.data_location != 0 {
            let reason = "is in another file; write the network with all its data in one";
            return Err(refused(reason.to_owned()));
        }
        let sizes = tensor.dims.iter().map(|size| usize::try_from(*size).ok());
        let shape: Option<Vec<usize>> = sizes.collect();
        let shape = shape.ok_or_else(|| refused(format!("has the shape {:?}", tensor.dims)))?;
        let len = shape
            .iter()
            .try_fold(1, |len: usize, size| len.checked_mul(*size));
        let values = numbers(tensor).map_err(refused)?;
        if len != Some(values.len()) {
            let values = values.len();
            return Err(refused(format!(
                "has the shape {shape:?} and {values} numbers"
            )));
        }
        Ok(Self { shape, values })
    }

    /// One number.
    pub(super) fn scalar(value: f32) -> Self {
        Self {
            shape: Vec::new(),
            values: vec![value],
        }
    }

    /// The number, where there is but one.
    pub(super) fn single(&self) -> Option<f32> {
        match self.values[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Rows and columns, where there are two dimensions.
    pub(super) fn matrix(&self) -> Option<[usize; 2]> {
        match self.shape[..] {
            [rows, columns] => Some([rows, columns]),
            _ => None,
        }
    }

    /// Whether all dimensions but the last are 1.
    pub(super) fn is_row(&self) -> bool {
        let rows = self.shape.split_last().map_or(&[][..], |(_, rows)| rows);
        rows.iter().all(|size| *size == 1)
    }

    /// The transpose of a matrix.
    pub(super) fn transposed(&self) -> Option<Self> {
        let [rows, columns] = self.matrix()?;
        let columns_of = |column| (0..rows).map(move |row| row * columns + column);
        Some(Self {
            shape: vec![columns, rows],
            // A matrix without rows has no numbers, however many columns it has.
            values: if self.values.is_empty() {
                Vec::new()
            } else {
                let indices = (0..columns).flat_map(columns_of);
                indices.map(|index| self.values[index]).collect()
            },
        })
    }
}

/// The numbers, wherever they are.
fn numbers(tensor: &TensorProto) -> Result<Vec<f32>, String> {
    let element = match tensor.data_type {
        data_type::FLOAT => Element::F32,
        data_type::DOUBLE => Element::F64,
        data_type::FLOAT16 => Element::F16,
        data_type::BFLOAT16 => Element::Bf16,
        other => {
            return Err(format!(
                "is of type {other}; f16 (10), bf16 (16), f32 (1) and f64 (11) can be read"
            ));
        }
    };
    let raw = &tensor.raw_data;
    if !raw.is_empty() {
        if !raw.len().is_multiple_of(element.size()) {
            return Err(format!("has {} bytes", raw.len()));
        }
        return Ok(element.decode(raw));
    }
    Ok(match element {
        Element::F32 => tensor.float_data.clone(),
        Element::F64 => tensor.double_data.iter().map(|v| *v as f32).collect(),
        Element::F16 | Element::Bf16 => {
            let bits = tensor.int32_data.iter();
            // Each in the lower half of a number of its own.
            element.decode(
                &bits
                    .flat_map(|v| (*v as u16).to_le_bytes())
                    .collect::<Vec<_>>(),
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::Constant;

    #[test]
    fn a_matrix_is_transposed() {
        let matrix = Constant {
            shape: vec![2, 3],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        };
        let transposed = matrix.transposed().unwrap();
        assert_eq!(transposed.shape, [3, 2]);
        assert_eq!(transposed.values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(transposed.transposed().unwrap(), matrix);
        let empty = Constant {
            shape: vec![0, usize::MAX],
            values: Vec::new(),
        };
        assert!(empty.transposed().unwrap().values.is_empty());
    }
}
