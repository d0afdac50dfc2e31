//! Does a Python value have exactly the declared type, and does it meet the constraints? Then pydantic would take
//! it as it is (or copy it, for containers), and so does the fast lane. Every other value is `Fail::Slow`.

use std::cell::Cell;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::construct;
use crate::dump::DEPTH;
use crate::layout;
use crate::plan::{Length, Node, Plan};
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, unhashable};

/// Integers up to this one have an exact float.
const EXACT_FLOAT: i64 = 1 << 53;

#[inline(always)]
fn is_type(value: View<'_, '_>, class: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: a live object has a type.
    unsafe { ffi::Py_TYPE(value.as_ptr()) == class }
}

macro_rules! exact {
    ($name:ident, $type:expr) => {
        #[inline(always)]
        pub fn $name(value: View<'_, '_>) -> bool {
            // SAFETY: only the address of the type is taken.
            #[allow(unused_unsafe)]
            is_type(value, unsafe { $type })
        }
    };
}

exact!(is_str, &raw mut ffi::PyUnicode_Type);
exact!(is_int, &raw mut ffi::PyLong_Type);
exact!(is_float, &raw mut ffi::PyFloat_Type);
exact!(is_bool, &raw mut ffi::PyBool_Type);
exact!(is_bytes, &raw mut ffi::PyBytes_Type);
exact!(is_list, &raw mut ffi::PyList_Type);
exact!(is_dict, &raw mut ffi::PyDict_Type);
exact!(is_set, &raw mut ffi::PySet_Type);
exact!(is_frozenset, &raw mut ffi::PyFrozenSet_Type);
exact!(is_tuple, &raw mut ffi::PyTuple_Type);
exact!(is_datetime, (*ffi::PyDateTimeAPI()).DateTimeType);
exact!(is_date, (*ffi::PyDateTimeAPI()).DateType);
exact!(is_time, (*ffi::PyDateTimeAPI()).TimeType);
exact!(is_timedelta, (*ffi::PyDateTimeAPI()).DeltaType);

#[inline(always)]
pub fn is_uuid(py: Python<'_>, value: View<'_, '_>) -> bool {
    is_type(value, Runtime::get(py).uuid.as_ptr().cast())
}

#[inline(always)]
pub fn is_decimal(py: Python<'_>, value: View<'_, '_>) -> bool {
    is_type(value, Runtime::get(py).decimal.as_ptr().cast())
}

/// Up to this many multiples, a float's remainder of zero means what it says.
const EXACT_QUOTIENT: f64 = 1e9;

/// The value of an exact int that fits in 64 bits.
#[inline(always)]
pub fn small_int(value: View<'_, '_>) -> Option<i64> {
    layout::short_int(value).or_else(|| asked_int(value))
}

#[inline(never)]
fn asked_int(value: View<'_, '_>) -> Option<i64> {
    let mut overflow = 0;
    // SAFETY: the caller has seen an exact int, for which the function cannot fail.
    let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &mut overflow) };
    (overflow == 0).then_some(number)
}

/// The length of an exact str in code points; None when it holds a lone surrogate, which has no length to pydantic.
#[inline]
fn text_length(value: View<'_, '_>) -> Option<usize> {
    // SAFETY: the caller has seen an exact str; the encoder runs no Python code.
    unsafe {
        let length = ffi::PyUnicode_GET_LENGTH(value.as_ptr()) as usize;
        if ffi::PyUnicode_KIND(value.as_ptr()) != ffi::PyUnicode_1BYTE_KIND {
            let mut size = 0;
            if ffi::PyUnicode_AsUTF8AndSize(value.as_ptr(), &mut size).is_null() {
                ffi::PyErr_Clear();
                return None;
            }
        }
        Some(length)
    }
}

/// Refuses; the name says where the answer comes from instead.
const SLOW: Lane<Option<Object<'static>>> = Err(Fail::Slow);

#[inline(always)]
fn keep_if<'py>(condition: bool) -> Lane<Option<Object<'py>>> {
    if condition { Ok(None) } else { Err(Fail::Slow) }
}

/// The type whose instances `check` takes as they are, all of them; null where it looks at more. The node, or the
/// runtime, holds the type.
pub fn plain_type(py: Python<'_>, node: &Node) -> *const ffi::PyTypeObject {
    // SAFETY: only addresses of types are taken; the module's initialisation has imported those of datetime.
    #[allow(unused_unsafe)]
    unsafe {
        match node {
            Node::Str(length) if length.is_free() => &raw const ffi::PyUnicode_Type,
            Node::Int { bounded: false, .. } => &raw const ffi::PyLong_Type,
            Node::Float { bounded: false, .. } => &raw const ffi::PyFloat_Type,
            Node::Bool => &raw const ffi::PyBool_Type,
            Node::Bytes(length) if length.is_free() => &raw const ffi::PyBytes_Type,
            Node::DateTime => (*ffi::PyDateTimeAPI()).DateTimeType,
            Node::Date => (*ffi::PyDateTimeAPI()).DateType,
            Node::Time => (*ffi::PyDateTimeAPI()).TimeType,
            Node::TimeDelta => (*ffi::PyDateTimeAPI()).DeltaType,
            Node::Uuid => Runtime::get(py).uuid.as_ptr().cast(),
            Node::Enum { class, .. } | Node::Model(class) => class.as_ptr().cast(),
            _ => std::ptr::null(),
        }
    }
}

/// Ok(None): take the value itself. Ok(Some): take this one in its place, as containers are copied and dicts become
/// models. `exact` refuses every conversion, as inside a union.
#[inline]
pub fn check<'py>(node: &Node, value: View<'_, 'py>, exact: bool) -> Lane<Option<Object<'py>>> {
    let py = value.py();
    match node {
        Node::Str(length) => {
            keep_if(is_str(value) && (length.is_free() || text_length(value).is_some_and(|count| length.admits(count))))
        }
        Node::Int { bounded, minimum, maximum, multiple_of } => keep_if(
            is_int(value)
                && (!bounded
                    || small_int(value)
                        .is_some_and(|number| *minimum <= number && number <= *maximum && number % multiple_of == 0)),
        ),
        Node::Float { bounded: false, .. } if is_float(value) => Ok(None),
        Node::Float { gt, ge, lt, le, multiple_of, finite, .. } => {
            let given = if is_float(value) {
                // SAFETY: an exact float.
                unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) }
            } else if !exact && is_int(value) {
                match small_int(value) {
                    Some(number) if number.abs() <= EXACT_FLOAT => number as f64,
                    _ => return SLOW,
                }
            } else {
                return SLOW;
            };
            let fits = gt.is_none_or(|bound| given > bound)
                && ge.is_none_or(|bound| given >= bound)
                && lt.is_none_or(|bound| given < bound)
                && le.is_none_or(|bound| given <= bound)
                && multiple_of.is_none_or(|step| given % step == 0.0 && (given / step).abs() <= EXACT_QUOTIENT)
                && (!finite || given.is_finite());
            if !fits {
                return SLOW;
            }
            if is_float(value) {
                return Ok(None);
            }
            // SAFETY: a new reference or null with an exception.
            unsafe { owned(py, ffi::PyFloat_FromDouble(given)).map(Some) }
        }
        Node::Bool => keep_if(is_bool(value)),
        Node::Null => keep_if(value.is_none()),
        Node::Nullable(inner) => {
            if value.is_none() {
                return Ok(None);
            }
            check(inner, value, exact)
        }
        // Given as a value, it means that none was given.
        Node::Any => keep_if(value.as_ptr() != Runtime::get(py).undefined.as_ptr()),
        Node::Bytes(length) => {
            // SAFETY: exact bytes, as the first condition has it.
            keep_if(is_bytes(value) && length.admits(unsafe { ffi::PyBytes_Size(value.as_ptr()) } as usize))
        }
        Node::DateTime => keep_if(is_datetime(value)),
        Node::Date => keep_if(is_date(value)),
        Node::Time => keep_if(is_time(value)),
        Node::TimeDelta => keep_if(is_timedelta(value)),
        Node::Uuid => keep_if(is_uuid(py, value)),
        Node::Decimal { bounds } => keep_if(is_decimal(py, value) && decimal_fits(value, bounds)?),
        Node::Enum { class, .. } => keep_if(is_type(value, class.as_ptr().cast())),
        Node::Literal { values } => check_literal(values, value),
        Node::Model(class) => check_model(class.as_ptr().cast(), value, exact),
        Node::List(item, length) => check_list(item, length, value, exact),
        Node::Set(item, length) => check_set(item, length, value, exact, false),
        Node::FrozenSet(item, length) => check_set(item, length, value, exact, true),
        Node::Tuple(items) => check_tuple(|index| items.get(index), Some(items.len()), value, exact),
        Node::Variadic(item, length) => {
            // SAFETY: the size is read from an exact tuple only.
            if !is_tuple(value) || !length.admits(unsafe { ffi::PyTuple_GET_SIZE(value.as_ptr()) } as usize) {
                return SLOW;
            }
            check_tuple(|_| Some(item), None, value, exact)
        }
        Node::Dict(keys, values, length) => check_dict(keys, values, length, value, exact),
        Node::Union(choices) => {
            for choice in choices {
                match check(choice, value, true) {
                    Err(Fail::Slow) => {}
                    answer => return answer,
                }
            }
            SLOW
        }
        Node::Slow(_) | Node::SlowToValidate(..) => SLOW,
    }
}

/// Decimals must be finite, which every field without a configuration of its own asks for.
fn decimal_fits(value: View<'_, '_>, bounds: &[(i32, Py<PyAny>)]) -> Lane<bool> {
    let py = value.py();
    // SAFETY: live objects; `is_finite` is the method of exactly this type.
    unsafe {
        let is_finite = Runtime::get(py).decimal_is_finite.as_ptr();
        let finite = owned(py, ffi::PyObject_CallOneArg(is_finite, value.as_ptr()))?;
        if finite.as_ptr() != ffi::Py_True() {
            return Ok(false);
        }
        for (operator, bound) in bounds {
            match ffi::PyObject_RichCompareBool(value.as_ptr(), bound.as_ptr(), *operator) {
                0 => return Ok(false),
                1 => {}
                _ => return Err(Fail::Raised),
            }
        }
    }
    Ok(true)
}

/// Gives the declared value itself, as pydantic does.
fn check_literal<'py>(values: &[Py<PyAny>], value: View<'_, 'py>) -> Lane<Option<Object<'py>>> {
    let py = value.py();
    for expected in values {
        if expected.as_ptr() == value.as_ptr() {
            return Ok(None);
        }
        let view = expected.bind_borrowed(py);
        let same = if is_str(value) && is_str(view) {
            // SAFETY: two exact strings.
            unsafe { ffi::PyUnicode_Compare(value.as_ptr(), view.as_ptr()) == 0 }
        } else if is_int(value) && is_int(view) {
            matches!((small_int(value), small_int(view)), (Some(given), Some(wanted)) if given == wanted)
        } else {
            false
        };
        if same {
            return Ok(Some(expected.bind(py).clone()));
        }
    }
    SLOW
}

fn check_model<'py>(class: *mut ffi::PyTypeObject, value: View<'_, 'py>, exact: bool) -> Lane<Option<Object<'py>>> {
    if is_type(value, class) {
        return Ok(None);
    }
    if exact || !is_dict(value) {
        return SLOW;
    }
    // SAFETY: the class is held by the plan that holds the node.
    let plan = unsafe { Plan::held(value.py(), class) }.ok_or(Fail::Slow)?;
    if !plan.get().pure {
        return SLOW;
    }
    // A dict that contains itself, or nearly: pydantic says where.
    thread_local! {
        static NESTING: Cell<usize> = const { Cell::new(0) };
    }
    let nesting = NESTING.get();
    if nesting >= DEPTH {
        return SLOW;
    }
    NESTING.set(nesting + 1);
    let made = construct::from_dict(class, plan.get(), value);
    NESTING.set(nesting);
    made.map(Some)
}

/// The item at `index`, held; Slow when the list has become shorter meanwhile.
#[inline(always)]
fn list_item<'py>(list: View<'_, 'py>, index: isize) -> Lane<Object<'py>> {
    // SAFETY: an exact list, and the index is checked against its size of this moment.
    unsafe {
        if index >= ffi::PyList_GET_SIZE(list.as_ptr()) {
            return Err(Fail::Slow);
        }
        Ok(Bound::from_borrowed_ptr(list.py(), ffi::PyList_GET_ITEM(list.as_ptr(), index)))
    }
}

fn check_list<'py>(item: &Node, length: &Length, value: View<'_, 'py>, exact: bool) -> Lane<Option<Object<'py>>> {
    if !is_list(value) {
        return SLOW;
    }
    // SAFETY: an exact list; the new list is filled from the front, and lists with empty places may be released.
    unsafe {
        let size = ffi::PyList_GET_SIZE(value.as_ptr());
        if !length.admits(size as usize) {
            return SLOW;
        }
        let copy = owned(value.py(), ffi::PyList_New(size))?;
        for index in 0..size {
            let given = list_item(value, index)?;
            let taken = check(item, given.as_borrowed(), exact)?.unwrap_or(given);
            ffi::PyList_SET_ITEM(copy.as_ptr(), index, taken.into_ptr());
        }
        // Grown while it was read: another thread is at work on it.
        if ffi::PyList_GET_SIZE(value.as_ptr()) != size {
            return SLOW;
        }
        Ok(Some(copy))
    }
}

fn check_tuple<'py, 'node>(
    node: impl Fn(usize) -> Option<&'node Node>,
    size: Option<usize>,
    value: View<'_, 'py>,
    exact: bool,
) -> Lane<Option<Object<'py>>> {
    if !is_tuple(value) {
        return SLOW;
    }
    let py = value.py();
    // SAFETY: an exact tuple keeps its size and its items; the new one is filled from the front.
    unsafe {
        let given = ffi::PyTuple_GET_SIZE(value.as_ptr());
        if size.is_some_and(|size| size != given as usize) {
            return SLOW;
        }
        let copy = owned(py, ffi::PyTuple_New(given))?;
        for index in 0..given {
            let item = Bound::from_borrowed_ptr(py, ffi::PyTuple_GET_ITEM(value.as_ptr(), index));
            let node = node(index as usize).ok_or(Fail::Slow)?;
            let taken = check(node, item.as_borrowed(), exact)?.unwrap_or(item);
            ffi::PyTuple_SET_ITEM(copy.as_ptr(), index, taken.into_ptr());
        }
        Ok(Some(copy))
    }
}

fn check_set<'py>(
    item: &Node,
    length: &Length,
    value: View<'_, 'py>,
    exact: bool,
    frozen: bool,
) -> Lane<Option<Object<'py>>> {
    if !(if frozen { is_frozenset(value) } else { is_set(value) }) {
        return SLOW;
    }
    let py = value.py();
    // SAFETY: an exact set or frozenset; items are taken from an iterator, which notices when the set changes.
    unsafe {
        if !length.admits(ffi::PySet_GET_SIZE(value.as_ptr()) as usize) {
            return SLOW;
        }
        let copy =
            if frozen { ffi::PyFrozenSet_New(std::ptr::null_mut()) } else { ffi::PySet_New(std::ptr::null_mut()) };
        let copy = owned(py, copy)?;
        let iterator = owned(py, ffi::PyObject_GetIter(value.as_ptr()))?;
        loop {
            let next = ffi::PyIter_Next(iterator.as_ptr());
            if next.is_null() {
                break;
            }
            let given: Object<'py> = Bound::from_owned_ptr(py, next);
            let taken = check(item, given.as_borrowed(), exact)?.unwrap_or(given);
            // A new frozenset may be filled before anybody else has seen it.
            if ffi::PySet_Add(copy.as_ptr(), taken.as_ptr()) < 0 {
                return Err(unhashable());
            }
        }
        if !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
            return SLOW;
        }
        Ok(Some(copy))
    }
}

fn check_dict<'py>(
    keys: &Node,
    values: &Node,
    length: &Length,
    value: View<'_, 'py>,
    exact: bool,
) -> Lane<Option<Object<'py>>> {
    if !is_dict(value) {
        return SLOW;
    }
    let py = value.py();
    // SAFETY: an exact dict; key and value are held before anything else runs, and a dict that changed its size
    // meanwhile is left to pydantic.
    unsafe {
        let size = ffi::PyDict_Size(value.as_ptr());
        if !length.admits(size as usize) {
            return SLOW;
        }
        let copy = owned(py, ffi::PyDict_New())?;
        let mut position = 0;
        let (mut key, mut item) = (std::ptr::null_mut(), std::ptr::null_mut());
        while ffi::PyDict_Next(value.as_ptr(), &mut position, &mut key, &mut item) != 0 {
            let key: Object<'py> = Bound::from_borrowed_ptr(py, key);
            let item: Object<'py> = Bound::from_borrowed_ptr(py, item);
            let key = check(keys, key.as_borrowed(), exact)?.unwrap_or(key);
            let item = check(values, item.as_borrowed(), exact)?.unwrap_or(item);
            if ffi::PyDict_SetItem(copy.as_ptr(), key.as_ptr(), item.as_ptr()) < 0 {
                return Err(unhashable());
            }
            if ffi::PyDict_Size(value.as_ptr()) != size {
                return SLOW;
            }
        }
        Ok(Some(copy))
    }
}
