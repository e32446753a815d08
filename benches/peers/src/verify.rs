//! Reads a run back.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

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

/// Steps and values under each tag.
fn read_points(directory: &Path) -> Outcome<HashMap<String, Vec<(i64, f32)>>> {
    let mut points: HashMap<String, Vec<(i64, f32)>> = HashMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if !path.to_string_lossy().contains("tfevents") {
            continue;
        }
        let bytes = fs::read(path)?;
        let mut rest = &bytes[..];
        while let Some((header, behind)) = rest.split_at_checked(12) {
            let length = u64::from_le_bytes(header[..8].try_into()?) as usize;
            let (event, behind) = behind.split_at_checked(length + 4).ok_or("a torn record")?;
            let (mut step, mut summary) = (0, None);
            fields(&event[..length], |number, field| match (number, field) {
                (2, Field::Varint(value)) => step = value.cast_signed(),
                (5, Field::Bytes(bytes)) => summary = Some(bytes.to_vec()),
                _ => {}
            })?;
            let mut values = Vec::new();
            fields(summary.as_deref().unwrap_or_default(), |_, field| {
                if let Field::Bytes(bytes) = field {
                    values.push(bytes.to_vec());
                }
            })?;
            for value in values {
                let (mut tag, mut number_value) = (String::new(), f32::NAN);
                fields(&value, |number, field| match (number, field) {
                    (1, Field::Bytes(bytes)) => tag = String::from_utf8_lossy(bytes).into_owned(),
                    (2, Field::Fixed32(bits)) => number_value = f32::from_bits(bits),
                    _ => {}
                })?;
                points.entry(tag).or_default().push((step, number_value));
            }
            rest = behind;
        }
    }
    Ok(points)
}

enum Field<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32(u32),
}

fn varint(rest: &mut &[u8]) -> Outcome<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or("a cut message")?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a varint without an end".into())
}

fn fields<'a>(mut rest: &'a [u8], mut each: impl FnMut(u64, Field<'a>)) -> Outcome<()> {
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let fixed = |rest: &mut &'a [u8], length: usize| -> Outcome<&'a [u8]> {
            let (bytes, behind) = rest.split_at_checked(length).ok_or("a cut message")?;
            *rest = behind;
            Ok(bytes)
        };
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut rest)?),
            1 => {
                fixed(&mut rest, 8)?;
                Field::Fixed64
            }
            2 => {
                let length = varint(&mut rest)? as usize;
                Field::Bytes(fixed(&mut rest, length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(fixed(&mut rest, 4)?.try_into()?)),
            other => return Err(format!("wire type {other}").into()),
        };
        each(key >> 3, field);
    }
    Ok(())
}
