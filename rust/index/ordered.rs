//! The ordered map of an index: from keys to the rows that have them.
//!
//! Keys stand in sorted chunks of a few hundred, the chunks in a list: a look-up is two binary searches in memory that
//! lies together, a walk is a loop over arrays, and what stands between two keys is counted from the chunks' totals.

use std::ops::ControlFlow;

use super::key::Key;
use super::rows::Rows;

/// A chunk with more entries than this is split.
const CHUNK: usize = 128;

/// The rows of one key: one in place, several in `OrderedMap::sets`.
#[derive(Debug, Clone, Copy)]
enum Slot {
    One(u32),
    Set(u32),
}

#[derive(Debug)]
struct Entry {
    key: Key,
    slot: Slot,
}

#[derive(Debug, Default)]
struct Chunk {
    entries: Vec<Entry>,
    /// How many rows the entries have together.
    rows: u64,
}

/// The rows of one key, to be looked at.
#[derive(Clone, Copy)]
pub enum RowsOf<'a> {
    One(u32),
    Set(&'a Rows),
}

impl RowsOf<'_> {
    pub fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::Set(rows) => rows.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, row: u32) -> bool {
        match self {
            Self::One(one) => *one == row,
            Self::Set(rows) => rows.contains(row),
        }
    }

    pub fn first(&self) -> Option<u32> {
        match self {
            Self::One(one) => Some(*one),
            Self::Set(rows) => rows.first(),
        }
    }

    /// Calls `visit` with the rows above `after`, in ascending order.
    #[inline]
    pub fn each(&self, after: Option<u32>, mut visit: impl FnMut(u32) -> ControlFlow<()>) -> ControlFlow<()> {
        match self {
            Self::One(one) if after.is_none_or(|after| *one > after) => visit(*one),
            Self::One(_) => ControlFlow::Continue(()),
            Self::Set(rows) => rows.iter_after(after).try_for_each(visit),
        }
    }
}

/// Everything from `low` on and before `high`; an empty `high` is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub low: Vec<u8>,
    pub high: Vec<u8>,
}

impl Range {
    pub fn everything() -> Self {
        Self { low: Vec::new(), high: Vec::new() }
    }

    fn reaches(&self, key: &[u8]) -> bool {
        self.high.is_empty() || key < self.high.as_slice()
    }
}

/// Where a walk goes on: after row `row` of `key`.
#[derive(Debug, Clone)]
pub struct Position {
    pub key: Vec<u8>,
    pub row: u32,
}

/// Keys in order, each with a set of rows.
#[derive(Debug, Default)]
pub struct OrderedMap {
    chunks: Vec<Chunk>,
    /// The first bytes of each chunk's first key: what a search looks at before it looks at any chunk.
    heads: Vec<u64>,
    sets: Vec<Rows>,
    free: Vec<u32>,
    keys: usize,
    rows: u64,
}

/// The first eight bytes of a key, as a number that compares as they do.
pub fn head(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(bytes)
        }
    }
}

impl OrderedMap {
    /// How many pairs of a key and a row there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The chunk in which `key` is, or into which it belongs.
    fn chunk_of(&self, key: &[u8]) -> usize {
        let head = head(key);
        let mut above = self.heads.partition_point(|&other| other < head);
        if self.heads.get(above) == Some(&head) {
            // Several chunks begin with the same bytes: only their whole keys can tell.
            let same = self.heads[above..].partition_point(|&other| other == head);
            above += self.chunks[above..above + same].partition_point(|chunk| chunk.entries[0].key.bytes() <= key);
        }
        above.saturating_sub(1)
    }

    fn update_head(&mut self, number: usize) {
        self.heads[number] = head(self.chunks[number].entries[0].key.bytes());
    }

    /// Where the first entry is that is not below `key`: the number of its chunk, and its place there. Both may be
    /// one beyond the last.
    fn seek(&self, key: &[u8]) -> (usize, usize) {
        if self.chunks.is_empty() {
            return (0, 0);
        }
        let chunk = self.chunk_of(key);
        let entries = &self.chunks[chunk].entries;
        let place = entries.partition_point(|entry| entry.key.bytes() < key);
        if place == entries.len() { (chunk + 1, 0) } else { (chunk, place) }
    }

    fn find(&self, key: &[u8]) -> Option<(usize, usize)> {
        if self.chunks.is_empty() {
            return None;
        }
        let chunk = self.chunk_of(key);
        let place = self.chunks[chunk].entries.binary_search_by(|entry| entry.key.bytes().cmp(key)).ok()?;
        Some((chunk, place))
    }

    fn view(&self, slot: Slot) -> RowsOf<'_> {
        match slot {
            Slot::One(row) => RowsOf::One(row),
            Slot::Set(number) => RowsOf::Set(&self.sets[number as usize]),
        }
    }

    /// The rows that have `key`.
    pub fn get(&self, key: &[u8]) -> Option<RowsOf<'_>> {
        self.find(key).map(|(chunk, place)| self.view(self.chunks[chunk].entries[place].slot))
    }

    fn new_set(&mut self, rows: Rows) -> Slot {
        if let Some(number) = self.free.pop() {
            self.sets[number as usize] = rows;
            return Slot::Set(number);
        }
        self.sets.push(rows);
        Slot::Set(self.sets.len() as u32 - 1)
    }

    /// False when the pair was there already.
    pub fn insert(&mut self, key: &[u8], row: u32) -> bool {
        if self.chunks.is_empty() {
            self.chunks.push(Chunk::default());
            self.chunks[0].entries.push(Entry { key: Key::new(key), slot: Slot::One(row) });
            self.heads.push(head(key));
            (self.chunks[0].rows, self.keys, self.rows) = (1, 1, 1);
            return true;
        }
        let number = self.chunk_of(key);
        let is_last = number + 1 == self.chunks.len();
        match self.chunks[number].entries.binary_search_by(|entry| entry.key.bytes().cmp(key)) {
            Ok(place) => match self.chunks[number].entries[place].slot {
                Slot::One(one) if one == row => return false,
                Slot::One(one) => {
                    let slot = self.new_set(Rows::Few(vec![one.min(row), one.max(row)]));
                    self.chunks[number].entries[place].slot = slot;
                }
                Slot::Set(set) => {
                    if !self.sets[set as usize].insert(row) {
                        return false;
                    }
                }
            },
            Err(place) => {
                let chunk = &mut self.chunks[number];
                let entry = Entry { key: Key::new(key), slot: Slot::One(row) };
                self.keys += 1;
                if chunk.entries.len() < CHUNK {
                    chunk.entries.insert(place, entry);
                    if place == 0 {
                        self.heads[number] = head(key);
                    }
                } else if is_last && place == chunk.entries.len() {
                    // Keys that come in ascending order leave full chunks behind.
                    self.chunks.push(Chunk { entries: vec![entry], rows: 1 });
                    self.heads.push(head(key));
                    self.rows += 1;
                    return true;
                } else {
                    let upper = self.split(number);
                    let chunk = &mut self.chunks[number];
                    if place <= chunk.entries.len() {
                        chunk.entries.insert(place, entry);
                        self.update_head(number);
                    } else {
                        let place = place - chunk.entries.len();
                        self.chunks[upper].entries.insert(place, entry);
                        self.chunks[upper].rows += 1;
                        self.rows += 1;
                        return true;
                    }
                }
            }
        }
        self.chunks[number].rows += 1;
        self.rows += 1;
        true
    }

    /// Moves the upper half of a chunk into a new one behind it.
    fn split(&mut self, number: usize) -> usize {
        let entries = self.chunks[number].entries.split_off(CHUNK / 2);
        let rows = entries.iter().map(|entry| self.view(entry.slot).len()).sum();
        self.chunks[number].rows -= rows;
        self.chunks[number].entries.shrink_to(CHUNK * 3 / 4);
        self.heads.insert(number + 1, head(entries[0].key.bytes()));
        self.chunks.insert(number + 1, Chunk { entries, rows });
        number + 1
    }

    /// False when the pair was not there.
    pub fn remove(&mut self, key: &[u8], row: u32) -> bool {
        let Some((number, place)) = self.find(key) else { return false };
        match self.chunks[number].entries[place].slot {
            Slot::One(one) if one != row => return false,
            Slot::One(_) => self.remove_entry(number, place),
            Slot::Set(set) => {
                let rows = &mut self.sets[set as usize];
                if !rows.remove(row) {
                    return false;
                }
                if let (1, Some(last)) = (rows.len(), rows.first()) {
                    *rows = Rows::default();
                    self.free.push(set);
                    self.chunks[number].entries[place].slot = Slot::One(last);
                }
                self.chunks[number].rows -= 1;
            }
        }
        self.rows -= 1;
        true
    }

    fn remove_entry(&mut self, number: usize, place: usize) {
        let chunk = &mut self.chunks[number];
        chunk.entries.remove(place);
        chunk.rows -= 1;
        self.keys -= 1;
        if chunk.entries.is_empty() {
            self.chunks.remove(number);
            self.heads.remove(number);
            return;
        }
        self.update_head(number);
        // Half-empty neighbours become one chunk.
        let small = CHUNK / 4;
        if self.chunks[number].entries.len() < small
            && number + 1 < self.chunks.len()
            && self.chunks[number + 1].entries.len() < small
        {
            let next = self.chunks.remove(number + 1);
            self.heads.remove(number + 1);
            self.chunks[number].entries.extend(next.entries);
            self.chunks[number].rows += next.rows;
        }
    }

    /// Removes a row wherever it is: for entries whose key is not known any more.
    pub fn remove_anywhere(&mut self, row: u32) -> bool {
        let mut found = None;
        let _ = self.walk(&Range::everything(), false, None, |key, rows| {
            if rows.contains(row) {
                found = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        found.is_some_and(|key| self.remove(&key, row))
    }

    /// How many rows have a key in `range`.
    pub fn count(&self, range: &Range) -> u64 {
        let (first, from) = self.seek(&range.low);
        let (last, to) = if range.high.is_empty() { (self.chunks.len(), 0) } else { self.seek(&range.high) };
        if (first, from) >= (last, to) {
            return 0;
        }
        let rows = |chunk: usize, places: std::ops::Range<usize>| -> u64 {
            self.chunks[chunk].entries[places].iter().map(|entry| self.view(entry.slot).len()).sum()
        };
        if first == last {
            return rows(first, from..to);
        }
        let below = rows(first, 0..from);
        let whole: u64 = self.chunks[first..last].iter().map(|chunk| chunk.rows).sum();
        let beyond = if last < self.chunks.len() { rows(last, 0..to) } else { 0 };
        whole - below + beyond
    }

    /// About how many rows have a key in `range`: exact where that is quick.
    pub fn estimate(&self, range: &Range) -> u64 {
        let (first, from) = self.seek(&range.low);
        let (last, to) = if range.high.is_empty() { (self.chunks.len(), 0) } else { self.seek(&range.high) };
        if (first, from) >= (last, to) {
            return 0;
        }
        if last - first < 8 {
            return self.count(range);
        }
        self.rows * (last - first) as u64 / self.chunks.len() as u64
    }

    /// Inserts pairs in the order of their keys; quick where these come after all that are there.
    pub fn insert_sorted<'a>(&mut self, pairs: impl Iterator<Item = (&'a [u8], u32)>) {
        for (key, row) in pairs {
            let last = self.chunks.last_mut().and_then(|chunk| chunk.entries.last_mut());
            match last.map(|entry| (entry.key.bytes().cmp(key), entry.slot)) {
                Some((std::cmp::Ordering::Equal, Slot::Set(set))) => {
                    if self.sets[set as usize].insert(row) {
                        self.rows += 1;
                        if let Some(chunk) = self.chunks.last_mut() {
                            chunk.rows += 1;
                        }
                    }
                }
                Some((std::cmp::Ordering::Less, _)) => {
                    let entry = Entry { key: Key::new(key), slot: Slot::One(row) };
                    match self.chunks.last_mut() {
                        Some(chunk) if chunk.entries.len() < CHUNK => {
                            chunk.entries.push(entry);
                            chunk.rows += 1;
                        }
                        _ => {
                            self.chunks.push(Chunk { entries: vec![entry], rows: 1 });
                            self.heads.push(head(key));
                        }
                    }
                    self.keys += 1;
                    self.rows += 1;
                }
                _ => {
                    self.insert(key, row);
                }
            }
        }
    }

    /// Calls `visit` with each key in `range` and its rows, in order, or backwards; from the key of `from` on (which
    /// comes again, as some of its rows may be left).
    pub fn walk(
        &self,
        range: &Range,
        backwards: bool,
        from: Option<&Position>,
        mut visit: impl FnMut(&[u8], RowsOf<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if backwards {
            let (mut chunk, mut place) = match from {
                Some(position) => self.seek_beyond(&position.key),
                None if range.high.is_empty() => (self.chunks.len(), 0),
                None => self.seek(&range.high),
            };
            loop {
                if place == 0 {
                    if chunk == 0 {
                        return ControlFlow::Continue(());
                    }
                    chunk -= 1;
                    place = self.chunks[chunk].entries.len();
                }
                place -= 1;
                let entry = &self.chunks[chunk].entries[place];
                if entry.key.bytes() < range.low.as_slice() {
                    return ControlFlow::Continue(());
                }
                visit(entry.key.bytes(), self.view(entry.slot))?;
            }
        }
        let (chunk, mut place) = self.seek(from.map_or(range.low.as_slice(), |position| &position.key));
        for chunk in self.chunks.get(chunk..).unwrap_or_default() {
            for entry in &chunk.entries[place..] {
                if !range.reaches(entry.key.bytes()) {
                    return ControlFlow::Continue(());
                }
                visit(entry.key.bytes(), self.view(entry.slot))?;
            }
            place = 0;
        }
        ControlFlow::Continue(())
    }

    /// Where the first entry is that is above `key`.
    fn seek_beyond(&self, key: &[u8]) -> (usize, usize) {
        let (chunk, place) = self.seek(key);
        match self.chunks.get(chunk).and_then(|chunk| chunk.entries.get(place)) {
            Some(entry) if entry.key.bytes() == key => (chunk, place + 1),
            _ => (chunk, place),
        }
    }

    /// Gives every row the number that `numbers` has for it; the order of the rows stays as it is.
    pub fn renumber(&mut self, numbers: impl Fn(u32) -> u32) {
        for entry in self.chunks.iter_mut().flat_map(|chunk| &mut chunk.entries) {
            if let Slot::One(row) = &mut entry.slot {
                *row = numbers(*row);
            }
        }
        for rows in &mut self.sets {
            *rows = match rows {
                Rows::Few(rows) => Rows::Few(rows.iter().map(|&row| numbers(row)).collect()),
                Rows::Many(rows) => Rows::Many(Box::new(rows.iter().map(&numbers).collect())),
            };
        }
    }

    /// Bytes on the heap, about.
    pub fn heap(&self) -> usize {
        let entries: usize = self
            .chunks
            .iter()
            .map(|chunk| {
                let keys: usize = chunk.entries.iter().map(|entry| entry.key.heap()).sum();
                chunk.entries.capacity() * size_of::<Entry>() + keys
            })
            .sum();
        let sets: usize = self.sets.iter().map(Rows::heap).sum();
        let heads = self.heads.capacity() * 8;
        entries + sets + heads + self.chunks.capacity() * size_of::<Chunk>() + self.sets.capacity() * size_of::<Rows>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn pairs(map: &OrderedMap, range: &Range, backwards: bool, from: Option<&Position>) -> Vec<(Vec<u8>, u32)> {
        let mut found = Vec::new();
        let _ = map.walk(range, backwards, from, |key, rows| {
            let after = from.filter(|position| position.key == key).map(|position| position.row);
            rows.each(after, |row| {
                found.push((key.to_vec(), row));
                ControlFlow::Continue(())
            })
        });
        found
    }

    #[test]
    fn it_does_what_a_sorted_set_of_pairs_does() {
        let mut map = OrderedMap::default();
        let mut model: BTreeSet<(Vec<u8>, u32)> = BTreeSet::new();
        let mut state = 7u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for step in 0..60_000u32 {
            let key = (random(900) as u16).to_be_bytes().to_vec();
            let row = random(if step % 3 == 0 { 4 } else { 400 }) as u32;
            if random(10) < if step < 40_000 { 7 } else { 3 } {
                assert_eq!(map.insert(&key, row), model.insert((key.clone(), row)));
            } else {
                assert_eq!(map.remove(&key, row), model.remove(&(key.clone(), row)));
            }
            assert_eq!(map.rows(), model.len() as u64);
            if step % 500 == 0 {
                let heads: Vec<u64> = map.chunks.iter().map(|chunk| head(chunk.entries[0].key.bytes())).collect();
                assert_eq!(map.heads, heads);
                let (low, high) = (random(900) as u16, random(900) as u16);
                let range = Range { low: low.to_be_bytes().to_vec(), high: high.to_be_bytes().to_vec() };
                let inside = |pair: &&(Vec<u8>, u32)| pair.0 >= range.low && pair.0 < range.high;
                let expected: Vec<_> = model.iter().filter(inside).cloned().collect();
                assert_eq!(pairs(&map, &range, false, None), expected);
                assert_eq!(map.count(&range), expected.len() as u64);
                let mut backwards = pairs(&map, &range, true, None);
                assert!(backwards.is_sorted_by(|one, two| one.0 > two.0 || (one.0 == two.0 && one.1 < two.1)));
                backwards.sort();
                assert_eq!(backwards, expected);
                if let Some((key, row)) = expected.get(expected.len() / 2) {
                    let from = Position { key: key.clone(), row: *row };
                    assert_eq!(pairs(&map, &range, false, Some(&from)), expected[expected.len() / 2 + 1..]);
                    let rest = pairs(&map, &range, true, Some(&from));
                    let inverse = pairs(&map, &range, true, None);
                    let at = inverse.iter().position(|pair| *pair == (key.clone(), *row)).unwrap();
                    assert_eq!(rest, inverse[at + 1..]);
                }
            }
        }
        assert_eq!(map.keys(), model.iter().map(|pair| &pair.0).collect::<BTreeSet<_>>().len());
        map.renumber(|row| row * 2);
        let doubled: Vec<_> = model.iter().map(|(key, row)| (key.clone(), row * 2)).collect();
        assert_eq!(pairs(&map, &Range::everything(), false, None), doubled);
        for (key, row) in doubled {
            assert!(map.remove_anywhere(row) || !map.get(&key).is_some_and(|rows| rows.contains(row)));
        }
    }

    #[test]
    fn sorted_pairs_come_to_the_same_as_single_ones() {
        let mut pairs: Vec<(Vec<u8>, u32)> =
            (0..5000u32).map(|row| ((row % 700).to_be_bytes().to_vec(), row)).collect();
        let mut single = OrderedMap::default();
        pairs.iter().filter(|(_, row)| row % 3 == 0).for_each(|(key, row)| {
            single.insert(key, *row);
        });
        let mut sorted = OrderedMap::default();
        pairs.sort();
        let third = |part: u32| pairs.iter().filter(move |(_, row)| row % 3 == part);
        sorted.insert_sorted(third(0).map(|(key, row)| (key.as_slice(), *row)));
        assert_eq!(self::pairs(&single, &Range::everything(), false, None), third(0).cloned().collect::<Vec<_>>());
        assert_eq!(self::pairs(&sorted, &Range::everything(), false, None), third(0).cloned().collect::<Vec<_>>());
        for part in [1, 2] {
            sorted.insert_sorted(third(part).map(|(key, row)| (key.as_slice(), *row)));
        }
        assert_eq!(self::pairs(&sorted, &Range::everything(), false, None), pairs);
        assert_eq!((sorted.rows(), sorted.keys()), (5000, 700));
        assert_eq!(sorted.count(&Range::everything()), 5000);
    }

    #[test]
    fn an_estimate_is_near() {
        let mut map = OrderedMap::default();
        (0..50_000u32).for_each(|row| {
            map.insert(&row.to_be_bytes(), row);
        });
        for (low, high) in [(0u32, 50_000u32), (100, 200), (1000, 30_000), (7, 7), (9, 3)] {
            let range = Range { low: low.to_be_bytes().to_vec(), high: high.to_be_bytes().to_vec() };
            let (exact, about) = (map.count(&range) as f64, map.estimate(&range) as f64);
            assert!((exact - about).abs() <= exact / 10.0, "{exact} {about}");
        }
    }

    #[test]
    fn keys_in_order_fill_their_chunks() {
        let mut map = OrderedMap::default();
        for row in 0..100_000u32 {
            assert!(map.insert(&row.to_be_bytes(), row));
        }
        assert!(map.heap() < 100_000 * 36, "{} bytes", map.heap());
    }
}
