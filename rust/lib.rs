//! The Rust core of Nitro.
//!
//! `index`, `json`, `reader`, `short` and `uuid7` know no Python and build alone (`--no-default-features`). The rest
//! speaks CPython:
//!
//! | module      | concept                                                             |
//! |-------------|---------------------------------------------------------------------|
//! | `runtime`   | what is looked up once; the result type of the fast lane             |
//! | `layout`    | where instances keep their values; the only place that knows versions |
//! | `plan`      | what the fast lane knows of a class                                  |
//! | `types`     | the native base class and metaclass, garbage collection, panics      |
//! | `check`     | is this value of the declared type?                                  |
//! | `construct` | new instances from keywords and dicts                                |
//! | `decode`    | new instances from JSON                                              |
//! | `rows`      | entities from the rows of a database, and rows from entities         |
//! | `copy`      | copies of instances                                                  |
//! | `assign`    | attribute assignment                                                 |
//! | `record`    | the object that holds what tracking remembers                        |
//! | `image`     | what a value that can change in place was                            |
//! | `track`     | change tracking                                                      |
//! | `dump`      | models as dicts                                                      |
//! | `value`     | Python values as index keys                                          |
//! | `expression` | field references, conditions, queries                               |
//! | `filter`    | conditions compiled for a class                                      |
//! | `table`     | the memory store                                                     |
//! | `encode`    | models as JSON                                                       |

#[cfg(feature = "python")]
mod assign;
#[cfg(feature = "python")]
mod check;
#[cfg(feature = "python")]
mod construct;
#[cfg(feature = "python")]
mod copy;
#[cfg(feature = "python")]
mod decode;
#[cfg(feature = "python")]
mod dump;
#[cfg(feature = "python")]
mod encode;
#[cfg(feature = "python")]
mod expression;
#[cfg(feature = "python")]
mod filter;
#[cfg(feature = "python")]
mod image;
pub mod index;
pub mod json;
#[cfg(feature = "python")]
mod layout;
#[cfg(feature = "python")]
mod plan;
pub mod reader;
#[cfg(feature = "python")]
mod record;
#[cfg(feature = "python")]
mod rows;
#[cfg(feature = "python")]
mod runtime;
pub mod short;
#[cfg(feature = "python")]
mod table;
#[cfg(feature = "python")]
mod track;
#[cfg(feature = "python")]
mod types;
pub mod uuid7;
#[cfg(feature = "python")]
mod value;

/// The native part of Nitro; see the package for what is public.
#[cfg(feature = "python")]
#[pyo3::pymodule(name = "_core", gil_used = true)]
mod core_module {
    use pyo3::prelude::*;
    use pyo3::types::PyType;

    #[pymodule_export]
    use crate::decode::decode_fast;
    #[pymodule_export]
    use crate::encode::encode_fast;
    #[pymodule_export]
    use crate::expression::{
        Condition, FieldRef, Ordering, QueryCore, collecting, condition, conditions_of, is_collecting,
        register_expressions,
    };
    #[pymodule_export]
    use crate::filter::value_at;
    #[pymodule_export]
    use crate::plan::Plan;
    #[pymodule_export]
    use crate::rows::RowCodec;
    #[pymodule_export]
    use crate::table::{MemoryTable, forget_tables, get, register_find, remember_table};
    #[pymodule_export]
    use crate::track::{
        accept_changes, changes, copy_tracking, edited, identity, is_changed, original, original_identity, originals,
        previous_changes, revert_changes, set_originals, settle_entity, version,
    };
    #[pymodule_export]
    use crate::types::{finish_metaclass, install_plan};
    #[pymodule_export]
    use crate::value::sort_key;

    /// A new UUIDv7 in canonical text, greater than every earlier one of this process.
    // Without a signature: pydantic asks every default factory for it, and Python takes its time to read one.
    #[pyfunction]
    #[pyo3(text_signature = None)]
    fn new_id(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        crate::construct::identity(py).map_err(|_| PyErr::fetch(py))
    }

    /// Takes the ids of entities from a function that gives texts, for tests; from the clock and random numbers where None.
    #[pyfunction]
    #[pyo3(signature = (source))]
    fn set_id_source(source: Option<Py<PyAny>>) {
        crate::construct::set_id_source(source);
    }

    /// A unit of work begins: until it ends, `get` takes no shortcut past the verbs.
    #[pyfunction]
    fn hold_shortcuts() {
        crate::plan::hold_shortcuts();
    }

    /// A unit of work ends.
    #[pyfunction]
    fn release_shortcuts() {
        crate::plan::release_shortcuts();
    }

    /// To be called in a child process after a fork, so that it makes other ids than its parent.
    #[pyfunction]
    fn forked() {
        crate::uuid7::forked();
    }

    /// Tells the core which class keeps its state in the slot `__nitro_state__`.
    #[pyfunction]
    fn register_entity(entity: &Bound<'_, PyType>) -> PyResult<()> {
        crate::track::register(entity)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        crate::runtime::Runtime::initialise(py)?;
        crate::layout::initialise(py)?;
        crate::types::initialise(module)?;
        crate::record::initialise(py)?;
        crate::track::initialise(py)?;
        let private = crate::layout::private_allowed();
        module.add("LAYOUT", if private { "private" } else { "public" })
    }
}
