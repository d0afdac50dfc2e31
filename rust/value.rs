//! Python values as index keys: see `index::key` for the order that they give.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{ffi, intern};

use crate::check::{self, small_int};
use crate::index::key::{Encoder, rank};
use crate::runtime::{Fail, Lane, Object, Runtime, View, raise};

/// Whether calls into Python are allowed: not while a lock is held, nor objects made (the collector might run).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    Forbidden,
    Allowed,
}

const MICROSECONDS_OF_A_DAY: i64 = 86_400_000_000;

/// Floats up to this one count every integer.
const EXACT_FLOAT: u64 = 1 << 53;

/// Sequences nested deeper than this have no order.
const DEPTH: usize = 16;

/// Appends the key of `value`. Slow when Python must be asked and may not be; nothing is left behind then.
pub fn encode(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    let start = encoder.len();
    encode_at(value, encoder, calls, 0).inspect_err(|_| encoder.truncate(start))
}

/// Whether a key stands for a value without an order.
pub fn is_opaque(key: &[u8]) -> bool {
    key.first() == Some(&rank::OPAQUE)
}

#[inline]
fn encode_at(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls, depth: usize) -> Lane<()> {
    if check::is_str(value) {
        text(value, encoder);
    } else if check::is_float(value) {
        // SAFETY: an exact float.
        encoder.float(unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) });
    } else if check::is_int(value) {
        return integer(value, encoder, calls);
    } else if value.is_none() {
        encoder.null();
    } else if check::is_bool(value) {
        encoder.integer(i64::from(value.is(&*pyo3::types::PyBool::new(value.py(), true))));
    } else {
        return rare(value, encoder, calls, depth);
    }
    Ok(())
}

fn rare(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls, depth: usize) -> Lane<()> {
    let py = value.py();
    if check::is_datetime(value) {
        return datetime(value, encoder, calls);
    }
    if check::is_date(value) {
        encoder.count(rank::DATE, days(value));
        return Ok(());
    }
    if check::is_bytes(value) {
        return binary(value, encoder);
    }
    if check::is_uuid(py, value) {
        return uuid(value, encoder, calls);
    }
    if check::is_timedelta(value) {
        duration(value, encoder);
        return Ok(());
    }
    if check::is_time(value) {
        return time(value, encoder, calls);
    }
    if check::is_decimal(py, value) {
        return decimal(value, encoder, calls);
    }
    if check::is_tuple(value) || check::is_list(value) {
        if depth == DEPTH {
            encoder.opaque();
            return Ok(());
        }
        return sequence(value, encoder, calls, depth);
    }
    // What follows looks at attributes of types that users may have made.
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    let runtime = Runtime::get(py);
    let of = |class: &Py<PyAny>| value.is_instance(class.bind(py)).map_err(|error| raise(py, error));
    if of(&runtime.enumeration)? {
        let inner = value.getattr(intern!(py, "_value_")).map_err(|error| raise(py, error))?;
        return encode_at(inner.as_borrowed(), encoder, calls, depth + 1);
    }
    // SAFETY: flag checks on live objects.
    unsafe {
        let object = value.as_ptr();
        if ffi::PyUnicode_Check(object) != 0 {
            text(value, encoder);
        } else if ffi::PyLong_Check(object) != 0 {
            return integer(value, encoder, calls);
        } else if ffi::PyFloat_Check(object) != 0 {
            encoder.float(ffi::PyFloat_AS_DOUBLE(object));
        } else if ffi::PyBytes_Check(object) != 0 {
            return binary(value, encoder);
        } else if ffi::PyDateTime_Check(object) != 0 {
            return datetime(value, encoder, calls);
        } else if ffi::PyDate_Check(object) != 0 {
            encoder.count(rank::DATE, days(value));
        } else if ffi::PyTime_Check(object) != 0 {
            return time(value, encoder, calls);
        } else if ffi::PyDelta_Check(object) != 0 {
            duration(value, encoder);
        } else if of(&runtime.decimal.clone_ref(py).into_any())? {
            return decimal(value, encoder, calls);
        } else if of(&runtime.uuid.clone_ref(py).into_any())? {
            return uuid(value, encoder, calls);
        } else {
            encoder.opaque();
        }
    }
    Ok(())
}

/// Calls `use_utf8` with the text of a str; lone surrogates are written as UTF-8 would write them.
pub fn with_utf8<T>(value: View<'_, '_>, use_utf8: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: a live str, whose characters are read within its length; none of these calls runs Python code.
    unsafe {
        let object = value.as_ptr();
        let length = ffi::PyUnicode_GET_LENGTH(object) as usize;
        let data = ffi::PyUnicode_DATA(object);
        let kind = ffi::PyUnicode_KIND(object);
        if kind == ffi::PyUnicode_1BYTE_KIND {
            let characters = std::slice::from_raw_parts(data.cast::<u8>(), length);
            if characters.is_ascii() {
                return use_utf8(characters);
            }
        }
        let mut bytes = Vec::with_capacity(length * 2);
        for index in 0..length {
            let code = match kind {
                ffi::PyUnicode_1BYTE_KIND => u32::from(*data.cast::<u8>().add(index)),
                ffi::PyUnicode_2BYTE_KIND => u32::from(*data.cast::<u16>().add(index)),
                _ => *data.cast::<u32>().add(index),
            };
            push_code(&mut bytes, code);
        }
        use_utf8(&bytes)
    }
}

fn push_code(bytes: &mut Vec<u8>, code: u32) {
    let low = |shift: u32| (code >> shift & 0x3F | 0x80) as u8;
    match code {
        0..0x80 => bytes.push(code as u8),
        0x80..0x800 => bytes.extend([(code >> 6 | 0xC0) as u8, low(0)]),
        0x800..0x1_0000 => bytes.extend([(code >> 12 | 0xE0) as u8, low(6), low(0)]),
        _ => bytes.extend([(code >> 18 | 0xF0) as u8, low(12), low(6), low(0)]),
    }
}

fn text(value: View<'_, '_>, encoder: &mut Encoder) {
    with_utf8(value, |utf8| encoder.text(utf8));
}

fn binary(value: View<'_, '_>, encoder: &mut Encoder) -> Lane<()> {
    // SAFETY: a live bytes object.
    unsafe {
        let data = ffi::PyBytes_AS_STRING(value.as_ptr()).cast::<u8>();
        encoder.binary(std::slice::from_raw_parts(data, ffi::PyBytes_Size(value.as_ptr()) as usize));
    }
    Ok(())
}

fn integer(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    if let Some(number) = small_int(value) {
        encoder.integer(number);
        return Ok(());
    }
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    let py = value.py();
    // A subclass of int may have conversions of its own.
    // SAFETY: int's own method; a new reference or null.
    let plain: Object<'_> = unsafe { crate::runtime::owned(py, ffi::PyNumber_Index(value.as_ptr()))? };
    let exact = Runtime::get(py).decimal.bind(py).call1((plain,)).map_err(|error| raise(py, error))?;
    decimal(exact.as_borrowed(), encoder, calls)
}

fn decimal(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    let py = value.py();
    number_of_decimal(&value, encoder).map_err(|error| raise(py, error))
}

fn number_of_decimal(value: &Bound<'_, PyAny>, encoder: &mut Encoder) -> PyResult<()> {
    let py = value.py();
    if value.call_method0(intern!(py, "is_nan"))?.is_truthy()? {
        encoder.float(f64::NAN);
        return Ok(());
    }
    let infinite = value.call_method0(intern!(py, "is_infinite"))?.is_truthy()?;
    let negative = value.call_method0(intern!(py, "is_signed"))?.is_truthy()?;
    let (_, digits, exponent): (Object<'_>, Bound<'_, PyTuple>, Object<'_>) =
        value.call_method0(intern!(py, "as_tuple"))?.extract()?;
    if infinite {
        encoder.float(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
        return Ok(());
    }
    let digits: Vec<u8> =
        digits.iter().map(|digit| digit.extract::<u8>().map(|digit| b'0' + digit)).collect::<PyResult<_>>()?;
    let leading = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    let digits = &digits[leading..];
    if digits.is_empty() {
        encoder.float(0.0);
        return Ok(());
    }
    let exponent: i64 = exponent.extract()?;
    let scale = exponent + digits.len() as i64;
    // Beyond what a float can hold, the greatest float below it says which side it is on.
    let nearest = if scale > 400 {
        if negative { f64::NEG_INFINITY } else { f64::MAX }
    } else if scale < -400 {
        if negative { -f64::from_bits(1) } else { 0.0 }
    } else {
        let nearest: f64 = value.as_any().call_method0(intern!(py, "__float__"))?.extract()?;
        let rounded = Runtime::get(py).decimal.bind(py).call1((nearest,))?;
        let equal = if nearest.is_infinite() { false } else { value.eq(&rounded)? };
        if equal {
            encoder.float(nearest);
            return Ok(());
        }
        if nearest.is_infinite() || value.lt(&rounded)? { below(nearest) } else { nearest }
    };
    encoder.exact(nearest, negative, scale as i32, digits);
    Ok(())
}

/// The greatest float below `value`; minus infinity is as low as it gets.
fn below(value: f64) -> f64 {
    if value == f64::NEG_INFINITY {
        return value;
    }
    if value == 0.0 {
        return -f64::from_bits(1);
    }
    let bits = value.to_bits();
    f64::from_bits(if value > 0.0 { bits - 1 } else { bits + 1 })
}

fn uuid(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    let py = value.py();
    let number = value.getattr(intern!(py, "int")).and_then(|number| number.extract::<u128>());
    encoder.uuid(number.map_err(|error| raise(py, error))?.to_be_bytes());
    Ok(())
}

/// Days since 0001-01-01 of a date or a datetime, in the proleptic Gregorian calendar.
fn days(value: View<'_, '_>) -> i64 {
    // SAFETY: a live date.
    let (year, month, day) = unsafe {
        let object = value.as_ptr();
        (
            i64::from(ffi::PyDateTime_GET_YEAR(object)),
            i64::from(ffi::PyDateTime_GET_MONTH(object)),
            i64::from(ffi::PyDateTime_GET_DAY(object)),
        )
    };
    // Years that begin in March have their leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year
}

fn microseconds(hour: i32, minute: i32, second: i32, microsecond: i32) -> i64 {
    ((i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second)) * 1_000_000 + i64::from(microsecond)
}

/// The offset from UTC in microseconds that a datetime or a time has; None where it is naive.
fn offset(value: View<'_, '_>, zone: View<'_, '_>, calls: Calls) -> Lane<Option<i64>> {
    let py = value.py();
    if zone.is_none() {
        return Ok(None);
    }
    if zone.is(Runtime::get(py).utc.bind(py)) {
        return Ok(Some(0));
    }
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    let offset = value.call_method0(intern!(py, "utcoffset")).map_err(|error| raise(py, error))?;
    if offset.is_none() {
        return Ok(None);
    }
    let offset = offset.as_borrowed();
    if !check::is_timedelta(offset) {
        return Ok(None);
    }
    Ok(Some(duration_of(offset)))
}

fn datetime(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    // SAFETY: a live datetime; the zone is borrowed from it.
    let (zone, time) = unsafe {
        let object = value.as_ptr();
        let time = microseconds(
            ffi::PyDateTime_DATE_GET_HOUR(object),
            ffi::PyDateTime_DATE_GET_MINUTE(object),
            ffi::PyDateTime_DATE_GET_SECOND(object),
            ffi::PyDateTime_DATE_GET_MICROSECOND(object),
        );
        (Bound::from_borrowed_ptr(value.py(), ffi::PyDateTime_DATE_GET_TZINFO(object)), time)
    };
    let moment = days(value) * MICROSECONDS_OF_A_DAY + time;
    match offset(value, zone.as_borrowed(), calls)? {
        None => encoder.count(rank::DATETIME, moment),
        Some(offset) => encoder.count(rank::AWARE_DATETIME, moment - offset),
    }
    Ok(())
}

fn time(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    // SAFETY: a live time; the zone is borrowed from it.
    let (zone, time) = unsafe {
        let object = value.as_ptr();
        let time = microseconds(
            ffi::PyDateTime_TIME_GET_HOUR(object),
            ffi::PyDateTime_TIME_GET_MINUTE(object),
            ffi::PyDateTime_TIME_GET_SECOND(object),
            ffi::PyDateTime_TIME_GET_MICROSECOND(object),
        );
        (Bound::from_borrowed_ptr(value.py(), ffi::PyDateTime_TIME_GET_TZINFO(object)), time)
    };
    match offset(value, zone.as_borrowed(), calls)? {
        None => encoder.count(rank::TIME, time),
        Some(offset) => encoder.count(rank::AWARE_TIME, time - offset),
    }
    Ok(())
}

fn duration(value: View<'_, '_>, encoder: &mut Encoder) {
    // The longest durations have more microseconds than 64 bits count: days and the rest follow one another.
    // SAFETY: a live timedelta.
    let (days, rest) = unsafe {
        let object = value.as_ptr();
        let seconds = i64::from(ffi::PyDateTime_DELTA_GET_SECONDS(object));
        (
            i64::from(ffi::PyDateTime_DELTA_GET_DAYS(object)),
            seconds * 1_000_000 + i64::from(ffi::PyDateTime_DELTA_GET_MICROSECONDS(object)),
        )
    };
    encoder.count(rank::DURATION, days);
    encoder.count(rank::DURATION, rest);
}

/// The microseconds of a short timedelta.
fn duration_of(value: View<'_, '_>) -> i64 {
    // SAFETY: a live timedelta.
    unsafe {
        let object = value.as_ptr();
        let seconds = i64::from(ffi::PyDateTime_DELTA_GET_DAYS(object)) * 86_400
            + i64::from(ffi::PyDateTime_DELTA_GET_SECONDS(object));
        seconds * 1_000_000 + i64::from(ffi::PyDateTime_DELTA_GET_MICROSECONDS(object))
    }
}

fn sequence(value: View<'_, '_>, encoder: &mut Encoder, calls: Calls, depth: usize) -> Lane<()> {
    let start = encoder.len();
    encoder.begin_sequence();
    let is_tuple = check::is_tuple(value);
    let mut index = 0;
    loop {
        // SAFETY: the size is read anew each time, as a list may change while an item is looked at.
        let item = unsafe {
            let object = value.as_ptr();
            let (size, item) = if is_tuple {
                let size = ffi::PyTuple_GET_SIZE(object);
                (size, if index < size { ffi::PyTuple_GET_ITEM(object, index) } else { std::ptr::null_mut() })
            } else {
                let size = ffi::PyList_GET_SIZE(object);
                (size, if index < size { ffi::PyList_GET_ITEM(object, index) } else { std::ptr::null_mut() })
            };
            if index >= size {
                break;
            }
            Bound::from_borrowed_ptr(value.py(), item)
        };
        encoder.item();
        let before = encoder.len();
        encode_at(item.as_borrowed(), encoder, calls, depth + 1)?;
        if is_opaque(&encoder.bytes()[before..]) {
            // A sequence with something in it that has no order has none.
            encoder.truncate(start);
            encoder.opaque();
            return Ok(());
        }
        index += 1;
    }
    encoder.end_sequence();
    Ok(())
}

/// An exact int that fits in a float without loss.
#[inline(always)]
pub fn float_of_int(value: View<'_, '_>) -> Option<f64> {
    small_int(value).filter(|number| number.unsigned_abs() <= EXACT_FLOAT).map(|number| number as f64)
}

/// The sort key of a value as bytes: for tests, and for backends that have no order of their own.
#[pyfunction]
pub fn sort_key<'py>(value: Bound<'py, PyAny>) -> PyResult<Bound<'py, pyo3::types::PyBytes>> {
    let py = value.py();
    let mut encoder = Encoder::default();
    encode(value.as_borrowed(), &mut encoder, Calls::Allowed).map_err(|_| PyErr::fetch(py))?;
    Ok(pyo3::types::PyBytes::new(py, encoder.bytes()))
}

/// Whether a str, as two pointers, is the same text.
#[inline(always)]
pub fn same_text(one: View<'_, '_>, two: View<'_, '_>) -> bool {
    if one.as_ptr() == two.as_ptr() {
        return true;
    }
    // SAFETY: both are live strs; equal texts have the same kind, as each has the smallest that holds it.
    unsafe {
        let (a, b) = (one.as_ptr(), two.as_ptr());
        let length = ffi::PyUnicode_GET_LENGTH(a);
        let kind = ffi::PyUnicode_KIND(a);
        if length != ffi::PyUnicode_GET_LENGTH(b) || kind != ffi::PyUnicode_KIND(b) {
            return false;
        }
        let size = length as usize * kind as usize;
        std::slice::from_raw_parts(ffi::PyUnicode_DATA(a).cast::<u8>(), size)
            == std::slice::from_raw_parts(ffi::PyUnicode_DATA(b).cast::<u8>(), size)
    }
}
