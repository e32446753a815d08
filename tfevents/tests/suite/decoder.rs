//! A reader of event files that shares nothing with the crate: it finds every field by itself and
//! computes its checksums bit by bit.

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) wall_time: f64,
    pub(crate) step: i64,
    pub(crate) file_version: Option<String>,
    /// 1 makes readers forget what earlier files have from this step on.
    pub(crate) session_status: Option<u64>,
    pub(crate) tag: String,
    /// As bits, so that NaN equals NaN and 0 does not equal −0.
    pub(crate) value_bits: Option<u32>,
    /// A `GraphDef`.
    pub(crate) graph: Option<Vec<u8>>,
    /// The other fields of the value, which are messages.
    pub(crate) messages: Vec<(u64, Vec<u8>)>,
}

pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// All events of a file, one for each value where there are several; panics at the first byte that
/// is out of place.
pub(crate) fn decode(bytes: &[u8]) -> Vec<Event> {
    records(bytes).into_iter().flat_map(event).collect()
}

/// The events that are complete, and how many bytes of another one follow.
pub(crate) fn decode_torn(bytes: &[u8]) -> (Vec<Event>, usize) {
    let mut end = 0;
    while let Some(length) = bytes[end..].first_chunk() {
        let next = end + 16 + usize::try_from(u64::from_le_bytes(*length)).unwrap();
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    (decode(&bytes[..end]), bytes.len() - end)
}

/// The data of all records, after their checksums have been verified.
pub(crate) fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length_bytes = take(&mut bytes, 8);
        assert_eq!(take(&mut bytes, 4), masked_crc(length_bytes), "length");
        let length = u64::from_le_bytes(length_bytes.try_into().unwrap());
        let data = take(&mut bytes, length.try_into().unwrap());
        assert_eq!(take(&mut bytes, 4), masked_crc(data), "data");
        all.push(data);
    }
    all
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, tail) = bytes
        .split_at_checked(count)
        .unwrap_or_else(|| panic!("a torn tail"));
    *bytes = tail;
    head
}

/// CRC-32C (reflected polynomial 0x82f63b78), then TFRecord's mask.
pub(crate) fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    let crc = !crc;
    let rotated = crc.rotate_right(15);
    rotated.wrapping_add(0xa282_ead8).to_le_bytes()
}

pub(crate) fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Fixed64(take(&mut bytes, 8).try_into().unwrap()),
            2 => {
                let length = varint(&mut bytes);
                Field::Bytes(take(&mut bytes, length.try_into().unwrap()))
            }
            5 => Field::Fixed32(take(&mut bytes, 4).try_into().unwrap()),
            other => panic!("wire type {other}"),
        };
        all.push((key >> 3, field));
    }
    all
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
    }
    panic!("a varint of more than ten bytes");
}

fn event(data: &[u8]) -> Vec<Event> {
    let mut event = Event::default();
    let mut values = Vec::new();
    for field in fields(data) {
        match field {
            (1, Field::Fixed64(bytes)) => event.wall_time = f64::from_le_bytes(bytes),
            (2, Field::Varint(step)) => event.step = step as i64,
            (3, Field::Bytes(version)) => event.file_version = Some(text(version)),
            (5, Field::Bytes(summary)) => values = fields(summary),
            (4, Field::Bytes(graph)) => event.graph = Some(graph.to_vec()),
            (7, Field::Bytes(log)) => {
                let [(1, Field::Varint(status))] = fields(log)[..] else {
                    panic!("not exactly a status");
                };
                event.session_status = Some(status);
            }
            (number, _) => panic!("field {number} of Event"),
        }
    }
    if values.is_empty() {
        return vec![event];
    }
    let with_value = |value| {
        let mut event = event.clone();
        read_value(&mut event, value);
        event
    };
    values.iter().map(with_value).collect()
}

fn read_value(event: &mut Event, value: &(u64, Field<'_>)) {
    let (1, Field::Bytes(value)) = value else {
        panic!("field {} of Summary", value.0);
    };
    for field in fields(value) {
        match field {
            (1, Field::Bytes(tag)) => event.tag = text(tag),
            (2, Field::Fixed32(bytes)) => event.value_bits = Some(u32::from_le_bytes(bytes)),
            (number, Field::Bytes(message)) => event.messages.push((number, message.to_vec())),
            (number, _) => panic!("field {number} of Summary.Value"),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
