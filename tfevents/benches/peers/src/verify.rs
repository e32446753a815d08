//! Reads a run back.

use std::collections::HashMap;
use std::path::Path;

use tfevents::Reader;

use crate::{Outcome, TAGS, value};

/// Compares each point of a run with what was handed in.
pub fn verify(directory: &Path, scalars: usize) -> Outcome<()> {
    let points = read_points(directory)?;
    let per_tag = |k| (k..scalars).step_by(TAGS.len());
    for (k, tag) in TAGS.iter().enumerate() {
        let expected: Vec<_> = per_tag(k)
            .map(|i| ((i / TAGS.len()) as i64, value(i)))
            .collect();
        if points.get(*tag).map_or(&[][..], Vec::as_slice) != expected {
            return Err(format!("{tag}: what was read is not what was written").into());
        }
    }
    Ok(())
}

/// Steps and values under each tag. Nothing but scalars is in the files, and no tail is torn.
fn read_points(directory: &Path) -> Outcome<HashMap<String, Vec<(i64, f32)>>> {
    let mut points: HashMap<_, Vec<_>> = HashMap::new();
    let mut reader = Reader::open(directory)?;
    while let Some(point) = reader.next_point()? {
        let value = point.value.scalar().ok_or("not a scalar")?;
        points
            .entry(point.tag)
            .or_default()
            .push((point.step, value as f32));
    }
    match reader.tail() {
        None => Ok(points),
        Some((path, tail)) => Err(format!("{}: {tail:?}", path.display()).into()),
    }
}
