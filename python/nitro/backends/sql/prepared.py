"""Statements on one connection of psycopg, with as little as can be between them and the server.

psycopg's own `execute` makes a cursor, looks up how each type is adapted, and goes through several layers: half of the
time that a statement by key takes. What adapts values and what waits for the server, and cancels, is still psycopg's.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.waiting import wait_async

from ..._tasks import settled

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGresult

    from .database import Late

T = TypeVar("T")

#: How often a statement is executed before it is prepared, and how many are remembered; as with psycopg.
THRESHOLD = 5
REMEMBERED = 100

#: Seconds between two looks at whether the program is interrupted; as with psycopg.
_INTERVAL = 0.1

#: Seconds that a task which is cancelled waits for the server at most: for a statement that was told to end, and for
#: BEGIN, COMMIT and the like, which are not.
ENDING, ANSWERING = 5.0, 30.0

_PARAMETER = re.compile("%[s%]")


class Prepared:
    """The statements of one connection, of which those that come again and again are prepared.

    What `run` and `arun` read is one of `rowcount`, `one` and `every`.
    """

    __slots__ = ("_connection", "_formats", "_known", "_numbers", "_pgconn", "_transformer")

    def __init__(self, connection: Connection[Any] | AsyncConnection[Any]) -> None:
        self._connection: Any = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._formats = [PyFormat.AUTO] * 16
        #: {(statement, types of its parameters): how often it was seen, or its name}, the one seen last at the end.
        self._known: OrderedDict[tuple[str, tuple[int, ...]], int | bytes] = OrderedDict()
        self._numbers = count(1)

    def run(self, read: Callable[[PGresult], T], sql: str, parameters: Sequence[Any]) -> T:
        """Executes a statement with parameters `%s`, and reads what it gives."""
        with self._connection.lock:
            return self._connection.wait(self._running(read, sql, parameters))

    async def arun(
        self, read: Callable[[PGresult], T], sql: str, parameters: Sequence[Any], late: Late | None = None
    ) -> T:
        """`run`, on a connection of an event loop.

        Where the task is cancelled, the server is told to end the statement, and what it says to that is awaited.

        Args:
            read: See `run`.
            sql: See `run`.
            parameters: See `run`.
            late: Takes up a cancellation that came when the statement could not be ended any more; None has it raised.
        """
        async with self._connection.lock:
            return await self._awaited(self._running(read, sql, parameters), late, ends=True)

    def command(self, command: bytes) -> bytes | None:
        """Executes BEGIN, COMMIT or ROLLBACK, and gives what the server says that it did.

        psycopg does not see it: after each ROLLBACK it would deallocate every prepared statement.
        """
        with self._connection.lock:
            return self._connection.wait(self._commanding(command))

    async def acommand(self, command: bytes, late: Late | None = None) -> bytes | None:
        """`command`, on a connection of an event loop. It comes to its end though the task is cancelled."""
        async with self._connection.lock:
            return await self._awaited(self._commanding(command), late, ends=False)

    # --- What a statement gave ---

    def rowcount(self, result: PGresult) -> int:
        """How many rows it changed."""
        return result.command_tuples or 0

    def one(self, result: PGresult) -> tuple[Any, ...] | None:
        """The first row; None where there is none."""
        if not result.ntuples:
            return None
        self._transformer.set_pgresult(result)
        return self._transformer.load_row(0, tuple)

    def every(self, result: PGresult) -> list[tuple[Any, ...]]:
        """All rows."""
        self._transformer.set_pgresult(result)
        rows = self._transformer.load_rows(0, result.ntuples, tuple)
        # There may be many: they are not kept until the next statement.
        self._transformer.set_pgresult(None)
        return rows

    # --- Within ---

    async def _awaited(self, running: PQGen[T], late: Late | None, *, ends: bool) -> T:
        """What the server says; where the task is cancelled, after that."""
        try:
            return await wait_async(running, self._pgconn.socket, _INTERVAL)
        except asyncio.CancelledError as error:
            if self._pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            cancelled = error
        # In a task of its own: whoever is cancelled may be so at whatever it awaits.
        ending = asyncio.ensure_future(self._ended(running) if ends else self._answered(running, ANSWERING))
        await settled(ending)
        if ending.cancelled() or late is None:
            raise cancelled
        failure = ending.exception()
        if failure is None:
            late.append(cancelled)
            return ending.result()
        # Without a connection nobody knows what was done.
        raise failure if self._pgconn.status == ConnStatus.BAD else cancelled

    async def _ended(self, running: PQGen[T]) -> T:
        """Has the server end a statement, if it is not done; gives what it says to that."""
        with suppress(psycopg.Error):
            await self._connection.cancel_safe(timeout=ENDING)
        return await self._answered(running, ENDING)

    async def _answered(self, running: PQGen[T], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await wait_async(running, self._pgconn.socket, _INTERVAL)
        except TimeoutError:
            self._pgconn.finish()
            raise psycopg.OperationalError(f"it has not answered for {seconds:g} seconds") from None

    def _running(self, read: Callable[[PGresult], T], sql: str, parameters: Sequence[Any]) -> PQGen[T]:
        pgconn, transformer, known = self._pgconn, self._transformer, self._known
        while len(self._formats) < len(parameters):
            self._formats *= 2
        values = transformer.dump_sequence(parameters, self._formats)
        types, formats = transformer.types or (), transformer.formats
        key = sql, types
        seen = known.get(key, 0)
        if seen == THRESHOLD:
            seen = b"nitro_%d" % next(self._numbers)
            pgconn.send_prepare(seen, _numbered(sql), types)
            self._checked((yield from execute(pgconn)))
            known[key] = seen
        if isinstance(seen, bytes):
            known.move_to_end(key)
            pgconn.send_query_prepared(seen, values, formats)
            results = yield from execute(pgconn)
            if results[-1].status != ExecStatus.FATAL_ERROR or not self._is_outdated(results[-1]):
                return read(self._checked(results))
            del known[key]
            if pgconn.transaction_status != TransactionStatus.IDLE:
                self._checked(results)
            seen = 0
        known[key] = seen + 1
        known.move_to_end(key)
        pgconn.send_query_params(_numbered(sql), values, types, formats)
        found = read(self._checked((yield from execute(pgconn))))
        if len(known) > REMEMBERED:
            _, oldest = known.popitem(last=False)
            if isinstance(oldest, bytes):
                # Whether it is there still, or not any more, is all the same.
                pgconn.send_query(b"DEALLOCATE " + oldest)
                yield from execute(pgconn)
        return found

    def _is_outdated(self, result: PGresult) -> bool:
        """Whether a statement has to be prepared anew, because a table changed or somebody deallocated it."""
        error = self._error(result)
        return isinstance(error, errors.InvalidSqlStatementName) or (
            isinstance(error, errors.FeatureNotSupported) and "cached plan" in str(error)
        )

    def _commanding(self, command: bytes) -> PQGen[bytes | None]:
        self._pgconn.send_query(command)
        return self._checked((yield from execute(self._pgconn))).command_status

    def _checked(self, results: list[PGresult]) -> PGresult:
        result = results[-1]
        if result.status == ExecStatus.FATAL_ERROR:
            raise self._error(result)
        return result

    def _error(self, result: PGresult) -> errors.Error:
        return errors.error_from_result(result, self._connection.info.encoding)


def _numbered(sql: str) -> bytes:
    """A statement with `$1`, `$2` ... instead of `%s`."""
    numbers = count(1)
    return _PARAMETER.sub(lambda found: "%" if found[0] == "%%" else f"${next(numbers)}", sql).encode()
