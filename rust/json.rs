//! JSON text, byte for byte as pydantic writes it. Plain Rust: knows no Python.
//!
//! Short integers and floats by a way of their own, all others by `itoa` and `zmij` (the shortest text that reads back
//! as the same number), dates and durations in ISO 8601. The functions called `put_...` write at a place for whose room
//! their caller answers, and give the place behind what they have written.

use crate::short;

/// For every byte: 0 where it stands for itself inside a JSON string, else the letter of its escape
/// (`u` for the six-character form).
static ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Whether one of sixteen bytes needs an escape.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn any_escape(bytes: [u64; 2]) -> bool {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    // SAFETY: the instructions belong to the least that a processor of this kind has.
    unsafe {
        let bytes = _mm_set_epi64x(bytes[1] as i64, bytes[0] as i64);
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))) != 0
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn any_escape(bytes: [u64; 2]) -> bool {
    escapes(bytes[0]) | escapes(bytes[1]) != 0
}

/// Not 0 where one of eight bytes needs an escape; now and then elsewhere too.
#[inline(always)]
fn escapes(word: u64) -> u64 {
    // A byte is flagged when it is below 0x20, or a quote, or a backslash: each test is the classic "has zero byte" on
    // the word xor the wanted byte.
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = word ^ (ONES * b'"' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = word ^ (ONES * b'\\' as u64);
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGH
}

/// The offset of the first byte at or after `from` that needs an escape, or the length; and whether all bytes before it
/// are ASCII.
#[inline]
pub fn next_escape(text: &[u8], from: usize) -> (usize, bool) {
    let mut at = from;
    let mut seen = 0;
    while let Some(chunk) = text.get(at..at + 8) {
        let word = u64::from_ne_bytes(chunk.try_into().unwrap_or([0; 8]));
        // A false flag only costs the slow loop below.
        if escapes(word) != 0 {
            break;
        }
        seen |= word;
        at += 8;
    }
    let mut high = 0;
    while at < text.len() && ESCAPE[text[at] as usize] == 0 {
        high |= text[at];
        at += 1;
    }
    (at, seen & HIGH == 0 && high < 0x80)
}

/// Appends `text` (UTF-8) as a JSON string with its quotes.
#[inline]
pub fn write_str(out: &mut Vec<u8>, text: &[u8]) {
    let (end, _) = next_escape(text, 0);
    if end == text.len() {
        let start = out.len();
        out.reserve(end + 2);
        // SAFETY: room for the text and two quotes has been reserved, and all of it is written.
        unsafe {
            let place = out.as_mut_ptr().add(start);
            *place = b'"';
            short::copy(text.as_ptr(), place.add(1), end);
            *place.add(end + 1) = b'"';
            out.set_len(start + end + 2);
        }
        return;
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut from = 0;
    loop {
        let (at, _) = next_escape(text, from);
        out.extend_from_slice(&text[from..at]);
        if at == text.len() {
            break;
        }
        let byte = text[at];
        match ESCAPE[byte as usize] {
            b'u' => {
                let digits = [HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        from = at + 1;
    }
    out.push(b'"');
}

/// Text that is written over and over: kept with room behind it, so that writing it takes a copy of fixed size.
#[derive(Debug)]
pub struct Piece {
    padded: [u8; Self::ROOM],
    length: usize,
    /// The whole text where it is too long for that.
    long: Vec<u8>,
}

impl Piece {
    const ROOM: usize = 32;

    pub fn new(text: Vec<u8>) -> Self {
        let mut padded = [0; Self::ROOM];
        let length = text.len();
        if length <= Self::ROOM {
            padded[..length].copy_from_slice(&text);
            return Self { padded, length, long: Vec::new() };
        }
        Self { padded, length, long: text }
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        if self.length <= Self::ROOM { &self.padded[..self.length] } else { &self.long }
    }

    /// How much room `put` wants.
    pub fn room(&self) -> usize {
        self.length.max(Self::ROOM)
    }

    /// Writes the text and gives the place behind it.
    ///
    /// # Safety
    /// There is room for `room()` bytes.
    #[inline(always)]
    pub unsafe fn put(&self, at: *mut u8) -> *mut u8 {
        // SAFETY: as promised by the caller; what is behind a short text does not count, and is overwritten.
        unsafe {
            if self.length <= Self::ROOM {
                at.cast::<[u8; Self::ROOM]>().write(self.padded);
            } else {
                std::ptr::copy_nonoverlapping(self.long.as_ptr(), at, self.length);
            }
            at.add(self.length)
        }
    }
}

/// Room for any number, as `put_i64` and `put_f64` want it.
pub const NUMBER_ROOM: usize = 32;

/// Eight decimal digits, the first in the lowest byte, each as a number. `value` is below 100,000,000.
#[inline(always)]
fn eight_digits(value: u32) -> u64 {
    // Split into halves again and again, all parts of a word at once: to four digits, to two, to one. A division by
    // 100 or by 10 is a multiplication by the nearest fraction, exact for numbers as small as these.
    let fours = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = (fours * 10_486) >> 20 & 0x7f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = (twos * 103) >> 10 & 0x000f_000f_000f_000f;
    tens | (twos - 10 * tens) << 8
}

/// Numbers below this one are written without a loop.
const SHORT: u32 = 100_000_000;

/// The two digits of every number below 100.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// Writes a number below `SHORT` and gives the place behind it.
///
/// # Safety
/// There is room for eight bytes.
#[inline(always)]
unsafe fn put_short(at: *mut u8, value: u32) -> *mut u8 {
    // Numbers beside each other often have as many digits: a processor that guesses so goes on at the next place
    // without waiting for these.
    // SAFETY: as promised by the caller.
    unsafe {
        let pair = |number: u32| *PAIRS.get_unchecked(number as usize);
        if value < 10 {
            *at = b'0' + value as u8;
            return at.add(1);
        }
        if value < 100 {
            at.cast::<[u8; 2]>().write(pair(value));
            return at.add(2);
        }
        if value < 1000 {
            *at = b'0' + (value / 100) as u8;
            at.add(1).cast::<[u8; 2]>().write(pair(value % 100));
            return at.add(3);
        }
        if value < 10_000 {
            at.cast::<[u8; 2]>().write(pair(value / 100));
            at.add(2).cast::<[u8; 2]>().write(pair(value % 100));
            return at.add(4);
        }
        let digits = eight_digits(value);
        let zeros = (digits.trailing_zeros() / 8) as usize;
        let text = (digits | (ONES * u64::from(b'0'))) >> (zeros * 8);
        at.cast::<[u8; 8]>().write(text.to_le_bytes());
        at.add(8 - zeros)
    }
}

/// Writes a decimal point and behind it ten thousandths without the zeros at their end, but for the first, and gives
/// the place behind it.
///
/// # Safety
/// There is room for five bytes; `value` is below 10,000.
#[inline(always)]
unsafe fn put_decimals(at: *mut u8, value: u32) -> *mut u8 {
    // SAFETY: as promised by the caller.
    unsafe {
        let pair = |number: u32| *PAIRS.get_unchecked(number as usize);
        let (first, second) = (pair(value / 100), pair(value % 100));
        *at = b'.';
        at.add(1).cast::<[u8; 2]>().write(first);
        if value.is_multiple_of(100) {
            return at.add(2 + usize::from(first[1] != b'0'));
        }
        at.add(3).cast::<[u8; 2]>().write(second);
        at.add(4 + usize::from(second[1] != b'0'))
    }
}

/// Writes an integer and gives the place behind it.
///
/// # Safety
/// There is room for `NUMBER_ROOM` bytes.
#[inline(always)]
pub unsafe fn put_i64(at: *mut u8, value: i64) -> *mut u8 {
    // SAFETY: as promised by the caller; no integer has more than 20 characters.
    unsafe {
        let magnitude = value.unsigned_abs();
        if magnitude < u64::from(SHORT) {
            *at = b'-';
            return put_short(at.add(usize::from(value < 0)), magnitude as u32);
        }
        put_text(at, itoa::Buffer::new().format(value))
    }
}

/// Writes a float and gives the place behind it; NaN and the infinities become `null`.
///
/// # Safety
/// There is room for `NUMBER_ROOM` bytes.
#[inline(always)]
pub unsafe fn put_f64(at: *mut u8, value: f64) -> *mut u8 {
    let magnitude = value.abs();
    // SAFETY: as promised by the caller; the conversion is of a number in range. The longest text of a short number
    // is `-12345678.1234`.
    unsafe {
        if magnitude < f64::from(SHORT) {
            // Is it the float nearest to a number of four decimals? Then that number is its shortest text: decimal
            // numbers of up to 15 digits belong to a float of their own each.
            // Signed, as processors convert nothing else.
            let scaled: i64 = (magnitude * 1e4 + 0.5).to_int_unchecked();
            let whole: i64 = magnitude.to_int_unchecked();
            if scaled as f64 / 1e4 == magnitude {
                *at = b'-';
                let at = put_short(at.add(usize::from(value.is_sign_negative())), whole as u32);
                return put_decimals(at, (scaled - whole * 10_000) as u32);
            }
        }
        put_rare_f64(at, value)
    }
}

/// Writes `true` or `false` and gives the place behind it.
///
/// # Safety
/// There is room for eight bytes.
#[inline(always)]
pub unsafe fn put_bool(at: *mut u8, value: bool) -> *mut u8 {
    // SAFETY: as promised by the caller.
    unsafe {
        at.cast::<[u8; 8]>().write(if value { *b"true    " } else { *b"false   " });
        at.add(if value { 4 } else { 5 })
    }
}

/// # Safety
/// As for `put_f64`.
#[inline(never)]
unsafe fn put_rare_f64(at: *mut u8, value: f64) -> *mut u8 {
    // SAFETY: as promised by the caller; zmij's own buffer has 24 bytes.
    unsafe {
        if value.is_finite() { put_text(at, zmij::Buffer::new().format_finite(value)) } else { put_text(at, "null") }
    }
}

/// # Safety
/// There is room for the text.
#[inline(always)]
unsafe fn put_text(at: *mut u8, text: &str) -> *mut u8 {
    // SAFETY: as promised by the caller.
    unsafe {
        short::copy(text.as_ptr(), at, text.len());
        at.add(text.len())
    }
}

/// Writes `text` as a JSON string with its quotes and gives the place behind it; None where something in it needs an
/// escape, and then what is at the place has no meaning.
///
/// # Safety
/// `text` has `length` bytes to read, and there is memory to read in the eight bytes before its end. There is room for
/// `length + QUOTES_ROOM` bytes at the place.
#[inline(always)]
pub unsafe fn put_plain_str(at: *mut u8, text: *const u8, length: usize) -> Option<*mut u8> {
    // SAFETY: as promised by the caller; the words of a longer text overlap within it.
    unsafe {
        *at = b'"';
        let to = at.add(1);
        let word = |from: *const u8| u64::from_le_bytes(from.cast::<[u8; 8]>().read());
        let put = |to: *mut u8, word: u64| to.cast::<[u8; 8]>().write(word.to_le_bytes());
        if length < 8 {
            let word = word(text.add(length).wrapping_sub(8)).checked_shr(64 - 8 * length as u32).unwrap_or(0);
            // Spaces, which need no escape, stand in for what is no part of the text.
            if any_escape([word | (SPACES << (8 * length)), SPACES]) {
                return None;
            }
            put(to, word);
        } else {
            let mut done = 0;
            while done + 16 < length {
                let pair = [word(text.add(done)), word(text.add(done + 8))];
                if any_escape(pair) {
                    return None;
                }
                put(to.add(done), pair[0]);
                put(to.add(done + 8), pair[1]);
                done += 16;
            }
            // The last two words overlap what is done, or each other.
            let (last, before) = (length - 8, (length - 8).min(done));
            let pair = [word(text.add(before)), word(text.add(last))];
            if any_escape(pair) {
                return None;
            }
            put(to.add(before), pair[0]);
            put(to.add(last), pair[1]);
        }
        *to.add(length) = b'"';
        Some(to.add(length + 1))
    }
}

/// Room that `put_plain_str` wants beyond the text's own length.
pub const QUOTES_ROOM: usize = 10;

/// Lets `put` write at the end of the buffer.
///
/// # Safety
/// `put` writes no more than `room` bytes and gives the place behind what it has written.
#[inline(always)]
unsafe fn append(out: &mut Vec<u8>, room: usize, put: impl FnOnce(*mut u8) -> *mut u8) {
    out.reserve(room);
    let start = out.as_mut_ptr();
    // SAFETY: as promised by the caller.
    unsafe {
        let end = put(start.add(out.len()));
        out.set_len(end.offset_from_unsigned(start));
    }
}

/// Appends `text` as a JSON string with its quotes, unless something in it needs an escape; says whether it did.
///
/// # Safety
/// `text` has `length` bytes to read, and there is memory to read in the eight bytes before its end.
#[inline(always)]
pub unsafe fn write_plain_str(out: &mut Vec<u8>, text: *const u8, length: usize) -> bool {
    let mut is_plain = false;
    // SAFETY: as promised by the caller; the room is what the function wants.
    unsafe {
        append(out, length + QUOTES_ROOM, |at| {
            let end = put_plain_str(at, text, length);
            is_plain = end.is_some();
            end.unwrap_or(at)
        });
    }
    is_plain
}

/// Appends an integer.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    // SAFETY: the room is what the function wants.
    unsafe { append(out, NUMBER_ROOM, |at| put_i64(at, value)) };
}

/// Appends a float; NaN and the infinities become `null`.
#[inline]
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    // SAFETY: the room is what the function wants.
    unsafe { append(out, NUMBER_ROOM, |at| put_f64(at, value)) };
}

fn write_digits(out: &mut Vec<u8>, value: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let mut rest = value;
    for place in digits[..width].iter_mut().rev() {
        *place += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

/// Appends `YYYY-MM-DD`, without quotes.
pub fn write_date(out: &mut Vec<u8>, year: u32, month: u32, day: u32) {
    write_digits(out, year, 4);
    out.push(b'-');
    write_digits(out, month, 2);
    out.push(b'-');
    write_digits(out, day, 2);
}

/// Appends `HH:MM:SS` and, where there are any, six digits of microseconds, without quotes.
pub fn write_time(out: &mut Vec<u8>, hour: u32, minute: u32, second: u32, microsecond: u32) {
    write_digits(out, hour, 2);
    out.push(b':');
    write_digits(out, minute, 2);
    out.push(b':');
    write_digits(out, second, 2);
    if microsecond != 0 {
        out.push(b'.');
        write_digits(out, microsecond, 6);
    }
}

/// Appends a UTC offset given in minutes: `Z` for zero, else `+HH:MM`.
pub fn write_offset(out: &mut Vec<u8>, minutes: i32) {
    if minutes == 0 {
        out.push(b'Z');
        return;
    }
    out.push(if minutes < 0 { b'-' } else { b'+' });
    write_digits(out, minutes.unsigned_abs() / 60, 2);
    out.push(b':');
    write_digits(out, minutes.unsigned_abs() % 60, 2);
}

/// The canonical text of a UUID's 128 bits.
#[inline]
pub fn uuid_text(bits: u128) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[(byte >> 4) as usize];
        text[at + 1] = HEX[(byte & 15) as usize];
        at += 2;
    }
    text
}

/// Reads the canonical text of a UUID (36 characters, hyphens in place); None for every other spelling.
pub fn read_uuid(text: &[u8]) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut bits = 0u128;
    for (index, &byte) in text.iter().enumerate() {
        if matches!(index, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            bits = bits << 4 | (byte as char).to_digit(16)? as u128;
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII or the input's own UTF-8")
    }

    #[test]
    fn strings_are_escaped_wherever_the_special_byte_stands() {
        for special in (0..0x20).chain([b'"', b'\\']) {
            for before in 0..20 {
                let mut input = vec![b'x'; before];
                input.push(special);
                input.extend_from_slice("é\u{7f}y".as_bytes());
                let written = text(|out| write_str(out, &input));
                let inner = &written[1 + before..written.len() - 5];
                assert!(inner.starts_with('\\'), "{written}");
                assert!(written.ends_with("é\u{7f}y\""), "{written}");
            }
        }
        assert_eq!(text(|out| write_str(out, b"a\n\x00\"")), "\"a\\n\\u0000\\\"\"");
    }

    #[test]
    fn strings_and_pieces_of_every_length_are_written_whole() {
        let letters: String = ('a'..='z').cycle().take(80).collect();
        for length in 0..80 {
            let piece = Piece::new(letters.as_bytes()[..length].to_vec());
            let mut out = b"<".to_vec();
            write_str(&mut out, &letters.as_bytes()[..length]);
            // SAFETY: the room is what the function wants.
            unsafe { append(&mut out, piece.room(), |at| piece.put(at)) };
            assert_eq!(out, format!("<\"{0}\"{0}", &letters[..length]).as_bytes());
            assert_eq!(piece.bytes(), &letters.as_bytes()[..length]);
        }
    }

    /// What `put_plain_str` makes of a text that stands between other bytes.
    fn plain(text: &[u8]) -> Option<Vec<u8>> {
        let memory = [b"\"\"\"\"\"\"\"\"", text, b"\\\\"].concat();
        let mut out = vec![b'.'; text.len() + QUOTES_ROOM + 2];
        let start = out.as_mut_ptr();
        // SAFETY: eight bytes stand before the text, and the buffer has more than the room that is wanted.
        let end = unsafe { put_plain_str(start, memory.as_ptr().add(8), text.len())?.offset_from_unsigned(start) };
        assert_eq!(&out[out.len() - 2..], b"..", "it stays within its room");
        out.truncate(end);
        Some(out)
    }

    #[test]
    fn plain_strings_are_those_that_need_no_escape_wherever_it_would_stand() {
        for length in 0..40 {
            let letters: Vec<u8> = (b'a'..=b'z').cycle().take(length).collect();
            let mut expected = Vec::new();
            write_str(&mut expected, &letters);
            assert_eq!(plain(&letters), Some(expected));
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = letters.clone();
                    text[at] = byte;
                    let mut expected = Vec::new();
                    write_str(&mut expected, &text);
                    match plain(&text) {
                        Some(written) => assert_eq!(written, expected),
                        None => assert!(expected.len() > length + 2, "byte {byte} at {at} of {length} needs no escape"),
                    }
                }
            }
        }
    }

    #[test]
    fn floats_are_the_shortest_that_read_back() {
        for (value, expected) in [(1.0, "1.0"), (0.1, "0.1"), (-0.0, "-0.0"), (1e16, "1e+16"), (1e-5, "0.00001")] {
            assert_eq!(text(|out| write_f64(out, value)), expected);
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(text(|out| write_f64(out, value)), "null");
        }
    }

    /// Numbers of all sizes, the same in every run.
    fn numbers() -> impl Iterator<Item = u64> {
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        std::iter::repeat_with(move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed >> (seed % 64)
        })
    }

    #[test]
    fn floats_of_few_decimals_are_written_as_those_of_many() {
        let check = |value: f64| {
            for value in [value, -value] {
                let expected = zmij::Buffer::new().format_finite(value).to_owned();
                assert_eq!(text(|out| write_f64(out, value)), expected);
                assert_eq!(expected.parse(), Ok(value));
            }
        };
        for number in numbers().take(20_000) {
            for decimals in [1.0, 2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6] {
                let value = number as f64 / decimals;
                check(value);
                check(value.next_up());
                check(value.next_down().max(0.0));
            }
            let any = f64::from_bits(number);
            if any.is_finite() {
                check(any);
            }
        }
        for edge in [99_999_999.999_9, 99_999_999.999_95, 1e8, 1e8 - 0.5, 0.000_1, 0.000_05, 5e-324, f64::MAX] {
            check(edge);
        }
    }

    #[test]
    fn integers_are_written_as_rust_writes_them() {
        let check = |value: i64| assert_eq!(text(|out| write_i64(out, value)), value.to_string());
        (0..200_000).for_each(check);
        for number in numbers().take(300_000) {
            check(number as i64);
            check((number as i64).wrapping_neg());
            check((number % 200_000_000) as i64);
        }
        [i64::MIN, i64::MAX, 99_999_999, 100_000_000, -99_999_999, -100_000_000].into_iter().for_each(check);
    }

    #[test]
    fn times_show_microseconds_only_where_there_are_any() {
        assert_eq!(text(|out| write_time(out, 1, 2, 3, 0)), "01:02:03");
        assert_eq!(text(|out| write_time(out, 1, 2, 3, 40)), "01:02:03.000040");
        assert_eq!(text(|out| write_offset(out, -210)), "-03:30");
        assert_eq!(text(|out| write_date(out, 5, 1, 2)), "0005-01-02");
    }

    #[test]
    fn uuids_round_trip_and_other_spellings_are_refused() {
        let bits = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        let written = String::from_utf8(uuid_text(bits).to_vec()).expect("ASCII");
        assert_eq!(written, "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(read_uuid(written.as_bytes()), Some(bits));
        assert_eq!(read_uuid(b"0123456789abcdef0123456789abcdef"), None);
        assert_eq!(read_uuid(b"01234567-89ab-cdef-0123-456789abcdeg"), None);
        assert_eq!(read_uuid(b"+1234567-89ab-cdef-0123-456789abcdef"), None);
    }
}
