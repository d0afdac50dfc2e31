//! Queries over a table: the choice of indexes, the walk over the rows, sorting, and where pages begin.

use std::cmp::Ordering as Compared;
use std::ops::ControlFlow;

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyList;
use roaring::RoaringBitmap;

use super::MemoryTable;
use super::rows::{Inner, Row};
use crate::expression::{Ordering as Ordered, QueryCore};
use crate::filter::{Evaluation, Filter, Path, encode_path};
use crate::index::key::Encoder;
use crate::index::ordered::{OrderedMap, Position};
use crate::index::planner::{self, Access, Driver};
use crate::index::{Component, Index};
use crate::layout::{self, Layout};
use crate::plan::Plan;
use crate::runtime::{Fail, Lane, Object};
use crate::value::Calls;

/// So many entities are looked at before the lock is given up for those that Python must look at.
pub(super) const BATCH: usize = 1024;

/// Up to so many rows are looked up in other indexes one by one.
const FEW_ROWS: u64 = 1024;

/// So many entities are taken to be in the processor's caches.
pub(super) const CACHED: usize = 20_000;

/// Something that a query found.
pub(super) struct Found {
    /// A reference of its own.
    pub(super) entity: *mut ffi::PyObject,
    pub(super) serial: u64,
    /// Whether it is known to match; else Python has to look at it.
    pub(super) sure: bool,
}

/// A query, compiled.
pub(super) struct Asked {
    pub(super) filters: Vec<Filter>,
    pub(super) conditions: Vec<planner::Condition>,
    pub(super) order: Vec<(Path, Component)>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// Where a page begins: after this one.
pub(super) struct After {
    /// The keys of the fields that the query is sorted by, ascending.
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) serial: u64,
}

/// Where the rows of a query come from, and how far they were read.
pub(super) enum Source {
    Table { next: usize },
    Rows { rows: Vec<u32>, next: usize },
    Walk { access: Access, backwards: bool, position: Option<(Position, Option<u32>)> },
}

impl MemoryTable {
    /// Compiles a query for the class of this table.
    pub(super) fn compile(&self, query: &Bound<'_, QueryCore>) -> PyResult<Asked> {
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
    pub(super) fn source<'a>(
        &self,
        inner: &Inner,
        asked: &'a Asked,
        limit: Option<usize>,
        after: Option<&After>,
    ) -> (Source, Vec<&'a Filter>, bool) {
        let order: Vec<Component> = asked.order.iter().map(|(_, component)| *component).collect();
        let chosen = planner::plan(&inner.indexes, inner.live() as u64, &asked.conditions, &order, limit);
        let left = asked.filters.iter().zip(&chosen.covered).filter(|(_, covered)| !**covered);
        let left = left.map(|(filter, _)| filter).collect();
        let begin = after.filter(|_| order.is_empty()).map(|after| inner.row_at(after.serial));
        let mut source = match chosen.driver {
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
        if let (Source::Rows { rows, next }, Some(Some(row))) = (&mut source, begin) {
            *next = rows.partition_point(|&other| other <= row);
        }
        (source, left, chosen.ordered)
    }

    /// Reads on from a source until `want` were found, or until there are too many that Python must look at. Whether
    /// there is more.
    pub(super) fn read(
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
    pub(super) fn find<'py>(
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

    pub(super) fn list<'py>(&self, py: Python<'py>, found: Vec<Found>) -> PyResult<Bound<'py, PyList>> {
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
pub(super) struct References<'py>(pub(super) Vec<Found>, Python<'py>);

impl<'py> References<'py> {
    pub(super) fn new(py: Python<'py>) -> Self {
        Self(Vec::new(), py)
    }

    pub(super) fn take(mut self) -> Vec<Found> {
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
pub(super) struct Reading<'a> {
    pub(super) table: &'a MemoryTable,
    pub(super) asked: &'a Asked,
    pub(super) source: Source,
    pub(super) left: Vec<&'a Filter>,
    pub(super) ordered: bool,
    pub(super) more: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(table: &'a MemoryTable, asked: &'a Asked, enough: Option<usize>, after: Option<&After>) -> Self {
        let mut inner = table.lock();
        inner.readers += 1;
        let (source, left, ordered) = table.source(&inner, asked, enough, after);
        Self { table, asked, source, left, ordered, more: true }
    }

    /// Reads some more: what matches goes to `found`.
    pub(super) fn on(&mut self, py: Python<'_>, want: usize, found: &mut References<'_>) -> PyResult<()> {
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
pub(super) fn take_rows(inner: &Inner, source: &mut Source, want: usize, found: &mut Vec<Found>) -> Option<bool> {
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
pub(super) fn walk_on(
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
pub(super) fn position_of(index: &Index, access: &Access, order: &[(Path, Component)], after: &After) -> Position {
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
pub(super) fn rows_of(inner: &Inner, accesses: &[Access], probes: &[Access]) -> Vec<u32> {
    let (points, sets): (Vec<_>, Vec<_>) = probes.iter().partition(|probe| probe.point.is_some());
    let mut rows = Vec::new();
    // A few rows are looked up one by one; many are intersected.
    if let [access] = accesses
        && access.rows <= FEW_ROWS
    {
        let map = &inner.indexes[access.index].map;
        if let Some(of_key) = access.rows_of(&inner.indexes) {
            rows.reserve(access.rows as usize);
            let _ = of_key.each(None, |row| {
                rows.push(row);
                ControlFlow::Continue(())
            });
        }
        let ranges = if access.point.is_some() { &[][..] } else { &access.ranges };
        for range in ranges {
            let _ = map.walk(range, false, None, |_, of_key| {
                of_key.each(None, |row| {
                    rows.push(row);
                    ControlFlow::Continue(())
                })
            });
        }
        if ranges.len() > 1 || !rows.is_sorted() {
            rows.sort_unstable();
            rows.dedup();
        }
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
pub(super) fn sort(
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

pub(super) fn cut(count: usize, offset: usize, limit: Option<usize>) -> usize {
    let left = count.saturating_sub(offset);
    limit.map_or(left, |limit| left.min(limit))
}

pub(super) fn read_cursor(query: &Bound<'_, QueryCore>, bytes: &[u8]) -> PyResult<After> {
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
