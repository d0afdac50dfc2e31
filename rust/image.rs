//! Images: what a value that can change in place was at some moment.
//!
//! An immutable value is its own image; that of any other is a `Frozen` record of its parts. An image is compared
//! with a value as it is now (`unchanged`), made into a value like the old one (`thaw`), or put back into the very
//! object that it was made of (`restore`).

use std::collections::HashMap;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple, PyType};

use crate::check;
use crate::layout::Values;
use crate::plan::Plan;
use crate::record::{Held, new_record, record_types};
use crate::runtime::{Fail, Lane, Object, Runtime, raise};
use crate::track;

const LIST: u64 = 1;
const TUPLE: u64 = 2;
const SET: u64 = 3;
const DICT: u64 = 4;
/// A model: the items are the names and the values that it holds.
const MODEL: u64 = 5;
/// Anything else that can change in place and be copied: the one item is the copy.
const COPY: u64 = 6;

/// Containers nested deeper than this, or in themselves, are taken as they are.
const DEPTH: usize = 100;

/// Stands for "the entity had no such attribute".
pub fn missing(py: Python<'_>) -> Object<'_> {
    Runtime::get(py).undefined.bind(py).clone()
}

fn as_frozen<'py>(value: &Object<'py>) -> Option<Held<'py>> {
    let py = value.py();
    // SAFETY: a live object.
    let class = unsafe { ffi::Py_TYPE(value.as_ptr()) };
    (class == record_types(py).frozen.as_ptr().cast()).then(|| Held(value.clone()))
}

/// An image of `value` that stays as it is when the value changes in place. Immutable values are their own image.
pub fn freeze(value: Object<'_>) -> Lane<Object<'_>> {
    Freezer::default().freeze(value, 0)
}

/// One image being taken: a container that is met twice has one image, and one that contains itself is found out.
#[derive(Default)]
struct Freezer<'py> {
    images: HashMap<usize, Option<Object<'py>>>,
}

impl<'py> Freezer<'py> {
    fn freeze(&mut self, value: Object<'py>, depth: usize) -> Lane<Object<'py>> {
        let view = value.as_borrowed();
        if check::is_str(view)
            || check::is_int(view)
            || check::is_float(view)
            || check::is_bool(view)
            || value.is_none()
            || depth > DEPTH
        {
            return Ok(value);
        }
        if depth == 0 {
            return self.image(value, depth);
        }
        // Known to its container and to this function only, it can be nowhere else in the image.
        // SAFETY: a live object.
        if unsafe { ffi::Py_REFCNT(value.as_ptr()) } <= 2 {
            return self.image(value, depth);
        }
        let address = value.as_ptr() as usize;
        match self.images.get(&address) {
            Some(Some(image)) => return Ok(image.clone()),
            // Inside itself.
            Some(None) => return Ok(value),
            None => {}
        }
        self.images.insert(address, None);
        let image = self.image(value, depth)?;
        self.images.insert(address, Some(image.clone()));
        Ok(image)
    }

    fn items(&mut self, values: impl Iterator<Item = Object<'py>>, depth: usize) -> Lane<Vec<Object<'py>>> {
        values.map(|value| self.freeze(value, depth + 1)).collect()
    }

    fn image(&mut self, value: Object<'py>, depth: usize) -> Lane<Object<'py>> {
        let py = value.py();
        let view = value.as_borrowed();
        let frozen_type = record_types(py).frozen.bind(py);
        let fail = |error: PyErr| raise(py, error);
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            let images = self.items(tuple.iter(), depth)?;
            if images.iter().zip(tuple.iter()).all(|(image, item)| image.is(&item)) {
                return Ok(value);
            }
            return record_of(frozen_type, TUPLE, value, images);
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            let images = self.items(list.iter(), depth)?;
            return record_of(frozen_type, LIST, value, images);
        }
        if let Ok(set) = value.cast_exact::<PySet>() {
            let items = set.iter().collect();
            return record_of(frozen_type, SET, value, items);
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            let images = self.pairs(dict, depth)?;
            return record_of(frozen_type, DICT, value, images);
        }
        // SAFETY: a live object has a live type.
        if let Some(plan) = unsafe { Plan::held(py, ffi::Py_TYPE(value.as_ptr())) } {
            let plan = plan.get();
            if plan.frozen && plan.all_atomic {
                return Ok(value);
            }
            // SAFETY: the plan is that of the value's type.
            let values = unsafe { Values::of(view, plan)? };
            let mut images = Vec::with_capacity(plan.fields.len() * 2);
            for (index, field) in plan.fields.iter().enumerate() {
                if let Some(item) = values.get(py, plan, index)? {
                    images.push(field.name.bind(py).clone().into_any());
                    images.push(if field.mutable { self.freeze(item, depth + 1)? } else { item });
                }
            }
            return record_of(frozen_type, MODEL, value, images);
        }
        if value.is_instance(Runtime::get(py).base_model.bind(py)).map_err(fail)? {
            let dict = value.getattr(pyo3::intern!(py, "__dict__")).map_err(fail)?;
            let images = self.pairs(dict.cast::<PyDict>().map_err(|_| Fail::Slow)?, depth)?;
            return record_of(frozen_type, MODEL, value, images);
        }
        // SAFETY: flag checks on a live object.
        let copied = unsafe {
            ffi::PyList_Check(value.as_ptr()) != 0
                || ffi::PyDict_Check(value.as_ptr()) != 0
                || ffi::PySet_Check(value.as_ptr()) != 0
                || ffi::PyByteArray_Check(value.as_ptr()) != 0
        } || value.is_instance(Runtime::get(py).deque.bind(py)).map_err(fail)?
            || value.get_type().hasattr(pyo3::intern!(py, "__dataclass_fields__")).map_err(fail)?;
        if copied {
            // What cannot be copied (it holds a lock, say) is known by its identity only.
            if let Ok(copy) = Runtime::get(py).deepcopy.bind(py).call1((&value,)) {
                return record_of(frozen_type, COPY, value, vec![copy]);
            }
        }
        Ok(value)
    }

    fn pairs(&mut self, dict: &Bound<'py, PyDict>, depth: usize) -> Lane<Vec<Object<'py>>> {
        let dict = dict.copy().map_err(|error| raise(dict.py(), error))?;
        let mut images = Vec::with_capacity(dict.len() * 2);
        for (key, value) in dict.iter() {
            images.push(key);
            images.push(self.freeze(value, depth + 1)?);
        }
        Ok(images)
    }
}

fn record_of<'py>(
    class: &Bound<'py, PyType>,
    kind: u64,
    source: Object<'py>,
    items: Vec<Object<'py>>,
) -> Lane<Object<'py>> {
    let record = Held(new_record(class.py(), class, items.len(), kind)?);
    record.set_head(source);
    for (index, item) in items.into_iter().enumerate() {
        record.set(index, item);
    }
    Ok(record.0)
}

/// Whether `value` is, all the way down, what it was when `image` was made of it.
pub fn unchanged<'py>(image: &Object<'py>, value: &Object<'py>) -> PyResult<bool> {
    let py = image.py();
    let Some(frozen) = as_frozen(image) else {
        // What cannot be compared counts as changed: a signalling NaN, an array.
        return Ok(image.is(value) || image.eq(value).unwrap_or(false));
    };
    let count = frozen.len();
    let item = |index: usize| frozen.get(index).unwrap_or_else(|| missing(py));
    match frozen.tag() {
        LIST | TUPLE => {
            let view = value.as_borrowed();
            let right_type = if frozen.tag() == LIST { check::is_list(view) } else { check::is_tuple(view) };
            if !right_type || value.len()? != count {
                return Ok(false);
            }
            for index in 0..count {
                if !unchanged(&item(index), &value.get_item(index)?)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        SET => {
            if !check::is_set(value.as_borrowed()) || value.len()? != count {
                return Ok(false);
            }
            for index in 0..count {
                if !value.contains(item(index))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        DICT => {
            let Ok(dict) = value.cast_exact::<PyDict>() else { return Ok(false) };
            same_pairs(&frozen, dict)
        }
        MODEL => {
            let Some(source) = frozen.head() else { return Ok(false) };
            if !source.get_type().is(value.get_type()) {
                return Ok(false);
            }
            same_pairs(&frozen, &fields_of(value)?)
        }
        _ => Ok(item(0).eq(value).unwrap_or(false)),
    }
}

fn same_pairs<'py>(frozen: &Held<'py>, dict: &Bound<'py, PyDict>) -> PyResult<bool> {
    if dict.len() * 2 != frozen.len() {
        return Ok(false);
    }
    for index in (0..frozen.len()).step_by(2) {
        let (Some(key), Some(image)) = (frozen.get(index), frozen.get(index + 1)) else { return Ok(false) };
        match dict.get_item(key)? {
            Some(value) if unchanged(&image, &value)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The fields that a model holds, by name.
fn fields_of<'py>(model: &Object<'py>) -> PyResult<Bound<'py, PyDict>> {
    let py = model.py();
    // SAFETY: a live object has a live type; the plan is that of the type.
    unsafe {
        let Some(plan) = Plan::held(py, ffi::Py_TYPE(model.as_ptr())) else {
            return Ok(model.getattr("__dict__")?.cast_into::<PyDict>()?);
        };
        let fields = PyDict::new(py);
        let values = Values::of(model.as_borrowed(), plan.get()).map_err(|fail| error_of(py, fail))?;
        for (index, field) in plan.get().fields.iter().enumerate() {
            if let Some(value) = values.get(py, plan.get(), index).map_err(|fail| error_of(py, fail))? {
                fields.set_item(&field.name, value)?;
            }
        }
        Ok(fields)
    }
}

/// A value like the one that `image` was made of, with nothing in common that could change.
pub fn thaw<'py>(image: &Object<'py>) -> PyResult<Object<'py>> {
    let py = image.py();
    let Some(frozen) = as_frozen(image) else { return Ok(image.clone()) };
    let items = || (0..frozen.len()).filter_map(|index| frozen.get(index));
    let thawed = || items().map(|item| thaw(&item)).collect::<PyResult<Vec<_>>>();
    match frozen.tag() {
        LIST => Ok(PyList::new(py, thawed()?)?.into_any()),
        TUPLE => Ok(PyTuple::new(py, thawed()?)?.into_any()),
        SET => Ok(PySet::new(py, items())?.into_any()),
        DICT => Ok(pairs(&frozen, thaw)?.into_any()),
        MODEL => {
            let source = frozen.head().unwrap_or_else(|| py.None().into_bound(py));
            // Pydantic's copy: an entity's own would take along what it knows of its past, and that of its parts.
            let copy = Runtime::get(py).base_model.bind(py).call_method1("__copy__", (source,))?;
            let fields = copy.getattr("__dict__")?.cast_into::<PyDict>()?;
            fields.clear();
            fields.update(pairs(&frozen, thaw)?.as_mapping())?;
            track::reset_entity(&copy)?;
            Ok(copy)
        }
        _ => Runtime::get(py).deepcopy.bind(py).call1((frozen.get(0),)),
    }
}

fn pairs<'py>(
    frozen: &Held<'py>,
    make: impl Fn(&Object<'py>) -> PyResult<Object<'py>>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(frozen.0.py());
    for index in (0..frozen.len()).step_by(2) {
        if let (Some(key), Some(image)) = (frozen.get(index), frozen.get(index + 1)) {
            dict.set_item(key, make(&image)?)?;
        }
    }
    Ok(dict)
}

/// The very object that `image` was made of, with its old contents put back.
pub fn restore<'py>(image: &Object<'py>) -> PyResult<Object<'py>> {
    let py = image.py();
    let Some(frozen) = as_frozen(image) else { return Ok(image.clone()) };
    let source = frozen.head().unwrap_or_else(|| py.None().into_bound(py));
    let items = || (0..frozen.len()).filter_map(|index| frozen.get(index));
    match frozen.tag() {
        LIST => {
            let old = items().map(|item| restore(&item)).collect::<PyResult<Vec<_>>>()?;
            let list = source.cast::<PyList>()?;
            list.set_slice(0, list.len(), PyList::new(py, old)?.as_any())?;
        }
        TUPLE => items().try_for_each(|item| restore(&item).map(|_| ()))?,
        SET => {
            let set = source.cast::<PySet>()?;
            set.clear();
            items().try_for_each(|item| set.add(item))?;
        }
        DICT => {
            let old = pairs(&frozen, restore)?;
            let dict = source.cast::<PyDict>()?;
            dict.clear();
            dict.update(old.as_mapping())?;
        }
        MODEL => {
            let old = pairs(&frozen, restore)?;
            let fields = source.getattr("__dict__")?.cast_into::<PyDict>()?;
            fields.clear();
            fields.update(old.as_mapping())?;
        }
        _ => return Runtime::get(py).deepcopy.bind(py).call1((frozen.get(0),)),
    }
    Ok(source)
}

pub fn error_of(py: Python<'_>, fail: Fail) -> PyErr {
    match fail {
        Fail::Raised => PyErr::fetch(py),
        Fail::Slow => PyTypeError::new_err("the entity changed while it was read"),
    }
}
