"""A relay outlives its database: it waits, and goes on."""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from durable_shop import open_shop, placed

from nitro import BackendError, BackendUnavailable
from nitro.backends.sql.outbox import Outbox
from nitro.outbox import Relay
from nitro.testing.servers import PostgresServer
from rows import wait_until


class Outage:
    """What befalls a database of a server: nobody is let in, nothing may be written, connections are cut."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server = psycopg.connect(server.url, autocommit=True)
        self._name = url.rpartition("/")[2]

    def begin(self, what: str) -> None:
        self._say(f"ALTER DATABASE {self._name} {what}")
        self.cut()

    def end(self) -> None:
        self._say(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")
        self._say(f"ALTER DATABASE {self._name} RESET default_transaction_read_only")
        (self._ended_at,) = self._server.execute("SELECT clock_timestamp()").fetchone() or ()

    def cut(self) -> None:
        self._say(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{self._name}'")

    def cut_who_came_before_its_end(self) -> None:
        """They have the settings of that time, and may have been on their way in when it ended."""
        self._say(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            f"WHERE datname = '{self._name}' AND backend_start < '{self._ended_at}'"
        )

    def close(self) -> None:
        self._server.close()

    def _say(self, statement: str) -> None:
        self._server.execute(statement)  # type: ignore[arg-type]


@pytest.fixture
def outage(postgres_server: PostgresServer, fresh_database: str) -> Iterator[Outage]:
    made = Outage(postgres_server, fresh_database)
    yield made
    made.end()
    made.close()


class Running:
    """A relay that runs in a thread, and what came of it."""

    def __init__(self, relay: Relay) -> None:
        self.stop, self.error = threading.Event(), None
        self._relay = relay
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._relay.run(self.stop)
        except BaseException as error:  # noqa: BLE001 - looked at below
            self.error = error

    def end(self) -> None:
        self.stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        assert self.error is None


REFUSED = {"ALLOW_CONNECTIONS false": BackendUnavailable, "SET default_transaction_read_only = on": BackendError}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "tries again" in record.getMessage()]


@pytest.mark.parametrize("what", REFUSED)
def test_a_relay_goes_on_when_its_database_is_back(
    what: str, outage: Outage, fresh_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def note(order: Any) -> None:
        if order.customer == "Bob":
            begun.set()
            assert go_on.wait(20)
        shop.Note(text=order.customer).save()

    shop = open_shop(fresh_database, note)
    for customer in ("Ann", "Bob", "Eve"):
        placed.send(shop.Order(customer=customer).save())
    caplog.set_level(logging.INFO, "nitro.outbox")
    # What it has claimed has to be given back: the lease ends in an hour.
    running = Running(shop.relay(interval=0.02, lease=3600))
    assert begun.wait(20)
    outage.begin(what)
    go_on.set()
    wait_until(lambda: len(warnings(caplog)) >= 3, "the relay has tried thrice")
    with pytest.raises(ExceptionGroup) as raised:
        placed.send(shop.Order())
    assert raised.group_contains(REFUSED[what])
    assert "the relay is at work again" not in caplog.text
    outage.end()

    def is_at_work() -> bool:
        outage.cut_who_came_before_its_end()
        return "the relay is at work again" in caplog.text

    wait_until(is_at_work, "the relay is at work again")
    wait_until(lambda: len(shop.texts()) == 3, "all orders are noted")
    running.end()
    assert sorted(shop.texts()) == ["Ann", "Bob", "Eve"]


def test_each_pause_is_longer_than_the_one_before_up_to_a_limit(fresh_database: str) -> None:
    relay = Relay(fresh_database, interval=0.5)
    for failures, least, most in ((1, 0.25, 0.5), (2, 0.5, 1), (5, 4, 8), (12, 15, 30), (5000, 15, 30)):
        pauses = [relay._pause(failures) for _ in range(200)]
        assert least <= min(pauses) < max(pauses) <= most


def test_it_ends_in_the_midst_of_an_outage(
    outage: Outage, fresh_database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_shop(fresh_database, lambda order: None)
    outage.begin("ALLOW_CONNECTIONS false")
    relay = shop.relay()
    monkeypatch.setattr(relay, "_pause", lambda failures: 3600.0)
    running = Running(relay)
    wait_until(lambda: len(warnings(caplog)) == 1, "the relay has tried")
    running.end()


APP = """
import nitro
from nitro import Entity, SQLModelBackend, on

class Order(Entity, backend=SQLModelBackend):
    customer: str

@on("order-placed", durable=True)
def note(order): ...

nitro.create_all()
"""


def test_the_command_ends_in_the_midst_of_an_outage(
    outage: Outage, fresh_database: str, tmp_path: Path, clean_environment: Callable[..., dict[str, str]]
) -> None:
    (tmp_path / "outage_app.py").write_text(APP, encoding="utf-8")
    command = subprocess.Popen(
        [sys.executable, "-m", "nitro.cli", "relay", "--app", "outage_app", "--workers", "2"],
        cwd=tmp_path,
        env=clean_environment(NITRO_SQL_URL=fresh_database),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert command.stdout is not None
        assert command.stdout.readline().startswith("delivering the events of ")
        outage.begin("ALLOW_CONNECTIONS false")
        assert command.stderr is not None
        assert "the relay tries again in" in command.stderr.readline()
        command.send_signal(signal.SIGTERM)
        _, errors = command.communicate(timeout=30)
    finally:
        command.kill()
    assert command.returncode == 0, errors
    assert "Traceback" not in errors


def test_a_database_without_an_outbox_ends_it(fresh_database: str) -> None:
    relay = Relay(fresh_database)
    running = Running(relay)
    wait_until(lambda: running.error is not None, "the relay has ended")
    assert "nitro.create_all() makes it" in str(running.error)


def test_nothing_is_missed_while_connections_are_cut(outage: Outage, fresh_database: str) -> None:
    shop = open_shop(fresh_database, lambda order, number: shop.Note(text=str(number)).save())
    order = shop.Order().save()
    for number in range(200):
        placed.send(order, number=number)
    running = [Running(shop.relay(interval=0.01, attempts=1000)) for _ in range(2)]
    outbox = Outbox(shop.store.database)

    def is_done() -> bool:
        outage.cut()
        try:
            return not outbox.waiting()
        except BackendUnavailable:
            return False

    wait_until(is_done, "all is delivered")
    for one in running:
        one.end()
    assert shop.texts() == [str(number) for number in range(200)]
