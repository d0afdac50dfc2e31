"""Classes with their own way to read, set and delete attributes."""

from typing import Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict


@as_pydantic_does
def test_an_own_setattr(base):
    class Order(base):
        x: int = 0
        note: str = ""

        def __setattr__(self, name: str, value: Any) -> None:
            calls.append((name, value))
            if name == "note":
                value = value.upper()
            super().__setattr__(name, value)

    calls: list[Any] = []
    order = Order(x="1", note="a")
    yield order, calls
    order.x = 5
    order.note = "b"
    yield order, calls, order.model_fields_set
    setattr(order, "x", 6)  # noqa: B010
    object.__setattr__(order, "x", 7)
    yield order, calls, order.model_copy(update={"x": 8}), calls
    yield with_warnings(setattr, order, "x", "bad"), with_warnings(setattr, order, "nothing", 1)


@as_pydantic_does
def test_a_setattr_that_refuses_or_goes_round(base):
    class Locked(base):
        x: int = 0

        def __setattr__(self, name, value):
            raise AttributeError(f"{name} is locked")

    class Direct(base):
        x: int = 0

        def __setattr__(self, name, value):
            object.__setattr__(self, name, value)

    class Written(base):
        x: int = 0

        def __setattr__(self, name, value):
            self.__dict__[name] = value

    yield Locked(x="1"), refusal(setattr, Locked(), "x", 1), Locked().model_copy(update={"x": 3})
    for cls in (Direct, Written):
        made = cls()
        made.x = "unchecked"
        made.y = 1
        yield made, made.__dict__, made.model_fields_set


@as_pydantic_does
def test_a_delattr_of_its_own(base):
    class Order(base):
        x: int = 0

        def __delattr__(self, name):
            calls.append(name)
            super().__delattr__(name)

    calls: list[str] = []
    order = Order(x=1)
    del order.x
    yield calls, order, refusal(lambda: order.x), refusal(delattr, order, "y"), calls


@as_pydantic_does
def test_a_getattr_of_its_own(base):
    class Order(base):
        x: int = 0

        def __getattr__(self, name: str) -> Any:
            if name.startswith("made_"):
                return name[5:]
            return super().__getattr__(name)

    class Simple(base):
        x: int = 0

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return f"no {name}"

    yield Order(x=1).made_up, refusal(lambda: Order().nothing), Order(x=1).x, Order().model_dump_json()
    yield Simple().nothing, Simple(x=2).x, Simple(), Simple().model_copy(), hasattr(Simple(), "anything")


@as_pydantic_does
def test_a_getattribute_of_its_own(base):
    class Order(base):
        x: int = 0
        tags: list[int] = []

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                calls.append(name)
                return super().__getattribute__("x") + 100
            return super().__getattribute__(name)

    calls: list[str] = []
    order = Order(x=1)
    yield order.x, calls, order.model_dump(), order.model_dump_json(), repr(order), order.__dict__
    order.x = 5
    yield order.x, order.__dict__, order == Order(x=5), calls


@as_pydantic_does
def test_hooks_given_later(base):
    class Order(base):
        x: int = 0

    order = Order(x=1)
    yield order.x, refusal(lambda: order.y)
    Order.__getattr__ = lambda self, name: f"late {name}"
    yield order.x, order.y
    del Order.__getattr__
    yield order.x, refusal(lambda: order.y)

    def doubled(self, name, value):
        object.__setattr__(self, name, value * 2)

    Order.__setattr__ = doubled
    order.x = 5
    yield order.x
    del Order.__setattr__
    order.x = 5
    yield order.x, with_warnings(setattr, order, "x", "bad"), order.x
    original = Order.__getattribute__
    Order.__getattribute__ = lambda self, name: 42 if name == "x" else original(self, name)
    yield order.x
    del Order.__getattribute__
    yield order.x


@as_pydantic_does
def test_hooks_given_later_to_a_parent(base):
    class Parent(base):
        x: int = 0

    class Child(Parent):
        y: int = 0

    child = Child(x=1)

    def doubled(self, name, value):
        object.__setattr__(self, name, value * 2)

    Parent.__setattr__ = doubled
    child.x = 4
    yield child.x
    del Parent.__setattr__
    child.x = 4
    yield child.x
    Parent.__getattr__ = lambda self, name: f"late {name}"
    yield child.nothing
    del Parent.__getattr__
    yield refusal(lambda: child.nothing)


@as_pydantic_does
def test_hooks_of_a_mixin(base):
    class Logged:
        def __setattr__(self, name, value):
            calls.append(name)
            super().__setattr__(name, value)

        def __getattr__(self, name):
            if name == "magic":
                return 1
            return super().__getattr__(name)

    class Before(Logged, base):
        x: int = 0

    class Behind(base, Logged):
        x: int = 0

    calls: list[str] = []
    for cls in (Before, Behind):
        made = cls(x="1")
        made.x = 2
        yield made, calls, with_warnings(lambda: made.magic), with_warnings(lambda: made.nothing)  # noqa: B023


@as_pydantic_does
def test_descriptors_in_the_class_body(base):
    class Doubling:
        def __get__(self, instance, owner):
            return self if instance is None else instance.x * 2

        def __set__(self, instance, value):
            instance.x = value // 2

        def __delete__(self, instance):
            instance.x = 0

    class Order(base):
        model_config = ConfigDict(ignored_types=(Doubling,))
        x: int = 1
        double = Doubling()

    order = Order(x="3")
    yield order.double, order, list(Order.model_fields)
    yield with_warnings(setattr, order, "double", 10), order, with_warnings(delattr, order, "double"), order


@as_pydantic_does
def test_deleting_and_restoring_fields(base):
    class Point(base):
        x: int
        y: int = 5
        z: int = 6

    point = Point(x=1)
    del point.y
    yield point, refusal(lambda: point.y), point.model_fields_set, point.model_dump(exclude={"y"}, warnings=False)
    yield with_warnings(point.model_dump), with_warnings(point.model_dump_json), with_warnings(repr, point)
    point.y = 9
    yield point, list(point.__dict__), point.model_dump_json(), point == Point(x=1, y=9)
    del point.x, point.y, point.z
    yield point, refusal(delattr, point, "x")
    point.z = 1
    point.x = 2
    yield point.__dict__, with_warnings(point.model_dump_json)


@as_pydantic_does
def test_working_on_the_dictionary(base):
    class Point(base):
        x: int
        y: int = 0

    point = Point(x=1)
    dictionary = point.__dict__
    dictionary["x"] = "written"
    yield point.x, with_warnings(point.model_dump), vars(point) is dictionary
    point.x = 5
    dictionary = point.__dict__
    yield dictionary["x"], point.model_dump_json()
    dictionary.update(y=7, other=1)
    yield point, point.other, point.model_dump_json(), with_warnings(setattr, point, "other", 2)
    dictionary = point.__dict__
    dictionary.clear()
    yield point, with_warnings(point.model_dump_json)
    point.__dict__ = {"y": 1, "x": 2}
    yield point, point.model_dump_json(), point.__dict__
