"""Many threads at one signal."""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from blinker import Signal

from nitro import off, on

THREADS, ROUNDS = 8, 300


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(function: Any) -> None:
    ready = threading.Barrier(THREADS)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        ready.wait(timeout=60)
        try:
            function(number)
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_no_registration_is_lost_and_all_are_taken_away():
    sent, calls = Signal(), []

    def work(number: int) -> None:
        for turn in range(ROUNDS):

            def handler(sender: Any, mine: Any = (number, turn)) -> None:
                if sender == mine:
                    calls.append(mine)

            on(sent)(handler)
            sent.send((number, turn))
            off(handler, sent)

    in_threads(work)
    assert sorted(calls) == [(number, turn) for number in range(THREADS) for turn in range(ROUNDS)]
    assert not sent.receivers


def test_once_is_once():
    for _ in range(50):
        sent, calls = Signal(), []
        on(sent, once=True)(calls.append)
        in_threads(sent.send)
        assert len(calls) == 1
        assert not sent.receivers
