//! RLP, as far as receipts and block access lists need it.

/// Append the encoding of a string.
pub fn put_bytes(target: &mut Vec<u8>, bytes: &[u8]) {
    if let [byte @ 0..0x80] = bytes {
        target.push(*byte);
        return;
    }
    put_header(target, 0x80, bytes.len());
    target.extend_from_slice(bytes);
}

/// Append the encoding of a number, given in big-endian bytes of any width.
pub fn put_number(target: &mut Vec<u8>, big_endian: &[u8]) {
    put_bytes(target, trimmed(big_endian));
}

/// Return the encoding of a list whose fields are encoded already.
pub fn list(fields: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(fields.len() + 5);
    put_header(&mut encoded, 0xC0, fields.len());
    encoded.extend_from_slice(fields);
    encoded
}

/// Return a number's bytes without its leading zeros.
pub fn trimmed(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

fn put_header(target: &mut Vec<u8>, offset: u8, length: usize) {
    if length < 56 {
        target.push(offset + length as u8);
        return;
    }
    let size = (length as u64).to_be_bytes();
    let size = trimmed(&size);
    target.push(offset + 55 + size.len() as u8);
    target.extend_from_slice(size);
}
