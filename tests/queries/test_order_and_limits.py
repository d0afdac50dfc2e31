"""The order of what a query finds, and how much of it."""

import pytest

from nitro import Entity, EntityNotFound, Field, MemoryRepo, NitroError, col

store = MemoryRepo()


class Order(Entity, backend=store):
    name: str
    total: float | None = None
    status: str = Field("draft", index=True)
    size: int | None = Field(None, index=True)


def names(query) -> str:
    return "".join(order.name for order in query)


def make(*rows) -> None:
    for name, total, status, size in rows:
        Order(name=name, total=total, status=status, size=size).save()


@pytest.fixture
def _orders() -> None:
    make(("d", 1, "x", 3), ("a", 3, "x", None), ("c", 2, "y", 1), ("b", None, "y", 3), ("e", 2, "x", 2))


pytestmark = pytest.mark.usefixtures("_orders")


def test_without_an_order_they_come_as_they_were_first_saved():
    assert names(Order.where()) == "dacbe"
    Order.where(name="d").one().save()
    assert names(Order.all()) == "dacbe"
    Order.where(name="d").one().delete()
    make(("d", 1, "x", 3))
    assert names(Order.all()) == "acbed"


@pytest.mark.parametrize("field", ["name", Order.name, Order.name.asc(), col(Order.name)])
def test_every_way_to_name_an_ascending_order(field):
    assert names(Order.where().order_by(field)) == "abcde"


@pytest.mark.parametrize("field", ["-name", Order.name.desc()])
def test_every_way_to_name_a_descending_order(field):
    assert names(Order.where().order_by(field)) == "edcba"


def test_none_comes_first_and_last_in_reverse():
    assert names(Order.where().order_by("total", "name")) == "bdcea"
    assert names(Order.where().order_by("-total", "name")) == "acedb"
    assert names(Order.where().order_by("size", "name")) == "acebd"
    assert names(Order.where().order_by("-size", "name")) == "bdeca"


def test_equal_ones_come_as_they_were_first_saved_in_both_directions():
    assert names(Order.where().order_by("status")) == "daecb"
    assert names(Order.where().order_by("-status")) == "cbdae"
    assert names(Order.where().order_by("size")) == "acedb"
    assert names(Order.where().order_by("-size")) == "dbeca"
    assert names(Order.where().order_by("-total")) == "aceDb".lower()


def test_a_later_order_replaces_an_earlier_one():
    assert names(Order.where().order_by("name").order_by("-name")) == "edcba"
    assert names(Order.where().order_by("name").order_by()) == "dacbe"


@pytest.mark.parametrize("order", ["name", "-name", "size", "-size", "total", "-status"])
def test_limit_and_offset_cut_what_was_ordered(order):
    everything = names(Order.where().order_by(order))
    for limit in (None, 0, 1, 2, 5, 9):
        for offset in (0, 1, 4, 5, 9):
            wanted = everything[offset:][:limit] if limit is not None else everything[offset:]
            query = Order.where().order_by(order).limit(limit).offset(offset)
            assert names(query) == wanted
            assert query.count() == len(wanted)
            assert query.exists() == bool(wanted)


def test_limit_and_offset_without_an_order():
    assert names(Order.where().limit(2)) == "da"
    assert names(Order.where().offset(3)) == "be"
    assert names(Order.where(status="x").offset(1).limit(1)) == "a"
    assert names(Order.where().limit(2).limit(None)) == "dacbe"


@pytest.mark.parametrize("method", ["limit", "offset"])
def test_a_negative_number_is_refused(method):
    with pytest.raises(ValueError, match=f"{method} takes a number that is not negative, got -1"):
        getattr(Order.where(), method)(-1)


def test_first():
    assert Order.where().order_by("name").first().name == "a"
    assert Order.where().order_by("name").offset(2).first().name == "c"
    assert Order.where(name="z").first() is None
    assert Order.where().limit(0).first() is None


def test_one():
    assert Order.where(name="a").one().total == 3
    with pytest.raises(EntityNotFound, match="Order.name == 'z'"):
        Order.where(name="z").one()
    with pytest.raises(NitroError, match="several Order match .*status == 'x'.*, one was asked for"):
        Order.where(status="x").one()


def test_one_or_none():
    assert Order.where(name="a").one_or_none().total == 3
    assert Order.where(name="z").one_or_none() is None
    with pytest.raises(NitroError, match="several Order match"):
        Order.where().one_or_none()


def test_exists_and_count():
    assert Order.where(status="x").exists()
    assert not Order.where(status="z").exists()
    assert Order.where(status="x").count() == 3
    assert Order.where().count() == 5
    assert Order.where(Order.size > 1, status="x").count() == 2
    assert Order.where((Order.size == 3) | (Order.status == "x")).count() == 4


def test_the_key_orders_too():
    ids = [order.id for order in Order.all()]
    assert [order.id for order in Order.where().order_by("-id")] == sorted(ids, reverse=True)
