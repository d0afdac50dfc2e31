"""__init_subclass__, __pydantic_init_subclass__, class keywords, metaclasses and completion hooks."""

from typing import Any

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import BaseModel, ConfigDict
from pydantic._internal._model_construction import ModelMetaclass

import nitro


@as_pydantic_does
def test_hooks_get_the_keywords_of_the_class(base):
    seen: list[Any] = []

    class Parent(base):
        def __init_subclass__(cls, tag: str = "none", **keywords: Any) -> None:
            seen.append((cls.__name__, tag, keywords, "__pydantic_fields__" in cls.__dict__))
            super().__init_subclass__(**keywords)

        @classmethod
        def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
            seen.append((cls.__name__, keywords, list(cls.__pydantic_fields__), cls.__pydantic_complete__))

    class Child(Parent, tag="given"):
        x: int = 0

    class Grandchild(Child, tag="deep", frozen=True):
        y: "list[Later]" = []

    yield seen, Child(x="1"), Grandchild.model_config.get("frozen")
    yield with_warnings(lambda: type(base)("Odd", (Parent,), {"__module__": __name__}, unknown=1))[0]

    class Later(base):
        pass

    Grandchild.model_rebuild()
    yield seen


@as_pydantic_does
def test_the_hook_on_completion(base):
    seen: list[Any] = []

    class Parent(base):
        @classmethod
        def __pydantic_on_complete__(cls) -> None:
            seen.append((cls.__name__, cls.__pydantic_complete__))

    class Child(Parent):
        x: int = 0
        later: "Later | None" = None

    yield seen

    class Later(base):
        y: int = 0

    Child.model_rebuild()
    yield seen, Child(x="1", later={"y": "2"})


@as_pydantic_does
def test_class_keywords_are_settings(base):
    class Order(base, title="An order", extra="forbid", frozen=True):
        x: int = 0

    yield Order.model_config["title"], refusal(Order, z=1), refusal(setattr, Order(), "x", 1)
    yield refusal(lambda: type(base)("Odd", (base,), {"__module__": __name__}, nonsense=1))


@as_pydantic_does
def test_old_style_settings(base):
    def define() -> Any:
        class Order(base):
            x: int = 0

            class Config:
                extra = "allow"

        return Order

    order_class, warned = with_warnings(define)
    yield order_class(y=1), [text.split(",")[0] for _, text in warned]


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_metaclass_of_the_user(base):
    made: list[str] = []

    class Registering(type(base)):
        def __new__(mcs, name, bases, namespace, **keywords):
            made.append(name)
            return super().__new__(mcs, name, bases, namespace, **keywords)

        def __len__(cls):
            return len(cls.model_fields)

    class Order(base, metaclass=Registering):
        x: int
        tags: list[str] = []

    class Child(Order):
        y: int = 0

    assert made == ["Order", "Child"]
    assert len(Child) == len(Order) + 1
    assert Child(x="1", y=2).model_dump(exclude={"id"}) == {"x": 1, "tags": [], "y": 2}
    assert Child(x=1).x == 1
    assert Child.model_validate_json('{"x": 3}').x == 3


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_metaclass_that_calls_its_classes_its_own_way(base):
    class Counting(type(base)):
        calls = 0

        def __call__(cls, *arguments, **keywords):
            Counting.calls += 1
            return super().__call__(*arguments, **keywords)

    class Order(base, metaclass=Counting):
        x: int

    class Child(Order):
        y: int = 0

    assert (Order(x=1).x, Child(x="2").x, Child(x=3).x) == (1, 2, 3)
    assert Counting.calls == 3
    assert Order.model_validate({"x": 1}).x == 1
    assert Counting.calls == 3


def test_a_metaclass_of_pydantic_mixed_with_one_of_nitro():
    class Named(ModelMetaclass):
        @property
        def label(cls) -> str:
            return cls.__name__.lower()

    class Joint(type(nitro.Entity), Named):
        pass

    class Labelled(BaseModel, metaclass=Named):
        name: str = "a"

    class Order(nitro.Entity, Labelled, metaclass=Joint):
        x: int = 0

    order = Order(x="1")
    assert Order.label == "order"
    assert order.name == "a"
    order.x = 5
    assert order.changes == {"x": (1, 5)}


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_set_name_and_class_cells_work(base):
    class Noted:
        def __set_name__(self, owner, name):
            self.known = (owner.__name__, name)

    class Order(base):
        model_config = ConfigDict(ignored_types=(Noted,))
        noted = Noted()
        x: int = 0

        def own_class(self):
            return __class__

        def parent_dump(self):
            return super().model_dump()

    assert Order.noted.known == ("Order", "noted")
    assert Order().own_class() is Order
    assert Order(x=3).parent_dump()["x"] == 3


@as_pydantic_does(on=("Model", "validated Model"))
def test_fields_are_no_attributes_of_the_class(base):
    class Order(base):
        x: int = 5
        y: int

    yield refusal(lambda: Order.x), refusal(lambda: Order.y), hasattr(Order, "x"), refusal(lambda: Order.nothing)


def test_fields_of_entities_and_value_objects_are_references():
    class Order(nitro.Entity):
        x: int = 5

    class Line(nitro.ValueObject):
        y: int

    assert isinstance(Order.x, nitro.FieldRef)
    assert isinstance(Line.y, nitro.FieldRef)
    with pytest.raises(nitro.UnknownFieldError, match="Order has no field 'xx'; did you mean 'x'"):
        _ = Order.xx
    assert not hasattr(Order, "xx")


@as_pydantic_does
def test_attributes_of_the_class(base):
    class Order(base):
        """Documented."""

        x: int = 5
        y: int

    yield refusal(lambda: Order._nothing), Order.__doc__, Order.__name__
    yield Order.__qualname__, Order.__module__, sorted(Order.__annotations__)
    Order.extra_note = "later"
    yield Order.extra_note, Order(y=1).extra_note, list(Order.model_fields)
    del Order.extra_note
    yield hasattr(Order, "extra_note"), isinstance(5, Order), isinstance(Order(y=1), Order), issubclass(int, Order)
    yield "x" in dir(Order(y=1)), "model_dump" in dir(Order), Order == Order, Order != base
