//! TFRecord framing: `length: u64, masked CRC of length: u32, data, masked CRC of data: u32`,
//! little-endian.

use super::checksum::{masked_crc32c, masked_crc32c_of_length};

const LENGTH_BYTES: usize = 8;
const HEADER_BYTES: usize = LENGTH_BYTES + 4;

/// Appends one record to `buffer`; `encode` appends the record's data.
///
/// The data is encoded in place and the header in front of it filled in afterwards, so that no
/// second buffer is needed.
#[inline]
pub(super) fn append(buffer: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    let header_at = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_BYTES]);
    let data_at = buffer.len();
    encode(buffer);

    let data = &buffer[data_at..];
    let length = data.len() as u64;
    let data_checksum = masked_crc32c(data);
    let header = &mut buffer[header_at..data_at];
    header[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    header[LENGTH_BYTES..].copy_from_slice(&masked_crc32c_of_length(length).to_le_bytes());
    buffer.extend_from_slice(&data_checksum.to_le_bytes());
}
