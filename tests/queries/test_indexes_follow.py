"""The indexes of a live store follow its entities at once, whatever changes them."""

import copy
import pickle
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ConfigDict, field_validator, model_validator

from nitro import Entity, Field, Index, MemoryRepo

store = MemoryRepo()


class Order(Entity, backend=store):
    status: str = Field("draft", index=True)
    total: float | None = Field(None, index=True)
    tags: list[str] = Field([], index=True)
    plain: str = ""
    by_status = Index("status", "-total")


class Careful(Order):
    """Its own code runs at assignments, so pydantic makes them."""

    @field_validator("status")
    @classmethod
    def lower(cls, value: str) -> str:
        return value.lower()


class Checked(Order):
    @model_validator(mode="after")
    def no_negative_total(self) -> "Checked":
        if self.total is not None and self.total < 0:
            raise ValueError("negative")
        return self


class Own(Order):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)


class Extra(Order):
    model_config = ConfigDict(extra="allow")


classes = pytest.mark.parametrize("Order", [Order, Careful, Checked, Own, Extra], ids=lambda cls: cls.__name__)


def found(Order: Any, **lookups: Any) -> list[Any]:
    query = Order.where(**lookups)
    assert query.count() == len(query.all())
    return query.all()


@classes
def test_an_assignment(Order):
    order = Order(total=1).save()
    other = Order(total=2).save()
    order.status = "placed"
    assert found(Order, status="placed") == [order]
    assert found(Order, status="draft") == [other]
    order.total = 5
    assert found(Order, total__gt=4) == [order]
    assert Order.where(status="placed").order_by("-total").all() == [order]
    order.total = None
    assert found(Order, total=None) == [order]
    assert Order.where().order_by("total").all() == [order, other]
    assert store.check() == []


@classes
def test_a_refused_assignment(Order):
    order = Order(total=1).save()
    with pytest.raises(ValueError, match="total"):
        order.total = "much"
    assert found(Order, total=1) == [order]
    assert store.check() == []


def test_an_assignment_that_the_whole_refuses():
    order = Checked(total=1).save()
    with pytest.raises(ValueError, match="negative"):
        order.total = -1
    assert order.total == 1
    assert found(Checked, total=1) == [order]
    assert found(Checked, total=-1) == []


@classes
def test_a_revert(Order):
    order = Order(status="draft", total=1, tags=["a"]).save()
    order.status, order.total = "placed", 9
    order.tags.append("b")
    order.revert_changes()
    assert found(Order, status="draft", total=1) == [order]
    assert found(Order, status="placed") == []
    assert found(Order, tags=["a"]) == [order]
    assert store.check() == []


@classes
def test_a_delete_before_and_after_a_change(Order):
    orders = [Order(total=number).save() for number in range(4)]
    orders[0].status = "placed"
    orders[0].delete()
    orders[1].delete()
    orders[1].status = "placed"
    orders[2].tags.append("edited")
    orders[2].delete()
    assert found(Order, status="placed") == []
    assert found(Order, status="draft") == [orders[3]]
    assert store.check() == []


@classes
def test_saved_again_after_a_delete(Order):
    order = Order(total=1).save()
    order.delete()
    order.status = "placed"
    assert found(Order, status="placed") == []
    order.save()
    assert found(Order, status="placed") == [order]
    order.status = "draft"
    assert found(Order, status="draft") == [order]
    assert store.check() == []


@classes
def test_another_key(Order):
    order = Order(id="1", total=1).save()
    order.id = "2"
    order.status = "placed"
    order.save()
    assert Order.get_or_none("1") is None
    assert Order.get("2") is order
    assert found(Order, status="placed") == [order]
    order.total = 7
    assert found(Order, total=7) == [order]
    Order(id="1").save()
    order.id = "3"
    order.revert_changes()
    assert Order.get("2") is order
    order.delete()
    assert [order.id for order in Order.all()] == ["1"]


@classes
def test_in_place_edits_stand_in_the_index_from_the_next_save_on(Order):
    order = Order(tags=["a"]).save()
    order.tags.append("b")
    order.save()
    assert found(Order, tags=["a", "b"]) == [order]
    assert found(Order, tags=["a"]) == []
    order.tags = ["c"]
    assert found(Order, tags=["c"]) == [order]
    assert store.check() == []


@classes
@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda order: order.model_copy(),
        lambda order: order.model_copy(deep=True),
        lambda order: order.model_copy(update={"plain": "x"}),
        lambda order: pickle.loads(pickle.dumps(order)),
    ],
    ids=["copy", "deepcopy", "model_copy", "deep model_copy", "model_copy with update", "pickle"],
)
def test_a_copy_is_not_the_record(Order, copied):
    order = Order(total=1).save()
    twin = copied(order)
    twin.status = "placed"
    twin.total = 9
    assert found(Order, status="placed") == []
    assert found(Order, status="draft") == [order]
    assert found(Order, total=1) == [order]
    twin.revert_changes()
    del twin
    assert found(Order, status="draft")[0] is order
    assert store.check() == []


@classes
def test_a_copy_that_is_saved_becomes_the_record(Order):
    order = Order(total=1).save()
    twin = copy.deepcopy(order)
    twin.total = 9
    twin.save()
    order.status = "old"
    assert found(Order, status="old") == []
    twin.status = "new"
    assert found(Order, status="new")[0] is twin
    assert found(Order, total=9)[0] is twin
    assert store.check() == []


@classes
def test_a_strangers_assignment(Order):
    stranger = Order(status="placed")
    stranger.total = 3
    assert found(Order, status="placed") == []


def test_what_is_written_past_the_entity_is_found_by_check_and_mended_by_an_assignment():
    order = Order(total=1).save()
    order.__dict__["status"] = "secret"
    assert any("index status" in wrong for wrong in store.check())
    order.status = "placed"
    assert found(Order, status="placed") == [order]
    assert found(Order, status="draft") == []
    assert store.check() == []


@classes
def test_thousands_of_rows_come_and_go(Order):
    orders = [Order(total=number % 50, status=f"s{number % 7}").save() for number in range(5000)]
    for number, order in enumerate(orders):
        if number % 4:
            order.delete()
        elif number % 3:
            order.status = "s0"
    kept = orders[::4]
    assert Order.all() == kept
    assert found(Order, status="s0") == [order for order in kept if order.status == "s0"]
    assert found(Order, status="s0", total__lt=10) == [
        order for order in kept if order.status == "s0" and order.total < 10
    ]
    assert store.check() == []


def test_a_subclass_has_a_store_and_indexes_of_its_own():
    Order(status="placed").save()
    careful = Careful(status="PLACED").save()
    assert found(Careful, status="placed") == [careful]
    assert len(found(Order, status="placed")) == 1
    # A condition on the base class is one on the subclass too.
    assert Careful.where(Order.status == "placed").all() == [careful]
    assert Careful.where(Order.status == "placed", Careful.total == None).count() == 1  # noqa: E711
    assert Careful.where().order_by(Order.status).all() == [careful]
    assert "index status" in Careful.where(Order.status == "placed").explain()


def test_an_index_that_a_subclass_adds():
    class Shipped(Order):
        carrier: str = Field("post", index=True)
        by_carrier = Index("carrier", "status")

    shipped = Shipped(carrier="bike").save()
    assert Shipped.where(carrier="bike").one() is shipped
    assert "carrier" in Shipped.where(carrier="bike").explain()
    shipped.carrier = "van"
    assert Shipped.where(carrier="bike").count() == 0


class Interrupted(Decimal):
    """A number during one of whose readings something happens, as another thread may make it happen at any time."""

    happens: Any = None
    readings: int = 0

    def is_nan(self) -> bool:
        self.readings -= 1
        if self.readings == -1:
            self.happens()
        return super().is_nan()


class Priced(Entity, backend=store):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    status: str = Field("draft", index=True)
    code: str | None = Field(None, unique=True)
    price: Any = Field(None, index=True)
    tags: list[str] = Field([], index=True)
    by_status = Index("status", "price")


at_each_reading = pytest.mark.parametrize("readings", range(8))


@at_each_reading
def test_an_assignment_that_comes_between_is_not_overlooked(readings):
    order, price = Priced().save(), Interrupted("5")

    def happens() -> None:
        order.status = "placed"

    price.happens, price.readings = happens, readings
    order.price = price
    price.readings = -1
    assert order.price is price
    assert found(Priced, status=order.status, price=5) == [order]
    assert store.check() == []


@at_each_reading
def test_of_two_assignments_to_one_field_the_index_has_the_one_that_stays(readings):
    order, price = Priced().save(), Interrupted("5")

    def happens() -> None:
        order.price = 6

    price.happens, price.readings = happens, readings
    order.price = price
    price.readings = -1
    assert found(Priced, price=order.price) == [order]
    assert store.check() == []


@at_each_reading
def test_a_save_sees_what_is_assigned_while_it_looks(readings):
    price = Interrupted("5")
    price.readings = -1
    order, other = Priced(code="a", price=price, tags=["a"]).save(), Priced().save()

    def happens() -> None:
        order.code, order.tags, order.status = "b", ["b"], "placed"
        other.code = "a"

    price.happens, price.readings = happens, readings
    order.save()
    price.readings = -1
    if order.code == "b":
        assert found(Priced, code="a") == [other]
    assert found(Priced, code=order.code, tags=order.tags, status=order.status) == [order]
    assert store.check() == []


def test_what_a_validator_assigns_meanwhile_leaves_the_indexes_right():
    record: list[Any] = []

    class Busy(Order):
        @field_validator("total")
        @classmethod
        def meanwhile(cls, value: float) -> float:
            for order in record:
                order.status = "placed"
            return value

    record.append(Busy(status="draft").save())
    record[0].total = 5
    assert found(Busy, status=record[0].status) == record
    assert found(Busy, total=5) == record
    assert store.check() == []
