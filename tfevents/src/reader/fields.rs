//! The fields of a protocol-buffer message, found one after the other in a slice.
//!
//! Nothing is copied, and a message within a message is a slice again: its depth is that of the
//! caller's code, never the input's.
//!
//! Source: [encoding of protocol buffers](https://protobuf.dev/programming-guides/encoding/).

use super::damage::Malformed;
use crate::wire::{FIXED32, FIXED64, LENGTH_DELIMITED, VARINT};

const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;

/// What a field holds, as far as its wire type tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Numbers and contents of the fields of a message, up to the first that is malformed.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// The fields of `message`, in their order there.
pub(super) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = field(&mut self.rest);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<(u32, Field<'a>), Malformed> {
    let key = varint(rest)?;
    let number = key >> 3;
    if !(1..=MAX_FIELD_NUMBER).contains(&number) {
        return Err(Malformed::FieldNumber { number });
    }
    let field = match (key & 7) as u8 {
        VARINT => Field::Varint(varint(rest)?),
        FIXED64 => Field::Fixed64(array(rest)?),
        LENGTH_DELIMITED => {
            let length = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
            Field::Bytes(take(rest, length)?)
        }
        FIXED32 => Field::Fixed32(array(rest)?),
        wire_type => return Err(Malformed::WireType { wire_type }),
    };
    Ok((number as u32, field))
}

/// Seven bits a byte, lowest first; the top bit says that another byte follows.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = array(rest)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(Malformed::Varint);
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed::Varint)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Malformed> {
    let (head, tail) = rest.split_at_checked(count).ok_or(Malformed::Truncated)?;
    *rest = tail;
    Ok(head)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, tail) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    *rest = tail;
    Ok(*head)
}

/// The last integer under this field number; 0, its default, where there is none.
pub(super) fn last_varint(message: &[u8], number: u32) -> Result<u64, Malformed> {
    let mut last = 0;
    for field in fields(message) {
        if let (found, Field::Varint(value)) = field?
            && found == number
        {
            last = value;
        }
    }
    Ok(last)
}

/// A `string`, which has to be UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, Malformed> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Malformed::Utf8),
    }
}

/// Appends the elements of a repeated `double` field, packed or one by one. Other wire types are
/// not its own.
pub(super) fn extend_f64(values: &mut Vec<f64>, field: Field<'_>) -> Result<(), Malformed> {
    match field {
        Field::Fixed64(bytes) => values.push(f64::from_le_bytes(bytes)),
        Field::Bytes(packed) => {
            values.extend(elements(packed)?.iter().copied().map(f64::from_le_bytes))
        }
        _ => {}
    }
    Ok(())
}

/// Appends the elements of a repeated `float` field, packed or one by one. Other wire types are not
/// its own.
pub(super) fn extend_f32(values: &mut Vec<f32>, field: Field<'_>) -> Result<(), Malformed> {
    match field {
        Field::Fixed32(bytes) => values.push(f32::from_le_bytes(bytes)),
        Field::Bytes(packed) => {
            values.extend(elements(packed)?.iter().copied().map(f32::from_le_bytes))
        }
        _ => {}
    }
    Ok(())
}

fn elements<const N: usize>(packed: &[u8]) -> Result<&[[u8; N]], Malformed> {
    match packed.as_chunks() {
        (elements, []) => Ok(elements),
        _ => Err(Malformed::Truncated),
    }
}
