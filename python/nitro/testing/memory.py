"""Every entity in a memory of its own, for the time of a test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, TypeVar

from nitro import _core, repository
from nitro.backends.memory import MemoryRepo
from nitro.entity import Entity
from nitro.errors import ConfigurationError
from nitro.expressions import Condition
from nitro.queries import Page, Query
from nitro.repository import Repository, Ttl

E = TypeVar("E", bound=Entity)

_REMEDY = "let this test have a database (nitro.testing.fixtures has one of PostgreSQL) and no nitro_memory"


@contextmanager
def nitro_memory() -> Generator[None]:
    """Keeps the entities of every class in an empty memory, whatever backend the class names; in every thread and task.

    What a class with another backend than `MemoryRepo` stores is copied in and out, as there: an assignment shows after
    `save()`. Its keys are numbered where the database would give them. `create_all()` has nothing to do.

    What only a database can do it does not: sessions of SQLAlchemy see none of it; and relations of SQLModel, keys of
    several fields and classes that share a table are an error that names the class.

    Example:
        >>> from nitro.testing import nitro_memory
        >>> with nitro_memory():
        ...     _ = Order(customer_name="Ann").save()
        ...     Order.where().count()
        1
        >>> Order.where(customer_name="Ann").count()
        0
    """
    before = repository.substitute(_Stores())
    try:
        yield
    finally:
        repository.substitute(before)


class _Stores:
    """The repository that a class has meanwhile."""

    def __init__(self) -> None:
        self._live = MemoryRepo()
        self._copies = _Copies()

    def __call__(self, entity_class: type[Entity]) -> Repository:
        named: Any = entity_class.__nitro_backend__
        if isinstance(named, type):
            return self._live if issubclass(named, MemoryRepo) else self._copies
        capabilities = getattr(named, "capabilities", None)
        return self._live if capabilities is not None and capabilities.live else self._copies


class _Copies(MemoryRepo):
    """A memory that does what a database would."""

    def __init__(self) -> None:
        super().__init__(isolated=True)
        #: {class: the last key that was given}.
        self._numbers: dict[type, int] = {}

    def _made(self, entity_class: type[Entity]) -> _core.MemoryTable:
        if len(entity_class.__nitro_keys__) > 1:
            raise ConfigurationError(
                f"nitro_memory keeps entities by one field, and the key of {entity_class.__name__} is "
                f"{entity_class.__nitro_key__}: {_REMEDY}"
            )
        mapper = getattr(entity_class, "__mapper__", None)
        if mapper is not None and mapper.polymorphic_on is not None:
            raise ConfigurationError(
                f"nitro_memory asks each class for itself, and {entity_class.__name__} shares a table with others: "
                f"{_REMEDY}"
            )
        return super()._made(entity_class)

    def save(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        given = self._number(entity)
        try:
            if self._catches_up(entity):
                self._write_over(entity, ttl)
            else:
                super().save(entity, ttl=ttl)
        except BaseException:
            self._take_back(given)
            raise

    def save_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        listed = list(entities)
        given = [entity for entity in listed for entity in self._number(entity)]
        try:
            super().save_all(listed, ttl=ttl)
        except BaseException:
            self._take_back([entity for entity in given if not _core.version(entity)])
            raise

    def delete(self, entity: Entity) -> None:
        self._catches_up(entity)
        super().delete(entity)

    # --- Keys that a database would give ---

    def _number(self, entity: Entity) -> list[Entity]:
        """Gives a new entity without a key the next number; the entity, where it has got one."""
        cls = type(entity)
        key = cls.__nitro_key__
        if _core.version(entity) or entity.__dict__.get(key, "") is not None:
            return []
        table = self._table(cls)
        with self._new_table:
            number = self._numbers.get(cls, 0) + 1
            while table.version(number) is not None:
                number += 1
            self._numbers[cls] = number
        setattr(entity, key, number)
        return [entity]

    def _take_back(self, given: Iterable[Entity]) -> None:
        for entity in given:
            setattr(entity, type(entity).__nitro_key__, None)

    # --- Tables without a version ---

    def _catches_up(self, entity: Entity) -> bool:
        """Whether a record was saved by somebody else meanwhile, and its class does not mind."""
        cls = type(entity)
        known = _core.version(entity)
        if cls.__nitro_versioned__ or not known:
            return False
        stored = self._read(cls).version(_core.original(entity, cls.__nitro_key__))
        if stored is None or stored == known:
            return False
        _core.set_originals(entity, stored, _core.originals(entity))
        return True

    def _write_over(self, entity: Entity, ttl: Ttl) -> None:
        """Writes what has changed, and leaves the rest of the record as it is."""
        cls = type(entity)
        record = self.get(cls, _core.original(entity, cls.__nitro_key__))
        if record is None:
            # It was deleted a moment ago.
            super().save(entity, ttl=ttl)
            return
        for name, (_, value) in _core.changes(entity).items():
            setattr(record, name, value)
        super().save(record, ttl=ttl)
        _core.accept_changes(entity, _core.version(record))

    # --- Questions in SQLAlchemy's words ---

    def select(self, query: Query[E]) -> list[E]:
        return super().select(_in_fields(query))

    def count(self, query: Query[Any]) -> int:
        return super().count(_in_fields(query))

    def page(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        return super().page(_in_fields(query), limit, after, total)

    def explain(self, query: Query[Any]) -> str:
        return super().explain(_in_fields(query))


def _in_fields(query: Query[E]) -> Query[E]:
    """The same query, without clauses of SQLAlchemy."""
    if not any(map(_has_clause, query._conditions)):
        return query
    conditions = tuple(_translated(query._class, condition) for condition in query._conditions)
    return Query(
        query._class, query._repository, conditions, query._order, query._limit, query._offset, query._in_memory
    )


def _has_clause(condition: Condition) -> bool:
    return condition.operator == "sql" or any(
        isinstance(operand, Condition) and _has_clause(operand) for operand in condition.operands
    )


def _translated(entity_class: type[Entity], condition: Condition) -> Condition:
    if condition.operator == "sql":
        from nitro.backends.sql.clauses import condition_of

        return condition_of(entity_class, condition.operands[0])
    if not _has_clause(condition):
        return condition
    first, *rest = [_translated(entity_class, operand) for operand in condition.operands]
    if condition.operator == "not":
        return ~first
    join: Callable[[Condition, Condition], Condition] = (
        Condition.__and__ if condition.operator == "and" else Condition.__or__
    )
    for other in rest:
        first = join(first, other)
    return first
