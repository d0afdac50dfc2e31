//! The memory store: the entities of one class, by key, in rows, and in indexes.
//!
//! A dictionary of Python's finds an entity by its key, whatever the key's type. Beside it every entity has a row,
//! numbered in the order of the first saves; indexes know rows only. Rows that were deleted leave holes until there are
//! more holes than rows; then all are numbered anew, in the same order.
//!
//! What is shared between threads stands behind one lock. While it is held no Python code runs and no object is made
//! or released: keys are encoded before, errors are made after, and what only Python can evaluate is put aside.

//!
//! | module    | concept                                                              |
//! |-----------|----------------------------------------------------------------------|
//! | `rows`    | rows and indexes: what stands behind the lock                         |
//! | `store`   | entities in and out: keys, versions, uniqueness, expiry               |
//! | `reading` | queries: choosing indexes, walking, sorting, where pages begin         |

mod reading;
mod rows;
mod store;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyType};
use pyo3::{PyTraverseError, PyVisit};

use self::reading::{Asked, BATCH, Reading, References, cut, read_cursor};
use self::rows::{Batch, Inner, Keys, Row};
use self::store::error;
pub use self::store::{moved, moved_since, moves};
use crate::check;
use crate::expression::QueryCore;
use crate::filter::encode_path;
use crate::index::key::{self, Encoder, rank};
use crate::index::ordered::{OrderedMap, Range};
use crate::index::planner::{self, Access, Driver};
use crate::index::{Component, Index};
use crate::plan::{Plan, forget_shortcuts};
use crate::runtime::{Lane, Object};
use crate::track;
use crate::value::Calls;

/// The entities of one class in the memory of this process.
#[pyclass(frozen, module = "nitro._core")]
pub struct MemoryTable {
    class: Py<PyType>,
    /// From keys to entities, which it holds.
    entities: Py<PyDict>,
    /// Whether the entities that users have are the records themselves.
    live: bool,
    /// The field that is the key.
    key: usize,
    /// The fields of each index.
    components: Vec<Vec<Component>>,
    expires: AtomicBool,
    /// Whether some class has a shortcut to this table.
    remembered: AtomicBool,
    /// How often the entries of records have moved in the indexes.
    moves: AtomicU64,
    clock: Py<PyAny>,
    inner: Mutex<Inner>,
}

impl MemoryTable {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held left at worst a row that is not in every index; better than no store at all.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state that saved and unchanged entities share.
    pub fn saved_state<'py>(&self, py: Python<'py>, make: impl FnOnce() -> Lane<Object<'py>>) -> Lane<Object<'py>> {
        if let Some(saved) = &self.lock().saved {
            return Ok(saved.bind(py).clone());
        }
        let made = make()?;
        self.lock().saved = Some(made.clone().unbind());
        Ok(made)
    }

    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Plan>> {
        // SAFETY: a live class.
        unsafe { Plan::held(py, self.class.as_ptr().cast()) }.ok_or_else(|| {
            PyRuntimeError::new_err(format!("{} is not complete: call its model_rebuild()", self.class.bind(py)))
        })
    }
}

/// A table that is gone must not be found by a shortcut.
impl Drop for MemoryTable {
    fn drop(&mut self) {
        if *self.remembered.get_mut() {
            forget_shortcuts();
        }
    }
}

/// Lets `get` look into this table for entities of a class, until any class is given another backend.
#[pyfunction]
pub fn remember_table(class: &Bound<'_, PyType>, table: &Bound<'_, MemoryTable>) {
    // SAFETY: a live class.
    if let Some(plan) = unsafe { Plan::held(class.py(), class.as_type_ptr()) } {
        table.get().remembered.store(true, Ordering::Relaxed);
        plan.get().shortcut.set(table.as_ptr());
    }
}

/// A class was given a backend.
#[pyfunction]
pub fn forget_tables() {
    forget_shortcuts();
}

static FIND: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Tells the core how to find an entity of any class in any backend: (class, key) -> entity.
#[pyfunction]
pub fn register_find(find: Bound<'_, PyAny>) {
    let _ = FIND.set(find.py(), find.unbind());
}

/// The entity with this key, which is converted to the key field's type.
///
/// Raises:
///     EntityNotFound: If there is none.
#[pyfunction]
#[pyo3(text_signature = "(cls, key)")]
pub fn get<'py>(class: &Bound<'py, PyType>, key: &Bound<'py, PyAny>) -> PyResult<Object<'py>> {
    let py = class.py();
    // SAFETY: a live class; a shortcut that is not void leads to a live table, whose type is known. An exact str is
    // looked up without running Python code.
    unsafe {
        if let Some(plan) = Plan::of(class.as_type_ptr())
            && let Some(table) = plan.shortcut.get()
            && check::is_str(key.as_borrowed())
        {
            let table = Borrowed::from_ptr(py, table).cast_unchecked::<MemoryTable>();
            if !table.get().expires.load(Ordering::Relaxed) {
                let found = ffi::PyDict_GetItemWithError(table.get().entities.as_ptr(), key.as_ptr());
                if !found.is_null() {
                    return Ok(Bound::from_borrowed_ptr(py, found));
                }
                ffi::PyErr_Clear();
            }
        }
    }
    let find = FIND.get(py).ok_or_else(|| PyRuntimeError::new_err("nitro is not imported"))?;
    find.bind(py).call1((class, key))
}

/// A record, its version, when it expires, and the serial number of its row.
type Stored<'py> = (Object<'py>, u64, Option<f64>, u64);

#[pymethods]
impl MemoryTable {
    /// `indexes`: (name, [(field, descending)], unique).
    #[new]
    fn new(class: Bound<'_, PyType>, indexes: Vec<Specification>, live: bool, clock: Py<PyAny>) -> PyResult<Self> {
        let py = class.py();
        // SAFETY: a live class.
        let plan = unsafe { Plan::held(py, class.as_type_ptr()) }
            .ok_or_else(|| PyTypeError::new_err(format!("{class} is not complete: call its model_rebuild()")))?;
        let key: String = class.getattr(pyo3::intern!(py, "__nitro_key__"))?.extract()?;
        let mut inner = Inner::default();
        for (name, components, unique) in indexes {
            let components = components
                .into_iter()
                .map(|(field, descending)| {
                    let field = plan
                        .get()
                        .find_text(&field, 0)
                        .ok_or_else(|| PyValueError::new_err(format!("{class} has no field {field:?}")))?;
                    Ok(Component { field, descending })
                })
                .collect::<PyResult<_>>()?;
            inner.indexes.push(Index { name, components, unique, map: OrderedMap::default() });
        }
        Ok(Self {
            class: class.unbind(),
            entities: PyDict::new(py).unbind(),
            live,
            key: plan
                .get()
                .find_text(&key, 0)
                .ok_or_else(|| PyValueError::new_err(format!("{key:?} is no field, and cannot be the key")))?,
            components: inner.indexes.iter().map(|index| index.components.clone()).collect(),
            expires: AtomicBool::new(false),
            remembered: AtomicBool::new(false),
            moves: AtomicU64::new(0),
            clock,
            inner: Mutex::new(inner),
        })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.expire(py)?;
        Ok(self.lock().live())
    }

    /// The record with this key; None when there is none.
    fn get<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Object<'py>>> {
        self.expire(key.py())?;
        self.entities.bind(key.py()).get_item(key)
    }

    /// Stores `record` for `entity`: the same object, or a copy of it. `ttl`: seconds; None keeps for ever; Ellipsis
    /// leaves it as it is.
    fn save<'py>(
        slf: &Bound<'py, Self>,
        entity: &Object<'py>,
        record: &Object<'py>,
        ttl: &Object<'py>,
    ) -> PyResult<()> {
        let this = slf.get();
        this.expire(slf.py())?;
        let deadline = this.deadline(ttl)?;
        this.store(slf, entity, record, deadline)
    }

    /// Stores entities that were not stored before, all or none.
    fn add_all<'py>(
        slf: &Bound<'py, Self>,
        entities: &Bound<'py, PyList>,
        records: &Bound<'py, PyList>,
        ttl: &Object<'py>,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let fail = |_| PyErr::fetch(py);
        this.expire(py)?;
        let deadline = this.deadline(ttl)?;
        let plan = this.plan(py)?;
        let plan = plan.get();
        let held = this.entities.bind(py);
        let mut all = Batch {
            records: Vec::with_capacity(records.len()),
            keys: Keys { encoder: Encoder::default(), ends: Vec::with_capacity(records.len() * this.components.len()) },
            indexes: this.components.len(),
        };
        let undo =
            |all: &Batch<'py>| -> PyResult<()> { all.records.iter().try_for_each(|(_, key)| held.del_item(key)) };
        for record in records.iter() {
            let prepared = this.key_of(&record, plan).and_then(|key| {
                this.append_keys(&mut all.keys, |_| true, record.as_borrowed(), plan, &[]).map_err(fail)?;
                // SAFETY: live objects; a borrowed reference, or null with an exception.
                let taken: Object<'py> = unsafe {
                    let taken = ffi::PyDict_SetDefault(held.as_ptr(), key.as_ptr(), record.as_ptr());
                    Bound::from_borrowed_ptr_or_err(py, taken)?
                };
                if !taken.is(&record) {
                    return Err(this.key_taken(&key)?);
                }
                Ok(key)
            });
            match prepared {
                Ok(key) => all.records.push((record, key)),
                Err(error) => {
                    undo(&all)?;
                    return Err(error);
                }
            }
        }
        let clash = this.add_rows(&all, deadline);
        if let Some((place, clash)) = clash {
            undo(&all)?;
            return Err(this.violation(py, all.records[place].0.as_borrowed(), plan, clash, &[])?);
        }
        let home = this.live.then(|| slf.clone().into_any());
        for ((record, _), entity) in all.records.iter().zip(entities.iter()) {
            track::become_record(record.as_borrowed(), plan, 1, home.clone()).map_err(fail)?;
            if !entity.is(record) {
                track::become_record(entity.as_borrowed(), plan, 1, None).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Removes the record of an entity.
    fn delete<'py>(&self, entity: &Object<'py>) -> PyResult<()> {
        let py = entity.py();
        self.expire(py)?;
        let key = self.original_key(entity, self.plan(py)?.get())?;
        let version = track::version_of(entity.as_borrowed());
        let stored = if version == 0 { None } else { self.entities.bind(py).get_item(&key)? };
        let Some(stored) = stored else { return Err(error(py, "EntityNotFound", (&self.class, key))?) };
        if !stored.is(entity) {
            let now = {
                let inner = self.lock();
                inner.row_of(stored.as_ptr()).map(|row| inner.rows[row as usize].version)
            };
            if now != Some(version) {
                return Err(self.stale(py, &key, version, now));
            }
        }
        self.drop_record(&stored)?;
        if !stored.is(entity) {
            track::accept_changes(entity, 0)?;
        }
        Ok(())
    }

    /// The version of the record with this key; None when there is none.
    fn version(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
        let Some(record) = self.get(key)? else { return Ok(None) };
        let inner = self.lock();
        Ok(inner.row_of(record.as_ptr()).map(|row| inner.rows[row as usize].version))
    }

    /// The record with this key, its version, when it expires, in seconds of the clock, or None for never, and the
    /// number of its place; None where there is none.
    fn stored<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Stored<'py>>> {
        let Some(record) = self.get(key)? else { return Ok(None) };
        let inner = self.lock();
        let Some(row) = inner.row_of(record.as_ptr()).map(|row| inner.rows[row as usize]) else { return Ok(None) };
        let expires_at = inner.deadlines.get(&row.serial).copied();
        drop(inner);
        Ok(Some((record, row.version, expires_at, row.serial)))
    }

    /// Takes back what was stored under a key, whatever its version is. Nothing happens where there is nothing.
    fn take_back(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.entities.bind(key.py()).get_item(key)? {
            Some(record) => self.drop_record(&record),
            None => Ok(()),
        }
    }

    /// Puts back a record with the values that it had, as `stored` has given it, over whatever has its key now.
    #[pyo3(signature = (record, version, expires_at, serial))]
    fn put_back<'py>(
        slf: &Bound<'py, Self>,
        record: &Object<'py>,
        version: u64,
        expires_at: Option<f64>,
        serial: u64,
    ) -> PyResult<()> {
        slf.get().restore(slf, record, version, expires_at, serial)
    }

    /// What a query finds, in its order. `limit` is a further limit; `after` is a cursor.
    #[pyo3(signature = (query, limit = None, after = None))]
    fn select<'py>(
        &self,
        query: &Bound<'py, QueryCore>,
        limit: Option<usize>,
        after: Option<&Bound<'py, PyBytes>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = query.py();
        let after = after.map(|after| read_cursor(query, after.as_bytes())).transpose()?;
        let found = self.find(query, limit, after.as_ref())?;
        self.list(py, found)
    }

    /// How many a query finds.
    fn count(&self, query: &Bound<'_, QueryCore>) -> PyResult<usize> {
        let py = query.py();
        self.expire(py)?;
        let asked = self.compile(query)?;
        let mut counted = None;
        if asked.filters.is_empty() {
            counted = Some(self.lock().live());
        } else if asked.filters.len() == 1 {
            let inner = self.lock();
            let chosen = planner::plan(&inner.indexes, inner.live() as u64, &asked.conditions, &[], None);
            if let (Driver::Rows(access), [true], true) =
                (&chosen.driver, &chosen.covered[..], chosen.probes.is_empty())
            {
                counted = Some(access.count(&inner.indexes) as usize);
            }
        }
        let counted = match counted {
            Some(counted) => counted,
            None => {
                let unordered = Asked { order: Vec::new(), ..asked };
                let enough = unordered.limit.map(|limit| limit.saturating_add(unordered.offset));
                let mut reading = Reading::new(self, &unordered, enough, None);
                let mut total = 0;
                while reading.more && enough.is_none_or(|enough| total < enough) {
                    let mut found = References::new(py);
                    reading.on(py, BATCH, &mut found)?;
                    total += found.0.len();
                }
                return Ok(cut(total, unordered.offset, unordered.limit));
            }
        };
        Ok(cut(counted, asked.offset, asked.limit))
    }

    /// Where the next page begins, after `entity`.
    fn cursor<'py>(&self, query: &Bound<'py, QueryCore>, entity: &Object<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let py = query.py();
        let asked = self.compile(query)?;
        let mut bytes = Vec::new();
        let serial = {
            let inner = self.lock();
            inner.row_of(entity.as_ptr()).map_or(inner.serial, |row| inner.rows[row as usize].serial)
        };
        bytes.extend(serial.to_be_bytes());
        bytes.push(asked.order.len() as u8);
        for (path, _) in &asked.order {
            let mut encoder = Encoder::default();
            encode_path(path, entity.as_borrowed(), &mut encoder, Calls::Allowed).map_err(|_| PyErr::fetch(py))?;
            bytes.extend((encoder.len() as u32).to_be_bytes());
            bytes.extend(encoder.bytes());
        }
        Ok(PyBytes::new(py, &bytes))
    }

    /// How a query would be answered, as text.
    fn explain(&self, query: &Bound<'_, QueryCore>) -> PyResult<String> {
        let asked = self.compile(query)?;
        let order: Vec<Component> = asked.order.iter().map(|(_, component)| *component).collect();
        let enough = asked.limit.map(|limit| limit.saturating_add(asked.offset));
        let inner = self.lock();
        let chosen = planner::plan(&inner.indexes, inner.live() as u64, &asked.conditions, &order, enough);
        let name = |access: &Access| format!("index {} ({} rows)", inner.indexes[access.index].name, access.rows);
        let mut lines = vec![match &chosen.driver {
            Driver::Table => format!("scan of all {} rows", inner.live()),
            Driver::InOrder { access, backwards } => {
                format!("{} in {}order", name(access), if *backwards { "reverse " } else { "" })
            }
            Driver::Rows(access) => name(access),
            Driver::Union(accesses) => {
                format!("union of {}", accesses.iter().map(name).collect::<Vec<_>>().join(", "))
            }
        }];
        lines.extend(chosen.probes.iter().map(|access| format!("probe {}", name(access))));
        let left = chosen.covered.iter().filter(|covered| !**covered).count();
        if left > 0 {
            lines.push(format!("filter by {left} of {} conditions", chosen.covered.len()));
        }
        if !chosen.ordered {
            lines.push("sort".to_owned());
        }
        Ok(lines.join("\n"))
    }

    /// Forgets every entity.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        let records: Vec<_> = self.entities.bind(py).values().iter().collect();
        {
            let mut inner = self.lock();
            let serial = inner.serial;
            let indexes = std::mem::take(&mut inner.indexes);
            let emptied = indexes.into_iter().map(|index| Index { map: OrderedMap::default(), ..index }).collect();
            let (readers, saved) = (inner.readers, inner.saved.take());
            *inner = Inner { serial, indexes: emptied, readers, saved, ..Inner::default() };
        }
        self.entities.bind(py).clear();
        for record in records {
            track::accept_changes(&record, 0)?;
        }
        Ok(())
    }

    /// Whether rows, keys and indexes say the same as the entities. What is wrong, in words; empty when nothing is.
    fn check(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let plan = self.plan(py)?;
        let records: Vec<_> = self.entities.bind(py).values().iter().collect();
        let mut wrong = Vec::new();
        let mut expected = Vec::new();
        for record in &records {
            expected.push(self.keys(record.as_borrowed(), plan.get(), &[]).map_err(|_| PyErr::fetch(py))?);
        }
        let inner = self.lock();
        if records.len() != inner.live() || inner.by_entity.len() != inner.live() {
            wrong.push(format!(
                "{} entities, {} rows, {} addresses",
                records.len(),
                inner.live(),
                inner.by_entity.len()
            ));
        }
        for (record, keys) in records.iter().zip(&expected) {
            let Some(row) = inner.row_of(record.as_ptr()) else {
                wrong.push(format!("an entity at {:p} has no row", record.as_ptr()));
                continue;
            };
            for (number, index) in inner.indexes.iter().enumerate() {
                if !index.map.get(keys.get(number)).is_some_and(|rows| rows.contains(row)) {
                    wrong.push(format!("row {row} is not where it belongs in index {}", index.name));
                }
            }
        }
        for index in &inner.indexes {
            if index.map.rows() != inner.live() as u64 {
                wrong.push(format!("index {} has {} entries for {} rows", index.name, index.map.rows(), inner.live()));
            }
            if index.unique && index.map.keys() as u64 != index.map.rows() && index.components.len() == 1 {
                let nulls = index.map.count(&Range { low: vec![rank::NULL], high: key::after(&[rank::NULL]) });
                if index.map.rows() - nulls + u64::from(nulls > 0) != index.map.keys() as u64 {
                    wrong.push(format!("unique index {} has a key twice", index.name));
                }
            }
        }
        Ok(wrong)
    }

    /// {what: bytes} that the store needs beside the entities, about.
    fn memory<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let inner = self.lock();
        let rows = inner.rows.capacity() * size_of::<Row>() + inner.by_entity.capacity() * 5;
        let indexes: Vec<_> = inner.indexes.iter().map(|index| (index.name.clone(), index.map.heap())).collect();
        drop(inner);
        let sizes = PyDict::new(py);
        sizes.set_item("rows", rows)?;
        let size: usize = self.entities.bind(py).call_method0("__sizeof__")?.extract()?;
        sizes.set_item("keys", size)?;
        for (name, size) in indexes {
            sizes.set_item(format!("index {name}"), size)?;
        }
        Ok(sizes)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.class)?;
        visit.call(&self.entities)?;
        visit.call(&self.clock)?;
        if let Ok(inner) = self.inner.try_lock() {
            visit.call(&inner.saved)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        // The rows first, as they point into what the dictionary holds.
        let saved = {
            let mut inner = self.lock();
            inner.rows.clear();
            inner.holes = 0;
            inner.by_entity.clear();
            inner.indexes.iter_mut().for_each(|index| index.map = OrderedMap::default());
            inner.saved.take()
        };
        drop(saved);
        // SAFETY: the collector calls this with the GIL held.
        unsafe { ffi::PyDict_Clear(self.entities.as_ptr()) };
    }
}

impl MemoryTable {}

/// (name, [(field, whether it is descending)], whether it is unique) of an index.
type Specification = (String, Vec<(String, bool)>, bool);
