//! Index keys: values as bytes whose order is the order of the values.
//!
//! A key is compared as plain bytes. Each value begins with the rank of its kind, so that values of different kinds
//! have an order too, and ends by itself: no key is the beginning of another, so several follow one another in a
//! compound key, and inverting all the bytes of one reverses its order.
//!
//! | kind                  | after the rank                                                                          |
//! |-----------------------|-----------------------------------------------------------------------------------------|
//! | None                  | nothing                                                                                 |
//! | bool, int, float, Decimal | the greatest float that is not above it; 0, or 1 and the decimal digits when that float is another number |
//! | str, bytes            | UTF-8 (lone surrogates encoded alike) or bytes, with 0 written as 0 255; 0 0             |
//! | moments and durations | microseconds, or days, as an integer of fixed size                                       |
//! | UUID                  | 16 bytes                                                                                 |
//! | tuple, list           | the items, each after a 1; 0                                                             |
//!
//! So numbers of all types are in one order, -0.0 is 0.0, and NaN equals NaN and comes after every other number.

use std::fmt;

/// The kinds of values, in the order in which they sort.
pub mod rank {
    pub const NULL: u8 = 0x01;
    pub const NUMBER: u8 = 0x02;
    pub const TEXT: u8 = 0x03;
    pub const BYTES: u8 = 0x04;
    pub const DATE: u8 = 0x05;
    pub const DATETIME: u8 = 0x06;
    pub const AWARE_DATETIME: u8 = 0x07;
    pub const TIME: u8 = 0x08;
    pub const AWARE_TIME: u8 = 0x09;
    pub const DURATION: u8 = 0x0A;
    pub const UUID: u8 = 0x0B;
    pub const SEQUENCE: u8 = 0x0C;
    /// Values that have no order: they are compared by Python only.
    pub const OPAQUE: u8 = 0xFD;
}

/// Bytes up to this many stay in the key itself.
const INLINE: usize = 22;

/// The bytes of a key; most fit without an allocation.
#[derive(Clone)]
pub enum Key {
    Inline { length: u8, bytes: [u8; INLINE] },
    Boxed(Box<[u8]>),
}

impl Key {
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE {
            let mut inline = [0; INLINE];
            inline[..bytes.len()].copy_from_slice(bytes);
            Self::Inline { length: bytes.len() as u8, bytes: inline }
        } else {
            Self::Boxed(bytes.into())
        }
    }

    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => &bytes[..*length as usize],
            Self::Boxed(bytes) => bytes,
        }
    }

    /// Bytes on the heap.
    pub fn heap(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Boxed(bytes) => bytes.len(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({:02x?})", self.bytes())
    }
}

/// Writes values into a buffer, one after another.
#[derive(Default)]
pub struct Encoder {
    buffer: Vec<u8>,
}

impl Encoder {
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub fn clear(&mut self) {
        self.buffer.clear();
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// Forgets what was written after the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.buffer.truncate(length);
    }

    /// Reverses the order of what was written from byte `start` on.
    pub fn invert_from(&mut self, start: usize) {
        self.buffer[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }

    pub fn null(&mut self) {
        self.buffer.push(rank::NULL);
    }

    pub fn opaque(&mut self) {
        self.buffer.push(rank::OPAQUE);
    }

    #[inline]
    pub fn float(&mut self, value: f64) {
        self.number(value);
        self.buffer.push(0);
    }

    #[inline]
    fn number(&mut self, value: f64) {
        let value = if value == 0.0 {
            0.0
        } else if value.is_nan() {
            f64::NAN.abs()
        } else {
            value
        };
        let bits = value.to_bits();
        let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
        self.buffer.push(rank::NUMBER);
        self.buffer.extend_from_slice(&ordered.to_be_bytes());
    }

    #[inline]
    pub fn integer(&mut self, value: i64) {
        let float = value as f64;
        // 2^63 as a float is out of range for an i64, and above all of them.
        if value.unsigned_abs() <= 1 << 53 || (float < 9.2e18 && float as i64 == value) {
            return self.float(float);
        }
        let above = float >= 9.3e18 || float as i128 > i128::from(value);
        let floor = if above { next_down(float) } else { float };
        let digits = value.unsigned_abs().to_string();
        self.exact(floor, value < 0, digits.len() as i32, digits.as_bytes());
    }

    /// A number that no float equals: `floor` is the greatest float below it; its magnitude is 0.DIGITS times ten to
    /// the power of `exponent`, with neither leading nor trailing zeros that matter.
    pub fn exact(&mut self, floor: f64, negative: bool, exponent: i32, digits: &[u8]) {
        self.number(floor);
        self.buffer.push(1);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&((exponent as u32) ^ 1 << 31).to_be_bytes());
        let significant = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        self.buffer.extend_from_slice(&digits[..significant]);
        self.buffer.push(0);
        if negative {
            self.invert_from(start);
        }
    }

    pub fn text(&mut self, utf8: &[u8]) {
        self.terminated(rank::TEXT, utf8);
    }

    pub fn binary(&mut self, bytes: &[u8]) {
        self.terminated(rank::BYTES, bytes);
    }

    #[inline]
    fn terminated(&mut self, kind: u8, bytes: &[u8]) {
        self.beginning(kind, bytes);
        self.buffer.extend_from_slice(&[0, 0]);
    }

    /// What every text (or bytes) that begins with `bytes` begins with.
    pub fn beginning(&mut self, kind: u8, bytes: &[u8]) {
        self.buffer.push(kind);
        if !bytes.contains(&0) {
            return self.buffer.extend_from_slice(bytes);
        }
        for &byte in bytes {
            self.buffer.push(byte);
            if byte == 0 {
                self.buffer.push(255);
            }
        }
    }

    /// A date, a moment, a time of day or a duration: its rank, and a count of days or microseconds.
    #[inline]
    pub fn count(&mut self, kind: u8, value: i64) {
        self.buffer.push(kind);
        self.buffer.extend_from_slice(&((value as u64) ^ 1 << 63).to_be_bytes());
    }

    pub fn uuid(&mut self, bytes: [u8; 16]) {
        self.buffer.push(rank::UUID);
        self.buffer.extend_from_slice(&bytes);
    }

    pub fn begin_sequence(&mut self) {
        self.buffer.push(rank::SEQUENCE);
    }

    pub fn item(&mut self) {
        self.buffer.push(1);
    }

    pub fn end_sequence(&mut self) {
        self.buffer.push(0);
    }
}

/// The greatest float below a finite one that is not zero.
fn next_down(value: f64) -> f64 {
    let bits = value.to_bits();
    f64::from_bits(if value > 0.0 { bits - 1 } else { bits + 1 })
}

/// The least bytes that come after everything that begins with `prefix`.
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    while let Some(last) = bytes.pop() {
        if last < 255 {
            bytes.push(last + 1);
            break;
        }
    }
    bytes
}

/// Where NaN begins: comparisons other than equality do not see it.
pub const NUMBERS_END: [u8; 3] = [rank::NUMBER, 0xFF, 0xF8];

#[cfg(test)]
mod tests {
    use super::*;

    fn key(write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
        let mut encoder = Encoder::default();
        write(&mut encoder);
        encoder.into_bytes()
    }

    #[test]
    fn floats_are_in_order() {
        let floats = [f64::NEG_INFINITY, -1e300, -1.5, -5e-324, 0.0, 5e-324, 1.0, 1.5, 1e300, f64::INFINITY, f64::NAN];
        let keys: Vec<_> = floats.iter().map(|&value| key(|encoder| encoder.float(value))).collect();
        assert!(keys.is_sorted());
        assert_eq!(key(|encoder| encoder.float(-0.0)), key(|encoder| encoder.float(0.0)));
        assert_eq!(key(|encoder| encoder.float(-f64::NAN)), key(|encoder| encoder.float(f64::NAN)));
        assert!(key(|encoder| encoder.float(f64::INFINITY)).as_slice() < &NUMBERS_END[..]);
        assert!(key(|encoder| encoder.float(f64::NAN)).as_slice() > &NUMBERS_END[..]);
    }

    #[test]
    fn integers_and_floats_are_in_one_order() {
        let big = 1i64 << 53;
        let mut integers = vec![i64::MIN, i64::MIN + 1, -big - 2, -big - 1, -big, -3, 0, 7, big - 1, big, big + 1];
        integers.extend([big + 2, (1 << 62) + 1, i64::MAX - 1, i64::MAX]);
        let keys: Vec<_> = integers.iter().map(|&value| key(|encoder| encoder.integer(value))).collect();
        for (first, (&one, &two)) in integers.iter().zip(&integers[1..]).enumerate() {
            assert!(keys[first] < keys[first + 1], "{one} < {two}");
        }
        assert_eq!(key(|encoder| encoder.integer(big)), key(|encoder| encoder.float(big as f64)));
        assert!(key(|encoder| encoder.integer(i64::MAX)) < key(|encoder| encoder.float(2f64.powi(63))));
        assert_eq!(key(|encoder| encoder.integer(i64::MIN)), key(|encoder| encoder.float(-(2f64.powi(63)))));
        assert!(key(|encoder| encoder.integer(big + 1)) < key(|encoder| encoder.float((big + 2) as f64)));
        assert!(key(|encoder| encoder.integer(-big - 1)) > key(|encoder| encoder.float((-big - 2) as f64)));
    }

    #[test]
    fn texts_are_in_the_order_of_their_bytes_and_end_by_themselves() {
        let texts: [&[u8]; 7] = [b"", b"\0", b"\0a", b"a", b"a\0", b"ab", b"b"];
        let keys: Vec<_> = texts.iter().map(|text| key(|encoder| encoder.text(text))).collect();
        assert!(keys.is_sorted());
        for (index, one) in keys.iter().enumerate() {
            for (other, two) in keys.iter().enumerate() {
                assert!(index == other || !two.starts_with(one));
            }
        }
    }

    #[test]
    fn inverted_texts_are_in_reverse() {
        let texts: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0", b"ab", b"b"];
        let keys: Vec<_> = texts
            .iter()
            .rev()
            .map(|text| {
                key(|encoder| {
                    encoder.text(text);
                    encoder.invert_from(0);
                })
            })
            .collect();
        assert!(keys.is_sorted());
    }

    #[test]
    fn what_comes_after_a_prefix() {
        assert_eq!(after(&[1, 2]), [1, 3]);
        assert_eq!(after(&[1, 255, 255]), [2]);
        assert_eq!(after(&[255]), [] as [u8; 0]);
    }

    #[test]
    fn a_key_is_small() {
        assert_eq!(size_of::<Key>(), 24);
        let long = vec![7; 100];
        assert_eq!(Key::new(&long).bytes(), long);
        assert_eq!(Key::new(&long[..INLINE]).bytes(), &long[..INLINE]);
    }
}
