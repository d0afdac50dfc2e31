//! JSON text, byte for byte as pydantic writes it. Plain Rust: knows no Python.
//!
//! Integers by `itoa`, floats by `zmij` (the shortest text that reads back as the same number), dates and
//! durations in ISO 8601.

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
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The offset of the first byte at or after `from` that needs an escape, or the length; and whether all bytes before it
/// are ASCII.
#[inline]
pub fn next_escape(text: &[u8], from: usize) -> (usize, bool) {
    let mut at = from;
    let mut seen = 0;
    while let Some(chunk) = text.get(at..at + 8) {
        let word = u64::from_ne_bytes(chunk.try_into().unwrap_or([0; 8]));
        // A byte is flagged when it is below 0x20, or a quote, or a backslash (each test is the classic
        // "has zero byte" on the word xor the wanted byte). A false flag only costs the slow loop below.
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = word ^ (ONES * b'"' as u64);
        let quote = quote.wrapping_sub(ONES) & !quote;
        let backslash = word ^ (ONES * b'\\' as u64);
        let backslash = backslash.wrapping_sub(ONES) & !backslash;
        if (control | quote | backslash) & HIGH != 0 {
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
            copy_short(text.as_ptr(), place.add(1), end);
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
    padded: Vec<u8>,
    length: usize,
}

impl Piece {
    const ROOM: usize = 32;

    pub fn new(mut text: Vec<u8>) -> Self {
        let length = text.len();
        text.resize(length.max(Self::ROOM), 0);
        Self { padded: text, length }
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        &self.padded[..self.length]
    }

    #[inline(always)]
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.length > Self::ROOM {
            out.extend_from_slice(self.bytes());
            return;
        }
        out.reserve(Self::ROOM);
        // SAFETY: there are ROOM bytes on either side; those behind the text are not counted, and overwritten.
        unsafe {
            let place = out.as_mut_ptr().add(out.len());
            std::ptr::copy_nonoverlapping(self.padded.as_ptr(), place, Self::ROOM);
            out.set_len(out.len() + self.length);
        }
    }
}

/// Copies a few bytes without the call that a copy of unknown size costs.
///
/// # Safety
/// `from` has `length` bytes to read and `to` has room for them, elsewhere.
#[inline(always)]
unsafe fn copy_short(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the two halves overlap within the length.
    unsafe {
        match length {
            8..=16 => {
                let (head, tail) = (from.cast::<u64>(), from.add(length - 8).cast::<u64>());
                to.cast::<u64>().write_unaligned(head.read_unaligned());
                to.add(length - 8).cast::<u64>().write_unaligned(tail.read_unaligned());
            }
            4..8 => {
                let (head, tail) = (from.cast::<u32>(), from.add(length - 4).cast::<u32>());
                to.cast::<u32>().write_unaligned(head.read_unaligned());
                to.add(length - 4).cast::<u32>().write_unaligned(tail.read_unaligned());
            }
            0..4 => {
                for at in 0..length {
                    *to.add(at) = *from.add(at);
                }
            }
            _ => std::ptr::copy_nonoverlapping(from, to, length),
        }
    }
}

/// Appends a few bytes.
#[inline(always)]
fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    // SAFETY: room for the bytes has been reserved.
    unsafe {
        copy_short(bytes.as_ptr(), out.as_mut_ptr().add(out.len()), bytes.len());
        out.set_len(out.len() + bytes.len());
    }
}

/// Appends an integer.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    append(out, itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a float; NaN and the infinities become `null`.
#[inline]
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        append(out, zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
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
            let mut out = b"<".to_vec();
            write_str(&mut out, &letters.as_bytes()[..length]);
            Piece::new(letters.as_bytes()[..length].to_vec()).write(&mut out);
            assert_eq!(out, format!("<\"{0}\"{0}", &letters[..length]).as_bytes());
        }
    }

    #[test]
    fn floats_are_the_shortest_that_read_back() {
        for (value, expected) in [(1.0, "1.0"), (0.1, "0.1"), (-0.0, "-0.0"), (1e16, "1e+16"), (1e-5, "0.00001")] {
            assert_eq!(text(|out| write_f64(out, value)), expected);
        }
        assert_eq!(text(|out| write_f64(out, f64::NAN)), "null");
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
