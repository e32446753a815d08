//! Inputs that are pictures.

use wgpu_linear::train::Dataset;

use crate::data::{Preprocessing, Restored};

/// Rows that are gray pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pictures {
    pub(super) width: usize,
    pub(super) height: usize,
    /// The number that is white.
    white: f64,
}

impl Pictures {
    /// What the file says, and where it says nothing, what it looks like: columns without names,
    /// as many as a square of 8 × 8 or more has pixels, and whole numbers from 0 to 255 in them.
    pub(super) fn of(preprocessing: &Preprocessing, data: &Dataset) -> Option<Self> {
        if let Some([height, width, channels]) = preprocessing.image {
            let white = 255.0;
            return (channels == 1).then_some(Self {
                width,
                height,
                white,
            });
        }
        let side = preprocessing.columns.len().isqrt();
        let is_square = side >= 8 && side * side == preprocessing.columns.len();
        if preprocessing.is_named || !is_square {
            return None;
        }
        let mut white = 1.0_f64;
        for row in 0..data.len() {
            for (_, field) in preprocessing.restore(data.x().row(row)) {
                let Restored::Number(value) = field else {
                    return None;
                };
                // Through f32 and back: nearly whole.
                let is_whole = (value - value.round()).abs() < 1e-3;
                if !(is_whole && (-0.5..255.5).contains(&value)) {
                    return None;
                }
                white = white.max(value.round());
            }
        }
        let [width, height] = [side; 2];
        Some(Self {
            width,
            height,
            white,
        })
    }

    /// From 0, black, to 255, white.
    pub(super) fn gray(self, row: &[(&str, Restored<'_>)]) -> Vec<u8> {
        let gray = |(_, field): &(&str, Restored<'_>)| match field {
            Restored::Number(value) => (value / self.white * 255.0).clamp(0.0, 255.0).round() as u8,
            Restored::Category(_) => 0,
        };
        row.iter().map(gray).collect()
    }
}
