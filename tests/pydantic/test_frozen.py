"""Frozen classes and frozen fields."""

from parity import as_pydantic_does, refusal
from pydantic import ConfigDict, Field

EVERY = ("Model", "validated Model", "Entity", "ValueObject")


@as_pydantic_does(on=EVERY)
def test_a_frozen_class(base):
    class Money(base, frozen=True):
        amount: int
        currency: str = "NOK"
        tags: list[str] = []

    money = Money(amount="1")
    yield (
        refusal(setattr, money, "amount", 2),
        refusal(setattr, money, "amount", "x"),
        refusal(setattr, money, "other", 1),
    )
    yield refusal(delattr, money, "amount"), refusal(delattr, money, "other")
    yield money, money.model_dump(), money.model_dump_json(), money.model_fields_set
    money.tags.append("a")
    yield money, Money(amount=1)
    object.__setattr__(money, "amount", 9)
    yield money, money.model_dump_json()
    yield Money.model_validate({"amount": 3}), Money.model_validate_json('{"amount": 3}'), refusal(Money, amount="x")


@as_pydantic_does
def test_a_frozen_field(base):
    class Order(base):
        number: int = Field(frozen=True)
        name: str = "a"
        kept: list[int] = Field(default_factory=list, frozen=True)

    order = Order(number="1")
    yield refusal(setattr, order, "number", 2), refusal(setattr, order, "number", 1), refusal(delattr, order, "number")
    yield refusal(setattr, order, "kept", [])
    order.name = "b"
    order.kept.append(1)
    yield order, order.model_fields_set, order.model_copy(update={"number": 5})
    yield Order.model_validate_json('{"number": 3}').model_dump_json()


@as_pydantic_does
def test_thawed_and_frozen_by_subclasses(base):
    class Frozen(base):
        model_config = ConfigDict(frozen=True)
        x: int

    class Thawed(Frozen):
        model_config = ConfigDict(frozen=False)

    class Again(Thawed, frozen=True):
        y: int = 0

    class FieldFrozen(Thawed):
        x: int = Field(frozen=True)

    thawed = Thawed(x=1)
    thawed.x = 5
    yield thawed, thawed.__hash__ is None, hash(Again(id="1", x=1)) == hash(Again(id="1", x=1))
    yield (
        refusal(setattr, Frozen(x=1), "x", 1),
        refusal(setattr, Again(x=1), "x", 1),
        refusal(setattr, FieldFrozen(x=1), "x", 1),
    )


@as_pydantic_does
def test_frozen_values_inside_others(base):
    class Money(base, frozen=True):
        amount: int

    class Order(base):
        price: Money
        prices: dict[str, Money] = {}

    order = Order(price={"amount": 1}, prices={"a": Money(amount=2)})
    yield refusal(setattr, order.price, "amount", 3)
    order.price = Money(amount=5)
    yield order, order.model_dump_json(), {Money(id="1", amount=1): "a"}[Money(id="1", amount=1)]
