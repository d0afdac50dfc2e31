"""A class with its own __init__ or __new__."""

from typing import Any

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import Field, PrivateAttr

import nitro


def every_way(cls: Any, **data: Any) -> Any:
    yield with_warnings(lambda: cls(**data))
    yield with_warnings(cls.model_validate, data)
    yield with_warnings(cls.model_validate_json, repr(data).replace("'", '"'))
    yield cls.model_construct(**data)


@as_pydantic_does
def test_an_own_init(base):
    calls: list[Any] = []

    class Point(base):
        x: int
        y: int = 0

        def __init__(self, x: Any = 7, *rest: Any, **data: Any) -> None:
            calls.append((x, rest, sorted(data)))
            super().__init__(x=x, **data)
            self.y += 1

    yield Point(), Point(3), Point("4", 5, y=6), Point(x="8"), refusal(Point, "no int")
    yield from every_way(Point, x=1, y=2)
    yield calls
    point = Point(1)
    point.x = 9
    yield point, point.model_fields_set, point.model_copy(), calls[-1]

    class Child(Point):
        z: int = 0

    class Holder(base):
        point: Point
        points: list[Child] = []

    yield Child(1, z="3"), Holder(point={"x": 1}, points=[{"x": "2", "z": 3}, Child(4)])
    yield Holder.model_validate_json('{"point": {"x": 1}, "points": [{"x": 2}]}').model_dump_json()


@as_pydantic_does
def test_an_init_that_sets_things_before_and_after(base):
    class Order(base):
        name: str
        _log: list[str] = PrivateAttr(default_factory=list)

        def __init__(self, **data: Any) -> None:
            super().__init__(**data)
            self._log.append("made")
            self.name = self.name.upper()

    class Broken(base):
        name: str = ""

        def __init__(self, **data: Any) -> None:
            self.name = "too early"

    class Silent(base):
        name: str = ""

        def __init__(self, **data: Any) -> None:
            pass

    yield from every_way(Order, name="a")
    yield with_warnings(Broken), with_warnings(Silent), with_warnings(lambda: Silent().name)
    yield with_warnings(lambda: Silent() == Silent())


@as_pydantic_does
def test_an_init_of_a_mixin(base):
    class Counting:
        made = 0

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            Counting.made += 1
            super().__init__(*arguments, **keywords)

    class Before(Counting, base):
        x: int = 0

    class Behind(base, Counting):
        x: int = 0

    yield (
        Before(x="1"),
        Counting.made,
        Before.model_validate({"x": 2}),
        Counting.made,
        refusal(Before, x="a"),
        Counting.made,
    )
    yield Behind(x="1"), Counting.made, Before.model_validate_json("{}"), Counting.made


@as_pydantic_does
def test_an_own_new(base):
    class Single(base):
        x: int = 0

        def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
            calls.append(cls.__name__)
            return super().__new__(cls)

    class Cached(base):
        name: str
        more: int = Field(default=0)

        def __new__(cls, name: str = "?", **keywords: Any) -> Any:
            if name not in known:
                known[name] = super().__new__(cls)
            return known[name]

    class Other(base):
        x: int = 0

        def __new__(cls, **keywords: Any) -> Any:
            return "something else"

    calls: list[str] = []
    known: dict[str, Any] = {}
    yield Single(x="1"), calls, Single.model_validate({"x": 1}), calls, Single.model_construct(), calls
    yield Cached(name="a") is Cached(name="a", more=3), Cached(name="a"), refusal(Cached, name=5)
    yield with_warnings(Other), with_warnings(Other.model_validate, {})
    single = Single(x=1)
    single.x = 5
    yield single, single.model_dump_json(), single.model_copy(), calls


@as_pydantic_does
def test_a_new_that_gives_an_instance_of_a_subclass(base):
    class Shape(base):
        kind: str = "shape"

        def __new__(cls, *, kind: str = "shape", **keywords: Any) -> Any:
            chosen = Round if kind == "round" else cls
            return super().__new__(chosen)

    class Round(Shape):
        radius: int = 1

    yield (
        Shape(kind="round"),
        Shape(),
        type(Shape(kind="round")).__name__,
        Shape(kind="round", radius="3").model_dump_json(),
    )


@as_pydantic_does
def test_calling_init_again(base):
    class Point(base):
        x: int
        y: int = 0

    point = Point(x=1, y=2)
    point.__init__(x="5")
    yield point, point.model_fields_set, point.model_dump_json()
    yield refusal(point.__init__, x="a"), point
    yield Point.__init__(point, x=8), point
    bare = Point.__new__(Point)
    yield with_warnings(lambda: bare.x), with_warnings(bare.model_dump), with_warnings(repr, bare)
    bare.__init__(x=3)
    yield bare, bare.model_dump_json()


def test_an_entity_whose_init_was_called_again_is_tracked_from_there():
    class Order(nitro.Entity):
        tags: list[str] = []
        total: int = 0

    order = Order(tags=["a"])
    order.__init__(id="1", tags=["b"])
    order.tags.append("c")
    assert order.changes["tags"][1] == ["b", "c"]
    bare = Order.__new__(Order)
    bare.__init__(tags=["x"])
    assert not bare.is_changed
    bare.tags.append("y")
    assert bare.changes == {"tags": (["x"], ["x", "y"])}


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_an_instance_without_values_does_no_harm(base):
    class Point(base):
        x: int = 0
        tags: list[int] = []

    bare = Point.__new__(Point)
    for action in (
        lambda: bare.x, lambda: repr(bare), lambda: bare.model_dump(), lambda: bare.model_dump_json(), lambda: nitro.encode(bare),
        lambda: setattr(bare, "x", 1), lambda: delattr(bare, "x"), lambda: bare == bare, lambda: bare.model_copy(),
        lambda: bare.model_fields_set, lambda: nitro.changes.of(bare), lambda: nitro.changes.revert(bare), lambda: vars(bare),
    ):  # fmt: skip
        with_warnings(action)
    bare.__init__(x=3)
    assert bare.x == 3
