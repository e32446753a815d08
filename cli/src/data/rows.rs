//! Rows on their way into columns.

use super::error::{DataError, Fault, Place};
use super::memory::Budget;
use super::numbers::Numbers;
use super::plan::Plan;
use super::role::Role;
use super::table::{Column, Inputs, Texts, Values};

/// Rows between two looks at the memory.
const INTERVAL: usize = 1024;
/// Row numbers have 32 bits.
pub(super) const MOST_ROWS: u64 = u32::MAX as u64;

/// Columns that grow.
pub(super) struct Rows {
    columns: Vec<Column>,
    roles: Vec<Role>,
    rows: usize,
    budget: Budget,
}

impl Rows {
    /// No rows yet, of the columns that are not left out.
    pub(super) fn new(plan: &Plan, budget: Budget) -> Self {
        let (mut columns, mut roles) = (Vec::new(), Vec::new());
        for (i, role) in plan.roles.iter().enumerate() {
            let values = match role {
                Role::Skip => continue,
                Role::Number | Role::TargetNumber => Values::Numbers(Numbers::default()),
                Role::Text | Role::TargetText => Values::Texts(Texts::default()),
            };
            roles.push(*role);
            columns.push(Column {
                name: plan.names[i].clone(),
                position: i + 1,
                values,
            });
        }
        Self {
            columns,
            roles,
            rows: 0,
            budget,
        }
    }

    /// The columns, each of which takes a value of every row.
    pub(super) fn columns(&mut self) -> impl Iterator<Item = (&mut Column, Role)> {
        self.columns.iter_mut().zip(self.roles.iter().copied())
    }

    /// Ends a row.
    pub(super) fn end(&mut self, file: &Place) -> Result<(), DataError> {
        self.rows += 1;
        if self.rows as u64 > MOST_ROWS {
            return Err(file.clone().fault(Fault::Rows(self.rows as u64)));
        }
        if self.rows.is_multiple_of(INTERVAL) {
            self.budget.ask(self.bytes(), file)?;
        }
        Ok(())
    }

    /// Rows so far.
    pub(super) fn count(&self) -> usize {
        self.rows
    }

    /// Inputs and targets.
    pub(super) fn finish(mut self) -> (Inputs, Vec<Column>) {
        for column in &mut self.columns {
            column.values.shrink();
        }
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for (column, role) in self.columns.into_iter().zip(self.roles) {
            match role {
                Role::TargetNumber | Role::TargetText => targets.push(column),
                _ => inputs.push(column),
            }
        }
        (Inputs::Columns(inputs), targets)
    }

    /// Bytes of the columns, and of the lines and the matrix that they will be.
    fn bytes(&self) -> u64 {
        let columns: u64 = self
            .columns
            .iter()
            .map(|column| column.values.bytes())
            .sum();
        let row = 8 + 4 * self.columns.len() as u64;
        columns.saturating_add(row.saturating_mul(self.rows as u64))
    }
}
