//! What becomes of each column of a file.

use super::error::{DataError, Fault, Place, list, unnamed};
use super::options::{ReadOptions, Task};
use super::preprocess::Preprocessing;
use super::role::Role;

/// What becomes of all columns.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) roles: Vec<Role>,
    pub(super) names: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// What is known of the columns of a file.
pub(super) struct Columns<'a> {
    pub(super) names: &'a [String],
    pub(super) is_named: bool,
    pub(super) is_numeric: &'a [bool],
    /// A column that counts the rows.
    pub(super) counter: Option<usize>,
    /// Whether the targets are in another file.
    pub(super) has_labels: bool,
    pub(super) place: Place,
}

/// Names that mean a target, in lower case.
const TARGETS: [&str; 3] = ["target", "label", "class"];

impl Columns<'_> {
    /// What the options want, and otherwise the first rows say.
    pub(super) fn infer(&self, options: &ReadOptions) -> Result<Plan, DataError> {
        self.check_names()?;
        let find = |option, names: &[String]| {
            let find = |name: &String| self.find(option, name);
            names.iter().map(find).collect::<Result<Vec<_>, _>>()
        };
        let categorical = find("--categorical", &options.categorical)?;
        let numeric = find("--numeric", &options.numeric)?;
        let mut dropped = find("--drop", &options.drop)?;
        let mut notes = Vec::new();
        let targets = match &options.target {
            Some(names) => find("--target", names)?,
            None if self.has_labels => Vec::new(),
            None => self.default_target(&dropped).into_iter().collect(),
        };
        if let Some(counter) = self.counter.filter(|counter| !targets.contains(counter)) {
            dropped.push(counter);
            notes.push(format!("column {} counts the rows: left out", counter + 1));
        }
        let role = |column: usize| {
            let is_text = !numeric.contains(&column)
                && (categorical.contains(&column) || !self.is_numeric[column]);
            if targets.contains(&column) {
                let is_text = match options.task {
                    Some(Task::Classes) => true,
                    Some(Task::Values) => false,
                    None => is_text,
                };
                if is_text {
                    Role::TargetText
                } else {
                    Role::TargetNumber
                }
            } else if dropped.contains(&column) {
                Role::Skip
            } else if is_text {
                Role::Text
            } else {
                Role::Number
            }
        };
        let roles: Vec<_> = (0..self.names.len()).map(role).collect();
        if !roles
            .iter()
            .any(|role| matches!(role, Role::Number | Role::Text))
        {
            return Err(self.place.clone().fault(Fault::NoInputs));
        }
        Ok(Plan {
            roles,
            names: self.names.to_vec(),
            notes,
        })
    }

    /// What a model was trained with: by name where both have names, by position otherwise.
    pub(super) fn like(&self, model: &Preprocessing, with_target: bool) -> Result<Plan, DataError> {
        let by_name = self.is_named && model.is_named;
        if by_name {
            self.check_names()?;
        }
        let mut plan = Plan {
            roles: vec![Role::Skip; self.names.len()],
            names: self.names.to_vec(),
            notes: Vec::new(),
        };
        let total = model.file_columns;
        let is_without_rest = self.names.len() == model.columns.len();
        if !by_name && !is_without_rest && self.names.len() != total {
            return Err(self.place.clone().fault(Fault::Columns {
                expected: model.columns.len(),
                found: self.names.len(),
            }));
        }
        for (i, (name, position, role)) in model.wanted_columns().enumerate() {
            let is_target = matches!(role, Role::TargetNumber | Role::TargetText);
            let column = if by_name {
                self.names.iter().position(|other| other == name)
            } else if is_without_rest && self.names.len() != total {
                (!is_target).then_some(i)
            } else {
                position.checked_sub(1).filter(|column| *column < total)
            };
            match column {
                Some(_) if is_target && !with_target => {}
                Some(column) => {
                    plan.roles[column] = role;
                    name.clone_into(&mut plan.names[column]);
                }
                None if is_target => {}
                None => {
                    return Err(self.place.clone().fault(Fault::Untrained {
                        wanted: name.to_owned(),
                        columns: list(self.names),
                    }));
                }
            }
        }
        Ok(plan)
    }

    fn default_target(&self, dropped: &[usize]) -> Option<usize> {
        let is_free = |column: &usize| !dropped.contains(column) && self.counter != Some(*column);
        let is_target = |column: &usize| {
            let name = self.names[*column].to_lowercase();
            is_free(column) && TARGETS.contains(&name.as_str())
        };
        let columns = 0..self.names.len();
        let mut named = columns.clone().filter(is_target);
        match (named.next(), named.next()) {
            (Some(column), None) => Some(column),
            _ => columns.rev().find(is_free),
        }
    }

    /// A column by its name, or else by its position.
    fn find(&self, option: &'static str, wanted: &str) -> Result<usize, DataError> {
        let count = self.names.len();
        let by_name = || self.names.iter().position(|name| name == wanted.trim());
        let by_position = || {
            let position = wanted.trim().parse::<i64>().ok()?;
            let index = usize::try_from(position.unsigned_abs()).ok()?;
            match position {
                1.. => Some(index - 1),
                0 => None,
                _ => count.checked_sub(index),
            }
            .filter(|index| *index < count)
        };
        by_name().or_else(by_position).ok_or_else(|| {
            self.place.clone().fault(Fault::NoColumn {
                option,
                wanted: wanted.to_owned(),
                columns: list(self.names),
            })
        })
    }

    fn check_names(&self) -> Result<(), DataError> {
        if !self.is_named {
            return Ok(());
        }
        let mut seen = std::collections::HashMap::new();
        for (i, name) in self.names.iter().enumerate() {
            if let Some(first) = seen.insert(name, i + 1) {
                let place = self.place.clone().column(i + 1, name);
                return Err(place.fault(Fault::DuplicateColumn { first }));
            }
        }
        Ok(())
    }
}

/// Names for columns that have none.
pub(super) fn unnamed_columns(count: usize) -> Vec<String> {
    (1..=count).map(unnamed).collect()
}
