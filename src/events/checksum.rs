//! Masked CRC-32C, the checksum of TFRecord.

/// The CRC-32C of `bytes`, rotated right by 15 bits, plus a constant.
///
/// TFRecord masks its checksums because data may itself contain CRCs, and the CRC of data that ends in its own CRC is the
/// same constant for all data: it would detect nothing.
pub(super) fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}
