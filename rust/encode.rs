//! `model_dump_json()` and `nitro.encode`: models as JSON text, byte for byte as pydantic writes them.

use std::cell::RefCell;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::check;
use crate::dump::DEPTH;
use crate::json;
use crate::layout::{Values, Visitor};
use crate::plan::{Node, Plan, Written};
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise};
use crate::types;

/// Buffers above this size are given back to the system after use.
const KEPT_BUFFER: usize = 1 << 20;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer; a call within a call gets one of its own.
fn with_buffer<T>(use_buffer: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = BUFFER.with_borrow_mut(std::mem::take);
    buffer.clear();
    let result = use_buffer(&mut buffer);
    if buffer.capacity() <= KEPT_BUFFER {
        BUFFER.with_borrow_mut(|kept| *kept = buffer);
    }
    result
}

/// `self.model_dump_json()`.
pub unsafe extern "C" fn model_dump_json(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    types::guard(|py| {
        // SAFETY: the interpreter passes a live instance and live arguments.
        unsafe {
            let Some(plan) = Plan::held(py, ffi::Py_TYPE(object)) else {
                return types::beyond(py, object, c"model_dump_json", arguments, count, names);
            };
            if count == 0 && names.is_null() && plan.get().dump_json {
                let object = Borrowed::from_ptr(py, object);
                let answer = with_buffer(|out| {
                    encode_model(object, plan.get(), out, 0)?;
                    text(py, out)
                });
                match answer {
                    Err(Fail::Slow) => {}
                    answer => return answer,
                }
            }
            match types::serialize(py, plan.get(), true, object, arguments, count, names) {
                Err(Fail::Slow) => {
                    types::call_next(py, &plan.get().next_model_dump_json, object, arguments, count, names)
                }
                answer => text(py, answer?.cast::<PyBytes>().map_err(|error| raise(py, error.into()))?.as_bytes()),
            }
        }
    })
}

/// A str from UTF-8 that the encoder wrote.
fn text<'py>(py: Python<'py>, utf8: &[u8]) -> Lane<Object<'py>> {
    if utf8.is_ascii() {
        return crate::construct::ascii(py, utf8);
    }
    // SAFETY: the bytes live during the call.
    unsafe { owned(py, ffi::PyUnicode_DecodeUTF8(utf8.as_ptr().cast(), utf8.len() as isize, std::ptr::null())) }
}

/// JSON of a model, or of a list or tuple of models, as bytes; None where pydantic must write it.
#[pyfunction]
pub fn encode_fast<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = value.py();
    let written = with_buffer(|out| {
        encode_any_model(value.as_borrowed(), out)?;
        Ok(PyBytes::new(py, out))
    });
    match written {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Fail::Slow) => Ok(None),
        Err(Fail::Raised) => Err(PyErr::fetch(py)),
    }
}

fn encode_any_model(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    let py = value.py();
    if check::is_list(value) {
        out.push(b'[');
        // SAFETY: an exact list; each item is held before it is looked at, and the size is checked each time.
        unsafe {
            let mut index = 0;
            while index < ffi::PyList_GET_SIZE(value.as_ptr()) {
                if index > 0 {
                    out.push(b',');
                }
                let item: Object<'_> = Bound::from_borrowed_ptr(py, ffi::PyList_GET_ITEM(value.as_ptr(), index));
                let plan = Plan::held(py, ffi::Py_TYPE(item.as_ptr())).ok_or(Fail::Slow)?;
                encode_model(item.as_borrowed(), plan.get(), out, 0)?;
                index += 1;
            }
        }
        out.push(b']');
        return Ok(());
    }
    // SAFETY: a live object has a live type, and the plan is that of the type.
    unsafe {
        let plan = Plan::held(py, ffi::Py_TYPE(value.as_ptr())).ok_or(Fail::Slow)?;
        encode_model(value, plan.get(), out, 0)
    }
}

/// # Safety
/// `plan` is the plan of the type of `object`.
unsafe fn encode_model(object: View<'_, '_>, plan: &Plan, out: &mut Vec<u8>, depth: usize) -> Lane<()> {
    if !plan.dump_json || depth > DEPTH {
        return Err(Fail::Slow);
    }
    if plan.fields.is_empty() {
        out.push(b'{');
    }
    let mut writer = Writer::new(plan, out, depth);
    // SAFETY: as promised by the caller.
    unsafe { Values::of(object, plan)? }.each(object.py(), plan, &mut writer)?;
    writer.finish();
    Ok(())
}

/// Writes the values of a model, with their keys, at a place of its own in the buffer.
///
/// From the place on there is always room for the keys and the values of all fields that are still to come, and for the
/// closing brace, if their values are no longer than numbers. So room is looked for only where there are texts.
struct Writer<'a> {
    plan: &'a Plan,
    out: &'a mut Vec<u8>,
    at: *mut u8,
    end: *const u8,
    depth: usize,
}

impl<'a> Writer<'a> {
    #[inline(always)]
    fn new(plan: &'a Plan, out: &'a mut Vec<u8>, depth: usize) -> Self {
        let mut writer = Self { plan, out, at: std::ptr::null_mut(), end: std::ptr::null(), depth };
        writer.make_room(0);
        writer
    }

    /// Takes a place at the end of the buffer, with room for another `length` bytes behind it.
    #[inline(always)]
    fn make_room(&mut self, length: usize) {
        self.out.reserve(self.plan.json_room + length);
        let room = self.out.spare_capacity_mut().as_mut_ptr_range();
        (self.at, self.end) = (room.start.cast(), room.end.cast());
    }

    /// Gives the buffer what was written up to `at`.
    #[inline(always)]
    fn give_back(&mut self, at: *mut u8) {
        // SAFETY: `at` is in the buffer's memory, which is written up to there.
        unsafe { self.out.set_len(at.offset_from_unsigned(self.out.as_ptr())) };
    }

    /// Finds room for another `length` bytes.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, length: usize) {
        self.give_back(self.at);
        self.make_room(length);
    }

    #[inline(always)]
    fn finish(mut self) {
        // SAFETY: there is room, as ever.
        unsafe {
            *self.at = b'}';
            self.give_back(self.at.add(1));
        }
    }
}

impl<'py> Visitor<'py> for Writer<'_> {
    #[inline(always)]
    fn quick(&mut self, index: usize, value: View<'_, 'py>) -> bool {
        let brief = &self.plan.briefs[index];
        // SAFETY: there is room for the key, for a number, and for a text once it is asked for. The types are looked
        // at before the values are; a compact text follows its header, which has more than eight bytes.
        unsafe {
            let end = match brief.written {
                Written::Str if check::is_str(value) && ffi::PyUnicode_IS_COMPACT_ASCII(value.as_ptr()) != 0 => {
                    let length = ffi::PyUnicode_GET_LENGTH(value.as_ptr()) as usize;
                    if self.end.offset_from_unsigned(self.at) < length + json::QUOTES_ROOM + self.plan.json_room {
                        self.grow(length + json::QUOTES_ROOM);
                    }
                    let text = ffi::PyUnicode_DATA(value.as_ptr()).cast();
                    json::put_plain_str(brief.key.put(self.at), text, length)
                }
                Written::Int if check::is_int(value) => {
                    check::small_int(value).map(|number| json::put_i64(brief.key.put(self.at), number))
                }
                Written::Float if check::is_float(value) => {
                    Some(json::put_f64(brief.key.put(self.at), ffi::PyFloat_AS_DOUBLE(value.as_ptr())))
                }
                Written::Bool if check::is_bool(value) => {
                    Some(json::put_bool(brief.key.put(self.at), value.as_ptr() == ffi::Py_True()))
                }
                _ => None,
            };
            // What was written does not count before the place moves on.
            self.at = end.unwrap_or(self.at);
            end.is_some()
        }
    }

    #[inline(always)]
    fn visit(&mut self, index: usize, value: View<'_, 'py>) -> Lane<()> {
        // SAFETY: there is room for the key.
        let at = unsafe { self.plan.briefs[index].key.put(self.at) };
        self.give_back(at);
        encode(&self.plan.fields[index].node, value, self.out, self.depth)?;
        self.make_room(0);
        Ok(())
    }
}

#[inline(always)]
fn encode_str(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    let mut size = 0;
    // SAFETY: the caller has seen an exact str; the text lives as long as it does, and a compact one follows its header.
    // A lone surrogate has no UTF-8.
    unsafe {
        if ffi::PyUnicode_IS_COMPACT_ASCII(value.as_ptr()) != 0 {
            let length = ffi::PyUnicode_GET_LENGTH(value.as_ptr()) as usize;
            let text = ffi::PyUnicode_DATA(value.as_ptr()).cast();
            if !json::write_plain_str(out, text, length) {
                json::write_str(out, std::slice::from_raw_parts(text, length));
            }
            return Ok(());
        }
        let text = ffi::PyUnicode_AsUTF8AndSize(value.as_ptr(), &mut size);
        if text.is_null() {
            ffi::PyErr_Clear();
            return Err(Fail::Slow);
        }
        json::write_str(out, std::slice::from_raw_parts(text.cast(), size as usize));
    }
    Ok(())
}

#[inline(always)]
fn encode_int(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    json::write_i64(out, check::small_int(value).ok_or(Fail::Slow)?);
    Ok(())
}

#[inline(always)]
fn encode_bool(value: View<'_, '_>, out: &mut Vec<u8>) {
    // SAFETY: only the address is compared.
    let is_true = value.as_ptr() == unsafe { ffi::Py_True() };
    out.extend_from_slice(if is_true { b"true" } else { b"false" });
}

#[inline]
fn encode(node: &Node, value: View<'_, '_>, out: &mut Vec<u8>, depth: usize) -> Lane<()> {
    let py = value.py();
    match node {
        Node::Str(_) if check::is_str(value) => encode_str(value, out),
        Node::Int { .. } if check::is_int(value) => encode_int(value, out),
        Node::Float { .. } if check::is_float(value) => {
            // SAFETY: an exact float.
            json::write_f64(out, unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) });
            Ok(())
        }
        Node::Bool if check::is_bool(value) => {
            encode_bool(value, out);
            Ok(())
        }
        Node::Null | Node::Nullable(_) if value.is_none() => {
            out.extend_from_slice(b"null");
            Ok(())
        }
        Node::Nullable(inner) | Node::SlowToValidate(_, inner) => encode(inner, value, out, depth),
        Node::Bytes(_) if check::is_bytes(value) => {
            // SAFETY: exact bytes, which live as long as the value.
            let bytes = unsafe {
                std::slice::from_raw_parts(
                    ffi::PyBytes_AS_STRING(value.as_ptr()).cast::<u8>(),
                    ffi::PyBytes_Size(value.as_ptr()) as usize,
                )
            };
            json::write_str(out, std::str::from_utf8(bytes).map_err(|_| Fail::Slow)?.as_bytes());
            Ok(())
        }
        Node::DateTime if check::is_datetime(value) => encode_datetime(value, out),
        Node::Date if check::is_date(value) => {
            out.push(b'"');
            encode_date(value, out);
            out.push(b'"');
            Ok(())
        }
        Node::Time if check::is_time(value) => encode_time(value, out),
        Node::TimeDelta if check::is_timedelta(value) => encode_timedelta(value, out),
        Node::Uuid if check::is_uuid(py, value) => encode_uuid(value, out),
        Node::Decimal { .. } if check::is_decimal(py, value) => {
            // SAFETY: a live object; Decimal's str is C.
            let text = unsafe { owned(py, ffi::PyObject_Str(value.as_ptr()))? };
            encode_str(text.as_borrowed(), out)
        }
        Node::Enum { class, by_text, by_number } => encode_enum(class, by_text, by_number, value, out),
        Node::Literal { values } if values.iter().any(|expected| expected.as_ptr() == value.as_ptr()) => {
            encode_any(value, out, depth)
        }
        // SAFETY: the class is held by the plan that holds the node, and is the value's type.
        Node::Model(class) => unsafe {
            let class = class.as_ptr().cast::<ffi::PyTypeObject>();
            if ffi::Py_TYPE(value.as_ptr()) != class {
                return Err(Fail::Slow);
            }
            let plan = Plan::held(py, class).ok_or(Fail::Slow)?;
            encode_model(value, plan.get(), out, depth + 1)
        },
        Node::List(item, _) if check::is_list(value) => encode_list(item, value, out, depth),
        Node::Set(item, _) if check::is_set(value) => encode_iterable(item, value, out, depth),
        Node::FrozenSet(item, _) if check::is_frozenset(value) => encode_iterable(item, value, out, depth),
        Node::Tuple(items) if check::is_tuple(value) => {
            // SAFETY: an exact tuple.
            if unsafe { ffi::PyTuple_GET_SIZE(value.as_ptr()) } as usize != items.len() {
                return Err(Fail::Slow);
            }
            encode_tuple(|index| items.get(index), value, out, depth)
        }
        Node::Variadic(item, _) if check::is_tuple(value) => encode_tuple(|_| Some(item), value, out, depth),
        Node::Dict(keys, values, _) if check::is_dict(value) => encode_dict(keys, values, value, out, depth),
        Node::Union(choices) => {
            let start = out.len();
            for choice in choices {
                match encode(choice, value, out, depth) {
                    Err(Fail::Slow) => out.truncate(start),
                    answer => return answer,
                }
            }
            Err(Fail::Slow)
        }
        Node::Any => encode_any(value, out, depth),
        _ => Err(Fail::Slow),
    }
}

/// A value of undeclared type, where its own type leaves no doubt.
fn encode_any(value: View<'_, '_>, out: &mut Vec<u8>, depth: usize) -> Lane<()> {
    if check::is_str(value) {
        return encode_str(value, out);
    }
    if check::is_int(value) {
        return encode_int(value, out);
    }
    if check::is_bool(value) {
        encode_bool(value, out);
        return Ok(());
    }
    if value.is_none() {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    if check::is_float(value) {
        // SAFETY: an exact float.
        let number = unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) };
        if !number.is_finite() {
            return Err(Fail::Slow);
        }
        json::write_f64(out, number);
        return Ok(());
    }
    if depth > DEPTH {
        return Err(Fail::Slow);
    }
    if check::is_list(value) {
        return encode_list(&Node::Any, value, out, depth + 1);
    }
    if check::is_dict(value) {
        return encode_dict(&Node::Any, &Node::Any, value, out, depth + 1);
    }
    if check::is_datetime(value) {
        return encode_datetime(value, out);
    }
    Err(Fail::Slow)
}

fn encode_list(item: &Node, value: View<'_, '_>, out: &mut Vec<u8>, depth: usize) -> Lane<()> {
    let py = value.py();
    out.push(b'[');
    // SAFETY: an exact list; each item is held before it is looked at, and the size is checked each time.
    unsafe {
        let mut index = 0;
        while index < ffi::PyList_GET_SIZE(value.as_ptr()) {
            if index > 0 {
                out.push(b',');
            }
            let given: Object<'_> = Bound::from_borrowed_ptr(py, ffi::PyList_GET_ITEM(value.as_ptr(), index));
            encode(item, given.as_borrowed(), out, depth)?;
            index += 1;
        }
    }
    out.push(b']');
    Ok(())
}

fn encode_tuple<'node>(
    node: impl Fn(usize) -> Option<&'node Node>,
    value: View<'_, '_>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Lane<()> {
    out.push(b'[');
    // SAFETY: an exact tuple keeps its size and its items.
    unsafe {
        for index in 0..ffi::PyTuple_GET_SIZE(value.as_ptr()) {
            if index > 0 {
                out.push(b',');
            }
            let given = Borrowed::from_ptr(value.py(), ffi::PyTuple_GET_ITEM(value.as_ptr(), index));
            encode(node(index as usize).ok_or(Fail::Slow)?, given, out, depth)?;
        }
    }
    out.push(b']');
    Ok(())
}

fn encode_iterable(item: &Node, value: View<'_, '_>, out: &mut Vec<u8>, depth: usize) -> Lane<()> {
    let py = value.py();
    out.push(b'[');
    let mut first = true;
    for given in value.try_iter().map_err(|error| raise(py, error))? {
        // A set that changes while it is read is pydantic's to report.
        let given = given.map_err(|_| Fail::Slow)?;
        if !first {
            out.push(b',');
        }
        first = false;
        encode(item, given.as_borrowed(), out, depth)?;
    }
    out.push(b']');
    Ok(())
}

fn encode_dict(keys: &Node, values: &Node, value: View<'_, '_>, out: &mut Vec<u8>, depth: usize) -> Lane<()> {
    let py = value.py();
    out.push(b'{');
    let mut position = 0;
    let (mut key, mut item) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut first = true;
    // SAFETY: an exact dict; key and value are held before anything else runs, and a dict that changed its size
    // meanwhile is left to pydantic.
    unsafe {
        let size = ffi::PyDict_Size(value.as_ptr());
        while ffi::PyDict_Next(value.as_ptr(), &mut position, &mut key, &mut item) != 0 {
            let key: Object<'_> = Bound::from_borrowed_ptr(py, key);
            let item: Object<'_> = Bound::from_borrowed_ptr(py, item);
            if !first {
                out.push(b',');
            }
            first = false;
            encode_key(keys, key.as_borrowed(), out)?;
            out.push(b':');
            encode(values, item.as_borrowed(), out, depth)?;
            if ffi::PyDict_Size(value.as_ptr()) != size {
                return Err(Fail::Slow);
            }
        }
    }
    out.push(b'}');
    Ok(())
}

fn encode_key(node: &Node, key: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    match node {
        Node::Str(_) | Node::Any if check::is_str(key) => encode_str(key, out),
        Node::Int { .. } if check::is_int(key) => {
            out.push(b'"');
            encode_int(key, out)?;
            out.push(b'"');
            Ok(())
        }
        _ => Err(Fail::Slow),
    }
}

fn encode_enum(
    class: &Py<pyo3::types::PyType>,
    by_text: &std::collections::HashMap<String, Py<PyAny>>,
    by_number: &std::collections::HashMap<i64, Py<PyAny>>,
    value: View<'_, '_>,
    out: &mut Vec<u8>,
) -> Lane<()> {
    // SAFETY: only the type's address is compared.
    if unsafe { ffi::Py_TYPE(value.as_ptr()) } != class.as_ptr().cast() {
        return Err(Fail::Slow);
    }
    // Members are few: a search over them costs less than asking the member for its value.
    if let Some((text, _)) = by_text.iter().find(|(_, member)| member.as_ptr() == value.as_ptr()) {
        json::write_str(out, text.as_bytes());
        return Ok(());
    }
    if let Some((number, _)) = by_number.iter().find(|(_, member)| member.as_ptr() == value.as_ptr()) {
        json::write_i64(out, *number);
        return Ok(());
    }
    Err(Fail::Slow)
}

fn encode_uuid(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    let py = value.py();
    let bits: u128 = value
        .getattr(pyo3::intern!(py, "int"))
        .and_then(|number| number.extract())
        .map_err(|error| raise(py, error))?;
    out.push(b'"');
    out.extend_from_slice(&json::uuid_text(bits));
    out.push(b'"');
    Ok(())
}

fn encode_date(value: View<'_, '_>, out: &mut Vec<u8>) {
    // SAFETY: an exact date or datetime.
    unsafe {
        json::write_date(
            out,
            ffi::PyDateTime_GET_YEAR(value.as_ptr()) as u32,
            ffi::PyDateTime_GET_MONTH(value.as_ptr()) as u32,
            ffi::PyDateTime_GET_DAY(value.as_ptr()) as u32,
        );
    }
}

/// The offset from UTC in whole minutes; None for a naive value.
fn offset(zone: View<'_, '_>, value: View<'_, '_>) -> Lane<Option<i32>> {
    let py = value.py();
    if zone.is_none() {
        return Ok(None);
    }
    let runtime = Runtime::get(py);
    if zone.as_ptr() == runtime.utc.as_ptr() || zone.as_ptr() == runtime.tz_info_utc.as_ptr() {
        return Ok(Some(0));
    }
    let delta = value.call_method0(pyo3::intern!(py, "utcoffset")).map_err(|_| Fail::Slow)?;
    if !check::is_timedelta(delta.as_borrowed()) {
        return Err(Fail::Slow);
    }
    // SAFETY: an exact timedelta.
    let (days, seconds, microseconds) = unsafe {
        (
            ffi::PyDateTime_DELTA_GET_DAYS(delta.as_ptr()),
            ffi::PyDateTime_DELTA_GET_SECONDS(delta.as_ptr()),
            ffi::PyDateTime_DELTA_GET_MICROSECONDS(delta.as_ptr()),
        )
    };
    let total = days * 86_400 + seconds;
    if total % 60 != 0 || microseconds != 0 {
        return Err(Fail::Slow);
    }
    Ok(Some(total / 60))
}

fn encode_datetime(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    // SAFETY: an exact datetime; its zone lives as long as it does.
    unsafe {
        let zone = Borrowed::from_ptr(value.py(), ffi::PyDateTime_DATE_GET_TZINFO(value.as_ptr()));
        let offset = offset(zone, value)?;
        out.push(b'"');
        encode_date(value, out);
        out.push(b'T');
        json::write_time(
            out,
            ffi::PyDateTime_DATE_GET_HOUR(value.as_ptr()) as u32,
            ffi::PyDateTime_DATE_GET_MINUTE(value.as_ptr()) as u32,
            ffi::PyDateTime_DATE_GET_SECOND(value.as_ptr()) as u32,
            ffi::PyDateTime_DATE_GET_MICROSECOND(value.as_ptr()) as u32,
        );
        if let Some(minutes) = offset {
            json::write_offset(out, minutes);
        }
        out.push(b'"');
    }
    Ok(())
}

fn encode_time(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    // SAFETY: an exact time; its zone lives as long as it does.
    unsafe {
        let zone = Borrowed::from_ptr(value.py(), ffi::PyDateTime_TIME_GET_TZINFO(value.as_ptr()));
        let offset = offset(zone, value)?;
        out.push(b'"');
        json::write_time(
            out,
            ffi::PyDateTime_TIME_GET_HOUR(value.as_ptr()) as u32,
            ffi::PyDateTime_TIME_GET_MINUTE(value.as_ptr()) as u32,
            ffi::PyDateTime_TIME_GET_SECOND(value.as_ptr()) as u32,
            ffi::PyDateTime_TIME_GET_MICROSECOND(value.as_ptr()) as u32,
        );
        if let Some(minutes) = offset {
            json::write_offset(out, minutes);
        }
        out.push(b'"');
    }
    Ok(())
}

fn encode_timedelta(value: View<'_, '_>, out: &mut Vec<u8>) -> Lane<()> {
    // SAFETY: an exact timedelta.
    let (days, seconds, microseconds) = unsafe {
        (
            ffi::PyDateTime_DELTA_GET_DAYS(value.as_ptr()),
            ffi::PyDateTime_DELTA_GET_SECONDS(value.as_ptr()),
            ffi::PyDateTime_DELTA_GET_MICROSECONDS(value.as_ptr()),
        )
    };
    // Python normalises a negative duration to negative days and positive rest; ISO 8601 has one sign in front.
    let total = i128::from(days) * 86_400_000_000 + i128::from(seconds) * 1_000_000 + i128::from(microseconds);
    let positive = total >= 0;
    let total = total.unsigned_abs();
    let duration = speedate::Duration::new(
        positive,
        u32::try_from(total / 86_400_000_000).map_err(|_| Fail::Slow)?,
        (total % 86_400_000_000 / 1_000_000) as u32,
        (total % 1_000_000) as u32,
    )
    .map_err(|_| Fail::Slow)?;
    json::write_str(out, duration.to_string().as_bytes());
    Ok(())
}
