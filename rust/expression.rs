//! Conditions on entities: `Order.total > 10` makes one, `&`, `|` and `~` combine them, and backends read them.

use std::cell::Cell;

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::check;
use crate::plan::Plan;

/// What Python does for this module: see `register_expressions`.
pub struct Hooks {
    /// (field, operator, value) -> the value as the field's type has it.
    coerce: Py<PyAny>,
    /// (field, name) -> the field of that name in a nested model.
    nested: Py<PyAny>,
    /// (field, key) -> what stands at a key of a dict, or at a place in a list.
    item: Py<PyAny>,
    /// (class, name, value) -> the condition that a keyword such as `total__gt=10` stands for.
    pub lookup: Py<PyAny>,
    /// (class, argument) -> an Ordering.
    pub ordering: Py<PyAny>,
    /// (class, argument) -> a condition, or an error that says why the argument is none.
    pub condition: Py<PyAny>,
}

static HOOKS: PyOnceLock<Hooks> = PyOnceLock::new();

/// Tells the core which functions of `nitro.expressions` answer what it does not know itself.
#[pyfunction]
pub fn register_expressions(
    py: Python<'_>,
    coerce: Py<PyAny>,
    nested: Py<PyAny>,
    item: Py<PyAny>,
    lookup: Py<PyAny>,
    ordering: Py<PyAny>,
    condition: Py<PyAny>,
) {
    let _ = HOOKS.set(py, Hooks { coerce, nested, item, lookup, ordering, condition });
}

pub fn hooks(py: Python<'_>) -> &Hooks {
    HOOKS.get(py).expect("nitro.expressions is imported with the package")
}

thread_local! {
    /// How many classes pydantic is collecting the fields of in this thread.
    static COLLECTING: Cell<usize> = const { Cell::new(0) };
}

/// Counts the classes that are being made in this thread: their fields are out of sight meanwhile, so that one of the
/// same name in a subclass shadows nothing.
#[pyfunction]
pub fn collecting(change: isize) {
    COLLECTING.with(|depth| depth.set(depth.get().saturating_add_signed(change)));
}

/// Whether a class is being made in this thread.
#[pyfunction]
pub fn is_collecting() -> bool {
    COLLECTING.with(Cell::get) > 0
}

/// Values that need no look at the field's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quick {
    Text,
    Number,
    Truth,
    Never,
}

/// A field of a class, or of a model in it, as something to compare and to sort by.
#[pyclass(frozen, immutable_type, module = "nitro", name = "FieldRef")]
pub struct FieldRef {
    /// The class of entities, or of nested models, that the path starts from.
    #[pyo3(get, name = "_class")]
    pub class: Py<PyType>,
    /// Names of fields, keys of dicts and places in lists.
    #[pyo3(get, name = "_path")]
    pub path: Py<PyTuple>,
    /// The declared type of what stands at the end of the path.
    #[pyo3(get, name = "_annotation")]
    annotation: Py<PyAny>,
    quick: Quick,
}

/// The operators of conditions on a field; `&`, `|` and `~` are "and", "or" and "not".
fn name_of(operator: CompareOp) -> &'static str {
    match operator {
        CompareOp::Eq => "eq",
        CompareOp::Ne => "ne",
        CompareOp::Lt => "lt",
        CompareOp::Le => "le",
        CompareOp::Gt => "gt",
        CompareOp::Ge => "ge",
    }
}

fn has_field(class: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> bool {
    let fields = class.getattr(intern!(class.py(), "__pydantic_fields__"));
    fields.and_then(|fields| fields.contains(name)).unwrap_or(false)
}

impl FieldRef {
    fn fits(&self, value: &Bound<'_, PyAny>) -> bool {
        let view = value.as_borrowed();
        match self.quick {
            Quick::Text => check::is_str(view),
            Quick::Number => check::is_float(view) || check::is_int(view),
            Quick::Truth => check::is_bool(view),
            Quick::Never => false,
        }
    }

    pub fn coerced<'py>(
        field: &Bound<'py, Self>,
        operator: &str,
        value: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if field.get().fits(&value) {
            return Ok(value);
        }
        hooks(field.py()).coerce.bind(field.py()).call1((field, operator, value))
    }

    pub fn condition<'py>(
        field: &Bound<'py, Self>,
        operator: &'static str,
        value: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Condition>> {
        let py = field.py();
        let value = Self::coerced(field, operator, value)?;
        let operands = PyTuple::new(py, [field.as_any(), &value])?;
        Condition::make(py, operator, field.get().class.bind(py), operands)
    }

    fn bare<'py>(field: &Bound<'py, Self>, operator: &'static str) -> PyResult<Bound<'py, Condition>> {
        let py = field.py();
        Condition::make(py, operator, field.get().class.bind(py), PyTuple::new(py, [field.as_any()])?)
    }

    fn text(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = self.class.bind(py).name()?.to_string();
        for step in self.path.bind(py).iter() {
            match step.cast::<PyString>() {
                Ok(name) => text.extend([".", name.to_string_lossy().as_ref()]),
                Err(_) => text.push_str(&format!("[{}]", step.repr()?)),
            }
        }
        Ok(text)
    }
}

#[pymethods]
impl FieldRef {
    #[new]
    fn new(class: Py<PyType>, path: Py<PyTuple>, annotation: Bound<'_, PyAny>) -> Self {
        let py = annotation.py();
        let quick = if annotation.is(py.get_type::<PyString>()) {
            Quick::Text
        } else if annotation.is(py.get_type::<pyo3::types::PyFloat>())
            || annotation.is(py.get_type::<pyo3::types::PyInt>())
        {
            Quick::Number
        } else if annotation.is(py.get_type::<pyo3::types::PyBool>()) {
            Quick::Truth
        } else {
            Quick::Never
        };
        Self { class, path, annotation: annotation.unbind(), quick }
    }

    /// On the class the reference itself; an instance gets here only when it does not have the value.
    fn __get__<'py>(
        slf: Bound<'py, Self>,
        instance: Option<Bound<'py, PyAny>>,
        owner: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let name = slf.get().path.bind(py).get_item(0)?;
        if instance.is_none() && COLLECTING.with(Cell::get) == 0 {
            let own = owner.as_ref().is_none_or(|owner| owner.is(&slf.get().class));
            // A subclass may have given up a field of its base.
            if own || owner.as_ref().is_some_and(|owner| has_field(owner, &name)) {
                return Ok(slf);
            }
        }
        // The words of pydantic and of CPython.
        let (what, class) = match (&instance, &owner) {
            (Some(instance), _) => ("", instance.get_type()),
            (None, Some(owner)) => ("type object ", owner.cast::<PyType>()?.clone()),
            (None, None) => ("type object ", slf.get().class.bind(py).clone()),
        };
        let (class, kind) = (class.name()?, if what.is_empty() { " object" } else { "" });
        Err(PyAttributeError::new_err(format!("{what}'{class}'{kind} has no attribute {}", name.repr()?)))
    }

    fn __richcmp__<'py>(
        slf: &Bound<'py, Self>,
        value: Bound<'py, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Bound<'py, Condition>> {
        Self::condition(slf, name_of(operator), value)
    }

    fn __hash__(slf: &Bound<'_, Self>) -> isize {
        slf.as_ptr() as isize >> 4
    }

    /// Whether the value is one of `values`.
    fn in_<'py>(slf: &Bound<'py, Self>, values: Bound<'py, PyAny>) -> PyResult<Bound<'py, Condition>> {
        let py = slf.py();
        let fitting = match values.cast_exact::<PyList>() {
            Ok(list) if list.iter().all(|value| slf.get().fits(&value)) => Some(list.to_tuple().into_any()),
            _ => None,
        };
        let coerced = match fitting {
            Some(fitting) => fitting,
            None => hooks(py).coerce.bind(py).call1((slf, "in", values))?,
        };
        let operands = PyTuple::new(py, [slf.as_any(), &coerced])?;
        Condition::make(py, "in", slf.get().class.bind(py), operands)
    }

    /// Whether the text matches a pattern in which `%` stands for any text, `_` for any one character, and `\`
    /// takes the character after it as it is. Upper and lower case differ.
    fn like<'py>(slf: &Bound<'py, Self>, pattern: Bound<'py, PyAny>) -> PyResult<Bound<'py, Condition>> {
        Self::condition(slf, "like", pattern)
    }

    /// Whether the text contains another one; whether a list, set, tuple or the keys of a dict contain a value.
    fn contains<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, Condition>> {
        let py = slf.py();
        let coerced = hooks(py).coerce.bind(py).call1((slf, "contains", value))?;
        let operands = PyTuple::new(py, [slf.as_any(), &coerced])?;
        Condition::make(py, "contains", slf.get().class.bind(py), operands)
    }

    /// Whether the text begins with another one.
    fn startswith<'py>(slf: &Bound<'py, Self>, prefix: Bound<'py, PyAny>) -> PyResult<Bound<'py, Condition>> {
        Self::condition(slf, "startswith", prefix)
    }

    /// Whether the text ends with another one.
    fn endswith<'py>(slf: &Bound<'py, Self>, suffix: Bound<'py, PyAny>) -> PyResult<Bound<'py, Condition>> {
        Self::condition(slf, "endswith", suffix)
    }

    /// Whether the value is at least `low` and at most `high`.
    fn between<'py>(
        slf: &Bound<'py, Self>,
        low: Bound<'py, PyAny>,
        high: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Condition>> {
        let py = slf.py();
        let low = Self::condition(slf, "ge", low)?;
        let high = Self::condition(slf, "le", high)?;
        Condition::make(py, "and", slf.get().class.bind(py), PyTuple::new(py, [low, high])?)
    }

    /// Whether the value is None.
    fn is_null<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Condition>> {
        Self::bare(slf, "is_null")
    }

    /// Whether some conditions, or lookups such as `quantity__gt=3`, all hold for one of the models in a list, or of
    /// the values in a dict.
    #[pyo3(signature = (*conditions, **lookups))]
    fn any<'py>(
        slf: &Bound<'py, Self>,
        conditions: Bound<'py, PyTuple>,
        lookups: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, Condition>> {
        let py = slf.py();
        let condition = hooks(py).coerce.bind(py).call1((slf, "any", (conditions, lookups)))?;
        let operands = PyTuple::new(py, [slf.as_any(), &condition])?;
        Condition::make(py, "any", slf.get().class.bind(py), operands)
    }

    /// This field, the smallest value first.
    fn asc(slf: Bound<'_, Self>) -> Ordering {
        Ordering { field: slf.unbind(), descending: false }
    }

    /// This field, the greatest value first.
    fn desc(slf: Bound<'_, Self>) -> Ordering {
        Ordering { field: slf.unbind(), descending: true }
    }

    fn __getattr__<'py>(slf: &Bound<'py, Self>, name: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        hooks(slf.py()).nested.bind(slf.py()).call1((slf, name))
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        hooks(slf.py()).item.bind(slf.py()).call1((slf, key))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyTypeError::new_err(format!(
            "{0} is a field to query by, and has no values to loop over; for `x in ...` write {0}.contains(x) or \
             {0}.in_(values)",
            self.text(py)?
        )))
    }

    // Without it Python asks for an iterator, and puts a message of its own in place of the one above.
    fn __contains__(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.__iter__(value.py()).map(|()| false)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.text(py)
    }

    /// References are found by their class: pickled as such, and the same after a copy.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let arguments = (&self.class, &self.path, &self.annotation);
        (py.get_type::<Self>(), arguments).into_pyobject(py)
    }

    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.path)?;
        visit.call(&self.annotation)
    }
}

/// A field to sort by, and the direction.
#[pyclass(frozen, immutable_type, module = "nitro")]
pub struct Ordering {
    #[pyo3(get)]
    pub field: Py<FieldRef>,
    #[pyo3(get)]
    pub descending: bool,
}

#[pymethods]
impl Ordering {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("{}.{}()", self.field.get().text(py)?, if self.descending { "desc" } else { "asc" }))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.field)
    }
}

/// What must hold for an entity. Made by comparing fields, combined with `&`, `|` and `~`.
#[pyclass(frozen, immutable_type, module = "nitro")]
pub struct Condition {
    /// "eq ne lt le gt ge in like contains startswith endswith is_null any", or "and or not".
    #[pyo3(get)]
    pub operator: &'static str,
    /// The field and the value; or the conditions that "and", "or" and "not" combine.
    #[pyo3(get)]
    pub operands: Py<PyTuple>,
    /// The class whose fields are asked.
    #[pyo3(get, name = "entity_class")]
    pub class: Py<PyType>,
}

impl Condition {
    pub fn make<'py>(
        py: Python<'py>,
        operator: &'static str,
        class: &Bound<'py, PyType>,
        operands: Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, Self>> {
        Bound::new(py, Self { operator, operands: operands.unbind(), class: class.clone().unbind() })
    }

    fn combine<'py>(
        slf: &Bound<'py, Self>,
        operator: &'static str,
        other: &Bound<'py, Self>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let (one, two) = (slf.get().class.bind(py), other.get().class.bind(py));
        let class = if one.is(two) || one.is_subclass(two)? {
            one
        } else if two.is_subclass(one)? {
            two
        } else {
            return Err(PyTypeError::new_err(format!(
                "{} and {} are conditions on different classes, {} and {}: one query asks one class",
                slf.repr()?,
                other.repr()?,
                one.name()?,
                two.name()?
            )));
        };
        let mut operands = Vec::new();
        for part in [slf, other] {
            if part.get().operator == operator {
                operands.extend(part.get().operands.bind(py).iter());
            } else {
                operands.push(part.clone().into_any());
            }
        }
        Self::make(py, operator, class, PyTuple::new(py, operands)?)
    }
}

#[pymethods]
impl Condition {
    fn __and__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        Self::combine(slf, "and", other)
    }

    fn __or__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        Self::combine(slf, "or", other)
    }

    fn __invert__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        if slf.get().operator == "not" {
            return Ok(slf.get().operands.bind(py).get_item(0)?.cast_into::<Self>()?);
        }
        Self::make(py, "not", slf.get().class.bind(py), PyTuple::new(py, [slf])?)
    }

    fn __bool__(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Err(PyTypeError::new_err(format!(
            "{} is a condition for a query and neither true nor false: combine conditions with &, | and ~ in place of \
             and, or and not, and write Order.total.between(1, 5) in place of 1 <= Order.total <= 5",
            slf.repr()?
        )))
    }

    /// Whether the condition holds for an entity, or for a model of the class that it is about.
    fn matches(slf: &Bound<'_, Self>, entity: &Bound<'_, PyAny>) -> PyResult<bool> {
        crate::filter::matches(slf, entity)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let this = slf.get();
        let operands = this.operands.bind(py);
        let shown = operands.iter().map(|operand| Ok(operand.repr()?.to_string())).collect::<PyResult<Vec<_>>>()?;
        Ok(match this.operator {
            "and" | "or" => {
                let sign = if this.operator == "and" { " & " } else { " | " };
                shown.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(sign)
            }
            "not" => format!("~({})", shown[0]),
            "eq" => format!("{} == {}", shown[0], shown[1]),
            "ne" => format!("{} != {}", shown[0], shown[1]),
            "lt" => format!("{} < {}", shown[0], shown[1]),
            "le" => format!("{} <= {}", shown[0], shown[1]),
            "gt" => format!("{} > {}", shown[0], shown[1]),
            "ge" => format!("{} >= {}", shown[0], shown[1]),
            "in" => format!("{}.in_({})", shown[0], shown[1]),
            "sql" => operands.get_item(0)?.str()?.to_string(),
            other => format!("{}.{other}({})", shown[0], shown[1..].join(", ")),
        })
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let make = py.import(intern!(py, "nitro._core"))?.getattr(intern!(py, "condition"))?;
        (make, (self.operator, &self.operands, &self.class)).into_pyobject(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.operands)?;
        visit.call(&self.class)
    }
}

/// A condition from its parts, as it was pickled.
#[pyfunction]
pub fn condition<'py>(
    operator: &str,
    operands: Bound<'py, PyTuple>,
    class: Bound<'py, PyType>,
) -> PyResult<Bound<'py, Condition>> {
    const OPERATORS: [&str; 17] = [
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "in",
        "like",
        "contains",
        "startswith",
        "endswith",
        "is_null",
        "any",
        "and",
        "or",
        "not",
        // A clause of SQLAlchemy's, which only a database can answer.
        "sql",
    ];
    let known = OPERATORS.iter().find(|known| **known == operator);
    let known = known.ok_or_else(|| PyTypeError::new_err(format!("no such operator: {operator:?}")))?;
    Condition::make(class.py(), known, &class, operands)
}

/// A query without its terminal methods, which `nitro.queries.Query` adds: what is asked, and nothing read yet.
#[pyclass(frozen, subclass, module = "nitro._core", name = "QueryCore")]
pub struct QueryCore {
    #[pyo3(get, name = "_class")]
    pub class: Py<PyType>,
    #[pyo3(get, name = "_repository")]
    repository: Py<PyAny>,
    /// All must hold.
    #[pyo3(get, name = "_conditions")]
    pub conditions: Py<PyTuple>,
    #[pyo3(get, name = "_order")]
    pub order: Py<PyTuple>,
    #[pyo3(get, name = "_limit")]
    pub limit: Option<usize>,
    #[pyo3(get, name = "_offset")]
    pub offset: usize,
    #[pyo3(get, name = "_in_memory")]
    scan: bool,
}

impl QueryCore {
    /// A query like this one, of the same type.
    fn with<'py>(
        slf: &Bound<'py, Self>,
        conditions: Option<Bound<'py, PyTuple>>,
        order: Option<Bound<'py, PyTuple>>,
        limit: Option<usize>,
        offset: usize,
        scan: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        slf.get_type().call1((
            this.class.bind(py),
            this.repository.bind(py),
            conditions.as_ref().unwrap_or_else(|| this.conditions.bind(py)),
            order.as_ref().unwrap_or_else(|| this.order.bind(py)),
            limit,
            offset,
            scan,
        ))
    }
}

/// The reference that a class has for the field of this name; None for everything that is not as simple as that.
fn own_field<'py>(class: &Bound<'py, PyType>, name: &Bound<'py, PyAny>) -> Option<Bound<'py, FieldRef>> {
    let name = name.cast_exact::<PyString>().ok()?;
    // SAFETY: a live class.
    let plan = unsafe { Plan::held(class.py(), class.as_type_ptr())? };
    plan.get().find(name.as_any().as_borrowed(), 0)?;
    let found = class.getattr(name).ok()?;
    let field = found.cast_into_exact::<FieldRef>().ok()?;
    field.get().class.is(class).then_some(field)
}

/// The conditions that the arguments of `where` are, after those of `known`.
#[pyfunction]
pub fn conditions_of<'py>(
    class: &Bound<'py, PyType>,
    known: &Bound<'py, PyTuple>,
    arguments: &Bound<'py, PyTuple>,
    lookups: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = class.py();
    let mut all: Vec<Bound<'py, PyAny>> = known.iter().collect();
    for argument in arguments.iter() {
        match argument.cast::<Condition>() {
            Ok(condition) if condition.get().class.is(class) => all.push(argument),
            _ => all.push(hooks(py).condition.bind(py).call1((class, argument))?),
        }
    }
    for (name, value) in lookups.into_iter().flatten() {
        all.push(match own_field(class, &name) {
            Some(field) => FieldRef::condition(&field, "eq", value)?.into_any(),
            None => hooks(py).lookup.bind(py).call1((class, name, value))?,
        });
    }
    PyTuple::new(py, all)
}

#[pymethods]
impl QueryCore {
    #[new]
    #[pyo3(signature = (entity_class, repository, conditions, order, limit, offset, in_memory))]
    fn new(
        entity_class: Py<PyType>,
        repository: Py<PyAny>,
        conditions: Py<PyTuple>,
        order: Py<PyTuple>,
        limit: Option<usize>,
        offset: usize,
        in_memory: bool,
    ) -> Self {
        Self { class: entity_class, repository, conditions, order, limit, offset, scan: in_memory }
    }

    /// The same query with further conditions, all of which must hold.
    #[pyo3(signature = (*conditions, **lookups))]
    fn r#where<'py>(
        slf: &Bound<'py, Self>,
        conditions: &Bound<'py, PyTuple>,
        lookups: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let py = slf.py();
        let all = conditions_of(this.class.bind(py), this.conditions.bind(py), conditions, lookups)?;
        Self::with(slf, Some(all), None, this.limit, this.offset, this.scan)
    }

    /// The same query in another order.
    #[pyo3(signature = (*fields))]
    fn order_by<'py>(slf: &Bound<'py, Self>, fields: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let py = slf.py();
        let class = this.class.bind(py);
        let mut order = Vec::with_capacity(fields.len());
        for field in fields.iter() {
            let plain = match field.cast::<FieldRef>() {
                Ok(reference) => reference.get().class.is(class).then(|| reference.clone()),
                Err(_) => own_field(class, &field),
            };
            order.push(match plain {
                Some(plain) => Bound::new(py, FieldRef::asc(plain))?.into_any(),
                None => hooks(py).ordering.bind(py).call1((class, field))?,
            });
        }
        Self::with(slf, None, Some(PyTuple::new(py, order)?), this.limit, this.offset, this.scan)
    }

    /// The same query, with at most `count` results; None for all.
    #[pyo3(signature = (count, /))]
    fn limit<'py>(slf: &Bound<'py, Self>, count: Option<isize>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let limit = count.map(|count| not_negative("limit", count)).transpose()?;
        Self::with(slf, None, None, limit, this.offset, this.scan)
    }

    /// The same query without its first `count` results.
    #[pyo3(signature = (count, /))]
    fn offset<'py>(slf: &Bound<'py, Self>, count: isize) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        Self::with(slf, None, None, this.limit, not_negative("offset", count)?, this.scan)
    }

    /// The same query, for which the backend may read everything and filter here what it cannot filter itself.
    fn in_memory<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        Self::with(slf, None, None, this.limit, this.offset, true)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.repository)?;
        visit.call(&self.conditions)?;
        visit.call(&self.order)
    }
}

fn not_negative(what: &str, count: isize) -> PyResult<usize> {
    usize::try_from(count).map_err(|_| {
        pyo3::exceptions::PyValueError::new_err(format!("{what} takes a number that is not negative, got {count}"))
    })
}
