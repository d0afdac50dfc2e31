"""Handlers and receivers for async code, on sends of both kinds."""

import asyncio
import contextvars
import functools
import gc
import logging
import threading
import time
import weakref
from typing import Any

import pytest
from blinker import Signal

from nitro import Entity, MemoryRepo, UnitOfWork, asend, off, on

#: Seconds that nothing here takes.
LONG = 60


class Order(Entity, backend=MemoryRepo()):
    total: float = 0.0


def noting(calls: list[Any], name: str) -> Any:
    async def handler(sender: Any) -> None:
        calls.append(f"{name} begins")
        await asyncio.sleep(0)
        calls.append(f"{name} ends")

    return handler


# --- asend ---


def test_asend_awaits_handlers_one_after_the_other_in_their_order():
    sent, calls = Signal(), []
    on(sent)(noting(calls, "a"))
    on(sent)(lambda sender: calls.append("b"))
    on(sent)(noting(calls, "c"))
    asyncio.run(asend(sent, "me"))
    assert calls == ["a begins", "a ends", "b", "c begins", "c ends"]


def test_asend_gives_what_handlers_and_receivers_returned():
    sent = Signal()

    @on(sent)
    def handler(number: int, by: int) -> int:
        return number * by

    @on(sent, str)
    def other(number: int) -> None: ...

    @on(sent)
    async def awaited(number: int) -> int:
        await asyncio.sleep(0)
        return -number

    def receiver(number: int, **keywords: int) -> Any:
        return keywords

    async def awaited_receiver(number: int, by: int) -> int:
        await asyncio.sleep(0)
        return by

    sent.connect(receiver)
    sent.connect(awaited_receiver)
    returned = asyncio.run(asend(sent, 5, by=2))
    assert dict(returned) == {handler: 10, awaited: -5, receiver: {"by": 2}, awaited_receiver: 2}
    assert [function for function, _ in returned if function in (handler, awaited)] == [handler, awaited]


def test_asend_takes_the_name_of_a_signal():
    senders: list[Any] = []
    on("async-by-name")(senders.append)
    assert len(asyncio.run(asend("async-by-name"))) == 1
    off(senders.append)
    assert asyncio.run(asend("async-by-name", 5)) == []
    assert senders == [None]


def test_asend_runs_all_and_raises_one_error_of_handlers_and_receivers():
    sent, calls = Signal(), []

    @on(sent)
    async def first(sender: Any) -> None:
        raise ValueError("first")

    on(sent)(noting(calls, "a"))

    @on(sent)
    def third(sender: Any) -> None:
        raise ValueError("third")

    async def receiver(sender: Any) -> None:
        raise ValueError("receiver")

    sent.connect(receiver)
    with pytest.raises(ExceptionGroup, match="3 of 4 handlers failed") as raised:
        asyncio.run(asend(sent, "me"))
    assert sorted(map(str, raised.value.exceptions)) == ["first", "receiver", "third"]
    assert calls == ["a begins", "a ends"]
    assert [error.__notes__[0].rpartition(".")[2] for error in raised.value.exceptions if str(error) != "receiver"] == [
        "first",
        "third",
    ]


def test_asend_on_a_muted_signal_reaches_nobody():
    sent, calls = Signal(), []
    on(sent)(calls.append)
    with sent.muted():
        assert asyncio.run(asend(sent, 1)) == []
    assert calls == []


def test_asend_runs_a_handler_with_once_one_time():
    sent, calls = Signal(), []
    on(sent, once=True)(noting(calls, "a"))

    async def story() -> None:
        await asyncio.gather(asend(sent), asend(sent), asend(sent))

    asyncio.run(story())
    assert calls == ["a begins", "a ends"]
    assert not sent.receivers


def test_asend_that_is_cancelled_ends_at_once_and_tells_what_had_failed():
    sent, calls = Signal(), []

    @on(sent)
    def failed(sender: Any) -> None:
        raise ValueError("before")

    begun: list[asyncio.Event] = []

    @on(sent)
    async def hangs(sender: Any) -> None:
        begun[0].set()
        await asyncio.sleep(LONG)

    on(sent)(calls.append)

    async def story() -> BaseException:
        begun.append(asyncio.Event())
        task = asyncio.create_task(asend(sent, "me"))
        await begun[0].wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            return error
        raise AssertionError("it was not cancelled")

    error = asyncio.run(story())
    assert calls == []
    assert isinstance(error.__cause__, ExceptionGroup)


def test_asend_in_a_unit_of_work_is_a_part_of_it():
    sent = Signal()

    @on(sent)
    async def pay(order: Order) -> None:
        await Order(id="of the handler", total=order.total).asave()

    @on(sent, when=Order.total > 100)
    def refuse(order: Order) -> None:
        raise ValueError("too much")

    async def place(total: float) -> None:
        async with UnitOfWork():
            order = await Order(total=total).asave()
            await asend(sent, order)

    with pytest.raises(ExceptionGroup, match="1 of 2 handlers failed"):
        asyncio.run(place(500))
    assert Order.all() == []
    asyncio.run(place(50))
    assert [order.total for order in Order.all()] == [50, 50]
    for order in Order.all():
        order.delete()


# --- A plain send ---


def test_where_no_loop_runs_an_async_handler_runs_to_its_end():
    sent, calls = Signal(), []
    on(sent)(noting(calls, "a"))
    on(sent)(lambda sender: calls.append("b"))
    sent.send("me")
    assert calls == ["a begins", "a ends", "b"]


def test_where_no_loop_runs_its_error_is_one_of_the_send():
    sent = Signal()

    @on(sent)
    async def handler(sender: Any) -> None:
        raise ValueError("no mail")

    with pytest.raises(ExceptionGroup) as raised:
        sent.send()
    assert str(raised.value.exceptions[0]) == "no mail"
    assert len(raised.value.exceptions[0].__notes__) == 1


def test_where_a_loop_runs_it_is_a_task_of_it():
    sent, calls = Signal(), []
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    @on(sent)
    async def handler(sender: Any) -> int:
        await asyncio.sleep(0)
        calls.append(sender)
        return variable.get()

    async def story() -> None:
        variable.set(7)
        [(_, [(function, task)])] = sent.send("me")
        assert function is handler
        assert calls == []
        assert task.get_name().endswith("handler")
        assert await task == 7

    asyncio.run(story())
    assert calls == ["me"]


def test_it_does_not_begin_before_the_send_has_ended_where_tasks_are_eager():
    sent, calls = Signal(), []
    on(sent)(noting(calls, "a"))

    async def story() -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
        [(_, [(_, task)])] = sent.send("me")
        assert calls == []
        await task

    asyncio.run(story())


def test_a_task_is_kept_until_it_has_ended():
    sent, calls = Signal(), []
    waiting: list[Any] = []

    @on(sent)
    async def handler(sender: Any) -> None:
        # Nothing but the task has this future.
        future = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(future))
        await future
        calls.append("ended")

    async def story() -> None:
        sent.send()
        await asyncio.sleep(0)
        gc.collect()
        waiting[0]().set_result(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(story())
    assert calls == ["ended"]


def test_the_error_of_a_task_for_which_nobody_waits_goes_to_the_loop():
    sent, reports = Signal(), []

    @on(sent)
    async def handler(sender: Any) -> None:
        raise ValueError("no mail")

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
        [(_, [(_, task)])] = sent.send()
        await asyncio.wait([task])

    asyncio.run(story())
    [report] = reports
    assert str(report["exception"]) == "no mail"
    assert report["message"].endswith("handler failed; nobody waited for it")
    assert report["exception"].__notes__[0].endswith("handler")


def test_the_loop_logs_it_as_an_error(caplog: pytest.LogCaptureFixture):
    sent = Signal()

    @on(sent)
    async def handler(sender: Any) -> None:
        raise ValueError("no mail")

    async def story() -> None:
        sent.send()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(story())
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "nobody waited for it" in record.message
    assert record.exc_info


def test_a_task_that_is_cancelled_with_its_loop_is_logged(caplog: pytest.LogCaptureFixture):
    sent = Signal()

    @on(sent)
    async def handler(sender: Any) -> None:
        await asyncio.sleep(LONG)

    async def story() -> None:
        sent.send()
        await asyncio.sleep(0)

    asyncio.run(story())
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "nitro.events")
    assert "was cancelled before its end" in record.message


def test_a_unit_of_work_waits_for_it():
    sent, calls = Signal(), []

    @on(sent)
    async def handler(sender: Any) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        calls.append("ended")

    async def story() -> None:
        async with UnitOfWork() as uow:
            uow.on_commit(lambda: calls.append("committed"))
            sent.send("me")
            assert calls == []
        assert calls == ["ended", "committed"]

    asyncio.run(story())


def test_its_error_is_that_of_the_unit_of_work():
    sent = Signal()

    @on(sent)
    async def handler(order: Order) -> None:
        raise ValueError("no mail")

    async def story() -> None:
        async with UnitOfWork():
            order = await Order().asave()
            sent.send(order)

    with pytest.raises(ValueError, match="no mail") as raised:
        asyncio.run(story())
    assert raised.value.__notes__[0].endswith("handler")
    assert Order.all() == []


def test_a_task_that_send_has_made_is_part_of_the_unit_of_work():
    sent = Signal()

    @on(sent)
    async def handler(order: Order) -> None:
        await Order(total=1).asave()
        if order.total == 3:
            raise ValueError

    async def story(total: float) -> None:
        async with UnitOfWork():
            sent.send(await Order(total=total).asave())

    asyncio.run(story(2))
    assert {order.total for order in Order.all()} == {1, 2}
    with pytest.raises(ValueError):  # noqa: PT011  (it is the handler's)
        asyncio.run(story(3))
    assert {order.total for order in Order.all()} == {1, 2}


def test_what_a_function_returns_is_awaited_when_it_is_a_coroutine():
    sent, calls = Signal(), []

    @functools.wraps(noting(calls, "a"))
    def wrapped(sender: Any) -> Any:
        return noting(calls, "a")(sender)

    on(sent)(wrapped)
    sent.send()
    asyncio.run(asend(sent))
    assert calls == ["a begins", "a ends"] * 2


def test_objects_and_partials_can_be_async():
    sent, calls = Signal(), []

    class Mailer:
        async def __call__(self, sender: Any) -> None:
            calls.append("called")

        async def method(self, sender: Any) -> None:
            calls.append("method")

        @staticmethod
        async def static(sender: Any) -> None:
            calls.append("static")

    async def two(first: str, sender: Any) -> None:
        calls.append(first)

    for handler in (Mailer(), Mailer().method, Mailer.__dict__["static"], functools.partial(two, "partial")):
        on(sent, timeout=LONG)(handler)
    sent.send()
    assert calls == ["called", "method", "static", "partial"]


def test_threads_run_async_handlers_each_in_a_loop_of_its_own():
    sent, loops = Signal(), set()

    @on(sent)
    async def handler(sender: Any) -> None:
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)

    threads = [threading.Thread(target=sent.send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loops) == 8


# --- Handlers that hang ---


async def hangs(sender: Any) -> None:
    await asyncio.sleep(LONG)


def test_a_handler_that_hangs_is_ended_after_its_timeout_and_the_others_run():
    sent, calls = Signal(), []
    on(sent, timeout=0.01)(hangs)
    on(sent)(calls.append)
    begun = time.monotonic()
    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(asend(sent, "me"))
    [error] = raised.value.exceptions
    assert type(error) is TimeoutError
    assert str(error).endswith(".hangs took longer than 0.01 s")
    assert calls == ["me"]
    with pytest.raises(ExceptionGroup):
        sent.send("you")
    assert calls == ["me", "you"]
    assert time.monotonic() - begun < LONG / 2


def test_a_timeout_of_the_handlers_own_is_left_as_it_is():
    sent = Signal()

    @on(sent, timeout=LONG)
    async def handler(sender: Any) -> None:
        raise TimeoutError("of my own")

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(asend(sent))
    assert str(raised.value.exceptions[0]) == "of my own"


def test_a_task_that_hangs_is_ended_too():
    sent, reports = Signal(), []
    on(sent, timeout=0.01)(hangs)

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
        [(_, [(_, task)])] = sent.send()
        await asyncio.wait([task])

    asyncio.run(story())
    assert [type(report["exception"]) for report in reports] == [TimeoutError]


def test_a_handler_can_send_further_events_to_be_awaited():
    first, second, calls = Signal(), Signal(), []

    @on(first)
    async def handler(sender: Any) -> None:
        calls.append("first begins")
        await asend(second, sender)
        calls.append("first ends")

    on(second)(noting(calls, "second"))
    asyncio.run(asend(first))
    assert calls == ["first begins", "second begins", "second ends", "first ends"]
