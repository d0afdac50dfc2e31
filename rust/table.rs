//! The memory store: the entities of one class, by key, in rows, and in indexes.
//!
//! A dictionary of Python's finds an entity by its key, whatever the key's type. Beside it every entity has a row,
//! numbered in the order of the first saves; indexes know rows only. Rows that were deleted leave holes until there are
//! more holes than rows; then all are numbered anew, in the same order.
//!
//! What is shared between threads stands behind one lock. While it is held no Python code runs and no object is made
//! or released: keys are encoded before, errors are made after, and what only Python can evaluate is put aside.

use std::cmp::{Ordering as Compared, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};
use roaring::RoaringBitmap;

use crate::check;
use crate::expression::{Ordering as Ordered, QueryCore};
use crate::filter::{Evaluation, Filter, Path, encode_path};
use crate::index::key::{self, Encoder, rank};
use crate::index::ordered::{OrderedMap, Position, Range, head};
use crate::index::planner::{self, Access, Driver};
use crate::index::{Component, Index};
use crate::layout::{self, Layout, Values};
use crate::plan::{Plan, forget_shortcuts};
use crate::runtime::{Fail, Lane, Object, View, raise};
use crate::track;
use crate::value::{self, Calls};

/// So many entities are looked at before the lock is given up for those that Python must look at.
const BATCH: usize = 1024;

/// So many entities are taken to be in the processor's caches.
const CACHED: usize = 20_000;

/// Fewer holes than this are left alone.
const HOLES: usize = 1024;

#[derive(Clone, Copy)]
struct Row {
    /// Null for a hole. Not a reference of its own: the table's dictionary holds every entity that has a row.
    entity: *mut ffi::PyObject,
    /// Greater than that of all rows before it, and for ever the same.
    serial: u64,
    version: u64,
}

#[derive(Default)]
struct Inner {
    rows: Vec<Row>,
    holes: usize,
    serial: u64,
    /// Rows by the address of their entity.
    by_entity: HashTable<u32>,
    indexes: Vec<Index>,
    /// When rows expire, by serial number.
    deadlines: HashMap<u64, f64>,
    expiring: BinaryHeap<Reverse<Expiry>>,
    /// How many readers have row numbers at hand.
    readers: usize,
    saved: Option<Py<PyAny>>,
}

// SAFETY: the pointers in the rows are to objects that the table's dictionary holds, and are used with the GIL held.
unsafe impl Send for Inner {}

#[derive(PartialEq)]
struct Expiry {
    deadline: f64,
    serial: u64,
}

impl Eq for Expiry {}

impl PartialOrd for Expiry {
    fn partial_cmp(&self, other: &Self) -> Option<Compared> {
        Some(self.cmp(other))
    }
}

impl Ord for Expiry {
    fn cmp(&self, other: &Self) -> Compared {
        self.deadline.total_cmp(&other.deadline).then(self.serial.cmp(&other.serial))
    }
}

/// Two entities would have one key in a unique index.
struct Clash {
    index: usize,
    other: *mut ffi::PyObject,
}

/// The keys of one entity in every index, one after another.
struct Keys {
    encoder: Encoder,
    ends: Vec<End>,
}

/// Where a key ends, and what is in it.
#[derive(Clone, Copy)]
struct End {
    at: usize,
    /// Whether there is a None.
    empty: bool,
    /// Whether there is a list, which may have been edited in place since it was stored.
    editable: bool,
}

impl Keys {
    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1].at };
        &self.encoder.bytes()[start..self.ends[index].at]
    }

    /// Whether the key counts for uniqueness.
    fn counts(&self, index: usize) -> bool {
        !self.ends[index].empty
    }
}

/// New records that are stored together.
struct Batch<'py> {
    /// Each with its key.
    records: Vec<(Object<'py>, Object<'py>)>,
    /// The keys of the first record in every index, then those of the next.
    keys: Keys,
    indexes: usize,
}

impl Batch<'_> {
    fn key(&self, place: usize, index: usize) -> &[u8] {
        self.keys.get(place * self.indexes + index)
    }
}

/// The fields of an index in which two records clash, and the other record with a reference of its own.
type Other = (Vec<usize>, *mut ffi::PyObject);

fn address_hash(entity: *mut ffi::PyObject) -> u64 {
    // Addresses are multiples of 16; the multiplication spreads them over all the bits.
    (entity as u64 >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Inner {
    fn row_of(&self, entity: *mut ffi::PyObject) -> Option<u32> {
        let rows = &self.rows;
        self.by_entity.find(address_hash(entity), |&row| rows[row as usize].entity == entity).copied()
    }

    fn forget_address(&mut self, entity: *mut ffi::PyObject) {
        let rows = &self.rows;
        if let Ok(entry) = self.by_entity.find_entry(address_hash(entity), |&row| rows[row as usize].entity == entity) {
            entry.remove();
        }
    }

    fn remember_address(&mut self, row: u32) {
        let rows = &self.rows;
        let hash = |row: &u32| address_hash(rows[*row as usize].entity);
        self.by_entity.insert_unique(hash(&row), row, hash);
    }

    fn live(&self) -> usize {
        self.rows.len() - self.holes
    }

    /// Who else has one of the keys in a unique index.
    fn clash(&self, keys: &Keys, row: Option<u32>) -> Option<Clash> {
        self.indexes.iter().enumerate().filter(|(_, index)| index.unique).find_map(|(number, index)| {
            if !keys.counts(number) {
                return None;
            }
            let other = index.map.get(keys.get(number))?.first()?;
            (Some(other) != row).then(|| Clash { index: number, other: self.rows[other as usize].entity })
        })
    }

    fn add(&mut self, entity: *mut ffi::PyObject, keys: &Keys) -> Result<u32, Clash> {
        if let Some(clash) = self.clash(keys, None) {
            return Err(clash);
        }
        let row = self.add_row(entity);
        for (number, index) in self.indexes.iter_mut().enumerate() {
            index.map.insert(keys.get(number), row);
        }
        Ok(row)
    }

    fn add_row(&mut self, entity: *mut ffi::PyObject) -> u32 {
        self.serial += 1;
        self.rows.push(Row { entity, serial: self.serial, version: 1 });
        let row = (self.rows.len() - 1) as u32;
        self.remember_address(row);
        row
    }

    /// Moves a row from some keys to others, where they differ.
    fn reindex(&mut self, row: u32, old: &Keys, new: &Keys) {
        for (number, index) in self.indexes.iter_mut().enumerate() {
            if old.get(number) == new.get(number) {
                continue;
            }
            if !index.map.remove(old.get(number), row) {
                // Somebody wrote past the store, and it stands elsewhere.
                index.map.remove_anywhere(row);
            }
            index.map.insert(new.get(number), row);
        }
    }

    /// Moves a row to its keys where lists were edited in place: no assignment has told of that.
    fn follow_edits(&mut self, row: u32, keys: &Keys) {
        for (number, index) in self.indexes.iter_mut().enumerate().filter(|(number, _)| keys.ends[*number].editable) {
            if !index.map.get(keys.get(number)).is_some_and(|rows| rows.contains(row)) {
                index.map.remove_anywhere(row);
                index.map.insert(keys.get(number), row);
            }
        }
    }

    fn remove(&mut self, row: u32, keys: &Keys) {
        for (number, index) in self.indexes.iter_mut().enumerate() {
            if !index.map.remove(keys.get(number), row) {
                index.map.remove_anywhere(row);
            }
        }
        let Row { entity, serial, .. } = self.rows[row as usize];
        self.forget_address(entity);
        self.deadlines.remove(&serial);
        self.rows[row as usize].entity = std::ptr::null_mut();
        self.holes += 1;
        self.close_holes();
    }

    /// Numbers the rows anew when most numbers are nobody's.
    fn close_holes(&mut self) {
        if self.readers > 0 || self.holes < HOLES || self.holes * 2 < self.rows.len() {
            return;
        }
        let mut numbers = vec![0; self.rows.len()];
        let mut next = 0u32;
        for (row, number) in self.rows.iter().zip(&mut numbers) {
            *number = next;
            next += u32::from(!row.entity.is_null());
        }
        self.rows.retain(|row| !row.entity.is_null());
        self.holes = 0;
        for index in &mut self.indexes {
            index.map.renumber(|row| numbers[row as usize]);
        }
        self.by_entity.clear();
        for row in 0..next {
            self.remember_address(row);
        }
    }

    /// The last row whose serial number is at most `serial`.
    fn row_at(&self, serial: u64) -> Option<u32> {
        self.rows.partition_point(|row| row.serial <= serial).checked_sub(1).map(|row| row as u32)
    }

    fn set_deadline(&mut self, row: u32, deadline: Option<f64>) {
        let serial = self.rows[row as usize].serial;
        match deadline {
            Some(deadline) => {
                self.deadlines.insert(serial, deadline);
                self.expiring.push(Reverse(Expiry { deadline, serial }));
            }
            None => {
                self.deadlines.remove(&serial);
            }
        }
    }
}

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
    clock: Py<PyAny>,
    inner: Mutex<Inner>,
}

/// Something that a query found.
struct Found {
    /// A reference of its own.
    entity: *mut ffi::PyObject,
    serial: u64,
    /// Whether it is known to match; else Python has to look at it.
    sure: bool,
}

/// A query, compiled.
struct Asked {
    filters: Vec<Filter>,
    conditions: Vec<planner::Condition>,
    order: Vec<(Path, Component)>,
    limit: Option<usize>,
    offset: usize,
}

/// Where a page begins: after this one.
struct After {
    /// The keys of the fields that the query is sorted by, ascending.
    keys: Vec<Vec<u8>>,
    serial: u64,
}

/// Where the rows of a query come from, and how far they were read.
enum Source {
    Table { next: usize },
    Rows { rows: Vec<u32>, next: usize },
    Walk { access: Access, backwards: bool, position: Option<(Position, Option<u32>)> },
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

    /// The keys of an entity in every index. `values` stand in for those of the entity.
    fn keys<'py>(&self, entity: View<'_, 'py>, plan: &Plan, values: &[(usize, Option<Object<'py>>)]) -> Lane<Keys> {
        self.keys_where(|_| true, entity, plan, values)
    }

    /// The keys in those indexes for which `wanted` holds of their fields; nothing in the others.
    fn keys_where<'py>(
        &self,
        wanted: impl Fn(&[Component]) -> bool,
        entity: View<'_, 'py>,
        plan: &Plan,
        values: &[(usize, Option<Object<'py>>)],
    ) -> Lane<Keys> {
        let mut keys = Keys { encoder: Encoder::default(), ends: Vec::with_capacity(self.components.len()) };
        self.append_keys(&mut keys, wanted, entity, plan, values)?;
        Ok(keys)
    }

    /// Appends the keys of an entity to those of others.
    fn append_keys<'py>(
        &self,
        keys: &mut Keys,
        wanted: impl Fn(&[Component]) -> bool,
        entity: View<'_, 'py>,
        plan: &Plan,
        values: &[(usize, Option<Object<'py>>)],
    ) -> Lane<()> {
        let py = entity.py();
        for components in &self.components {
            let (mut empty, mut editable) = (false, false);
            if !wanted(components) {
                keys.ends.push(End { at: keys.encoder.len(), empty: true, editable });
                continue;
            }
            for component in components {
                let start = keys.encoder.len();
                let given = values.iter().find(|(field, _)| *field == component.field);
                let value = match given {
                    Some((_, value)) => value.clone(),
                    // SAFETY: the plan is that of the entity's type.
                    None => unsafe { Values::of(entity, plan)? }.get(py, plan, component.field)?,
                };
                match value {
                    Some(value) => value::encode(value.as_borrowed(), &mut keys.encoder, Calls::Allowed)?,
                    None => keys.encoder.null(),
                }
                empty |= keys.encoder.bytes()[start] == rank::NULL;
                editable |= keys.encoder.bytes()[start] == rank::SEQUENCE;
                if component.descending {
                    keys.encoder.invert_from(start);
                }
            }
            keys.ends.push(End { at: keys.encoder.len(), empty, editable });
        }
        Ok(())
    }

    /// Moves the index entries of a record whose fields have changed from old values to new ones. Raises
    /// UniqueViolation, and moves nothing, when another record has a unique value.
    pub fn move_entries<'py>(
        &self,
        entity: View<'_, 'py>,
        plan: &Plan,
        changed: &[(usize, Option<Object<'py>>, Option<Object<'py>>)],
    ) -> PyResult<()> {
        let py = entity.py();
        let fail = |_| PyErr::fetch(py);
        let before: Vec<_> = changed.iter().map(|(field, old, _)| (*field, old.clone())).collect();
        let after: Vec<_> = changed.iter().map(|(field, _, new)| (*field, new.clone())).collect();
        let affected = |components: &[Component]| {
            components.iter().any(|part| changed.iter().any(|(field, ..)| *field == part.field))
        };
        let old = self.keys_where(affected, entity, plan, &before).map_err(fail)?;
        let new = self.keys_where(affected, entity, plan, &after).map_err(fail)?;
        let clash = {
            let mut inner = self.lock();
            let Some(row) = inner.row_of(entity.as_ptr()) else { return Ok(()) };
            let clash = inner.clash(&new, Some(row)).map(|clash| self.describe(&inner, clash));
            if clash.is_none() {
                inner.reindex(row, &old, &new);
            }
            clash
        };
        match clash {
            Some(clash) => Err(self.violation(py, entity, plan, clash, &after)?),
            None => Ok(()),
        }
    }

    /// The fields of the index in which two records clash, and the other record with a reference of its own.
    fn describe(&self, inner: &Inner, clash: Clash) -> Other {
        // SAFETY: rows of unique indexes have entities; the GIL is held.
        unsafe { ffi::Py_XINCREF(clash.other) };
        (inner.indexes[clash.index].components.iter().map(|part| part.field).collect(), clash.other)
    }

    /// The error for a clash.
    fn violation<'py>(
        &self,
        py: Python<'py>,
        entity: View<'_, 'py>,
        plan: &Plan,
        (fields, other): Other,
        values: &[(usize, Option<Object<'py>>)],
    ) -> PyResult<PyErr> {
        // SAFETY: the reference that `describe` took.
        let other: Object<'py> = unsafe { Bound::from_owned_ptr(py, other) };
        let value_of = |field: usize| -> PyResult<Object<'py>> {
            if let Some((_, value)) = values.iter().find(|(given, _)| *given == field) {
                return Ok(value.clone().unwrap_or_else(|| py.None().into_bound(py)));
            }
            // SAFETY: the plan is that of the entity's type.
            let value = unsafe { Values::of(entity, plan) }.and_then(|values| values.get(py, plan, field));
            Ok(value.map_err(|_| PyErr::fetch(py))?.unwrap_or_else(|| py.None().into_bound(py)))
        };
        let names: Vec<&str> = fields.iter().map(|&field| plan.fields[field].text.as_str()).collect();
        let value = if let [field] = fields[..] {
            value_of(field)?
        } else {
            let values = fields.iter().map(|&field| value_of(field)).collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, values)?.into_any()
        };
        let key = self.key_of(&other, plan)?;
        error(py, "UniqueViolation", (&self.class, names.join(", "), value, key))
    }

    /// Deletes what has expired.
    fn expire(&self, py: Python<'_>) -> PyResult<()> {
        if !self.expires.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now: f64 = self.clock.bind(py).call0()?.extract()?;
        loop {
            let expired = {
                let mut inner = self.lock();
                let Some(Reverse(Expiry { deadline, serial })) = inner.expiring.peek() else { break };
                if *deadline > now {
                    break;
                }
                let (deadline, serial) = (*deadline, *serial);
                inner.expiring.pop();
                if inner.deadlines.get(&serial) != Some(&deadline) {
                    continue;
                }
                inner.row_at(serial).map(|row| inner.rows[row as usize]).filter(|row| row.serial == serial).map(|row| {
                    // SAFETY: a row with a deadline has an entity; the GIL is held.
                    unsafe { Bound::from_borrowed_ptr(py, row.entity) }
                })
            };
            if let Some(entity) = expired {
                self.drop_record(&entity)?;
            }
        }
        Ok(())
    }

    /// Removes a record from everything, and makes it one that is not stored.
    fn drop_record(&self, record: &Object<'_>) -> PyResult<()> {
        let py = record.py();
        let plan = self.plan(py)?;
        let keys = self.keys(record.as_borrowed(), plan.get(), &[]).map_err(|_| PyErr::fetch(py))?;
        let key = self.original_key(record, plan.get())?;
        {
            let mut inner = self.lock();
            let Some(row) = inner.row_of(record.as_ptr()) else { return Ok(()) };
            inner.remove(row, &keys);
        }
        self.entities.bind(py).del_item(key)?;
        track::accept_changes(record, 0)
    }

    fn stale<'py>(&self, py: Python<'py>, key: &Object<'py>, expected: u64, stored: Option<u64>) -> PyErr {
        let make = || -> PyResult<PyErr> {
            let arguments = PyDict::new(py);
            arguments.set_item("expected_version", expected)?;
            arguments.set_item("stored_version", stored)?;
            let class = errors(py)?.getattr("StaleEntityError")?;
            Ok(PyErr::from_value(class.call((&self.class, key), Some(&arguments))?))
        };
        make().unwrap_or_else(|error| error)
    }

    /// Stores `record` for `entity`, which are the same object where the entities themselves are the records.
    fn store<'py>(
        &self,
        slf: &Bound<'py, Self>,
        entity: &Object<'py>,
        record: &Object<'py>,
        deadline: Option<Option<f64>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let fail = |_| PyErr::fetch(py);
        let plan = self.plan(py)?;
        let plan = plan.get();
        let entities = self.entities.bind(py);
        let key = self.key_of(entity, plan)?;
        let version = track::version_of(entity.as_borrowed());
        let keys = self.keys(record.as_borrowed(), plan, &[]).map_err(fail)?;
        let home = self.live.then(|| slf.clone().into_any());

        if version == 0 {
            // SAFETY: live objects; a borrowed reference, or null with an exception.
            let taken: Object<'py> = unsafe {
                let taken = ffi::PyDict_SetDefault(entities.as_ptr(), key.as_ptr(), record.as_ptr());
                Bound::from_borrowed_ptr_or_err(py, taken)?
            };
            if !taken.is(record) {
                return Err(self.key_taken(&key)?);
            }
            let added = {
                let mut inner = self.lock();
                match inner.row_of(record.as_ptr()).map_or_else(|| inner.add(record.as_ptr(), &keys), Ok) {
                    Ok(row) => {
                        self.give_deadline(&mut inner, row, deadline);
                        Ok(())
                    }
                    Err(clash) => Err(self.describe(&inner, clash)),
                }
            };
            if let Err(clash) = added {
                entities.del_item(&key)?;
                return Err(self.violation(py, record.as_borrowed(), plan, clash, &[])?);
            }
            track::become_record(record.as_borrowed(), plan, 1, home).map_err(fail)?;
            if !entity.is(record) {
                track::become_record(entity.as_borrowed(), plan, 1, None).map_err(fail)?;
            }
            return Ok(());
        }

        let old_key = self.original_key(entity, plan)?;
        let stored = entities.get_item(&old_key)?;
        let Some(stored) = stored else { return Err(self.stale(py, &old_key, version, None)) };
        let old_keys =
            if stored.is(record) { None } else { Some(self.keys(stored.as_borrowed(), plan, &[]).map_err(fail)?) };
        let moved = !same_key(&old_key, &key)?;
        if moved {
            // SAFETY: as above.
            let taken: Object<'py> = unsafe {
                let taken = ffi::PyDict_SetDefault(entities.as_ptr(), key.as_ptr(), record.as_ptr());
                Bound::from_borrowed_ptr_or_err(py, taken)?
            };
            if !taken.is(record) {
                return Err(self.key_taken(&key)?);
            }
        } else if !stored.is(record) {
            entities.set_item(&key, record)?;
        }
        enum Refused {
            Stale(Option<u64>),
            Clash(Other),
        }
        let done = {
            let mut inner = self.lock();
            match inner.row_of(stored.as_ptr()) {
                None => Err(Refused::Stale(None)),
                Some(row) if inner.rows[row as usize].version != version && !stored.is(entity) => {
                    Err(Refused::Stale(Some(inner.rows[row as usize].version)))
                }
                Some(row) => match inner.clash(&keys, Some(row)) {
                    Some(clash) => Err(Refused::Clash(self.describe(&inner, clash))),
                    None => {
                        if let Some(old_keys) = &old_keys {
                            inner.reindex(row, old_keys, &keys);
                            inner.forget_address(stored.as_ptr());
                            inner.rows[row as usize].entity = record.as_ptr();
                            inner.remember_address(row);
                        } else {
                            inner.follow_edits(row, &keys);
                        }
                        inner.rows[row as usize].version = version + 1;
                        self.give_deadline(&mut inner, row, deadline);
                        Ok(())
                    }
                },
            }
        };
        if let Err(refused) = done {
            if moved {
                entities.del_item(&key)?;
            } else if !stored.is(record) {
                entities.set_item(&key, &stored)?;
            }
            return Err(match refused {
                Refused::Stale(stored) => self.stale(py, &old_key, version, stored),
                Refused::Clash(clash) => self.violation(py, record.as_borrowed(), plan, clash, &[])?,
            });
        }
        if moved {
            entities.del_item(&old_key)?;
        }
        if !stored.is(record) && self.live {
            track::set_home(stored.as_borrowed(), plan, None).map_err(fail)?;
        }
        track::accept_changes(entity, version + 1)?;
        if !record.is(entity) {
            track::become_record(record.as_borrowed(), plan, version + 1, None).map_err(fail)?;
        } else if track::home(record.as_borrowed()).is_none() {
            track::set_home(record.as_borrowed(), plan, home).map_err(fail)?;
        }
        Ok(())
    }

    /// The key that an entity has now.
    fn key_of<'py>(&self, entity: &Object<'py>, plan: &Plan) -> PyResult<Object<'py>> {
        let py = entity.py();
        // SAFETY: the plan is that of the entity's type.
        let value = unsafe { Values::of(entity.as_borrowed(), plan) }.and_then(|values| values.get(py, plan, self.key));
        match value.map_err(|_| PyErr::fetch(py))? {
            Some(value) => Ok(value),
            None => entity.getattr(&plan.fields[self.key].name),
        }
    }

    /// The key under which an entity is stored.
    fn original_key<'py>(&self, entity: &Object<'py>, plan: &Plan) -> PyResult<Object<'py>> {
        track::original(entity, &plan.fields[self.key].text)
    }

    fn give_deadline(&self, inner: &mut Inner, row: u32, deadline: Option<Option<f64>>) {
        if let Some(deadline) = deadline {
            inner.set_deadline(row, deadline);
            if deadline.is_some() {
                self.expires.store(true, Ordering::Relaxed);
            }
        }
    }

    fn key_taken(&self, key: &Object<'_>) -> PyResult<PyErr> {
        let py = key.py();
        let name = self.class.bind(py).getattr(pyo3::intern!(py, "__nitro_key__"))?;
        error(py, "UniqueViolation", (&self.class, name, key, key))
    }

    /// Compiles a query for the class of this table.
    fn compile(&self, query: &Bound<'_, QueryCore>) -> PyResult<Asked> {
        let py = query.py();
        let class = self.class.bind(py);
        let query = query.get();
        let filters = Filter::compile_all(class, query.conditions.bind(py))?;
        let conditions = filters.iter().map(Filter::for_planner).collect();
        let mut order = Vec::new();
        for ordering in query.order.bind(py).iter() {
            let ordering = ordering.cast::<Ordered>()?.get();
            let path = Path::new(class, ordering.field.get())?;
            let component = Component { field: path.field().unwrap_or(usize::MAX), descending: ordering.descending };
            order.push((path, component));
        }
        Ok(Asked { filters, conditions, order, limit: query.limit, offset: query.offset })
    }

    /// Chooses indexes, and gives the source of the rows, what is left to evaluate, and whether they come in order.
    fn source<'a>(
        &self,
        inner: &Inner,
        asked: &'a Asked,
        limit: Option<usize>,
        after: Option<&After>,
    ) -> (Source, Vec<&'a Filter>, bool) {
        let order: Vec<Component> = asked.order.iter().map(|(_, component)| *component).collect();
        let chosen = planner::plan(&inner.indexes, inner.live() as u64, &asked.conditions, &order, limit);
        let left =
            asked.filters.iter().zip(&chosen.covered).filter(|(_, covered)| !**covered).map(|(filter, _)| filter);
        let begin = after.filter(|_| order.is_empty()).map(|after| inner.row_at(after.serial));
        let source = match chosen.driver {
            Driver::Table => Source::Table { next: begin.map_or(0, |row| row.map_or(0, |row| row as usize + 1)) },
            Driver::InOrder { access, backwards } => {
                let position = after.map(|after| {
                    let index = &inner.indexes[access.index];
                    let position = position_of(index, &access, &asked.order, after);
                    (position, inner.row_at(after.serial))
                });
                Source::Walk { access, backwards, position }
            }
            Driver::Rows(access) => Source::Rows { rows: rows_of(inner, &[access], &chosen.probes), next: 0 },
            Driver::Union(accesses) => Source::Rows { rows: rows_of(inner, &accesses, &chosen.probes), next: 0 },
        };
        let mut source = source;
        if let (Source::Rows { rows, next }, Some(Some(row))) = (&mut source, begin) {
            *next = rows.partition_point(|&other| other <= row);
        }
        // A walk in order looks into the other indexes row by row; sets were made of them for the rest.
        if matches!(source, Source::Walk { .. }) {
            let Source::Walk { access, backwards, position } = source else { unreachable!() };
            let probes = chosen.probes;
            if !probes.is_empty() {
                let all: Vec<&Filter> = asked.filters.iter().collect();
                return (Source::Walk { access, backwards, position }, all, chosen.ordered);
            }
            return (Source::Walk { access, backwards, position }, left.collect(), chosen.ordered);
        }
        (source, left.collect(), chosen.ordered)
    }

    /// Reads on from a source until `want` were found, or until there are too many that Python must look at. Whether
    /// there is more.
    fn read(
        &self,
        py: Python<'_>,
        inner: &Inner,
        source: &mut Source,
        left: &[&Filter],
        want: usize,
        found: &mut Vec<Found>,
    ) -> Lane<bool> {
        if left.is_empty()
            && let Some(more) = take_rows(inner, source, want, found)
        {
            return Ok(more);
        }
        let mut evaluation = Evaluation::new(Calls::Forbidden);
        let mut unsure = 0;
        let mut failed = false;
        let mut look = |row: u32| -> ControlFlow<()> {
            let Row { entity, serial, .. } = inner.rows[row as usize];
            if entity.is_null() {
                return ControlFlow::Continue(());
            }
            // SAFETY: a row's entity is held by the table's dictionary.
            let view = unsafe { Borrowed::from_ptr(py, entity) };
            let mut sure = true;
            for filter in left {
                match filter.holds(view, &mut evaluation) {
                    Ok(true) => {}
                    Ok(false) => return ControlFlow::Continue(()),
                    Err(Fail::Slow) => sure = false,
                    Err(Fail::Raised) => {
                        failed = true;
                        return ControlFlow::Break(());
                    }
                }
            }
            // SAFETY: as above; the GIL is held.
            unsafe { ffi::Py_INCREF(entity) };
            found.push(Found { entity, serial, sure });
            unsure += usize::from(!sure);
            if found.len() >= want || unsure >= BATCH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let more = match source {
            Source::Table { next } => {
                let rows = &inner.rows;
                let from = *next;
                // SAFETY: the class is alive, and its plan with it while no Python code runs.
                let plan = unsafe { Plan::of(self.class.as_ptr().cast()) };
                let numbers = left.first().and_then(|filter| filter.on_numbers());
                let quick = numbers.zip(plan).filter(|(_, plan)| plan.layout == Layout::Inline);
                let stopped = if let Some((numbers, plan)) = quick {
                    let class = self.class.as_ptr().cast();
                    let far = rows.len() - from > CACHED;
                    (from..rows.len()).try_for_each(|row| {
                        let entity = rows[row].entity;
                        if far {
                            let ahead =
                                |steps: usize| rows.get(row + steps).map_or(std::ptr::null_mut(), |row| row.entity);
                            // SAFETY: the rows' entities are held by the table's dictionary.
                            unsafe { layout::prefetch(plan, numbers.field, ahead) };
                        }
                        // SAFETY: as above; the layout is that of the entity's class, which is compared.
                        let value = unsafe {
                            if entity.is_null() || ffi::Py_TYPE(entity) != class {
                                std::ptr::null_mut()
                            } else {
                                layout::peek_inline(entity, numbers.field)
                            }
                        };
                        // SAFETY: a value that its entity holds.
                        let value = unsafe { Borrowed::from_ptr_or_opt(py, value) };
                        if value.and_then(|value| numbers.holds(value)) == Some(false) {
                            return ControlFlow::Continue(());
                        }
                        *next = row + 1;
                        look(row as u32)
                    })
                } else {
                    (from..rows.len()).try_for_each(|row| {
                        *next = row + 1;
                        look(row as u32)
                    })
                };
                stopped.is_break()
            }
            Source::Rows { rows, next } => {
                let from = *next;
                let stopped = rows[from..].iter().enumerate().try_for_each(|(index, &row)| {
                    *next = from + index + 1;
                    look(row)
                });
                stopped.is_break()
            }
            Source::Walk { access, backwards, position } => {
                let map = &inner.indexes[access.index].map;
                walk_on(map, access, *backwards, position, look)
            }
        };
        if failed {
            return Err(Fail::Raised);
        }
        Ok(more)
    }

    /// Everything that a query finds, sorted and cut.
    fn find<'py>(
        &self,
        query: &Bound<'py, QueryCore>,
        limit: Option<usize>,
        after: Option<&After>,
    ) -> PyResult<Vec<Found>> {
        let py = query.py();
        self.expire(py)?;
        let asked = self.compile(query)?;
        let limit = match (limit, asked.limit) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        let offset = if after.is_some() { 0 } else { asked.offset };
        if limit == Some(0) {
            return Ok(Vec::new());
        }
        let enough = limit.map(|limit| limit.saturating_add(offset));
        let mut reading = Reading::new(self, &asked, enough, after);
        let want = if reading.ordered { enough } else { None };
        let mut found = References::new(py);
        while reading.more && want.is_none_or(|want| found.0.len() < want) {
            reading.on(py, want.map_or(usize::MAX, |want| want - found.0.len()), &mut found)?;
        }
        let ordered = reading.ordered;
        drop(reading);
        if !ordered {
            sort(py, &asked.order, &mut found.0, after, enough)?;
        }
        let mut found = found.take();
        let drop_from = |found: &mut Vec<Found>, range: std::ops::Range<usize>| {
            for one in found.drain(range) {
                // SAFETY: a reference of its own; the GIL is held.
                unsafe { ffi::Py_DECREF(one.entity) };
            }
        };
        let skipped = offset.min(found.len());
        drop_from(&mut found, 0..skipped);
        if let Some(limit) = limit
            && found.len() > limit
        {
            let length = found.len();
            drop_from(&mut found, limit..length);
        }
        Ok(found)
    }

    fn list<'py>(&self, py: Python<'py>, found: Vec<Found>) -> PyResult<Bound<'py, PyList>> {
        // SAFETY: a new list of the right length, whose places are filled with references that were ours.
        unsafe {
            let list = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(found.len() as isize))?;
            for (index, one) in found.into_iter().enumerate() {
                ffi::PyList_SET_ITEM(list.as_ptr(), index as isize, one.entity);
            }
            Ok(list.cast_into_unchecked())
        }
    }
}

/// References that are given back when reading stops early.
struct References<'py>(Vec<Found>, Python<'py>);

impl<'py> References<'py> {
    fn new(py: Python<'py>) -> Self {
        Self(Vec::new(), py)
    }

    fn take(mut self) -> Vec<Found> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for References<'_> {
    fn drop(&mut self) {
        for found in self.0.drain(..) {
            // SAFETY: a reference of its own; the GIL is held.
            unsafe { ffi::Py_DECREF(found.entity) };
        }
    }
}

/// A query being read: while there is one, rows keep their numbers.
struct Reading<'a> {
    table: &'a MemoryTable,
    asked: &'a Asked,
    source: Source,
    left: Vec<&'a Filter>,
    ordered: bool,
    more: bool,
}

impl<'a> Reading<'a> {
    fn new(table: &'a MemoryTable, asked: &'a Asked, enough: Option<usize>, after: Option<&After>) -> Self {
        let mut inner = table.lock();
        inner.readers += 1;
        let (source, left, ordered) = table.source(&inner, asked, enough, after);
        Self { table, asked, source, left, ordered, more: true }
    }

    /// Reads some more: what matches goes to `found`.
    fn on(&mut self, py: Python<'_>, want: usize, found: &mut References<'_>) -> PyResult<()> {
        let mut batch = References::new(py);
        {
            let inner = self.table.lock();
            self.more = self
                .table
                .read(py, &inner, &mut self.source, &self.left, want, &mut batch.0)
                .map_err(|_| PyErr::fetch(py))?;
        }
        if batch.0.iter().all(|one| one.sure) {
            found.0.append(&mut batch.0);
            return Ok(());
        }
        let mut evaluation = Evaluation::new(Calls::Allowed);
        for one in batch.0.drain(..) {
            // SAFETY: a reference of its own.
            let entity: Object<'_> = unsafe { Bound::from_owned_ptr(py, one.entity) };
            let mut holds = one.sure;
            if !holds {
                holds = true;
                for filter in &self.asked.filters {
                    holds = filter.holds(entity.as_borrowed(), &mut evaluation).map_err(|_| PyErr::fetch(py))?;
                    if !holds {
                        break;
                    }
                }
            }
            if holds {
                found.0.push(Found { entity: entity.into_ptr(), serial: one.serial, sure: true });
            }
        }
        Ok(())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.table.lock().readers -= 1;
    }
}

/// Takes the rows that need no look at their entities. First all the row numbers, then all the entities: so the
/// processor waits for them together, not for one after the other. None where the source is no index.
fn take_rows(inner: &Inner, source: &mut Source, want: usize, found: &mut Vec<Found>) -> Option<bool> {
    let mut numbers = Vec::new();
    let more = match source {
        Source::Table { .. } => return None,
        Source::Rows { rows, next } => {
            let end = rows.len().min(next.saturating_add(want));
            numbers.extend_from_slice(&rows[*next..end]);
            *next = end;
            end < rows.len()
        }
        Source::Walk { access, backwards, position } => {
            let map = &inner.indexes[access.index].map;
            walk_on(map, access, *backwards, position, |row| {
                numbers.push(row);
                if numbers.len() >= want { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        }
    };
    let begin = found.len();
    found.extend(numbers.iter().filter_map(|&row| {
        let Row { entity, serial, .. } = inner.rows[row as usize];
        (!entity.is_null()).then_some(Found { entity, serial, sure: true })
    }));
    for one in &found[begin..] {
        // SAFETY: a row's entity is held by the table's dictionary; the GIL is held.
        unsafe { ffi::Py_INCREF(one.entity) };
    }
    Some(more)
}

/// Walks on in an index from where `position` says, until `visit` breaks off: then the position is after that row.
/// Whether it did.
fn walk_on(
    map: &OrderedMap,
    access: &Access,
    backwards: bool,
    position: &mut Option<(Position, Option<u32>)>,
    mut visit: impl FnMut(u32) -> ControlFlow<()>,
) -> bool {
    let count = access.ranges.len();
    for number in 0..count {
        let range = &access.ranges[if backwards { count - 1 - number } else { number }];
        let begin = match position {
            None => None,
            Some((reached, row)) => {
                let below = reached.key < range.low;
                let above = !range.high.is_empty() && reached.key >= range.high;
                if if backwards { below } else { above } {
                    continue;
                }
                (!below && !above).then(|| (reached.clone(), *row))
            }
        };
        let start = begin.as_ref().map(|(start, _)| start);
        let mut reached = None;
        let stop = map.walk(range, backwards, start, |key, rows| {
            let after = begin.as_ref().filter(|(start, _)| start.key == key).and_then(|(_, row)| *row);
            rows.each(after, |row| {
                let flow = visit(row);
                if flow.is_break() {
                    reached = Some((Position { key: key.to_vec(), row }, Some(row)));
                }
                flow
            })
        });
        if stop.is_break() {
            *position = reached;
            return true;
        }
    }
    false
}

/// The position in an index where a page begins.
fn position_of(index: &Index, access: &Access, order: &[(Path, Component)], after: &After) -> Position {
    let mut key = access.prefix.clone();
    for component in &index.components[access.bound..] {
        let place = order.iter().position(|(_, ordered)| ordered.field == component.field);
        if let Some(value) = place.and_then(|place| after.keys.get(place)) {
            if component.descending {
                key.extend(value.iter().map(|byte| !byte));
            } else {
                key.extend(value);
            }
        }
    }
    Position { key, row: 0 }
}

/// The rows of some indexes that are also in the probes, in ascending order.
fn rows_of(inner: &Inner, accesses: &[Access], probes: &[Access]) -> Vec<u32> {
    let (points, sets): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.point.is_some());
    let mut rows = Vec::new();
    // A few rows are looked up one by one; many are intersected.
    if let [access] = accesses
        && access.rows <= 64
    {
        let map = &inner.indexes[access.index].map;
        for range in &access.ranges {
            let _ = map.walk(range, false, None, |_, of_key| {
                of_key.each(None, |row| {
                    rows.push(row);
                    ControlFlow::Continue(())
                })
            });
        }
        rows.sort_unstable();
        rows.dedup();
    } else {
        let mut all = RoaringBitmap::new();
        for access in accesses {
            access.collect(&inner.indexes, &mut all);
        }
        for probe in &points {
            if let Some(crate::index::ordered::RowsOf::Set(crate::index::rows::Rows::Many(other))) =
                probe.rows_of(&inner.indexes)
            {
                all &= other.as_ref();
            }
        }
        rows.extend(all.iter());
    }
    for probe in points {
        match probe.rows_of(&inner.indexes) {
            Some(of_key) => rows.retain(|&row| of_key.contains(row)),
            None => rows.clear(),
        }
    }
    for probe in sets {
        let mut set = RoaringBitmap::new();
        probe.collect(&inner.indexes, &mut set);
        rows.retain(|&row| set.contains(row));
    }
    rows
}

/// Sorts what was found; with `after`, only what comes after it stays; only the first `enough` need be in order.
fn sort(
    py: Python<'_>,
    order: &[(Path, Component)],
    found: &mut Vec<Found>,
    after: Option<&After>,
    enough: Option<usize>,
) -> PyResult<()> {
    let mut encoder = Encoder::default();
    let mut ends = Vec::with_capacity(found.len());
    for one in found.iter() {
        // SAFETY: a reference of its own.
        let entity = unsafe { Bound::from_borrowed_ptr(py, one.entity) };
        for (path, component) in order {
            let start = encoder.len();
            encode_path(path, entity.as_borrowed(), &mut encoder, Calls::Allowed).map_err(|_| PyErr::fetch(py))?;
            if component.descending {
                encoder.invert_from(start);
            }
        }
        ends.push(encoder.len());
    }
    let key = |index: usize| {
        let start = if index == 0 { 0 } else { ends[index - 1] };
        &encoder.bytes()[start..ends[index]]
    };
    let compare =
        |&one: &usize, &two: &usize| key(one).cmp(key(two)).then_with(|| found[one].serial.cmp(&found[two].serial));
    let mut places: Vec<usize> = (0..found.len()).collect();
    if let Some(after) = after {
        let mut limit = Vec::new();
        for (value, (_, component)) in after.keys.iter().zip(order) {
            if component.descending {
                limit.extend(value.iter().map(|byte| !byte));
            } else {
                limit.extend(value);
            }
        }
        places.retain(|&place| {
            let compared = key(place).cmp(&limit).then_with(|| found[place].serial.cmp(&after.serial));
            compared == Compared::Greater
        });
    }
    if let Some(enough) = enough.filter(|&enough| enough > 0 && enough < places.len()) {
        places.select_nth_unstable_by(enough - 1, compare);
        places.truncate(enough);
    }
    places.sort_unstable_by(compare);
    let mut taken: Vec<Option<Found>> = std::mem::take(found).into_iter().map(Some).collect();
    found.extend(places.into_iter().filter_map(|place| taken[place].take()));
    for left in taken.into_iter().flatten() {
        // SAFETY: a reference of its own; the GIL is held.
        unsafe { ffi::Py_DECREF(left.entity) };
    }
    Ok(())
}

/// A table that is gone must not be found by a shortcut.
impl Drop for MemoryTable {
    fn drop(&mut self) {
        forget_shortcuts();
    }
}

/// Lets `get` look into this table for entities of a class, until any class is given another backend.
#[pyfunction]
pub fn remember_table(class: &Bound<'_, PyType>, table: &Bound<'_, MemoryTable>) {
    // SAFETY: a live class.
    if let Some(plan) = unsafe { Plan::held(class.py(), class.as_type_ptr()) } {
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

fn errors(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static ERRORS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    ERRORS.get_or_try_init(py, || Ok(py.import("nitro.errors")?.into_any().unbind())).map(|errors| errors.bind(py))
}

/// An error of Nitro's, made from what went wrong.
fn error<'py>(py: Python<'py>, name: &str, arguments: impl pyo3::call::PyCallArgs<'py>) -> PyResult<PyErr> {
    Ok(PyErr::from_value(errors(py)?.getattr(name)?.call1(arguments)?))
}

fn same_key(one: &Object<'_>, two: &Object<'_>) -> PyResult<bool> {
    Ok(one.is(two) || one.eq(two)?)
}

/// After fields of an entity have got new values: the indexes of its table follow. Raises UniqueViolation where they
/// cannot.
#[inline]
pub fn moved<'py>(
    entity: View<'_, 'py>,
    plan: &Plan,
    changed: &[(usize, Option<Object<'py>>, Option<Object<'py>>)],
) -> Lane<()> {
    if changed.is_empty() || !plan.tracked {
        return Ok(());
    }
    let Some(home) = track::home(entity) else { return Ok(()) };
    let py = entity.py();
    let table = home.cast::<MemoryTable>().map_err(|error| raise(py, error.into()))?;
    table.get().move_entries(entity, plan, changed).map_err(|error| raise(py, error))
}

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
            inner.saved.take()
        };
        drop(saved);
        // SAFETY: the collector calls this with the GIL held.
        unsafe { ffi::PyDict_Clear(self.entities.as_ptr()) };
    }
}

impl MemoryTable {
    /// Adds rows for many records, all or none: with the place of the first that clashes.
    fn add_rows(&self, all: &Batch<'_>, deadline: Option<Option<f64>>) -> Option<(usize, Other)> {
        let mut inner = self.lock();
        let first = inner.rows.len() as u32;
        let count = all.records.len();
        inner.rows.reserve(count);
        for (record, _) in &all.records {
            let row = inner.add_row(record.as_ptr());
            self.give_deadline(&mut inner, row, deadline);
        }
        let mut places: Vec<u32> = (0..count as u32).collect();
        let mut clash = None;
        let mut done = 0;
        for number in 0..inner.indexes.len() {
            let key = |place: u32| all.key(place as usize, number);
            sort_places(&mut places, key);
            if !inner.indexes[number].unique {
                let pairs = places.iter().map(|&place| (key(place), first + place));
                inner.indexes[number].map.insert_sorted(pairs);
                done += 1;
                continue;
            }
            let index = &mut inner.indexes[number];
            for (at, &place) in places.iter().enumerate() {
                if index.unique
                    && all.keys.counts(place as usize * all.indexes + number)
                    && let Some(other) = index.map.get(key(place)).and_then(|rows| rows.first())
                {
                    for &place in &places[..at] {
                        index.map.remove(key(place), first + place);
                    }
                    clash = Some((place, number, other));
                    break;
                }
                index.map.insert(key(place), first + place);
            }
            if clash.is_some() {
                break;
            }
            done += 1;
        }
        let (place, number, other) = clash?;
        for number in 0..done {
            for place in 0..count {
                inner.indexes[number].map.remove(all.key(place, number), first + place as u32);
            }
        }
        let described = self.describe(&inner, Clash { index: number, other: inner.rows[other as usize].entity });
        for (record, _) in &all.records {
            inner.forget_address(record.as_ptr());
        }
        let gone: Vec<u64> = inner.rows[first as usize..].iter().map(|row| row.serial).collect();
        for serial in gone {
            inner.deadlines.remove(&serial);
        }
        inner.rows.truncate(first as usize);
        Some((place as usize, described))
    }

    /// When something that is saved now expires: None where nothing was said, Some(None) for never.
    fn deadline(&self, ttl: &Object<'_>) -> PyResult<Option<Option<f64>>> {
        let py = ttl.py();
        if ttl.is(py.Ellipsis()) {
            return Ok(None);
        }
        if ttl.is_none() {
            return Ok(Some(None));
        }
        let seconds: f64 = ttl.extract()?;
        let now: f64 = self.clock.bind(py).call0()?.extract()?;
        Ok(Some(Some(now + seconds)))
    }
}

/// Sorts the numbers of records by their keys in an index, so that the entries come to one place after another.
fn sort_places<'a>(places: &mut [u32], key: impl Fn(u32) -> &'a [u8]) {
    let mut heads: Vec<(u64, u32)> = places.iter().map(|&place| (head(key(place)), place)).collect();
    heads.sort_unstable();
    for same in heads.chunk_by_mut(|one, two| one.0 == two.0) {
        // No key is the beginning of another: those that end here are equal.
        if same.len() > 1 && key(same[0].1).len() > size_of::<u64>() {
            same.sort_by(|one, two| key(one.1).cmp(key(two.1)));
        }
    }
    places.iter_mut().zip(heads).for_each(|(place, (_, sorted))| *place = sorted);
}

/// (name, [(field, whether it is descending)], whether it is unique) of an index.
type Specification = (String, Vec<(String, bool)>, bool);

fn cut(count: usize, offset: usize, limit: Option<usize>) -> usize {
    let left = count.saturating_sub(offset);
    limit.map_or(left, |limit| left.min(limit))
}

fn read_cursor(query: &Bound<'_, QueryCore>, bytes: &[u8]) -> PyResult<After> {
    let parse = || -> Option<After> {
        let (serial, rest) = bytes.split_first_chunk::<8>()?;
        let (&count, mut rest) = rest.split_first()?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (length, more) = rest.split_first_chunk::<4>()?;
            let length = u32::from_be_bytes(*length) as usize;
            keys.push(more.get(..length)?.to_vec());
            rest = &more[length..];
        }
        (rest.is_empty() && keys.iter().all(|key| !key.is_empty()))
            .then_some(After { keys, serial: u64::from_be_bytes(*serial) })
    };
    let fields = query.get().order.bind(query.py()).len();
    parse().filter(|after| after.keys.len() == fields).ok_or_else(|| {
        PyValueError::new_err("after takes the next_cursor of a page of the same query, in the same order")
    })
}
