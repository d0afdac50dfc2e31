"""Several stores of one class, clearing them, locks, and how a query is answered."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nitro import Entity, EntityNotFound, Field, Index, MemoryRepo, NitroError

store = MemoryRepo()
other = MemoryRepo()


class Order(Entity, backend=store):
    name: str = Field("", unique=True)
    status: str = Field("draft", index=True)
    total: int = Field(0, index=True)
    plain: int = 0
    by_status = Index("status", "-plain")


class Product(Entity, backend=store):
    name: str = ""


def test_each_store_has_its_own():
    here, there = Order(name="a"), Order(name="a")
    store.save(here)
    other.save(there)
    assert store.get(Order, here.id) is here
    assert store.get(Order, there.id) is None
    assert other.get(Order, there.id) is there
    there.status = "placed"
    assert Order.where(status="placed").count() == 0
    assert other.select(Order.where(status="placed")) == [there]
    assert other.check() == []


def test_clearing_one_class_or_all():
    order, product = Order(name="a").save(), Product().save()
    store.clear(Order)
    assert Order.all() == []
    assert Product.all() == [product]
    order.status = "placed"
    assert Order.where(status="placed").count() == 0
    order.save()
    assert Order.where(status="placed").all() == [order]
    store.clear()
    assert Order.all() == Product.all() == []
    Order(name="a").save()


def test_a_locked_entity():
    order = Order(name="a").save()
    with store.locked(Order, order.id) as locked:
        assert locked is order
        # The same thread may have it again.
        with store.locked(Order, order.id) as again:
            assert again is order
    with pytest.raises(EntityNotFound, match="no Order has the key 'nobody'"), store.locked(Order, "nobody"):
        pass


def test_a_lock_is_given_back_after_an_error():
    order = Order(name="a").save()
    with pytest.raises(RuntimeError, match="on purpose"), store.locked(Order, order.id):
        raise RuntimeError("on purpose")
    done = []
    thread = threading.Thread(target=lambda: done.append(store.locked(Order, order.id).__enter__()))
    thread.start()
    thread.join(30)
    assert done == [order]


def run(story):
    return asyncio.run(asyncio.wait_for(story, 30))


def test_a_task_waits_for_the_lock_and_its_event_loop_goes_on():
    order = Order(name="a").save()
    seen = []

    async def first(inside: asyncio.Event) -> None:
        async with store.alocked(Order, order.id) as locked:
            assert locked is order
            # The same task may have it again, in both ways.
            async with store.alocked(Order, order.id):
                with store.locked(Order, order.id):
                    inside.set()
                    await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            seen.append("first")

    async def second() -> None:
        async with store.alocked(Order, order.id):
            seen.append("second")

    async def story() -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(first(inside))
        await inside.wait()
        await asyncio.gather(second(), task)
        with pytest.raises(EntityNotFound, match="no Order has the key 'nobody'"):
            async with store.alocked(Order, "nobody"):
                pass

    run(story())
    assert seen == ["first", "second"]


def test_tasks_of_several_loops_and_threads_wait_for_one_another():
    order = Order(name="a").save()
    barrier = threading.Barrier(6)

    async def add() -> None:
        async with store.alocked(Order, order.id) as locked:
            total = locked.total
            await asyncio.sleep(0)
            locked.total = total + 1

    async def many() -> None:
        barrier.wait()
        await asyncio.gather(*(add() for _ in range(100)))

    def work() -> None:
        barrier.wait()
        for _ in range(100):
            with store.locked(Order, order.id) as locked:
                total = locked.total
                Order.where(total=total).count()
                locked.total = total + 1

    with ThreadPoolExecutor(6) as threads:
        done = [threads.submit(run, many()) for _ in range(3)] + [threads.submit(work) for _ in range(3)]
    for one in done:
        one.result()
    assert order.total == 600


def test_a_task_that_is_cancelled_while_it_waits_leaves_the_lock_to_others():
    order = Order(name="a").save()
    seen = []

    async def wait(name: str) -> None:
        async with store.alocked(Order, order.id):
            seen.append(name)

    async def story() -> None:
        async with store.alocked(Order, order.id):
            waiting = [asyncio.create_task(wait(name)) for name in ("early", "middle", "late")]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        # The lock has been handed to this one, which has not run since.
        waiting[1].cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in ended] == [asyncio.CancelledError, asyncio.CancelledError, type(None)]
        with store.locked(Order, order.id):
            seen.append("after")

    run(story())
    assert seen == ["late", "after"]


def test_a_task_of_a_loop_that_has_ended_is_passed_over():
    order = Order(name="a").save()
    loop = asyncio.new_event_loop()

    async def wait() -> None:
        async with store.alocked(Order, order.id):
            pass

    with store.locked(Order, order.id):
        left = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        left._log_destroy_pending = False
    with store.locked(Order, order.id) as locked:
        assert locked is order
    left.get_coro().close()


def test_a_task_does_not_stop_the_loop_for_a_lock_of_another_task():
    order = Order(name="a").save()

    async def other() -> None:
        with pytest.raises(NitroError, match="alocked"), store.locked(Order, order.id):
            pass

    async def story() -> None:
        async with store.alocked(Order, order.id):
            await asyncio.create_task(other())
        with store.locked(Order, order.id) as locked:
            assert locked is order

    run(story())


def test_no_update_under_a_lock_is_lost():
    orders = [Order(name=str(number)).save() for number in range(3)]
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for round in range(200):
            with store.locked(Order, orders[round % 3].id) as order:
                total = order.total
                # Whoever waits for the lock may run here.
                Order.where(total=total).count()
                order.total = total + 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(order.total for order in orders) == 1600


@pytest.mark.parametrize(
    ("ask", "lines"),
    [
        (lambda: Order.where(), ["scan of all 100 rows"]),
        (lambda: Order.where(plain=3), ["scan of all 100 rows", "filter by 1 of 1 conditions"]),
        (lambda: Order.where(name="7"), ["index name (1 rows)"]),
        (lambda: Order.where(total=3), ["index total (10 rows)"]),
        (lambda: Order.where(Order.total.in_([1, 2])), ["index total (20 rows)"]),
        (lambda: Order.where(Order.name.startswith("1")), ["index name (11 rows)"]),
        (lambda: Order.where(total__gt=7), ["index total (20 rows)"]),
        (lambda: Order.where().order_by("-total").limit(5), ["index total (100 rows) in reverse order"]),
        (lambda: Order.where(total=3).order_by("plain"), ["index total (10 rows)", "sort"]),
        (lambda: Order.where(total=3, plain=3), ["index total (10 rows)", "filter by 1 of 2 conditions"]),
        (lambda: Order.where((Order.total == 3) | (Order.name == "7")), ["union of index", "index total (10 rows)"]),
        (lambda: Order.where(status="s1").order_by("-plain").limit(5), ["index status, -plain (50 rows) in order"]),
    ],
)
def test_explain_says_which_indexes_answer(ask, lines):
    for number in range(100):
        Order(name=str(number), status=f"s{number % 2}", total=number % 10, plain=number).save()
    explained = ask().explain()
    assert [line for line in lines if line not in explained] == [], explained
    assert ("sort" in explained) == ("sort" in lines)
