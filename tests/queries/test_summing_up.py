"""Sums, means and the like, over everything and by group."""

import datetime
from decimal import Decimal
from enum import Enum

import pytest

from nitro import Entity, Field, MemoryRepo, Model, UnknownFieldError

store = MemoryRepo()


class Status(Enum):
    DRAFT = "draft"
    PLACED = "placed"


class Address(Model):
    city: str


class Order(Entity, backend=store):
    status: Status = Field(Status.DRAFT, index=True)
    total: float | None = None
    price: Decimal = Decimal(0)
    weight: int = 0
    day: datetime.date | None = None
    address: Address | None = None
    wait: datetime.timedelta = datetime.timedelta(0)


@pytest.fixture
def _orders() -> None:
    for number, (status, total, city) in enumerate(
        [
            (Status.DRAFT, 1.5, "Oslo"),
            (Status.PLACED, 2.5, "Oslo"),
            (Status.PLACED, None, "Rome"),
            (Status.DRAFT, 4.0, None),
        ]
    ):
        Order(
            status=status,
            total=total,
            price=Decimal("0.1"),
            weight=10**20 + number,
            day=datetime.date(2026, 1, 4 - number),
            address=city and Address(city=city),
            wait=datetime.timedelta(hours=number),
        ).save()


@pytest.mark.usefixtures("_orders")
def test_everything():
    assert Order.where().sum("total") == 8.0
    assert Order.where().avg(Order.total) == pytest.approx(8 / 3)
    assert Order.where().min(Order.total) == 1.5
    assert Order.where().max("total") == 4.0


@pytest.mark.usefixtures("_orders")
def test_sums_stay_in_their_type():
    assert Order.where().sum("price") == Decimal("0.4")
    assert isinstance(Order.where().sum("price"), Decimal)
    assert Order.where().sum("weight") == 4 * 10**20 + 6
    assert Order.where().sum("wait") == datetime.timedelta(hours=6)
    assert Order.where().avg("wait") == datetime.timedelta(hours=1.5)


@pytest.mark.usefixtures("_orders")
def test_the_least_and_the_greatest_of_what_has_an_order():
    assert Order.where().min("day") == datetime.date(2026, 1, 1)
    assert Order.where().max("address.city") == "Rome"
    assert Order.where().max(Order.status) is Status.PLACED


def test_of_nothing():
    assert Order.where().sum("total") == 0
    assert Order.where().avg("total") is None
    assert Order.where().min("total") is None
    assert Order.where().max("total") is None
    assert Order.where().group_by("status").count() == {}
    Order(total=None).save()
    assert Order.where().sum("total") == 0
    assert Order.where().max("total") is None


@pytest.mark.usefixtures("_orders")
def test_of_a_narrower_query():
    assert Order.where(status=Status.DRAFT).sum("total") == 5.5
    assert Order.where().order_by("-total").limit(2).sum("total") == 6.5


@pytest.mark.usefixtures("_orders")
def test_by_group():
    grouped = Order.where().group_by("status")
    assert grouped.count() == {Status.DRAFT: 2, Status.PLACED: 2}
    assert grouped.sum("total") == {Status.DRAFT: 5.5, Status.PLACED: 2.5}
    assert grouped.avg(Order.total) == {Status.DRAFT: 2.75, Status.PLACED: 2.5}
    assert grouped.min("total") == {Status.DRAFT: 1.5, Status.PLACED: 2.5}
    assert grouped.max("total") == {Status.DRAFT: 4.0, Status.PLACED: 2.5}


@pytest.mark.usefixtures("_orders")
def test_by_several_fields_and_by_a_path():
    assert Order.where().group_by(Order.status, "address.city").count() == {
        (Status.DRAFT, "Oslo"): 1,
        (Status.PLACED, "Oslo"): 1,
        (Status.PLACED, "Rome"): 1,
        (Status.DRAFT, None): 1,
    }
    assert Order.where().group_by("address__city").count() == {"Oslo": 2, "Rome": 1, None: 1}


def test_groups_need_a_field_that_there_is():
    with pytest.raises(TypeError, match="group_by takes one field or more"):
        Order.where().group_by()
    with pytest.raises(UnknownFieldError, match="Order has no field 'stats'; did you mean 'status'?"):
        Order.where().group_by("stats")
    with pytest.raises(UnknownFieldError, match="Order has no field 'totl'; did you mean 'total'?"):
        Order.where().sum("totl")
