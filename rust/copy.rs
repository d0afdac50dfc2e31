//! `copy.copy(model)`, and with it `model_copy()`.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::layout;
use crate::plan::Plan;
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned};
use crate::track;
use crate::types::{self, fields_set_place};

/// `ModelCore.__copy__`.
pub unsafe extern "C" fn copy(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    types::guard(|py| {
        // SAFETY: the interpreter passes a live instance and live arguments.
        unsafe {
            let view = Borrowed::from_ptr(py, object);
            let Some(plan) = Plan::held(py, ffi::Py_TYPE(object)) else {
                return types::beyond(py, object, c"__copy__", arguments, count, names);
            };
            let plan = plan.get();
            let copied = match shallow(view, plan) {
                Err(Fail::Slow) => types::call_next(py, &plan.next_copy, object, arguments, count, names)?,
                answer => answer?,
            };
            if plan.tracked && ffi::Py_TYPE(copied.as_ptr()) == ffi::Py_TYPE(object) {
                track::copy(view, copied.as_borrowed(), plan)?;
            }
            Ok(copied)
        }
    })
}

/// The fast lane: an instance that holds nothing but its attributes.
///
/// # Safety
/// `plan` is the plan of the type of `object`.
unsafe fn shallow<'py>(object: View<'_, 'py>, plan: &Plan) -> Lane<Object<'py>> {
    let py = object.py();
    // SAFETY: as promised by the caller. The offsets are those of BaseModel's slots, empty in a new instance.
    unsafe {
        let runtime = Runtime::get(py);
        let start = object.as_ptr().cast::<u8>();
        let extra = *start.offset(runtime.extra).cast::<*mut ffi::PyObject>();
        let private = *start.offset(runtime.private).cast::<*mut ffi::PyObject>();
        let names = *fields_set_place(py, object.as_ptr());
        if !plan.plain_new || extra != ffi::Py_None() || private != ffi::Py_None() || names.is_null() {
            return Err(Fail::Slow);
        }
        let names = if runtime.bits(Borrowed::from_ptr(py, names)).is_some() {
            Bound::from_borrowed_ptr(py, names)
        } else if ffi::Py_TYPE(names) == &raw mut ffi::PySet_Type {
            owned(py, ffi::PySet_New(names))?
        } else {
            return Err(Fail::Slow);
        };
        let copied = layout::duplicate(object, plan)?;
        let start = copied.as_ptr().cast::<u8>();
        *start.offset(runtime.extra).cast::<*mut ffi::PyObject>() = ffi::Py_NewRef(ffi::Py_None());
        *start.offset(runtime.private).cast::<*mut ffi::PyObject>() = ffi::Py_NewRef(ffi::Py_None());
        *start.offset(runtime.fields_set).cast::<*mut ffi::PyObject>() = names.into_ptr();
        if plan.tracked {
            track::settle(copied.as_borrowed(), plan)?;
        }
        Ok(copied)
    }
}
