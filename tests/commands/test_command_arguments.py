"""The arguments of a command are what its annotations say, or it does not run."""

from typing import Annotated, Any, Generic, TypeVar, Unpack

import pytest
from pydantic import ValidationError, validate_call
from typing_extensions import TypedDict

import nitro
from nitro import ConfigurationError, Entity, Field, Model, command, event, query


class Line(Model):
    product: str
    quantity: int = Field(1, ge=1)


def locations(call: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        call()
    return [error["loc"] for error in caught.value.errors()]


class Order(Entity):
    lines: list[Line] = []
    status: str = "draft"

    @command
    def place(self, lines: list[Line], /, priority: int = 1, *, note: str | None = None) -> int:
        self.lines = lines
        return priority


def test_they_are_converted() -> None:
    order = Order()
    assert order.place([{"product": "tea"}], "3", note="soon") == 3
    assert order.lines == [Line(product="tea", quantity=1)]


def test_an_error_names_the_command_and_the_path() -> None:
    order = Order()
    with pytest.raises(ValidationError) as caught:
        order.place([{"product": "tea", "quantity": 0}], "soon", notes="x")
    assert caught.value.title == "Order.place"
    assert [error["loc"] for error in caught.value.errors()] == [("lines", 0, "quantity"), ("priority",), ("notes",)]
    assert locations(order.place) == [("lines",)]
    assert Order.get_or_none(order.id) is None


def test_the_kinds_of_errors_are_those_of_pydantic() -> None:
    from pydantic import AfterValidator
    from pydantic_core import PydanticCustomError

    def even(value: int) -> int:
        if value % 2:
            raise ValueError("an odd number")
        return value

    def small(value: int) -> int:
        if value > 9:
            raise PydanticCustomError("too_big", "{value} is too big", {"value": value})
        return value

    def plain(number: Annotated[int, AfterValidator(even), AfterValidator(small)], *more: int) -> int:
        return number

    ours, theirs = query(plain), validate_call(plain)
    for arguments in [("x",), (3,), (12,), (2, 3, "y"), (), (None,)]:
        found, expected = [], []
        for function, errors in ((ours, found), (theirs, expected)):
            with pytest.raises(ValidationError) as caught:
                function(*arguments)
            errors += caught.value.errors(include_url=False)
        for one in (*found, *expected):
            del one["loc"]
            one.setdefault("ctx", {})
            one["ctx"] = {key: str(value) for key, value in one["ctx"].items()}
            if one["type"] == "missing_argument":
                one.pop("input")
        # What a custom error was made of is in its message already.
        if arguments == (12,):
            for one in (*found, *expected):
                del one["ctx"]
        assert found == expected
    assert locations(lambda: ours(2, 3, "y")) == [("more", 1)]


def test_any_number_of_arguments() -> None:
    class Sizes(TypedDict, total=False):
        width: int

    @query
    def collected(*numbers: int, **sizes: float) -> Any:
        return numbers, sizes

    @query
    def sized(**sizes: Unpack[Sizes]) -> Any:
        return sizes

    assert collected("1", 2, width="3") == ((1, 2), {"width": 3.0})
    assert locations(lambda: collected(1, "x", width="y")) == [("numbers", 1), ("width",)]
    assert sized(width="3") == {"width": 3}
    assert locations(lambda: sized(width="x")) == [("width",)]


def test_annotated_and_defaults_of_fields() -> None:
    @query
    def asked(
        limit: Annotated[int, Field(ge=1, le=100, description="How many")] = 20,
        words: list[str] = Field(default_factory=list),  # noqa: B008  (as pydantic allows)
    ) -> Any:
        return limit, words

    assert asked() == (20, [])
    assert asked()[1] is not asked()[1]
    assert locations(lambda: asked(limit=0)) == [("limit",)]
    parameters = nitro.commands.of(asked).parameters
    assert (parameters["limit"].default, parameters["limit"].description) == (20, "How many")
    assert (parameters["words"].required, parameters["words"].default) == (False, None)


def test_what_pydantic_does_not_know_is_looked_at_by_its_class() -> None:
    class Gateway:
        pass

    @query
    def pays(gateway: Gateway) -> bool:
        return True

    assert pays(Gateway())
    assert locations(lambda: pays("x")) == [("gateway",)]


def test_classes_of_functions_and_names_that_come_later() -> None:
    class Part(Model):
        name: str

    class Machine(Entity):
        parts: list[str] = []

        @command
        def build(self, part: "Part", like: "Machine | None" = None, later: "list[Later] | None" = None) -> "Nothing":
            self.parts = [*self.parts, part.name]

    class Later(Model):
        name: str

    machine = Machine()
    machine.build({"name": "wheel"}, machine, [{"name": "x"}])
    assert machine.parts == ["wheel"]
    assert locations(lambda: machine.build({"name": "wheel"}, like=Order())) == [("like",)]
    assert locations(lambda: machine.build({"name": "wheel"}, later=[{}])) == [("later", 0, "name")]


def test_a_name_that_never_comes_is_an_error_that_names_it() -> None:
    class Machine(Entity):
        @command
        def build(self, part: "Prat") -> None: ...

    with pytest.raises(ConfigurationError, match="the annotations of Machine.build name 'Prat', which is not there"):
        Machine().build(1)
    with pytest.raises(ConfigurationError, match="Prat"):
        _ = nitro.commands.of(Machine)["build"].parameters


def test_a_class_that_is_defined_again_is_the_one_that_counts() -> None:
    def define() -> Any:
        class Box(Entity):
            size: int = 0

            @command
            def like(self, other: "Box") -> None:
                self.size = other.size

        return Box

    first, second = define(), define()
    box = second()
    box.like(second(size=3))
    assert box.size == 3
    assert locations(lambda: box.like(first(size=3))) == [("other",)]


def test_a_generic_class_has_commands() -> None:
    T = TypeVar("T")

    class Shelf(Entity, Generic[T]):
        things: list[T] = []

        @command
        def put(self, thing: T) -> None:
            self.things = [*self.things, thing]

    shelf = Shelf[int]()
    shelf.put(3)
    assert shelf.things == [3]


def test_subclasses_inherit_and_override_them() -> None:
    class Express(Order):
        @command
        def place(self, lines: list[Line], /, priority: int = 9, *, note: str | None = None) -> int:
            return super().place(lines, priority, note=note) + 1

    class Slow(Order):
        pass

    assert Express().place([]) == 10
    assert Slow().place([], "2") == 2


def test_methods_of_classes_that_are_no_entities() -> None:
    class Service:
        def __init__(self) -> None:
            self.count = 0

        @command
        def count_up(self, by: int) -> int:
            self.count += by
            return self.count

        @staticmethod
        @query
        def double(number: int) -> int:
            return 2 * number

        @query
        @staticmethod
        def half(number: int) -> int:
            return number // 2

        @classmethod
        @query
        def name_of(cls, suffix: str = "") -> str:
            return cls.__name__ + suffix

    service = Service()
    assert service.count_up("2") == 2
    assert (service.double("2"), Service.half("4"), Service.name_of(suffix="!")) == (4, 2, "Service!")


def test_the_function_looks_like_itself() -> None:
    import inspect

    assert Order.place.__name__ == "place"
    assert Order.place.__qualname__ == "Order.place"
    assert list(inspect.signature(Order.place).parameters) == ["self", "lines", "priority", "note"]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: command(3), "@command is for functions and methods, and 3 is neither"),
        (lambda: query(lambda: (yield)), "is a generator"),
        (lambda: command(retry=-1)(lambda: 1), "retry takes a number from 0 on, got -1"),
        (lambda: command(retry="3")(lambda: 1), "retry takes a number from 0 on, got '3'"),
        (lambda: command(retry=1.5)(lambda: 1), "retry takes a number from 0 on, got 1.5"),
        (lambda: command(lock=True)(lambda: 1), "no entity to lock"),
        (lambda: command(idempotent=True)(lambda: 1), "no store that could keep the keys"),
        (lambda: event(method="GET", retry=1)(lambda: 1), "is a query, which writes nothing"),
    ],
)
def test_what_cannot_be_a_command_is_an_error_when_it_is_declared(declare: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        declare()


def test_idempotent_commands_say_what_they_give_and_leave_the_name_of_the_key_free() -> None:
    with pytest.raises(ConfigurationError, match="add one, such as `-> None`"):

        class Silent(Entity):
            @command(idempotent=True)
            def run(self): ...

    with pytest.raises(ConfigurationError, match="has a parameter idempotency_key"):

        class Taken(Entity):
            @command(idempotent=True)
            def run(self, idempotency_key: str) -> None: ...
