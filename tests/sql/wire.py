"""What goes over the wire to PostgreSQL, seen by standing in between.

A client connects to the wire instead of to the server. Nothing has to be known of how it uses its driver: the protocol
says where a statement is executed, and where the server says that it has done all that it was asked.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url

Send = Callable[[bytes], None]


class Messages:
    """Cuts a stream of bytes into messages: a letter, and what follows."""

    def __init__(self, *, untyped: int) -> None:
        #: How many messages at the beginning have no letter.
        self._untyped = untyped
        self._rest = b""

    def cut(self, data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
        """(letter, what follows, where in the data it begins, below zero if in what came before)."""
        begins = -len(self._rest)
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
            yield letter, body, begins
            begins += end


class Conversation:
    """What a client and its server say over one connection. All of it is passed on; others do something besides."""

    def __init__(self) -> None:
        self._asked = Messages(untyped=1)
        self._answered = Messages(untyped=0)
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def asked(self, data: bytes, send: Send) -> bool:
        """Passes on what the client says; gives whether the connection goes on."""
        send(data)
        return True

    def answered(self, data: bytes, send: Send) -> bool:
        """Passes on what the server says; gives whether the connection goes on."""
        send(data)
        return True

    def executed(self, data: bytes) -> Iterator[tuple[str | None, int]]:
        """(statement, where in the data its message begins) of each that the client has executed; None for a COPY's row."""
        for letter, body, begins in self._asked.cut(data):
            if letter == b"d":
                yield None, begins
            elif letter == b"Q":
                yield body[:-1].decode(), begins
            elif letter == b"P":
                name, text, _ = body.split(b"\0", 2)
                self._prepared[name] = text.decode()
            elif letter == b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._prepared[name]
            elif letter == b"E":
                yield self._portals[body.split(b"\0", 1)[0]], begins

    def letters(self, data: bytes) -> list[bytes]:
        """The kinds of what the server says."""
        return [letter for letter, _, _ in self._answered.cut(data)]


class Wire:
    """The way to one server.

    Attributes:
        url: Where clients connect.
    """

    def __init__(self, server: str, begin: Callable[[], Conversation]) -> None:
        self._server, self._begin = make_url(server), begin
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = False
        self._threads: list[threading.Thread] = []
        port: int = self._listener.getsockname()[1]
        # Encrypted, it could not be read.
        options = {"sslmode": "disable", "gssencmode": "disable"}
        url = self._server.set(host="127.0.0.1", port=port).update_query_dict(options)
        self.url = url.render_as_string(hide_password=False)
        self._start(self._accept)

    def close(self) -> None:
        """Ends when the clients have hung up."""
        self._ended = True
        # Wakes whoever waits for clients.
        socket.create_connection(self._listener.getsockname()).close()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)
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
            self._start(self._pass_on, client, server, self._begin())

    def _pass_on(self, client: socket.socket, server: socket.socket, conversation: Conversation) -> None:
        with client, server, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (conversation.asked, server.sendall))
            selector.register(server, selectors.EVENT_READ, (conversation.answered, client.sendall))
            while True:
                for key, _ in selector.select():
                    hear, send = key.data
                    source = client if key.fileobj is client else server
                    try:
                        data = source.recv(65536)
                    except ConnectionResetError:
                        return
                    if not data or not hear(data, send):
                        return


@contextmanager
def wire_to(server: str, begin: Callable[[], Conversation]) -> Generator[Wire]:
    """A wire to the server of a URL, which has to be closed by all its clients before it ends.

    Args:
        server: The URL.
        begin: Makes what listens to a connection.
    """
    wire = Wire(server, begin)
    try:
        yield wire
    finally:
        wire.close()


# --- Counting ---------------------------------------------------------------------------------------------------

#: The server is ready for the next statement, or for the rows of a COPY.
_DONE = (b"Z", b"G")


class Counts:
    """What went over all connections of a wire.

    Attributes:
        statements: What was executed, in its order.
        round_trips: How often a client waited for the server, but for when it connected.
        connections: How many there were at all.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections = 0
        self.forget()

    def forget(self) -> None:
        """Begins to count anew."""
        with self.lock:
            self.statements: list[str] = []
            self.round_trips = 0


class Counted(Conversation):
    def __init__(self, counts: Counts) -> None:
        super().__init__()
        self._counts = counts
        self._is_connected = False
        with counts.lock:
            counts.connections += 1

    def asked(self, data: bytes, send: Send) -> bool:
        with self._counts.lock:
            self._counts.statements += [text for text, _ in self.executed(data) if text is not None]
        return super().asked(data, send)

    def answered(self, data: bytes, send: Send) -> bool:
        with self._counts.lock:
            for letter in self.letters(data):
                # The first time says that it is connected.
                self._counts.round_trips += self._is_connected and letter in _DONE
                self._is_connected = self._is_connected or letter == b"Z"
        return super().answered(data, send)
