//! A reader of JSON text for the commonest spellings. Plain Rust: knows no Python.
//!
//! It reads a part of JSON exactly as jiter, pydantic's parser, does, in a third of the time; whatever is beyond that
//! part (`Beyond`: a syntax error, an integer of 19 digits, NaN) is somebody else's to read or to report. Strings with
//! escapes are jiter's.

use std::borrow::Cow;

use jiter::Jiter;

use crate::json::next_escape;

/// The text is not what this reader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond;

type Read<T> = Result<T, Beyond>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

/// Powers of ten that a float holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A string's text.
#[derive(Debug, PartialEq, Eq)]
pub enum Text<'text> {
    Ascii(&'text str),
    Other(Cow<'text, str>),
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    #[inline(always)]
    fn deref(&self) -> &str {
        match self {
            Self::Ascii(text) => text,
            Self::Other(text) => text,
        }
    }
}

#[derive(Debug)]
pub struct Reader<'text> {
    text: &'text [u8],
    at: usize,
}

impl<'text> Reader<'text> {
    pub fn new(text: &'text [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of what comes next, after any white space.
    #[inline]
    pub fn peek(&mut self) -> Read<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Beyond),
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.peek()? != byte {
            return Err(Beyond);
        }
        self.at += 1;
        Ok(())
    }

    /// `true`, `false` or `null`.
    #[inline]
    pub fn word(&mut self, word: &[u8]) -> Read<()> {
        self.peek()?;
        if !self.text[self.at..].starts_with(word) {
            return Err(Beyond);
        }
        self.at += word.len();
        Ok(())
    }

    /// Whether nothing but white space is left.
    pub fn finish(&mut self) -> Read<()> {
        match self.peek() {
            Ok(_) => Err(Beyond),
            Err(Beyond) => Ok(()),
        }
    }

    /// Enters an array (`[`) or an object (`{`).
    #[inline]
    pub fn enter(&mut self, opening: u8) -> Read<()> {
        self.expect(opening)
    }

    /// Whether another item follows; consumes the comma before it, or the closing bracket.
    #[inline]
    pub fn another(&mut self, first: bool, closing: u8) -> Read<bool> {
        let byte = self.peek()?;
        if byte == closing {
            self.at += 1;
            return Ok(false);
        }
        if first {
            return Ok(true);
        }
        if byte != b',' {
            return Err(Beyond);
        }
        self.at += 1;
        // A comma before the closing bracket is no JSON.
        if self.peek()? == closing { Err(Beyond) } else { Ok(true) }
    }

    /// Consumes exactly these bytes if they come next: a guess at the next key.
    #[inline]
    pub fn guess(&mut self, bytes: &[u8]) -> bool {
        let rest = &self.text[self.at..];
        if rest.len() < bytes.len() {
            return false;
        }
        // Keys are short: a call to compare them would take longer than comparing.
        let mut chunks = bytes.chunks_exact(8);
        let mut at = 0;
        for chunk in &mut chunks {
            if rest[at..at + 8] != *chunk {
                return false;
            }
            at += 8;
        }
        if chunks.remainder().iter().zip(&rest[at..]).any(|(left, right)| left != right) {
            return false;
        }
        self.at += bytes.len();
        true
    }

    /// A key with its colon.
    #[inline]
    pub fn key(&mut self) -> Read<Text<'text>> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    #[inline]
    pub fn string(&mut self) -> Read<Text<'text>> {
        self.expect(b'"')?;
        let start = self.at;
        let (end, ascii) = next_escape(self.text, start);
        match self.text.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                let bytes = &self.text[start..end];
                if ascii {
                    // SAFETY: ASCII is UTF-8.
                    return Ok(Text::Ascii(unsafe { std::str::from_utf8_unchecked(bytes) }));
                }
                std::str::from_utf8(bytes).map(|text| Text::Other(Cow::Borrowed(text))).map_err(|_| Beyond)
            }
            Some(b'\\') => {
                let mut rest = Jiter::new(&self.text[start - 1..]);
                let text = rest.next_str().map_err(|_| Beyond)?.to_owned();
                self.at = start - 1 + rest.current_index();
                Ok(Text::Other(Cow::Owned(text)))
            }
            _ => Err(Beyond),
        }
    }

    fn digits(&mut self) -> &'text [u8] {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    #[inline]
    pub fn number(&mut self) -> Read<Number> {
        self.peek()?;
        let start = self.at;
        let negative = self.text[start] == b'-';
        self.at += usize::from(negative);
        let whole = self.digits();
        // More digits may not fit in 64 bits.
        if whole.is_empty() || whole.len() > 18 || (whole.len() > 1 && whole[0] == b'0') {
            return Err(Beyond);
        }
        let value = |digits: &[u8]| digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let mut mantissa = value(whole);
        if !matches!(self.text.get(self.at), Some(b'.' | b'e' | b'E')) {
            let number = mantissa as i64;
            return Ok(Number::Int(if negative { -number } else { number }));
        }
        let mut fraction: &[u8] = &[];
        if self.text[self.at] == b'.' {
            self.at += 1;
            fraction = self.digits();
            if fraction.is_empty() {
                return Err(Beyond);
            }
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if self.digits().is_empty() {
                return Err(Beyond);
            }
        } else if whole.len() + fraction.len() <= 15 {
            // Two numbers that floats hold exactly: their quotient is rounded once, so it is the nearest float
            // (W. D. Clinger, "How to read floating point numbers accurately", 1990).
            mantissa = fraction.iter().fold(mantissa, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            let number = mantissa as f64 / EXACT_POWERS[fraction.len()];
            return Ok(Number::Float(if negative { -number } else { number }));
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| Beyond)?;
        let number: f64 = text.parse().map_err(|_| Beyond)?;
        // What overflows is infinite to some and an error to others.
        if number.is_finite() { Ok(Number::Float(number)) } else { Err(Beyond) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiter::JsonValue;

    #[derive(Debug, PartialEq)]
    enum Value {
        Null,
        Bool(bool),
        Int(i64),
        Float(u64),
        Text(String),
        Array(Vec<Value>),
        Object(Vec<(String, Value)>),
    }

    fn ours(reader: &mut Reader<'_>) -> Read<Value> {
        Ok(match reader.peek()? {
            b'n' => reader.word(b"null").map(|()| Value::Null)?,
            b't' => reader.word(b"true").map(|()| Value::Bool(true))?,
            b'f' => reader.word(b"false").map(|()| Value::Bool(false))?,
            b'"' => Value::Text(reader.string()?.to_owned()),
            b'[' => {
                let mut items = Vec::new();
                reader.enter(b'[')?;
                while reader.another(items.is_empty(), b']')? {
                    items.push(ours(reader)?);
                }
                Value::Array(items)
            }
            b'{' => {
                let mut items = Vec::new();
                reader.enter(b'{')?;
                while reader.another(items.is_empty(), b'}')? {
                    items.push((reader.key()?.to_owned(), ours(reader)?));
                }
                Value::Object(items)
            }
            _ => match reader.number()? {
                Number::Int(number) => Value::Int(number),
                Number::Float(number) => Value::Float(number.to_bits()),
            },
        })
    }

    fn theirs(value: &JsonValue<'_>) -> Value {
        match value {
            JsonValue::Null => Value::Null,
            JsonValue::Bool(value) => Value::Bool(*value),
            JsonValue::Int(value) => Value::Int(*value),
            JsonValue::Float(value) => Value::Float(value.to_bits()),
            JsonValue::Str(text) => Value::Text(text.to_string()),
            JsonValue::Array(items) => Value::Array(items.iter().map(theirs).collect()),
            JsonValue::Object(items) => {
                Value::Object(items.iter().map(|(key, value)| (key.to_string(), theirs(value))).collect())
            }
        }
    }

    /// Ours may refuse what jiter reads, never read what jiter refuses, and never read it differently.
    fn compare(text: &[u8]) -> bool {
        let mut reader = Reader::new(text);
        let Ok(value) = ours(&mut reader).and_then(|value| reader.finish().map(|()| value)) else { return false };
        let parsed = JsonValue::parse(text, false);
        let shown = String::from_utf8_lossy(text).into_owned();
        assert_eq!(value, theirs(&parsed.unwrap_or_else(|error| panic!("{shown}: {error}"))), "{shown}");
        true
    }

    #[test]
    fn common_text_is_read_as_jiter_reads_it() {
        for text in [
            r#"{"a": 1, "b": [true, false, null], "c": {"d": -0.5}}"#,
            r#" [ "x" , "\u00e9\n\"", "é", "" ] "#,
            "0",
            "-0",
            "-0.0",
            "1e5",
            "1E-5",
            "1.5e+300",
            "123456789012345678",
            "0.1",
            "100.0",
            "3.141592653589793",
            "9007199254740993.0",
            "0.000000000000000000001",
            "[]",
            "{}",
            "[[[]]]",
        ] {
            assert!(compare(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in [
            "",
            " ",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "1e+",
            "tru",
            "nul",
            "NaN",
            "Infinity",
            "-Infinity",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "[1 2]",
            "\"a",
            "\"\u{1}\"",
            "\"\\x\"",
            "1 2",
            "1e999",
            "1234567890123456789",
            "[1",
            "{\"a\":1",
        ] {
            assert!(!compare(text.as_bytes()), "{text}");
        }
        assert!(!compare(b"\"\xff\""));
    }

    /// Mutations of valid text, from a fixed seed.
    #[test]
    fn damaged_text_is_never_read_differently() {
        let seed_text: &[u8] =
            br#"{"name": "a\u00e9b", "n": -12.50e3, "list": [1, 2.25, null, true, "x\ty"], "o": {"k": 0}}"#;
        let alphabet = b"{}[]\",:0123456789.eE+-\\u ntrufalsx\xc3\xa9\x01";
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut read = 0;
        for _ in 0..200_000 {
            let mut text = seed_text.to_vec();
            for _ in 0..=random(3) {
                let at = random(text.len());
                match random(3) {
                    0 => text[at] = alphabet[random(alphabet.len())],
                    1 => text.insert(at, alphabet[random(alphabet.len())]),
                    _ => drop(text.remove(at)),
                }
            }
            read += usize::from(compare(&text));
        }
        assert!(read > 10_000, "only {read} of the damaged texts were still readable");
    }
}
