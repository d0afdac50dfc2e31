"""Equality is pydantic's; what is frozen has a hash."""

import pytest
from parity import as_pydantic_does, refusal
from pydantic import BaseModel, ConfigDict, Field

import nitro

EVERY = ("Model", "validated Model", "Entity", "ValueObject")


@as_pydantic_does(on=("Model", "validated Model", "ValueObject"))
def test_equality_is_of_class_and_values(base):
    class Point(base):
        x: int
        y: float = 0.0

    class Other(base):
        x: int
        y: float = 0.0

    class Sub(Point):
        pass

    yield Point(x=1) == Point(x=1), Point(x=1) == Point(x=2), Point(x=1) != Point(x=1)
    yield Point(x=1) == Point(x=1, y=0.0), Point(x=1) == Point(x=True), Point(x=1) == Point.model_construct(x=1.0)
    yield Point(x=1) == Other(x=1), Point(x=1) == Sub(x=1), Sub(x=1) == Point(x=1)
    yield Point(x=1) == {"x": 1, "y": 0.0}, Point(x=1) == 1, Point(x=1) == None  # noqa: E711
    yield Point(x=1).__eq__(1), Point(x=1).__ne__(Point(x=1))
    yield Point(x=1, y=float("nan")) == Point(x=1, y=float("nan"))
    nan = float("nan")
    yield Point(x=1, y=nan) == Point(x=1, y=nan)
    yield Point(x=1) == Point.model_construct(x=1), Point(x=1) == Point.model_construct(y=0.0)


@as_pydantic_does(on=("Model", "validated Model"))
def test_equality_after_a_look_at_the_dictionary(base):
    class Point(base):
        x: int
        y: int = 0

    seen, unseen = Point(x=1), Point(x=1)
    yield vars(seen)
    yield seen == unseen, unseen == seen
    seen.x = 2
    yield seen == unseen
    unseen.x = 2
    yield seen == unseen
    seen.__dict__["later"] = 1
    yield seen == unseen, unseen == seen


@as_pydantic_does(on=("Model",))
def test_equality_sees_extra_and_private_values(base):
    class Open(base):
        model_config = ConfigDict(extra="allow")
        x: int
        _seen: int = 0

    one, other = Open(x=1), Open(x=1)
    yield one == other
    other._seen = 1
    yield one == other
    yield Open(x=1, a=1) == Open(x=1, a=1), Open(x=1, a=1) == Open(x=1, a=2), Open(x=1) == Open(x=1, a=1)


@as_pydantic_does(on=("Model",))
def test_equality_of_cached_properties(base):
    from functools import cached_property

    class Square(base):
        side: int

        @cached_property
        def area(self) -> int:
            return self.side**2

    one, other = Square(side=2), Square(side=2)
    yield one.area, one == other, other == one


@as_pydantic_does
def test_an_own_equality_is_used(base):
    class Named(base):
        name: str

        def __eq__(self, other):
            return isinstance(other, Named) and self.name.lower() == other.name.lower()

        def __hash__(self):
            return hash(self.name.lower())

    class Holder(base):
        named: Named
        others: list[Named] = []

    yield Named(name="a") == Named(name="A"), len({Named(name="a"), Named(name="A")})
    yield Holder(named=Named(name="a")).named == Holder(named={"name": "A"}).named
    yield Named(name="a") in [Named(name="A")]


@as_pydantic_does
def test_what_is_not_frozen_has_no_hash(base):
    class Point(base):
        x: int

    yield Point.__hash__ is None, type(refusal(hash, Point(x=1)))


@as_pydantic_does(on=("Model",))
def test_the_hash_of_what_is_frozen(base):
    class Money(base):
        model_config = ConfigDict(frozen=True)
        amount: int
        currency: str = "NOK"

    class Price(Money):
        tags: tuple[str, ...] = ()

    class Basket(base, frozen=True):
        prices: list[Price] = []

    yield hash(Money(amount=1)) == hash(Money(amount=1)) == hash(Money(amount=True))
    yield hash(Money(amount=1)) == hash(Money(amount=2)), hash(Money(amount=1)) == hash(Price(amount=1))
    yield len({Money(amount=1), Money(amount=1), Money(amount=2)}), {Money(amount=1): 5}[Money(amount=1)]
    yield hash(Price(amount=1, tags=("a",))) == hash(Price(amount=1, tags=["a"]))
    yield refusal(hash, Basket())
    seen = Money(amount=1)
    yield vars(seen), hash(seen) == hash(Money(amount=1))
    yield hash(Money.model_construct(amount=1)) == hash(Money(amount=1))
    yield hash(Money.model_construct()) == hash(Money.model_construct(currency="NOK"))


def test_the_hash_is_the_very_number_that_pydantic_gives():
    def number(base: type[BaseModel]) -> int:
        class Money(base, frozen=True):
            amount: int
            when: tuple[int, ...] = (1, 2)

        return hash(Money(amount=1))

    assert number(nitro.Model) == number(nitro.ValueObject) == number(BaseModel)


def test_value_objects_are_compared_by_value_and_are_keys():
    class Money(nitro.ValueObject):
        amount: int
        currency: str = "NOK"

    assert Money(amount=5) == Money(amount=5)
    assert {Money(amount=5): "five"}[Money(amount=5)] == "five"
    with pytest.raises(ValueError, match="frozen"):
        Money(amount=5).amount = 6


@as_pydantic_does(on=("Entity",))
def test_the_equality_of_entities_is_that_of_their_values(base):
    class Order(base):
        name: str

    yield Order(id="1", name="a") == Order(id="1", name="a")
    yield Order(id="1", name="a") == Order(id="1", name="b")
    yield Order(id="1", name="a") == Order(id="2", name="a")
    yield Order(name="a") == Order(name="a")
    changed, same = Order(id="1", name="b"), Order(id="1", name="a")
    changed.name = "a"
    yield changed == same, same == changed


@as_pydantic_does(on=EVERY)
def test_fields_left_out_of_the_representation_still_count(base):
    class Secret(base):
        name: str
        word: str = Field(repr=False)

    yield Secret.model_construct(name="a", word="b").word
    yield repr(Secret.model_construct(name="a", word="b", id="1"))
    yield (Secret.model_construct(id="1", name="a", word="b") == Secret.model_construct(id="1", name="a", word="c"))
