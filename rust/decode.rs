//! `model_validate_json()` and `nitro.decode`: instances straight from JSON text.
//!
//! Text that `reader` does not read, and whatever needs a conversion beyond reading the declared type, goes to pydantic
//! whole. Dates are read by speedate, as pydantic does.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple, PyType};
use speedate::{Date, DateTime, Duration, Time};

use crate::check::{self, check};
use crate::construct::{Places, Slots, ascii, settle_made};
use crate::dump::DEPTH;
use crate::json;
use crate::plan::{Node, Plan};
use crate::reader::{Beyond, Number, Reader, Text};
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise};
use crate::types;

impl From<Beyond> for Fail {
    fn from(_: Beyond) -> Self {
        Self::Slow
    }
}

/// `cls.model_validate_json(json_data)`.
pub unsafe extern "C" fn model_validate_json(
    class: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    types::guard(|py| {
        // SAFETY: the interpreter passes a live class and live arguments.
        unsafe {
            let raw = class.cast::<ffi::PyTypeObject>();
            let Some(plan) = Plan::held(py, raw) else {
                return types::beyond(py, class, c"model_validate_json", arguments, count, names);
            };
            let plan = plan.get();
            if count == 1 && names.is_null() {
                if plan.load {
                    let data = Borrowed::from_ptr(py, *arguments);
                    match with_text(data, |text| whole(text, |json| root_model(py, raw, plan, json))) {
                        Err(Fail::Slow) => {}
                        answer => return answer,
                    }
                }
                if plan.own_methods {
                    let name = pyo3::intern!(py, "validate_json");
                    let validator = plan.validator.as_ptr();
                    let made = owned(py, ffi::PyObject_CallMethodOneArg(validator, name.as_ptr(), *arguments))?;
                    return settle_made(raw, made);
                }
            }
            let made = types::call_next(py, &plan.next_model_validate_json, class, arguments, count, names)?;
            settle_made(raw, made)
        }
    })
}

/// Reads one instance of `class`, or (`many`) a list of them, from JSON text in bytes or a str; None where pydantic
/// must read it.
#[pyfunction]
pub fn decode_fast<'py>(
    class: &Bound<'py, PyType>,
    data: &Bound<'py, PyAny>,
    many: bool,
) -> PyResult<Option<Object<'py>>> {
    let py = class.py();
    let raw = class.as_type_ptr();
    // SAFETY: a live class.
    let Some(plan) = (unsafe { Plan::held(py, raw) }) else { return Ok(None) };
    let plan = plan.get();
    // Should one of many turn out slow, pydantic reads all of them again.
    if !plan.load || (many && !plan.pure) {
        return Ok(None);
    }
    let made = with_text(data.as_borrowed(), |text| {
        whole(text, |json| {
            if !many {
                return root_model(py, raw, plan, json);
            }
            let mut items = Vec::new();
            json.enter(b'[')?;
            while json.another(items.is_empty(), b']')? {
                items.push(model(py, raw, plan, json, 0)?);
            }
            PyList::new(py, items).map(Bound::into_any).map_err(|error| raise(py, error))
        })
    });
    match made {
        Ok(made) => Ok(Some(made)),
        Err(Fail::Slow) => Ok(None),
        Err(Fail::Raised) => Err(PyErr::fetch(py)),
    }
}

pub fn with_text<T>(data: View<'_, '_>, read: impl FnOnce(&[u8]) -> Lane<T>) -> Lane<T> {
    // SAFETY: exact bytes and exact strings keep their text for as long as they live.
    unsafe {
        if check::is_bytes(data) {
            let size = ffi::PyBytes_Size(data.as_ptr()) as usize;
            return read(std::slice::from_raw_parts(ffi::PyBytes_AS_STRING(data.as_ptr()).cast(), size));
        }
        if check::is_str(data) {
            let mut size = 0;
            let text = ffi::PyUnicode_AsUTF8AndSize(data.as_ptr(), &mut size);
            if text.is_null() {
                ffi::PyErr_Clear();
                return Err(Fail::Slow);
            }
            return read(std::slice::from_raw_parts(text.cast(), size as usize));
        }
    }
    Err(Fail::Slow)
}

fn whole<'py>(text: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Lane<Object<'py>>) -> Lane<Object<'py>> {
    let mut json = Reader::new(text);
    let made = read(&mut json)?;
    json.finish()?;
    Ok(made)
}

fn root_model<'py>(
    py: Python<'py>,
    class: *mut ffi::PyTypeObject,
    plan: &Plan,
    json: &mut Reader<'_>,
) -> Lane<Object<'py>> {
    let mut places = Places::new();
    let mut slots = Slots::new(&mut places, plan.fields.len());
    read_fields(py, plan, &mut slots, json, 0)?;
    // Nothing may follow, and it must be known before a default factory of the user's runs.
    json.finish()?;
    slots.build(py, class, plan)
}

/// A model inside something else.
fn model<'py>(
    py: Python<'py>,
    class: *mut ffi::PyTypeObject,
    plan: &Plan,
    json: &mut Reader<'_>,
    depth: usize,
) -> Lane<Object<'py>> {
    if !plan.load || !plan.pure {
        return Err(Fail::Slow);
    }
    let mut places = Places::new();
    let mut slots = Slots::new(&mut places, plan.fields.len());
    read_fields(py, plan, &mut slots, json, depth)?;
    slots.build(py, class, plan)
}

fn read_fields(py: Python<'_>, plan: &Plan, slots: &mut Slots<'_>, json: &mut Reader<'_>, depth: usize) -> Lane<()> {
    if depth > DEPTH {
        return Err(Fail::Slow);
    }
    json.enter(b'{')?;
    let mut first = true;
    let mut hint = 0;
    while json.another(first, b'}')? {
        first = false;
        let guessed = plan.briefs.get(hint).is_some_and(|brief| json.guess(brief.bare_key()));
        let index = if guessed {
            hint
        } else {
            // Unknown keys are skipped or refused by pydantic, which also checks their values' text.
            plan.find_text(&json.key()?, hint).ok_or(Fail::Slow)?
        };
        if slots.has(index) {
            return Err(Fail::Slow);
        }
        let node = &plan.fields[index].node;
        let value = match node {
            Node::Str(length) if length.is_free() => string(py, &json.string()?)?,
            _ => read(py, node, json, depth)?,
        };
        slots.give(index, value);
        hint = index + 1;
    }
    Ok(())
}

#[inline]
fn string<'py>(py: Python<'py>, text: &Text<'_>) -> Lane<Object<'py>> {
    match text {
        Text::Ascii(text) => ascii(py, text.as_bytes()),
        // SAFETY: the text lives during the call.
        Text::Other(text) => unsafe {
            owned(py, ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize))
        },
    }
}

fn integer(py: Python<'_>, number: i64) -> Lane<Object<'_>> {
    // SAFETY: a new reference or null with an exception.
    unsafe { owned(py, ffi::PyLong_FromLongLong(number)) }
}

fn float(py: Python<'_>, number: f64) -> Lane<Object<'_>> {
    // SAFETY: a new reference or null with an exception.
    unsafe { owned(py, ffi::PyFloat_FromDouble(number)) }
}

/// The value, when it meets the node's constraints.
fn fitting<'py>(node: &Node, value: Object<'py>) -> Lane<Object<'py>> {
    Ok(check(node, value.as_borrowed(), false)?.unwrap_or(value))
}

fn read<'py>(py: Python<'py>, node: &Node, json: &mut Reader<'_>, depth: usize) -> Lane<Object<'py>> {
    match node {
        Node::Str(length) => {
            let value = string(py, &json.string()?)?;
            if length.is_free() { Ok(value) } else { fitting(node, value) }
        }
        Node::Int { bounded, .. } => match json.number()? {
            Number::Int(number) => {
                let value = integer(py, number)?;
                if *bounded { fitting(node, value) } else { Ok(value) }
            }
            Number::Float(_) => Err(Fail::Slow),
        },
        Node::Float { bounded, .. } => match json.number()? {
            Number::Int(number) => fitting(node, integer(py, number)?),
            Number::Float(number) if *bounded => fitting(node, float(py, number)?),
            Number::Float(number) => float(py, number),
        },
        Node::Bool => boolean(py, json),
        Node::Null | Node::Nullable(_) if json.peek()? == b'n' => null(py, json),
        Node::Nullable(inner) => read(py, inner, json, depth),
        Node::Bytes(_) => {
            let text = json.string()?;
            // SAFETY: the text lives during the call.
            let bytes =
                unsafe { owned(py, ffi::PyBytes_FromStringAndSize(text.as_ptr().cast(), text.len() as isize))? };
            fitting(node, bytes)
        }
        Node::DateTime => read_datetime(py, json.string()?.as_bytes()),
        Node::Date => {
            let date = Date::parse_bytes_rfc3339(json.string()?.as_bytes()).map_err(|_| Fail::Slow)?;
            // SAFETY: the datetime table is imported at initialisation.
            or_slow(py, unsafe {
                let api = &*ffi::PyDateTimeAPI();
                (api.Date_FromDate)(date.year.into(), date.month.into(), date.day.into(), api.DateType)
            })
        }
        Node::Time => read_time(py, json.string()?.as_bytes()),
        Node::TimeDelta => read_timedelta(py, json.string()?.as_bytes()),
        Node::Uuid => read_uuid(py, json.string()?.as_bytes()),
        Node::Decimal { .. } => {
            let text = json.string()?;
            if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')) {
                return Err(Fail::Slow);
            }
            let text = string(py, &text)?;
            let decimal = Runtime::get(py).decimal.bind(py).call1((text,)).map_err(|_| Fail::Slow)?;
            fitting(node, decimal)
        }
        Node::Enum { by_text, by_number, .. } => {
            let member = match json.peek()? {
                b'"' => by_text.get(&*json.string()?),
                _ => match json.number()? {
                    Number::Int(number) => by_number.get(&number),
                    Number::Float(_) => None,
                },
            };
            member.map(|member| member.bind(py).clone()).ok_or(Fail::Slow)
        }
        Node::Literal { .. } => fitting(node, scalar(py, json)?),
        // SAFETY: the class is held by the plan that holds the node.
        Node::Model(class) => unsafe {
            let class = class.as_ptr().cast::<ffi::PyTypeObject>();
            let plan = Plan::held(py, class).ok_or(Fail::Slow)?;
            model(py, class, plan.get(), json, depth + 1)
        },
        Node::List(item, length) => {
            let items = read_array(py, |_| Some(item), json, depth)?;
            if !length.admits(items.len()) {
                return Err(Fail::Slow);
            }
            PyList::new(py, items).map(Bound::into_any).map_err(|error| raise(py, error))
        }
        Node::Set(item, length) => {
            let items = read_array(py, |_| Some(item), json, depth)?;
            let set = PySet::new(py, items).map_err(|_| Fail::Slow)?;
            if length.admits(set.len()) { Ok(set.into_any()) } else { Err(Fail::Slow) }
        }
        Node::FrozenSet(item, length) => {
            let items = read_array(py, |_| Some(item), json, depth)?;
            let set = PyFrozenSet::new(py, items).map_err(|_| Fail::Slow)?;
            if length.admits(set.len()) { Ok(set.into_any()) } else { Err(Fail::Slow) }
        }
        Node::Tuple(nodes) => {
            let items = read_array(py, |index| nodes.get(index), json, depth)?;
            if items.len() != nodes.len() {
                return Err(Fail::Slow);
            }
            PyTuple::new(py, items).map(Bound::into_any).map_err(|error| raise(py, error))
        }
        Node::Variadic(item, length) => {
            let items = read_array(py, |_| Some(item), json, depth)?;
            if !length.admits(items.len()) {
                return Err(Fail::Slow);
            }
            PyTuple::new(py, items).map(Bound::into_any).map_err(|error| raise(py, error))
        }
        Node::Dict(keys, values, length) => {
            let dict = read_dict(py, keys, values, json, depth)?;
            if length.admits(dict.len()) { Ok(dict.into_any()) } else { Err(Fail::Slow) }
        }
        Node::Union(choices) => {
            let simple = |choice: &Node| match choice {
                Node::Str(length) => length.is_free(),
                Node::Int { bounded, .. } => !bounded,
                Node::Bool | Node::Null => true,
                _ => false,
            };
            if !choices.iter().all(simple) {
                return Err(Fail::Slow);
            }
            fitting(node, scalar(py, json)?)
        }
        Node::Any => read_any(py, json, depth),
        Node::Null | Node::Slow(_) | Node::SlowToValidate(..) => Err(Fail::Slow),
    }
}

fn null<'py>(py: Python<'py>, json: &mut Reader<'_>) -> Lane<Object<'py>> {
    json.word(b"null")?;
    Ok(py.None().into_bound(py))
}

fn boolean<'py>(py: Python<'py>, json: &mut Reader<'_>) -> Lane<Object<'py>> {
    let value = json.peek()? == b't';
    json.word(if value { b"true" } else { b"false" })?;
    Ok(pyo3::types::PyBool::new(py, value).to_owned().into_any())
}

/// A string, a number, true, false or null.
fn scalar<'py>(py: Python<'py>, json: &mut Reader<'_>) -> Lane<Object<'py>> {
    match json.peek()? {
        b'"' => string(py, &json.string()?),
        b't' | b'f' => boolean(py, json),
        b'n' => null(py, json),
        _ => match json.number()? {
            Number::Int(number) => integer(py, number),
            Number::Float(number) => float(py, number),
        },
    }
}

fn read_any<'py>(py: Python<'py>, json: &mut Reader<'_>, depth: usize) -> Lane<Object<'py>> {
    if depth > DEPTH {
        return Err(Fail::Slow);
    }
    match json.peek()? {
        b'[' => {
            let items = read_array(py, |_| Some(&Node::Any), json, depth + 1)?;
            PyList::new(py, items).map(Bound::into_any).map_err(|error| raise(py, error))
        }
        b'{' => read_dict(py, &Node::Any, &Node::Any, json, depth + 1).map(Bound::into_any),
        _ => scalar(py, json),
    }
}

fn read_array<'py, 'node>(
    py: Python<'py>,
    node: impl Fn(usize) -> Option<&'node Node>,
    json: &mut Reader<'_>,
    depth: usize,
) -> Lane<Vec<Object<'py>>> {
    json.enter(b'[')?;
    let mut items = Vec::new();
    while json.another(items.is_empty(), b']')? {
        items.push(read(py, node(items.len()).ok_or(Fail::Slow)?, json, depth)?);
    }
    Ok(items)
}

fn read_dict<'py>(
    py: Python<'py>,
    keys: &Node,
    values: &Node,
    json: &mut Reader<'_>,
    depth: usize,
) -> Lane<Bound<'py, PyDict>> {
    if !matches!(keys, Node::Str(_) | Node::Any) {
        return Err(Fail::Slow);
    }
    json.enter(b'{')?;
    let dict = PyDict::new(py);
    let mut count = 0;
    while json.another(count == 0, b'}')? {
        let key = fitting(keys, string(py, &json.key()?)?)?;
        let value = read(py, values, json, depth)?;
        dict.set_item(key, value).map_err(|_| Fail::Slow)?;
        count += 1;
    }
    // Which of two equal keys wins is pydantic's to say.
    if dict.len() == count { Ok(dict) } else { Err(Fail::Slow) }
}

/// A new object, or Slow where Python refused to make it (a year that it does not have, say).
fn or_slow<'py>(py: Python<'py>, object: *mut ffi::PyObject) -> Lane<Object<'py>> {
    // SAFETY: callers pass a new reference, or null with an exception.
    unsafe {
        owned(py, object).map_err(|_| {
            ffi::PyErr_Clear();
            Fail::Slow
        })
    }
}

fn zone<'py>(py: Python<'py>, offset: Option<i32>) -> Lane<Object<'py>> {
    let runtime = Runtime::get(py);
    match offset {
        None => Ok(py.None().into_bound(py)),
        Some(0) => Ok(runtime.tz_info_utc.bind(py).clone()),
        Some(seconds) => runtime.tz_info.bind(py).call1((seconds,)).map_err(|_| Fail::Slow),
    }
}

fn read_datetime<'py>(py: Python<'py>, text: &[u8]) -> Lane<Object<'py>> {
    let parsed = DateTime::parse_bytes_rfc3339(text).map_err(|_| Fail::Slow)?;
    let zone = zone(py, parsed.time.tz_offset)?;
    datetime(py, &parsed, &zone)
}

/// A moment in UTC, `datetime.UTC` being its zone, from text without an offset.
pub fn read_utc<'py>(py: Python<'py>, text: &[u8]) -> Lane<Object<'py>> {
    let parsed = DateTime::parse_bytes_rfc3339(text).map_err(|_| Fail::Slow)?;
    if parsed.time.tz_offset.is_some() {
        return Err(Fail::Slow);
    }
    datetime(py, &parsed, Runtime::get(py).utc.bind(py))
}

fn datetime<'py>(py: Python<'py>, parsed: &DateTime, zone: &Object<'py>) -> Lane<Object<'py>> {
    // SAFETY: the datetime table is imported at initialisation.
    or_slow(py, unsafe {
        let api = &*ffi::PyDateTimeAPI();
        (api.DateTime_FromDateAndTime)(
            parsed.date.year.into(),
            parsed.date.month.into(),
            parsed.date.day.into(),
            parsed.time.hour.into(),
            parsed.time.minute.into(),
            parsed.time.second.into(),
            parsed.time.microsecond as i32,
            zone.as_ptr(),
            api.DateTimeType,
        )
    })
}

fn read_time<'py>(py: Python<'py>, text: &[u8]) -> Lane<Object<'py>> {
    // A bare number is a number of seconds to pydantic.
    if text.get(2) != Some(&b':') {
        return Err(Fail::Slow);
    }
    let parsed = Time::parse_bytes(text).map_err(|_| Fail::Slow)?;
    let zone = zone(py, parsed.tz_offset)?;
    // SAFETY: the datetime table is imported at initialisation.
    or_slow(py, unsafe {
        let api = &*ffi::PyDateTimeAPI();
        (api.Time_FromTime)(
            parsed.hour.into(),
            parsed.minute.into(),
            parsed.second.into(),
            parsed.microsecond as i32,
            zone.as_ptr(),
            api.TimeType,
        )
    })
}

fn read_timedelta<'py>(py: Python<'py>, text: &[u8]) -> Lane<Object<'py>> {
    if !(text.starts_with(b"P") || text.starts_with(b"-P")) {
        return Err(Fail::Slow);
    }
    let parsed = Duration::parse_bytes(text).map_err(|_| Fail::Slow)?;
    let sign = if parsed.positive { 1 } else { -1 };
    // SAFETY: the datetime table is imported at initialisation.
    or_slow(py, unsafe {
        let api = &*ffi::PyDateTimeAPI();
        let days = i32::try_from(parsed.day).map_err(|_| Fail::Slow)?;
        (api.Delta_FromDelta)(
            sign * days,
            sign * parsed.second as i32,
            sign * parsed.microsecond as i32,
            1,
            api.DeltaType,
        )
    })
}

fn read_uuid<'py>(py: Python<'py>, text: &[u8]) -> Lane<Object<'py>> {
    let bits = json::read_uuid(text).ok_or(Fail::Slow)?;
    let runtime = Runtime::get(py);
    let bits = bits.into_pyobject(py).map_err(|_| Fail::Slow)?;
    // SAFETY: UUID is a heap type with object's `__new__` and two slots; its own `__setattr__` refuses to fill them, so
    // object's does, as pydantic does it too.
    unsafe {
        let class = runtime.uuid.as_ptr().cast::<ffi::PyTypeObject>();
        let new = ffi::PyBaseObject_Type.tp_new.ok_or(Fail::Slow)?;
        let made = owned(py, new(class, runtime.empty_tuple.as_ptr(), std::ptr::null_mut()))?;
        let slots: [(&Bound<'_, PyString>, *mut ffi::PyObject); 2] = [
            (pyo3::intern!(py, "int"), bits.as_ptr()),
            (pyo3::intern!(py, "is_safe"), runtime.safe_uuid_unknown.as_ptr()),
        ];
        for (name, value) in slots {
            if ffi::PyObject_GenericSetAttr(made.as_ptr(), name.as_ptr(), value) < 0 {
                return Err(Fail::Raised);
            }
        }
        Ok(made)
    }
}
