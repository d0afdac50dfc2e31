"""A relay gives each event to its handlers, in the order of each entity, and its effects are there once."""

import asyncio
import datetime
import threading
from typing import Any

import pytest
from blinker import signal
from durable_shop import open_shop, placed, shipped

import nitro
from nitro import (
    Entity,
    EntityNotFound,
    NitroError,
    SchemaMismatch,
    StaleEntityError,
    UnitOfWork,
    UnitOfWorkError,
    clock,
    on,
)
from nitro.backends.sql.outbox import Outbox
from nitro.outbox import Relay, StoredEvent, replay
from nitro.testing import frozen_clock


def test_each_handler_has_the_event_once(url: str) -> None:
    def first(order: Any, gift: bool) -> None:
        shop.Note(text=f"first {order.customer} {gift}").save()

    async def second(order: Any) -> None:
        await shop.Note(text=f"second {order.customer}").asave()

    shop = open_shop(url, first, second)
    placed.send(shop.Order().save(), gift=True)
    assert shop.relay().run_once() == 1
    assert shop.texts() == ["first Ann True", "second Ann"]
    assert shop.relay().run_once() == 0


def test_async_code_has_its_handlers_run_in_its_loop(url: str) -> None:
    loops: list[Any] = []
    threads: list[Any] = []

    async def in_loop(order: Any) -> None:
        loops.append(asyncio.get_running_loop())
        await shop.Note(text="async").asave()

    def in_thread(order: Any) -> None:
        threads.append(threading.current_thread())
        shop.Note(text="sync").save()

    shop = open_shop(url, in_loop, in_thread)

    async def main() -> None:
        placed.send(await shop.Order().asave())
        assert await shop.relay().arun_once() == 1
        assert loops == [asyncio.get_running_loop()]
        assert threading.current_thread() not in threads

    asyncio.run(main())
    assert shop.texts() == ["async", "sync"]


def test_the_sender_is_the_entity_as_it_is_now(url: str) -> None:
    def note(order: Any) -> None:
        shop.Note(text=f"{order.total:g}").save()
        order.total += 1
        order.save()

    shop = open_shop(url, note)
    order = shop.Order(total=1).save()
    placed.send(order)
    order.total = 5
    order.save()
    shop.relay().run_once()
    assert shop.texts() == ["5"]
    assert shop.Order.get(order.id).total == 6


def test_a_sender_that_is_gone_is_as_it_was_and_cannot_be_saved(url: str) -> None:
    errors: list[Exception] = []

    def mourn(order: Any) -> None:
        shop.Note(text=f"{order.customer} {order.total:g}").save()
        order.total = 7
        for verb in (order.save, order.delete, order.refresh):
            try:
                verb()
            except NitroError as error:
                errors.append(error)
        nitro.changes.revert(order)

    shop = open_shop(url, mourn)
    order = shop.Order(customer="Bob", total=3).save()
    placed.send(order)
    order.delete()
    assert shop.relay().run_once() == 1
    assert shop.texts() == ["Bob 3"]
    assert [type(error) for error in errors] == [StaleEntityError, EntityNotFound, EntityNotFound]
    assert shop.Order.all() == []


def test_keys_of_other_types_find_their_sender(url: str) -> None:
    seen: list[Any] = []
    shop = open_shop(url, lambda ticket: seen.append((ticket.number, ticket.title)))

    class Ticket(Entity, backend=shop.store):
        number: int = nitro.Field(primary_key=True)
        title: str

    nitro.create_all(Ticket)
    ticket = Ticket(number=7, title="old").save()
    placed.send(ticket)
    ticket.title = "new"
    ticket.save()
    assert shop.relay().run_once() == 1
    assert seen == [(7, "new")]


def test_what_a_handler_sends_is_part_of_its_transaction(url: str) -> None:
    attempts: list[int] = []

    def ship(order: Any) -> None:
        attempts.append(len(attempts))
        shop.Note(text="shipped").save()
        shipped.send(order, parcel=1)
        if len(attempts) < 3:
            raise ValueError("the van broke down")

    shop = open_shop(url, ship)

    @on(shipped, durable=True)
    def tell(order: Any, parcel: int) -> None:
        shop.Note(text=f"parcel {parcel}").save()

    placed.send(shop.Order().save())
    assert shop.relay().run_once() == 2
    assert shop.texts() == ["shipped", "parcel 1"]


def test_an_ordinary_handler_runs_as_ever(url: str) -> None:
    seen: list[str] = []
    shop = open_shop(url, lambda order: seen.append("durable"))
    on(placed)(lambda order: seen.append("at once"))
    placed.send(shop.Order().save())
    assert seen == ["at once"]
    shop.relay().run_once()
    assert seen == ["at once", "durable"]


# --- Order ---


def test_events_of_one_entity_wait_for_the_one_that_failed(url: str) -> None:
    fails = {2}

    def note(order: Any, number: int) -> None:
        if number in fails:
            raise ValueError("not now")
        shop.Note(text=f"{order.customer} {number}").save()

    shop = open_shop(url, note)
    ann, bob = shop.Order(customer="Ann").save(), shop.Order(customer="Bob").save()
    for number in (1, 2, 3):
        placed.send(ann, number=number)
        placed.send(bob, number=10 * number)
    with frozen_clock(nitro.now()) as clock:
        relay = shop.relay(backoff=60)
        assert relay.run_once() == 4
        assert shop.texts() == ["Ann 1", "Bob 10", "Bob 20", "Bob 30"]
        fails.clear()
        assert relay.run_once() == 0
        clock.tick(60)
        assert relay.run_once() == 2
    assert shop.texts()[4:] == ["Ann 2", "Ann 3"]


def test_events_of_one_entity_go_on_after_a_dead_letter(url: str) -> None:
    def note(order: Any, number: int) -> None:
        if number == 1:
            raise ValueError("never")
        shop.Note(text=f"{number}").save()

    shop = open_shop(url, note)
    order = shop.Order().save()
    placed.send(order, number=1)
    placed.send(order, number=2)
    assert shop.relay(attempts=3).run_once() == 1
    assert shop.texts() == ["2"]


def test_a_worker_takes_no_event_of_an_entity_that_another_has(url: str) -> None:
    shop = open_shop(url, lambda order: None)
    ann, bob = shop.Order().save(), shop.Order().save()
    outbox = Outbox(shop.store.database)
    for order in (ann, ann, bob):
        placed.send(order)

    def claim(worker: str, limit: int) -> list[str]:
        return [event.sender_key for event in outbox.claim(worker, limit=limit, lease=30)]

    assert claim("first", 1) == [ann.id]
    assert claim("second", 10) == [bob.id]
    assert claim("second", 10) == []
    outbox.release("first")
    assert claim("second", 10) == [ann.id, ann.id]


def test_many_workers_keep_the_order_of_each_entity(url: str) -> None:
    def note(order: Any, number: int) -> None:
        order.total += 1
        order.save()
        shop.Note(text=f"{order.customer} {number} {order.total:g}").save()

    shop = open_shop(url, note)
    orders = [shop.Order(customer=str(place)).save() for place in range(5)]
    for number in range(1, 13):
        for order in orders:
            placed.send(order, number=number)
    relays = [shop.relay(batch=3) for _ in range(4)]
    stop = threading.Event()
    threads = [threading.Thread(target=relay.run, args=(stop,)) for relay in relays]
    for thread in threads:
        thread.start()
    outbox, pause = Outbox(shop.store.database), threading.Event()
    for _ in range(3000):
        if not outbox.waiting():
            break
        pause.wait(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    for order in orders:
        mine = [text for text in shop.texts() if text.startswith(f"{order.customer} ")]
        assert mine == [f"{order.customer} {number} {number}" for number in range(1, 13)]


# --- Claims ---


def test_what_a_dead_worker_had_is_taken_over_when_its_lease_is_over(url: str) -> None:
    shop = open_shop(url, lambda order: shop.Note(text="done").save())
    placed.send(shop.Order().save())
    outbox = Outbox(shop.store.database)
    with frozen_clock(nitro.now()) as clock:
        assert len(outbox.claim("dead", limit=10, lease=30)) == 1
        assert shop.relay().run_once() == 0
        clock.tick(31)
        assert shop.relay().run_once() == 1
    assert shop.texts() == ["done"]


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_that_differ_delay_nothing(hours: int, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_once(order: Any) -> None:
        runs.append("run")
        if len(runs) == 1:
            raise ValueError("not now")

    def differ(hours: int) -> None:
        skew = datetime.timedelta(hours=hours)
        monkeypatch.setattr(clock, "now", lambda: datetime.datetime.now(datetime.UTC) + skew)

    runs: list[str] = []
    shop = open_shop(fresh_database, fails_once)
    outbox = Outbox(shop.store.database)
    differ(hours)
    placed.send(shop.Order().save())
    differ(0)
    assert len(outbox.claim("other", limit=1, lease=30)) == 1
    differ(-hours)
    # The lease of the other one is not over, whatever the time is here.
    assert shop.relay().run_once() == 0
    outbox.release("other")
    assert shop.relay(attempts=1).run_once() == 0
    differ(hours)
    replay(place=shop.store)
    differ(-hours)
    assert shop.relay().run_once() == 1


def test_who_has_lost_its_claim_does_nothing_twice(url: str) -> None:
    runs: list[str] = []

    def note(order: Any) -> None:
        runs.append("run")
        shop.Note(text="done").save()

    shop = open_shop(url, note)
    placed.send(shop.Order().save())
    outbox = Outbox(shop.store.database)
    with frozen_clock(nitro.now()) as clock:
        (event,) = outbox.claim("slow", limit=1, lease=30)
        clock.tick(31)
        assert shop.relay().run_once() == 1
        with shop.store.database.transaction():
            assert not outbox.receive(event.id, "any", "slow")
        assert not outbox.delivered(event.id, "slow")
    assert runs == ["run"]


def test_a_handler_that_had_the_event_before_its_relay_died_is_passed_over(url: str) -> None:
    def note(order: Any) -> None:
        shop.Note(text="done").save()

    shop = open_shop(url, note)
    placed.send(shop.Order().save())
    outbox = Outbox(shop.store.database)
    with frozen_clock(nitro.now()) as clock:
        (event,) = outbox.claim("dead", limit=1, lease=30)
        # It had committed, and died before it could say so.
        with shop.store.database.transaction():
            assert outbox.receive(event.id, _name(note), "dead")
            shop.Note(text="done").save()
        clock.tick(31)
        assert shop.relay().run_once() == 1
    assert shop.texts() == ["done"]


def test_an_event_that_ends_every_process_becomes_a_dead_letter(url: str) -> None:
    runs: list[str] = []
    shop = open_shop(url, lambda order: runs.append("run"))
    placed.send(shop.Order().save())
    outbox = Outbox(shop.store.database)
    relay = shop.relay(attempts=3)
    with frozen_clock(nitro.now()) as clock:
        for _ in range(4):
            (event,) = outbox.claim("dead", limit=1, lease=30)
            if event.is_taken_over:
                outbox.attempt(event, "dead")
            clock.tick(31)
        assert relay.run_once() == 0
    (letter,) = nitro.outbox.dead_letters(shop.store)
    assert letter.error == "the process that delivered it has ended, 3 times"
    assert runs == []


def test_a_slow_handler_keeps_its_claim(url: str) -> None:
    begun, go_on = threading.Event(), threading.Event()
    runs: list[str] = []

    def slow(order: Any) -> None:
        runs.append("run")
        begun.set()
        assert go_on.wait(20)

    shop = open_shop(url, slow)
    order = shop.Order().save()
    placed.send(order)
    placed.send(order)
    first = shop.relay(lease=0.3)
    thread = threading.Thread(target=first.run_once)
    thread.start()
    assert begun.wait(20)
    # Longer than its lease.
    threading.Event().wait(0.6)
    if not url.startswith("sqlite"):
        # SQLite has one writer, which is the handler.
        assert shop.relay().run_once() == 0
    go_on.set()
    thread.join()
    assert runs == ["run", "run"]
    assert Outbox(shop.store.database).waiting() == 0


def _name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"


# --- Running ---


def test_a_relay_in_the_background_delivers_what_is_sent(url: str) -> None:
    done = threading.Event()
    shop = open_shop(url, lambda order: done.set())
    # It would look again in a minute; that something is sent in this process wakes it.
    with shop.relay(interval=60).in_background():
        with UnitOfWork():
            placed.send(shop.Order().save())
        assert done.wait(20)
    assert Outbox(shop.store.database).waiting() == 0


def test_a_relay_in_the_background_of_a_loop_delivers_what_is_sent(url: str) -> None:
    async def main() -> None:
        done = asyncio.Event()

        async def note(order: Any) -> None:
            done.set()

        shop = open_shop(url, note)
        async with shop.relay(interval=60).in_background():
            async with UnitOfWork():
                placed.send(await shop.Order().asave())
            await asyncio.wait_for(done.wait(), 20)

    asyncio.run(main())


def test_a_relay_that_is_told_to_stop_ends_after_the_event_at_hand(url: str) -> None:
    stop = threading.Event()

    def note(order: Any) -> None:
        shop.Note(text="one").save()
        stop.set()

    shop = open_shop(url, note)
    for _ in range(3):
        placed.send(shop.Order().save())
    shop.relay().run(stop)
    assert shop.texts() == ["one"]
    # The others were given back.
    assert shop.relay().run_once() == 2


def test_a_cancelled_relay_ends_after_the_event_at_hand(url: str) -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def note(order: Any) -> None:
            begun.set()
            await asyncio.sleep(0.05)
            await shop.Note(text="one").asave()

        shop = open_shop(url, note)
        for _ in range(3):
            placed.send(await shop.Order().asave())
        task = asyncio.create_task(shop.relay().arun(asyncio.Event()))
        await asyncio.wait_for(begun.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await shop.Note.aall()) == 1
        assert await shop.relay().arun_once() == 2

    asyncio.run(main())


def test_a_relay_has_transactions_of_its_own(url: str) -> None:
    shop = open_shop(url, lambda order: None)
    with UnitOfWork(), pytest.raises(UnitOfWorkError, match="outside of units of work"):
        shop.relay().run_once()
    with shop.store.transaction(), pytest.raises(UnitOfWorkError, match="outside of units of work"):
        shop.relay().run_once()


def test_a_relay_without_an_outbox_says_what_makes_one(url: str) -> None:
    relay = Relay(url)
    with pytest.raises(SchemaMismatch, match="nitro.create_all"):
        relay.run_once()
    with pytest.raises(SchemaMismatch), relay.in_background():
        pass


@pytest.mark.parametrize("option", ["batch", "lease", "attempts", "backoff", "interval", "timeout"])
def test_numbers_that_make_no_sense_are_refused(option: str) -> None:
    with pytest.raises(nitro.ConfigurationError, match=f"a Relay has {option}=-1"):
        Relay("sqlite://", **{option: -1})


def test_to_keep_dead_letters_for_less_than_no_time_is_refused() -> None:
    with pytest.raises(nitro.ConfigurationError, match=r"a Relay has keep=.*: it must be at least 0:00:00"):
        Relay("sqlite://", keep=datetime.timedelta(days=-1))


def test_signals_of_one_name_are_one(url: str) -> None:
    seen: list[Any] = []
    shop = open_shop(url)
    on("order-placed", durable=True)(seen.append)
    signal("order-placed").send(shop.Order().save())
    assert shop.relay().run_once() == 1
    assert len(seen) == 1


def test_what_is_stored_can_be_read(url: str) -> None:
    shop = open_shop(url, lambda order: None)
    order = shop.Order(customer="Zoë").save()
    with frozen_clock(datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)):
        placed.send(order, gift=True)
        (event,) = Outbox(shop.store.database).claim("me", limit=1, lease=30)
    assert isinstance(event, StoredEvent)
    assert (event.signal, event.sender_key, event.keywords) == ("order-placed", order.id, '{"gift": true}')
    assert event.sender == nitro.encode(order).decode()
    assert event.created_at.isoformat() == "2026-01-02T03:04:05+00:00"
