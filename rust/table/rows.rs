//! The rows of a table and its indexes: what stands behind the lock.

use std::cmp::{Ordering as Compared, Reverse};
use std::collections::{BinaryHeap, HashMap};

use hashbrown::HashTable;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::index::Index;
use crate::index::key::Encoder;
use crate::index::ordered::head;
use crate::runtime::Object;

/// Fewer holes than this are left alone.
pub(super) const HOLES: usize = 1024;

#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Null for a hole. Not a reference of its own: the table's dictionary holds every entity that has a row.
    pub(super) entity: *mut ffi::PyObject,
    /// Greater than that of all rows before it, and for ever the same.
    pub(super) serial: u64,
    pub(super) version: u64,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) rows: Vec<Row>,
    pub(super) holes: usize,
    pub(super) serial: u64,
    /// Rows by the address of their entity.
    pub(super) by_entity: HashTable<u32>,
    pub(super) indexes: Vec<Index>,
    /// When rows expire, by serial number.
    pub(super) deadlines: HashMap<u64, f64>,
    pub(super) expiring: BinaryHeap<Reverse<Expiry>>,
    /// How many readers have row numbers at hand.
    pub(super) readers: usize,
    pub(super) saved: Option<Py<PyAny>>,
}

// SAFETY: the pointers in the rows are to objects that the table's dictionary holds, and are used with the GIL held.
unsafe impl Send for Inner {}

#[derive(PartialEq)]
pub(super) struct Expiry {
    pub(super) deadline: f64,
    pub(super) serial: u64,
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
pub(super) struct Clash {
    pub(super) index: usize,
    pub(super) other: *mut ffi::PyObject,
}

/// The keys of one entity in every index, one after another.
pub(super) struct Keys {
    pub(super) encoder: Encoder,
    pub(super) ends: Vec<End>,
}

/// Where a key ends, and what is in it.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) at: usize,
    /// Whether there is a None.
    pub(super) empty: bool,
    /// Whether there is a list, which may have been edited in place since it was stored.
    pub(super) editable: bool,
}

impl Keys {
    pub(super) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1].at };
        &self.encoder.bytes()[start..self.ends[index].at]
    }

    /// Whether the key counts for uniqueness.
    pub(super) fn counts(&self, index: usize) -> bool {
        !self.ends[index].empty
    }
}

/// New records that are stored together.
pub(super) struct Batch<'py> {
    /// Each with its key.
    pub(super) records: Vec<(Object<'py>, Object<'py>)>,
    /// The keys of the first record in every index, then those of the next.
    pub(super) keys: Keys,
    pub(super) indexes: usize,
}

impl Batch<'_> {
    pub(super) fn key(&self, place: usize, index: usize) -> &[u8] {
        self.keys.get(place * self.indexes + index)
    }
}

/// The fields of an index in which two records clash, and the other record with a reference of its own.
pub(super) type Other = (Vec<usize>, *mut ffi::PyObject);

pub(super) fn address_hash(entity: *mut ffi::PyObject) -> u64 {
    // Addresses are multiples of 16; the multiplication spreads them over all the bits.
    (entity as u64 >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Inner {
    pub(super) fn row_of(&self, entity: *mut ffi::PyObject) -> Option<u32> {
        let rows = &self.rows;
        self.by_entity.find(address_hash(entity), |&row| rows[row as usize].entity == entity).copied()
    }

    pub(super) fn forget_address(&mut self, entity: *mut ffi::PyObject) {
        let rows = &self.rows;
        if let Ok(entry) = self.by_entity.find_entry(address_hash(entity), |&row| rows[row as usize].entity == entity) {
            entry.remove();
        }
    }

    pub(super) fn remember_address(&mut self, row: u32) {
        let rows = &self.rows;
        let hash = |row: &u32| address_hash(rows[*row as usize].entity);
        self.by_entity.insert_unique(hash(&row), row, hash);
    }

    pub(super) fn live(&self) -> usize {
        self.rows.len() - self.holes
    }

    /// Who else has one of the keys in a unique index.
    pub(super) fn clash(&self, keys: &Keys, row: Option<u32>) -> Option<Clash> {
        self.indexes.iter().enumerate().filter(|(_, index)| index.unique).find_map(|(number, index)| {
            if !keys.counts(number) {
                return None;
            }
            let other = index.map.get(keys.get(number))?.first()?;
            (Some(other) != row).then(|| Clash { index: number, other: self.rows[other as usize].entity })
        })
    }

    pub(super) fn add(&mut self, entity: *mut ffi::PyObject, keys: &Keys) -> Result<u32, Clash> {
        match self.clash(keys, None) {
            Some(clash) => Err(clash),
            None => Ok(self.add_unchecked(entity, keys)),
        }
    }

    /// `add`, where no key is anybody's that has to be unique.
    pub(super) fn add_unchecked(&mut self, entity: *mut ffi::PyObject, keys: &Keys) -> u32 {
        let row = self.add_row(entity);
        self.add_entries(row, keys);
        row
    }

    fn add_entries(&mut self, row: u32, keys: &Keys) {
        for (number, index) in self.indexes.iter_mut().enumerate() {
            index.map.insert(keys.get(number), row);
        }
    }

    /// Gives an entity the row with this serial number, which was removed; a new one where that hole is closed. No key is
    /// anybody's that has to be unique.
    pub(super) fn add_again(&mut self, serial: u64, entity: *mut ffi::PyObject, keys: &Keys) -> u32 {
        let hole = self.row_at(serial).filter(|&row| {
            let found = &self.rows[row as usize];
            found.serial == serial && found.entity.is_null()
        });
        let Some(row) = hole else { return self.add_unchecked(entity, keys) };
        self.rows[row as usize].entity = entity;
        self.holes -= 1;
        self.remember_address(row);
        self.add_entries(row, keys);
        row
    }

    pub(super) fn add_row(&mut self, entity: *mut ffi::PyObject) -> u32 {
        self.serial += 1;
        self.rows.push(Row { entity, serial: self.serial, version: 1 });
        let row = (self.rows.len() - 1) as u32;
        self.remember_address(row);
        row
    }

    /// Moves a row from some keys to others, where they differ.
    pub(super) fn reindex(&mut self, row: u32, old: &Keys, new: &Keys) {
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

    /// Moves a row to its keys, wherever it is, in those indexes for which `wanted` holds: no assignment has told.
    pub(super) fn follow(&mut self, row: u32, keys: &Keys, wanted: impl Fn(usize) -> bool) {
        for (number, index) in self.indexes.iter_mut().enumerate().filter(|(number, _)| wanted(*number)) {
            if !index.map.get(keys.get(number)).is_some_and(|rows| rows.contains(row)) {
                index.map.remove_anywhere(row);
                index.map.insert(keys.get(number), row);
            }
        }
    }

    pub(super) fn remove(&mut self, row: u32, keys: &Keys) {
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
    pub(super) fn close_holes(&mut self) {
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
    pub(super) fn row_at(&self, serial: u64) -> Option<u32> {
        self.rows.partition_point(|row| row.serial <= serial).checked_sub(1).map(|row| row as u32)
    }

    pub(super) fn set_deadline(&mut self, row: u32, deadline: Option<f64>) {
        let serial = self.rows[row as usize].serial;
        match deadline {
            Some(deadline) => {
                self.deadlines.insert(serial, deadline);
                self.expiring.push(Reverse(Expiry { deadline, serial }));
                // A record that is saved again and again leaves its old deadlines behind.
                if self.expiring.len() > 2 * self.deadlines.len() + HOLES {
                    let known = self.deadlines.iter();
                    self.expiring = known.map(|(&serial, &deadline)| Reverse(Expiry { deadline, serial })).collect();
                }
            }
            None => {
                self.deadlines.remove(&serial);
            }
        }
    }
}

/// Sorts the numbers of records by their keys in an index, so that the entries come to one place after another.
pub(super) fn sort_places<'a>(places: &mut [u32], key: impl Fn(u32) -> &'a [u8]) {
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
