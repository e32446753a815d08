//! The heads of array files: what their elements are, and how many.

use std::io::{Cursor, Read};

use ndarray_npy::npy::header::{Header, Layout};

use super::element::Element;
use super::error::{DataError, Fault};
use super::rows::MOST_ROWS;
use super::source::{Origin, fill};

/// What the head of an array file says.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) element: Element,
    pub(super) axes: Vec<usize>,
    /// Whether the first axis is the one that runs fastest.
    pub(super) is_fortran: bool,
}

impl Shape {
    /// Numbers in the array.
    pub(super) fn len(&self) -> u64 {
        let product = |a: u64, b: &usize| a.saturating_mul(*b as u64);
        self.axes.iter().fold(1, product)
    }

    /// Rows, columns, and height, width and channels where rows are images.
    pub(super) fn rows(
        &self,
        origin: &Origin,
    ) -> Result<(usize, usize, Option<[usize; 3]>), DataError> {
        let image = match self.axes[..] {
            [_, _] => None,
            [_, height, width] => Some([height, width, 1]),
            [_, height, width, channels @ (1 | 3 | 4)] => Some([height, width, channels]),
            [_, _, _, _] => None,
            _ => return Err(origin.fault(Fault::Rank(self.axes.clone()))),
        };
        if self.axes.contains(&0) {
            return Err(origin.fault(Fault::NoExamples(self.axes.clone())));
        }
        let rows = self.axes[0];
        if rows as u64 > MOST_ROWS {
            return Err(origin.fault(Fault::Rows(rows as u64)));
        }
        let columns = self.len() / rows as u64;
        if self.is_fortran && self.axes.len() > 2 {
            return Err(origin.fault(Fault::Fortran));
        }
        Ok((rows, usize::try_from(columns).unwrap_or(usize::MAX), image))
    }
}

/// Reads the head of an `.npy` file.
pub(super) fn of_npy(reader: &mut impl Read, origin: &Origin) -> Result<Shape, DataError> {
    const LONGEST: usize = 1 << 16;
    let damaged = |what: &str| origin.fault(Fault::ArrayHead(what.to_owned()));
    let mut read = |len| {
        let mut bytes = vec![0; len];
        let count = fill(reader, &mut bytes).map_err(|error| origin.broken(error))?;
        if count < len {
            return Err(damaged("it is cut off"));
        }
        Ok(bytes)
    };
    let mut bytes = read(8)?;
    let len = match bytes[6] {
        1 => read(2)?,
        _ => read(4)?,
    };
    let text_len = len
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    // The parser calls itself for each parenthesis.
    if text_len > LONGEST {
        return Err(damaged("it is too long"));
    }
    let text = read(text_len)?;
    let opening = text
        .iter()
        .filter(|byte| matches!(byte, b'(' | b'[' | b'{'));
    if opening.count() > 16 {
        return Err(damaged("it is nested"));
    }
    bytes.extend(len);
    bytes.extend(text);
    let header = Header::from_reader(&mut Cursor::new(bytes));
    let header = header.map_err(|error| damaged(reason(&error.to_string())))?;
    let name = header.type_descriptor.to_string();
    let element = Element::of_numpy(name.trim_matches('\''));
    let element = element.ok_or_else(|| origin.fault(Fault::ElementType(name)))?;
    Ok(Shape {
        element,
        is_fortran: header.layout == Layout::Fortran && header.shape.len() > 1,
        axes: header.shape,
    })
}

/// The first words of a message of several lines.
fn reason(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split(" -->")
        .next()
        .unwrap_or(line)
        .trim_end_matches([':', ' '])
}

/// Reads the head of an IDX file: two zeros, type, number of axes, and the length of each.
pub(super) fn of_idx(reader: &mut impl Read, origin: &Origin) -> Result<Shape, DataError> {
    let mut bytes = [0; 4];
    let mut read = |bytes: &mut [u8]| {
        let count = fill(reader, bytes).map_err(|error| origin.broken(error))?;
        if count < bytes.len() {
            return Err(origin.fault(Fault::ArrayHead("it is cut off".into())));
        }
        Ok(())
    };
    read(&mut bytes)?;
    let element = Element::of_idx(bytes[2]);
    let element = element.ok_or_else(|| {
        let name = format!("0x{:02x}", bytes[2]);
        origin.fault(Fault::ElementType(name))
    })?;
    let mut axes = Vec::new();
    for _ in 0..bytes[3] {
        let mut axis = [0; 4];
        read(&mut axis)?;
        axes.push(u32::from_be_bytes(axis) as usize);
    }
    Ok(Shape {
        element,
        axes,
        is_fortran: false,
    })
}
