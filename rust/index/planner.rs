//! Which indexes answer a query.
//!
//! A query is a list of conditions that must all hold, an order, and a limit. One index, or the union of several for
//! an OR, drives: its rows are looked at. Conditions that other indexes answer for one row at a time are probes. What
//! is left is evaluated on the entities. The choice is by counting: how many rows each index would have us look at.

use roaring::RoaringBitmap;

use super::ordered::{Range, RowsOf};
use super::{Component, Index, key};

/// The values that a condition allows a field.
#[derive(Debug, Clone)]
pub enum Values {
    /// Each encoded, ascending and distinct.
    Points(Vec<Vec<u8>>),
    Range(Range),
}

/// A condition, as far as indexes can see it.
#[derive(Debug, Clone)]
pub enum Condition {
    Field {
        field: usize,
        values: Values,
    },
    Any(Vec<Condition>),
    All(Vec<Condition>),
    /// Only the entity can tell.
    Other,
}

/// The rows of an index in some ranges of its keys; they are disjoint and ascending.
#[derive(Debug, Clone)]
pub struct Access {
    pub index: usize,
    pub ranges: Vec<Range>,
    /// About how many rows that is.
    pub rows: u64,
    /// The one key, where there is only one.
    pub point: Option<Vec<u8>>,
    /// What all the keys begin with: the values of the first `bound` components.
    pub prefix: Vec<u8>,
    pub bound: usize,
}

#[derive(Debug)]
pub enum Driver {
    /// Every row, in the order of their numbers.
    Table,
    /// Rows in the order of the index, or against it.
    InOrder { access: Access, backwards: bool },
    /// Rows in the order of their numbers.
    Rows(Access),
    /// Rows of several indexes, in the order of their numbers.
    Union(Vec<Access>),
}

#[derive(Debug)]
pub struct Plan {
    pub driver: Driver,
    /// Further indexes that a row must be in.
    pub probes: Vec<Access>,
    /// For each condition of the query, whether it holds for every row that comes out.
    pub covered: Vec<bool>,
    /// Whether the rows come in the order that was asked for.
    pub ordered: bool,
}

/// What one index can do for a query.
struct Match {
    access: Access,
    covers: Vec<usize>,
    in_order: Option<bool>,
}

/// A set of rows is made for a probe without a single key only when it has at most so many times the driver's rows.
const WORTH_A_SET: u64 = 4;

/// Chooses how to answer a query over a table of `rows` rows.
pub fn plan(indexes: &[Index], rows: u64, conditions: &[Condition], order: &[Component], limit: Option<usize>) -> Plan {
    let matches: Vec<Match> = indexes
        .iter()
        .enumerate()
        .filter_map(|(number, _)| match_index(indexes, number, rows, conditions, order))
        .collect();
    let unions: Vec<(usize, Vec<Access>)> = conditions
        .iter()
        .enumerate()
        .filter_map(|(number, condition)| union(indexes, rows, condition).map(|union| (number, union)))
        .collect();
    let total = |union: &[Access]| union.iter().map(|access| access.rows).sum::<u64>();
    let fewest = matches
        .iter()
        .map(|found| found.access.rows)
        .chain(unions.iter().map(|(_, union)| total(union)))
        .min()
        .unwrap_or(rows);

    // What has to be sorted must all be looked at; what comes in order, only until there is enough.
    let wanted = limit.map_or(u64::MAX, |limit| limit as u64);
    let sorting = if order.is_empty() { 1 } else { 4 };
    let cost = |found: &Match| {
        let all = found.access.rows;
        match found.in_order {
            Some(_) if conditions.len() == found.covers.len() => all.min(wanted),
            // The rows that the other conditions leave are taken to be spread evenly.
            Some(_) => (all / fewest.max(1)).saturating_mul(wanted).min(all),
            None => all.saturating_mul(sorting),
        }
    };
    let best = matches.iter().min_by_key(|found| cost(found));
    let best_union = unions.iter().min_by_key(|(_, union)| total(union));
    let mut covered = vec![false; conditions.len()];
    let union_cost = best_union.map(|(_, union)| total(union).saturating_mul(sorting));
    let table_cost = if order.is_empty() { rows } else { rows.saturating_mul(sorting) };
    let (driver, ordered) = match (best, best_union) {
        (Some(found), _) if union_cost.is_none_or(|union| cost(found) <= union) && cost(found) <= table_cost => {
            found.covers.iter().for_each(|&number| covered[number] = true);
            match found.in_order {
                Some(backwards) => (Driver::InOrder { access: found.access.clone(), backwards }, true),
                None => (Driver::Rows(found.access.clone()), order.is_empty()),
            }
        }
        (_, Some((number, union))) if total(union) < rows => {
            covered[*number] = is_exact(&conditions[*number]);
            (Driver::Union(union.clone()), order.is_empty())
        }
        _ => (Driver::Table, order.is_empty()),
    };
    let driving = match &driver {
        Driver::Table => rows,
        Driver::InOrder { access, .. } | Driver::Rows(access) => access.rows,
        Driver::Union(union) => total(union),
    };
    let mut probes = Vec::new();
    // A walk in order ends soon, and meets the entities anyway.
    if matches!(driver, Driver::Rows(_) | Driver::Union(_)) {
        for found in &matches {
            let new = !found.covers.is_empty() && found.covers.iter().any(|&number| !covered[number]);
            let single = found.access.point.is_some();
            if new && (single || found.access.rows <= driving.saturating_mul(WORTH_A_SET)) {
                found.covers.iter().for_each(|&number| covered[number] = true);
                probes.push(found.access.clone());
            }
        }
    }
    Plan { driver, probes, covered, ordered }
}

/// Whether the accesses that `union` makes of a condition say all that it says.
fn is_exact(condition: &Condition) -> bool {
    match condition {
        Condition::Field { .. } => true,
        Condition::Any(parts) => parts.iter().all(is_exact),
        Condition::All(_) | Condition::Other => false,
    }
}

/// The point that a condition asks of a field.
fn point_of(conditions: &[Condition], wanted: usize) -> Option<(usize, &Vec<u8>)> {
    conditions.iter().enumerate().find_map(|(number, condition)| match condition {
        Condition::Field { field, values: Values::Points(points) } if *field == wanted && points.len() == 1 => {
            Some((number, &points[0]))
        }
        _ => None,
    })
}

/// What index number `number` can do: None when it neither narrows the rows nor gives the order.
fn match_index(
    indexes: &[Index],
    number: usize,
    rows: u64,
    conditions: &[Condition],
    order: &[Component],
) -> Option<Match> {
    let index = &indexes[number];
    let asked = |component: &Component| {
        let about =
            |condition: &Condition| matches!(condition, Condition::Field { field, .. } if *field == component.field);
        conditions.iter().any(about) || order.iter().any(|ordered| ordered.field == component.field)
    };
    if !index.components.first().is_some_and(asked) {
        return None;
    }
    let mut prefix = Vec::new();
    let mut covers = Vec::new();
    let mut bound = 0;
    while let Some(component) = index.components.get(bound)
        && let Some((condition, point)) = point_of(conditions, component.field)
    {
        append(&mut prefix, component, point);
        covers.push(condition);
        bound += 1;
    }
    // An order by what is the same for all orders nothing.
    let fixed = |component: &&Component| point_of(conditions, component.field).is_none();
    let order: Vec<&Component> = order.iter().filter(fixed).collect();
    let rest = &index.components[bound..];
    let along = |reverse: bool| {
        rest.len() == order.len()
            && rest
                .iter()
                .zip(&order)
                .all(|(have, want)| have.field == want.field && (have.descending ^ reverse) == want.descending)
    };
    let in_order = if order.is_empty() {
        None
    } else if along(false) {
        Some(false)
    } else if along(true) {
        Some(true)
    } else {
        None
    };
    let mut ranges = vec![whole(&prefix)];
    if let Some(component) = rest.first() {
        let values = conditions.iter().enumerate().filter_map(|(number, condition)| match condition {
            Condition::Field { field, values } if *field == component.field => Some((number, values)),
            _ => None,
        });
        for (condition, values) in values {
            let narrowed = within(&prefix, component, values);
            ranges = intersect(&ranges, &narrowed);
            covers.push(condition);
        }
    }
    if covers.is_empty() && in_order.is_none() {
        return None;
    }
    let point = (rest.is_empty() && !prefix.is_empty()).then(|| prefix.clone());
    let found = match &point {
        Some(key) => index.map.get(key).map_or(0, |rows| rows.len()),
        None if covers.is_empty() => rows,
        None => ranges.iter().map(|range| index.map.estimate(range)).sum(),
    };
    Some(Match { access: Access { index: number, ranges, rows: found, point, prefix, bound }, covers, in_order })
}

fn append(prefix: &mut Vec<u8>, component: &Component, value: &[u8]) {
    if component.descending {
        prefix.extend(value.iter().map(|byte| !byte));
    } else {
        prefix.extend(value);
    }
}

/// All keys that begin with `prefix`.
fn whole(prefix: &[u8]) -> Range {
    Range { low: prefix.to_vec(), high: key::after(prefix) }
}

/// The keys that begin with `prefix` and go on with one of `values`, as ascending ranges.
fn within(prefix: &[u8], component: &Component, values: &Values) -> Vec<Range> {
    let join = |rest: &[u8]| [prefix, rest].concat();
    match values {
        Values::Points(points) => {
            let mut ranges: Vec<Range> = points
                .iter()
                .map(|point| {
                    let mut low = prefix.to_vec();
                    append(&mut low, component, point);
                    whole(&low)
                })
                .collect();
            if component.descending {
                ranges.reverse();
            }
            ranges
        }
        Values::Range(range) => {
            let range = component.orient(range);
            vec![Range {
                low: join(&range.low),
                high: if range.high.is_empty() { key::after(prefix) } else { join(&range.high) },
            }]
        }
    }
}

/// What two lists of ascending, disjoint ranges have in common.
fn intersect(one: &[Range], two: &[Range]) -> Vec<Range> {
    let mut common = Vec::new();
    for a in one {
        for b in two {
            let low = a.low.clone().max(b.low.clone());
            let high = match (a.high.is_empty(), b.high.is_empty()) {
                (true, _) => b.high.clone(),
                (_, true) => a.high.clone(),
                _ => a.high.clone().min(b.high.clone()),
            };
            if high.is_empty() || low < high {
                common.push(Range { low, high });
            }
        }
    }
    common
}

/// The accesses whose rows together hold all those for which `condition` holds.
fn union(indexes: &[Index], rows: u64, condition: &Condition) -> Option<Vec<Access>> {
    let Condition::Any(parts) = condition else { return None };
    let mut all = Vec::new();
    for part in parts {
        match part {
            Condition::Any(_) => all.extend(union(indexes, rows, part)?),
            Condition::All(parts) => all.push(narrowest(indexes, rows, parts)?),
            single => all.push(narrowest(indexes, rows, std::slice::from_ref(single))?),
        }
    }
    Some(all)
}

fn narrowest(indexes: &[Index], rows: u64, conditions: &[Condition]) -> Option<Access> {
    (0..indexes.len())
        .filter_map(|number| match_index(indexes, number, rows, conditions, &[]))
        .map(|found| found.access)
        .min_by_key(|access| access.rows)
}

impl Access {
    /// Whether a row is in here.
    pub fn rows_of<'a>(&self, indexes: &'a [Index]) -> Option<RowsOf<'a>> {
        indexes[self.index].map.get(self.point.as_ref()?)
    }

    /// How many rows there are.
    pub fn count(&self, indexes: &[Index]) -> u64 {
        self.ranges.iter().map(|range| indexes[self.index].map.count(range)).sum()
    }

    /// Adds all the rows.
    pub fn collect(&self, indexes: &[Index], all: &mut RoaringBitmap) {
        let map = &indexes[self.index].map;
        for range in &self.ranges {
            let _ = map.walk(range, false, None, |_, rows| {
                match rows {
                    RowsOf::One(row) => {
                        all.insert(row);
                    }
                    RowsOf::Set(rows) => rows.add_to(all),
                }
                std::ops::ControlFlow::Continue(())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Encoder;
    use super::super::ordered::OrderedMap;
    use super::*;

    const ASCENDING: fn(usize) -> Component = |field| Component { field, descending: false };

    fn number(value: i64) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.integer(value);
        encoder.into_bytes()
    }

    fn equal(field: usize, value: i64) -> Condition {
        Condition::Field { field, values: Values::Points(vec![number(value)]) }
    }

    fn at_least(field: usize, value: i64) -> Condition {
        Condition::Field { field, values: Values::Range(Range { low: number(value), high: key::NUMBERS_END.to_vec() }) }
    }

    /// 1,000 rows: field 0 is unique, field 1 one of ten, field 2 one of two.
    fn indexes() -> Vec<Index> {
        let compound = vec![ASCENDING(1), Component { field: 0, descending: true }];
        let specified = [vec![ASCENDING(0)], vec![ASCENDING(1)], vec![ASCENDING(2)], compound];
        specified
            .into_iter()
            .map(|components| {
                let mut map = OrderedMap::default();
                for row in 0..1000 {
                    let mut key = Vec::new();
                    for component in &components {
                        let value = [i64::from(row), i64::from(row) % 10, i64::from(row) % 2][component.field];
                        append(&mut key, component, &number(value));
                    }
                    map.insert(&key, row);
                }
                Index { name: String::new(), components, unique: false, map }
            })
            .collect()
    }

    fn driving(plan: &Plan) -> (usize, u64) {
        match &plan.driver {
            Driver::InOrder { access, .. } | Driver::Rows(access) => (access.index, access.rows),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_narrowest_index_drives_and_others_are_probed() {
        let plan = plan(&indexes(), 1000, &[equal(2, 1), equal(1, 3), Condition::Other], &[], None);
        assert!(matches!(driving(&plan), (1 | 3, 100)));
        assert_eq!(plan.probes.len(), 1);
        assert_eq!(plan.covered, [true, true, false]);
        assert!(plan.ordered);
    }

    #[test]
    fn a_limit_makes_the_order_of_an_index_worth_more_than_few_rows() {
        let order = [ASCENDING(0)];
        let found = plan(&indexes(), 1000, &[at_least(0, 500)], &order, Some(20));
        assert!(matches!(found.driver, Driver::InOrder { backwards: false, .. }));
        assert!(found.ordered);
        assert_eq!(driving(&found), (0, 500));
    }

    #[test]
    fn a_compound_index_gives_the_order_behind_an_equal_value() {
        let order = [Component { field: 0, descending: true }];
        let found = plan(&indexes(), 1000, &[equal(1, 3)], &order, Some(20));
        assert!(matches!(found.driver, Driver::InOrder { backwards: false, .. }));
        assert_eq!(driving(&found), (3, 100));
        let found = plan(&indexes(), 1000, &[equal(1, 3)], &[ASCENDING(0)], Some(20));
        assert!(matches!(found.driver, Driver::InOrder { backwards: true, .. }));
    }

    #[test]
    fn a_range_of_a_descending_component() {
        let found = plan(&indexes(), 1000, &[equal(1, 3), at_least(0, 900)], &[], None);
        assert_eq!(driving(&found).1, 10);
    }

    #[test]
    fn an_or_is_a_union_when_each_part_has_an_index() {
        let either = Condition::Any(vec![equal(0, 3), equal(1, 4)]);
        let found = plan(&indexes(), 1000, std::slice::from_ref(&either), &[], None);
        assert!(matches!(&found.driver, Driver::Union(union) if union.len() == 2));
        assert_eq!(found.covered, [true]);
        let found = plan(&indexes(), 1000, &[Condition::Any(vec![equal(0, 3), Condition::Other])], &[], None);
        assert!(matches!(found.driver, Driver::Table));
    }

    #[test]
    fn two_ranges_of_one_field_are_one() {
        let below = |value| Condition::Field {
            field: 0,
            values: Values::Range(Range { low: vec![key::rank::NUMBER], high: number(value) }),
        };
        let found = plan(&indexes(), 1000, &[at_least(0, 900), below(910)], &[], None);
        assert_eq!(driving(&found), (0, 10));
        let found = plan(&indexes(), 1000, &[at_least(0, 900), below(3)], &[], None);
        assert_eq!(driving(&found).1, 0);
    }

    #[test]
    fn points_are_ranges_in_order() {
        let points = Values::Points(vec![number(3), number(500), number(2000)]);
        let found = plan(&indexes(), 1000, &[Condition::Field { field: 0, values: points }], &[ASCENDING(0)], None);
        assert_eq!(driving(&found), (0, 2));
        assert!(found.ordered);
    }
}
