"""What counts as a change: assignments, in-place edits, deletions; and what does not."""

import datetime
import enum
import uuid
from decimal import Decimal
from functools import cached_property
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field, field_validator, model_validator

import nitro
from nitro import Entity, Model, ValueObject


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Money(ValueObject):
    amount: int
    currency: str = "NOK"


class Line(Model):
    product: str
    quantity: int = 1
    tags: list[str] = []


class Order(Entity):
    name: str = "a"
    total: float = 0.0
    lines: list[Line] = []
    first: Line | None = None
    by_name: dict[str, Line] = {}
    tags: list[str] = []
    labels: set[str] = set()
    table: dict[str, list[int]] = {}
    price: Money = Money(amount=1)
    anything: Any = None


# --- assignments --------------------------------------------------------------------------------------------------


def test_a_new_entity_has_not_changed():
    order = Order(name="b", lines=[{"product": "tea"}], tags=["x"])
    assert order.changes == {}
    assert not order.is_changed
    assert order.changed_fields == set()
    assert order.previous_changes == {}


def test_an_assignment_is_a_change_from_the_old_value_to_the_new():
    order = Order()
    order.name = "b"
    assert order.is_changed
    assert order.changed_fields == {"name"}
    assert order.changes == {"name": ("a", "b")}
    assert order.original("name") == "a"
    assert order.original("total") == 0.0


def test_the_old_value_is_the_first_one_whatever_comes_between():
    order = Order()
    for name in ("b", "c", "d"):
        order.name = name
    assert order.changes == {"name": ("a", "d")}


def test_an_equal_value_is_no_change():
    order = Order()
    order.name = "a"
    order.total = 0
    order.price = Money(amount=1)
    order.tags = []
    order.lines = []
    order.first = None
    assert not order.is_changed
    assert order.changes == {}
    assert order.model_fields_set == {"name", "total", "price", "tags", "lines", "first"}


def test_a_value_set_back_is_no_change():
    order = Order(tags=["x"])
    order.name = "b"
    order.tags = ["y"]
    order.price = Money(amount=2)
    assert order.changed_fields == {"name", "tags", "price"}
    order.name = "a"
    order.tags = ["x"]
    order.price = Money(amount=1)
    assert order.changes == {}
    assert not order.is_changed


def test_values_are_seen_as_validated():
    order = Order()
    order.total = "5"
    order.lines = [{"product": "tea"}]
    assert order.changes == {"total": (0.0, 5.0), "lines": ([], [Line(product="tea")])}


def test_changes_come_in_the_order_of_the_fields():
    order = Order()
    order.anything = 1
    order.tags.append("x")
    order.name = "b"
    assert list(order.changes) == ["name", "tags", "anything"]


def test_changes_are_a_copy():
    order = Order(tags=["x"])
    order.tags.append("y")
    found = order.changes
    found.clear()
    order.changed_fields.clear()
    order.changes["tags"][0].append("z")
    assert order.changes == {"tags": (["x"], ["x", "y"])}
    assert order.original("tags") == ["x"]
    order.original("tags").append("w")
    assert order.original("tags") == ["x"]


def test_the_new_value_in_changes_is_the_value_of_the_entity():
    order = Order()
    order.tags.append("x")
    assert order.changes["tags"][1] is order.tags


def test_an_unknown_field_has_no_original():
    with pytest.raises(AttributeError, match="Order.*nothing"):
        Order().original("nothing")
    with pytest.raises(AttributeError, match="nothing"):
        nitro.changes.original(Order(), "nothing")


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        (str, "a", "b"), (str, "", "æ"), (int, 0, 1), (int, 2**63, -(2**70)), (float, 0.0, 1.5), (bool, True, False), (bytes, b"a", b"b"),
        (datetime.datetime, datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 2)), (datetime.date, datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)),
        (datetime.time, datetime.time(1), datetime.time(2)), (datetime.timedelta, datetime.timedelta(1), datetime.timedelta(2)),
        (uuid.UUID, uuid.UUID(int=1), uuid.UUID(int=2)), (Decimal, Decimal(1), Decimal("1.5")), (Colour, Colour.RED, Colour.BLUE),
        (int | None, None, 1), (int | str, 1, "a"), (list[int], [1], [2]), (dict[str, int], {"a": 1}, {"a": 2}), (set[int], {1}, {2}),
        (frozenset[int], frozenset({1}), frozenset({2})), (tuple[int, ...], (1,), (2,)), (tuple[int, list[int]], (1, [1]), (1, [2])),
        (Line, Line(product="a"), Line(product="b")), (Money, Money(amount=1), Money(amount=2)), (Any, 1, "x"), (object, 1, 2),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_every_kind_of_value(kind, old, new):
    class Holder(Entity):
        before: int = 0
        value: kind
        after: int = 0

    for holder in (Holder(value=old), Holder.model_validate({"value": old}), Holder.model_construct(value=old)):
        assert not holder.is_changed
        holder.value = new
        assert holder.changes == {"value": (old, new)}
        holder.value = old
        assert holder.changes == {}
        holder.value = new
        holder.revert_changes()
        assert holder.value == old
        assert not holder.is_changed


def test_not_a_number_set_again_is_no_change():
    nan = float("nan")
    order = Order(total=nan)
    order.total = nan
    assert not order.is_changed
    order.total = 1.0
    assert order.changed_fields == {"total"}


def test_the_key_is_tracked_like_any_field():
    order = Order(id="1")
    order.id = "2"
    assert order.changes == {"id": ("1", "2")}


def test_what_is_no_field_is_no_change():
    class Shape(Entity):
        model_config = ConfigDict(extra="allow")
        side: int = 1
        _note: str = ""

        @cached_property
        def area(self) -> int:
            return self.side**2

        @computed_field
        @property
        def double(self) -> int:
            return self.side * 2

    shape = Shape(other=1)
    shape._note = "x"
    shape.other = 2
    assert shape.area == 1
    del shape.area
    assert shape.changes == {}
    shape.side = 5
    assert shape.changes == {"side": (1, 5)}


# --- refused assignments ------------------------------------------------------------------------------------------


def test_a_refused_assignment_leaves_everything_as_it_was():
    order = Order(name="b")
    for name, wrong in (("name", 5), ("total", "x"), ("lines", [{}]), ("tags", 1), ("price", None), ("nothing", 1)):
        before = (order.model_dump(), set(order.model_fields_set), order.changes)
        with pytest.raises(ValidationError):
            setattr(order, name, wrong)
        assert (order.model_dump(), set(order.model_fields_set), order.changes) == before
    order.name = "c"
    order.tags.append("x")
    with pytest.raises(ValidationError):
        order.name = 5
    with pytest.raises(ValidationError):
        order.tags = 5
    assert order.changes == {"name": ("b", "c"), "tags": ([], ["x"])}
    assert order.model_fields_set == {"name"}


def test_a_refused_assignment_by_a_field_validator():
    class Account(Entity):
        balance: int = 0
        log: list[str] = []

        @field_validator("balance")
        @classmethod
        def not_negative(cls, value):
            if value < 0:
                raise ValueError("negative")
            return value

    account = Account()
    with pytest.raises(ValidationError, match="negative"):
        account.balance = -1
    assert (account.balance, account.model_fields_set, account.changes) == (0, set(), {})
    account.balance = 5
    assert account.changes == {"balance": (0, 5)}


def test_a_refused_assignment_to_a_frozen_field():
    class Product(Entity):
        sku: str = Field(frozen=True)
        name: str = ""

    product = Product(sku="a")
    with pytest.raises(ValidationError, match="frozen"):
        product.sku = "b"
    assert not product.is_changed


class Range(Entity):
    low: int = 0
    high: int = 10
    note: str = ""

    @model_validator(mode="after")
    def in_order(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


def test_an_assignment_refused_by_a_model_validator_leaves_everything_as_it_was():
    span = Range(low=1, high=5)
    with pytest.raises(ValidationError, match="low is above high"):
        span.low = 9
    assert (span.low, span.high) == (1, 5)
    assert span.model_fields_set == {"low", "high"}
    assert span.changes == {}
    with pytest.raises(ValidationError, match="low is above high"):
        span.high = 0
    assert (span.low, span.high) == (1, 5)
    span.high = 7
    assert span.changes == {"high": (5, 7)}
    with pytest.raises(ValidationError, match="low is above high"):
        span.low = 9
    assert span.changes == {"high": (5, 7)}
    assert not Range().model_fields_set


def test_model_validators_that_touch_other_fields():
    class Basket(Entity):
        prices: list[int] = []
        total: int = 0
        seen: int = 0

        @model_validator(mode="after")
        def add_up(self):
            self.__dict__["total"] = sum(self.prices)
            self.__dict__["seen"] = self.__dict__["seen"] + 1
            return self

    basket = Basket(prices=[1])
    assert basket.changes == {}
    assert (basket.total, basket.seen) == (1, 1)
    basket.prices = [2, 3]
    assert basket.changes == {"prices": ([1], [2, 3]), "total": (1, 5), "seen": (1, 2)}
    basket.revert_changes()
    assert (basket.prices, basket.total, basket.seen) == ([1], 1, 1)
    assert not basket.is_changed


def test_model_validators_that_replace_the_data():
    class Person(Entity):
        first: str = ""
        last: str = ""

        @model_validator(mode="before")
        @classmethod
        def split(cls, data):
            if isinstance(data, dict) and "name" in data:
                first, last = data.pop("name").split()
                return {**data, "first": first, "last": last}
            return data

    person = Person(name="a b")
    assert not person.is_changed
    person.first = "c"
    assert person.changes == {"first": ("a", "c")}


# --- deleted attributes -------------------------------------------------------------------------------------------


def test_a_deleted_attribute_is_a_change_to_nothing():
    order = Order(tags=["x"])
    del order.name
    del order.tags
    assert order.changed_fields == {"name", "tags"}
    assert order.changes == {"name": ("a", None), "tags": (["x"], None)}
    assert order.original("name") == "a"
    with pytest.raises(AttributeError):
        _ = order.name


def test_a_deleted_attribute_comes_back():
    order = Order(tags=["x"])
    del order.name
    del order.tags
    order.name = "b"
    order.tags = ["x"]
    assert order.changes == {"name": ("a", "b")}
    del order.name
    order.revert_changes()
    assert (order.name, order.tags) == ("a", ["x"])
    assert not order.is_changed


def test_an_attribute_that_was_not_there():
    order = Order.model_construct(name="a")
    del order.name
    order.revert_changes()
    assert order.name == "a"

    class Product(Entity):
        sku: str
        tags: list[str]

    product = Product.model_construct()
    assert not product.is_changed
    product.sku = "a"
    product.tags = ["x"]
    assert product.changes == {"sku": (None, "a"), "tags": (None, ["x"])}
    product.revert_changes()
    assert not hasattr(product, "sku")
    assert not hasattr(product, "tags")
    assert not product.is_changed


def test_a_refused_deletion_changes_nothing():
    order = Order()
    with pytest.raises(AttributeError):
        del order.nothing
    del order.name
    with pytest.raises(AttributeError):
        del order.name
    assert order.changes == {"name": ("a", None)}


# --- ways round the assignment ------------------------------------------------------------------------------------


def test_writing_into_the_dictionary_of_a_container_field_is_found():
    order = Order()
    vars(order)["tags"] = ["written"]
    assert order.changes == {"tags": ([], ["written"])}


def test_changes_after_a_look_at_the_dictionary():
    order = Order()
    vars(order)
    order.name = "b"
    order.tags.append("x")
    assert order.changes == {"name": ("a", "b"), "tags": ([], ["x"])}
    order.revert_changes()
    assert vars(order)["name"] == "a"
    assert vars(order)["tags"] == []


def test_functions_of_the_module_say_the_same():
    order = Order()
    assert nitro.changes.of(order) == {}
    assert not nitro.changes.exist(order)
    order.name = "b"
    assert nitro.changes.of(order) == {"name": ("a", "b")}
    assert nitro.changes.fields(order) == {"name"}
    assert nitro.changes.exist(order)
    assert nitro.changes.original(order, "name") == "a"
    assert nitro.changes.previous(order) == {}
    nitro.changes.revert(order)
    assert order.name == "a"


@pytest.mark.parametrize(
    "other", [Line(product="a"), Money(amount=1), BaseModel.model_construct, 5, None, Order], ids=str
)
def test_only_entities_have_changes(other):
    for function in (
        nitro.changes.of,
        nitro.changes.fields,
        nitro.changes.exist,
        nitro.changes.previous,
        nitro.changes.revert,
    ):
        with pytest.raises(TypeError, match="entit"):
            function(other)


def test_changes_of_a_frozen_entity():
    class Fixed(Entity):
        model_config = ConfigDict(frozen=True)
        x: int = 1
        tags: list[str] = []

    fixed = Fixed()
    with pytest.raises(ValidationError):
        fixed.x = 2
    assert not fixed.is_changed
    fixed.tags.append("a")
    assert fixed.changes == {"tags": ([], ["a"])}
    fixed.revert_changes()
    assert fixed.tags == []


def test_an_entity_that_does_not_validate_assignments_is_tracked_all_the_same():
    class Loose(Entity):
        model_config = ConfigDict(validate_assignment=False)
        x: int = 1
        tags: list[str] = []

    loose = Loose()
    loose.x = "no int"
    loose.tags.append("a")
    assert loose.changes == {"x": (1, "no int"), "tags": ([], ["a"])}
    loose.revert_changes()
    assert (loose.x, loose.tags) == (1, [])


def test_assignments_by_a_setter_or_an_own_setattr_are_found():
    class Person(Entity):
        first: str = "a"
        last: str = "b"

        @property
        def name(self) -> str:
            return f"{self.first} {self.last}"

        @name.setter
        def name(self, name: str) -> None:
            self.first, self.last = name.split()

    class Shouting(Entity):
        name: str = "a"

        def __setattr__(self, name, value):
            super().__setattr__(name, value.upper() if isinstance(value, str) else value)

    person, shouting = Person(), Shouting()
    person.name = "c d"
    shouting.name = "b"
    assert person.changes == {"first": ("a", "c"), "last": ("b", "d")}
    assert shouting.changes == {"name": ("a", "B")}


def test_aliases_and_private_attributes_do_not_disturb():
    class Customer(Entity):
        name: str = Field(alias="customerName")
        tags: list[str] = Field(default_factory=list, alias="theTags")
        _seen: int = 0

    customer = Customer(customerName="a")
    customer.name = "b"
    customer.tags.append("x")
    customer._seen = 5
    assert customer.changes == {"name": ("a", "b"), "tags": ([], ["x"])}
    customer.revert_changes()
    assert (customer.name, customer.tags, customer._seen) == ("a", [], 5)
