"""The command `nitro relay`, as it is typed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from nursery import Nursery

from rows import wait_until

HERE = Path(__file__).parent

SHOP = """
import nitro
from blinker import signal
from nitro import Entity, SQLModelBackend, on

placed = signal("order-placed")

class Order(Entity, backend=SQLModelBackend):
    customer: str

@on(placed, durable=True)
def note(order):
    with open("notes.txt", "a") as notes:
        print(order.customer, file=notes, flush=True)
    if order.customer == "Bob":
        raise ValueError("Bob pays in coins")

nitro.create_all()
"""


class Terminal:
    """Where commands are typed: a directory with an application.

    Each runs in a process of its own, which need not import Nitro anew.
    """

    def __init__(self, name: str, directory: Path, environment: dict[str, str], nursery: Nursery) -> None:
        self.directory, self.environment, self._nursery = directory, environment, nursery
        self._output = directory / f"{name}.txt"

    def nitro(self, *arguments: str, code: int = 0) -> str:
        """What `nitro relay` says, which ends with an exit code."""
        return self._run("command", "relay", *arguments, code=code)

    def place(self, *customers: str) -> None:
        self._run("place", *customers)

    def start(self, *arguments: str) -> None:
        """Starts `nitro relay`, which runs until it is told to end."""
        self._nursery.start(self._job("command", "relay", *arguments))

    def send(self, number: signal.Signals) -> None:
        """Sends what was started a signal."""
        os.kill(int(Path(f"{self._output}.process").read_text()), number)

    def ended(self) -> tuple[int, str]:
        """The exit code of what was started, and what it has said."""
        (code,) = self._nursery.ended()
        return code, self.output()

    def output(self) -> str:
        return self._output.read_text(encoding="utf-8") if self._output.exists() else ""

    def _run(self, *words: str, code: int = 0) -> str:
        assert self._nursery.run(self._job(*words)) == [code], self.output() + self._nursery.errors
        return self.output()

    def _job(self, function: str, *arguments: str) -> tuple[Any, ...]:
        return (function, str(self.directory), self.environment, str(self._output), *arguments)


@pytest.fixture(scope="module")
def command_nurseries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Nursery]]:
    with ExitStack() as started:
        workers = HERE / "command_workers.py"
        yield [started.enter_context(Nursery(tmp_path_factory.mktemp("nursery"), workers)) for _ in range(2)]


@pytest.fixture
def terminals(
    tmp_path: Path, url: str, clean_environment: Callable[..., dict[str, str]], command_nurseries: list[Nursery]
) -> list[Terminal]:
    """Two, as something may be typed while something else runs."""
    (tmp_path / "shop_app.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.nitro]\napp = "shop_app"\n', encoding="utf-8")
    environment = clean_environment(NITRO_SQL_URL=url)
    return [
        Terminal(name, tmp_path, environment, nursery)
        for name, nursery in zip(("first", "second"), command_nurseries, strict=True)
    ]


@pytest.fixture
def terminal(terminals: list[Terminal]) -> Terminal:
    return terminals[0]


def test_deliver_once_list_what_failed_and_replay_it(terminal: Terminal, tmp_path: Path) -> None:
    nitro = terminal.nitro
    terminal.place("Ann", "Bob")
    assert "delivered 1\n" in nitro("--once", "--attempts", "1", "--workers", "2")
    first, second = nitro("dead").splitlines()
    found = re.fullmatch(r"(\S+) order-placed of shop_app.Order \S+, sent \S+ \S+ UTC, 1 attempts", first)
    assert found is not None
    assert second == "    shop_app.note: ValueError: Bob pays in coins"
    assert nitro("replay", found[1]) == "1 to be tried again\n"
    assert nitro("replay", found[1], code=1) == f"nitro: {found[1]}: no dead letter, `nitro relay dead` lists them\n"
    (tmp_path / "shop_app.py").write_text(SHOP.replace('"Bob"', '"Nobody"'), encoding="utf-8")
    assert nitro("--once") == "delivered 1\n"
    assert nitro("dead") == ""
    assert nitro("replay", "--all") == "0 to be tried again\n"
    assert sorted((tmp_path / "notes.txt").read_text().split()) == ["Ann", "Bob", "Bob"]


def test_dead_letters_are_kept_for_as_long_as_it_is_told(terminal: Terminal) -> None:
    terminal.place("Bob")
    terminal.nitro("--once", "--attempts", "1")
    assert "forgotten" not in terminal.nitro("--once", "--keep", "1")
    assert "1 dead letter is forgotten after 0 days" in terminal.nitro("--once", "--keep", "0")
    assert terminal.nitro("dead") == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_delivers_what_comes_until_it_is_told_to_end(
    number: signal.Signals, terminals: list[Terminal], tmp_path: Path
) -> None:
    terminal, other = terminals
    notes = tmp_path / "notes.txt"
    terminal.place("Ann")
    terminal.start("--workers", "2")
    wait_until(lambda: notes.exists() and "Ann" in notes.read_text(), "Ann's order is noted")
    other.place("Carl")
    wait_until(lambda: "Carl" in notes.read_text(), "Carl's order is noted")
    terminal.send(number)
    code, said = terminal.ended()
    assert code == 0, said
    assert said.startswith("delivering the events of ")
    assert "Traceback" not in said


def test_a_wrong_word_is_told(terminal: Terminal, tmp_path: Path) -> None:
    nitro = terminal.nitro
    assert nitro("replay", code=1) == "nitro: nitro relay replay takes the ids of dead letters, or --all\n"
    assert nitro("--workers", "0", code=1) == "nitro: --workers 0: at least one is needed\n"
    assert nitro("--once", "--lease", "0", code=1) == "nitro: a Relay has lease=0.0: it must be at least 0.1\n"
    (tmp_path / "shop_app.py").write_text(SHOP.replace("durable=True", ""), encoding="utf-8")
    assert nitro(code=1) == (
        "nitro: shop_app has no durable handler, as @on(signal, durable=True) makes one: "
        "name the module that imports each of them\n"
    )


def test_it_is_a_program(terminal: Terminal, tmp_path: Path) -> None:
    terminal.place("Ann")
    done = subprocess.run(
        [sys.executable, "-m", "nitro.cli", "relay", "--once"],
        cwd=tmp_path,
        env=terminal.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "delivered 1\n"), done.stderr
