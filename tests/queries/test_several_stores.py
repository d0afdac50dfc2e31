"""Several stores of one class, clearing them, locks, and how a query is answered."""

import threading

import pytest

from nitro import Entity, EntityNotFound, Field, Index, MemoryRepo

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
