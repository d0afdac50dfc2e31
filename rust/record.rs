//! The object that holds what tracking remembers: any number of references, and a little beside them.
//!
//! It has two types: `State`, what an entity was, is `track`'s, and `Frozen`, the image of one value, is `image`'s.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::runtime::{Lane, Object, owned};
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
    /// State: the table of which the entity is a record, or null.
    home: *mut ffi::PyObject,
    items: [*mut ffi::PyObject; 0],
}

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
        for &held in [class, (*record).head, (*record).given, (*record).home].iter().chain(items) {
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
        ffi::Py_XDECREF(ptr::replace(&raw mut (*record).home, ptr::null_mut()));
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

pub struct RecordTypes {
    pub state: Py<PyType>,
    pub frozen: Py<PyType>,
}

static TYPES: PyOnceLock<RecordTypes> = PyOnceLock::new();

pub fn record_types(py: Python<'_>) -> &RecordTypes {
    // The module's initialisation fills it before anything else can run.
    TYPES.get(py).expect("nitro._core is initialised")
}

pub fn initialise(py: Python<'_>) -> PyResult<()> {
    let record_type = |name| {
        types::make_type::<Record>(
            py,
            name,
            8,
            ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION,
            &mut slots(),
        )
        .map(Bound::unbind)
    };
    TYPES
        .get_or_try_init(py, || {
            Ok(RecordTypes { state: record_type(c"nitro._core.State")?, frozen: record_type(c"nitro._core.Frozen")? })
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
pub fn new_record<'py>(py: Python<'py>, class: &Bound<'py, PyType>, count: usize, tag: u64) -> Lane<Object<'py>> {
    // SAFETY: the type was made for Record; every place is written before the collector may look.
    unsafe {
        let object = owned(py, ffi::PyObject_GC_NewVar::<ffi::PyObject>(class.as_type_ptr(), count as isize))?;
        let record = object.as_ptr().cast::<Record>();
        (*record).tag = tag;
        (*record).head = ptr::null_mut();
        (*record).given = ptr::null_mut();
        (*record).home = ptr::null_mut();
        ptr::write_bytes((&raw mut (*record).items).cast::<*mut ffi::PyObject>(), 0, count);
        ffi::PyObject_GC_Track(object.as_ptr().cast());
        Ok(object)
    }
}

/// A live State or Frozen.
#[derive(Clone)]
pub struct Held<'py>(pub Object<'py>);

impl<'py> Held<'py> {
    fn record(&self) -> *mut Record {
        self.0.as_ptr().cast()
    }

    pub fn len(&self) -> usize {
        // SAFETY: a record is a var-sized object.
        unsafe { ffi::Py_SIZE(self.0.as_ptr()) as usize }
    }

    pub fn get(&self, index: usize) -> Option<Object<'py>> {
        assert!(index < self.len(), "a record is read within its size");
        // SAFETY: within the size; null or a live object.
        unsafe {
            let items = (&raw mut (*self.record()).items).cast::<*mut ffi::PyObject>();
            Bound::from_borrowed_ptr_or_opt(self.0.py(), *items.add(index))
        }
    }

    pub fn set(&self, index: usize, value: Object<'py>) {
        assert!(index < self.len(), "a record is written within its size");
        // SAFETY: within the size; the old value is given up after it is out of reach.
        unsafe {
            let items = (&raw mut (*self.record()).items).cast::<*mut ffi::PyObject>();
            ffi::Py_XDECREF(ptr::replace(items.add(index), value.into_ptr()));
        }
    }

    /// Whether this is a record of `count` places, with an item at this one, and with the names of given fields.
    ///
    /// # Safety
    /// `object` is a live record; `index` is below `count`.
    #[inline(always)]
    pub unsafe fn has(object: *mut ffi::PyObject, count: usize, index: usize) -> bool {
        // SAFETY: as promised by the caller; within the size.
        unsafe {
            let record = object.cast::<Record>();
            ffi::Py_SIZE(object) as usize == count
                && !(*(&raw const (*record).items).cast::<*mut ffi::PyObject>().add(index)).is_null()
                && !(*record).given.is_null()
        }
    }

    pub fn tag(&self) -> u64 {
        // SAFETY: a live record.
        unsafe { (*self.record()).tag }
    }

    pub fn set_tag(&self, tag: u64) {
        // SAFETY: a live record.
        unsafe { (*self.record()).tag = tag };
    }

    pub fn head(&self) -> Option<Object<'py>> {
        // SAFETY: null or a live object.
        unsafe { Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.record()).head) }
    }

    pub fn set_head(&self, value: Object<'py>) {
        // SAFETY: a live record.
        unsafe { ffi::Py_XDECREF(ptr::replace(&raw mut (*self.record()).head, value.into_ptr())) };
    }

    pub fn given(&self) -> Option<Object<'py>> {
        // SAFETY: null or a live object.
        unsafe { Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.record()).given) }
    }

    pub fn set_given(&self, value: Object<'py>) {
        // SAFETY: a live record.
        unsafe { ffi::Py_XDECREF(ptr::replace(&raw mut (*self.record()).given, value.into_ptr())) };
    }

    pub fn home(&self) -> Option<Object<'py>> {
        // SAFETY: null or a live object.
        unsafe { Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.record()).home) }
    }

    pub fn set_home(&self, home: Option<Object<'py>>) {
        // SAFETY: a live record.
        unsafe {
            let new = home.map_or(ptr::null_mut(), Bound::into_ptr);
            ffi::Py_XDECREF(ptr::replace(&raw mut (*self.record()).home, new));
        }
    }
}
