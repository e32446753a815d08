//! What each input contributes.

use ndarray::Array2;
use serde::Serialize;
use wgpu_linear::model::{Model, ModelError};
use wgpu_linear::train::{Dataset, Metric};

/// A column, with the inputs that belong to it.
pub type Group = (String, Vec<usize>);
/// A part of a picture: first column, first row, columns and rows, in pixels.
pub type Block = [usize; 4];

/// How much work the explanation may take: at most 1 + `groups` · `repeats` predictions of `rows`
/// rows, and no more than `predictions` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The most rows, 2,000 by default. Of a larger data set a sample is taken.
    pub rows: usize,
    /// The most groups of inputs, 256 by default; those behind are left out.
    pub groups: usize,
    /// How often each group is shuffled, 5 by default; at least 1.
    pub repeats: usize,
    /// The most predictions, 1,000 by default: with many groups each is shuffled fewer times, but
    /// once at least.
    pub predictions: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            rows: 2000,
            groups: 256,
            repeats: 5,
            predictions: 1000,
        }
    }
}

/// What one input contributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InputImportance {
    /// The column, or the block of a picture.
    pub name: String,
    /// The score that is lost when the input is shuffled among the examples: the mean over the
    /// repeats. About 0 where the network makes no use of it.
    pub drop: f64,
    /// The standard deviation over the repeats, √(Σ (drop − mean)² / (repeats − 1)); 0 for one.
    pub deviation: f64,
    /// In a picture the block that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
}

/// What all inputs contribute, and how that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Importance {
    /// The name of the score.
    pub score: String,
    /// The score of the same rows with nothing shuffled.
    pub unshuffled: f64,
    /// How many rows it was measured on.
    pub rows: usize,
    /// How many rows the data set has.
    pub rows_of: usize,
    /// How often each input was shuffled.
    pub repeats: usize,
    /// How many inputs were left out, being too many.
    pub left_out: usize,
    /// The inputs in the order in which they were given.
    pub inputs: Vec<InputImportance>,
}

impl Importance {
    /// The same of a picture: with the blocks that the inputs are, in the same order.
    #[must_use]
    pub fn with_blocks(mut self, blocks: &[Block]) -> Self {
        for (input, block) in self.inputs.iter_mut().zip(blocks) {
            input.block = Some(*block);
        }
        self
    }
}

/// How much of the score is lost when the inputs of a group are shuffled among the examples, all
/// inputs of the group together: permutation importance (Breiman, *Random Forests*, 2001).
///
/// A group is a name and the columns of x that belong together, such as the inputs that one
/// category became. `score` is one that is the better the larger it is, such as
/// [`Metric::accuracy`] or [`Metric::r2`]. Inputs that say the same as one another share what they
/// contribute, so that each of them seems to count for little.
///
/// The data set stays as it is. The same `seed` gives the same result. What was left out to stay
/// within `effort` is stated in the result.
///
/// # Errors
/// [`ModelError::Shape`] where a group has a column that x has not; otherwise what
/// [`Model::predict`] reports.
pub fn permutation_importance(
    model: &mut dyn Model,
    data: &Dataset,
    groups: &[Group],
    score: &Metric,
    effort: Effort,
    seed: u64,
) -> Result<Importance, ModelError> {
    check(data, groups)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let sample = sample(data, effort.rows, &mut random);
    let kept = &groups[..groups.len().min(effort.groups)];
    let repeats = (effort.predictions / kept.len().max(1)).clamp(1, effort.repeats.max(1));
    let mut trial = Trial {
        x: sample.x().clone(),
        sample,
        score,
    };
    let unshuffled = trial.score(model)?;
    let mut inputs = Vec::with_capacity(kept.len());
    for (name, columns) in kept {
        let mut drops = Vec::with_capacity(repeats);
        for _ in 0..repeats {
            trial.shuffle(columns, &mut random);
            drops.push(unshuffled - trial.score(model)?);
        }
        trial.restore(columns);
        inputs.push(input(name, &drops));
    }
    Ok(Importance {
        score: score.name().to_owned(),
        unshuffled,
        rows: trial.sample.len(),
        rows_of: data.len(),
        repeats,
        left_out: groups.len() - kept.len(),
        inputs,
    })
}

fn check(data: &Dataset, groups: &[Group]) -> Result<(), ModelError> {
    let inputs = data.x().ncols();
    let columns = groups.iter().flat_map(|(_, columns)| columns);
    match columns.max() {
        Some(last) if *last >= inputs => Err(ModelError::Shape {
            what: "the inputs of the groups",
            expected: [data.len(), inputs],
            actual: [data.len(), last + 1],
        }),
        _ => Ok(()),
    }
}

/// At most so many rows, in their order.
fn sample(data: &Dataset, rows: usize, random: &mut fastrand::Rng) -> Dataset {
    let mut order: Vec<usize> = (0..data.len()).collect();
    if data.len() > rows {
        random.shuffle(&mut order);
        order.truncate(rows);
        order.sort_unstable();
    }
    data.select(&order)
}

/// A sample, and the inputs that are tried.
struct Trial<'a> {
    sample: Dataset,
    x: Array2<f32>,
    score: &'a Metric,
}

impl Trial<'_> {
    fn score(&self, model: &mut dyn Model) -> Result<f64, ModelError> {
        let outputs = model.predict(self.x.view())?;
        let targets = self.sample.targets();
        Ok(f64::from(self.score.measure(outputs.view(), targets)))
    }

    fn shuffle(&mut self, columns: &[usize], random: &mut fastrand::Rng) {
        let mut order: Vec<usize> = (0..self.x.nrows()).collect();
        random.shuffle(&mut order);
        for column in columns {
            let from = self.sample.x().column(*column);
            let mut to = self.x.column_mut(*column);
            for (to, row) in to.iter_mut().zip(&order) {
                *to = from[*row];
            }
        }
    }

    fn restore(&mut self, columns: &[usize]) {
        for column in columns {
            let from = self.sample.x().column(*column);
            self.x.column_mut(*column).assign(&from);
        }
    }
}

fn input(name: &str, drops: &[f64]) -> InputImportance {
    let count = drops.len() as f64;
    let mean = drops.iter().sum::<f64>() / count;
    let squares: f64 = drops.iter().map(|drop| (drop - mean).powi(2)).sum();
    InputImportance {
        name: name.to_owned(),
        drop: mean,
        deviation: (squares / (count - 1.0).max(1.0)).sqrt(),
        block: None,
    }
}

/// The inputs of a picture, row by row from the top, in square blocks, at most `most` of them, such
/// as 64: the groups for [`permutation_importance`], and the blocks that they are, for
/// [`Importance::with_blocks`]. Single pixels say too little, and are too many to be tried.
///
/// ```
/// use wgpu_linear_cli::explain::blocks_of_picture;
///
/// let (groups, blocks) = blocks_of_picture(4, 2, 2);
/// assert_eq!(groups[1], ("columns 3–4, rows 1–2".to_owned(), vec![2, 3, 6, 7]));
/// assert_eq!(blocks, [[0, 0, 2, 2], [2, 0, 2, 2]]);
/// ```
#[must_use]
pub fn blocks_of_picture(width: usize, height: usize, most: usize) -> (Vec<Group>, Vec<Block>) {
    let count = |side: usize| width.div_ceil(side) * height.div_ceil(side);
    let largest = width.max(height).max(1);
    let side = (1..=largest)
        .find(|side| count(*side) <= most)
        .unwrap_or(largest);
    let corners = (0..height).step_by(side);
    let corners = corners.flat_map(|y| (0..width).step_by(side).map(move |x| (x, y)));
    let block = |(x, y): (usize, usize)| [x, y, side.min(width - x), side.min(height - y)];
    let blocks: Vec<Block> = corners.map(block).collect();
    let group = |[x, y, across, down]: &Block| {
        let rows = *y..y + down;
        let pixels = rows.flat_map(|row| (*x..x + across).map(move |column| row * width + column));
        let name = format!(
            "{}, {}",
            span("column", *x, *across),
            span("row", *y, *down)
        );
        (name, pixels.collect())
    };
    (blocks.iter().map(group).collect(), blocks)
}

/// `column 3` or `columns 1–4`, counted from 1.
fn span(what: &str, first: usize, length: usize) -> String {
    match length {
        1 => format!("{what} {}", first + 1),
        _ => format!("{what}s {}–{}", first + 1, first + length),
    }
}
