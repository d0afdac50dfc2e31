//! Where an instance keeps the values of its fields: the one module that knows CPython's versions apart.
//!
//! Every instance has a dictionary. CPython 3.11 and 3.12 put the values of small instances into an array of
//! their own instead ("inline values") and make the dictionary only when somebody asks for it. Filling that
//! array directly is what makes construction as fast as a struct's. It is private layout, so it is used only for
//! a class on which `probe` has seen it work, and can be switched off with `NITRO_LAYOUT=public`. Everywhere
//! else, and on every other version, the public dictionary functions do the same work.
//!
//! The digits of small integers are read in the same way: where a trial has shown that they are where they should be.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::check::is_str;
use crate::plan::Plan;
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned};
use crate::short;

/// How a class keeps its instances' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Field number i stands at place i of the inline values, until the instance's dictionary is asked for.
    Inline,
    /// In the dictionary, whose pointer stands before the object's header.
    Managed,
    /// In the dictionary, found by public functions only.
    Public,
}

impl Layout {
    pub fn name(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Managed => "managed",
            Self::Public => "public",
        }
    }
}

/// Whether private layout may be used at all: not with `NITRO_LAYOUT=public`.
pub fn private_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| std::env::var_os("NITRO_LAYOUT").is_none_or(|value| value != "public"))
}

/// CPython has inline values for up to 29 attributes; one place stays free for another.
const INLINE_FIELDS: usize = 28;

/// The flag of types whose dictionary pointer stands before the object's header.
const MANAGED_DICT: std::ffi::c_ulong = 1 << 4;

unsafe extern "C" {
    /// Private, but exported by every version that Nitro supports.
    #[cfg(Py_3_13)]
    fn _PyObject_GetDictPtr(object: *mut ffi::PyObject) -> *mut *mut ffi::PyObject;
}

/// The array of inline values of `object`, or null when it has none (any more).
///
/// # Safety
/// The type of `object` has the managed-dictionary flag.
#[inline(always)]
unsafe fn inline_values(object: *mut ffi::PyObject) -> *mut *mut ffi::PyObject {
    #[cfg(not(Py_3_12))]
    // SAFETY: 3.11 keeps the pointer to the values four words before the object.
    unsafe {
        *object.cast::<*mut *mut ffi::PyObject>().offset(-4)
    }
    #[cfg(all(Py_3_12, not(Py_3_13)))]
    // SAFETY: 3.12 keeps one word three words before the object: values tagged with a low 1, or the dictionary.
    unsafe {
        let word = *object.cast::<usize>().offset(-3);
        if word & 1 == 1 { (word + 1) as *mut *mut ffi::PyObject } else { ptr::null_mut() }
    }
    #[cfg(Py_3_13)]
    {
        let _ = object;
        ptr::null_mut()
    }
}

/// The materialised dictionary of `object`, borrowed, or null.
///
/// # Safety
/// The type of `object` has the managed-dictionary flag.
#[inline(always)]
unsafe fn managed_dict(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    #[cfg(not(Py_3_12))]
    // SAFETY: 3.11 keeps the dictionary's pointer three words before the object.
    unsafe {
        *object.cast::<*mut ffi::PyObject>().offset(-3)
    }
    #[cfg(all(Py_3_12, not(Py_3_13)))]
    // SAFETY: see `inline_values`.
    unsafe {
        let word = *object.cast::<usize>().offset(-3);
        if word & 1 == 1 { ptr::null_mut() } else { word as *mut ffi::PyObject }
    }
    #[cfg(Py_3_13)]
    // SAFETY: any object may be asked; types with slots beside the dictionary have no inline values there.
    unsafe {
        let place = _PyObject_GetDictPtr(object);
        if place.is_null() { ptr::null_mut() } else { *place }
    }
}

/// The bytes in front of the values that say how many are filled, and in which order.
///
/// # Safety
/// `values` is the array of a live instance with room for `count` values.
unsafe fn order<'a>(values: *mut *mut ffi::PyObject, count: usize) -> (&'a mut u8, &'a mut [u8]) {
    let bytes = values.cast::<u8>();
    // SAFETY: 3.11 and 3.12 lay the prefix out backwards: [-2] is the count, [-3 - i] the place of the i-th
    // value; the prefix has a byte for every place of the array.
    unsafe { (&mut *bytes.offset(-2), std::slice::from_raw_parts_mut(bytes.offset(-2 - count as isize), count)) }
}

/// Finds the layout of a class from its type's flags and from what a trial instance does.
pub fn probe(py: Python<'_>, class: *mut ffi::PyTypeObject, names: &[*mut ffi::PyObject]) -> Layout {
    // SAFETY: `class` is a live type; only public functions and the checked pointers below touch the trial.
    unsafe {
        if !private_allowed() || (*class).tp_flags & MANAGED_DICT == 0 {
            return Layout::Public;
        }
        // A trial instance is finalized as every other: no class that would notice is tried.
        let finalized = (*class).tp_finalize.is_some() || (*class).tp_del.is_some();
        if cfg!(Py_3_13) || names.is_empty() || names.len() > INLINE_FIELDS || finalized {
            return Layout::Managed;
        }
        let Ok(trial) = new_object(py, class) else {
            ffi::PyErr_Clear();
            return Layout::Managed;
        };
        let works = fits(trial.as_ptr(), names);
        if !works {
            ffi::PyErr_Clear();
        } else {
            // Each new instance takes one spare place from the array of the next: a few of them now save
            // memory in all those to come.
            for _ in 0..32 {
                if new_object(py, class).is_err() {
                    ffi::PyErr_Clear();
                    return Layout::Managed;
                }
            }
        }
        if works { Layout::Inline } else { Layout::Managed }
    }
}

/// The entries of a dictionary's table: name and value, in the order of insertion.
///
/// # Safety
/// `dict` is a copy of a dictionary of which `is_flat` has seen that its copies look like this.
#[inline(always)]
unsafe fn entries(dict: *mut ffi::PyObject) -> *mut [*mut ffi::PyObject; 2] {
    // SAFETY: the table's pointer stands behind the object's header, its count and its version; the table has a header
    // of 32 bytes, with the size of its index in byte 9 (as a power of two), then the index, then the entries.
    unsafe {
        let table = *dict.cast::<*mut u8>().add(4);
        table.add(32 + (1usize << *table.add(9))).cast()
    }
}

/// Whether the values of a copy of `template` can be written where they are, instead of looking up each name.
pub fn is_flat(template: &Bound<'_, PyDict>, names: &[*mut ffi::PyObject]) -> bool {
    if !private_allowed() || cfg!(Py_3_14) || names.is_empty() {
        return false;
    }
    // SAFETY: a new reference or null; the table of a dictionary with at least one name has the header and the index
    // that are read, and the entries are compared with what they must be before any is written.
    unsafe {
        let Ok(copy) = owned(template.py(), ffi::PyDict_Copy(template.as_ptr())) else {
            ffi::PyErr_Clear();
            return false;
        };
        // Byte 10 is the kind of the table: 1 has names only, and no hashes beside them.
        let table = *copy.as_ptr().cast::<*mut u8>().add(4);
        if *table.add(10) != 1 {
            return false;
        }
        let entries = entries(copy.as_ptr());
        names.iter().enumerate().all(|(i, &name)| *entries.add(i) == [name, ffi::Py_None()])
    }
}

/// A dictionary with all the plan's names, and None for every value.
#[inline]
pub fn blank<'py>(py: Python<'py>, plan: &Plan) -> Lane<Object<'py>> {
    // SAFETY: a new reference or null with an exception.
    let dict = unsafe { owned(py, ffi::PyDict_Copy(plan.template.as_ptr()))? };
    if plan.flat && !plan.all_atomic {
        // Values that are written directly do not make it known to the collector.
        // SAFETY: a new dictionary.
        unsafe {
            if ffi::PyObject_GC_IsTracked(dict.as_ptr()) == 0 {
                ffi::PyObject_GC_Track(dict.as_ptr().cast());
            }
        }
    }
    Ok(dict)
}

/// Puts the value of field number `index` into a dictionary made by `blank`.
///
/// # Safety
/// `dict` was made by `blank` for this plan and nobody else has seen it; `value` is a live object.
#[inline(always)]
pub unsafe fn put(dict: &Object<'_>, plan: &Plan, index: usize, value: *mut ffi::PyObject) -> Lane<()> {
    // SAFETY: as promised by the caller; a flat plan's copies have an entry for each field.
    unsafe {
        if plan.flat {
            let entry = entries(dict.as_ptr()).add(index);
            ffi::Py_INCREF(value);
            ffi::Py_DECREF(ptr::replace(&raw mut (*entry)[1], value));
            return Ok(());
        }
        if ffi::PyDict_SetItem(dict.as_ptr(), plan.fields[index].name.as_ptr(), value) < 0 {
            return Err(Fail::Raised);
        }
    }
    Ok(())
}

/// Whether values set in order on a fresh instance land in the same order in its inline values.
///
/// # Safety
/// `object` is a fresh instance of a type with the managed-dictionary flag.
unsafe fn fits(object: *mut ffi::PyObject, names: &[*mut ffi::PyObject]) -> bool {
    // SAFETY: the array is looked up again after each store, as it may have moved.
    unsafe {
        for (place, &name) in names.iter().enumerate() {
            let marker = ffi::PyFloat_FromDouble(0.5);
            if marker.is_null() || ffi::PyObject_GenericSetAttr(object, name, marker) < 0 {
                ffi::Py_XDECREF(marker);
                return false;
            }
            let values = inline_values(object);
            let found = !values.is_null() && *values.add(place) == marker;
            ffi::Py_DECREF(marker);
            if !found {
                return false;
            }
        }
        in_order(inline_values(object), names.len())
    }
}

/// Whether the first `count` values were filled in the order of their places, with none missing.
///
/// # Safety
/// `values` is the array of a live instance with room for `count` values.
#[inline]
unsafe fn in_order(values: *mut *mut ffi::PyObject, count: usize) -> bool {
    // SAFETY: as promised by the caller.
    let (filled, order) = unsafe { order(values, count) };
    *filled as usize >= count && short::same(order, ordered(count))
}

/// The bytes of `order` when the values were filled in the order of their places.
#[inline(always)]
fn ordered(count: usize) -> &'static [u8] {
    static BACKWARDS: [u8; INLINE_FIELDS] = {
        let mut places = [0; INLINE_FIELDS];
        let mut index = 0;
        while index < INLINE_FIELDS {
            places[index] = (INLINE_FIELDS - 1 - index) as u8;
            index += 1;
        }
        places
    };
    &BACKWARDS[INLINE_FIELDS - count..]
}

/// A new instance without values, made as `object.__new__` makes it.
///
/// # Safety
/// `class` is a live heap type whose `__new__` is object's.
unsafe fn new_object(py: Python<'_>, class: *mut ffi::PyTypeObject) -> Lane<Object<'_>> {
    // SAFETY: object's tp_new takes any heap type, an empty tuple and no keywords.
    unsafe {
        let new = ffi::PyBaseObject_Type.tp_new.ok_or(Fail::Slow)?;
        owned(py, new(class, Runtime::get(py).empty_tuple.as_ptr(), ptr::null_mut()))
    }
}

/// Makes an instance of `class` that holds `values`, one for each field of the plan, all taken over.
///
/// # Safety
/// `plan` is the plan of `class`; `values` has as many owned references as the plan has fields, and the caller
/// forgets them whatever happens.
#[inline]
pub unsafe fn build<'py>(
    py: Python<'py>,
    class: *mut ffi::PyTypeObject,
    plan: &Plan,
    values: &[*mut ffi::PyObject],
) -> Lane<Object<'py>> {
    // SAFETY: as promised by the caller; each branch disposes of every value exactly once.
    unsafe {
        let mut object = None;
        if plan.layout == Layout::Inline {
            match new_object(py, class) {
                Ok(made) => {
                    let places = inline_values(made.as_ptr());
                    if !places.is_null() {
                        short::copy_words(values.as_ptr().cast(), places.cast(), values.len());
                        let (filled, order) = order(places, values.len());
                        *filled = values.len() as u8;
                        short::copy(ordered(values.len()).as_ptr(), order.as_mut_ptr(), order.len());
                        return Ok(made);
                    }
                    object = Some(made);
                }
                Err(fail) => {
                    values.iter().for_each(|&value| ffi::Py_DECREF(value));
                    return Err(fail);
                }
            }
        }
        let dict = blank(py, plan).and_then(|dict| fill_dict(&dict, plan, values).map(|()| dict));
        values.iter().for_each(|&value| ffi::Py_DECREF(value));
        let dict = dict?;
        let object = match (object, (*class).tp_alloc) {
            (Some(made), _) => made,
            (None, Some(alloc)) => owned(py, alloc(class, 0))?,
            (None, None) => new_object(py, class)?,
        };
        if ffi::PyObject_GenericSetDict(object.as_ptr(), dict.as_ptr(), ptr::null_mut()) < 0 {
            return Err(Fail::Raised);
        }
        Ok(object)
    }
}

/// A new instance that holds the same attributes as `object`, and nothing else yet.
///
/// # Safety
/// `plan` is the plan of the type of `object`, whose `__new__` is object's.
pub unsafe fn duplicate<'py>(object: View<'_, 'py>, plan: &Plan) -> Lane<Object<'py>> {
    let py = object.py();
    let count = plan.fields.len();
    // SAFETY: as promised by the caller; the values are held before anything else runs.
    unsafe {
        let class = ffi::Py_TYPE(object.as_ptr());
        if plan.layout == Layout::Inline {
            let values = inline_values(object.as_ptr());
            if !values.is_null() && in_order(values, count) && *order(values, 0).0 as usize == count {
                let values = std::slice::from_raw_parts(values, count).to_vec();
                values.iter().for_each(|&value| ffi::Py_INCREF(value));
                return build(py, class, plan, &values);
            }
        }
        let dict = owned(py, ffi::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut()))?;
        if dict.get_type().as_type_ptr() != &raw mut ffi::PyDict_Type {
            return Err(Fail::Slow);
        }
        let dict = owned(py, ffi::PyDict_Copy(dict.as_ptr()))?;
        let alloc = (*class).tp_alloc.ok_or(Fail::Slow)?;
        let copied = owned(py, alloc(class, 0))?;
        set_dictionary(copied.as_borrowed(), dict.as_borrowed())?;
        Ok(copied)
    }
}

/// # Safety
/// `dict` was made by `blank` for this plan; `values` has a live object for each of its fields.
unsafe fn fill_dict(dict: &Object<'_>, plan: &Plan, values: &[*mut ffi::PyObject]) -> Lane<()> {
    for (index, &value) in values.iter().enumerate() {
        // SAFETY: as promised by the caller.
        unsafe { put(dict, plan, index, value)? };
    }
    Ok(())
}

/// What is done with each value of an instance.
pub trait Visitor<'py> {
    /// Deals with the value without running any Python code, and says so; or leaves it to `visit`.
    fn quick(&mut self, index: usize, value: View<'_, 'py>) -> bool;

    /// Deals with the value in any way.
    fn visit(&mut self, index: usize, value: View<'_, 'py>) -> Lane<()>;
}

/// The values of one instance, wherever they are. Holds for as long as no Python code runs.
pub enum Values<'py> {
    /// The instance and its array.
    Inline(*mut ffi::PyObject, *mut *mut ffi::PyObject),
    Dict(Object<'py>),
}

impl<'py> Values<'py> {
    /// Looks without changing anything.
    ///
    /// # Safety
    /// `plan` is the plan of the type of `object`.
    #[inline(always)]
    pub unsafe fn of(object: View<'_, 'py>, plan: &Plan) -> Lane<Self> {
        let py = object.py();
        // SAFETY: Inline and Managed are only given to types with the managed-dictionary flag.
        unsafe {
            if plan.layout == Layout::Inline {
                let values = inline_values(object.as_ptr());
                if !values.is_null() {
                    return Ok(Self::Inline(object.as_ptr(), values));
                }
            }
            if plan.layout != Layout::Public {
                let dict = managed_dict(object.as_ptr());
                if !dict.is_null() {
                    return Ok(Self::Dict(Bound::from_borrowed_ptr(py, dict)));
                }
            }
            Ok(Self::Dict(owned(py, ffi::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut()))?))
        }
    }

    /// The value of field number `index`; None where the instance has none.
    #[inline]
    pub fn get(&self, py: Python<'py>, plan: &Plan, index: usize) -> Lane<Option<Object<'py>>> {
        match self {
            // SAFETY: the plan's fields stand at the first places of the array.
            Self::Inline(_, values) => Ok(unsafe { Bound::from_borrowed_ptr_or_opt(py, *values.add(index)) }),
            // SAFETY: a borrowed reference, or null with or without an exception.
            Self::Dict(dict) => unsafe {
                let value = ffi::PyDict_GetItemWithError(dict.as_ptr(), plan.fields[index].name.as_ptr());
                if value.is_null() && !ffi::PyErr_Occurred().is_null() {
                    return Err(Fail::Raised);
                }
                Ok(Bound::from_borrowed_ptr_or_opt(py, value))
            },
        }
    }

    /// Puts `value` where field number `index` is and gives back the value that was there.
    #[inline(always)]
    pub fn replace(&self, py: Python<'py>, plan: &Plan, index: usize, value: Object<'py>) -> Lane<Option<Object<'py>>> {
        if let Self::Inline(_, values) = self {
            // SAFETY: as in `get`; the array owns the reference that it holds.
            unsafe {
                let place = values.add(index);
                if !(*place).is_null() {
                    return owned(py, ptr::replace(place, value.into_ptr())).map(Some);
                }
            }
            // A deleted attribute that comes back takes the last place in the order: CPython's own work.
            return Err(Fail::Slow);
        }
        let old = self.get(py, plan, index)?;
        if let Self::Dict(dict) = self {
            // SAFETY: live objects.
            if unsafe { ffi::PyDict_SetItem(dict.as_ptr(), plan.fields[index].name.as_ptr(), value.as_ptr()) } < 0 {
                return Err(Fail::Raised);
            }
        }
        Ok(old)
    }

    /// Visits every field's value in the plan's order. Slow when a field is missing or when the
    /// instance holds its fields in another order; attributes that are no fields are passed over.
    #[inline]
    pub fn each(&self, py: Python<'py>, plan: &Plan, visitor: &mut impl Visitor<'py>) -> Lane<()> {
        let count = plan.fields.len();
        match self {
            // SAFETY: the prefix is checked before the values are taken as complete; each value is held while Python
            // code may run, and after that the array is known to be the object's own before it is read again.
            Self::Inline(object, values) => unsafe {
                if !in_order(*values, count) {
                    return Err(Fail::Slow);
                }
                for index in 0..count {
                    let value = Borrowed::from_ptr_or_opt(py, *values.add(index)).ok_or(Fail::Slow)?;
                    if visitor.quick(index, value) {
                        continue;
                    }
                    visitor.visit(index, value.to_owned().as_borrowed())?;
                    if inline_values(*object) != *values {
                        return Err(Fail::Slow);
                    }
                }
                Ok(())
            },
            Self::Dict(dict) => {
                let mut position = 0;
                let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
                let mut index = 0;
                // SAFETY: key and value are borrowed from the dictionary and held before anything else runs.
                while unsafe { ffi::PyDict_Next(dict.as_ptr(), &mut position, &mut key, &mut value) } != 0 {
                    if index < count && plan.briefs[index].name == key {
                        // SAFETY: as above.
                        let value = unsafe { Borrowed::from_ptr(py, value) };
                        if !visitor.quick(index, value) {
                            visitor.visit(index, value.to_owned().as_borrowed())?;
                        }
                        index += 1;
                    } else {
                        // SAFETY: as above.
                        let key = unsafe { Bound::from_borrowed_ptr(py, key) };
                        if !is_str(key.as_borrowed()) || plan.find(key.as_borrowed(), index).is_some() {
                            return Err(Fail::Slow);
                        }
                    }
                }
                if index == count { Ok(()) } else { Err(Fail::Slow) }
            }
        }
    }
}

/// The instance's dictionary, made when it is not there yet.
///
/// From inline values a plain dictionary is built instead of the shared-key one that CPython would make:
/// attribute reads through that one are three times slower.
///
/// # Safety
/// `plan`, if any, is the plan of the type of `object`.
pub unsafe fn dictionary<'py>(object: View<'_, 'py>, plan: Option<&Plan>) -> Lane<Object<'py>> {
    let py = object.py();
    // SAFETY: see `Values::of`; the values are only read before the new dictionary takes their place.
    unsafe {
        if let Some(plan) = plan.filter(|plan| plan.layout == Layout::Inline)
            && !inline_values(object.as_ptr()).is_null()
        {
            let count = plan.fields.len();
            // Made first, as making it may run the cycle collector, and with it anything.
            let dict = blank(py, plan)?;
            let values = inline_values(object.as_ptr());
            if !values.is_null() && in_order(values, count) && *order(values, 0).0 as usize == count {
                fill_dict(&dict, plan, std::slice::from_raw_parts(values, count))?;
                set_dictionary(object, dict.as_borrowed())?;
                return Ok(dict);
            }
        }
        owned(py, ffi::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut()))
    }
}

/// Gives the instance another dictionary.
pub fn set_dictionary(object: View<'_, '_>, dict: View<'_, '_>) -> Lane<()> {
    // SAFETY: live objects; the function checks that it was given a dictionary.
    if unsafe { ffi::PyObject_GenericSetDict(object.as_ptr(), dict.as_ptr(), ptr::null_mut()) } < 0 {
        return Err(Fail::Raised);
    }
    Ok(())
}

/// The names and values that an instance holds now, as a new dictionary.
pub fn copy_dictionary<'py>(object: View<'_, 'py>, plan: Option<&Plan>) -> Lane<Bound<'py, PyDict>> {
    let py = object.py();
    // SAFETY: the caller's plan belongs to the object's type; PyDict_Copy gives a new reference.
    unsafe {
        let dict = dictionary(object, plan)?;
        Ok(owned(py, ffi::PyDict_Copy(dict.as_ptr()))?.cast_into_unchecked())
    }
}

/// The value of field number `index`, borrowed, or null where the instance has none; nothing is made or changed, and
/// no Python code runs. Slow where only making the instance's dictionary would tell.
///
/// # Safety
/// `plan` is the plan of the type of `object`, a live object.
#[inline(always)]
pub unsafe fn peek(object: *mut ffi::PyObject, plan: &Plan, index: usize) -> Lane<*mut ffi::PyObject> {
    // SAFETY: as in `Values::of` and `Values::get`.
    unsafe {
        if plan.layout == Layout::Inline {
            let values = inline_values(object);
            if !values.is_null() {
                return Ok(*values.add(index));
            }
        }
        if plan.layout == Layout::Public {
            return Err(Fail::Slow);
        }
        let dict = managed_dict(object);
        if dict.is_null() {
            return Err(Fail::Slow);
        }
        let value = ffi::PyDict_GetItemWithError(dict, plan.fields[index].name.as_ptr());
        if value.is_null() && !ffi::PyErr_Occurred().is_null() {
            return Err(Fail::Raised);
        }
        Ok(value)
    }
}

/// How many objects ahead of the one that is looked at its memory is asked for.
const AHEAD: usize = 16;

/// Asks the processor for the memory of the objects to come, so that a walk over many of them does not wait for each:
/// first for the object, some steps later for the value of field number `index`.
///
/// # Safety
/// `plan` is the plan of the type of each object; `object` gives the one so many steps ahead, alive, or null.
#[inline(always)]
pub unsafe fn prefetch(plan: &Plan, index: usize, object: impl Fn(usize) -> *mut ffi::PyObject) {
    #[cfg(target_arch = "x86_64")]
    if plan.layout == Layout::Inline {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address is harmless; what is read belongs to live objects.
        unsafe {
            let far = object(2 * AHEAD);
            if !far.is_null() {
                _mm_prefetch::<_MM_HINT_T0>(far.cast::<i8>().offset(-32));
            }
            let near = object(AHEAD);
            if !near.is_null() {
                _mm_prefetch::<_MM_HINT_T0>(inline_values(near).wrapping_add(index).cast::<i8>());
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (plan, index, object, AHEAD);
}

/// The value of field number `index` of an object with inline values, or null where it has none there.
///
/// # Safety
/// `object` is a live instance of a class with the layout `Inline`, which has such a field.
#[inline(always)]
pub unsafe fn peek_inline(object: *mut ffi::PyObject, index: usize) -> *mut ffi::PyObject {
    // SAFETY: as promised by the caller.
    unsafe {
        let values = inline_values(object);
        if values.is_null() { ptr::null_mut() } else { *values.add(index) }
    }
}

/// Whether `short_int` finds the numbers.
static SHORT_INTS: AtomicBool = AtomicBool::new(false);

/// Tries out what holds for all objects of the interpreter.
pub fn initialise(py: Python<'_>) -> PyResult<()> {
    let bits: u32 = py.import("sys")?.getattr("int_info")?.getattr("bits_per_digit")?.extract()?;
    if !private_allowed() || bits != 30 {
        return Ok(());
    }
    let one_digit = [0, 1, -1, 7, -256, 256, 257, 65_536, -100_000_000, (1 << 30) - 1, 1 - (1 << 30)];
    let more = [1 << 30, -1 << 30, (1 << 32) + 5, i64::MAX, i64::MIN];
    let read = |number: i64| -> PyResult<Option<i64>> {
        let object = number.into_pyobject(py)?.into_any();
        // SAFETY: an exact int, of digits of 30 bits.
        Ok(unsafe { digit(object.as_ptr()) })
    };
    let mut works = true;
    for number in one_digit {
        works &= read(number)? == Some(number);
    }
    for number in more {
        works &= read(number)?.is_none();
    }
    SHORT_INTS.store(works, Ordering::Relaxed);
    Ok(())
}

/// The number that an exact int of one digit stands for; None for a longer one.
///
/// # Safety
/// `object` is an exact int of an interpreter whose integers have digits of 30 bits.
#[inline(always)]
unsafe fn digit(object: *mut ffi::PyObject) -> Option<i64> {
    // SAFETY: behind the object's header stands a word, and then the digits, of which there is memory for one at least.
    let (word, digit) = unsafe { (*object.cast::<isize>().add(2), i64::from(*object.cast::<u32>().add(6))) };
    if cfg!(Py_3_12) {
        // The word is a tag: the number of digits above three bits, the lower two of which say the sign (0, 1 for
        // zero, 2).
        return (word < 2 << 3).then_some(digit * (1 - (word as i64 & 3)));
    }
    // The word is the number of digits, with the number's sign.
    (-1..=1).contains(&word).then_some(digit * word as i64)
}

/// The number that an exact int stands for, when it can be read without a call.
#[inline(always)]
pub fn short_int(value: View<'_, '_>) -> Option<i64> {
    // SAFETY: the caller has seen an exact int; the trial has seen that such are read rightly.
    if SHORT_INTS.load(Ordering::Relaxed) { unsafe { digit(value.as_ptr()) } } else { None }
}
