//! Arithmetic with constants, column by column.

use super::error::OnnxError;
use super::network::{Standardisation, check_columns};
use super::tensor::Constant;
use crate::model::LayerParameters;

/// One operation with a constant c.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    /// x + c.
    Add,
    /// x − c.
    Subtract,
    /// c − x.
    SubtractFrom,
    /// x · c.
    Multiply,
    /// x / c.
    Divide,
}

/// One operation, with a number for each column, or one for all.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) operator: Operator,
    /// A row.
    pub(super) constant: Constant,
}

impl Step {
    fn at(&self, column: usize) -> f32 {
        let values = &self.constant.values;
        let value = values.get(column).or_else(|| values.first());
        value.copied().unwrap_or(f32::NAN)
    }

    /// The same with a number for each column.
    fn row(&self, columns: usize) -> Vec<f32> {
        (0..columns).map(|column| self.at(column)).collect()
    }
}

/// Whether each step has one number, or one for each column.
pub(super) fn fit(steps: &[Step], columns: usize) -> bool {
    let fits = |step: &Step| [1, columns].contains(&step.constant.values.len());
    steps.iter().all(fits)
}

/// factor · x + shift, all steps at once, in f64.
fn composed(steps: &[Step], column: usize) -> (f64, f64) {
    let identity = (1.0, 0.0);
    steps.iter().fold(identity, |(factor, shift), step| {
        let c = f64::from(step.at(column));
        match step.operator {
            Operator::Add => (factor, shift + c),
            Operator::Subtract => (factor, shift - c),
            Operator::SubtractFrom => (-factor, c - shift),
            Operator::Multiply => (factor * c, shift * c),
            Operator::Divide => (factor / c, shift / c),
        }
    })
}

/// The steps as (x − mean) / scale; as they are where they are these two.
pub(super) fn standardisation(
    steps: &[Step],
    columns: usize,
) -> Result<Standardisation, OnnxError> {
    let operators: Vec<Operator> = steps.iter().map(|step| step.operator).collect();
    let (mean, scale) = match operators[..] {
        [Operator::Subtract, Operator::Divide] => (steps[0].row(columns), steps[1].row(columns)),
        _ => (0..columns)
            .map(|column| composed(steps, column))
            .map(|(factor, shift)| ((-shift / factor) as f32, (1.0 / factor) as f32))
            .unzip(),
    };
    check_columns("standardisation", columns, &mean, &scale)?;
    Ok(Standardisation { mean, scale })
}

/// The steps as t · scale + mean: mean and scale.
pub(super) fn values(steps: &[Step], columns: usize) -> Result<[Vec<f32>; 2], OnnxError> {
    let (mean, scale): (Vec<f32>, Vec<f32>) = (0..columns)
        .map(|column| composed(steps, column))
        .map(|(factor, shift)| (shift as f32, factor as f32))
        .unzip();
    check_columns("values", columns, &mean, &scale)?;
    Ok([mean, scale])
}

/// Puts the steps into the layer whose outputs they change.
pub(super) fn fold(steps: &[Step], layer: &mut LayerParameters) {
    if let [step] = steps
        && step.operator == Operator::Add
    {
        let b = layer.b.iter_mut().enumerate();
        b.for_each(|(column, b)| *b += step.at(column));
        return;
    }
    let columns = layer.w.columns_mut().into_iter().zip(&mut layer.b);
    for (column, (mut w, b)) in columns.enumerate() {
        let (factor, shift) = composed(steps, column);
        w.mapv_inplace(|w| (f64::from(w) * factor) as f32);
        *b = (f64::from(*b) * factor + shift) as f32;
    }
}
