"""model_copy, copy, deepcopy and model_construct."""

import copy
from typing import Any

import pytest
from parity import as_pydantic_does, refusal
from pydantic import ConfigDict, Field, PrivateAttr

import nitro


@as_pydantic_does
def test_model_copy_is_shallow(base):
    class Order(base):
        name: str
        tags: list[str] = []

    order = Order(name="a", tags=["x"])
    copied = order.model_copy()
    yield copied
    yield copied is order, copied.tags is order.tags, copied == order
    copied.name = "b"
    yield order.name, copied.name
    copied.tags.append("y")
    yield order.tags


@as_pydantic_does
def test_a_deep_model_copy_shares_nothing(base):
    class Line(base):
        prices: list[float]

    class Order(base):
        lines: dict[str, list[Line]]

    order = Order(lines={"a": [Line(prices=[1.0])]})
    copied = order.model_copy(deep=True)
    yield copied, copied == order
    yield copied.lines is order.lines, copied.lines["a"][0] is order.lines["a"][0]
    copied.lines["a"][0].prices.append(2.0)
    yield order


@as_pydantic_does
def test_model_copy_updates_without_validating(base):
    class Point(base):
        x: int
        y: int = 0

    point = Point(x=1)
    copied = point.model_copy(update={"y": "no int"})
    yield copied, copied.y, point
    yield point.model_copy(update={"x": 5}, deep=True)
    yield point.model_copy(update={}), point.model_copy(update=None)
    yield copied.model_copy(update={"y": 3}).model_dump_json()
    yield refusal(point.model_copy, {"x": 1})


@as_pydantic_does
def test_model_copy_of_unknown_names(base):
    class Closed(base):
        x: int

    class Open(base):
        model_config = ConfigDict(extra="allow")
        x: int

    yield Closed(x=1).model_copy(update={"other": 3})
    yield Closed(x=1).model_copy(update={"other": 3}).other
    yield Open(x=1, other=2).model_copy(update={"other": 3, "more": 4})
    yield Open(x=1, other=2).model_copy(update={"other": 3, "more": 4}).model_dump()


@as_pydantic_does
def test_the_fields_set_of_copies_are_their_own(base):
    class Point(base):
        x: int
        y: int = 0

    point = Point(x=1)
    for copied in (point.model_copy(), copy.copy(point), copy.deepcopy(point)):
        copied.y = 5
        yield copied.model_fields_set, point.model_fields_set
        yield copied.model_fields_set is point.model_fields_set


@as_pydantic_does
def test_copy_and_deepcopy_keep_private_attributes_and_extra_values(base):
    class Order(base):
        model_config = ConfigDict(extra="allow")
        name: str
        _seen: list[int] = PrivateAttr(default_factory=list)

    order = Order(name="a", other=[1])
    order._seen.append(7)
    shallow, deep = copy.copy(order), copy.deepcopy(order)
    yield shallow, deep
    yield shallow._seen is order._seen, deep._seen is order._seen
    yield shallow.other is order.other, deep.other is order.other
    shallow._seen = [9]
    yield order._seen, deep._seen


@as_pydantic_does
def test_deepcopy_keeps_shared_references(base):
    class Item(base):
        name: str

    class Pair(base):
        left: Item
        right: Item
        names: list[str]
        others: Any = None

    item = Item(name="a")
    names = ["n"]
    pair = Pair(left=item, right=item, names=names)
    pair.others = pair.names
    deep = copy.deepcopy(pair)
    yield pair.left is pair.right, deep.left is deep.right, deep.left is pair.left
    yield deep.others is deep.names, deep
    both = copy.deepcopy([pair, item])
    yield both[0].left is both[1]


@as_pydantic_does
def test_deepcopy_uses_the_memo_that_it_is_given(base):
    class Item(base):
        tags: list[str]

    tags = ["a"]
    item = Item.model_construct(tags=tags)
    memo: dict[int, Any] = {id(tags): ["replaced"]}
    yield copy.deepcopy(item, memo).tags
    yield item.__deepcopy__().tags, item.__deepcopy__(memo).tags
    yield item.__copy__().tags is tags


@as_pydantic_does
def test_copies_of_cached_properties(base):
    from functools import cached_property

    class Square(base):
        side: int

        @cached_property
        def area(self) -> int:
            return self.side**2

    square = Square(side=3)
    yield square.area
    yield square.model_copy().__dict__, copy.copy(square).__dict__, copy.deepcopy(square).__dict__
    yield square.model_copy(update={"side": 4}).area
    yield square.model_copy(update={"area": 1}).area
    yield square.model_dump(), square.model_dump_json()


@as_pydantic_does(on=("Model", "ValueObject"))
def test_a_frozen_model_is_copied(base):
    class Money(base):
        model_config = ConfigDict(frozen=True)
        amount: int
        currency: str = "NOK"

    money = Money(amount=1)
    yield copy.copy(money), copy.deepcopy(money), money.model_copy(update={"amount": 2})
    yield hash(money.model_copy()) == hash(money), hash(copy.deepcopy(money)) == hash(money)
    yield refusal(setattr, money.model_copy(), "amount", 3)


@as_pydantic_does
def test_model_construct_validates_nothing(base):
    class Point(base):
        x: int
        y: int = 0
        tags: list[str] = Field(default_factory=list)

    yield Point.model_construct(x="no int")
    yield Point.model_construct()
    yield refusal(lambda: Point.model_construct().x)
    yield Point.model_construct(x=1, y=2).model_fields_set
    yield Point.model_construct({"y"}, x=1, y=2)
    yield Point.model_construct(_fields_set={"nonsense"}, x=1).model_fields_set
    yield Point.model_construct(x=1, other=2)
    yield Point.model_construct(x=1).tags is Point.model_construct(x=1).tags
    yield Point.model_construct(x=1).model_dump_json()


@as_pydantic_does
def test_model_construct_with_aliases_extra_and_private_attributes(base):
    class Order(base):
        model_config = ConfigDict(extra="allow", populate_by_name=True)
        name: str = Field(alias="customerName")
        _seen: int = 4

        def model_post_init(self, context: Any) -> None:
            self._seen += 1

    yield Order.model_construct(customerName="a"), Order.model_construct(name="a")
    yield Order.model_construct(name="a", other=1), Order.model_construct(name="a", other=1)._seen
    yield Order.model_construct(name="a").model_dump(by_alias=True)


@as_pydantic_does
def test_a_constructed_instance_goes_on_like_any_other(base):
    class Point(base):
        x: int
        y: int = 0

    point = Point.model_construct(y=3)
    point.x = 5
    yield point, point.model_dump(), point.model_dump_json(), point == Point(x=5, y=3)
    yield copy.deepcopy(point), point.model_copy(update={"y": 1})
    del point.y
    yield refusal(lambda: point.y), point


@as_pydantic_does
def test_the_copy_of_version_1_still_answers(base):
    class Point(base):
        x: int
        y: int = 0

    with pytest.warns(DeprecationWarning, match="copy"):
        yield Point(x=1).copy(update={"y": 2})
    with pytest.warns(DeprecationWarning, match="copy"):
        yield Point(x=1).copy(include={"x"})
    with pytest.warns(DeprecationWarning, match="construct"):
        yield Point.construct(x="a")


def test_copies_of_an_entity_have_its_id():
    class Order(nitro.Entity):
        name: str

    order = Order(name="a")
    copies = [order.model_copy(), order.model_copy(deep=True), copy.copy(order), copy.deepcopy(order)]
    assert [copied.id for copied in copies] == [order.id] * 4
    assert copies == [order] * 4
