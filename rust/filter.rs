//! Conditions, compiled for one class: what the memory store evaluates on its entities.
//!
//! Values compare as their index keys do, so a scan and an index give the same answer: see `index::key` for the order.
//! Comparisons hold only between values of one kind, and never with None or NaN; these two are found by equality. What
//! has no order (models, dicts, sets) equals what Python says it equals.

use std::cmp::Ordering as Compared;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::check;
use crate::expression::{Condition, FieldRef};
use crate::index::key::{self, Encoder, NUMBERS_END, rank};
use crate::index::ordered::Range;
use crate::index::planner;
use crate::layout;
use crate::plan::Plan;
use crate::runtime::{Fail, Lane, Object, Runtime, View, raise};
use crate::value::{self, Calls};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Operator {
    fn holds(self, compared: Compared) -> bool {
        match self {
            Self::Eq => compared.is_eq(),
            Self::Lt => compared.is_lt(),
            Self::Le => compared.is_le(),
            Self::Gt => compared.is_gt(),
            Self::Ge => compared.is_ge(),
        }
    }
}

/// What is asked of one value.
pub enum Test {
    Null,
    /// A number that a float holds exactly, and is not NaN.
    Number(Operator, f64),
    /// An exact str, equal.
    Text(Py<PyAny>),
    /// Any value, as its key.
    Coded(Operator, Vec<u8>),
    /// A value without an order, equal.
    Opaque(Py<PyAny>),
    /// Keys, ascending and distinct, and values without an order.
    In(Vec<Vec<u8>>, Vec<Py<PyAny>>),
    /// Texts as UTF-8.
    Beginning(Vec<u8>),
    Ending(Vec<u8>),
    Like(Vec<Wildcard>),
    /// A text in a text, or a value that a container holds.
    Item(Py<PyAny>),
    /// A condition on the items of a container.
    Items(Box<Filter>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wildcard {
    Text,
    Character,
    Exactly(u32),
}

/// The way from an entity to a value.
pub struct Path {
    /// The number of the first field in the plan of `class`.
    field: usize,
    /// The class whose plan that is; null where it has none.
    class: *mut ffi::PyTypeObject,
    first: Py<PyAny>,
    rest: Vec<Py<PyAny>>,
}

pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test(Path, Test),
}

/// The test of a number in a field of many entities.
#[derive(Clone, Copy)]
pub struct OnNumbers {
    pub field: usize,
    operator: Operator,
    constant: f64,
}

impl OnNumbers {
    /// Whether a value passes; None where it is not as simple a number as they commonly are.
    #[inline(always)]
    pub fn holds(&self, value: View<'_, '_>) -> Option<bool> {
        let given = if check::is_float(value) {
            // SAFETY: an exact float.
            unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) }
        } else if check::is_int(value) {
            layout::short_int(value)? as f64
        } else {
            return None;
        };
        Some(match self.operator {
            Operator::Eq => given == self.constant,
            Operator::Lt => given < self.constant,
            Operator::Le => given <= self.constant,
            Operator::Gt => given > self.constant,
            Operator::Ge => given >= self.constant,
        })
    }
}

/// What an evaluation may do, and the memory that it works in.
pub struct Evaluation {
    pub calls: Calls,
    encoder: Encoder,
}

impl Evaluation {
    pub fn new(calls: Calls) -> Self {
        Self { calls, encoder: Encoder::default() }
    }
}

impl Path {
    pub fn new(class: &Bound<'_, PyType>, field: &FieldRef) -> PyResult<Self> {
        let py = class.py();
        let steps = field.path.bind(py);
        let first = steps.get_item(0)?;
        // SAFETY: a live class.
        let index =
            unsafe { Plan::held(py, class.as_type_ptr()) }.and_then(|plan| plan.get().find(first.as_borrowed(), 0));
        Ok(Self {
            field: index.unwrap_or(0),
            class: if index.is_some() { class.as_type_ptr() } else { std::ptr::null_mut() },
            first: first.unbind(),
            rest: steps.iter().skip(1).map(Bound::unbind).collect(),
        })
    }

    /// The number of the field, where the path is one field of the entity itself.
    pub fn field(&self) -> Option<usize> {
        (self.rest.is_empty() && !self.class.is_null()).then_some(self.field)
    }

    /// Calls `use_value` with what the path leads to; with None where something on the way is None or not there.
    #[inline]
    fn value<'py, T>(
        &self,
        object: View<'_, 'py>,
        calls: Calls,
        use_value: impl FnOnce(Option<View<'_, 'py>>) -> Lane<T>,
    ) -> Lane<T> {
        let py = object.py();
        // SAFETY: a live object; the plan is that of its type, which is alive with it. The value stays where it is
        // while no Python code runs, and is held where it may.
        unsafe {
            let class = ffi::Py_TYPE(object.as_ptr());
            if class == self.class
                && let Some(plan) = Plan::of(class)
            {
                let place = layout::peek(object.as_ptr(), plan, self.field);
                if let Ok(pointer) = place {
                    if calls == Calls::Forbidden {
                        let value = Borrowed::from_ptr_or_opt(py, pointer);
                        if self.rest.is_empty() {
                            return use_value(value);
                        }
                        return match value {
                            Some(value) => self.further(value, 0, calls, use_value),
                            None => use_value(None),
                        };
                    }
                    let value: Option<Object<'py>> = Bound::from_borrowed_ptr_or_opt(py, pointer);
                    return match value {
                        Some(value) if self.rest.is_empty() => use_value(Some(value.as_borrowed())),
                        Some(value) => self.further(value.as_borrowed(), 0, calls, use_value),
                        None => use_value(None),
                    };
                }
            }
        }
        match step(object, self.first.bind(py).as_borrowed(), calls)? {
            Some(value) if self.rest.is_empty() => use_value(Some(value.as_borrowed())),
            Some(value) => self.further(value.as_borrowed(), 0, calls, use_value),
            None => use_value(None),
        }
    }

    fn further<'py, T>(
        &self,
        object: View<'_, 'py>,
        index: usize,
        calls: Calls,
        use_value: impl FnOnce(Option<View<'_, 'py>>) -> Lane<T>,
    ) -> Lane<T> {
        let name = self.rest[index].bind(object.py());
        match step(object, name.as_borrowed(), calls)? {
            Some(value) if index + 1 == self.rest.len() => use_value(Some(value.as_borrowed())),
            Some(value) => self.further(value.as_borrowed(), index + 1, calls, use_value),
            None => use_value(None),
        }
    }
}

/// What stands at a name, a key or a place of an object.
fn step<'py>(object: View<'_, 'py>, name: View<'_, 'py>, calls: Calls) -> Lane<Option<Object<'py>>> {
    let py = object.py();
    if object.is_none() {
        return Ok(None);
    }
    // A dictionary of a user's may have keys that run Python code when they are compared.
    if calls == Calls::Allowed && check::is_dict(object) && check::is_str(name) {
        // SAFETY: live objects; a borrowed reference, or null with or without an exception.
        return unsafe {
            let value = ffi::PyDict_GetItemWithError(object.as_ptr(), name.as_ptr());
            if value.is_null() && !ffi::PyErr_Occurred().is_null() {
                return Err(Fail::Raised);
            }
            Ok(Bound::from_borrowed_ptr_or_opt(py, value))
        };
    }
    // SAFETY: the plan is that of the object's type.
    unsafe {
        let class = ffi::Py_TYPE(object.as_ptr());
        if let Some(plan) = Plan::of(class)
            && let Some(index) = plan.find(name, 0)
            && let Ok(pointer) = layout::peek(object.as_ptr(), plan, index)
        {
            return Ok(Bound::from_borrowed_ptr_or_opt(py, pointer));
        }
    }
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    // What the instance holds, here too: an attribute of its class may show something else in the field's name.
    // SAFETY: the plan is that of the object's type, and is held while Python code may run.
    unsafe {
        if let Some(plan) = Plan::held(py, ffi::Py_TYPE(object.as_ptr()))
            && let Some(index) = plan.get().find(name, 0)
        {
            return layout::Values::of(object, plan.get())?.get(py, plan.get(), index);
        }
    }
    let is_item = check::is_dict(object) || check::is_list(object) || check::is_tuple(object);
    let found = if is_item {
        object.get_item(name)
    } else {
        object.getattr(name.to_owned().cast_into::<PyString>().map_err(|error| raise(py, error.into()))?)
    };
    match found {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if error.is_instance_of::<pyo3::exceptions::PyLookupError>(py)
                || error.is_instance_of::<pyo3::exceptions::PyAttributeError>(py)
                // A list has no item of such a name.
                || (is_item && error.is_instance_of::<PyTypeError>(py)) =>
        {
            Ok(None)
        }
        Err(error) => Err(raise(py, error)),
    }
}

fn is_nan(key: &[u8]) -> bool {
    key[0] == rank::NUMBER && key >= &NUMBERS_END[..]
}

impl Test {
    fn read(operator: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = value.py();
        let view = value.as_borrowed();
        let utf8 = || -> PyResult<Vec<u8>> {
            // SAFETY: a flag check on a live object.
            if unsafe { ffi::PyUnicode_Check(view.as_ptr()) } == 0 {
                return Err(PyTypeError::new_err(format!("{operator} takes text, got {}", value.repr()?)));
            }
            Ok(value::with_utf8(view, <[u8]>::to_vec))
        };
        let compare = |operator: Operator| -> PyResult<Self> {
            if check::is_str(view) && operator == Operator::Eq {
                return Ok(Self::Text(value.clone().unbind()));
            }
            let float = if check::is_float(view) {
                // SAFETY: an exact float.
                Some(unsafe { ffi::PyFloat_AS_DOUBLE(view.as_ptr()) })
            } else if check::is_int(view) {
                value::float_of_int(view)
            } else {
                None
            };
            if let Some(float) = float.filter(|float| !float.is_nan()) {
                return Ok(Self::Number(operator, float));
            }
            let key = key_of(value)?;
            if value::is_opaque(&key) {
                return Ok(Self::Opaque(value.clone().unbind()));
            }
            Ok(if key == [rank::NULL] && operator == Operator::Eq { Self::Null } else { Self::Coded(operator, key) })
        };
        Ok(match operator {
            "eq" => compare(Operator::Eq)?,
            "lt" => compare(Operator::Lt)?,
            "le" => compare(Operator::Le)?,
            "gt" => compare(Operator::Gt)?,
            "ge" => compare(Operator::Ge)?,
            "in" => {
                let (mut keys, mut others) = (Vec::new(), Vec::new());
                for item in value.try_iter()? {
                    let item = item?;
                    let key = key_of(&item)?;
                    if value::is_opaque(&key) { others.push(item.unbind()) } else { keys.push(key) }
                }
                keys.sort();
                keys.dedup();
                Self::In(keys, others)
            }
            "startswith" => Self::Beginning(utf8()?),
            "endswith" => Self::Ending(utf8()?),
            "like" => like(&pattern(view)),
            "contains" => Self::Item(value.clone().unbind()),
            "any" => {
                let condition = value.cast::<Condition>()?;
                let inner = condition.get().class.bind(py);
                Self::Items(Box::new(Filter::compile(inner, condition.get())?))
            }
            other => return Err(PyTypeError::new_err(format!("no such operator: {other:?}"))),
        })
    }

    #[inline]
    fn holds(&self, value: Option<View<'_, '_>>, evaluation: &mut Evaluation) -> Lane<bool> {
        let Some(value) = value else {
            return Ok(match self {
                Self::Null => true,
                Self::In(keys, _) => keys.first().is_some_and(|key| **key == [rank::NULL]),
                _ => false,
            });
        };
        let py = value.py();
        match self {
            Self::Number(operator, constant) => {
                let given = if check::is_float(value) {
                    // SAFETY: an exact float.
                    Some(unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) })
                } else if check::is_int(value) {
                    value::float_of_int(value)
                } else {
                    None
                };
                if let Some(given) = given {
                    return Ok(given.partial_cmp(constant).is_some_and(|compared| operator.holds(compared)));
                }
                let mut key = Encoder::default();
                key.float(*constant);
                compare(*operator, key.bytes(), value, evaluation)
            }
            Self::Text(constant) => {
                let constant = constant.bind(py).as_borrowed();
                if check::is_str(value) {
                    return Ok(value::same_text(value, constant));
                }
                if value.is_none() || check::is_int(value) || check::is_float(value) {
                    return Ok(false);
                }
                let mut key = Encoder::default();
                value::encode(constant, &mut key, Calls::Forbidden)?;
                compare(Operator::Eq, key.bytes(), value, evaluation)
            }
            Self::Null => Ok(value.is_none()),
            Self::Coded(operator, key) => compare(*operator, key, value, evaluation),
            Self::Opaque(constant) => equal(value, constant.bind(py), evaluation.calls),
            Self::In(keys, others) => {
                evaluation.encoder.clear();
                value::encode(value, &mut evaluation.encoder, evaluation.calls)?;
                let key = evaluation.encoder.bytes();
                if !value::is_opaque(key) {
                    return Ok(keys.binary_search_by(|known| known.as_slice().cmp(key)).is_ok());
                }
                for other in others {
                    if equal(value, other.bind(py), evaluation.calls)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Beginning(wanted) => {
                text(value, evaluation.calls, |text| value::with_utf8(text, |text| text.starts_with(wanted)))
            }
            Self::Ending(wanted) => {
                text(value, evaluation.calls, |text| value::with_utf8(text, |text| text.ends_with(wanted)))
            }
            Self::Like(wanted) => text(value, evaluation.calls, |text| is_like(wanted, &codes(text))),
            Self::Item(wanted) => {
                let wanted = wanted.bind(py).as_borrowed();
                if value.is_none() {
                    return Ok(false);
                }
                if check::is_str(value) {
                    return Ok(check::is_str(wanted)
                        && value::with_utf8(value, |utf8| value::with_utf8(wanted, |part| has_part(utf8, part))));
                }
                if evaluation.calls == Calls::Forbidden {
                    return Err(Fail::Slow);
                }
                match value.contains(wanted) {
                    // It is no container, or one that cannot hold such a value.
                    Err(error) if error.is_instance_of::<PyTypeError>(py) => Ok(false),
                    held => held.map_err(|error| raise(py, error)),
                }
            }
            Self::Items(filter) => items(value, filter, evaluation),
        }
    }

    /// The values that pass, as an index sees them; None where only the entity can tell.
    fn values(&self) -> Option<planner::Values> {
        let range = |operator: Operator, key: &[u8]| {
            let kind = key[0];
            let end = || if kind == rank::NUMBER { NUMBERS_END.to_vec() } else { vec![kind + 1] };
            if operator == Operator::Eq {
                return planner::Values::Points(vec![key.to_vec()]);
            }
            if kind == rank::NULL || is_nan(key) {
                return planner::Values::Points(Vec::new());
            }
            planner::Values::Range(match operator {
                Operator::Lt => Range { low: vec![kind], high: key.to_vec() },
                Operator::Le => Range { low: vec![kind], high: key::after(key) },
                Operator::Gt => Range { low: key::after(key), high: end() },
                _ => Range { low: key.to_vec(), high: end() },
            })
        };
        Some(match self {
            Self::Null => planner::Values::Points(vec![vec![rank::NULL]]),
            Self::Number(operator, constant) => {
                let mut key = Encoder::default();
                key.float(*constant);
                range(*operator, key.bytes())
            }
            Self::Text(constant) => {
                let mut key = Encoder::default();
                // SAFETY: the filter is used with the GIL held, as everything here.
                let py = unsafe { Python::assume_attached() };
                value::encode(constant.bind(py).as_borrowed(), &mut key, Calls::Forbidden).ok()?;
                range(Operator::Eq, key.bytes())
            }
            Self::Coded(operator, key) => range(*operator, key),
            Self::In(keys, others) if others.is_empty() => planner::Values::Points(keys.clone()),
            Self::Beginning(utf8) => {
                let mut key = Encoder::default();
                key.beginning(rank::TEXT, utf8);
                planner::Values::Range(Range { high: key::after(key.bytes()), low: key.into_bytes() })
            }
            _ => return None,
        })
    }
}

fn key_of(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut encoder = Encoder::default();
    value::encode(value.as_borrowed(), &mut encoder, Calls::Allowed).map_err(|_| PyErr::fetch(value.py()))?;
    Ok(encoder.into_bytes())
}

fn compare(operator: Operator, key: &[u8], value: View<'_, '_>, evaluation: &mut Evaluation) -> Lane<bool> {
    evaluation.encoder.clear();
    value::encode(value, &mut evaluation.encoder, evaluation.calls)?;
    let given = evaluation.encoder.bytes();
    if operator == Operator::Eq {
        return Ok(given == key);
    }
    let comparable = given[0] == key[0] && key[0] != rank::NULL && !is_nan(given) && !is_nan(key);
    Ok(comparable && !value::is_opaque(key) && operator.holds(given.cmp(key)))
}

fn equal(value: View<'_, '_>, constant: &Bound<'_, PyAny>, calls: Calls) -> Lane<bool> {
    if value.is(constant) {
        return Ok(true);
    }
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    value.eq(constant).map_err(|error| raise(value.py(), error))
}

/// Whether a value is a text, or a member of an Enum with a text as its value, for which something holds.
fn text(value: View<'_, '_>, calls: Calls, holds: impl FnOnce(View<'_, '_>) -> bool) -> Lane<bool> {
    let py = value.py();
    // SAFETY: a flag check on a live object.
    if unsafe { ffi::PyUnicode_Check(value.as_ptr()) } != 0 {
        return Ok(holds(value));
    }
    if value.is_none() || check::is_int(value) || check::is_float(value) || check::is_bool(value) {
        return Ok(false);
    }
    if calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    if !value.is_instance(Runtime::get(py).enumeration.bind(py)).map_err(|error| raise(py, error))? {
        return Ok(false);
    }
    let inner = value.getattr(pyo3::intern!(py, "_value_")).map_err(|error| raise(py, error))?;
    // SAFETY: as above.
    Ok(unsafe { ffi::PyUnicode_Check(inner.as_ptr()) } != 0 && holds(inner.as_borrowed()))
}

fn has_part(text: &[u8], part: &[u8]) -> bool {
    let Some((&first, rest)) = part.split_first() else { return true };
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&byte| byte == first) {
        from += at + 1;
        if text[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// The code points of a str.
fn codes(value: View<'_, '_>) -> Vec<u32> {
    // SAFETY: a live str, read within its length.
    unsafe {
        let object = value.as_ptr();
        let data = ffi::PyUnicode_DATA(object);
        let kind = ffi::PyUnicode_KIND(object);
        (0..ffi::PyUnicode_GET_LENGTH(object) as usize)
            .map(|index| match kind {
                ffi::PyUnicode_1BYTE_KIND => u32::from(*data.cast::<u8>().add(index)),
                ffi::PyUnicode_2BYTE_KIND => u32::from(*data.cast::<u16>().add(index)),
                _ => *data.cast::<u32>().add(index),
            })
            .collect()
    }
}

fn pattern(value: View<'_, '_>) -> Vec<Wildcard> {
    let mut wildcards = Vec::new();
    let mut codes = codes(value).into_iter();
    while let Some(code) = codes.next() {
        wildcards.push(match char::from_u32(code) {
            Some('%') => Wildcard::Text,
            Some('_') => Wildcard::Character,
            Some('\\') => Wildcard::Exactly(codes.next().unwrap_or(code)),
            _ => Wildcard::Exactly(code),
        });
    }
    wildcards
}

/// The test for a pattern: a simpler one where that says the same.
fn like(pattern: &[Wildcard]) -> Test {
    if let [literal @ .., Wildcard::Text] = pattern {
        let characters = literal.iter().map(|wildcard| match wildcard {
            Wildcard::Exactly(code) => char::from_u32(*code),
            _ => None,
        });
        if let Some(beginning) = characters.collect::<Option<String>>() {
            return Test::Beginning(beginning.into_bytes());
        }
    }
    Test::Like(pattern.to_vec())
}

/// Whether a text matches: each `%` first takes as little as it can, and more when the rest does not fit.
fn is_like(pattern: &[Wildcard], text: &[u32]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(Wildcard::Text) => {
                retry = Some((at, place));
                at += 1;
                continue;
            }
            Some(Wildcard::Character) => {}
            Some(Wildcard::Exactly(code)) if *code == text[place] => {}
            _ => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                (at, place) = (star + 1, from + 1);
                continue;
            }
        }
        at += 1;
        place += 1;
    }
    pattern[at..].iter().all(|wildcard| *wildcard == Wildcard::Text)
}

/// Whether `filter` holds for any item of a list, tuple or set, or any value of a dict.
fn items(value: View<'_, '_>, filter: &Filter, evaluation: &mut Evaluation) -> Lane<bool> {
    let py = value.py();
    if value.is_none() {
        return Ok(false);
    }
    if check::is_list(value) {
        let mut index = 0;
        // SAFETY: the size is read anew each time; the item is held while it is looked at.
        while let Some(item) = unsafe {
            (index < ffi::PyList_GET_SIZE(value.as_ptr()))
                .then(|| Bound::from_borrowed_ptr(py, ffi::PyList_GET_ITEM(value.as_ptr(), index)))
        } {
            if filter.holds(item.as_borrowed(), evaluation)? {
                return Ok(true);
            }
            index += 1;
        }
        return Ok(false);
    }
    if evaluation.calls == Calls::Forbidden {
        return Err(Fail::Slow);
    }
    let fail = |error: PyErr| raise(py, error);
    let items = match value.cast::<PyDict>() {
        Ok(dict) => dict.values().try_iter(),
        Err(_) => value.try_iter(),
    };
    for item in items.map_err(fail)? {
        if filter.holds(item.map_err(fail)?.as_borrowed(), evaluation)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Filter {
    /// Compiles a condition for entities of `class`.
    pub fn compile(class: &Bound<'_, PyType>, condition: &Condition) -> PyResult<Self> {
        let py = class.py();
        let operands = condition.operands.bind(py);
        let part = |index: usize| -> PyResult<Self> {
            Self::compile(class, operands.get_item(index)?.cast::<Condition>()?.get())
        };
        let parts = || (0..operands.len()).map(part).collect::<PyResult<Vec<_>>>();
        Ok(match condition.operator {
            "and" => Self::All(parts()?),
            "or" => Self::Any(parts()?),
            "not" => Self::Not(Box::new(part(0)?)),
            "sql" => {
                let clause = operands.get_item(0)?.str()?;
                let message = format!("only a SQL database can answer {clause}: ask with fields of the class instead");
                let error = py.import("nitro.errors")?.getattr("UnsupportedQuery")?.call1((message,))?;
                return Err(PyErr::from_value(error));
            }
            operator => {
                let field = operands.get_item(0)?;
                let field = field.cast::<FieldRef>()?.get();
                let path = Path::new(class, field)?;
                if operator == "is_null" {
                    return Ok(Self::Test(path, Test::Null));
                }
                let value = operands.get_item(1)?;
                if operator == "ne" {
                    return Ok(Self::Not(Box::new(Self::Test(path, Test::read("eq", &value)?))));
                }
                Self::Test(path, Test::read(operator, &value)?)
            }
        })
    }

    /// Compiles all the conditions of a query.
    pub fn compile_all(class: &Bound<'_, PyType>, conditions: &Bound<'_, PyTuple>) -> PyResult<Vec<Self>> {
        let mut filters = Vec::with_capacity(conditions.len());
        for condition in conditions.iter() {
            match Self::compile(class, condition.cast::<Condition>()?.get())? {
                Self::All(parts) => filters.extend(parts),
                filter => filters.push(filter),
            }
        }
        Ok(filters)
    }

    #[inline]
    pub fn holds(&self, object: View<'_, '_>, evaluation: &mut Evaluation) -> Lane<bool> {
        match self {
            Self::Test(path, test) => path.value(object, evaluation.calls, |value| test.holds(value, evaluation)),
            Self::All(parts) => {
                for part in parts {
                    if !part.holds(object, evaluation)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if part.holds(object, evaluation)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(part) => part.holds(object, evaluation).map(|holds| !holds),
        }
    }

    /// For a walk over many entities of a class: the test of a number in one of its own fields, if it is one.
    pub fn on_numbers(&self) -> Option<OnNumbers> {
        match self {
            Self::Test(path, Test::Number(operator, constant)) => {
                path.field().map(|field| OnNumbers { field, operator: *operator, constant: *constant })
            }
            _ => None,
        }
    }

    /// What indexes can see of it.
    pub fn for_planner(&self) -> planner::Condition {
        match self {
            Self::Test(path, test) => match (path.field(), test.values()) {
                (Some(field), Some(values)) => planner::Condition::Field { field, values },
                _ => planner::Condition::Other,
            },
            Self::All(parts) => planner::Condition::All(parts.iter().map(Self::for_planner).collect()),
            Self::Any(parts) => planner::Condition::Any(parts.iter().map(Self::for_planner).collect()),
            Self::Not(part) => match part.as_ref() {
                Self::Test(path, Test::Null) if path.field().is_some() => planner::Condition::Field {
                    field: path.field().unwrap_or(0),
                    values: planner::Values::Range(Range { low: vec![rank::NULL + 1], high: Vec::new() }),
                },
                Self::Not(part) => part.for_planner(),
                _ => planner::Condition::Other,
            },
        }
    }
}

/// Appends the key of what a path leads to.
pub fn encode_path(path: &Path, object: View<'_, '_>, encoder: &mut Encoder, calls: Calls) -> Lane<()> {
    path.value(object, calls, |value| match value {
        Some(value) => value::encode(value, encoder, calls),
        None => {
            encoder.null();
            Ok(())
        }
    })
}

/// Whether a condition holds for an object.
pub fn matches(condition: &Bound<'_, Condition>, object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    let filter = Filter::compile(&object.get_type(), condition.get())?;
    filter.holds(object.as_borrowed(), &mut Evaluation::new(Calls::Allowed)).map_err(|_| PyErr::fetch(py))
}

/// What a field reference leads to in an entity; None where something on the way is None or not there.
#[pyfunction]
pub fn value_at<'py>(entity: &Bound<'py, PyAny>, field: &Bound<'py, FieldRef>) -> PyResult<Object<'py>> {
    let py = entity.py();
    let path = Path::new(&entity.get_type(), field.get())?;
    path.value(entity.as_borrowed(), Calls::Allowed, |value| {
        Ok(value.map_or_else(|| py.None().into_bound(py), |value| value.to_owned()))
    })
    .map_err(|_| PyErr::fetch(py))
}
