"""Points of a save and of a commit at which a process ends by SIGKILL.

What is watched is what goes to the database: for SQLite here, by standing before its driver; for PostgreSQL on the
wire, in `killing_wire`. Nothing in Nitro knows of it.
"""

import os
import random
import signal
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from typing import Any

#: Each point, and what must be true of the operation that it is in: whether it happened, or None where both can be.
POINTS: dict[str, bool | None] = {
    "before an insert": False,
    "during an insert": None,
    "after an insert": True,
    "before an update": False,
    "during an update": None,
    "after an update": True,
    "after the begin": False,
    "among the rows": False,
    "before the commit": False,
    "during the commit": None,
    "after the commit": True,
    "before it is acknowledged": True,
}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Points:
    """Kills this process when a point is reached for the nth time.

    Args:
        point: One of `POINTS`; None kills nobody.
        nth: Which time it is.
        seed: What is left to chance within a point.
    """

    def __init__(self, point: str | None, nth: int, seed: int) -> None:
        self.point, self._left = point, nth
        self.chance = random.Random(seed)
        self._in_transaction = False

    def reach(self, point: str) -> None:
        if self._is_now(point):
            _die()

    def _is_now(self, point: str) -> bool:
        if point != self.point:
            return False
        self._left -= 1
        return not self._left

    def statement(self, sql: str, run: Any, run_and_die: Any) -> Any:
        """Runs a statement, with the points around it.

        Args:
            sql: The statement.
            run: Does it.
            run_and_die: Does it and ends the process meanwhile.
        """
        verb = sql.split(None, 1)[0].upper()
        if verb in ("INSERT", "UPDATE") and self._in_transaction:
            self.reach("among the rows")
            return run()
        name = {"INSERT": "an insert", "UPDATE": "an update", "COMMIT": "the commit", "BEGIN": "the begin"}.get(verb)
        if name is None:
            return run()
        self.reach(f"before {name}")
        if self._is_now(f"during {name}"):
            run_and_die()
            _die()
        result = run()
        self._in_transaction = verb == "BEGIN"
        self.reach(f"after {name}")
        return result

    def rows(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The rows of a batch, with the point that is among them."""
        listed = list(rows)
        last = self.chance.randrange(len(listed)) if listed and self._is_now("among the rows") else None
        for place, row in enumerate(listed):
            if place == last:
                _die()
            yield row

    def watch_sqlite(self) -> None:
        """Watches the statements of this process."""
        points, connect = self, sqlite3.connect

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                run = super().execute
                return points.statement(
                    sql, lambda: run(sql, parameters), lambda: points.die_inside(self, lambda: run(sql, parameters))
                )

            def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
                return super().executemany(sql, points.rows(rows))

        def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, **{**options, "factory": Watched})

        sqlite3.connect = watched  # type: ignore[assignment]

    def die_inside(self, connection: sqlite3.Connection, run: Any) -> None:
        """Ends the process in the middle of a statement of SQLite: after some steps of it, or while it writes."""
        if self.chance.random() < 0.5:
            steps = iter(range(self.chance.randrange(1, 30)))
            connection.set_progress_handler(lambda: next(steps, None) is None and _die(), 1)
        else:
            now = threading.Event()
            threading.Thread(target=lambda: now.wait() and _die(), daemon=True).start()
            now.set()
        run()
