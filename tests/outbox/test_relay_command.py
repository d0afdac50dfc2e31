"""The command `nitro relay`, as it is typed."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rows import wait_until

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

PLACE = """
import sys
from shop_app import Order, placed
for name in sys.argv[1:]:
    placed.send(Order(customer=name).save())
"""

Run = Callable[..., str]


@pytest.fixture
def environment(tmp_path: Path, url: str, clean_environment: Callable[..., dict[str, str]]) -> dict[str, str]:
    (tmp_path / "shop_app.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.nitro]\napp = "shop_app"\n', encoding="utf-8")
    return clean_environment(NITRO_SQL_URL=url)


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    def run(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_deliver_once_list_what_failed_and_replay_it(run: Run, tmp_path: Path) -> None:
    nitro = ("-m", "nitro.cli", "relay")
    run("-c", PLACE, "Ann", "Bob")
    assert "delivered 1\n" in run(*nitro, "--once", "--attempts", "1", "--workers", "2")
    first, second = run(*nitro, "dead").splitlines()
    found = re.fullmatch(r"(\S+) order-placed of shop_app.Order \S+, sent \S+ \S+ UTC, 1 attempts", first)
    assert found is not None
    assert second == "    shop_app.note: ValueError: Bob pays in coins"
    assert run(*nitro, "replay", found[1]) == "1 to be tried again\n"
    assert run(*nitro, "replay", found[1], code=1) == (
        f"nitro: {found[1]}: no dead letter, `nitro relay dead` lists them\n"
    )
    (tmp_path / "shop_app.py").write_text(SHOP.replace('"Bob"', '"Eve"'), encoding="utf-8")
    assert run(*nitro, "--once") == "delivered 1\n"
    assert run(*nitro, "dead") == ""
    assert "forgotten" not in run(*nitro, "--once", "--keep", "0")
    assert run(*nitro, "replay", "--all") == "0 to be tried again\n"
    assert sorted((tmp_path / "notes.txt").read_text().split()) == ["Ann", "Bob", "Bob"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_delivers_what_comes_until_it_is_told_to_end(
    number: signal.Signals, run: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    run("-c", PLACE, "Ann")
    relay = subprocess.Popen(
        [sys.executable, "-m", "nitro.cli", "relay", "--workers", "2"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    notes = tmp_path / "notes.txt"
    try:
        wait_until(lambda: notes.exists() and "Ann" in notes.read_text(), "Ann's order is noted")
        run("-c", PLACE, "Carl")
        wait_until(lambda: "Carl" in notes.read_text(), "Carl's order is noted")
        relay.send_signal(number)
        output, errors = relay.communicate(timeout=30)
    finally:
        relay.kill()
    assert relay.returncode == 0, errors
    assert output.startswith("delivering the events of ")
    assert "Traceback" not in errors


def test_a_wrong_word_is_told(run: Run, tmp_path: Path) -> None:
    nitro = ("-m", "nitro.cli", "relay")
    assert run(*nitro, "replay", code=1) == "nitro: nitro relay replay takes the ids of dead letters, or --all\n"
    assert run(*nitro, "--workers", "0", code=1) == "nitro: --workers 0: at least one is needed\n"
    assert run(*nitro, "--once", "--lease", "0", code=1) == "nitro: a Relay has lease=0.0: it must be at least 0.1\n"
    (tmp_path / "shop_app.py").write_text(SHOP.replace("durable=True", ""), encoding="utf-8")
    assert run(*nitro, code=1) == (
        "nitro: shop_app has no durable handler, as @on(signal, durable=True) makes one: "
        "name the module that imports each of them\n"
    )
