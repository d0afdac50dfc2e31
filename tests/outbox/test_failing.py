"""A handler that raises is tried again; what fails too often is a dead letter, which can be replayed."""

import asyncio
import datetime
import logging
import threading
from typing import Any

import pytest
from durable_shop import open_shop, placed

import nitro
from nitro import off
from nitro.backends.sql.outbox import Outbox
from nitro.outbox import dead_letters, replay
from nitro.testing import frozen_clock
from rows import wait_until


def test_what_a_handler_did_before_it_failed_is_not_kept(url: str) -> None:
    runs: list[int] = []

    def note(order: Any) -> None:
        runs.append(len(runs))
        shop.Note(text=f"run {len(runs)}").save()
        if len(runs) < 3:
            raise ValueError("not yet")

    shop = open_shop(url, note)
    placed.send(shop.Order().save())
    assert shop.relay().run_once() == 1
    assert shop.texts() == ["run 3"]


def test_the_other_handlers_of_the_event_run_and_are_not_run_again(url: str) -> None:
    runs: list[int] = []

    def fails(order: Any) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("not yet")

    def works(order: Any) -> None:
        shop.Note(text="done").save()

    shop = open_shop(url, fails, works)
    placed.send(shop.Order().save())
    assert shop.relay().run_once() == 1
    assert (len(runs), shop.texts()) == (3, ["done"])


def test_each_pause_is_about_twice_the_one_before(url: str) -> None:
    def fails(order: Any) -> None:
        raise ValueError("never")

    shop = open_shop(url, fails)
    placed.send(shop.Order().save())
    relay, outbox = shop.relay(backoff=10, attempts=4), Outbox(shop.store.database)

    def is_waiting() -> bool:
        return not outbox.claim("me", limit=1, lease=0.1)

    with frozen_clock(nitro.now()) as clock:
        for pause in (10, 20, 40):
            assert relay.run_once() == 0
            clock.tick(pause / 2 - 0.1)
            assert is_waiting()
            clock.tick(pause / 2 + 0.1)
        assert relay.run_once() == 0
    (letter,) = dead_letters(shop.store)
    assert letter.attempts == 4


def test_a_dead_letter_says_what_was_wrong_and_can_be_replayed(url: str) -> None:
    def fails(order: Any) -> None:
        raise ValueError("no stamp\0")

    def works(order: Any) -> None:
        shop.Note(text="done").save()

    shop = open_shop(url, fails, works)
    order = shop.Order().save()
    placed.send(order, gift=True)
    placed.send(order, gift=False)
    assert shop.relay(attempts=2).run_once() == 0
    first, second = dead_letters(shop.store)
    assert first.error == f"{__name__}.{fails.__qualname__}: ValueError: no stamp\ufffd"
    assert (first.signal, first.sender_key, first.attempts) == ("order-placed", order.id, 2)
    assert first.keywords == '{"gift": true}'
    off(fails)

    @nitro.on(placed, durable=True)
    def fails(order: Any, gift: bool) -> None:
        shop.Note(text=f"posted {gift}").save()

    assert replay(first.id, shop.store) == 1
    assert replay("unknown", shop.store) == 0
    assert shop.relay().run_once() == 1
    assert dead_letters(shop.store) == [second]
    assert replay(place=shop.store) == 1
    assert shop.relay().run_once() == 1
    assert shop.texts() == ["done", "done", "posted True", "posted False"]


def test_a_relay_forgets_dead_letters_when_it_is_told_how_long_to_keep_them(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(order: Any) -> None:
        raise ValueError("never")

    shop = open_shop(url, fails)
    relay = shop.relay(attempts=1, keep=datetime.timedelta(days=30))
    caplog.set_level(logging.INFO, "nitro.outbox")
    with frozen_clock(nitro.now()) as clock:
        for customer in ("Ann", "Bob"):
            placed.send(shop.Order(customer=customer).save())
            relay.run_once()
            clock.tick(datetime.timedelta(days=14).total_seconds())
        shop.relay().run_once()
        relay.run_once()
        assert len(dead_letters(shop.store)) == 2
        placed.send(shop.Order(customer="Eve").save())
        clock.tick(datetime.timedelta(days=3).total_seconds())
        # Only what has failed is as old as that.
        assert relay.run_once() == 0
        assert [nitro.decode(shop.Order, letter.sender).customer for letter in dead_letters(shop.store)] == [
            "Bob",
            "Eve",
        ]
    assert "1 dead letter is forgotten after 30 days" in caplog.text


def test_a_relay_forgets_while_it_runs(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(order: Any) -> None:
        raise ValueError("never")

    monkeypatch.setattr("nitro.outbox._FORGETTING", 0.01)
    shop = open_shop(url, fails)
    with shop.relay(attempts=1, keep=datetime.timedelta(0)).in_background():
        placed.send(shop.Order().save())
        outbox = Outbox(shop.store.database)
        wait_until(lambda: not outbox.waiting() and not outbox.dead(), "the dead letter is forgotten")


def test_a_handler_that_nobody_knows_is_told(url: str) -> None:
    def leaves(order: Any) -> None:
        pass

    shop = open_shop(url, leaves)
    placed.send(shop.Order().save())
    off(leaves)
    assert shop.relay(attempts=1).run_once() == 0
    (letter,) = dead_letters(shop.store)
    assert letter.error is not None
    assert letter.error.endswith(
        f"order-placed has no durable handler {letter.error.partition(': ')[0]} here: name the module that defines it with --app"
    )


def test_an_async_handler_that_takes_too_long_is_cancelled(url: str) -> None:
    ended: list[str] = []

    async def hangs(order: Any) -> None:
        try:
            await shop.Note(text="never").asave()
            await asyncio.Event().wait()
        finally:
            # Wherever it was: to save may take that long, too.
            ended.append("cancelled")

    shop = open_shop(url, hangs)
    placed.send(shop.Order().save())
    assert shop.relay(attempts=2, timeout=0.1).run_once() == 0
    (letter,) = dead_letters(shop.store)
    assert letter.error is not None
    assert letter.error.endswith("hangs took longer than 0.1 s")
    assert ended == ["cancelled", "cancelled"]
    assert shop.texts() == []


def test_what_a_handler_does_after_its_time_is_not_kept(fresh_database: str) -> None:
    go_on, ended = threading.Event(), threading.Event()

    def hangs(order: Any) -> None:
        shop.Note(text="too late").save()
        assert go_on.wait(20)
        ended.set()

    shop = open_shop(fresh_database, hangs)
    placed.send(shop.Order().save())
    assert shop.relay(attempts=1, timeout=0.1).run_once() == 0
    (letter,) = dead_letters(shop.store)
    assert letter.error is not None
    assert letter.error.endswith("hangs took longer than 0.1 s")
    go_on.set()
    assert ended.wait(20)
    # Its row in the inbox is not kept either, so it can be replayed: who replays waits for its transaction.
    replay(letter.id, shop.store)
    assert shop.relay().run_once() == 1
    assert shop.texts() == ["too late"]


def test_two_that_are_in_each_others_way_are_tried_again(url: str) -> None:
    runs: list[int] = []

    def count(order: Any) -> None:
        runs.append(1)
        if len(runs) == 1:
            # Somebody else saves the same record meanwhile.
            shop.store.database.execute('UPDATE "order" SET _version = _version + 1', ())
        order.total += 1
        order.save()

    shop = open_shop(url, count)
    order = shop.Order().save()
    placed.send(order)
    assert shop.relay().run_once() == 1
    assert (len(runs), shop.Order.get(order.id).total) == (2, 1)


def test_an_error_that_ends_the_relay_gives_back_what_it_had_claimed(url: str) -> None:
    shop = open_shop(url)

    @nitro.on(placed, durable=True)
    def exits(order: Any) -> None:
        raise SystemExit(3)

    for _ in range(2):
        placed.send(shop.Order().save())
    with pytest.raises(SystemExit):
        shop.relay().run_once()
    off(exits)

    @nitro.on(placed, durable=True)
    def exits(order: Any) -> None:
        pass

    assert shop.relay().run_once() == 2
