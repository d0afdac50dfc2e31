//! New instances from keywords and from dicts.

use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;

use crate::check::{check, is_dict, is_str};
use crate::layout;
use crate::plan::{Default, MASK_FIELDS, Plan};
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise};
use crate::track;
use crate::types;
use crate::uuid7;

/// Fields up to this number are collected on the stack.
const STACK_FIELDS: usize = 24;
/// As many as most classes have.
const COMMON_FIELDS: usize = 8;

/// The memory of `Slots`. It stays where it is made: moving it would copy it all.
pub struct Places {
    stack: [MaybeUninit<*mut ffi::PyObject>; STACK_FIELDS],
    heap: Vec<*mut ffi::PyObject>,
}

impl Places {
    #[inline(always)]
    pub const fn new() -> Self {
        Self { stack: [MaybeUninit::uninit(); STACK_FIELDS], heap: Vec::new() }
    }

    /// `count` empty places.
    #[inline(always)]
    fn empty(&mut self, count: usize) -> &mut [*mut ffi::PyObject] {
        if count > STACK_FIELDS {
            self.heap.resize(count, std::ptr::null_mut());
            return &mut self.heap;
        }
        // A number of them that is known beforehand takes no loop.
        self.stack[..COMMON_FIELDS].fill(MaybeUninit::new(std::ptr::null_mut()));
        if count > COMMON_FIELDS {
            self.stack[COMMON_FIELDS..count].fill(MaybeUninit::new(std::ptr::null_mut()));
        }
        // SAFETY: the first `count` places have just been written.
        unsafe { std::slice::from_raw_parts_mut(self.stack.as_mut_ptr().cast(), count) }
    }
}

/// The values of an instance to be, one place a field; null where none is given yet. Owns what it holds.
pub struct Slots<'a> {
    places: &'a mut [*mut ffi::PyObject],
    /// One bit for each field that was given, for classes of up to MASK_FIELDS fields.
    given: u64,
}

impl<'a> Slots<'a> {
    /// A place for each of `count` fields.
    #[inline(always)]
    pub fn new(places: &'a mut Places, count: usize) -> Self {
        Self { places: places.empty(count), given: 0 }
    }

    /// Whether the field was given.
    pub fn has(&self, index: usize) -> bool {
        !self.places[index].is_null()
    }

    /// Takes a value for a field; a field given twice takes the later one.
    #[inline(always)]
    pub fn give(&mut self, index: usize, value: Object<'_>) {
        let place = &mut self.places[index];
        let old = std::mem::replace(place, value.into_ptr());
        if index < MASK_FIELDS {
            self.given |= 1 << index;
        }
        if !old.is_null() {
            // SAFETY: an owned reference that nothing else knows.
            unsafe { ffi::Py_DECREF(old) };
        }
    }

    /// The names of the fields that were given, as the slot `__pydantic_fields_set__` keeps them: a mask, or
    /// a set for a class of many fields.
    fn fields_set<'py>(&mut self, py: Python<'py>, plan: &Plan) -> Lane<Object<'py>> {
        if plan.fields.len() <= MASK_FIELDS {
            return Runtime::get(py).mask(py, self.given);
        }
        // SAFETY: names are live strings.
        unsafe {
            let set = owned(py, ffi::PySet_New(std::ptr::null_mut()))?;
            for (place, field) in self.places.iter().zip(&plan.fields) {
                if !place.is_null() && ffi::PySet_Add(set.as_ptr(), field.name.as_ptr()) < 0 {
                    return Err(Fail::Raised);
                }
            }
            Ok(set)
        }
    }

    /// Slow when a field that must be given was not.
    #[inline]
    fn fill_defaults(&mut self, py: Python<'_>, plan: &Plan) -> Lane<()> {
        if plan.fields.len() <= MASK_FIELDS {
            if self.given == plan.everything {
                return Ok(());
            }
            if self.given & plan.required != plan.required {
                return Err(Fail::Slow);
            }
        } else if self
            .places
            .iter()
            .zip(&plan.fields)
            .any(|(place, field)| place.is_null() && matches!(field.default, Default::Required))
        {
            return Err(Fail::Slow);
        }
        for (index, field) in plan.fields.iter().enumerate() {
            if self.places[index].is_null() {
                let value = default(py, &field.default)?;
                self.places[index] = value.into_ptr();
            }
        }
        Ok(())
    }

    /// Makes the instance.
    #[inline]
    pub fn build<'py>(&mut self, py: Python<'py>, class: *mut ffi::PyTypeObject, plan: &Plan) -> Lane<Object<'py>> {
        let object = self.build_untracked(py, class, plan)?;
        if plan.tracked && plan.any_mutable {
            track::settle(object.as_borrowed(), plan)?;
        }
        Ok(object)
    }

    /// Makes the instance, whose tracking the caller starts.
    #[inline]
    pub fn build_untracked<'py>(
        &mut self,
        py: Python<'py>,
        class: *mut ffi::PyTypeObject,
        plan: &Plan,
    ) -> Lane<Object<'py>> {
        // SAFETY: a live type. An abstract class is refused by whoever makes its instances in the ordinary way.
        if unsafe { (*class).tp_flags } & ffi::Py_TPFLAGS_IS_ABSTRACT != 0 {
            return Err(Fail::Slow);
        }
        let fields_set = self.fields_set(py, plan)?;
        self.fill_defaults(py, plan)?;
        // SAFETY: the plan belongs to the class; every place is filled now, and forgotten as soon as `build` has
        // taken the values over. The offsets are those of BaseModel's slots, empty in a new instance.
        unsafe {
            let object = layout::build(py, class, plan, self.release())?;
            let runtime = Runtime::get(py);
            let start = object.as_ptr().cast::<u8>();
            *start.offset(runtime.extra).cast::<*mut ffi::PyObject>() = new_none();
            *start.offset(runtime.private).cast::<*mut ffi::PyObject>() = new_none();
            *start.offset(runtime.fields_set).cast::<*mut ffi::PyObject>() = fields_set.into_ptr();
            Ok(object)
        }
    }

    /// The values, which are the caller's from here on.
    #[inline(always)]
    fn release(&mut self) -> &'a [*mut ffi::PyObject] {
        &*std::mem::take(&mut self.places)
    }
}

impl Drop for Slots<'_> {
    #[inline]
    fn drop(&mut self) {
        for &mut place in &mut *self.places {
            // SAFETY: null or an owned reference.
            unsafe { ffi::Py_XDECREF(place) };
        }
    }
}

#[inline(always)]
fn new_none() -> *mut ffi::PyObject {
    // SAFETY: None lives for ever.
    unsafe { ffi::Py_NewRef(ffi::Py_None()) }
}

fn default<'py>(py: Python<'py>, default: &Default) -> Lane<Object<'py>> {
    // SAFETY: live objects, and functions that give a new reference or set an exception.
    unsafe {
        match default {
            Default::Constant(value) => Ok(value.bind(py).clone()),
            Default::Identity => identity(py),
            Default::EmptyList => owned(py, ffi::PyList_New(0)),
            Default::EmptyDict => owned(py, ffi::PyDict_New()),
            Default::EmptySet => owned(py, ffi::PySet_New(std::ptr::null_mut())),
            Default::Factory(factory) => owned(py, ffi::PyObject_CallNoArgs(factory.as_ptr())),
            Default::Copied(value) => {
                owned(py, ffi::PyObject_CallOneArg(Runtime::get(py).deepcopy.as_ptr(), value.as_ptr()))
            }
            Default::Required => Err(Fail::Slow),
        }
    }
}

/// Where ids come from in tests, instead of the clock and random numbers, and whether they do.
static SOURCE: Mutex<Option<Py<PyAny>>> = Mutex::new(None);
static HAS_SOURCE: AtomicBool = AtomicBool::new(false);

/// Takes the ids of entities from a function that gives texts; from the clock and random numbers again where None.
pub fn set_id_source(source: Option<Py<PyAny>>) {
    HAS_SOURCE.store(source.is_some(), Ordering::Relaxed);
    // What was there is dropped when the lock is free again: that may run Python code.
    let _before = {
        let mut held = SOURCE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::replace(&mut *held, source)
    };
}

#[cold]
fn given_identity(py: Python<'_>) -> Lane<Option<Object<'_>>> {
    let source = {
        let held = SOURCE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.as_ref().map(|source| source.clone_ref(py))
    };
    let Some(source) = source else { return Ok(None) };
    let id = source.bind(py).call0().map_err(|error| raise(py, error))?;
    if !is_str(id.as_borrowed()) {
        return Err(raise(py, PyTypeError::new_err(format!("the source of ids has to give a str, gave {id}"))));
    }
    Ok(Some(id))
}

/// A new UUIDv7 as a str.
pub fn identity(py: Python<'_>) -> Lane<Object<'_>> {
    if HAS_SOURCE.load(Ordering::Relaxed)
        && let Some(id) = given_identity(py)?
    {
        return Ok(id);
    }
    let bits = uuid7::next()
        .map_err(|error| raise(py, PyRuntimeError::new_err(format!("no random numbers for an id: {error}"))))?;
    ascii(py, &crate::json::uuid_text(bits))
}

/// A str from ASCII bytes.
pub fn ascii<'py>(py: Python<'py>, text: &[u8]) -> Lane<Object<'py>> {
    // SAFETY: a new compact ASCII string has room for exactly as many bytes as it was asked for.
    unsafe {
        let string = owned(py, ffi::PyUnicode_New(text.len() as isize, 127))?;
        if !text.is_empty() {
            std::ptr::copy_nonoverlapping(text.as_ptr(), ffi::PyUnicode_DATA(string.as_ptr()).cast(), text.len());
        }
        Ok(string)
    }
}

/// Collects the values that stand behind the names of `names`.
///
/// # Safety
/// `arguments` has a live object for each name of the tuple.
#[inline]
unsafe fn from_keywords<'py>(
    py: Python<'py>,
    class: *mut ffi::PyTypeObject,
    plan: &Plan,
    arguments: *const *mut ffi::PyObject,
    names: *mut ffi::PyObject,
) -> Lane<Object<'py>> {
    let mut places = Places::new();
    let mut slots = Slots::new(&mut places, plan.fields.len());
    if !names.is_null() {
        // SAFETY: `names` is a tuple of strings, as the vectorcall protocol has it.
        unsafe {
            let given = ffi::PyTuple_GET_SIZE(names) as usize;
            let mut index = 0;
            // As nearly always: the fields in their order, with values of just their types.
            while index < given && index < plan.briefs.len().min(MASK_FIELDS) {
                let brief = &plan.briefs[index];
                let value = *arguments.add(index);
                if brief.name != ffi::PyTuple_GET_ITEM(names, index as isize).cast_const()
                    || brief.plain != ffi::Py_TYPE(value).cast_const()
                {
                    break;
                }
                slots.places[index] = ffi::Py_NewRef(value);
                index += 1;
            }
            slots.given = (1 << index) - 1;
            while index < given {
                let name = Borrowed::from_ptr(py, ffi::PyTuple_GET_ITEM(names, index as isize));
                let value = Borrowed::from_ptr(py, *arguments.add(index));
                take(&mut slots, plan, name, index, value)?;
                index += 1;
            }
        }
    }
    slots.build(py, class, plan)
}

#[inline(always)]
fn take<'py>(slots: &mut Slots<'_>, plan: &Plan, name: View<'_, 'py>, hint: usize, value: View<'_, 'py>) -> Lane<()> {
    let Some(index) = plan.find(name, hint) else {
        return if plan.ignores_extra && is_str(name) { Ok(()) } else { Err(Fail::Slow) };
    };
    let value = value.to_owned();
    // SAFETY: only the type's address is compared.
    let is_plain = unsafe { ffi::Py_TYPE(value.as_ptr()) }.cast_const() == plan.briefs[index].plain;
    let taken =
        if is_plain { value } else { check(&plan.fields[index].node, value.as_borrowed(), false)?.unwrap_or(value) };
    slots.give(index, taken);
    Ok(())
}

/// An instance from an exact dict.
pub fn from_dict<'py>(class: *mut ffi::PyTypeObject, plan: &Plan, data: View<'_, 'py>) -> Lane<Object<'py>> {
    if !plan.validate {
        return Err(Fail::Slow);
    }
    let py = data.py();
    let mut places = Places::new();
    let mut slots = Slots::new(&mut places, plan.fields.len());
    let mut position = 0;
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut hint = 0;
    // SAFETY: the caller has seen an exact dict; key and value are held while they are looked at.
    while unsafe { ffi::PyDict_Next(data.as_ptr(), &mut position, &mut key, &mut value) } != 0 {
        // SAFETY: as above; finding a field runs no Python code, and the value is held before anything could.
        unsafe { take(&mut slots, plan, Borrowed::from_ptr(py, key), hint, Borrowed::from_ptr(py, value))? };
        hint += 1;
    }
    slots.build(py, class, plan)
}

/// `cls(...)`: the vectorcall of every planned class.
pub unsafe extern "C" fn vectorcall(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    types::guard(|py| {
        let class = callable.cast::<ffi::PyTypeObject>();
        // SAFETY: the interpreter calls this with the class, and with arguments as the protocol has them.
        unsafe {
            let positional = ffi::PyVectorcall_NARGS(count as _);
            let plan = Plan::held(py, class);
            if let Some(plan) = &plan
                && plan.get().construct
                && positional == 0
            {
                match from_keywords(py, class, plan.get(), arguments, names) {
                    Err(Fail::Slow) => {}
                    answer => return answer,
                }
            }
            call_slowly(py, class, plan.as_ref(), arguments, positional, names)
        }
    })
}

/// `cls(...)` by pydantic.
///
/// # Safety
/// As for `vectorcall`; `plan` is the plan of the class, if it has one.
#[inline(never)]
unsafe fn call_slowly<'py>(
    py: Python<'py>,
    class: *mut ffi::PyTypeObject,
    plan: Option<&Bound<'py, Plan>>,
    arguments: *const *mut ffi::PyObject,
    positional: isize,
    names: *mut ffi::PyObject,
) -> Lane<Object<'py>> {
    // SAFETY: as promised by the caller.
    unsafe {
        let keywords = owned(py, ffi::PyDict_New())?;
        if !names.is_null() {
            for index in 0..ffi::PyTuple_GET_SIZE(names) {
                let value = *arguments.offset(positional + index);
                if ffi::PyDict_SetItem(keywords.as_ptr(), ffi::PyTuple_GET_ITEM(names, index), value) < 0 {
                    return Err(Fail::Raised);
                }
            }
        }
        if let Some(plan) = plan
            && plan.get().plain_init
            && positional == 0
            && (*class).tp_flags & ffi::Py_TPFLAGS_IS_ABSTRACT == 0
        {
            let name = pyo3::intern!(py, "validate_python");
            let validator = plan.get().validator.as_ptr();
            let made = owned(py, ffi::PyObject_CallMethodOneArg(validator, name.as_ptr(), keywords.as_ptr()))?;
            return settle_made(class, made);
        }
        let tuple = owned(py, ffi::PyTuple_New(positional))?;
        for index in 0..positional {
            ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index, ffi::Py_NewRef(*arguments.offset(index)));
        }
        let call = ffi::PyType_Type.tp_call.ok_or(Fail::Slow)?;
        let object = owned(py, call(class.cast(), tuple.as_ptr(), keywords.as_ptr()))?;
        if let Some(plan) = plan
            && plan.get().tracked
            && plan.get().custom_init
            && plan.get().plain_new
            && ffi::Py_TYPE(object.as_ptr()) == class
        {
            track::reset(object.as_borrowed(), plan.get())?;
        }
        settle_made(class, object)
    }
}

/// Starts the tracking of an instance that pydantic made, once the user's own code around it has run.
pub fn settle_made<'py>(class: *mut ffi::PyTypeObject, object: Object<'py>) -> Lane<Object<'py>> {
    let py = object.py();
    // SAFETY: a live object has a live type.
    let own = unsafe { ffi::Py_TYPE(object.as_ptr()) };
    if own == class
        // SAFETY: as above.
        && let Some(plan) = unsafe { Plan::held(py, own) }
        && plan.get().tracked
        && plan.get().settles_late
    {
        track::settle_late(object.as_borrowed(), plan.get())?;
    }
    Ok(object)
}

/// `cls.model_validate(obj)`.
pub unsafe extern "C" fn model_validate(
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
                return types::beyond(py, class, c"model_validate", arguments, count, names);
            };
            let plan = plan.get();
            if count != 1 || !names.is_null() {
                let made = types::call_next(py, &plan.next_model_validate, class, arguments, count, names)?;
                return settle_made(raw, made);
            }
            let data = Borrowed::from_ptr(py, *arguments);
            if plan.validate && is_dict(data) {
                match from_dict(raw, plan, data) {
                    Err(Fail::Slow) => {}
                    answer => return answer,
                }
            }
            if !plan.own_methods {
                let made = types::call_next(py, &plan.next_model_validate, class, arguments, count, names)?;
                return settle_made(raw, made);
            }
            let name = pyo3::intern!(py, "validate_python");
            let made =
                owned(py, ffi::PyObject_CallMethodOneArg(plan.validator.as_ptr(), name.as_ptr(), data.as_ptr()))?;
            if made.as_ptr() == data.as_ptr() {
                return Ok(made);
            }
            settle_made(raw, made)
        }
    })
}
