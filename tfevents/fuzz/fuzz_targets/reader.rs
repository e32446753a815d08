//! A stream of records: as it comes, and once more with its checksums put right, so that the decoder is reached.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tfevents::reader::{DamageKind, RecordError, RecordReader};
use tfevents_fuzz::{BYTES_PER_BYTE, peak_bytes};

const HEADER_BYTES: usize = 12;
const READ_AHEAD_BYTES: usize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&repaired(bytes));
});

/// Reads to the end, and checks that every byte is accounted for.
fn read(bytes: &[u8]) {
    let peak = peak_bytes(|| {
        let mut records = RecordReader::new(bytes);
        let mut lost = false;
        loop {
            let begin = records.offset();
            match records.next_event() {
                Ok(Some(_)) => assert!(records.offset() >= begin + 16),
                Ok(None) => break,
                Err(RecordError::Damaged(damage)) => {
                    assert_eq!(damage.offset, begin);
                    lost |= damage.kind == DamageKind::Length;
                    assert!(lost || records.offset() >= begin + 16);
                }
                Err(error) => panic!("a slice cannot fail: {error}"),
            }
        }
        let torn = records.tail().map_or(0, |tail| tail.torn_bytes);
        assert!(lost || records.offset() + torn == bytes.len() as u64);
        assert!(matches!(records.next_event(), Ok(None)));
    });
    let bound = READ_AHEAD_BYTES + (4 + BYTES_PER_BYTE) * bytes.len();
    assert!(peak <= bound, "{peak} bytes for {} of input", bytes.len());
}

/// The same lengths and data; a length beyond the end is taken modulo what is there, for three of four.
fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut rest = bytes.as_mut_slice();
    while rest.len() >= HEADER_BYTES + 4 {
        let there = (rest.len() - HEADER_BYTES - 4) as u64;
        let mut length = u64::from_le_bytes(rest[..8].try_into().unwrap());
        if length > there && rest[8] & 3 != 0 {
            length %= there + 1;
            rest[..8].copy_from_slice(&length.to_le_bytes());
        }
        let checksum = masked(&rest[..8]);
        rest[8..HEADER_BYTES].copy_from_slice(&checksum);
        if length > there {
            break;
        }
        let (record, behind) = rest.split_at_mut(HEADER_BYTES + length as usize);
        behind[..4].copy_from_slice(&masked(&record[HEADER_BYTES..]));
        rest = &mut behind[4..];
    }
    bytes
}

fn masked(bytes: &[u8]) -> [u8; 4] {
    let rotated = crc32c::crc32c(bytes).rotate_right(15);
    rotated.wrapping_add(0xa282_ead8).to_le_bytes()
}
