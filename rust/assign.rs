//! `entity.field = value`: validated, tracked, and in step with the names of the fields given.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PySet;

use crate::check::{check, is_str};
use crate::layout::{self, Values};
use crate::plan::{Assignment, Plan};
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise};
use crate::table;
use crate::track;
use crate::types::{self, fields_set_place, guard, set_fields_set};

/// `ModelCore.__setattr__`. A method instead of the type's slot: with the slot, `object.__setattr__` would refuse to
/// work on instances, and pydantic relies on it.
pub unsafe extern "C" fn setattr(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard(|py| {
        if count != 2 || !names.is_null() {
            return Err(raise(py, PyTypeError::new_err("__setattr__ takes a name and a value")));
        }
        // SAFETY: the interpreter passes live objects, two of them.
        unsafe {
            let object = Borrowed::from_ptr(py, object);
            let name = Borrowed::from_ptr(py, *arguments);
            let value = Borrowed::from_ptr(py, *arguments.add(1));
            let Some(plan) = Plan::held(py, ffi::Py_TYPE(object.as_ptr())) else {
                return types::beyond(py, object.as_ptr(), c"__setattr__", arguments, count, names);
            };
            match assign(object, plan.get(), name, value) {
                Ok(()) => Ok(py.None().into_bound(py)),
                Err(Fail::Slow) => slow(object, plan.get(), name, Some(value)),
                Err(Fail::Raised) => Err(Fail::Raised),
            }
        }
    })
}

pub unsafe extern "C" fn delattr(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard(|py| {
        if count != 1 || !names.is_null() {
            return Err(raise(py, PyTypeError::new_err("__delattr__ takes a name")));
        }
        // SAFETY: the interpreter passes live objects, one of them.
        unsafe {
            let object = Borrowed::from_ptr(py, object);
            let name = Borrowed::from_ptr(py, *arguments);
            match Plan::held(py, ffi::Py_TYPE(object.as_ptr())) {
                Some(plan) => slow(object, plan.get(), name, None),
                None => types::beyond(py, object.as_ptr(), c"__delattr__", arguments, count, names),
            }
        }
    })
}

/// The fast lane.
///
/// # Safety
/// `plan` is the plan of the type of `object`.
#[inline]
unsafe fn assign<'py>(object: View<'_, 'py>, plan: &Plan, name: View<'_, 'py>, value: View<'_, 'py>) -> Lane<()> {
    let py = object.py();
    if plan.assignment == Assignment::Slow {
        return Err(Fail::Slow);
    }
    let index = plan.find(name, 0).ok_or(Fail::Slow)?;
    let brief = &plan.briefs[index];
    if !brief.assignable {
        return Err(Fail::Slow);
    }
    // SAFETY: only the type's address is compared.
    let is_plain = unsafe { ffi::Py_TYPE(value.as_ptr()) }.cast_const() == brief.plain;
    let taken = if is_plain || plan.assignment == Assignment::Plain {
        value.to_owned()
    } else {
        check(&plan.fields[index].node, value, false)?.unwrap_or_else(|| value.to_owned())
    };
    // SAFETY: as promised by the caller; nothing runs Python code between finding the values and replacing one.
    unsafe {
        let place = fields_set_place(py, object.as_ptr());
        let Some(names): Option<Object<'py>> = Bound::from_borrowed_ptr_or_opt(py, *place) else {
            return Err(Fail::Slow);
        };
        let runtime = Runtime::get(py);
        let bits = runtime.bits(names.as_borrowed());
        if bits.is_none() && ffi::PySet_Check(names.as_ptr()) == 0 {
            return Err(Fail::Slow);
        }
        // Extra values are pydantic's to look after.
        if *object.as_ptr().cast::<u8>().offset(runtime.extra).cast::<*mut ffi::PyObject>() != ffi::Py_None() {
            return Err(Fail::Slow);
        }
        let old = Values::of(object, plan)?.replace(py, plan, index, taken)?;
        if plan.fields[index].indexed {
            let undo = || put_back(object, plan, index, old.clone());
            table::moved(object, plan, &[(index, old.clone())], undo)?;
        }
        let notes = plan.tracked && !track::has_noted(object, plan, index);
        let given = if notes { given_before(object)? } else { None };
        match bits {
            Some(bits) if bits >> index & 1 == 0 => set_fields_set(object, runtime.mask(py, bits | 1 << index)?),
            Some(_) => {}
            None => {
                if ffi::PySet_Add(names.as_ptr(), plan.fields[index].name.as_ptr()) < 0 {
                    return Err(Fail::Raised);
                }
            }
        }
        if notes { track::note(object, plan, index, old, given) } else { Ok(()) }
    }
}

/// Pydantic assigns or deletes (`value` None); an entity remembers what was there before.
fn slow<'py>(
    object: View<'_, 'py>,
    plan: &Plan,
    name: View<'_, 'py>,
    value: Option<View<'_, 'py>>,
) -> Lane<Object<'py>> {
    let py = object.py();
    let next = if value.is_some() { &plan.next_setattr } else { &plan.next_delattr };
    let index = if is_str(name) { plan.find(name, 0) } else { None };
    let direct = value.filter(|_| plan.assign_direct && index.is_some_and(|index| plan.briefs[index].assignable));
    let call = || {
        if let Some(value) = direct {
            let arguments = [plan.validator.as_ptr(), object.as_ptr(), name.as_ptr(), value.as_ptr()];
            let method = pyo3::intern!(py, "validate_assignment").as_ptr();
            // SAFETY: four live objects; a new reference or null with an exception.
            unsafe {
                owned(py, ffi::PyObject_VectorcallMethod(method, arguments.as_ptr(), 4, std::ptr::null_mut()))?;
            }
            return Ok(py.None().into_bound(py));
        }
        let arguments = [object.as_ptr(), name.as_ptr(), value.map_or(std::ptr::null_mut(), |value| value.as_ptr())];
        // SAFETY: as many live objects as are counted; a new reference or null with an exception.
        unsafe {
            let count = if value.is_some() { 3 } else { 2 };
            owned(py, ffi::PyObject_Vectorcall(next.as_ptr(), arguments.as_ptr(), count, std::ptr::null_mut()))
        }
    };
    let Some(index) = index.filter(|_| plan.tracked) else {
        if plan.tracked && plan.assignment_spreads {
            return spreading(object, plan, call);
        }
        return call();
    };
    if plan.assignment_spreads {
        return spreading(object, plan, call);
    }
    // SAFETY: the plan is that of the object's type.
    let old = unsafe { Values::of(object, plan)? }.get(py, plan, index)?;
    let given = given_before(object)?;
    let moves = table::moves(object, plan)?;
    let done = call()?;
    let changed = [(index, old.clone())];
    let changed = if plan.fields[index].indexed { &changed[..] } else { &[] };
    table::moved_since(object, plan, changed, moves, || put_back(object, plan, index, old.clone()))?;
    track::note(object, plan, index, old, given)?;
    Ok(done)
}

/// After a store has refused a value: the one before is there again.
fn put_back<'py>(object: View<'_, 'py>, plan: &Plan, index: usize, old: Option<Object<'py>>) -> Lane<()> {
    let py = object.py();
    // SAFETY: the plan is that of the object's type; live objects.
    unsafe {
        match old {
            Some(old) => {
                let values = Values::of(object, plan)?;
                if matches!(values.replace(py, plan, index, old.clone()), Err(Fail::Slow)) {
                    let dict = layout::dictionary(object, Some(plan))?;
                    dict.set_item(&plan.fields[index].name, old).map_err(|error| raise(py, error))?;
                }
            }
            None => {
                let dict = layout::dictionary(object, Some(plan))?;
                dict.del_item(&plan.fields[index].name).map_err(|error| raise(py, error))?;
            }
        }
    }
    Ok(())
}

/// A validator of the whole model may change other fields too: all are compared.
fn spreading<'py>(object: View<'_, 'py>, plan: &Plan, call: impl FnOnce() -> Lane<Object<'py>>) -> Lane<Object<'py>> {
    let py = object.py();
    let before = layout::copy_dictionary(object, Some(plan))?;
    // SAFETY: planned instances have the slot; it holds null or an object.
    let names: Option<Object<'py>> =
        unsafe { Bound::from_borrowed_ptr_or_opt(py, *fields_set_place(py, object.as_ptr())) };
    let given = fields_given(object)?;
    let undo = || -> Lane<()> {
        layout::set_dictionary(object, before.as_any().as_borrowed())?;
        if let (Some(names), Some(given)) = (&names, &given) {
            if let (Ok(names), Ok(given)) = (names.cast::<PySet>(), given.cast::<PySet>()) {
                names.clear();
                given.iter().try_for_each(|name| names.add(name)).map_err(|error| raise(py, error))?;
            }
            set_fields_set(object, names.clone());
        }
        Ok(())
    };
    let count = table::moves(object, plan)?;
    let done = match call() {
        Ok(done) => done,
        Err(fail) => {
            // Pydantic has assigned already when a validator of the whole model refuses.
            let error = PyErr::fetch(py);
            undo()?;
            table::moved_since(object, plan, &[], count, || Ok(()))?;
            error.restore(py);
            return Err(fail);
        }
    };
    let mut moves = Vec::new();
    let mut notes = Vec::new();
    for (index, field) in plan.fields.iter().enumerate() {
        // SAFETY: the plan is that of the object's type.
        let now = unsafe { Values::of(object, plan)? }.get(py, plan, index)?;
        let old = before.get_item(&field.name).map_err(|error| raise(py, error))?;
        let same = match (&old, &now) {
            (Some(old), Some(now)) => old.is(now),
            (None, None) => true,
            _ => false,
        };
        if !same {
            if plan.fields[index].indexed {
                moves.push((index, old.clone()));
            }
            notes.push((index, old));
        }
    }
    table::moved_since(object, plan, &moves, count, undo)?;
    for (index, old) in notes {
        track::note(object, plan, index, old, given.clone())?;
    }
    Ok(done)
}

/// The names of the fields given so far, if the entity has still to remember them.
#[inline]
fn given_before<'py>(object: View<'_, 'py>) -> Lane<Option<Object<'py>>> {
    if track::wants_given(object) { fields_given(object) } else { Ok(None) }
}

/// The names of the fields given so far, safe from what is to come.
#[inline]
fn fields_given<'py>(object: View<'_, 'py>) -> Lane<Option<Object<'py>>> {
    let py = object.py();
    // SAFETY: planned instances have the slot; it holds null or an object.
    unsafe {
        let place = fields_set_place(py, object.as_ptr());
        let Some(names): Option<Object<'py>> = Bound::from_borrowed_ptr_or_opt(py, *place) else {
            return Ok(None);
        };
        if ffi::PySet_Check(names.as_ptr()) != 0 {
            return owned(py, ffi::PySet_New(names.as_ptr())).map(Some);
        }
        Ok(Some(names))
    }
}
