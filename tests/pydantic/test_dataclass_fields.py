"""Fields whose types are dataclasses, named tuples, typed dicts and other classes."""

import dataclasses
from collections import namedtuple
from typing import Any, NamedTuple, NotRequired

import pydantic.dataclasses
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, InstanceOf
from typing_extensions import TypedDict


@dataclasses.dataclass
class Plain:
    x: int
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Slim:
    x: int = 0


@pydantic.dataclasses.dataclass
class Checked:
    x: int
    plain: Plain | None = None


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Named(TypedDict):
    x: int
    y: NotRequired[str]


Loose = namedtuple("Loose", ["a", "b"])


class Arbitrary:
    def __init__(self, x: int) -> None:
        self.x = x

    def __repr__(self) -> str:
        return f"Arbitrary({self.x})"


@as_pydantic_does
def test_every_such_field(base):
    class Holder(base):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        plain: Plain | None = None
        plains: list[Plain] = []
        slim: Slim = Slim()
        checked: Checked | None = None
        pair: Pair = Pair(1)
        named: Named = {"x": 1}
        loose: Loose = Loose(1, 2)
        arbitrary: Arbitrary | None = None
        instance: InstanceOf[Plain] | None = None

    for data in (
        {"plain": {"x": "1"}}, {"plain": Plain(x="unchecked")}, {"plains": [{"x": 1}, Plain(2, ["a"])]}, {"slim": {"x": 3}},
        {"slim": Slim(4)}, {"checked": {"x": "1", "plain": {"x": "2"}}}, {"checked": Checked(x=1)}, {"pair": ["1", "b"]},
        {"pair": {"left": 1}}, {"named": {"x": "1", "y": "b"}}, {"loose": [1, "b"]}, {"arbitrary": Arbitrary(1)},
        {"instance": Plain(1)}, {"plain": 5}, {"plain": {"x": "a"}}, {"pair": []}, {"named": {}}, {"arbitrary": 1}, {"instance": 1},
    ):  # fmt: skip
        made, _ = with_warnings(lambda: Holder(**data))  # noqa: B023
        yield made
        if isinstance(made, Holder):
            yield with_warnings(made.model_dump), with_warnings(made.model_dump_json), repr(made)
            yield [getattr(made, name) is value for name, value in data.items()]
            yield with_warnings(made.model_dump, exclude_unset=True)


@as_pydantic_does
def test_defaults_that_are_dataclasses_are_not_shared(base):
    class Holder(base):
        plain: Plain = Plain(1)
        pair: tuple[Plain, ...] = (Plain(2),)

    one, other = Holder(), Holder()
    yield one.plain is other.plain, one.pair is other.pair
    one.plain.tags.append("a")
    yield other.plain, Holder().plain


@as_pydantic_does
def test_assignment_of_dataclasses(base):
    class Holder(base):
        plain: Plain
        anything: Any = None

    holder = Holder(plain=Plain(1))
    for value in (Plain(2), {"x": "3"}, {"x": "a"}, 5):
        yield with_warnings(setattr, holder, "plain", value), holder
    yield refusal(Holder, plain=None)
