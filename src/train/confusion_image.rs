//! A picture of which classes a model takes for which.

use ndarray::Array2;

use super::confusion::ConfusionMatrix;
use crate::events::{Image, ImageError};

/// More classes than that make a picture in which nothing can be seen.
pub(super) const MOST_CLASSES: usize = 1024;
/// Sides of a cell: 16 pixels, fewer where the picture would be larger than 1,024.
const CELL: usize = 16;

const GRID: [u8; 3] = [200, 200, 200];
const NONE: [u8; 3] = [255, 255, 255];
const ALL: [u8; 3] = [8, 48, 107];

impl ConfusionMatrix {
    /// [`Self::pixels`] as PNG.
    pub(super) fn image(&self) -> Result<Image, ImageError> {
        let side = self.side() as u32;
        Image::from_rgb8(side, side, &self.pixels())
    }

    /// Sides of the picture.
    fn side(&self) -> usize {
        let cell = self.cell();
        // A line of the grid before each cell and behind the last.
        self.classes() * cell + usize::from(has_grid(cell))
    }

    fn cell(&self) -> usize {
        (CELL * 64 / self.classes()).clamp(1, CELL)
    }

    /// The picture in RGB: a cell for each pair of classes, the true class downwards, the predicted
    /// one to the right. The darker it is, the larger is its share of the true class; shades follow
    /// the square root, so that rare mistakes show.
    fn pixels(&self) -> Vec<u8> {
        let (cell, side) = (self.cell(), self.side());
        let colours = self.colours();
        let mut pixels = Vec::with_capacity(3 * side * side);
        for y in 0..side {
            for x in 0..side {
                let is_line = has_grid(cell) && (x % cell == 0 || y % cell == 0);
                let colour = if is_line {
                    GRID
                } else {
                    colours[[y / cell, x / cell]]
                };
                pixels.extend(colour);
            }
        }
        pixels
    }

    fn colours(&self) -> Array2<[u8; 3]> {
        let totals: Vec<_> = (0..self.classes())
            .map(|class| self.support(class))
            .collect();
        Array2::from_shape_fn(self.counts().dim(), |(row, column)| {
            let share = self.counts()[[row, column]] as f64 / totals[row].max(1) as f64;
            shade(share.sqrt())
        })
    }
}

/// Whether cells are large enough to have lines between them.
fn has_grid(cell: usize) -> bool {
    cell >= 8
}

/// From [`NONE`] at 0 to [`ALL`] at 1.
fn shade(part: f64) -> [u8; 3] {
    std::array::from_fn(|i| {
        let (from, to) = (f64::from(NONE[i]), f64::from(ALL[i]));
        (from + part * (to - from)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn confusion() -> ConfusionMatrix {
        let logits = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
        ConfusionMatrix::new(logits.view(), &[0, 0, 0, 1, 0]).unwrap()
    }

    #[test]
    fn pixels_show_each_cell_in_the_shade_of_its_share() {
        let confusion = confusion();
        let (side, pixels) = (confusion.side(), confusion.pixels());
        assert_eq!((side, pixels.len()), (33, 3 * 33 * 33));
        let at = |x: usize, y: usize| &pixels[3 * (y * side + x)..][..3];
        assert_eq!(at(24, 24), ALL);
        assert_eq!(at(8, 24), NONE);
        // A quarter of class 0 is taken for class 1: half way to dark.
        assert_eq!(at(24, 8), shade(0.5));
        assert_eq!(at(8, 8), shade(0.75_f64.sqrt()));
        for line in [0, 16, 32] {
            assert!(
                [at(line, 8), at(8, line)]
                    .iter()
                    .all(|pixel| **pixel == GRID)
            );
        }
    }

    #[test]
    fn pixels_stay_few_for_many_classes() {
        for (classes, side) in [(1, 17), (64, 1025), (65, 976), (200, 1000), (1024, 1024)] {
            let logits = Array2::zeros((2, classes));
            let confusion = ConfusionMatrix::new(logits.view(), &[0, 0]).unwrap();
            assert_eq!(confusion.side(), side);
            assert_eq!(confusion.pixels().len(), 3 * side * side);
        }
    }
}
