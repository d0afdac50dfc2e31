//! The plan of a class: what the fast lane knows of its fields. Compiled once, from pydantic's own core schema
//! (see `nitro/_plan.py`), when pydantic has completed the class; a call inspects no annotations.

use std::collections::HashMap;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::check::plain_type;
use crate::json;
use crate::layout::{self, Layout};
use crate::runtime::{View, inherited};
use crate::types;

/// Fields up to this number are tracked as "given" by the bits of one word.
pub const MASK_FIELDS: usize = 63;

/// Bounds on a length: both inclusive.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    pub minimum: usize,
    pub maximum: usize,
}

impl Length {
    #[inline(always)]
    pub fn admits(&self, length: usize) -> bool {
        self.minimum <= length && length <= self.maximum
    }

    pub fn is_free(&self) -> bool {
        self.minimum == 0 && self.maximum == usize::MAX
    }
}

/// What a value must be for the fast lane to take it, and how it is written.
#[derive(Debug)]
pub enum Node {
    /// Only pydantic can say. The text says why.
    Slow(String),
    /// Pydantic validates it, but it is written as the inner node says.
    SlowToValidate(String, Box<Node>),
    Any,
    Null,
    Bool,
    Str(Length),
    Int {
        bounded: bool,
        minimum: i64,
        maximum: i64,
        multiple_of: i64,
    },
    Float {
        bounded: bool,
        gt: Option<f64>,
        ge: Option<f64>,
        lt: Option<f64>,
        le: Option<f64>,
        multiple_of: Option<f64>,
        finite: bool,
    },
    Bytes(Length),
    DateTime,
    Date,
    Time,
    TimeDelta,
    Uuid,
    Decimal {
        bounds: Vec<(i32, Py<PyAny>)>,
    },
    Enum {
        class: Py<PyType>,
        by_text: HashMap<String, Py<PyAny>>,
        by_number: HashMap<i64, Py<PyAny>>,
    },
    Literal {
        values: Vec<Py<PyAny>>,
    },
    List(Box<Node>, Length),
    Set(Box<Node>, Length),
    FrozenSet(Box<Node>, Length),
    Tuple(Vec<Node>),
    Variadic(Box<Node>, Length),
    Dict(Box<Node>, Box<Node>, Length),
    Model(Py<PyType>),
    Nullable(Box<Node>),
    Union(Vec<Node>),
}

fn length(spec: &Bound<'_, PyTuple>, at: usize) -> PyResult<Length> {
    let minimum: Option<usize> = spec.get_item(at)?.extract()?;
    let maximum: Option<usize> = spec.get_item(at + 1)?.extract()?;
    Ok(Length { minimum: minimum.unwrap_or(0), maximum: maximum.unwrap_or(usize::MAX) })
}

impl Node {
    /// Reads what `nitro._plan` wrote: a tuple of a kind and what belongs to it.
    fn read(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        let spec = spec.cast::<PyTuple>()?;
        let kind: String = spec.get_item(0)?.extract()?;
        let inner = |at: usize| -> PyResult<Box<Self>> { Ok(Box::new(Self::read(&spec.get_item(at)?)?)) };
        let several = |at: usize| -> PyResult<Vec<Self>> {
            spec.get_item(at)?.cast::<PyTuple>()?.iter().map(|item| Self::read(&item)).collect()
        };
        Ok(match kind.as_str() {
            "slow" => Self::Slow(spec.get_item(1)?.extract()?),
            "slow-to-validate" => Self::SlowToValidate(spec.get_item(1)?.extract()?, inner(2)?),
            "any" => Self::Any,
            "none" => Self::Null,
            "bool" => Self::Bool,
            "str" => Self::Str(length(spec, 1)?),
            "int" => {
                let minimum: Option<i64> = spec.get_item(1)?.extract()?;
                let maximum: Option<i64> = spec.get_item(2)?.extract()?;
                let multiple_of: Option<i64> = spec.get_item(3)?.extract()?;
                Self::Int {
                    bounded: minimum.is_some() || maximum.is_some() || multiple_of.is_some(),
                    minimum: minimum.unwrap_or(i64::MIN),
                    maximum: maximum.unwrap_or(i64::MAX),
                    multiple_of: multiple_of.unwrap_or(1),
                }
            }
            "float" => {
                let bound = |at: usize| -> PyResult<Option<f64>> { spec.get_item(at)?.extract() };
                let (gt, ge, lt, le, multiple_of) = (bound(1)?, bound(2)?, bound(3)?, bound(4)?, bound(5)?);
                let finite: bool = spec.get_item(6)?.extract()?;
                let bounded = finite || [gt, ge, lt, le, multiple_of].iter().any(Option::is_some);
                Self::Float { bounded, gt, ge, lt, le, multiple_of, finite }
            }
            "bytes" => Self::Bytes(length(spec, 1)?),
            "datetime" => Self::DateTime,
            "date" => Self::Date,
            "time" => Self::Time,
            "timedelta" => Self::TimeDelta,
            "uuid" => Self::Uuid,
            "decimal" => {
                let mut bounds = Vec::new();
                for (at, operator) in [(1, ffi::Py_GT), (2, ffi::Py_GE), (3, ffi::Py_LT), (4, ffi::Py_LE)] {
                    let bound = spec.get_item(at)?;
                    if !bound.is_none() {
                        bounds.push((operator, bound.unbind()));
                    }
                }
                Self::Decimal { bounds }
            }
            "enum" => {
                let class = spec.get_item(1)?.cast_into::<PyType>()?.unbind();
                let (mut by_text, mut by_number) = (HashMap::new(), HashMap::new());
                for (value, member) in spec.get_item(2)?.cast::<PyDict>()?.iter() {
                    if let Ok(text) = value.extract::<String>() {
                        by_text.insert(text, member.unbind());
                    } else {
                        by_number.insert(value.extract()?, member.unbind());
                    }
                }
                Self::Enum { class, by_text, by_number }
            }
            "literal" => {
                let values = spec.get_item(1)?;
                Self::Literal { values: values.cast::<PyTuple>()?.iter().map(Bound::unbind).collect() }
            }
            "list" => Self::List(inner(1)?, length(spec, 2)?),
            "set" => Self::Set(inner(1)?, length(spec, 2)?),
            "frozenset" => Self::FrozenSet(inner(1)?, length(spec, 2)?),
            "tuple" => Self::Tuple(several(1)?),
            "variadic" => Self::Variadic(inner(1)?, length(spec, 2)?),
            "dict" => Self::Dict(inner(1)?, inner(2)?, length(spec, 3)?),
            "model" => Self::Model(spec.get_item(1)?.cast_into::<PyType>()?.unbind()),
            "nullable" => Self::Nullable(inner(1)?),
            "union" => Self::Union(several(1)?),
            other => return Err(PyValueError::new_err(format!("no such kind of field: {other:?}"))),
        })
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Decimal { bounds } => bounds.iter().try_for_each(|(_, bound)| visit.call(bound)),
            Self::Enum { class, by_text, by_number } => {
                visit.call(class)?;
                by_text.values().chain(by_number.values()).try_for_each(|member| visit.call(member))
            }
            Self::Literal { values } => values.iter().try_for_each(|value| visit.call(value)),
            Self::List(node, _)
            | Self::Set(node, _)
            | Self::FrozenSet(node, _)
            | Self::Variadic(node, _)
            | Self::Nullable(node)
            | Self::SlowToValidate(_, node) => node.traverse(visit),
            Self::Tuple(nodes) | Self::Union(nodes) => nodes.iter().try_for_each(|node| node.traverse(visit)),
            Self::Dict(keys, values, _) => {
                keys.traverse(visit)?;
                values.traverse(visit)
            }
            Self::Model(class) => visit.call(class),
            _ => Ok(()),
        }
    }

    /// Whether every value of this kind is immutable all the way down.
    fn is_atomic(&self) -> bool {
        match self {
            Self::Null
            | Self::Bool
            | Self::Str(_)
            | Self::Int { .. }
            | Self::Float { .. }
            | Self::Bytes(_)
            | Self::DateTime
            | Self::Date
            | Self::Time
            | Self::TimeDelta
            | Self::Uuid
            | Self::Decimal { .. }
            | Self::Enum { .. }
            | Self::Literal { .. } => true,
            Self::Nullable(node) => node.is_atomic(),
            Self::Tuple(nodes) | Self::Union(nodes) => nodes.iter().all(Self::is_atomic),
            Self::Variadic(node, _) | Self::FrozenSet(node, _) => node.is_atomic(),
            _ => false,
        }
    }
}

/// Where the value of a field comes from when it is not given.
#[derive(Debug)]
pub enum Default {
    Required,
    Constant(Py<PyAny>),
    EmptyList,
    EmptyDict,
    EmptySet,
    /// Copied anew for each instance, as pydantic does with values that have no hash.
    Copied(Py<PyAny>),
    Factory(Py<PyAny>),
    /// A new UUIDv7 as text.
    Identity,
}

impl Default {
    fn read(kind: &str, value: Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(match kind {
            "required" => Self::Required,
            "constant" => Self::Constant(value.unbind()),
            "list" => Self::EmptyList,
            "dict" => Self::EmptyDict,
            "set" => Self::EmptySet,
            "copied" => Self::Copied(value.unbind()),
            "factory" => Self::Factory(value.unbind()),
            "identity" => Self::Identity,
            other => return Err(PyValueError::new_err(format!("no such kind of default: {other:?}"))),
        })
    }

    /// Whether making the value twice shows nowhere. A model inside another one is only made in the fast lane
    /// when that holds: should the outer one turn out slow, pydantic makes the inner one again.
    fn is_pure(&self) -> bool {
        !matches!(self, Self::Factory(_) | Self::Copied(_))
    }
}

#[derive(Debug)]
pub struct Field {
    /// Interned.
    pub name: Py<PyString>,
    hash: isize,
    pub text: String,
    pub node: Node,
    pub default: Default,
    /// Whether a value may change without an assignment.
    pub mutable: bool,
    /// Whether a store keeps an index that this field is part of.
    pub indexed: bool,
}

/// How the JSON of a value begins to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Str,
    Int,
    Float,
    Bool,
    /// As its node says.
    Otherwise,
}

impl Written {
    fn of(node: &Node) -> Self {
        match node {
            Node::Str(_) => Self::Str,
            Node::Int { .. } => Self::Int,
            Node::Float { .. } => Self::Float,
            Node::Bool => Self::Bool,
            Node::SlowToValidate(_, inner) => Self::of(inner),
            _ => Self::Otherwise,
        }
    }
}

/// What the innermost loops need of a field: those of all fields stand side by side in memory.
#[derive(Debug)]
pub struct Brief {
    /// The field's name; the field holds it.
    pub name: *const ffi::PyObject,
    /// The type whose instances the fast lane takes as they are; null where more has to be looked at.
    pub plain: *const ffi::PyTypeObject,
    pub written: Written,
    /// Whether an assignment may take the fast lane.
    pub assignable: bool,
    /// The key as JSON with its colon, after a comma, or after the opening brace for the first field.
    pub key: json::Piece,
}

// SAFETY: both pointers are only compared.
unsafe impl Send for Brief {}
// SAFETY: as above.
unsafe impl Sync for Brief {}

impl Brief {
    fn new(py: Python<'_>, is_first: bool, field: &Field, assignable: bool) -> Self {
        let mut key = vec![if is_first { b'{' } else { b',' }];
        json::write_str(&mut key, field.text.as_bytes());
        key.push(b':');
        Self {
            name: field.name.as_ptr(),
            plain: plain_type(py, &field.node),
            written: Written::of(&field.node),
            assignable,
            key: json::Piece::new(key),
        }
    }

    /// The key as JSON with its colon, and nothing before it.
    #[inline(always)]
    pub fn bare_key(&self) -> &[u8] {
        &self.key.bytes()[1..]
    }

    /// Room enough for the key and for a value that is no text.
    fn room(&self) -> usize {
        self.key.room() + json::NUMBER_ROOM
    }
}

/// What happens to an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// Pydantic does it.
    Slow,
    /// Checked by the field's node, then stored.
    Validated,
    /// Stored as it is: pydantic's default for models.
    Plain,
}

/// Which operations may take the fast lane, and how.
#[pyclass(frozen, module = "nitro._core")]
#[derive(Debug)]
pub struct Plan {
    pub fields: Vec<Field>,
    pub briefs: Vec<Brief>,
    /// Room for the JSON of an instance, less its texts and what else takes more than a number does.
    pub json_room: usize,
    pub layout: Layout,
    /// A dict with every field's name: copies of it are filled with the values of an instance.
    pub template: Py<PyDict>,
    /// Whether the copies' values may be written in place.
    pub flat: bool,
    /// Construction by keywords.
    pub construct: bool,
    /// `model_validate` of a dict.
    pub validate: bool,
    /// `model_validate_json`.
    pub load: bool,
    pub dump: bool,
    pub dump_json: bool,
    pub assignment: Assignment,
    /// Whether changes are tracked: the class is an Entity.
    pub tracked: bool,
    /// Whether unknown keys are passed over instead of leading to the slow lane.
    pub ignores_extra: bool,
    /// Whether pydantic's validation of a whole dict may replace `cls(...)`: nothing of the user's runs around it.
    pub plain_init: bool,
    /// Whether the class has an `__init__` of its own.
    pub custom_init: bool,
    /// Whether instances are made by object's `__new__`.
    pub plain_new: bool,
    /// Whether pydantic's assignment to a field is `validate_assignment` and nothing else.
    pub assign_direct: bool,
    /// Whether code of the user's runs after the fields are set, so that tracking starts only when it has.
    pub settles_late: bool,
    /// Whether an assignment to one field may change another one.
    pub assignment_spreads: bool,
    /// Whether the methods that the fast lane replaced are pydantic's own.
    pub own_methods: bool,
    /// Whether instances refuse assignments.
    pub frozen: bool,
    pub all_atomic: bool,
    pub any_mutable: bool,
    pub pure: bool,
    pub required: u64,
    pub everything: u64,
    pub validator: Py<PyAny>,
    pub serializer: Py<PyAny>,
    /// What pydantic, or a class between Nitro's and pydantic's, has for the methods of the fast lane.
    /// `cls.model_validate` and `cls.model_validate_json`, bound once, where they are ModelCore's own.
    pub bound: Option<[Py<PyAny>; 2]>,
    pub next_model_validate: Py<PyAny>,
    pub next_model_validate_json: Py<PyAny>,
    pub next_model_dump: Py<PyAny>,
    pub next_model_dump_json: Py<PyAny>,
    pub next_copy: Py<PyAny>,
    pub next_setattr: Py<PyAny>,
    pub next_delattr: Py<PyAny>,
    pub shortcut: Shortcut,
}

/// The table in which `get` may look without asking which backend the class has: not a reference of its own.
#[derive(Debug)]
pub struct Shortcut {
    table: AtomicPtr<ffi::PyObject>,
    epoch: AtomicU64,
}

/// Goes up whenever a class is given a backend, and whenever a table is gone: all shortcuts from before are void.
static EPOCH: AtomicU64 = AtomicU64::new(1);

pub fn forget_shortcuts() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// How many units of work there are: those must see every entity that is handed out, so nobody takes a shortcut.
static UNITS: AtomicUsize = AtomicUsize::new(0);

/// A unit of work begins: no shortcut is taken until it ends.
pub fn hold_shortcuts() {
    UNITS.fetch_add(1, Ordering::Relaxed);
}

/// A unit of work ends.
pub fn release_shortcuts() {
    UNITS.fetch_sub(1, Ordering::Relaxed);
}

impl Shortcut {
    fn new() -> Self {
        Self { table: AtomicPtr::new(std::ptr::null_mut()), epoch: AtomicU64::new(0) }
    }

    pub fn set(&self, table: *mut ffi::PyObject) {
        self.table.store(table, Ordering::Relaxed);
        self.epoch.store(EPOCH.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    #[inline]
    pub fn get(&self) -> Option<*mut ffi::PyObject> {
        (self.epoch.load(Ordering::Relaxed) == EPOCH.load(Ordering::Relaxed) && UNITS.load(Ordering::Relaxed) == 0)
            .then(|| self.table.load(Ordering::Relaxed))
    }
}

impl Plan {
    /// The number of the field called `name`; `hint` is tried first.
    #[inline]
    pub fn find(&self, name: View<'_, '_>, hint: usize) -> Option<usize> {
        let pointer = name.as_ptr().cast_const();
        if let Some(brief) = self.briefs.get(hint)
            && brief.name == pointer
        {
            return Some(hint);
        }
        if let Some(index) = self.briefs.iter().position(|brief| brief.name == pointer) {
            return Some(index);
        }
        self.find_equal(name)
    }

    #[cold]
    fn find_equal(&self, name: View<'_, '_>) -> Option<usize> {
        // SAFETY: the type is compared before the functions for exact strings are used; the hash and the
        // comparison of exact strings run no Python code and cannot fail.
        unsafe {
            if ffi::PyUnicode_CheckExact(name.as_ptr()) == 0 {
                return None;
            }
            let hash = ffi::PyObject_Hash(name.as_ptr());
            self.fields
                .iter()
                .position(|field| field.hash == hash && ffi::PyUnicode_Compare(field.name.as_ptr(), name.as_ptr()) == 0)
        }
    }

    /// The number of the field whose name is `key`; `hint` is tried first.
    #[inline]
    pub fn find_text(&self, key: &str, hint: usize) -> Option<usize> {
        if let Some(field) = self.fields.get(hint)
            && field.text == key
        {
            return Some(hint);
        }
        self.fields.iter().position(|field| field.text == key)
    }

    /// The plan of a class, or None where it has none.
    ///
    /// # Safety
    /// `class` is a live type, and lives with its plan at least as long as the result is used. Hold the plan
    /// (`held`) where Python code may run.
    #[inline(always)]
    pub unsafe fn of<'a>(class: *mut ffi::PyTypeObject) -> Option<&'a Self> {
        // SAFETY: as promised by the caller.
        unsafe {
            let object = types::plan_object(class)?;
            Some(Borrowed::from_ptr(Python::assume_attached(), object).cast_unchecked::<Self>().get())
        }
    }

    /// Like `of`, but kept alive.
    ///
    /// # Safety
    /// `class` is a live type.
    #[inline(always)]
    pub unsafe fn held<'py>(py: Python<'py>, class: *mut ffi::PyTypeObject) -> Option<Bound<'py, Self>> {
        // SAFETY: as promised by the caller; `plan_object` gives only instances of Plan.
        unsafe { types::plan_object(class).map(|object| Bound::from_borrowed_ptr(py, object).cast_into_unchecked()) }
    }
}

#[pymethods]
impl Plan {
    /// `fields`: (name, node, kind of default, default, assignable, indexed). `lanes`: booleans by name.
    #[new]
    fn new(class: &Bound<'_, PyType>, fields: &Bound<'_, PyList>, lanes: &Bound<'_, PyDict>) -> PyResult<Self> {
        let py = class.py();
        let mut read = Vec::with_capacity(fields.len());
        let mut briefs = Vec::with_capacity(fields.len());
        for spec in fields.iter() {
            let (name, node, kind, default, assignable, indexed): (
                Bound<'_, PyString>,
                Bound<'_, PyAny>,
                String,
                Bound<'_, PyAny>,
                bool,
                bool,
            ) = spec.extract()?;
            let text = name.to_str()?.to_owned();
            let name = PyString::intern(py, &text);
            let node = Node::read(&node)?;
            let mutable = !node.is_atomic();
            let field = Field {
                hash: name.hash()?,
                name: name.unbind(),
                text,
                node,
                default: Default::read(&kind, default)?,
                mutable,
                indexed,
            };
            briefs.push(Brief::new(py, briefs.is_empty(), &field, assignable));
            read.push(field);
        }
        let lane = |name: &str| -> PyResult<bool> {
            lanes.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("lane {name:?} is missing")))?.extract()
        };
        let names: Vec<_> = read.iter().map(|field| field.name.as_ptr()).collect();
        let layout = layout::probe(py, class.as_type_ptr(), &names);
        let core = types::model_core(py);
        let next = |name: &str| -> PyResult<Py<PyAny>> { Ok(inherited(class, core, name)?.unbind()) };
        let required =
            read.iter().enumerate().take(MASK_FIELDS).fold(0, |bits, (index, field)| {
                bits | (u64::from(matches!(field.default, Default::Required)) << index)
            });
        let template = PyDict::new(py);
        read.iter().try_for_each(|field| template.set_item(&field.name, py.None()))?;
        Ok(Self {
            layout,
            flat: layout::is_flat(&template, &names),
            template: template.unbind(),
            construct: lane("construct")?,
            validate: lane("validate")?,
            load: lane("load")?,
            dump: lane("dump")?,
            dump_json: lane("dump_json")?,
            assignment: match (lane("assign_validated")?, lane("assign_plain")?) {
                (true, _) => Assignment::Validated,
                (false, true) => Assignment::Plain,
                (false, false) => Assignment::Slow,
            },
            tracked: lane("tracked")?,
            ignores_extra: lane("ignores_extra")?,
            plain_init: lane("plain_init")?,
            custom_init: lane("custom_init")?,
            plain_new: lane("plain_new")?,
            assign_direct: lane("assign_direct")?,
            settles_late: lane("settles_late")?,
            assignment_spreads: lane("assignment_spreads")?,
            own_methods: lane("own_methods")?,
            frozen: lane("frozen")?,
            all_atomic: read.iter().all(|field| !field.mutable),
            any_mutable: read.iter().any(|field| field.mutable),
            pure: read.iter().all(|field| field.default.is_pure()),
            required,
            everything: if read.len() <= MASK_FIELDS { (1u64 << read.len()) - 1 } else { 0 },
            validator: class.getattr("__pydantic_validator__")?.unbind(),
            serializer: class.getattr("__pydantic_serializer__")?.unbind(),
            bound: if lane("bound")? {
                Some([class.getattr("model_validate")?.unbind(), class.getattr("model_validate_json")?.unbind()])
            } else {
                None
            },
            next_model_validate: next("model_validate")?,
            next_model_validate_json: next("model_validate_json")?,
            next_model_dump: next("model_dump")?,
            next_model_dump_json: next("model_dump_json")?,
            next_copy: next("__copy__")?,
            next_setattr: next("__setattr__")?,
            next_delattr: next("__delattr__")?,
            shortcut: Shortcut::new(),
            json_room: briefs.iter().map(Brief::room).sum::<usize>() + 2,
            briefs,
            fields: read,
        })
    }

    /// How instances keep their values: "inline", "managed" or "public".
    #[getter]
    fn layout(&self) -> &'static str {
        self.layout.name()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for field in &self.fields {
            field.node.traverse(&visit)?;
            match &field.default {
                Default::Constant(value) | Default::Copied(value) | Default::Factory(value) => visit.call(value)?,
                _ => {}
            }
        }
        self.bound.iter().flatten().try_for_each(|bound| visit.call(bound))?;
        for held in [
            &self.validator,
            &self.serializer,
            &self.next_model_validate,
            &self.next_model_validate_json,
            &self.next_model_dump,
            &self.next_model_dump_json,
            &self.next_copy,
            &self.next_setattr,
            &self.next_delattr,
        ] {
            visit.call(held)?;
        }
        Ok(())
    }
}
