//! Entities from the rows of a database, and rows from entities.
//!
//! What a store's own codec wrote is trusted: nothing is validated. A row has a value for every field of the class, in
//! the order of the fields, and the record's version behind them where the store keeps one.
//!
//! Each field has a codec: a Python function, and for the commonest kinds a way to do without calling it. Whatever is
//! not as simple as it commonly is goes to the function, which also says what is wrong with a value.

use pyo3::exceptions::{PyAttributeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::check;
use crate::construct::{Places, Slots, ascii};
use crate::decode;
use crate::encode;
use crate::layout::Values;
use crate::plan::Plan;
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise};
use crate::track;

/// The version of a record whose store keeps none.
const STORED: u64 = 1;

/// "2026-01-02 03:04:05.000006"
const MOMENT_LENGTH: usize = 26;

/// How a value is read or written without its function.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Keep,
    /// By the function alone.
    Call,
    /// 0 or 1 for a bool.
    Bool,
    /// A str without a NUL and without halves of surrogate pairs.
    Text,
    /// An int of 64 bits.
    Integer,
    /// A float that is not NaN.
    Float,
    /// A datetime in UTC, as text of fixed width.
    Moment,
    /// A model as JSON.
    Model(ModelClass),
}

#[derive(Debug)]
struct ModelClass(Py<PyType>);

impl PartialEq for ModelClass {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }
}

impl Eq for ModelClass {}

#[derive(Debug)]
struct Codec {
    kind: Kind,
    function: Py<PyAny>,
}

impl Codec {
    /// Reads None, a function, or a tuple of a kind, a function and, for a model, its class.
    fn read(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        if spec.is_none() {
            return Ok(Self { kind: Kind::Keep, function: spec.clone().unbind() });
        }
        let Ok(parts) = spec.cast::<PyTuple>() else {
            return Ok(Self { kind: Kind::Call, function: spec.clone().unbind() });
        };
        let name: String = parts.get_item(0)?.extract()?;
        let kind = match name.as_str() {
            "bool" => Kind::Bool,
            "text" => Kind::Text,
            "integer" => Kind::Integer,
            "float" => Kind::Float,
            "moment" => Kind::Moment,
            "model" => Kind::Model(ModelClass(parts.get_item(2)?.cast_into::<PyType>()?.unbind())),
            other => return Err(PyValueError::new_err(format!("no such kind of codec: {other:?}"))),
        };
        Ok(Self { kind, function: parts.get_item(1)?.unbind() })
    }

    fn call<'py>(&self, value: View<'_, 'py>) -> Lane<Object<'py>> {
        // SAFETY: live objects; a new reference, or null with an exception.
        unsafe { owned(value.py(), ffi::PyObject_CallOneArg(self.function.as_ptr(), value.as_ptr())) }
    }

    /// A value of the driver as the field has it.
    fn decode<'py>(&self, value: View<'_, 'py>) -> Lane<Object<'py>> {
        let py = value.py();
        if value.is_none() {
            return Ok(value.to_owned());
        }
        let answer = match &self.kind {
            Kind::Keep | Kind::Text | Kind::Integer | Kind::Float => return Ok(value.to_owned()),
            Kind::Bool => match check::small_int(value) {
                Some(number @ (0 | 1)) => Ok(PyBool::new(py, number == 1).to_owned().into_any()),
                _ => Err(Fail::Slow),
            },
            Kind::Moment => decode::with_text(value, |text| decode::read_utc(py, text)),
            Kind::Model(class) => match decode::decode_fast(class.0.bind(py), &value.to_owned(), false) {
                Ok(found) => found.ok_or(Fail::Slow),
                Err(error) => Err(raise(py, error)),
            },
            Kind::Call => Err(Fail::Slow),
        };
        match answer {
            Err(Fail::Slow) => self.call(value),
            answer => answer,
        }
    }

    /// A value of the field as the driver takes it.
    fn encode<'py>(&self, value: View<'_, 'py>) -> Lane<Object<'py>> {
        let py = value.py();
        if value.is_none() {
            return Ok(value.to_owned());
        }
        let answer = match &self.kind {
            Kind::Keep | Kind::Bool => return Ok(value.to_owned()),
            Kind::Text if check::is_str(value) && is_utf8(value) && !has_nul(value)? => Ok(value.to_owned()),
            Kind::Integer if check::is_int(value) && is_int64(value) => Ok(value.to_owned()),
            // SAFETY: an exact float.
            Kind::Float if check::is_float(value) && !unsafe { ffi::PyFloat_AS_DOUBLE(value.as_ptr()) }.is_nan() => {
                Ok(value.to_owned())
            }
            Kind::Moment if check::is_datetime(value) => moment_text(value),
            // SAFETY: comparing the type of a live object.
            Kind::Model(class) if unsafe { ffi::Py_TYPE(value.as_ptr()) } == class.0.as_ptr().cast() => {
                match encode::encode_fast(&value.to_owned()) {
                    Ok(Some(json)) => json_text(&json),
                    Ok(None) => Err(Fail::Slow),
                    Err(error) => Err(raise(py, error)),
                }
            }
            _ => Err(Fail::Slow),
        };
        match answer {
            Err(Fail::Slow) => self.call(value),
            answer => answer,
        }
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        match &self.kind {
            Kind::Model(class) => visit.call(&class.0),
            _ => Ok(()),
        }
    }
}

fn is_utf8(value: View<'_, '_>) -> bool {
    // SAFETY: an exact str; the error that a half of a surrogate pair sets is taken back.
    unsafe {
        let mut size = 0;
        let has_text = !ffi::PyUnicode_AsUTF8AndSize(value.as_ptr(), &raw mut size).is_null();
        if !has_text {
            ffi::PyErr_Clear();
        }
        has_text
    }
}

fn is_int64(value: View<'_, '_>) -> bool {
    let mut overflow = 0;
    // SAFETY: an exact int; for those of more bits no exception is set.
    unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut overflow) };
    overflow == 0
}

fn has_nul(value: View<'_, '_>) -> Lane<bool> {
    // SAFETY: an exact str; the call runs no Python code.
    let found = unsafe { ffi::PyUnicode_FindChar(value.as_ptr(), 0, 0, ffi::PyUnicode_GET_LENGTH(value.as_ptr()), 1) };
    if found == -2 { Err(Fail::Raised) } else { Ok(found >= 0) }
}

/// JSON as a str; slow where there may be a NUL in it.
fn json_text<'py>(json: &Bound<'py, PyBytes>) -> Lane<Object<'py>> {
    let bytes = json.as_bytes();
    if bytes.windows(6).any(|window| window == b"\\u0000") {
        return Err(Fail::Slow);
    }
    if bytes.is_ascii() {
        return ascii(json.py(), bytes);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fail::Slow)?;
    Ok(PyString::new(json.py(), text).into_any())
}

/// A datetime whose zone is `datetime.UTC` itself, as text.
fn moment_text<'py>(value: View<'_, 'py>) -> Lane<Object<'py>> {
    let py = value.py();
    let mut text = [0u8; MOMENT_LENGTH];
    // SAFETY: an exact datetime.
    let parts: [(usize, u32, usize); 7] = unsafe {
        let object = value.as_ptr();
        if ffi::PyDateTime_DATE_GET_TZINFO(object) != Runtime::get(py).utc.as_ptr() {
            return Err(Fail::Slow);
        }
        [
            (0, ffi::PyDateTime_GET_YEAR(object) as u32, 4),
            (5, ffi::PyDateTime_GET_MONTH(object) as u32, 2),
            (8, ffi::PyDateTime_GET_DAY(object) as u32, 2),
            (11, ffi::PyDateTime_DATE_GET_HOUR(object) as u32, 2),
            (14, ffi::PyDateTime_DATE_GET_MINUTE(object) as u32, 2),
            (17, ffi::PyDateTime_DATE_GET_SECOND(object) as u32, 2),
            (20, ffi::PyDateTime_DATE_GET_MICROSECOND(object) as u32, 6),
        ]
    };
    for (start, mut number, width) in parts {
        for place in (start..start + width).rev() {
            text[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    for (place, sign) in [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':'), (19, b'.')] {
        text[place] = sign;
    }
    ascii(py, &text)
}

/// Rows from which on the collector waits: it would look at each new instance again and again, and find no garbage.
const MANY: usize = 500;

/// Keeps the cycle collector from running while it lives.
struct CollectorPaused(bool);

impl CollectorPaused {
    fn new(pause: bool) -> Self {
        // SAFETY: the GIL is held.
        Self(pause && unsafe { ffi::PyGC_Disable() } == 1)
    }
}

impl Drop for CollectorPaused {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: the GIL is held.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

/// How the entities of one class and the rows of one table become each other.
///
/// Args:
///     class_: A class of entities with neither private attributes nor code of its own that runs when one is made.
///     decoders: One for each field: None for a value that stays as it is; a function; or (kind, function).
///     encoders: The same, the other way.
#[pyclass(frozen, module = "nitro._core")]
pub struct RowCodec {
    class: Py<PyType>,
    decoders: Vec<Codec>,
    encoders: Vec<Codec>,
}

impl RowCodec {
    fn raised(&self, py: Python<'_>, fail: Fail) -> PyErr {
        match fail {
            Fail::Raised => PyErr::fetch(py),
            Fail::Slow => {
                PyTypeError::new_err(format!("{} has no instances that could be made from a row", self.class))
            }
        }
    }

    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Plan>> {
        // SAFETY: a live class.
        unsafe { Plan::held(py, self.class.bind(py).as_type_ptr()) }
            .filter(|plan| plan.get().tracked && plan.get().fields.len() == self.decoders.len())
            .ok_or_else(|| self.raised(py, Fail::Slow))
    }

    fn read<'py>(&self, py: Python<'py>, plan: &Plan, row: &Bound<'py, PyTuple>) -> PyResult<Object<'py>> {
        let fail = |fail| self.raised(py, fail);
        let count = self.decoders.len();
        if row.len() < count {
            return Err(PyValueError::new_err(format!("a row of {} values for {count} fields", row.len())));
        }
        let mut places = Places::new();
        let mut slots = Slots::new(&mut places, count);
        for (index, codec) in self.decoders.iter().enumerate() {
            let value = row.get_borrowed_item(index)?;
            slots.give(index, codec.decode(value).map_err(fail)?);
        }
        let version = if row.len() > count { row.get_borrowed_item(count)?.extract()? } else { STORED };
        let object = slots.build_untracked(py, self.class.bind(py).as_type_ptr(), plan).map_err(fail)?;
        track::become_record(object.as_borrowed(), plan, version, None).map_err(fail)?;
        Ok(object)
    }
}

#[pymethods]
impl RowCodec {
    #[new]
    fn new(class_: Py<PyType>, decoders: &Bound<'_, PyTuple>, encoders: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let read =
            |specs: &Bound<'_, PyTuple>| specs.iter().map(|spec| Codec::read(&spec)).collect::<PyResult<Vec<_>>>();
        Ok(Self { class: class_, decoders: read(decoders)?, encoders: read(encoders)? })
    }

    /// The entity of a row.
    fn entity<'py>(&self, row: &Bound<'py, PyTuple>) -> PyResult<Object<'py>> {
        let py = row.py();
        self.read(py, self.plan(py)?.get(), row)
    }

    /// The entities of rows.
    fn entities<'py>(&self, rows: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
        let py = rows.py();
        let plan = self.plan(py)?;
        let made = PyList::empty(py);
        let _paused = CollectorPaused::new(rows.len() >= MANY);
        for row in rows.iter() {
            made.append(self.read(py, plan.get(), row.cast::<PyTuple>()?)?)?;
        }
        Ok(made)
    }

    /// The values of an entity as the driver takes them, in the order of the fields; and `version`, unless it is None.
    #[pyo3(signature = (entity, version=None))]
    fn row<'py>(&self, entity: &Bound<'py, PyAny>, version: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
        let py = entity.py();
        let plan = self.plan(py)?;
        if !entity.get_type().is(self.class.bind(py)) {
            return Err(PyTypeError::new_err(format!("{entity} is no instance of {}", self.class)));
        }
        let fail = |fail| self.raised(py, fail);
        let row = PyList::empty(py);
        for (index, codec) in self.encoders.iter().enumerate() {
            // SAFETY: the plan is that of the entity's type, whose values are looked up anew for each field: the
            // functions of the codecs may run any code.
            let values = unsafe { Values::of(entity.as_borrowed(), plan.get()) }.map_err(fail)?;
            let value = values.get(py, plan.get(), index).map_err(fail)?.map(|value| value.to_owned());
            let Some(value) = value else {
                let name = &plan.get().fields[index].text;
                return Err(PyAttributeError::new_err(format!("{} has no attribute {name:?}", self.class)));
            };
            row.append(codec.encode(value.as_borrowed()).map_err(fail)?)?;
        }
        if let Some(version) = version {
            row.append(version)?;
        }
        Ok(row)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        self.decoders.iter().chain(&self.encoders).try_for_each(|codec| codec.traverse(&visit))
    }
}
