//! Entities from the rows of a store.
//!
//! What a store's own codec wrote is trusted: nothing is validated. A row has a value for every field of the class, in
//! the order of the fields, and the record's version behind them where the store keeps one.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple, PyType};

use crate::construct::{Places, Slots};
use crate::plan::Plan;
use crate::runtime::{Fail, Object, owned};
use crate::track;

/// The version of a record whose store keeps none.
const STORED: u64 = 1;

fn raised(py: Python<'_>, fail: Fail, class: &Bound<'_, PyType>) -> PyErr {
    match fail {
        Fail::Raised => PyErr::fetch(py),
        Fail::Slow => PyTypeError::new_err(format!("{class} has no instances that could be made from a row")),
    }
}

fn one<'py>(
    class: &Bound<'py, PyType>,
    plan: &Plan,
    row: &Bound<'py, PyTuple>,
    decoders: &Bound<'py, PyTuple>,
) -> PyResult<Object<'py>> {
    let py = class.py();
    let fail = |fail| raised(py, fail, class);
    let count = plan.fields.len();
    if row.len() < count || decoders.len() != count {
        return Err(PyValueError::new_err(format!(
            "a row of {} values and {} decoders, for {count} fields",
            row.len(),
            decoders.len()
        )));
    }
    let mut places = Places::new();
    let mut slots = Slots::new(&mut places, count);
    for index in 0..count {
        let value = row.get_borrowed_item(index)?;
        let decoder = decoders.get_borrowed_item(index)?;
        let value = if decoder.is_none() || value.is_none() {
            value.to_owned()
        } else {
            // SAFETY: live objects; a new reference, or null with an exception.
            unsafe { owned(py, ffi::PyObject_CallOneArg(decoder.as_ptr(), value.as_ptr())) }.map_err(fail)?
        };
        slots.give(index, value);
    }
    let version = if row.len() > count { row.get_borrowed_item(count)?.extract()? } else { STORED };
    let object = slots.build_untracked(py, class.as_type_ptr(), plan).map_err(fail)?;
    track::become_record(object.as_borrowed(), plan, version, None).map_err(fail)?;
    Ok(object)
}

/// Entities of a class from rows: see the module.
///
/// A decoder is called with a field's value, unless that is None; None stands for the value as it is. The class has
/// neither private attributes nor code of its own that runs when an instance is made.
#[pyfunction]
#[pyo3(text_signature = "(class_, rows, decoders)")]
pub fn hydrate<'py>(
    class_: &Bound<'py, PyType>,
    rows: &Bound<'py, PyList>,
    decoders: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyList>> {
    let py = class_.py();
    let made = PyList::empty(py);
    // SAFETY: a live class.
    let plan = unsafe { Plan::held(py, class_.as_type_ptr()) }
        .filter(|plan| plan.get().tracked)
        .ok_or_else(|| raised(py, Fail::Slow, class_))?;
    for row in rows.iter() {
        made.append(one(class_, plan.get(), row.cast::<PyTuple>()?, decoders)?)?;
    }
    Ok(made)
}

/// The entity of one row: see `hydrate`.
#[pyfunction]
#[pyo3(text_signature = "(class_, row, decoders)")]
pub fn hydrate_one<'py>(
    class_: &Bound<'py, PyType>,
    row: &Bound<'py, PyTuple>,
    decoders: &Bound<'py, PyTuple>,
) -> PyResult<Object<'py>> {
    // SAFETY: a live class.
    let plan = unsafe { Plan::held(class_.py(), class_.as_type_ptr()) }
        .filter(|plan| plan.get().tracked)
        .ok_or_else(|| raised(class_.py(), Fail::Slow, class_))?;
    one(class_, plan.get(), row, decoders)
}
