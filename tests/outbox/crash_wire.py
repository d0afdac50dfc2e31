"""A client that is killed when a statement of an outbox goes over the wire to PostgreSQL."""

import os
import signal
from pathlib import Path

from crash_points import Transactions
from wire import Conversation, Send


class Plan:
    """When to kill the client of a wire.

    Attributes:
        log: Where it has written its process id.
    """

    def __init__(self) -> None:
        self.log, self._point, self._left = Path(), "", 0

    def kill_at(self, point: str, nth: int, log: Path) -> None:
        self._point, self._left, self.log = point, nth, log

    def is_now(self, point: str) -> bool:
        if point != self._point:
            return False
        self._left -= 1
        return not self._left

    def kill(self) -> None:
        word, number, *_ = self.log.read_text().split()
        assert word == "pid"
        os.kill(int(number), signal.SIGKILL)


class Deadly(Conversation):
    """A conversation in which the client is killed as planned."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan, self._transactions, self._awaited = plan, Transactions(), ""

    def asked(self, data: bytes, send: Send) -> bool:
        die_after = False
        for text, begins in self.executed(data):
            kind = "" if text is None else self._transactions.kind(text)
            if not kind:
                continue
            if self._plan.is_now(f"before {kind}"):
                self._plan.kill()
                send(data[: max(0, begins)])
                return False
            self._awaited = kind
            die_after = die_after or self._plan.is_now(f"during {kind}")
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
