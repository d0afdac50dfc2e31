"""Valid entities from what their classes say."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AwareDatetime,
    FutureDate,
    HttpUrl,
    NaiveDatetime,
    PastDatetime,
    ValidationError,
    create_model,
)
from typing_extensions import TypedDict

from nitro import ConfigurationError, Entity, Field, Model, Ref, SQLEntity, UnknownFieldError, ValueObject
from nitro.testing import factory, nitro_memory


class Status(Enum):
    DRAFT = "draft"
    PLACED = "placed"


class Address(ValueObject):
    city: str
    zone: int = Field(ge=10, lt=20)


class Point(TypedDict):
    x: int
    y: int


@dataclass
class Size:
    width: int
    unit: str = "mm"


class Customer(Entity):
    name: str
    email: str = Field(unique=True, max_length=40)


class Order(Entity):
    customer: Ref[Customer]
    status: str = "draft"
    total: Decimal = Field(gt=0, max_digits=6, decimal_places=2)


class Product(Entity):
    sku: str = Field(primary_key=True, pattern=r"^[A-Z]{3}-\d{4}$")
    rank: int = Field(1, unique=True)


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    with nitro_memory():
        yield


def test_a_field_with_a_default_keeps_it_and_the_others_get_values() -> None:
    order = factory(Order).seeded(1)()
    assert order.status == "draft"
    assert 0 < order.total < 10_000
    assert order.total == round(order.total, 2)
    assert UUID(order.id).version == 7


def test_values_can_be_given_to_the_factory_and_to_each_call() -> None:
    make = factory(Customer, name="Ann").seeded(1)
    assert (make().name, make(name="Bob").name, make().name) == ("Ann", "Bob", "Ann")
    assert [customer.name for customer in make.batch(2, name=lambda number: f"number {number}")] == [
        "number 4",
        "number 5",
    ]


def test_the_same_seed_makes_the_same_values() -> None:
    def made(seed: int) -> list[dict[str, Any]]:
        # They are as unique as those of the other factories with this seed, that is to say not at all.
        with nitro_memory():
            return [order.model_dump(exclude={"id", "customer"}) for order in factory(Order).seeded(seed).batch(20)]

    assert made(7) == made(7) != made(8)


def test_another_process_makes_the_same_values() -> None:
    program = (
        "from decimal import Decimal\nfrom nitro import Entity, Field\nfrom nitro.testing import factory\n"
        "class Item(Entity):\n    name: str\n    price: float\n"
        "print([(item.name, item.price) for item in factory(Item).batch(3)])"
    )
    runs = [subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert b"name 1" in runs[0]


def test_no_two_factories_make_the_same_unique_value() -> None:
    made = [make().email for make in (factory(Customer), factory(Customer, name="Ann")) for _ in range(3)]
    assert len(set(made)) == 6
    products = factory(Product).batch(50)
    assert len({product.sku for product in products}) == len({product.rank for product in products}) == 50
    assert len(Product.save_all(products)) == 50


def test_a_unique_value_that_was_given_does_not_come_again() -> None:
    make = factory(Customer).seeded(3)
    taken = make().email
    other = factory(Customer).seeded(3)
    other(email=taken)
    assert other().email != taken


def test_values_can_run_out() -> None:
    class Coin(Entity):
        side: Literal["heads", "tails"] = Field(unique=True)

    make = factory(Coin)
    assert {coin.side for coin in make.batch(2)} == {"heads", "tails"}
    with pytest.raises(ConfigurationError, match=r"Coin\.side: no value .*: it is unique, and every value .* was used"):
        make()


def test_saved_is_saved() -> None:
    customer = factory(Customer).saved(name="Ann")
    assert Customer.get(customer.id).name == "Ann"
    assert asyncio.run(factory(Customer).asaved(name="Bob")) in Customer.all()
    assert Customer.where().count() == 2


def test_what_is_referred_to_is_made_and_saved() -> None:
    order = factory(Order)()
    assert order.customer.get() in Customer.all()
    given = Customer(name="Ann", email="a@example.com").save()
    assert factory(Order)(customer=given).customer.get() == given
    assert Order.all() == []
    assert asyncio.run(factory(Order).asaved()).customer.get() in Customer.all()


def test_a_factory_makes_what_another_one_needs() -> None:
    order = factory(Order, customer=factory(Customer, name="Ann"))()
    assert Customer.get(order.customer.key).name == "Ann"

    class Parcel(Entity):
        to: Address

    assert factory(Parcel, to=factory(Address, city="Oslo"))().to.city == "Oslo"


CASES: list[tuple[Any, Callable[[Any], bool]]] = [
    (int, lambda value: True),
    (Annotated[int, Field(gt=3, lt=5)], lambda value: value == 4),
    (Annotated[int, Field(ge=-5, le=-3)], lambda value: -5 <= value <= -3),
    (Annotated[int, Field(lt=0)], lambda value: value < 0),
    (Annotated[int, Field(multiple_of=7, gt=100)], lambda value: value % 7 == 0 and value > 100),
    (Annotated[float, Field(gt=0, lt=0.001)], lambda value: 0 < value < 0.001),
    (Annotated[float, Field(ge=2.5, le=2.5)], lambda value: value == 2.5),
    (Annotated[float, Field(multiple_of=0.25, lt=-3)], lambda value: value < -3 and value % 0.25 == 0),
    (Annotated[Decimal, Field(max_digits=3)], lambda value: len(value.as_tuple().digits) <= 3),
    (Annotated[Decimal, Field(max_digits=2, decimal_places=2)], lambda value: 0 < value < 1),
    (Annotated[Decimal, Field(multiple_of=Decimal("0.05"), gt=1)], lambda value: value % Decimal("0.05") == 0),
    (bool, lambda value: value in (True, False)),
    (str, lambda value: value.startswith("field ")),
    (Annotated[str, Field(max_length=2)], lambda value: 0 < len(value) <= 2),
    (Annotated[str, Field(min_length=50)], lambda value: len(value) == 50),
    (Annotated[str, Field(pattern=r"^(\+\d{2} )?[0-9]{3,5}[^x]?$")], lambda value: True),
    (Annotated[str, Field(pattern="ab|c.d", min_length=2)], lambda value: True),
    (Annotated[bytes, Field(min_length=3, max_length=3)], lambda value: len(value) == 3),
    (date, lambda value: True),
    (Annotated[date, Field(gt=date(2030, 1, 1), le=date(2030, 1, 2))], lambda value: value == date(2030, 1, 2)),
    (datetime, lambda value: value.tzinfo is UTC),
    (AwareDatetime, lambda value: value.tzinfo is UTC),
    (NaiveDatetime, lambda value: value.tzinfo is None),
    (PastDatetime, lambda value: True),
    (FutureDate, lambda value: True),
    (Annotated[datetime, Field(lt=datetime(1990, 1, 1, tzinfo=UTC))], lambda value: value.year < 1990),
    (time, lambda value: True),
    (Annotated[time, Field(ge=time(9), lt=time(17))], lambda value: 9 <= value.hour < 17),
    (timedelta, lambda value: value > timedelta(0)),
    (Annotated[timedelta, Field(gt=timedelta(days=3))], lambda value: value > timedelta(days=3)),
    (UUID, lambda value: value.version == 4),
    (Status, lambda value: value in Status),
    (Literal["a", 1], lambda value: value in ("a", 1)),
    (int | None, lambda value: isinstance(value, int)),
    (Callable[[], int] | None, lambda value: value is None),
    (int | str, lambda value: isinstance(value, int)),
    (Callable[[], int] | str, lambda value: isinstance(value, str)),
    (list[int], lambda value: len(value) == 1),
    (Annotated[list[int], Field(min_length=3)], lambda value: len(value) == 3),
    (Annotated[set[bool], Field(min_length=2)], lambda value: value == {True, False}),
    (tuple[int, str], lambda value: len(value) == 2),
    (tuple[int, ...], lambda value: len(value) == 1),
    (Annotated[dict[str, list[int]], Field(min_length=2)], lambda value: len(value) == 2),
    (Sequence[int], lambda value: len(value) == 1),
    (Address, lambda value: 10 <= value.zone < 20),
    (list[Address], lambda value: isinstance(value[0], Address)),
    (Point, lambda value: value.keys() == {"x", "y"}),
    (Size, lambda value: value.unit == "mm"),
    (HttpUrl, lambda value: value.host == "example.com"),
    (Any, lambda value: True),
    (list[Ref[Customer]], lambda value: value[0].get() in Customer.all()),
]


@pytest.mark.parametrize(("annotation", "is_right"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_a_value_is_of_its_type_and_within_its_limits(annotation: Any, is_right: Callable[[Any], bool]) -> None:
    cls: Any = create_model("Thing", __base__=Entity, field=(annotation, ...))
    for thing in factory(cls).batch(30):
        # That it was made says that pydantic takes it.
        assert is_right(thing.field), thing


LIMITS = st.tuples(
    st.sampled_from(["gt", "ge"]), st.integers(-1000, 1000), st.sampled_from(["lt", "le"]), st.integers(2, 50)
)


@given(LIMITS, st.sampled_from([int, float, Decimal]), st.integers(0, 1000))
def test_numbers_are_within_any_limits(limits: tuple[str, int, str, int], kind: type, seed: int) -> None:
    low_name, low, high_name, width = limits
    field = Field(**{low_name: low, high_name: low + width})
    cls: Any = create_model("Thing", __base__=Model, x=(Annotated[kind, field], ...))
    factory(cls).seeded(seed)()


@given(st.sampled_from(["[a-c]+", r"\d{2,4}", "x?y*z", "(ab|cd){2}", r"\w\s\S", "[^a-y]", "^a.c$", "(?:a|b)c", "a{3}"]))
def test_texts_have_their_pattern(pattern: str) -> None:
    cls: Any = create_model("Thing", __base__=Model, x=(Annotated[str, Field(pattern=pattern)], ...))
    for thing in factory(cls).batch(5):
        assert re.fullmatch(pattern, thing.x)


def test_examples_are_taken_where_there_are_any() -> None:
    class User(Entity):
        email: str = Field(examples=["ann@example.com", "bob@example.com"], unique=True)
        check: Annotated[str, AfterValidator(lambda value: value[value.index("@") :])] = Field(examples=["a@b"])

    make = factory(User)
    assert [user.email for user in make.batch(2)] == ["ann@example.com", "bob@example.com"]
    assert make(email="x").check == "@b"


def refused_by_a_validator(value: str) -> str:
    if "@" not in value:
        raise ValueError("an address has an @")
    return value


class Node(Model):
    value: int
    children: list[Node]
    next: Node | None


def test_what_contains_itself_ends() -> None:
    node = factory(Node)()
    assert (node.children, node.next) == ([], None)


class Chicken(Entity):
    egg: Ref[Egg]


class Egg(Entity):
    chicken: Ref[Chicken]


class Nested(Model):
    call: Callable[[], int]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Callable[[], int], "Callable[[], int]: nothing is known of a type"),
        (Nested, "Thing.field.call: no value can be made for Nested: nothing is known of a type"),
        (Annotated[list[Nested], Field(min_length=1)], "Thing.field[].call: no value can be made"),
        (
            Annotated[str, AfterValidator(refused_by_a_validator)],
            "'field 1' is not valid: Value error, an address has an @",
        ),
        (Annotated[int, Field(gt=3, lt=4)], "no whole number is within its limits"),
        (Annotated[str, Field(pattern=r"\bx", min_length=3)], "its pattern has at in it, for which no text is made"),
        (Ref[Chicken], "it refers to a Chicken, which would need another one first"),
    ],
)
def test_what_cannot_be_made_is_asked_for(annotation: Any, said: str) -> None:
    cls: Any = create_model("Thing", __base__=Entity, field=(annotation, ...))
    with pytest.raises(ConfigurationError) as failure:
        factory(cls)()
    assert said in str(failure.value)
    assert "as in factory(Thing, field=...), or declare the field with Field(examples=[...])" in str(failure.value)


def test_a_foreign_key_is_asked_for() -> None:
    class Holder(SQLEntity):
        team_id: int = Field(foreign_key="team.id")

    with pytest.raises(ConfigurationError, match=r"Holder\.team_id: .* it is the key of another entity, team\.id"):
        factory(Holder)()
    assert factory(Holder, team_id=3)().team_id == 3


def test_a_name_that_is_no_field_is_refused() -> None:
    with pytest.raises(UnknownFieldError, match="Order has no field 'totl'; did you mean 'total'"):
        factory(Order, totl=3)
    with pytest.raises(UnknownFieldError):
        factory(Order)(totl=3)
    with pytest.raises(TypeError, match="Address has no field 'citi'; did you mean 'city'"):
        factory(Address, citi="x")


def test_a_value_that_was_given_and_is_not_valid_is_an_error_of_pydantics() -> None:
    with pytest.raises(ValidationError, match="total"):
        factory(Order)(total=-1)


def test_fields_may_have_any_name_or_another_one_outside() -> None:
    class Odd(Entity):
        seed: int
        count: int
        self: str
        name: str = Field(alias="Name")

    odd = factory(Odd, self="me", seed=3)(count=4)
    assert (odd.self, odd.seed, odd.count) == ("me", 3, 4)
    assert odd.name.startswith("name ")


def test_only_entities_are_saved() -> None:
    assert factory(Address)().zone in range(10, 20)
    with pytest.raises(TypeError, match="Address is no Entity"):
        factory(Address).saved()


def test_keys_are_numbered() -> None:
    class Numbered(Entity):
        id: int  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]

    assert [entity.id for entity in factory(Numbered).batch(3)] == [1, 2, 3]
