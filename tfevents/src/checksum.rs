//! Masked CRC-32C, the checksum of TFRecord.

/// The CRC-32C of `bytes`, rotated right by 15 bits, plus a constant.
///
/// TFRecord masks its checksums because data may itself contain CRCs, and the CRC of data that ends
/// in its own CRC is the same constant for all data: it would detect nothing.
pub(super) fn masked_crc32c(bytes: &[u8]) -> u32 {
    mask(crc32c::crc32c(bytes))
}

/// The checksum of a record's length field. Most records are short, and a look-up takes a fifth of
/// the time.
#[inline]
pub(super) fn masked_crc32c_of_length(length: u64) -> u32 {
    match SHORT_LENGTHS.get(length as usize) {
        Some(checksum) => *checksum,
        None => masked_crc32c(&length.to_le_bytes()),
    }
}

const fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

static SHORT_LENGTHS: [u32; 256] = {
    let mut checksums = [0; 256];
    let mut length = 0;
    while length < checksums.len() {
        checksums[length] = mask(crc32c_bit_by_bit((length as u64).to_le_bytes()));
        length += 1;
    }
    checksums
};

/// The reflected polynomial 0x82f63b78; slow, but it can run while compiling.
const fn crc32c_bit_by_bit(bytes: [u8; 8]) -> u32 {
    let mut crc = u32::MAX;
    let mut i = 0;
    while i < 8 * bytes.len() {
        let bit = crc ^ (bytes[i / 8] >> (i % 8)) as u32;
        crc = (crc >> 1) ^ if bit & 1 == 1 { 0x82f6_3b78 } else { 0 };
        i += 1;
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_length_is_that_of_its_bytes() {
        for length in (0..1000).chain([u64::MAX, 1 << 32, (1 << 32) + 5]) {
            let expected = masked_crc32c(&length.to_le_bytes());
            assert_eq!(masked_crc32c_of_length(length), expected, "{length}");
        }
    }
}
