"""`SQLModelBackend`: any entity on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from collections.abc import Mapping as Values
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.sql import ddl

from ... import _core, changes
from ..._core import FieldRef
from ...config import on_change
from ...entity import Entity, identity, original_identity, validate_changes
from ...errors import ConstraintViolation, EntityNotFound, StaleEntityError, UniqueViolation
from ...queries import Page, Query
from ...relations import plain
from ...repository import Capabilities, CommandKey, Repository, Ttl
from . import command_keys
from .database import Clash, Database, Late, NoSuchTable, Row, Savepoint, Transaction, Unfit, database
from .mapping import FIRST, Mapping
from .queries import Statements
from .types import Refused

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .sessions import JoinedAsyncSession, JoinedSession

E = TypeVar("E", bound=Entity)

#: What is to be done to store an entity: the statement, its parameters, the version afterwards, the stored key, and
#: whether the database gives the key.
_Saving = tuple[str, list[Any], int, Any, bool]

_REFUSALS = (Clash, Unfit, NoSuchTable)

#: Entities that are read at a time where a result is read bit by bit.
STREAMED = 1000


class SQLModelBackend(Repository):
    """Entities in the tables of SQLite or PostgreSQL.

    Args:
        url: Where, as `sqlite:///shop.db` or `postgresql://user:password@host/name`; None stands for what
            `nitro.configure(sql_url=...)` or NITRO_SQL_URL says, by default `sqlite:///nitro.db`.

    Raises:
        ConfigurationError: When it is used first, if the URL is none, or its driver is not installed.
    """

    capabilities = Capabilities(
        versions=True, unique=True, ordering=True, paths=True, locks=True, transactions=True, savepoints=True
    )

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._database: Database | None = None
        self._mappings: dict[type, tuple[Any, Mapping]] = {}
        self._statements: dict[type, Statements] = {}
        self._making = threading.RLock()
        if url is None:
            _configured.add(self)

    def _forget(self) -> None:
        """Another database is configured, from now on."""
        with self._making:
            self._database = None
            self._mappings.clear()
            self._statements.clear()

    @property
    def database(self) -> Database:
        """Where the entities are."""
        known = self._database
        if known is None:
            known = self._database = database(self._url)
        return known

    @property
    def engine(self) -> sa.Engine:
        """An engine of SQLAlchemy for the same database, for `Session` and the like."""
        return self.database.engine

    @property
    def async_engine(self) -> AsyncEngine:
        """The same for `AsyncSession`."""
        return self.database.async_engine

    def _mapping(self, entity_class: type[Entity]) -> Mapping:
        known = self._mappings.get(entity_class)
        if known is not None and known[0] is entity_class.__pydantic_validator__:
            return known[1]
        with self._making:
            made = Mapping(entity_class, self.database, type(self).__name__)
            self._mappings[entity_class] = entity_class.__pydantic_validator__, made
            return made

    def _queries(self, entity_class: type[Entity]) -> Statements:
        mapping = self._mapping(entity_class)
        known = self._statements.get(entity_class)
        if known is None or known.mapping is not mapping:
            known = self._statements[entity_class] = Statements(mapping)
        return known

    # --- One entity ---

    def get(self, entity_class: type[E], key: Any) -> E | None:
        mapping = self._mapping(entity_class)
        try:
            row = mapping.database.fetch_one(mapping.get_sql, mapping.key_row(key))
        except (Refused, Unfit):
            return None
        except NoSuchTable as error:
            mapping.mismatch(error)
        return None if row is None else mapping.entity(row)

    async def aget(self, entity_class: type[E], key: Any) -> E | None:
        mapping = self._mapping(entity_class)
        try:
            row = await mapping.database.afetch_one(mapping.get_sql, mapping.key_row(key))
        except (Refused, Unfit):
            return None
        except NoSuchTable as error:
            await _raised(mapping.mismatch, error)
        return None if row is None else mapping.entity(row)

    def save(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        version = self._written(self._mapping(type(entity)), entity, ttl)
        if version:
            _accepted(self.database, entity, version)

    async def asave(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        late: Late = []
        try:
            version = await self._awritten(self._mapping(type(entity)), entity, ttl, late)
            if version:
                _accepted(self.database, entity, version)
        finally:
            if late:
                raise late[0]

    def _written(self, mapping: Mapping, entity: Entity, ttl: Ttl) -> int:
        """Stores an entity, which is to be told, and gives its version; 0 where nothing changed."""
        saving = self._saving(mapping, entity, ttl)
        if saving is None:
            return 0
        sql, parameters, version, key, numbered = saving
        store = mapping.database
        try:
            if numbered:
                mapping.number(entity, store.fetch_all(sql, parameters, write=True))
            elif not store.execute(sql, parameters):
                self._stale(mapping, entity, key, store.fetch_one(mapping.version_sql, mapping.key_row(key)))
        except _REFUSALS as error:
            where = mapping.holder(entity, error)
            self._refused(mapping, entity, error, None if where is None else store.fetch_one(*where))
        return version

    async def _awritten(self, mapping: Mapping, entity: Entity, ttl: Ttl, late: Late | None = None) -> int:
        """`_written`, for async code."""
        saving = self._saving(mapping, entity, ttl)
        if saving is None:
            return 0
        sql, parameters, version, key, numbered = saving
        store = mapping.database
        try:
            if numbered:
                mapping.number(entity, await store.afetch_all(sql, parameters, write=True, late=late))
            elif not await store.aexecute(sql, parameters, late):
                found = await store.afetch_one(mapping.version_sql, mapping.key_row(key))
                self._stale(mapping, entity, key, found)
        except _REFUSALS as error:
            where = mapping.holder(entity, error)
            found = None if where is None else await store.afetch_one(*where)
            await _raised(self._refused, mapping, entity, error, found)
        return version

    def upsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        mapping = self._mapping(type(entity))
        self.check_save(mapping.entity_class, ttl)
        validate_changes(entity)
        try:
            rows = mapping.database.fetch_all(mapping.upsert_sql, mapping.row_of(entity), write=True)
        except _REFUSALS as error:
            where = mapping.holder(entity, error)
            self._refused(mapping, entity, error, None if where is None else mapping.database.fetch_one(*where))
        _accepted(self.database, entity, rows[0][0])

    async def aupsert(self, entity: Entity, *, ttl: Ttl = ...) -> None:
        mapping = self._mapping(type(entity))
        self.check_save(mapping.entity_class, ttl)
        validate_changes(entity)
        late: Late = []
        try:
            rows = await mapping.database.afetch_all(mapping.upsert_sql, mapping.row_of(entity), write=True, late=late)
            _accepted(self.database, entity, rows[0][0])
        except _REFUSALS as error:
            where = mapping.holder(entity, error)
            found = None if where is None else await mapping.database.afetch_one(*where)
            await _raised(self._refused, mapping, entity, error, found)
        finally:
            if late:
                raise late[0]

    def _saving(self, mapping: Mapping, entity: Entity, ttl: Ttl) -> _Saving | None:
        """How to store an entity; None where nothing changed."""
        if ttl is not ... or mapping.entity_class.__nitro_ttl__ is not None:
            self.check_save(mapping.entity_class, ttl)
        version = _core.version(entity)
        if not version:
            validate_changes(entity)
            sql, row, numbered = mapping.insert(entity)
            return sql, row, FIRST, None, numbered
        if not _core.is_changed(entity):
            return None
        validate_changes(entity)
        changed = _core.changes(entity)
        key = identity(entity) if changed.keys().isdisjoint(mapping.keys) else original_identity(entity)
        sql, row = mapping.update(entity, tuple(changed), key, version)
        return sql, row, version + 1, key, False

    def delete(self, entity: Entity) -> None:
        mapping = self._mapping(type(entity))
        key, parameters = self._deleting(mapping, entity)
        try:
            if not mapping.database.execute(mapping.delete_sql, parameters):
                found = mapping.database.fetch_one(mapping.version_sql, parameters[: len(mapping.keys)])
                self._not_deleted(mapping, entity, key, found)
        except _REFUSALS as error:
            self._refused(mapping, entity, error, None)
        _accepted(self.database, entity, 0)

    async def adelete(self, entity: Entity) -> None:
        mapping = self._mapping(type(entity))
        key, parameters = self._deleting(mapping, entity)
        late: Late = []
        try:
            if not await mapping.database.aexecute(mapping.delete_sql, parameters, late):
                found = await mapping.database.afetch_one(mapping.version_sql, parameters[: len(mapping.keys)])
                self._not_deleted(mapping, entity, key, found)
            _accepted(self.database, entity, 0)
        except _REFUSALS as error:
            await _raised(self._refused, mapping, entity, error, None)
        finally:
            if late:
                raise late[0]

    def _deleting(self, mapping: Mapping, entity: Entity) -> tuple[Any, tuple[Any, ...]]:
        version, key = _core.version(entity), original_identity(entity)
        if not version:
            raise EntityNotFound(mapping.entity_class, key)
        stored = mapping.key_row(key)
        return key, (*stored, version) if mapping.versioned else stored

    def _not_deleted(self, mapping: Mapping, entity: Entity, key: Any, found: Row | None) -> NoReturn:
        if found is None:
            raise EntityNotFound(mapping.entity_class, key)
        self._stale(mapping, entity, key, found)

    def refresh(self, entity: Entity) -> None:
        key = original_identity(entity)
        self._renew(entity, key, self.get(type(entity), key))

    async def arefresh(self, entity: Entity) -> None:
        key = original_identity(entity)
        self._renew(entity, key, await self.aget(type(entity), key))

    def _renew(self, entity: Entity, key: Any, fresh: Entity | None) -> None:
        if fresh is None or not _core.version(entity):
            raise EntityNotFound(type(entity), key)
        changes.renew(entity, fresh)

    # --- Many ---

    def get_many(self, entity_class: type[E], keys: Iterable[Any]) -> list[E]:
        wanted = list(keys)
        statements = self._queries(entity_class)
        found: list[E] = []
        for statement in statements.by_keys(wanted):
            found += self._fetched(statements.mapping, *statement)
        return statements.in_order_of(wanted, found)

    async def aget_many(self, entity_class: type[E], keys: Iterable[Any]) -> list[E]:
        wanted = list(keys)
        statements = self._queries(entity_class)
        found: list[E] = []
        for statement in statements.by_keys(wanted):
            found += await self._afetched(statements.mapping, *statement)
        return statements.in_order_of(wanted, found)

    def save_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        """Stores many entities: all of them, or none."""
        listed = _distinct(entities)
        done: list[tuple[list[Entity], int]] = []
        with self.database.together():
            for mapping, members in self._batches(listed, ttl):
                if len(members) == 1:
                    done.append((members, self._written(mapping, members[0], ttl)))
                    continue
                sql, rows, copied = mapping.insert_all(members)
                try:
                    if copied:
                        mapping.database.copy(sql, rows)
                    else:
                        mapping.database.execute_many(sql, rows)
                except Refused:
                    for entity in members:
                        mapping.row_of(entity)
                    raise
                except _REFUSALS as error:
                    self._refused_among(mapping, members, error)
                done.append((members, FIRST))
        for members, version in done:
            for entity in members if version else ():
                _accepted(self.database, entity, version)

    async def asave_all(self, entities: Iterable[Entity], *, ttl: Ttl = ...) -> None:
        """`save_all`, for async code."""
        listed = _distinct(entities)
        done: list[tuple[list[Entity], int]] = []
        begun: Transaction[Any] | Savepoint | None = None
        try:
            async with self.database.atogether() as begun:
                for mapping, members in self._batches(listed, ttl):
                    store = mapping.database
                    if len(members) == 1:
                        done.append((members, await self._awritten(mapping, members[0], ttl)))
                        continue
                    sql, rows, copied = mapping.insert_all(members)
                    try:
                        if copied:
                            await store.acopy(sql, rows)
                        else:
                            await store.aexecute_many(sql, rows)
                    except Refused:
                        for entity in members:
                            mapping.row_of(entity)
                        raise
                    except _REFUSALS as error:
                        await _raised(self._refused_among, mapping, members, error)
                    done.append((members, FIRST))
        finally:
            # It may be kept though the task is cancelled.
            if begun is not None and begun.is_kept:
                for members, version in done:
                    for entity in members if version else ():
                        _accepted(self.database, entity, version)

    def _batches(self, entities: list[Entity], ttl: Ttl) -> Iterator[tuple[Mapping, list[Entity]]]:
        """New entities of one class that follow one another, together; every other one by itself."""
        batch: list[Entity] = []
        mapping: Mapping | None = None
        for entity in entities:
            if mapping is None or type(entity) is not mapping.entity_class:
                if mapping is not None and batch:
                    yield mapping, batch
                    batch = []
                mapping = self._mapping(type(entity))
            if _core.version(entity) or (mapping.numbered and identity(entity) is None):
                if batch:
                    yield mapping, batch
                    batch = []
                yield mapping, [entity]
                continue
            if not batch and (ttl is not ... or mapping.entity_class.__nitro_ttl__ is not None):
                self.check_save(mapping.entity_class, ttl)
            validate_changes(entity)
            batch.append(entity)
        if mapping is not None and batch:
            yield mapping, batch

    # --- Queries ---

    def _fetched(self, mapping: Mapping, sql: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            return mapping.entities(mapping.database.fetch_all(sql, parameters))
        except (NoSuchTable, Unfit) as error:
            mapping.unanswered(error)

    async def _afetched(self, mapping: Mapping, sql: str, parameters: Sequence[Any]) -> list[Any]:
        try:
            return mapping.entities(await mapping.database.afetch_all(sql, parameters))
        except (NoSuchTable, Unfit) as error:
            await _raised(mapping.unanswered, error)

    def _rows(self, mapping: Mapping, sql: str, parameters: Sequence[Any]) -> list[Row]:
        try:
            return mapping.database.fetch_all(sql, parameters)
        except (NoSuchTable, Unfit) as error:
            mapping.unanswered(error)

    async def _arows(self, mapping: Mapping, sql: str, parameters: Sequence[Any]) -> list[Row]:
        try:
            return await mapping.database.afetch_all(sql, parameters)
        except (NoSuchTable, Unfit) as error:
            await _raised(mapping.unanswered, error)

    def select(self, query: Query[E]) -> list[E]:
        statements = self._queries(query._class)
        if query._in_memory:
            return query.among(self._fetched(statements.mapping, *statements.everything()))
        return self._fetched(statements.mapping, *statements.select(query))

    async def aselect(self, query: Query[E]) -> list[E]:
        statements = self._queries(query._class)
        if query._in_memory:
            return query.among(await self._afetched(statements.mapping, *statements.everything()))
        return await self._afetched(statements.mapping, *statements.select(query))

    def stream(self, query: Query[E]) -> Iterator[E]:
        if query._in_memory or (query._limit is not None and query._limit <= STREAMED):
            yield from self.select(query)
            return
        statements = self._queries(query._class)
        mapping = statements.mapping
        try:
            for rows in mapping.database.stream(*statements.select(query), size=STREAMED):
                yield from mapping.entities(rows)
        except (NoSuchTable, Unfit) as error:
            mapping.unanswered(error)

    async def astream(self, query: Query[E]) -> AsyncIterator[E]:
        if query._in_memory or (query._limit is not None and query._limit <= STREAMED):
            for entity in await self.aselect(query):
                yield entity
            return
        statements = self._queries(query._class)
        mapping = statements.mapping
        try:
            async for rows in mapping.database.astream(*statements.select(query), size=STREAMED):
                for entity in mapping.entities(rows):
                    yield entity
        except (NoSuchTable, Unfit) as error:
            await _raised(mapping.unanswered, error)

    def count(self, query: Query[Any]) -> int:
        if query._in_memory:
            return len(self.select(query))
        statements = self._queries(query._class)
        return self._rows(statements.mapping, *statements.count(query))[0][0]

    async def acount(self, query: Query[Any]) -> int:
        if query._in_memory:
            return len(await self.aselect(query))
        statements = self._queries(query._class)
        return (await self._arows(statements.mapping, *statements.count(query)))[0][0]

    def page(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        if query._in_memory:
            return super().page(query, limit, after, total)
        statements = self._queries(query._class)
        found = self._fetched(statements.mapping, *statements.page(query, limit, after))
        count = self.count(query.limit(None).offset(0)) if total else None
        return statements.paged(query, found, limit, count)

    async def apage(self, query: Query[E], limit: int, after: str | None, total: bool) -> Page[E]:
        if query._in_memory:
            # What `page` asks for, for which the event loop must not wait.
            found = await self.aselect(query.limit(None).offset(0))
            return _Given(found).page(query, limit, after, total)
        statements = self._queries(query._class)
        found = await self._afetched(statements.mapping, *statements.page(query, limit, after))
        count = await self.acount(query.limit(None).offset(0)) if total else None
        return statements.paged(query, found, limit, count)

    def delete_all(self, query: Query[Any]) -> int:
        if query._in_memory:
            return super().delete_all(query)
        mapping = self._queries(query._class).mapping
        try:
            return mapping.database.execute(*self._queries(query._class).delete(query))
        except _REFUSALS as error:
            self._refused_query(mapping, error)

    async def adelete_all(self, query: Query[Any]) -> int:
        if query._in_memory:
            found = await self.aselect(query)
            for entity in found:
                await self.adelete(entity)
            return len(found)
        mapping = self._queries(query._class).mapping
        try:
            return await mapping.database.aexecute(*self._queries(query._class).delete(query))
        except _REFUSALS as error:
            await _raised(self._refused_query, mapping, error)

    def update_all(self, query: Query[Any], values: Values[str, Any]) -> int:
        statements = self._queries(query._class)
        update = None if query._in_memory else statements.update(query, values)
        if update is None:
            with self.database.together():
                return super().update_all(query, values)
        try:
            return statements.mapping.database.execute(*update)
        except _REFUSALS as error:
            self._refused_query(statements.mapping, error, values)

    async def aupdate_all(self, query: Query[Any], values: Values[str, Any]) -> int:
        statements = self._queries(query._class)
        update = None if query._in_memory else statements.update(query, values)
        if update is None:
            async with self.database.atogether():
                found = await self.aselect(query)
                for entity in found:
                    for name, value in values.items():
                        setattr(entity, name, value)
                    await self.asave(entity)
                return len(found)
        try:
            return await statements.mapping.database.aexecute(*update)
        except _REFUSALS as error:
            await _raised(self._refused_query, statements.mapping, error, values)

    def aggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...] = ()
    ) -> Any:
        statements = self._queries(query._class)
        summing = None if query._in_memory else statements.aggregate(query, function, field, group_by)
        if summing is None:
            return super().aggregate(query, function, field, group_by)
        sql, parameters, read = summing
        return read(self._rows(statements.mapping, sql, parameters))

    async def aaggregate(
        self, query: Query[Any], function: str, field: FieldRef | None, group_by: tuple[FieldRef, ...] = ()
    ) -> Any:
        statements = self._queries(query._class)
        summing = None if query._in_memory else statements.aggregate(query, function, field, group_by)
        if summing is None:
            return _Given(await self.aselect(query)).aggregate(query, function, field, group_by)
        sql, parameters, read = summing
        return read(await self._arows(statements.mapping, sql, parameters))

    def explain(self, query: Query[Any]) -> str:
        statements = self._queries(query._class)
        sql, parameters = statements.select(query)
        mapping = statements.mapping
        prefix = "EXPLAIN QUERY PLAN " if mapping.database.dialect.name == "sqlite" else "EXPLAIN "
        rows = self._rows(mapping, prefix + sql, parameters)
        return "\n".join([sql, *(str(row[-1]) for row in rows)])

    # --- Transactions, locks, and tests ---

    @property
    def transaction_scope(self) -> Database:
        return self.database

    def transaction(self, isolation: str | None = None) -> AbstractContextManager[Transaction[Any]]:
        return self.database.transaction(isolation)

    def atransaction(self, isolation: str | None = None) -> AbstractAsyncContextManager[Transaction[Any]]:
        return self.database.atransaction(isolation)

    def waits(self, *, is_reading: bool) -> bool:
        return not (is_reading and self.database.reads_at_once)

    def stand_apart(self) -> None:
        self.database.stand_apart()

    def session(self) -> JoinedSession:
        """A `Session` of SQLModel on the connection of the transaction that is going on: see `Database.session`."""
        return self.database.session()

    def asession(self) -> JoinedAsyncSession:
        """An `AsyncSession` of SQLModel on the connection of the transaction that is going on."""
        return self.database.asession()

    def savepoint(self) -> AbstractContextManager[Savepoint]:
        return self.database.savepoint()

    def asavepoint(self) -> AbstractAsyncContextManager[Savepoint]:
        return self.database.asavepoint()

    @contextmanager
    def locked(self, entity_class: type[E], key: Any) -> Generator[E]:
        """The entity with this key, in a transaction during which nobody else can save it."""
        mapping = self._mapping(entity_class)
        with mapping.database.transaction():
            try:
                row = mapping.database.fetch_one(mapping.lock_sql, mapping.key_row(key))
            except (Refused, Unfit):
                row = None
            except NoSuchTable as error:
                mapping.mismatch(error)
            if row is None:
                raise EntityNotFound(entity_class, key)
            yield mapping.entity(row)

    @asynccontextmanager
    async def alocked(self, entity_class: type[E], key: Any) -> AsyncGenerator[E]:
        """`locked`, for async code."""
        mapping = self._mapping(entity_class)
        async with mapping.database.atransaction():
            try:
                row = await mapping.database.afetch_one(mapping.lock_sql, mapping.key_row(key))
            except (Refused, Unfit):
                row = None
            except NoSuchTable as error:
                await _raised(mapping.mismatch, error)
            if row is None:
                raise EntityNotFound(entity_class, key)
            yield mapping.entity(row)

    @contextmanager
    def command_key(
        self,
        entity_class: type[Entity],  # noqa: ARG002  (the database has one table for all)
        command: str,
        key: str,
        arguments: str,
    ) -> Generator[CommandKey]:
        yield command_keys.claimed(self.database, command, key, arguments)

    @asynccontextmanager
    async def acommand_key(
        self,
        entity_class: type[Entity],  # noqa: ARG002  (the database has one table for all)
        command: str,
        key: str,
        arguments: str,
    ) -> AsyncGenerator[CommandKey]:
        yield await command_keys.aclaimed(self.database, command, key, arguments)

    def forget_command_keys(self, older_than: datetime.timedelta) -> int:
        return command_keys.forget(self.database, older_than)

    async def aforget_command_keys(self, older_than: datetime.timedelta) -> int:
        return await command_keys.aforget(self.database, older_than)

    def clear(self, entity_class: type[Entity] | None = None) -> None:
        """Deletes every entity of a class, or of every class that was used here: all of them, or none.

        Raises:
            ConstraintViolation: If others refer to them.
            SchemaMismatch: If there is no such table.
        """
        mappings = list(map(self._mapping, list(self._mappings) if entity_class is None else [entity_class]))
        # What refers to others goes before them.
        in_order = cast("Any", ddl).sort_tables_and_constraints([known.table for known in mappings])
        order = [table for table, _ in in_order]
        mappings.sort(key=lambda known: order.index(known.table), reverse=True)
        with self.database.together():
            for mapping in mappings:
                try:
                    mapping.database.execute(f"DELETE FROM {mapping.quoted}", ())
                except NoSuchTable as error:
                    mapping.mismatch(error)
                except Clash as error:
                    reason = f"{error.reason}: clear what refers to it first"
                    raise ConstraintViolation(mapping.entity_class, "all of them", reason) from error

    # --- What went wrong ---

    def _stale(self, mapping: Mapping, entity: Entity, key: Any, found: Row | None) -> NoReturn:
        stored = None if found is None else found[0]
        raise StaleEntityError(mapping.entity_class, key, expected_version=_core.version(entity), stored_version=stored)

    def _refused(
        self, mapping: Mapping, entity: Entity, error: Clash | Unfit | NoSuchTable, found: Row | None
    ) -> NoReturn:
        if isinstance(error, NoSuchTable):
            mapping.mismatch(error)
        if isinstance(error, Unfit):
            mapping.unfit(entity, str(error))
        names = mapping.clashing(error)
        if error.kind == "unique" and names:
            values = tuple(plain(getattr(entity, name)) for name in names)
            other = None if found is None else mapping.key_out(found)
            raise UniqueViolation(
                mapping.entity_class, ", ".join(names), values[0] if len(values) == 1 else values, other
            ) from error
        raise ConstraintViolation(mapping.entity_class, identity(entity), error.reason) from error

    def _refused_among(self, mapping: Mapping, entities: list[Entity], error: Clash | Unfit | NoSuchTable) -> NoReturn:
        """Finds out which one of many was refused, as far as the entities themselves tell."""
        if isinstance(error, Clash) and error.kind == "unique":
            names = mapping.clashing(error)
            seen: set[Any] = set()
            for entity in entities:
                values = tuple(plain(getattr(entity, name)) for name in names)
                if names and (values in seen or mapping.detail_names(error, values)):
                    self._refused(mapping, entity, error, None)
                seen.add(values)
        self._refused(mapping, entities[0], error, None)

    def _refused_query(
        self, mapping: Mapping, error: Clash | Unfit | NoSuchTable, values: Values[str, Any] | None = None
    ) -> NoReturn:
        if isinstance(error, NoSuchTable):
            mapping.mismatch(error)
        names = mapping.clashing(error) if isinstance(error, Clash) and error.kind == "unique" else ()
        if values is not None and names and all(name in values for name in names):
            taken = tuple(values[name] for name in names)
            raise UniqueViolation(
                mapping.entity_class, ", ".join(names), taken[0] if len(taken) == 1 else taken
            ) from error
        reason = error.reason if isinstance(error, Clash) else str(error)
        raise ConstraintViolation(mapping.entity_class, "of a query", reason) from error


#: The backends whose database is the one that is configured.
_configured: weakref.WeakSet[SQLModelBackend] = weakref.WeakSet()


@on_change
def _follow() -> None:
    for backend in list(_configured):
        backend._forget()


class _Given(Repository):
    """Entities that have been read already, for what is done with them here."""

    def __init__(self, found: list[Any]) -> None:
        self._found = found

    def select(self, query: Query[E]) -> list[E]:
        return self._found[query._offset :][: query._limit]

    def _nothing(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("only what has been read is looked at")

    get = save = delete = refresh = _nothing


def _accepted(store: Database, entity: Entity, version: int) -> None:
    """Tells an entity what has been written of it; that is taken back when the transaction is not kept."""
    undo = store.undo
    if undo is not None:
        undo.append(partial(_restored, entity, _core.version(entity), _core.originals(entity)))
    _core.accept_changes(entity, version)
    _followed(entity)


def _restored(entity: Entity, version: int, originals: dict[str, Any]) -> None:
    changes.restore(entity, version, originals)
    _followed(entity)


def _followed(entity: Entity) -> None:
    # Somebody else may keep a record of the entity too: SQLAlchemy does, of a SQLEntity.
    follow = type(entity).__nitro_follow__
    if follow is not None:
        follow(entity)


def _distinct(entities: Iterable[Entity]) -> list[Entity]:
    listed = list(entities)
    if len(set(map(id, listed))) == len(listed):
        return listed
    return list({id(entity): entity for entity in listed}.values())


async def _raised(raise_error: Callable[..., NoReturn], *arguments: Any) -> NoReturn:
    """Says what went wrong, in a thread: for a table that will not do it looks at the database."""
    await asyncio.to_thread(raise_error, *arguments)
    raise AssertionError("unreachable: it raises")
