//! Indexes over the rows of a table, and the choice among them. Nothing here knows Python.
//!
//! | module    | concept                                        |
//! |-----------|------------------------------------------------|
//! | `key`     | values as bytes in the order of the values      |
//! | `rows`    | sets of row numbers                             |
//! | `ordered` | the ordered map from keys to rows               |
//! | `planner` | which indexes answer a query, and in which order |

pub mod key;
pub mod ordered;
pub mod planner;
pub mod rows;

use ordered::{OrderedMap, Range};

/// A field in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// The number of the field in its class.
    pub field: usize,
    pub descending: bool,
}

/// One index of a table: the fields that its keys are made of, and the keys.
#[derive(Debug)]
pub struct Index {
    pub name: String,
    pub components: Vec<Component>,
    /// Whether no two rows may have the same key. A key with a None in it is nobody's.
    pub unique: bool,
    pub map: OrderedMap,
}

impl Component {
    /// What the values in `range` are in the keys of an index that has this component.
    pub fn orient(&self, range: &Range) -> Range {
        if !self.descending {
            return range.clone();
        }
        let inverted = |bytes: &[u8]| -> Vec<u8> {
            let bytes: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            key::after(&bytes)
        };
        Range {
            low: if range.high.is_empty() { Vec::new() } else { inverted(&range.high) },
            high: if range.low.is_empty() { Vec::new() } else { inverted(&range.low) },
        }
    }
}
