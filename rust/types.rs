//! The two types that the core adds beneath `Model`: ModelCore, a base class without state of its own that holds the
//! fast lane's methods, and MetaCore, a metaclass that gives every class a place for its plan.
//!
//! They are made from raw type specs, as pyo3's classes have a `__new__` and a layout of their own, which would
//! conflict with BaseModel's and break `pickle`, `copy` and `object.__new__`.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicIsize, AtomicPtr, Ordering};

use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PySystemError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PySet, PyString, PyType};

use crate::plan::{MASK_FIELDS, Plan};
use crate::runtime::{Fail, Lane, Object, Runtime, View, owned, raise};
use crate::{assign, construct, copy, decode, dump, encode, layout, track};

static MODEL_CORE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static META_CORE: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());
/// The metaclasses that Nitro itself defines, for a quick answer to "is this one of ours?".
static OWN_METAS: [AtomicPtr<ffi::PyTypeObject>; 2] =
    [AtomicPtr::new(ptr::null_mut()), AtomicPtr::new(ptr::null_mut())];
/// The names, interned and kept for ever, of the class methods that a plan has ready for its class.
static mut BOUND_METHODS: Option<[*mut ffi::PyObject; 2]> = None;
static PLAN_TYPE: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());
static PLAN_SLOT: AtomicIsize = AtomicIsize::new(0);

pub fn model_core(py: Python<'_>) -> &Bound<'_, PyType> {
    MODEL_CORE.get(py).expect("nitro._core is initialised").bind(py)
}

/// Runs the body of a C function: a panic becomes an exception instead of an abort.
#[inline(always)]
pub fn guard(body: impl FnOnce(Python<'_>) -> Lane<Object<'_>>) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls C functions with the GIL held.
    let py = unsafe { Python::assume_attached() };
    // What passes through here is one word, which needs no memory.
    let answer = catch_unwind(AssertUnwindSafe(|| match body(py) {
        Ok(object) => object.into_ptr(),
        Err(fail) => no_answer(py, fail),
    }));
    match answer {
        Ok(object) => object,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            PyRuntimeError::new_err(format!("nitro's core panicked; please report it: {text}")).restore(py);
            ptr::null_mut()
        }
    }
}

#[cold]
fn no_answer(py: Python<'_>, fail: Fail) -> *mut ffi::PyObject {
    match fail {
        Fail::Raised => release_dropped(),
        Fail::Slow => PySystemError::new_err("the fast lane gave no answer and nobody else was asked").restore(py),
    }
    ptr::null_mut()
}

/// Releases what pyo3 has put aside. It puts references aside that are dropped while it does not know that the GIL is
/// held, as it is in the C functions here: those of exceptions that were looked at, above all.
#[cold]
fn release_dropped() {
    // SAFETY: the GIL is held; the exception that is set stays so while other objects are released.
    unsafe {
        let (mut kind, mut value, mut traceback) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        #[allow(deprecated)]
        ffi::PyErr_Fetch(&mut kind, &mut value, &mut traceback);
        Python::attach(|_| ());
        #[allow(deprecated)]
        ffi::PyErr_Restore(kind, value, traceback);
    }
}

/// Makes a heap type from slots. `T` gives its size.
pub fn make_type<'py, T>(
    py: Python<'py>,
    name: &'static CStr,
    item_size: c_int,
    flags: std::ffi::c_ulong,
    slots: &mut [ffi::PyType_Slot],
) -> PyResult<Bound<'py, PyType>> {
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size_of::<T>() as c_int,
        itemsize: item_size,
        flags: flags as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec and its slots live during the call; the name is static. A null means an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&mut spec)).map(|made| made.cast_into_unchecked()) }
}

/// The plan object of a class, borrowed, or None.
///
/// # Safety
/// `class` is a live type.
#[inline(always)]
pub unsafe fn plan_object(class: *mut ffi::PyTypeObject) -> Option<*mut ffi::PyObject> {
    // SAFETY: a class whose metaclass derives from MetaCore has the slot, at the offset where MetaCore put it. The
    // slot can be written from Python, so the type of what is in it is compared.
    unsafe {
        let meta = ffi::Py_TYPE(class.cast());
        if !OWN_METAS.iter().any(|own| own.load(Ordering::Relaxed) == meta)
            && ffi::PyType_IsSubtype(meta, META_CORE.load(Ordering::Relaxed)) == 0
        {
            return None;
        }
        let plan = *class.cast::<u8>().offset(PLAN_SLOT.load(Ordering::Relaxed)).cast::<*mut ffi::PyObject>();
        (!plan.is_null() && ffi::Py_TYPE(plan) == PLAN_TYPE.load(Ordering::Relaxed)).then_some(plan)
    }
}

fn no_slot() -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot: 0, pfunc: ptr::null_mut() }
}

/// Makes MetaCore from pydantic's metaclass.
fn make_meta(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    let base = Runtime::get(py).base_model.bind(py).get_type();
    // SAFETY: a live type's size is read; members and slots live during the call, and the names are static.
    unsafe {
        let place = (*base.as_type_ptr()).tp_basicsize;
        let mut members = [
            ffi::PyMemberDef {
                name: c"__nitro_plan__".as_ptr(),
                type_code: ffi::Py_T_OBJECT_EX,
                offset: place,
                flags: 0,
                doc: ptr::null(),
            },
            ffi::PyMemberDef {
                name: c"__vectorcalloffset__".as_ptr(),
                type_code: ffi::Py_T_PYSSIZET,
                offset: std::mem::offset_of!(ffi::PyTypeObject, tp_vectorcall) as isize,
                flags: ffi::Py_READONLY,
                doc: ptr::null(),
            },
            std::mem::zeroed(),
        ];
        let call = ffi::PyType_Type.tp_call;
        let mut slots = [
            ffi::PyType_Slot { slot: ffi::Py_tp_members, pfunc: members.as_mut_ptr().cast() },
            ffi::PyType_Slot { slot: ffi::Py_tp_call, pfunc: call.map_or(ptr::null_mut(), |call| call as *mut c_void) },
            no_slot(),
        ];
        let mut spec = ffi::PyType_Spec {
            name: c"nitro._core.MetaCore".as_ptr(),
            basicsize: (place + size_of::<*mut ffi::PyObject>() as isize) as c_int,
            itemsize: 0,
            flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE | ffi::Py_TPFLAGS_HAVE_VECTORCALL) as c_uint,
            slots: slots.as_mut_ptr(),
        };
        let bases = pyo3::types::PyTuple::new(py, [&base])?;
        let made = ffi::PyType_FromSpecWithBases(&mut spec, bases.as_ptr());
        let meta: Bound<'_, PyType> = Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked();
        PLAN_SLOT.store(place, Ordering::Relaxed);
        META_CORE.store(meta.clone().into_ptr().cast(), Ordering::Relaxed);
        Ok(meta)
    }
}

type FastCall = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    isize,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

fn method(name: &'static CStr, function: FastCall, flags: c_int, doc: &'static CStr) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: function },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS | flags,
        ml_doc: doc.as_ptr(),
    }
}

fn make_model_core(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    // The type keeps pointers to these tables, so they live for ever.
    let methods = Box::leak(Box::new([
        method(
            c"model_validate",
            construct::model_validate,
            ffi::METH_CLASS,
            c"model_validate($type, /, obj, *, strict=None, extra=None, from_attributes=None, context=None, by_alias=None, by_name=None)\n--\n\nValidate a pydantic model instance: see `pydantic.BaseModel.model_validate`.",
        ),
        method(
            c"model_validate_json",
            decode::model_validate_json,
            ffi::METH_CLASS,
            c"model_validate_json($type, /, json_data, *, strict=None, extra=None, context=None, by_alias=None, by_name=None)\n--\n\nValidate JSON text against the model: see `pydantic.BaseModel.model_validate_json`.",
        ),
        method(
            c"model_dump",
            dump::model_dump,
            0,
            c"model_dump($self, /, *, mode='python', include=None, exclude=None, context=None, by_alias=None, exclude_unset=False, exclude_defaults=False, exclude_none=False, exclude_computed_fields=False, round_trip=False, warnings=True, fallback=None, serialize_as_any=False, polymorphic_serialization=None)\n--\n\nA dictionary of the model's fields: see `pydantic.BaseModel.model_dump`.",
        ),
        method(
            c"model_dump_json",
            encode::model_dump_json,
            0,
            c"model_dump_json($self, /, *, indent=None, ensure_ascii=False, include=None, exclude=None, context=None, by_alias=None, exclude_unset=False, exclude_defaults=False, exclude_none=False, exclude_computed_fields=False, round_trip=False, warnings=True, fallback=None, serialize_as_any=False, polymorphic_serialization=None)\n--\n\nThe model's fields as JSON text: see `pydantic.BaseModel.model_dump_json`.",
        ),
        method(c"__copy__", copy::copy, 0, c"__copy__($self, /)\n--\n\nA shallow copy of the model."),
        method(c"__setattr__", assign::setattr, 0, c"__setattr__($self, name, value, /)\n--\n\nValidate and assign."),
        method(c"__delattr__", assign::delattr, 0, c"__delattr__($self, name, /)\n--\n\nDelete an attribute."),
        // SAFETY: all-zero is the end of a method table.
        unsafe { std::mem::zeroed() },
    ]));
    let getset = |name: &'static CStr, get: ffi::getter, set: ffi::setter| ffi::PyGetSetDef {
        name: name.as_ptr(),
        get: Some(get),
        set: Some(set),
        doc: ptr::null(),
        closure: ptr::null_mut(),
    };
    let getsets = Box::leak(Box::new([
        getset(c"__dict__", get_dict, set_dict),
        getset(c"__class__", get_class, set_class),
        getset(c"__pydantic_extra__", get_extra, set_extra),
        getset(c"__pydantic_fields_set__", get_fields_set, set_fields_set_attribute),
        // SAFETY: all-zero is the end of the table.
        unsafe { std::mem::zeroed() },
    ]));
    make_type::<ffi::PyObject>(
        py,
        c"nitro._core.ModelCore",
        0,
        ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE,
        &mut [
            ffi::PyType_Slot { slot: ffi::Py_tp_methods, pfunc: methods.as_mut_ptr().cast() },
            ffi::PyType_Slot { slot: ffi::Py_tp_getset, pfunc: getsets.as_mut_ptr().cast() },
            no_slot(),
        ],
    )
}

unsafe extern "C" fn get_dict(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    guard(|py| {
        // SAFETY: the interpreter passes a live instance.
        unsafe {
            let view = Borrowed::from_ptr(py, object);
            let plan = Plan::held(py, ffi::Py_TYPE(object));
            layout::dictionary(view, plan.as_ref().map(|plan| plan.get()))
        }
    })
}

unsafe extern "C" fn set_dict(object: *mut ffi::PyObject, value: *mut ffi::PyObject, _: *mut c_void) -> c_int {
    guard_status(|py| {
        // SAFETY: the interpreter passes a live instance, and a live value or null.
        unsafe {
            let object = Borrowed::from_ptr(py, object);
            match Borrowed::from_ptr_or_opt(py, value) {
                Some(dict) => layout::set_dictionary(object, dict),
                // Deleted: whoever looks again finds an empty one.
                None => layout::set_dictionary(object, PyDict::new(py).as_any().as_borrowed()),
            }
        }
    })
}

unsafe extern "C" fn get_class(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes a live instance.
    unsafe { ffi::Py_NewRef(ffi::Py_TYPE(object).cast()) }
}

/// An instance that is given another class takes nothing along that only the plan of the old one can read.
unsafe extern "C" fn set_class(object: *mut ffi::PyObject, value: *mut ffi::PyObject, closure: *mut c_void) -> c_int {
    guard_status(|py| {
        // SAFETY: the interpreter passes a live instance, and a live value or null. The functions called are those of
        // this type and of object.
        unsafe {
            let names = get_fields_set(object, closure);
            if names.is_null() {
                ffi::PyErr_Clear();
            }
            ffi::Py_XDECREF(names);
            if let Some(plan) = Plan::held(py, ffi::Py_TYPE(object))
                && plan.get().tracked
            {
                track::forget(Borrowed::from_ptr(py, object));
            }
            let base: Bound<'_, PyType> =
                Bound::from_borrowed_ptr(py, (&raw mut ffi::PyBaseObject_Type).cast()).cast_into_unchecked();
            let set =
                base.getattr("__dict__").and_then(|members| members.get_item("__class__")).and_then(|descriptor| {
                    match Borrowed::from_ptr_or_opt(py, value) {
                        Some(value) => descriptor.call_method1("__set__", (Borrowed::from_ptr(py, object), value)),
                        None => descriptor.call_method1("__delete__", (Borrowed::from_ptr(py, object),)),
                    }
                });
            set.map(|_| ()).map_err(|error| raise(py, error))
        }
    })
}

fn guard_status(body: impl FnOnce(Python<'_>) -> Lane<()>) -> c_int {
    let done = guard(|py| body(py).map(|()| py.None().into_bound(py)));
    if done.is_null() {
        return -1;
    }
    // SAFETY: None, owned.
    unsafe { ffi::Py_DECREF(done) };
    0
}

unsafe extern "C" fn get_extra(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    guard(|py| {
        // SAFETY: the interpreter passes a live instance of a subclass of ModelCore.
        unsafe {
            let place = extra_place(py, object);
            place
                .and_then(|place| Bound::from_borrowed_ptr_or_opt(py, *place))
                .ok_or_else(|| absent(py, object, "extra"))
        }
    })
}

/// Extra values can come to an instance of any class (`model_validate(..., extra="allow")`), and are then attributes
/// of it: the class needs pydantic's `__getattr__` from here on.
unsafe extern "C" fn set_extra(object: *mut ffi::PyObject, value: *mut ffi::PyObject, _: *mut c_void) -> c_int {
    guard_status(|py| {
        // SAFETY: the interpreter passes a live instance of a subclass of ModelCore, and a live value or null.
        unsafe {
            let place = extra_place(py, object).ok_or_else(|| absent(py, object, "extra"))?;
            if value.is_null() && (*place).is_null() {
                return Err(absent(py, object, "extra"));
            }
            let class = ffi::Py_TYPE(object);
            let generic = ffi::PyObject_GenericGetAttr as *const () as usize;
            if !value.is_null()
                && value != ffi::Py_None()
                && ffi::PyObject_IsTrue(value) == 1
                && (*class).tp_getattro.map(|getattro| getattro as *const () as usize) == Some(generic)
            {
                let base = Runtime::get(py).base_model.as_ptr().cast::<ffi::PyTypeObject>();
                (*class).tp_getattro = (*base).tp_getattro;
                ffi::PyType_Modified(class);
            }
            ffi::Py_XDECREF(ptr::replace(place, ffi::Py_XNewRef(value)));
            Ok(())
        }
    })
}

/// The place where BaseModel keeps extra values; None where the object is no model.
///
/// # Safety
/// `object` is a live object.
pub unsafe fn extra_place(py: Python<'_>, object: *mut ffi::PyObject) -> Option<*mut *mut ffi::PyObject> {
    // SAFETY: BaseModel's slots are at the same offsets in all its subclasses.
    unsafe { is_model(py, ffi::Py_TYPE(object)).then(|| object.cast::<u8>().offset(Runtime::get(py).extra).cast()) }
}

/// The error that the slot itself would raise.
fn absent(py: Python<'_>, object: *mut ffi::PyObject, what: &str) -> Fail {
    // SAFETY: callers pass a live object.
    let class = unsafe { Borrowed::from_ptr(py, object) }.get_type();
    // From 3.13 on, CPython names the module too.
    let name = if cfg!(Py_3_13) { class.fully_qualified_name() } else { class.name() };
    let name = name.map_or_else(|_| "model".to_owned(), |name| name.to_string());
    let text = format!("'{name}' object has no attribute '__pydantic_{what}__'");
    raise(py, PyAttributeError::new_err(text))
}

/// The place where BaseModel keeps the names of the fields given.
///
/// # Safety
/// `object` is a live instance of a subclass of BaseModel.
#[inline(always)]
pub unsafe fn fields_set_place(py: Python<'_>, object: *mut ffi::PyObject) -> *mut *mut ffi::PyObject {
    // SAFETY: BaseModel's slots are at the same offsets in all its subclasses.
    unsafe { object.cast::<u8>().offset(Runtime::get(py).fields_set).cast() }
}

/// Gives the slot of given fields another value: a mask or a set.
pub fn set_fields_set(object: View<'_, '_>, value: Object<'_>) {
    // SAFETY: callers have a planned instance; the old value is given up after it is out of reach.
    unsafe {
        let place = fields_set_place(object.py(), object.as_ptr());
        ffi::Py_XDECREF(ptr::replace(place, value.into_ptr()));
    }
}

/// The bits become a set when somebody looks.
unsafe extern "C" fn get_fields_set(object: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    guard(|py| {
        // SAFETY: the interpreter passes a live instance of a subclass of ModelCore; `is_model` excludes those that
        // have no such slot.
        unsafe {
            let class = ffi::Py_TYPE(object);
            if !is_model(py, class) {
                return Err(absent(py, object, "fields_set"));
            }
            let place = fields_set_place(py, object);
            if (*place).is_null() {
                return Err(absent(py, object, "fields_set"));
            }
            if let Some(bits) = Runtime::get(py).bits(Borrowed::from_ptr(py, *place))
                && let Some(plan) = Plan::held(py, class)
            {
                let set = PySet::empty(py).map_err(|error| raise(py, error))?;
                for (index, field) in plan.get().fields.iter().enumerate().take(MASK_FIELDS) {
                    if bits >> index & 1 == 1 && ffi::PySet_Add(set.as_ptr(), field.name.as_ptr()) < 0 {
                        return Err(Fail::Raised);
                    }
                }
                ffi::Py_DECREF(ptr::replace(place, set.into_ptr()));
            }
            Ok(Bound::from_borrowed_ptr(py, *place))
        }
    })
}

/// Pydantic fills this slot last when it makes, copies or unpickles an instance: a tracked one settles then.
unsafe extern "C" fn set_fields_set_attribute(
    object: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    _: *mut c_void,
) -> c_int {
    guard_status(|py| {
        // SAFETY: as in `get_fields_set`.
        unsafe {
            let class = ffi::Py_TYPE(object);
            if !is_model(py, class) {
                return Err(absent(py, object, "fields_set"));
            }
            let place = fields_set_place(py, object);
            if value.is_null() && (*place).is_null() {
                return Err(absent(py, object, "fields_set"));
            }
            let old = ptr::replace(place, ffi::Py_XNewRef(value));
            let fresh = old.is_null();
            ffi::Py_XDECREF(old);
            if fresh
                && !value.is_null()
                && let Some(plan) = Plan::held(py, class)
                && plan.get().tracked
            {
                track::filled(Borrowed::from_ptr(py, object), plan.get())?;
            }
            Ok(())
        }
    })
}

/// # Safety
/// `class` is a live type.
unsafe fn is_model(py: Python<'_>, class: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: two live types. Only models have plans.
    unsafe {
        plan_object(class).is_some() || ffi::PyType_IsSubtype(class, Runtime::get(py).base_model.as_ptr().cast()) != 0
    }
}

/// Attribute access on classes. Pydantic's metaclass has a `__getattr__` in Python, through which CPython makes every
/// access slow; here it is asked only when nothing else has the name.
unsafe extern "C" fn class_getattro(class: *mut ffi::PyObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes a live class and a name; type has such a function.
    unsafe {
        if let Some(methods) = BOUND_METHODS
            && let Some(index) = methods.iter().position(|&method| method == name)
            && let Some(plan) = Plan::of(class.cast())
            && let Some(bound) = &plan.bound
        {
            return ffi::Py_NewRef(bound[index].as_ptr());
        }
        let Some(getattro) = ffi::PyType_Type.tp_getattro else { return ptr::null_mut() };
        let found = getattro(class, name);
        if !found.is_null() || ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) == 0 {
            return found;
        }
    }
    guard(|py| {
        let error = PyErr::fetch(py);
        // SAFETY: as above.
        unsafe {
            let meta = Borrowed::from_ptr(py, ffi::Py_TYPE(class).cast());
            let Ok(fallback) = meta.getattr(pyo3::intern!(py, "__getattr__")) else {
                return Err(raise(py, error));
            };
            fallback
                .call1((Borrowed::from_ptr(py, class), Borrowed::from_ptr(py, name)))
                .map_err(|error| raise(py, error))
        }
    })
}

/// Gives the Python metaclass what CPython does not pass on from MetaCore: the vectorcall of its classes (before 3.12)
/// and attribute access without a detour.
#[pyfunction]
pub fn finish_metaclass(meta: &Bound<'_, PyType>) {
    // SAFETY: the type was made a moment ago from MetaCore; fields that a class statement can set are written before
    // any of its classes exists.
    unsafe {
        let raw = meta.as_type_ptr();
        (*raw).tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
        (*raw).tp_vectorcall_offset = std::mem::offset_of!(ffi::PyTypeObject, tp_vectorcall) as isize;
        (*raw).tp_getattro = Some(class_getattro);
        ffi::PyType_Modified(raw);
        for own in &OWN_METAS {
            if own.load(Ordering::Relaxed).is_null() {
                // Kept for ever, so that no other type can come to have this address.
                own.store(meta.clone().into_ptr().cast(), Ordering::Relaxed);
                break;
            }
        }
    }
}

/// Gives a class its plan, or takes it away (None). `vectorcall`: whether `cls(...)` may take the fast lane.
/// `generic_getattr`: whether instances need nothing but ordinary attribute access.
#[pyfunction]
pub fn install_plan(
    class: &Bound<'_, PyType>,
    plan: Option<&Bound<'_, Plan>>,
    vectorcall: bool,
    generic_getattr: bool,
) -> PyResult<()> {
    // SAFETY: the class is live and its metaclass is checked to have the slot; types may be written with the GIL held
    // when CPython is told about it.
    unsafe {
        let raw = class.as_type_ptr();
        let meta = ffi::Py_TYPE(raw.cast());
        if ffi::PyType_IsSubtype(meta, META_CORE.load(Ordering::Relaxed)) == 0 {
            return Err(PyTypeError::new_err(format!("{class} has no place for a plan")));
        }
        // A metaclass that calls its classes in a way of its own goes on doing so.
        let own_call = (*meta).tp_call.map(|call| call as usize) != ffi::PyType_Type.tp_call.map(|call| call as usize);
        let fast = vectorcall && plan.is_some() && !own_call;
        if fast && (*meta).tp_flags & ffi::Py_TPFLAGS_HAVE_VECTORCALL == 0 {
            (*meta).tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
            (*meta).tp_vectorcall_offset = std::mem::offset_of!(ffi::PyTypeObject, tp_vectorcall) as isize;
        }
        (*raw).tp_vectorcall = if fast { Some(construct::vectorcall) } else { None };
        if generic_getattr && plan.is_some() && cfg!(not(Py_3_12)) && layout::private_allowed() {
            // Before 3.12 a `__getattr__` in Python makes every read slow, and pydantic has one; for this class it
            // could only raise the same error.
            (*raw).tp_getattro = Some(ffi::PyObject_GenericGetAttr);
        }
        let place = raw.cast::<u8>().offset(PLAN_SLOT.load(Ordering::Relaxed)).cast::<*mut ffi::PyObject>();
        let new = plan.map_or(ptr::null_mut(), |plan| plan.clone().into_ptr());
        let old = ptr::replace(place, new);
        ffi::PyType_Modified(raw);
        ffi::Py_XDECREF(old);
    }
    Ok(())
}

/// Calls the method that the fast lane replaced, with `object` (an instance or a class) in front of the arguments.
///
/// # Safety
/// `arguments` has `count` live objects and one more for each of `names`.
pub unsafe fn call_next<'py>(
    py: Python<'py>,
    next: &Py<PyAny>,
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> Lane<Object<'py>> {
    // SAFETY: as promised by the caller.
    unsafe {
        let all = (count + if names.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(names) }) as usize;
        let given = std::slice::from_raw_parts(if all == 0 { ptr::dangling() } else { arguments }, all);
        let mut few = [ptr::null_mut(); 16];
        let mut many = Vec::new();
        let passed = if all < few.len() {
            &mut few[..=all]
        } else {
            many.resize(all + 1, ptr::null_mut());
            &mut many[..]
        };
        passed[0] = object;
        passed[1..].copy_from_slice(given);
        owned(py, ffi::PyObject_Vectorcall(next.as_ptr(), passed.as_ptr(), count as usize + 1, names))
    }
}

/// Calls a method of the class's serializer with the keywords that `model_dump` or `model_dump_json` was given, as
/// pydantic's own method would do. Slow for a keyword that is not known: pydantic's method refuses it.
///
/// # Safety
/// As for `call_next`.
pub unsafe fn serialize<'py>(
    py: Python<'py>,
    plan: &Plan,
    for_json: bool,
    object: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> Lane<Object<'py>> {
    // SAFETY: as promised by the caller; the names of keywords are a tuple of strings.
    unsafe {
        if count != 0 || names.is_null() || !plan.own_methods {
            return Err(Fail::Slow);
        }
        let known = &Runtime::get(py).serializer_keywords;
        let given = ffi::PyTuple_GET_SIZE(names);
        // The first two belong to one of the methods only.
        let foreign = known[usize::from(for_json)].as_ptr();
        let is_known = |index| {
            let name = ffi::PyTuple_GET_ITEM(names, index);
            name != foreign && known.iter().any(|known| known.as_ptr() == name)
        };
        if given as usize > 14 || !(0..given).all(is_known) {
            return Err(Fail::Slow);
        }
        let mut passed = [ptr::null_mut(); 16];
        passed[0] = plan.serializer.as_ptr();
        passed[1] = object;
        for index in 0..given {
            passed[2 + index as usize] = *arguments.offset(index);
        }
        let method = if for_json { pyo3::intern!(py, "to_json") } else { pyo3::intern!(py, "to_python") };
        owned(py, ffi::PyObject_VectorcallMethod(method.as_ptr(), passed.as_ptr(), 2, names))
    }
}

/// Calls the method that comes after ModelCore's, for classes that have no plan (yet).
///
/// # Safety
/// As for `call_next`.
pub unsafe fn beyond<'py>(
    py: Python<'py>,
    object: *mut ffi::PyObject,
    method: &CStr,
    arguments: *const *mut ffi::PyObject,
    count: isize,
    names: *mut ffi::PyObject,
) -> Lane<Object<'py>> {
    // SAFETY: as promised by the caller.
    unsafe {
        let object = Borrowed::from_ptr(py, object);
        let parent =
            py.get_type::<pyo3::types::PySuper>().call1((model_core(py), object)).map_err(|error| raise(py, error))?;
        let next = owned(py, ffi::PyObject_GetAttrString(parent.as_ptr(), method.as_ptr()))?;
        owned(py, ffi::PyObject_Vectorcall(next.as_ptr(), arguments, count as usize, names))
    }
}

pub fn initialise(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    PLAN_TYPE.store(py.get_type::<Plan>().as_type_ptr(), Ordering::Relaxed);
    let bound = ["model_validate", "model_validate_json"].map(|name| PyString::intern(py, name).into_ptr());
    // SAFETY: written once, with the GIL held, before any class could be asked for an attribute.
    unsafe { BOUND_METHODS = Some(bound) };
    let meta = make_meta(py)?;
    let core = make_model_core(py)?;
    module.add("MetaCore", meta)?;
    module.add("ModelCore", &core)?;
    let _ = MODEL_CORE.set(py, core.unbind());
    Ok(())
}
