"""Clauses of SQLAlchemy as conditions of Nitro: for a store that is no database, and is asked as one."""

from __future__ import annotations

from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import elements, operators

from ...errors import UnsupportedQuery
from ...expressions import Condition, FieldRef, field_of

if TYPE_CHECKING:
    from ...entity import Entity


class _Unknown(Exception):
    """A part of a clause that has no counterpart."""


def condition_of(entity_class: type[Entity], clause: Any) -> Condition:
    """The condition that holds where a clause such as `Hero.age > 30` is true.

    It knows comparisons of columns with values, `between`, `in_`, `is_`, `like`, `startswith`, `endswith` and
    `contains`, which tell capital letters from small ones, and `and_`, `or_` and `not_` of them.

    Raises:
        UnsupportedQuery: If the clause has anything else in it.
    """
    try:
        return _condition(entity_class, clause, False)
    except (_Unknown, UnmappedColumnError):
        name = entity_class.__name__
        raise UnsupportedQuery(
            f"only a SQL database can answer {clause}: ask with fields, such as {name}.where(name__startswith='A'), "
            f"or keep {name} on a database here"
        ) from None


def _condition(cls: type[Entity], clause: Any, is_negated: bool) -> Condition:
    # NULL is neither true nor false to a database, so a `not_` is taken inwards, where what is NULL is left out.
    if isinstance(clause, elements.Grouping):
        return _condition(cls, cast("Any", clause).element, is_negated)
    if isinstance(clause, elements.BooleanClauseList):
        first, *rest = [_condition(cls, part, is_negated) for part in clause.clauses]
        for condition in rest:
            first = first & condition if (clause.operator is operators.and_) is not is_negated else first | condition
        return first
    if isinstance(clause, elements.UnaryExpression):
        unary = cast("Any", clause)
        if unary.operator is operators.inv:
            return _condition(cls, unary.element, not is_negated)
        if unary.operator in (operators.is_true, operators.is_false):
            return _condition(cls, unary.element, is_negated is not (unary.operator is operators.is_false))
        raise _Unknown
    if isinstance(clause, elements.BinaryExpression):
        return _comparison(cls, clause, is_negated)
    if isinstance(clause, elements.ColumnClause):
        return _compare(eq)(_field(cls, clause), not is_negated)
    raise _Unknown


def _comparison(cls: type[Entity], clause: Any, is_negated: bool) -> Condition:
    operator, left, right = clause.operator, clause.left, clause.right
    if not isinstance(left, elements.ColumnClause) and operator in _TURNED:
        operator, left, right = _TURNED[operator], right, left
    if is_negated:
        operator = clause.negate if operator is clause.operator else _NEGATED.get(operator)
    if operator not in _CONDITIONS or (clause.modifiers and clause.modifiers.get("escape") is not None):
        raise _Unknown
    field, value = _field(cls, left), _value(right)
    if operator in _PATTERNS and (not isinstance(value, str) or ("%" in value or "_" in value)):
        # There it would be a pattern, and here it is a text.
        raise _Unknown
    return _CONDITIONS[operator](field, value)


def _field(cls: Any, column: Any) -> FieldRef:
    if not isinstance(column, elements.ColumnClause):
        raise _Unknown
    return field_of(cls, cls.__mapper__.get_property_by_column(column).key)


def _between(field: FieldRef, value: Any) -> Condition:
    low, high = value
    return field.between(low, high)


def _value(given: Any) -> Any:
    if isinstance(given, elements.Grouping):
        return _value(cast("Any", given).element)
    if isinstance(given, elements.BindParameter):
        return cast("Any", given).effective_value
    if isinstance(given, elements.ExpressionClauseList):
        return [_value(part) for part in cast("Any", given).clauses]
    if isinstance(given, elements.Null):
        return None
    if isinstance(given, elements.True_ | elements.False_):
        return isinstance(given, elements.True_)
    raise _Unknown


def _compare(function: Callable[[Any, Any], Any]) -> Callable[[FieldRef, Any], Condition]:
    return lambda field, value: function(field, value)


def _present(condition: Callable[[FieldRef, Any], Condition]) -> Callable[[FieldRef, Any], Condition]:
    """The opposite of a condition, where there is a value."""
    return lambda field, value: ~condition(field, value) & ~field.is_null()


def _is(field: FieldRef, value: Any) -> Condition:
    return field.is_null() if value is None else _compare(eq)(field, value)


_TURNED: dict[Any, Any] = {eq: eq, ne: ne, lt: gt, le: ge, gt: lt, ge: le}
_NEGATED: dict[Any, Any] = {eq: ne, ne: eq, lt: ge, le: gt, gt: le, ge: lt}
_PATTERNS = frozenset(
    {
        operators.startswith_op,
        operators.not_startswith_op,
        operators.endswith_op,
        operators.not_endswith_op,
        operators.contains_op,
        operators.not_contains_op,
    }
)
_CONDITIONS: dict[Any, Callable[[FieldRef, Any], Condition]] = {
    **{operator: _compare(operator) for operator in (eq, lt, le, gt, ge)},
    ne: _present(_compare(eq)),
    operators.is_: _is,
    operators.is_not: lambda field, value: ~_is(field, value),
    operators.between_op: _between,
    operators.not_between_op: _present(_between),
    operators.in_op: lambda field, value: field.in_(value),
    operators.not_in_op: _present(lambda field, value: field.in_(value)),
    operators.like_op: lambda field, value: field.like(value),
    operators.not_like_op: _present(lambda field, value: field.like(value)),
    operators.startswith_op: lambda field, value: field.startswith(value),
    operators.not_startswith_op: _present(lambda field, value: field.startswith(value)),
    operators.endswith_op: lambda field, value: field.endswith(value),
    operators.not_endswith_op: _present(lambda field, value: field.endswith(value)),
    operators.contains_op: lambda field, value: field.contains(value),
    operators.not_contains_op: _present(lambda field, value: field.contains(value)),
}
