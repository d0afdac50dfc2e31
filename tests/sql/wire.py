"""What goes over the wire to PostgreSQL, seen by standing in between.

A client connects to the wire instead of to the server; everything is passed on as it is. The protocol says where a
statement is executed, and where the server says that it has done all that it was asked: the client waited that often.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL, make_url

#: The server is ready for the next statement, or for the rows of a COPY.
_DONE = (b"Z", b"G")


class Messages:
    """Cuts a stream of bytes into messages: a letter, and what follows."""

    def __init__(self, *, untyped: int) -> None:
        #: How many messages at the beginning have no letter.
        self._untyped = untyped
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._rest += data
        while True:
            letters = 0 if self._untyped else 1
            if len(self._rest) < letters + 4:
                return
            (length,) = struct.unpack_from("!I", self._rest, letters)
            end = letters + length
            if len(self._rest) < end:
                return
            letter, body = self._rest[:letters], self._rest[letters + 4 : end]
            self._rest = self._rest[end:]
            self._untyped = max(0, self._untyped - 1)
            yield letter, body


class Wire:
    """The way to one server.

    Attributes:
        url: Where clients connect.
        statements: What was executed, in its order.
        round_trips: How often a client waited for the server, but for when it connected.
        connections: How many there were.
    """

    def __init__(self, server: str) -> None:
        self._server = make_url(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = False
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        port: int = self._listener.getsockname()[1]
        # Encrypted, it could not be read.
        self.url = str_of(
            self._server.set(host="127.0.0.1", port=port).update_query_dict(
                {"sslmode": "disable", "gssencmode": "disable"}
            )
        )
        self.connections = 0
        self.forget()
        self._start(self._accept)

    def forget(self) -> None:
        """Begins to count anew."""
        with self._lock:
            self.statements: list[str] = []
            self.round_trips = 0

    def close(self) -> None:
        """Ends when the clients have hung up."""
        self._ended = True
        # Wakes whoever waits for clients.
        socket.create_connection(self._listener.getsockname()).close()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _start(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._ended:
                client.close()
                return
            server = socket.create_connection((self._server.host or "127.0.0.1", self._server.port or 5432))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._start(self._pass_on, client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        asked, answered = Messages(untyped=1), Messages(untyped=0)
        prepared: dict[bytes, str] = {}
        portals: dict[bytes, str] = {}
        is_ready = False
        with client, server, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    source = client if key.fileobj is client else server
                    try:
                        data = source.recv(65536)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    with self._lock:
                        if source is client:
                            for letter, body in asked.cut(data):
                                self._asked(letter, body, prepared, portals)
                        else:
                            for letter, _body in answered.cut(data):
                                # The first time says that it is connected.
                                self.round_trips += is_ready and letter in _DONE
                                is_ready = is_ready or letter == b"Z"
                    (server if source is client else client).sendall(data)

    def _asked(self, letter: bytes, body: bytes, prepared: dict[bytes, str], portals: dict[bytes, str]) -> None:
        if letter == b"Q":
            self.statements.append(body[:-1].decode())
        elif letter == b"P":
            name, text, _ = body.split(b"\0", 2)
            prepared[name] = text.decode()
        elif letter == b"B":
            portal, name, _ = body.split(b"\0", 2)
            portals[portal] = prepared[name]
        elif letter == b"E":
            self.statements.append(portals[body.split(b"\0", 1)[0]])


def str_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@contextmanager
def wire_to(server: str) -> Iterator[Wire]:
    """A wire to the server of a URL, which has to be closed by all its clients before it ends."""
    wire = Wire(server)
    try:
        yield wire
    finally:
        wire.close()
