//! `model_dump()`: a model as a dict. A value that has not exactly the declared type is pydantic's, which warns.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::check;
use crate::layout::{self, Values, Visitor};
use crate::plan::{Node, Plan, Written};
use crate::runtime::{Fail, Lane, Object, View, owned, unhashable};
use crate::types;

/// Models nested deeper than this are pydantic's, which finds cycles.
pub const DEPTH: usize = 64;

/// `self.model_dump()`.
pub unsafe extern "C" fn model_dump(
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    types::guard(|py| {
        // SAFETY: the interpreter passes a live instance and live arguments.
        unsafe {
            let Some(plan) = Plan::held(py, ffi::Py_TYPE(object)) else {
                return types::beyond(py, object, c"model_dump", arguments, count, names);
            };
            if count == 0 && names.is_null() && plan.get().dump {
                match dump_model(Borrowed::from_ptr(py, object), plan.get(), 0) {
                    Err(Fail::Slow) => {}
                    answer => return answer,
                }
            }
            match types::serialize(py, plan.get(), false, object, arguments, count, names) {
                Err(Fail::Slow) => types::call_next(py, &plan.get().next_model_dump, object, arguments, count, names),
                answer => answer,
            }
        }
    })
}

/// # Safety
/// `plan` is the plan of the type of `object`.
unsafe fn dump_model<'py>(object: View<'_, 'py>, plan: &Plan, depth: usize) -> Lane<Object<'py>> {
    if !plan.dump || depth > DEPTH {
        return Err(Fail::Slow);
    }
    let py = object.py();
    // SAFETY: as promised by the caller.
    unsafe {
        let dict = layout::blank(py, plan)?;
        Values::of(object, plan)?.each(py, plan, &mut Dumper { plan, dict: &dict, depth })?;
        Ok(dict)
    }
}

/// Puts the values of a model into a dict made by `layout::blank`.
struct Dumper<'a, 'py> {
    plan: &'a Plan,
    dict: &'a Object<'py>,
    depth: usize,
}

impl<'py> Visitor<'py> for Dumper<'_, 'py> {
    /// A value that stands for itself, where putting it into the dict is a matter of writing its address there.
    #[inline(always)]
    fn quick(&mut self, index: usize, value: View<'_, 'py>) -> bool {
        let known = match self.plan.briefs[index].written {
            Written::Str => check::is_str(value),
            Written::Int => check::is_int(value),
            Written::Float => check::is_float(value),
            Written::Bool => check::is_bool(value),
            Written::Otherwise => false,
        };
        // SAFETY: the dict was made for this plan, and nobody else knows it.
        known && self.plan.flat && unsafe { layout::put(self.dict, self.plan, index, value.as_ptr()) }.is_ok()
    }

    #[inline(always)]
    fn visit(&mut self, index: usize, value: View<'_, 'py>) -> Lane<()> {
        let dumped = dump(&self.plan.fields[index].node, value, self.depth)?;
        let item = dumped.as_ref().map_or(value.as_ptr(), |dumped| dumped.as_ptr());
        // SAFETY: as above.
        unsafe { layout::put(self.dict, self.plan, index, item) }
    }
}

const SLOW: Lane<Option<Object<'static>>> = Err(Fail::Slow);

#[inline(always)]
fn keep_if<'py>(condition: bool) -> Lane<Option<Object<'py>>> {
    if condition { Ok(None) } else { Err(Fail::Slow) }
}

/// Ok(None): the value stands for itself.
#[inline]
fn dump<'py>(node: &Node, value: View<'_, 'py>, depth: usize) -> Lane<Option<Object<'py>>> {
    let py = value.py();
    match node {
        Node::Str(_) => keep_if(check::is_str(value)),
        Node::Int { .. } => keep_if(check::is_int(value)),
        Node::Float { .. } => keep_if(check::is_float(value)),
        Node::Bool => keep_if(check::is_bool(value)),
        Node::Null => keep_if(value.is_none()),
        Node::Nullable(inner) => {
            if value.is_none() {
                return Ok(None);
            }
            dump(inner, value, depth)
        }
        Node::Bytes(_) => keep_if(check::is_bytes(value)),
        Node::DateTime => keep_if(check::is_datetime(value)),
        Node::Date => keep_if(check::is_date(value)),
        Node::Time => keep_if(check::is_time(value)),
        Node::TimeDelta => keep_if(check::is_timedelta(value)),
        Node::Uuid => keep_if(check::is_uuid(py, value)),
        Node::Decimal { .. } => keep_if(check::is_decimal(py, value)),
        // SAFETY: only the type's address is compared.
        Node::Enum { class, .. } => keep_if(unsafe { ffi::Py_TYPE(value.as_ptr()) } == class.as_ptr().cast()),
        Node::Literal { values } => keep_if(values.iter().any(|expected| expected.as_ptr() == value.as_ptr())),
        // SAFETY: the class is held by the plan that holds the node, and is the value's type.
        Node::Model(class) => unsafe {
            let class = class.as_ptr().cast::<ffi::PyTypeObject>();
            if ffi::Py_TYPE(value.as_ptr()) != class {
                return SLOW;
            }
            let plan = Plan::held(py, class).ok_or(Fail::Slow)?;
            dump_model(value, plan.get(), depth + 1).map(Some)
        },
        Node::List(item, _) => {
            if !check::is_list(value) {
                return SLOW;
            }
            dump_list(item, value, depth).map(Some)
        }
        Node::Set(item, _) => {
            if !check::is_set(value) {
                return SLOW;
            }
            dump_set(item, value, depth, false).map(Some)
        }
        Node::FrozenSet(item, _) => {
            if !check::is_frozenset(value) {
                return SLOW;
            }
            dump_set(item, value, depth, true).map(Some)
        }
        Node::Tuple(items) => dump_tuple(|index| items.get(index), Some(items.len()), value, depth),
        Node::Variadic(item, _) => dump_tuple(|_| Some(item), None, value, depth),
        Node::Dict(keys, values, _) => {
            if !check::is_dict(value) {
                return SLOW;
            }
            dump_dict(keys, values, value, depth).map(Some)
        }
        Node::Union(choices) => {
            for choice in choices {
                match dump(choice, value, depth) {
                    Err(Fail::Slow) => {}
                    answer => return answer,
                }
            }
            SLOW
        }
        Node::SlowToValidate(_, inner) => dump(inner, value, depth),
        Node::Any => dump_any(value, depth),
        Node::Slow(_) => SLOW,
    }
}

/// A value of undeclared type, where its own type leaves no doubt.
fn dump_any<'py>(value: View<'_, 'py>, depth: usize) -> Lane<Option<Object<'py>>> {
    let py = value.py();
    if check::is_str(value)
        || check::is_int(value)
        || check::is_float(value)
        || check::is_bool(value)
        || value.is_none()
        || check::is_bytes(value)
        || check::is_datetime(value)
        || check::is_date(value)
        || check::is_uuid(py, value)
        || check::is_decimal(py, value)
    {
        return Ok(None);
    }
    if depth > DEPTH {
        return SLOW;
    }
    if check::is_list(value) {
        return dump_list(&Node::Any, value, depth + 1).map(Some);
    }
    if check::is_dict(value) {
        return dump_dict(&Node::Any, &Node::Any, value, depth + 1).map(Some);
    }
    SLOW
}

fn dump_list<'py>(item: &Node, value: View<'_, 'py>, depth: usize) -> Lane<Object<'py>> {
    let py = value.py();
    // SAFETY: an exact list; each item is held before it is looked at, and the size is checked each time.
    unsafe {
        let size = ffi::PyList_GET_SIZE(value.as_ptr());
        let copy = owned(py, ffi::PyList_New(size))?;
        for index in 0..size {
            if index >= ffi::PyList_GET_SIZE(value.as_ptr()) {
                return Err(Fail::Slow);
            }
            let given = Bound::from_borrowed_ptr(py, ffi::PyList_GET_ITEM(value.as_ptr(), index));
            let dumped = dump(item, given.as_borrowed(), depth)?.unwrap_or(given);
            ffi::PyList_SET_ITEM(copy.as_ptr(), index, dumped.into_ptr());
        }
        Ok(copy)
    }
}

fn dump_tuple<'py, 'node>(
    node: impl Fn(usize) -> Option<&'node Node>,
    size: Option<usize>,
    value: View<'_, 'py>,
    depth: usize,
) -> Lane<Option<Object<'py>>> {
    if !check::is_tuple(value) {
        return SLOW;
    }
    let py = value.py();
    // SAFETY: an exact tuple keeps its size and its items; the new one is filled from the front.
    unsafe {
        let count = ffi::PyTuple_GET_SIZE(value.as_ptr());
        if size.is_some_and(|size| size != count as usize) {
            return SLOW;
        }
        let copy = owned(py, ffi::PyTuple_New(count))?;
        for index in 0..count {
            let given = Bound::from_borrowed_ptr(py, ffi::PyTuple_GET_ITEM(value.as_ptr(), index));
            let node = node(index as usize).ok_or(Fail::Slow)?;
            let dumped = dump(node, given.as_borrowed(), depth)?.unwrap_or(given);
            ffi::PyTuple_SET_ITEM(copy.as_ptr(), index, dumped.into_ptr());
        }
        Ok(Some(copy))
    }
}

fn dump_set<'py>(item: &Node, value: View<'_, 'py>, depth: usize, frozen: bool) -> Lane<Object<'py>> {
    let py = value.py();
    // SAFETY: an exact set or frozenset; a new frozenset may be filled before anybody else has seen it.
    unsafe {
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
            let dumped = dump(item, given.as_borrowed(), depth)?.unwrap_or(given);
            if ffi::PySet_Add(copy.as_ptr(), dumped.as_ptr()) < 0 {
                return Err(unhashable());
            }
        }
        if !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
            return Err(Fail::Slow);
        }
        Ok(copy)
    }
}

fn dump_dict<'py>(keys: &Node, values: &Node, value: View<'_, 'py>, depth: usize) -> Lane<Object<'py>> {
    let py = value.py();
    // SAFETY: an exact dict; key and value are held before anything else runs.
    unsafe {
        let size = ffi::PyDict_Size(value.as_ptr());
        let copy = owned(py, ffi::PyDict_New())?;
        let mut position = 0;
        let (mut key, mut item) = (std::ptr::null_mut(), std::ptr::null_mut());
        while ffi::PyDict_Next(value.as_ptr(), &mut position, &mut key, &mut item) != 0 {
            let key: Object<'py> = Bound::from_borrowed_ptr(py, key);
            let item: Object<'py> = Bound::from_borrowed_ptr(py, item);
            let key = dump(keys, key.as_borrowed(), depth)?.unwrap_or(key);
            let item = dump(values, item.as_borrowed(), depth)?.unwrap_or(item);
            if ffi::PyDict_SetItem(copy.as_ptr(), key.as_ptr(), item.as_ptr()) < 0 {
                return Err(unhashable());
            }
            if ffi::PyDict_Size(value.as_ptr()) != size {
                return Err(Fail::Slow);
            }
        }
        Ok(copy)
    }
}
