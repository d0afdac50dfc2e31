"""Private attributes and model_post_init."""

import copy
from typing import Any, ClassVar

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, PrivateAttr, ValidationError


@as_pydantic_does
def test_private_attributes(base):
    class Order(base):
        name: str
        _count: int = 0
        _log: list[str] = PrivateAttr(default_factory=list)
        _unset: int
        _shared: ClassVar[list[int]] = []

    order, other = Order(name="a"), Order(name="b")
    yield order, order._count, refusal(lambda: order._unset)
    order._count = "no int"
    order._log.append("x")
    order._unset = 5
    yield order, other, order._unset, order.model_fields_set
    yield order.model_dump(), order.model_dump_json(), repr(order)
    yield Order(name="a", _count=9)._count, Order.model_validate({"name": "a", "_count": 9})._count
    del order._count
    yield refusal(lambda: order._count), refusal(delattr, order, "_count"), refusal(delattr, order, "_nothing")
    yield with_warnings(setattr, order, "_undeclared", 1)
    yield Order.__private_attributes__.keys(), Order._shared is order._shared
    yield order == Order(name="a"), with_warnings(lambda: Order._count)


@as_pydantic_does
def test_private_attributes_of_every_way_to_make_an_instance(base):
    class Order(base):
        name: str
        _log: list[str] = PrivateAttr(default_factory=lambda: ["made"])

    made = [
        Order(name="a"),
        Order(name="a"),
        Order.model_validate({"name": "a"}),
        Order.model_validate_json('{"name": "a"}'),
        Order.model_construct(name="a"),
        copy.copy(Order(name="a")),
        copy.deepcopy(Order(name="a")),
        Order(name="a").model_copy(),
    ]
    for order in made:
        yield order, order._log
        order._log.append("b")
    yield [order._log for order in made]


@as_pydantic_does
def test_model_post_init(base):
    class Order(base):
        name: str
        length: int = 0
        _seen: list[Any] = PrivateAttr(default_factory=list)

        def model_post_init(self, context: Any) -> None:
            self._seen.append(context)
            self.length = len(self.name)

    class Loud(Order):
        def model_post_init(self, context: Any) -> None:
            super().model_post_init(context)
            self.name = self.name.upper()

    for cls in (Order, Loud):
        yield cls(name="abc"), cls(name="abc")
        yield cls.model_validate({"name": "abc"}, context={"a": 1}), cls.model_validate_json('{"name": "abc"}')
        yield cls.model_construct(name="abc"), copy.deepcopy(cls(name="abc")), cls(name="abc").model_copy()
        yield cls(name="abc").model_fields_set, refusal(cls, name=1)
        made = cls(name="abc")
        made.name = "longer"
        yield made, made._seen


@as_pydantic_does
def test_model_post_init_that_fails(base):
    class Order(base):
        name: str

        def model_post_init(self, context: Any) -> None:
            if self.name == "value":
                raise ValueError("no")
            if self.name == "type":
                raise TypeError("no")

    for name in ("value", "type", "good"):
        yield with_warnings(lambda: Order(name=name)), with_warnings(Order.model_validate, {"name": name})  # noqa: B023
        yield with_warnings(Order.model_validate_json, f'{{"name": "{name}"}}')


@as_pydantic_does
def test_private_attributes_are_inherited(base):
    class Parent(base):
        _one: int = 1

    class Child(Parent):
        x: int = 0
        _two: int = 2

    class Replaced(Child):
        _one: str = "one"

    child, replaced = Child(), Replaced(x="5")
    yield child, replaced, child._one, child._two, replaced._one
    child._one = 10
    yield child, Child()
    child.x = 3
    yield child, child.model_dump_json()


@as_pydantic_does
def test_private_attributes_of_a_frozen_class_can_be_set(base):
    class Money(base):
        model_config = ConfigDict(frozen=True)
        amount: int
        _note: str = ""

    money = Money(amount=1)
    money._note = "b"
    yield money, refusal(setattr, money, "amount", 2), money._note


@as_pydantic_does
def test_private_attributes_that_are_descriptors(base):
    class Doubling:
        def __get__(self, instance, owner):
            return 2 if instance is None else instance.x * 2

        def __set__(self, instance, value):
            instance.x = value // 2

    class Order(base):
        x: int = 1
        _double: Any = PrivateAttr(default=Doubling())

    order = Order()
    yield with_warnings(lambda: order._double)
    yield with_warnings(setattr, order, "_double", 10), order.x


@as_pydantic_does(on=("validated Model", "Entity"))
def test_a_refused_assignment_leaves_private_attributes(base):
    class Order(base):
        x: int
        _log: list[int] = PrivateAttr(default_factory=list)

    order = Order(x=1)
    order._log.append(1)
    try:
        order.x = "no int"
    except ValidationError as error:
        yield error
    yield order
    order.x = "5"
    yield order
