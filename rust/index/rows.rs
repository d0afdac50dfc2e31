//! Sets of row numbers: the entities that have one value in an index.

use roaring::RoaringBitmap;

/// Up to this many rows are a sorted list.
const FEW: usize = 64;

/// A set of row numbers, in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    Few(Vec<u32>),
    Many(Box<RoaringBitmap>),
}

impl Default for Rows {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Rows {
    pub fn len(&self) -> u64 {
        match self {
            Self::Few(rows) => rows.len() as u64,
            Self::Many(rows) => rows.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, row: u32) -> bool {
        match self {
            Self::Few(rows) => rows.binary_search(&row).is_ok(),
            Self::Many(rows) => rows.contains(row),
        }
    }

    pub fn first(&self) -> Option<u32> {
        match self {
            Self::Few(rows) => rows.first().copied(),
            Self::Many(rows) => rows.min(),
        }
    }

    /// False when it was there already.
    pub fn insert(&mut self, row: u32) -> bool {
        match self {
            Self::Few(rows) => {
                let place = match rows.last() {
                    Some(&last) if last < row => rows.len(),
                    None => 0,
                    Some(_) => match rows.binary_search(&row) {
                        Ok(_) => return false,
                        Err(place) => place,
                    },
                };
                if rows.len() < FEW {
                    rows.insert(place, row);
                } else {
                    let mut many: RoaringBitmap = rows.iter().copied().collect();
                    many.insert(row);
                    *self = Self::Many(Box::new(many));
                }
                true
            }
            Self::Many(rows) => rows.insert(row),
        }
    }

    /// False when it was not there.
    pub fn remove(&mut self, row: u32) -> bool {
        match self {
            Self::Few(rows) => rows.binary_search(&row).map(|place| rows.remove(place)).is_ok(),
            Self::Many(rows) => {
                let removed = rows.remove(row);
                if removed && rows.len() <= FEW as u64 / 2 {
                    *self = Self::Few(rows.iter().collect());
                }
                removed
            }
        }
    }

    /// The rows above `after`, or all of them, in ascending order.
    pub fn iter_after(&self, after: Option<u32>) -> Box<dyn Iterator<Item = u32> + '_> {
        let Some(from) = after.map_or(Some(0), |after| after.checked_add(1)) else {
            return Box::new(std::iter::empty());
        };
        match self {
            Self::Few(rows) => Box::new(rows[rows.partition_point(|&row| row < from)..].iter().copied()),
            Self::Many(rows) => {
                let mut rows = rows.iter();
                rows.advance_to(from);
                Box::new(rows)
            }
        }
    }

    pub fn add_to(&self, all: &mut RoaringBitmap) {
        match self {
            Self::Few(rows) => all.extend(rows.iter().copied()),
            Self::Many(rows) => *all |= rows.as_ref(),
        }
    }

    /// Bytes on the heap, about.
    pub fn heap(&self) -> usize {
        match self {
            Self::Few(rows) => rows.capacity() * 4,
            Self::Many(rows) => rows.serialized_size() + size_of::<RoaringBitmap>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_grows_and_shrinks_like_a_sorted_list() {
        let mut rows = Rows::default();
        let mut model = std::collections::BTreeSet::new();
        let mut state = 1u32;
        for step in 0..20_000u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let row = (state >> 8) % 200;
            if (step / 400) % 2 == 0 {
                assert_eq!(rows.insert(row), model.insert(row));
            } else {
                assert_eq!(rows.remove(row), model.remove(&row));
            }
            assert_eq!(rows.contains(row), model.contains(&row));
            assert_eq!(rows.len(), model.len() as u64);
            assert_eq!(rows.first(), model.first().copied());
            if step % 97 == 0 {
                assert!(rows.iter_after(None).eq(model.iter().copied()));
                assert!(rows.iter_after(Some(row)).eq(model.range(row + 1..).copied()));
            }
        }
    }
}
