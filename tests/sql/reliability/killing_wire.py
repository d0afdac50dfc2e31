"""The way to PostgreSQL, on which a client is killed when a message of a certain kind comes by.

Nothing has to be known of how the client uses its driver: the protocol says where a statement is executed, and where
the server has done what it was asked.
"""

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from wire import Messages

_VERBS = {"INSERT": "an insert", "UPDATE": "an update", "BEGIN": "the begin", "COMMIT": "the commit"}


class KillingWire:
    """Passes on what a client and its server say.

    Attributes:
        url: Where clients connect.
    """

    def __init__(self, server: str) -> None:
        self._server = make_url(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port: int = self._listener.getsockname()[1]
        # Encrypted, it could not be read.
        options = {"sslmode": "disable", "gssencmode": "disable"}
        url = self._server.set(host="127.0.0.1", port=port).update_query_dict(options)
        self.url = url.render_as_string(hide_password=False)
        self._point, self._left, self._log = "", 0, Path()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def kill_at(self, point: str, nth: int, log: Path) -> None:
        """From the next connection on, kills the client when it comes to a point for the nth time.

        Args:
            point: One of `POINTS`.
            nth: Which time.
            log: Where the client has written its process id.
        """
        self._point, self._left, self._log = point, nth, log

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # it was shut down
                return
            address = (self._server.host or "127.0.0.1", self._server.port or 5432)
            with client, socket.create_connection(address) as server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        asked, answered = Statements(), Messages(untyped=0)
        awaited = ""
        while True:
            readable, _, _ = select.select([client, server], [], [])
            for source in readable:
                data = source.recv(65536)
                if not data:
                    return
                if source is server:
                    is_done = any(letter == b"Z" for letter, _ in answered.cut(data))
                    if is_done and awaited:
                        if self._is_now(f"after {awaited}"):
                            self._kill()
                            return
                        awaited = ""
                    client.sendall(data)
                    continue
                die_after = False
                for what, before in asked.among(data):
                    if self._is_now("among the rows" if what == "a row" else f"before {what}"):
                        # What came before it has been sent.
                        self._kill()
                        server.sendall(data[: max(0, before)])
                        return
                    if what != "a row":
                        awaited = what
                        die_after = die_after or self._is_now(f"during {what}")
                server.sendall(data)
                if die_after:
                    self._kill()
                    return

    def _is_now(self, point: str) -> bool:
        if point != self._point:
            return False
        self._left -= 1
        return not self._left

    def _kill(self) -> None:
        word, number, *_ = self._log.read_text().split()
        assert word == "pid"
        os.kill(int(number), signal.SIGKILL)


class Statements:
    """What a client asks for: statements outside of transactions, and the rows of those inside."""

    def __init__(self) -> None:
        self._messages = Messages(untyped=1)
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._in_transaction = False

    def among(self, data: bytes) -> Iterator[tuple[str, int]]:
        """(what it is, where in the data its message begins) for each that is executed."""
        # A message may have begun in what came before.
        place = -len(self._messages._rest)
        for letter, body in self._messages.cut(data):
            begins, place = place, place + len(letter) + 4 + len(body)
            if letter == b"d":
                yield "a row", begins
            elif letter == b"P":
                name, text, _ = body.split(b"\0", 2)
                self._prepared[name] = text.decode()
            elif letter == b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._prepared[name]
            elif letter in (b"Q", b"E"):
                text = body[:-1].decode() if letter == b"Q" else self._portals[body.split(b"\0", 1)[0]]
                what = self._kind(text.split(None, 1)[0].upper())
                if what:
                    yield what, begins

    def _kind(self, verb: str) -> str | None:
        if verb in ("INSERT", "UPDATE") and self._in_transaction:
            return "a row"
        if verb in ("BEGIN", "COMMIT", "ROLLBACK"):
            self._in_transaction = verb == "BEGIN"
        return _VERBS.get(verb)


@contextmanager
def killing_wire_to(server: str) -> Iterator[KillingWire]:
    """A wire to the server of a URL."""
    wire = KillingWire(server)
    try:
        yield wire
    finally:
        wire.close()
