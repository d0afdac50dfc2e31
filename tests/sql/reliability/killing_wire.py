"""A client that is killed when a statement of a certain kind goes over the wire to PostgreSQL."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from wire import Conversation, Send

_VERBS = {"INSERT": "an insert", "UPDATE": "an update", "BEGIN": "the begin", "COMMIT": "the commit"}


@dataclass
class Plan:
    """When to kill: set it before the client connects.

    Attributes:
        point: One of `POINTS`.
        nth: Kills when it comes to the point for the nth time.
        log: Where the client has written its process id.
    """

    point: str = ""
    nth: int = 0
    log: Path = field(default_factory=Path)

    def is_now(self, point: str) -> bool:
        if point != self.point:
            return False
        self.nth -= 1
        return not self.nth

    def kill(self) -> None:
        word, number, *_ = self.log.read_text().split()
        assert word == "pid"
        os.kill(int(number), signal.SIGKILL)


class Deadly(Conversation):
    """A conversation in which the client is killed as planned."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._awaited = ""
        self._in_transaction = False

    def asked(self, data: bytes, send: Send) -> bool:
        die_after = False
        for text, begins in self.executed(data):
            what = self._kind(text)
            if what is None:
                continue
            if self._plan.is_now("among the rows" if what == "a row" else f"before {what}"):
                self._plan.kill()
                # What came before it is sent; what was begun in what came before that is sent in part.
                send(data[: max(0, begins)])
                return False
            if what != "a row":
                self._awaited = what
                die_after = die_after or self._plan.is_now(f"during {what}")
        send(data)
        if die_after:
            self._plan.kill()
        return not die_after

    def answered(self, data: bytes, send: Send) -> bool:
        if b"Z" in self.letters(data) and self._awaited:
            if self._plan.is_now(f"after {self._awaited}"):
                self._plan.kill()
                return False
            self._awaited = ""
        return super().answered(data, send)

    def _kind(self, statement: str | None) -> str | None:
        verb = None if statement is None else statement.split(None, 1)[0].upper()
        if verb is None or (verb in ("INSERT", "UPDATE") and self._in_transaction):
            return "a row"
        if verb in ("BEGIN", "COMMIT", "ROLLBACK"):
            self._in_transaction = verb == "BEGIN"
        return _VERBS.get(verb)
