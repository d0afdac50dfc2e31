//! Change tracking: what an entity was when it was made, loaded or last saved.
//!
//! An entity has one slot for a `State`: null until there is something to remember. A state has a place for every
//! field. For a field of an immutable kind it takes the old value at the first assignment; for one whose value may
//! change in place (a list, a nested model) it holds a `Frozen` image from the start. Whether anything changed is
//! decided when somebody asks, by comparing, so that an equal value, or one set back, is no change.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicIsize, Ordering};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PySet, PyTuple, PyType};

use crate::check;
use crate::layout::{self, Values};
use crate::plan::Plan;
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise, slot_offset};
use crate::types;

/// An object with any number of references: the memory of both State and Frozen.
#[repr(C)]
struct Record {
    ob_base: ffi::PyVarObject,
    /// State: the version of the stored record, 0 for an entity that is not stored. Frozen: the kind.
    tag: u64,
    /// State: what the last save wrote, or null. Frozen: the object of which this is the image.
    head: *mut ffi::PyObject,
    /// State: the names of the fields given, as they were before the first assignment, or null.
    given: *mut ffi::PyObject,
    items: [*mut ffi::PyObject; 0],
}

const LIST: u64 = 1;
const TUPLE: u64 = 2;
const SET: u64 = 3;
const DICT: u64 = 4;
/// A model: the items are the names and the values that it holds.
const MODEL: u64 = 5;
/// Anything else that can change in place and be copied: the one item is the copy.
const COPY: u64 = 6;

/// The version of a record that was saved for the first time.
const FIRST: u64 = 1;

/// Containers nested deeper than this, or in themselves, are taken as they are.
const DEPTH: usize = 100;

unsafe extern "C" fn traverse(
    object: *mut ffi::PyObject,
    visit: ffi::visitproc,
    argument: *mut std::ffi::c_void,
) -> std::ffi::c_int {
    // SAFETY: called by the collector on a Record, which holds null or references everywhere.
    unsafe {
        let record = object.cast::<Record>();
        let class = ffi::Py_TYPE(object).cast::<ffi::PyObject>();
        let items = std::slice::from_raw_parts((&raw mut (*record).items).cast(), ffi::Py_SIZE(object) as usize);
        for &held in [class, (*record).head, (*record).given].iter().chain(items) {
            if !held.is_null() {
                let stop = visit(held, argument);
                if stop != 0 {
                    return stop;
                }
            }
        }
    }
    0
}

unsafe extern "C" fn clear(object: *mut ffi::PyObject) -> std::ffi::c_int {
    // SAFETY: as in `traverse`; each place is emptied before its reference is given up.
    unsafe {
        let record = object.cast::<Record>();
        let items = (&raw mut (*record).items).cast::<*mut ffi::PyObject>();
        for index in 0..ffi::Py_SIZE(object) {
            ffi::Py_XDECREF(ptr::replace(items.offset(index), ptr::null_mut()));
        }
        ffi::Py_XDECREF(ptr::replace(&raw mut (*record).head, ptr::null_mut()));
        ffi::Py_XDECREF(ptr::replace(&raw mut (*record).given, ptr::null_mut()));
    }
    0
}

unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: nobody else holds the object; heap types are released after their last instance.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        clear(object);
        let class = ffi::Py_TYPE(object);
        ffi::PyObject_GC_Del(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

struct RecordTypes {
    state: Py<PyType>,
    frozen: Py<PyType>,
    /// The state, shared, of entities that were saved once and have not changed since.
    saved: Py<PyAny>,
    /// The state, shared, of entities that pydantic has filled and whose own code has still to run.
    fresh: Py<PyAny>,
}

static TYPES: PyOnceLock<RecordTypes> = PyOnceLock::new();
static STATE_SLOT: AtomicIsize = AtomicIsize::new(0);

fn record_types(py: Python<'_>) -> &RecordTypes {
    // The module's initialisation fills it before anything else can run.
    TYPES.get(py).expect("nitro._core is initialised")
}

pub fn initialise(py: Python<'_>) -> PyResult<()> {
    TYPES
        .get_or_try_init(py, || {
            let state = types::make_type::<Record>(
                py,
                c"nitro._core.State",
                8,
                ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION,
                &mut slots(),
            )?;
            let frozen = types::make_type::<Record>(
                py,
                c"nitro._core.Frozen",
                8,
                ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION,
                &mut slots(),
            )?;
            let saved = new_record(py, &state, 0, FIRST).map_err(|_| PyErr::fetch(py))?;
            let fresh = new_record(py, &state, 0, 0).map_err(|_| PyErr::fetch(py))?;
            Ok(RecordTypes {
                state: state.unbind(),
                frozen: frozen.unbind(),
                saved: saved.unbind(),
                fresh: fresh.unbind(),
            })
        })
        .map(|_: &RecordTypes| ())
}

fn slots() -> [ffi::PyType_Slot; 4] {
    [
        ffi::PyType_Slot { slot: ffi::Py_tp_traverse, pfunc: traverse as *mut _ },
        ffi::PyType_Slot { slot: ffi::Py_tp_clear, pfunc: clear as *mut _ },
        ffi::PyType_Slot { slot: ffi::Py_tp_dealloc, pfunc: dealloc as *mut _ },
        ffi::PyType_Slot { slot: 0, pfunc: ptr::null_mut() },
    ]
}

/// A record of `count` empty places.
fn new_record<'py>(py: Python<'py>, class: &Bound<'py, PyType>, count: usize, tag: u64) -> Lane<Object<'py>> {
    // SAFETY: the type was made for Record; every place is written before the collector may look.
    unsafe {
        let object = owned(py, ffi::PyObject_GC_NewVar::<ffi::PyObject>(class.as_type_ptr(), count as isize))?;
        let record = object.as_ptr().cast::<Record>();
        (*record).tag = tag;
        (*record).head = ptr::null_mut();
        (*record).given = ptr::null_mut();
        ptr::write_bytes((&raw mut (*record).items).cast::<*mut ffi::PyObject>(), 0, count);
        ffi::PyObject_GC_Track(object.as_ptr().cast());
        Ok(object)
    }
}

/// A live State or Frozen.
#[derive(Clone)]
struct Held<'py>(Object<'py>);

impl<'py> Held<'py> {
    fn record(&self) -> *mut Record {
        self.0.as_ptr().cast()
    }

    fn len(&self) -> usize {
        // SAFETY: a record is a var-sized object.
        unsafe { ffi::Py_SIZE(self.0.as_ptr()) as usize }
    }

    fn get(&self, index: usize) -> Option<Object<'py>> {
        assert!(index < self.len(), "a record is read within its size");
        // SAFETY: within the size; null or a live object.
        unsafe {
            let items = (&raw mut (*self.record()).items).cast::<*mut ffi::PyObject>();
            Bound::from_borrowed_ptr_or_opt(self.0.py(), *items.add(index))
        }
    }

    fn set(&self, index: usize, value: Object<'py>) {
        assert!(index < self.len(), "a record is written within its size");
        // SAFETY: within the size; the old value is given up after it is out of reach.
        unsafe {
            let items = (&raw mut (*self.record()).items).cast::<*mut ffi::PyObject>();
            ffi::Py_XDECREF(ptr::replace(items.add(index), value.into_ptr()));
        }
    }

    fn tag(&self) -> u64 {
        // SAFETY: a live record.
        unsafe { (*self.record()).tag }
    }

    fn set_tag(&self, tag: u64) {
        // SAFETY: a live record.
        unsafe { (*self.record()).tag = tag };
    }

    fn head(&self) -> Option<Object<'py>> {
        // SAFETY: null or a live object.
        unsafe { Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.record()).head) }
    }

    fn set_head(&self, value: Object<'py>) {
        // SAFETY: a live record.
        unsafe { ffi::Py_XDECREF(ptr::replace(&raw mut (*self.record()).head, value.into_ptr())) };
    }

    fn given(&self) -> Option<Object<'py>> {
        // SAFETY: null or a live object.
        unsafe { Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.record()).given) }
    }

    fn set_given(&self, value: Object<'py>) {
        // SAFETY: a live record.
        unsafe { ffi::Py_XDECREF(ptr::replace(&raw mut (*self.record()).given, value.into_ptr())) };
    }
}

/// Remembers where Entity keeps its state.
pub fn register(entity: &Bound<'_, PyType>) -> PyResult<()> {
    STATE_SLOT.store(slot_offset(entity.as_any(), "__nitro_state__")?, Ordering::Relaxed);
    Ok(())
}

/// The place of the state in a tracked entity.
///
/// # Safety
/// `object` is an instance of Entity.
unsafe fn state_place(object: View<'_, '_>) -> *mut *mut ffi::PyObject {
    // SAFETY: Entity's slot is at the same offset in all its subclasses.
    unsafe { object.as_ptr().cast::<u8>().offset(STATE_SLOT.load(Ordering::Relaxed)).cast() }
}

fn state<'py>(object: View<'_, 'py>) -> Option<Held<'py>> {
    let py = object.py();
    // SAFETY: only called for tracked plans; the slot is writable from Python, so its type is compared.
    unsafe {
        let place = *state_place(object);
        if place.is_null() || ffi::Py_TYPE(place) != record_types(py).state.as_ptr().cast() {
            return None;
        }
        Some(Held(Bound::from_borrowed_ptr(py, place)))
    }
}

fn set_state(object: View<'_, '_>, state: Option<Object<'_>>) {
    // SAFETY: only called for tracked plans.
    unsafe {
        let new = state.map_or(ptr::null_mut(), Bound::into_ptr);
        ffi::Py_XDECREF(ptr::replace(state_place(object), new));
    }
}

/// The entity's own state, made when it has none.
fn own_state<'py>(object: View<'_, 'py>, plan: &Plan) -> Lane<Held<'py>> {
    let py = object.py();
    let known = state(object);
    if let Some(state) = &known
        && state.len() == plan.fields.len()
    {
        return Ok(state.clone());
    }
    let tag = known.map_or(0, |state| state.tag());
    let made = Held(new_record(py, record_types(py).state.bind(py), plan.fields.len(), tag)?);
    set_state(object, Some(made.0.clone()));
    Ok(made)
}

/// Stands for "the entity had no such attribute".
fn missing(py: Python<'_>) -> Object<'_> {
    Runtime::get(py).undefined.bind(py).clone()
}

fn as_frozen<'py>(value: &Object<'py>) -> Option<Held<'py>> {
    let py = value.py();
    // SAFETY: a live object.
    let class = unsafe { ffi::Py_TYPE(value.as_ptr()) };
    (class == record_types(py).frozen.as_ptr().cast()).then(|| Held(value.clone()))
}

/// An image of `value` that stays as it is when the value changes in place. Immutable values are their own image.
fn freeze(value: Object<'_>) -> Lane<Object<'_>> {
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
fn unchanged<'py>(image: &Object<'py>, value: &Object<'py>) -> PyResult<bool> {
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
fn thaw<'py>(image: &Object<'py>) -> PyResult<Object<'py>> {
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
            if let Ok(tracked) = Tracked::new(&copy) {
                reset(tracked.object, tracked.plan.get()).map_err(|fail| error_of(py, fail))?;
            }
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
fn restore<'py>(image: &Object<'py>) -> PyResult<Object<'py>> {
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

/// Starts tracking an entity that has all its fields: takes an image of what may change in place.
pub fn settle(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    if !plan.any_mutable {
        return Ok(());
    }
    let py = object.py();
    let state = own_state(object, plan)?;
    // SAFETY: the plan is that of the object's type.
    let values = unsafe { Values::of(object, plan)? };
    for (index, field) in plan.fields.iter().enumerate() {
        if field.mutable {
            let image = match values.get(py, plan, index)? {
                Some(value) => freeze(value)?,
                None => missing(py),
            };
            state.set(index, image);
        }
    }
    Ok(())
}

/// Starts tracking an instance that pydantic has filled: at once, or when the class's own code has run (`settle_late`).
pub fn filled(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    if !plan.settles_late {
        return settle(object, plan);
    }
    set_state(object, Some(record_types(object.py()).fresh.bind(object.py()).clone()));
    Ok(())
}

fn is_fresh(object: View<'_, '_>) -> bool {
    state(object).is_some_and(|state| state.0.is(&record_types(object.py()).fresh))
}

/// Starts tracking an instance whose class's own code has run; one that is tracked already stays as it is.
pub fn settle_late(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    if is_fresh(object) { reset(object, plan) } else { Ok(()) }
}

/// Starts the tracking of a new entity whose class has code of its own around pydantic's, when that code has run.
#[pyfunction]
#[pyo3(text_signature = "(entity)")]
pub fn settle_entity<'py>(entity: Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    if let Ok(tracked) = Tracked::new(&entity) {
        settle_late(tracked.object, tracked.plan.get()).map_err(|fail| error_of(entity.py(), fail))?;
    }
    Ok(entity)
}

/// Forgets what was.
pub fn forget(object: View<'_, '_>) {
    set_state(object, None);
}

/// Forgets what was, and starts again from what is.
pub fn reset(object: View<'_, '_>, plan: &Plan) -> Lane<()> {
    set_state(object, None);
    settle(object, plan)
}

/// Whether an entity still has to remember which fields were given before its first assignment.
#[inline]
pub fn wants_given(object: View<'_, '_>) -> bool {
    state(object).is_none_or(|state| state.len() == 0 || state.given().is_none())
}

/// Remembers the value that a field had before an assignment; `given` is what the slot of given fields held.
pub fn note<'py>(
    object: View<'_, 'py>,
    plan: &Plan,
    index: usize,
    old: Option<Object<'py>>,
    given: Option<Object<'py>>,
) -> Lane<()> {
    let py = object.py();
    if is_fresh(object) {
        return Ok(());
    }
    let state = own_state(object, plan)?;
    if let Some(given) = given
        && state.given().is_none()
    {
        state.set_given(given);
    }
    if state.get(index).is_none() {
        let image = match old {
            Some(value) if plan.fields[index].mutable => freeze(value)?,
            Some(value) => value,
            None => missing(py),
        };
        state.set(index, image);
    }
    Ok(())
}

fn error_of(py: Python<'_>, fail: Fail) -> PyErr {
    match fail {
        Fail::Raised => PyErr::fetch(py),
        Fail::Slow => PyTypeError::new_err("the entity changed while it was read"),
    }
}

/// A tracked entity with its plan.
struct Tracked<'a, 'py> {
    object: View<'a, 'py>,
    plan: Bound<'py, Plan>,
}

impl<'a, 'py> Tracked<'a, 'py> {
    fn new(object: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: a live object has a live type.
        let plan = unsafe { Plan::held(object.py(), ffi::Py_TYPE(object.as_ptr())) };
        match plan.filter(|plan| plan.get().tracked) {
            Some(plan) => Ok(Self { object: object.as_borrowed(), plan }),
            None => Err(PyTypeError::new_err(format!(
                "changes are tracked on entities; {} is none",
                object.get_type().name()?
            ))),
        }
    }

    fn py(&self) -> Python<'py> {
        self.object.py()
    }

    fn current(&self, index: usize) -> PyResult<Option<Object<'py>>> {
        // SAFETY: the plan is that of the object's type.
        unsafe { Values::of(self.object, self.plan.get()) }
            .and_then(|values| values.get(self.py(), self.plan.get(), index))
            .map_err(|fail| error_of(self.py(), fail))
    }

    /// Calls `found` with each field that changed: its number, its old image, its value.
    fn each_change(
        &self,
        mut found: impl FnMut(usize, &Object<'py>, Option<Object<'py>>) -> PyResult<bool>,
    ) -> PyResult<()> {
        let Some(state) = state(self.object) else { return Ok(()) };
        for index in 0..state.len() {
            let Some(image) = state.get(index) else { continue };
            let now = self.current(index)?;
            let was_missing = image.is(missing(self.py()));
            let same = match &now {
                Some(value) => !was_missing && unchanged(&image, value)?,
                None => was_missing,
            };
            if !same && !found(index, &image, now)? {
                break;
            }
        }
        Ok(())
    }

    fn old(&self, image: &Object<'py>) -> PyResult<Object<'py>> {
        if image.is(missing(self.py())) { Ok(self.py().None().into_bound(self.py())) } else { thaw(image) }
    }
}

/// {field: (old value, new value)} of a tracked entity; None stands for an attribute that is not there.
#[pyfunction]
pub fn changes<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let tracked = Tracked::new(entity)?;
    let changes = PyDict::new(entity.py());
    tracked.each_change(|index, image, now| {
        changes.set_item(&tracked.plan.get().fields[index].name, (tracked.old(image)?, now))?;
        Ok(true)
    })?;
    Ok(changes)
}

/// Whether any field differs from what was made, loaded or last saved.
#[pyfunction]
pub fn is_changed(entity: &Bound<'_, PyAny>) -> PyResult<bool> {
    let mut any = false;
    Tracked::new(entity)?.each_change(|_, _, _| {
        any = true;
        Ok(false)
    })?;
    Ok(any)
}

/// The value that a field had when the entity was made, loaded or last saved.
#[pyfunction]
pub fn original<'py>(entity: &Bound<'py, PyAny>, field: &str) -> PyResult<Object<'py>> {
    let tracked = Tracked::new(entity)?;
    let index = tracked
        .plan
        .get()
        .find_text(field, 0)
        .ok_or_else(|| PyAttributeError::new_err(format!("{} has no field {field:?}", type_name(entity))))?;
    let image = state(tracked.object).filter(|state| index < state.len()).and_then(|state| state.get(index));
    match image {
        Some(image) => tracked.old(&image),
        None => Ok(tracked.current(index)?.unwrap_or_else(|| entity.py().None().into_bound(entity.py()))),
    }
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "the entity".to_owned(), |name| name.to_string())
}

/// {field: (old value, new value)} as the last save wrote them; every field, with None as the old value, where that
/// save was the first; empty before any save.
#[pyfunction]
pub fn previous_changes<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    let tracked = Tracked::new(entity)?;
    let py = entity.py();
    let previous = PyDict::new(py);
    if let Some(state) = state(tracked.object) {
        if let Some(known) = state.head() {
            for (field, pair) in known.cast::<PyDict>()?.copy()?.iter() {
                let (old, new): (Object<'_>, Object<'_>) = pair.extract()?;
                previous.set_item(field, (tracked.old(&old)?, thaw(&new)?))?;
            }
            return Ok(previous.into_any());
        }
        if state.tag() == FIRST {
            for field in &tracked.plan.get().fields {
                previous.set_item(&field.name, (py.None(), original(entity, &field.text)?))?;
            }
        }
    }
    Ok(previous.into_any())
}

/// Puts every field back to what it was when the entity was made, loaded or last saved; containers and nested models
/// get their old contents back in place.
#[pyfunction]
pub fn revert_changes(entity: &Bound<'_, PyAny>) -> PyResult<()> {
    let tracked = Tracked::new(entity)?;
    let py = entity.py();
    let mut old = Vec::new();
    tracked.each_change(|index, image, _| {
        old.push((index, image.clone()));
        Ok(true)
    })?;
    let plan = tracked.plan.get();
    for (index, image) in old {
        // SAFETY: the plan is that of the object's type.
        let dict = unsafe { layout::dictionary(tracked.object, Some(plan)) }.map_err(|fail| error_of(py, fail))?;
        let name = &plan.fields[index].name;
        if image.is(missing(py)) {
            dict.del_item(name)?;
        } else {
            dict.set_item(name, restore(&image)?)?;
        }
    }
    if let Some(state) = state(tracked.object)
        && state.len() > 0
    {
        if let Some(given) = state.given() {
            types::set_fields_set(tracked.object, given);
        }
        let previous = state.head();
        let version = state.tag();
        restart(&tracked, version, previous)?;
    }
    Ok(())
}

/// Starts tracking anew from what is, as version `version`, and with what the last save wrote.
fn restart<'py>(tracked: &Tracked<'_, 'py>, version: u64, previous: Option<Object<'py>>) -> PyResult<()> {
    let py = tracked.py();
    let plan = tracked.plan.get();
    let fail = |fail| error_of(py, fail);
    if version == FIRST && previous.is_none() && !plan.any_mutable {
        set_state(tracked.object, Some(record_types(py).saved.bind(py).clone()));
        return Ok(());
    }
    set_state(tracked.object, None);
    if version != 0 || previous.is_some() {
        let state = own_state(tracked.object, plan).map_err(fail)?;
        state.set_tag(version);
        if let Some(previous) = previous {
            state.set_head(previous);
        }
    }
    settle(tracked.object, plan).map_err(fail)
}

/// The version of the stored record that the entity was loaded or saved as; 0 when it is not stored.
#[pyfunction]
pub fn version(entity: &Bound<'_, PyAny>) -> PyResult<u64> {
    Ok(state(Tracked::new(entity)?.object).map_or(0, |state| state.tag()))
}

/// Takes the entity as it is for what was saved as `version` of its record; 1 is the first, 0 means that it is no
/// longer stored.
#[pyfunction]
pub fn accept_changes(entity: &Bound<'_, PyAny>, version: u64) -> PyResult<()> {
    let tracked = Tracked::new(entity)?;
    if version <= FIRST {
        return restart(&tracked, version, None);
    }
    // Images, as what was written must not change with what goes on to change.
    let written = PyDict::new(entity.py());
    tracked.each_change(|index, image, now| {
        let new = now.map(freeze).transpose().map_err(|fail| error_of(entity.py(), fail))?;
        written.set_item(&tracked.plan.get().fields[index].name, (image, new))?;
        Ok(true)
    })?;
    restart(&tracked, version, Some(written.into_any()))
}

/// {field: value when made, loaded or last saved} of the fields that changed, PydanticUndefined where there was none:
/// what a copy of the entity must be told.
#[pyfunction]
pub fn originals<'py>(entity: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let tracked = Tracked::new(entity)?;
    let originals = PyDict::new(entity.py());
    tracked.each_change(|index, image, _| {
        originals.set_item(&tracked.plan.get().fields[index].name, thaw(image)?)?;
        Ok(true)
    })?;
    Ok(originals)
}

/// Makes `copy`, made from `entity` with all its values, know what `entity` knows: its version and what it was.
#[pyfunction]
pub fn copy_tracking(entity: &Bound<'_, PyAny>, copy: &Bound<'_, PyAny>) -> PyResult<()> {
    // An instance of a class that is not complete is not tracked yet.
    let Ok(source) = Tracked::new(entity) else { return Ok(()) };
    self::copy(source.object, copy.as_borrowed(), source.plan.get()).map_err(|fail| error_of(entity.py(), fail))
}

/// The same, between two instances of the class of `plan`.
pub fn copy(entity: View<'_, '_>, copy: View<'_, '_>, plan: &Plan) -> Lane<()> {
    let py = entity.py();
    settle_late(copy, plan)?;
    let Some(state) = state(entity) else { return Ok(()) };
    if state.len() == 0 {
        set_state(copy, Some(state.0));
        return settle(copy, plan);
    }
    let entity = entity.to_owned();
    let tell = || set_originals(&copy.to_owned(), version(&entity)?, &originals(&entity)?);
    tell().map_err(|error| raise(py, error))
}

/// Tells an entity, a copy of another one, which version of the record it is and from what its fields have changed.
#[pyfunction]
pub fn set_originals(entity: &Bound<'_, PyAny>, version: u64, originals: &Bound<'_, PyDict>) -> PyResult<()> {
    let tracked = Tracked::new(entity)?;
    let plan = tracked.plan.get();
    let fail = |fail| error_of(entity.py(), fail);
    if originals.is_empty() && version == 0 {
        return Ok(());
    }
    let state = own_state(tracked.object, plan).map_err(fail)?;
    state.set_tag(version);
    for (name, value) in originals.iter() {
        if let Some(index) = plan.find(name.as_borrowed(), 0) {
            state.set(index, if plan.fields[index].mutable { freeze(value).map_err(fail)? } else { value });
        }
    }
    Ok(())
}
