//! What the core looks up once and uses ever after: types, names, and where BaseModel keeps its slots.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use pyo3::{ffi, intern};

/// Why the fast lane gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fail {
    /// It cannot say what pydantic would say: let pydantic answer. No Python exception is set.
    Slow,
    /// A Python exception is set.
    Raised,
}

pub type Lane<T> = Result<T, Fail>;
pub type Object<'py> = Bound<'py, PyAny>;
pub type View<'a, 'py> = Borrowed<'a, 'py, PyAny>;

/// Takes a new reference from a C function; null means that it has set an exception.
///
/// # Safety
/// `pointer` is null with an exception set, or a reference that the caller owns.
#[inline(always)]
pub unsafe fn owned(py: Python<'_>, pointer: *mut ffi::PyObject) -> Lane<Object<'_>> {
    // SAFETY: handed on from the caller.
    unsafe { Bound::from_owned_ptr_or_opt(py, pointer) }.ok_or(Fail::Raised)
}

/// After a set or a dict refused a value: pydantic has an error of its own for that.
pub fn unhashable() -> Fail {
    // SAFETY: the GIL is held wherever a container could refuse something.
    unsafe { ffi::PyErr_Clear() };
    Fail::Slow
}

/// Sets the exception that a PyErr carries.
pub fn raise(py: Python<'_>, error: PyErr) -> Fail {
    error.restore(py);
    Fail::Raised
}

/// The fields given to an instance, a bit for each, in place of the set of their names until somebody looks.
#[pyclass(frozen, module = "nitro._core")]
pub struct Mask(pub u64);

/// Masks below this one are made once.
const READY_MASKS: u64 = 1024;

pub struct Runtime {
    /// Offsets of BaseModel's slots, in bytes from the object's start.
    pub fields_set: isize,
    pub extra: isize,
    pub private: isize,
    /// `BaseModel` itself.
    pub base_model: Py<PyAny>,
    pub uuid: Py<PyType>,
    pub safe_uuid_unknown: Py<PyAny>,
    pub decimal: Py<PyType>,
    pub decimal_is_finite: Py<PyAny>,
    /// `enum.Enum`.
    pub enumeration: Py<PyAny>,
    pub utc: Py<PyAny>,
    /// `pydantic_core.TzInfo`, which pydantic gives to datetimes that it parses.
    pub tz_info: Py<PyAny>,
    pub tz_info_utc: Py<PyAny>,
    pub deepcopy: Py<PyAny>,
    pub deque: Py<PyAny>,
    pub empty_tuple: Py<PyAny>,
    /// The keywords, interned, that `model_dump` and `model_dump_json` hand on to the serializer.
    pub serializer_keywords: Vec<Py<PyString>>,
    /// The value of an attribute that is not there; a singleton that survives copying and pickling.
    pub undefined: Py<PyAny>,
    mask_type: Py<PyType>,
    masks: Vec<Py<Mask>>,
}

static RUNTIME: PyOnceLock<Runtime> = PyOnceLock::new();

/// The offset of the slot `name` of `class`, in bytes from an instance's start.
pub fn slot_offset(class: &Bound<'_, PyAny>, name: &str) -> PyResult<isize> {
    let descriptor = class.getattr("__dict__")?.get_item(name)?;
    // SAFETY: the type of a member descriptor is compared before the pointer is read as one.
    unsafe {
        if ffi::Py_TYPE(descriptor.as_ptr()) != &raw mut ffi::PyMemberDescr_Type {
            return Err(PyRuntimeError::new_err(format!("{name} is not a slot of {class}")));
        }
        let member = descriptor.as_ptr().cast::<MemberDescriptor>();
        Ok((*(*member).member).offset)
    }
}

/// `PyMemberDescrObject`, which the C-API declares in descrobject.h.
#[repr(C)]
struct MemberDescriptor {
    ob_base: ffi::PyObject,
    d_type: *mut ffi::PyTypeObject,
    d_name: *mut ffi::PyObject,
    d_qualname: *mut ffi::PyObject,
    member: *mut ffi::PyMemberDef,
}

impl Runtime {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let base_model = py.import("pydantic")?.getattr("BaseModel")?;
        let uuid = py.import("uuid")?;
        let decimal = py.import("decimal")?.getattr("Decimal")?;
        let tz_info = py.import("pydantic_core")?.getattr("TzInfo")?;
        let datetime = py.import("datetime")?;
        // SAFETY: the GIL is held; fills the table that the datetime macros read.
        unsafe { ffi::PyDateTime_IMPORT() };
        let masks = (0..READY_MASKS).map(|bits| Py::new(py, Mask(bits))).collect::<PyResult<_>>()?;
        Ok(Self {
            fields_set: slot_offset(&base_model, "__pydantic_fields_set__")?,
            extra: slot_offset(&base_model, "__pydantic_extra__")?,
            private: slot_offset(&base_model, "__pydantic_private__")?,
            uuid: uuid.getattr("UUID")?.cast_into::<PyType>()?.unbind(),
            safe_uuid_unknown: uuid.getattr("SafeUUID")?.getattr("unknown")?.unbind(),
            enumeration: py.import("enum")?.getattr("Enum")?.unbind(),
            decimal_is_finite: decimal.getattr("is_finite")?.unbind(),
            decimal: decimal.cast_into::<PyType>()?.unbind(),
            utc: datetime.getattr("timezone")?.getattr("utc")?.unbind(),
            tz_info_utc: tz_info.call1((0,))?.unbind(),
            tz_info: tz_info.unbind(),
            deque: py.import("collections")?.getattr("deque")?.unbind(),
            deepcopy: py.import("copy")?.getattr("deepcopy")?.unbind(),
            serializer_keywords: [
                "indent",
                "mode",
                "include",
                "exclude",
                "context",
                "by_alias",
                "exclude_unset",
                "exclude_defaults",
                "exclude_none",
                "exclude_computed_fields",
                "round_trip",
                "warnings",
                "fallback",
                "serialize_as_any",
                "polymorphic_serialization",
            ]
            .map(|name| PyString::intern(py, name).unbind())
            .into(),
            empty_tuple: pyo3::types::PyTuple::empty(py).into_any().unbind(),
            undefined: py.import("pydantic_core")?.getattr("PydanticUndefined")?.unbind(),
            mask_type: py.get_type::<Mask>().unbind(),
            base_model: base_model.unbind(),
            masks,
        })
    }

    #[inline(always)]
    pub fn get(py: Python<'_>) -> &Self {
        // The module's initialisation fills it before anything else can run.
        RUNTIME.get(py).expect("nitro._core is initialised")
    }

    pub fn initialise(py: Python<'_>) -> PyResult<()> {
        RUNTIME.get_or_try_init(py, || Self::new(py)).map(|_| ())
    }

    #[inline]
    pub fn mask<'py>(&self, py: Python<'py>, bits: u64) -> Lane<Object<'py>> {
        match self.masks.get(bits as usize) {
            Some(ready) => Ok(ready.bind(py).clone().into_any()),
            None => Bound::new(py, Mask(bits)).map(Bound::into_any).map_err(|error| raise(py, error)),
        }
    }

    /// The bits of a mask; None for any other object.
    #[inline]
    pub fn bits(&self, object: View<'_, '_>) -> Option<u64> {
        // SAFETY: the type is compared before the object is read as a mask.
        unsafe {
            if ffi::Py_TYPE(object.as_ptr()) != self.mask_type.as_ptr().cast() {
                return None;
            }
            Some(object.cast_unchecked::<Mask>().get().0)
        }
    }
}

/// A method that the fast lane replaces: the function that pydantic, or a class between Nitro's and
/// pydantic's, has for it.
pub fn inherited<'py>(class: &Bound<'py, PyType>, core: &Bound<'py, PyType>, name: &str) -> PyResult<Object<'py>> {
    let py = class.py();
    let mut passed = false;
    for base in class.mro().iter() {
        if passed {
            let namespace = base.getattr(intern!(py, "__dict__"))?;
            let name = PyString::new(py, name);
            if namespace.contains(&name)? {
                let found = namespace.get_item(name)?;
                // A classmethod's function takes the class in front, as a method takes its instance.
                return found.getattr(intern!(py, "__func__")).or(Ok(found));
            }
        } else if base.is(core) {
            passed = true;
        }
    }
    Err(PyRuntimeError::new_err(format!("{class} inherits no {name}")))
}
