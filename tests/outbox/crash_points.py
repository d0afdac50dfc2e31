"""Points of sending and of delivering a durable event at which a process ends by SIGKILL.

What is watched is what goes to the database: for SQLite by standing before its driver, for PostgreSQL on the wire.
Nothing in Nitro knows of it.
"""

import os
import signal
from typing import Any

from kill_points import Points

#: What a statement does, by how it begins. A COMMIT is told by what its transaction has done.
STATEMENTS = {
    "stage": 'INSERT INTO "order"',
    "outbox": "INSERT INTO nitro_outbox",
    "read": "UPDATE nitro_outbox SET claimed_by",
    "inbox": "INSERT INTO nitro_inbox",
    "deliver": "INSERT INTO effect",
    "mark": "DELETE FROM nitro_outbox",
}
#: {what a transaction has done last: what its commit is}.
COMMITS = {"outbox": "commit", "deliver": "commit of a handler", "mark": "commit of a handler"}
KINDS = [*STATEMENTS, *dict.fromkeys(COMMITS.values())]
WHEN = ("before", "during", "after")


class Transactions:
    """Tells what each statement of a connection is."""

    def __init__(self) -> None:
        self._last = ""

    def kind(self, statement: str) -> str:
        """One of `KINDS`; nothing for another statement."""
        if statement.startswith("COMMIT"):
            return COMMITS.get(self._last, "")
        if statement.startswith("BEGIN"):
            self._last = ""
        for kind, beginning in STATEMENTS.items():
            if statement.startswith(beginning):
                # A handler that sends something further is a handler still.
                if not (kind == "outbox" and self._last == "deliver"):
                    self._last = kind
                return kind
        return ""


class StatementPoints(Points):
    """Kills this process when it comes to a point for the nth time, as it uses SQLite."""

    def __init__(self, point: str, nth: int, seed: int) -> None:
        super().__init__(point, nth, seed)
        self._transactions = Transactions()

    def statement(self, sql: str, run: Any, run_and_die: Any) -> Any:
        kind = self._transactions.kind(sql)
        if not kind:
            return run()
        self.reach(f"before {kind}")
        if self._is_now(f"during {kind}"):
            run_and_die()
            os.kill(os.getpid(), signal.SIGKILL)
        result = run()
        self.reach(f"after {kind}")
        return result
