//! Entities into a table, and out of it: keys, versions, uniqueness, expiry.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use super::MemoryTable;
use super::rows::{Batch, Clash, End, Expiry, Inner, Keys, Other, sort_places};
use crate::index::Component;
use crate::index::key::{Encoder, rank};
use crate::layout::Values;
use crate::plan::Plan;
use crate::runtime::{Lane, Object, View, raise};
use crate::track;
use crate::value::{self, Calls};

/// A field, by its number, and its value; None where the entity has none.
type FieldValue<'py> = (usize, Option<Object<'py>>);

impl MemoryTable {
    /// The keys of an entity in every index. `values` stand in for those of the entity.
    pub(super) fn keys<'py>(&self, entity: View<'_, 'py>, plan: &Plan, values: &[FieldValue<'py>]) -> Lane<Keys> {
        self.keys_where(|_| true, entity, plan, values)
    }

    /// The keys in those indexes for which `wanted` holds of their fields; nothing in the others.
    pub(super) fn keys_where<'py>(
        &self,
        wanted: impl Fn(&[Component]) -> bool,
        entity: View<'_, 'py>,
        plan: &Plan,
        values: &[FieldValue<'py>],
    ) -> Lane<Keys> {
        let mut keys = Keys { encoder: Encoder::default(), ends: Vec::with_capacity(self.components.len()) };
        self.append_keys(&mut keys, wanted, entity, plan, values)?;
        Ok(keys)
    }

    /// Appends the keys of an entity to those of others.
    pub(super) fn append_keys<'py>(
        &self,
        keys: &mut Keys,
        wanted: impl Fn(&[Component]) -> bool,
        entity: View<'_, 'py>,
        plan: &Plan,
        values: &[FieldValue<'py>],
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

    /// The keys in those indexes for which `wanted` holds, of values that the entity has all at once: where a key is made
    /// by Python code, another thread may assign meanwhile.
    fn keys_at_once<'py>(
        &self,
        wanted: impl Fn(&[Component]) -> bool,
        entity: View<'_, 'py>,
        plan: &Plan,
    ) -> Lane<(Vec<FieldValue<'py>>, Keys)> {
        let py = entity.py();
        let fields: Vec<usize> =
            self.components.iter().filter(|parts| wanted(parts)).flatten().map(|part| part.field).collect();
        let current = || -> Lane<Vec<FieldValue<'py>>> {
            // SAFETY: the plan is that of the entity's type.
            let values = unsafe { Values::of(entity, plan)? };
            fields.iter().map(|&field| Ok((field, values.get(py, plan, field)?))).collect()
        };
        let address = |(_, value): &FieldValue<'py>| value.as_ref().map(Bound::as_ptr);
        loop {
            let now = current()?;
            let keys = self.keys_where(&wanted, entity, plan, &now)?;
            if now.iter().map(address).eq(current()?.iter().map(address)) {
                return Ok((now, keys));
            }
        }
    }

    /// Moves the index entries of a record some of whose fields had old values and have new ones. Where that cannot be,
    /// calls `undo` before any Python code can run, so that no other thread sees a refused value, and raises.
    fn move_entries<'py>(
        &self,
        entity: View<'_, 'py>,
        plan: &Plan,
        changed: &[FieldValue<'py>],
        undo: impl FnOnce() -> Lane<()>,
    ) -> PyResult<()> {
        let py = entity.py();
        let fail = |_| PyErr::fetch(py);
        let affected = |components: &[Component]| {
            components.iter().any(|part| changed.iter().any(|(field, _)| *field == part.field))
        };
        let keys = self
            .keys_where(affected, entity, plan, changed)
            .and_then(|old| Ok((old, self.keys_at_once(affected, entity, plan)?)));
        let (old, (now, new)) = match keys {
            Ok(keys) => keys,
            Err(_) => {
                let error = PyErr::fetch(py);
                undo().map_err(fail)?;
                return Err(error);
            }
        };
        let clash = {
            let mut inner = self.lock();
            let Some(row) = inner.row_of(entity.as_ptr()) else { return Ok(()) };
            self.moves.fetch_add(1, Ordering::Relaxed);
            let clash = inner.clash(&new, Some(row)).map(|clash| self.describe(&inner, clash));
            if clash.is_none() {
                inner.reindex(row, &old, &new);
            }
            clash.map(|clash| (clash, now))
        };
        if let Some((clash, refused)) = clash {
            undo().map_err(fail)?;
            return Err(self.violation(py, entity, plan, clash, &refused)?);
        }
        Ok(())
    }

    /// The fields of the index in which two records clash, and the other record with a reference of its own.
    pub(super) fn describe(&self, inner: &Inner, clash: Clash) -> Other {
        // SAFETY: rows of unique indexes have entities; the GIL is held.
        unsafe { ffi::Py_XINCREF(clash.other) };
        (inner.indexes[clash.index].components.iter().map(|part| part.field).collect(), clash.other)
    }

    /// The error for a clash.
    pub(super) fn violation<'py>(
        &self,
        py: Python<'py>,
        entity: View<'_, 'py>,
        plan: &Plan,
        (fields, other): Other,
        values: &[FieldValue<'py>],
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
    pub(super) fn expire(&self, py: Python<'_>) -> PyResult<()> {
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
    pub(super) fn drop_record(&self, record: &Object<'_>) -> PyResult<()> {
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

    pub(super) fn stale<'py>(&self, py: Python<'py>, key: &Object<'py>, expected: u64, stored: Option<u64>) -> PyErr {
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
    pub(super) fn store<'py>(
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
        let home = self.live.then(|| slf.clone().into_any());

        if version == 0 {
            let keys = self.keys(record.as_borrowed(), plan, &[]).map_err(fail)?;
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
        // The indexes have followed the assignments to a record; what was edited in place in it is news to them.
        let is_record = stored.is(record);
        let news =
            |components: &[Component]| !is_record || components.iter().any(|part| plan.fields[part.field].mutable);
        let (_, keys) = self.keys_at_once(news, record.as_borrowed(), plan).map_err(fail)?;
        let old_keys = if is_record { None } else { Some(self.keys(stored.as_borrowed(), plan, &[]).map_err(fail)?) };
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
                            inner.follow(row, &keys, |index| keys.ends[index].editable);
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

    /// Stores a record as it was at a version before, over whatever is stored under its key now, and in the place that it
    /// had. Its unique values were its own then; where others have them still, these are going to be taken back too.
    pub(super) fn restore<'py>(
        &self,
        slf: &Bound<'py, Self>,
        record: &Object<'py>,
        version: u64,
        expires_at: Option<f64>,
        serial: u64,
    ) -> PyResult<()> {
        let py = slf.py();
        let fail = |_| PyErr::fetch(py);
        let plan = self.plan(py)?;
        let plan = plan.get();
        let entities = self.entities.bind(py);
        let key = self.key_of(record, plan)?;
        if let Some(stored) = entities.get_item(&key)?
            && !stored.is(record)
        {
            self.drop_record(&stored)?;
        }
        let (_, keys) = self.keys_at_once(|_| true, record.as_borrowed(), plan).map_err(fail)?;
        {
            let mut inner = self.lock();
            let row = match inner.row_of(record.as_ptr()) {
                Some(row) => {
                    inner.follow(row, &keys, |_| true);
                    row
                }
                None => inner.add_again(serial, record.as_ptr(), &keys),
            };
            inner.rows[row as usize].version = version;
            self.give_deadline(&mut inner, row, Some(expires_at));
        }
        entities.set_item(&key, record)?;
        track::become_record(record.as_borrowed(), plan, version, self.live.then(|| slf.clone().into_any()))
            .map_err(fail)
    }

    /// The key that an entity has now.
    pub(super) fn key_of<'py>(&self, entity: &Object<'py>, plan: &Plan) -> PyResult<Object<'py>> {
        let py = entity.py();
        // SAFETY: the plan is that of the entity's type.
        let value = unsafe { Values::of(entity.as_borrowed(), plan) }.and_then(|values| values.get(py, plan, self.key));
        match value.map_err(|_| PyErr::fetch(py))? {
            Some(value) => Ok(value),
            None => entity.getattr(&plan.fields[self.key].name),
        }
    }

    /// The key under which an entity is stored.
    pub(super) fn original_key<'py>(&self, entity: &Object<'py>, plan: &Plan) -> PyResult<Object<'py>> {
        track::original(entity, &plan.fields[self.key].text)
    }

    pub(super) fn give_deadline(&self, inner: &mut Inner, row: u32, deadline: Option<Option<f64>>) {
        if let Some(deadline) = deadline {
            inner.set_deadline(row, deadline);
            if deadline.is_some() {
                self.expires.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn key_taken(&self, key: &Object<'_>) -> PyResult<PyErr> {
        let py = key.py();
        let name = self.class.bind(py).getattr(pyo3::intern!(py, "__nitro_key__"))?;
        error(py, "UniqueViolation", (&self.class, name, key, key))
    }

    /// Adds rows for many records, all or none: with the place of the first that clashes.
    pub(super) fn add_rows(&self, all: &Batch<'_>, deadline: Option<Option<f64>>) -> Option<(usize, Other)> {
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
    pub(super) fn deadline(&self, ttl: &Object<'_>) -> PyResult<Option<Option<f64>>> {
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

pub(super) fn errors(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static ERRORS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    ERRORS.get_or_try_init(py, || Ok(py.import("nitro.errors")?.into_any().unbind())).map(|errors| errors.bind(py))
}

/// An error of Nitro's, made from what went wrong.
pub(super) fn error<'py>(py: Python<'py>, name: &str, arguments: impl pyo3::call::PyCallArgs<'py>) -> PyResult<PyErr> {
    Ok(PyErr::from_value(errors(py)?.getattr(name)?.call1(arguments)?))
}

pub(super) fn same_key(one: &Object<'_>, two: &Object<'_>) -> PyResult<bool> {
    Ok(one.is(two) || one.eq(two)?)
}

/// When fields of an entity have new values, the indexes of its table follow; `changed` are the fields, by number, with
/// their old values. Raises UniqueViolation where they cannot, when `undo` has put back what was there before.
#[inline]
pub fn moved<'py>(
    entity: View<'_, 'py>,
    plan: &Plan,
    changed: &[FieldValue<'py>],
    undo: impl FnOnce() -> Lane<()>,
) -> Lane<()> {
    if changed.is_empty() || !plan.tracked {
        return Ok(());
    }
    let Some(home) = track::home(entity) else { return Ok(()) };
    let py = entity.py();
    let table = home.cast::<MemoryTable>().map_err(|error| raise(py, error.into()))?;
    table.get().move_entries(entity, plan, changed, undo).map_err(|error| raise(py, error))
}

/// How often entries have moved in the table of which the entity is a record; None where it is no record, or where its
/// class has no indexes.
pub fn moves(entity: View<'_, '_>, plan: &Plan) -> Lane<Option<u64>> {
    if !plan.tracked || !plan.fields.iter().any(|field| field.indexed) {
        return Ok(None);
    }
    let Some(home) = track::home(entity) else { return Ok(None) };
    let table = home.cast::<MemoryTable>().map_err(|error| raise(entity.py(), error.into()))?;
    Ok(Some(table.get().moves.load(Ordering::Relaxed)))
}

/// `moved`, after code of the user's has run in the midst of the assignment; `before` is what `moves` said before it.
/// Where entries have moved since, pydantic may have put back values that were assigned meanwhile.
pub fn moved_since<'py>(
    entity: View<'_, 'py>,
    plan: &Plan,
    changed: &[FieldValue<'py>],
    before: Option<u64>,
    undo: impl FnOnce() -> Lane<()>,
) -> Lane<()> {
    let crowded = before != moves(entity, plan)?;
    let done = moved(entity, plan, changed, undo);
    if !crowded {
        return done;
    }
    let error = done.is_err().then(|| PyErr::fetch(entity.py()));
    follow(entity, plan)?;
    if let Some(error) = error {
        return Err(raise(entity.py(), error));
    }
    Ok(())
}

/// Looks for a record in every index, and moves it where its values belong.
fn follow(entity: View<'_, '_>, plan: &Plan) -> Lane<()> {
    let Some(home) = track::home(entity) else { return Ok(()) };
    let table = home.cast::<MemoryTable>().map_err(|error| raise(entity.py(), error.into()))?.get();
    let (_, keys) = table.keys_at_once(|_| true, entity, plan)?;
    let mut inner = table.lock();
    if let Some(row) = inner.row_of(entity.as_ptr()) {
        inner.follow(row, &keys, |_| true);
    }
    Ok(())
}
