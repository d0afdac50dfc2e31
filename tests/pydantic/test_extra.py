"""Extra values: ignored, allowed, forbidden."""

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict, Field


@pytest.mark.parametrize("extra", ["ignore", "allow", "forbid", None])
@pytest.mark.parametrize("base", ["Model", "validated Model", "Entity"])
def test_every_setting(base, extra):
    @as_pydantic_does
    def body(base):
        class Point(base):
            model_config = ConfigDict(extra=extra)
            x: int
            y: int = 0

        for data in (
            {"x": 1},
            {"x": 1, "z": 2},
            {"x": "1", "z": [1], "w": None},
            {"z": 1},
            {"x": "a", "z": 1},
            {"x": 1, "_p": 3},
        ):
            yield with_warnings(lambda: Point(**data))  # noqa: B023
            yield (
                with_warnings(Point.model_validate, data),
                with_warnings(Point.model_validate_json, repr(data).replace("'", '"').replace("None", "null")),
            )
            for other in ("allow", "forbid", "ignore"):
                yield with_warnings(Point.model_validate, data, extra=other)
                yield with_warnings(Point.model_validate_json, '{"x": 1, "z": 2}', extra=other)
            yield Point.model_construct(**data)
        point = Point(x=1)
        yield with_warnings(setattr, point, "z", 3), point, with_warnings(getattr, point, "z")
        yield with_warnings(delattr, point, "z"), point, with_warnings(delattr, point, "w"), point.model_extra
        yield point.model_dump(), point.model_dump_json(), hasattr(point, "nothing")
        yield Point.model_json_schema()

    body(base)


@as_pydantic_does
def test_extra_values_are_values_like_others(base):
    class Open(base):
        model_config = ConfigDict(extra="allow")
        x: int = 0

    made = Open(a=1, b=[1])
    yield made, made.a, made.model_extra, made.model_fields_set, list(made), dict(made)
    made.a = 2
    made.c = 3
    made.b.append(2)
    yield (
        made,
        made.model_dump(),
        made.model_dump_json(),
        made.model_dump(exclude={"a"}),
        made.model_dump(exclude_unset=True),
    )
    del made.a
    yield made, refusal(lambda: made.a), made == Open(b=[1, 2], c=3)
    made.model_extra["d"] = 4
    yield made.d, made, repr(made)
    made.x = 5
    yield made


@as_pydantic_does
def test_typed_extra_values(base):
    class Open(base):
        model_config = ConfigDict(extra="allow")
        __pydantic_extra__: dict[str, int] = Field(init=False)
        x: int = 0

    yield Open(a="1"), refusal(Open, a="no int"), with_warnings(Open.model_validate_json, '{"a": "2"}')
    made = Open(a=1)
    yield with_warnings(setattr, made, "a", "x"), made, with_warnings(made.model_dump_json)


@as_pydantic_does
def test_extra_values_of_nested_models(base):
    class Inner(base):
        model_config = ConfigDict(extra="forbid")
        x: int = 0

    class Outer(base):
        inner: Inner = Inner()
        many: list[Inner] = []

    yield Outer(inner={"x": 1}, z=3), refusal(Outer, inner={"z": 1}, many=[{"q": 1}])
    yield refusal(Outer.model_validate_json, '{"inner": {"z": 1}}'), Outer.model_validate({"inner": {}, "z": 1})


@as_pydantic_does(on=("Model", "Entity"))
def test_assigning_what_is_no_field(base):
    class Point(base):
        x: int = 0
        limit: "ClassVar[int]" = 5

    point = Point()
    yield refusal(setattr, point, "z", 1), refusal(setattr, point, "limit", 1), refusal(delattr, point, "z")
    yield (
        refusal(lambda: point.z),
        with_warnings(setattr, point, "model_config", {}),
        with_warnings(setattr, point, "model_dump", 1),
    )
    yield with_warnings(setattr, point, "__dict__", {"x": 7}), point
    yield refusal(setattr, point, "__dict__", 5), with_warnings(object.__setattr__, point, "w", 1), point.__dict__


from typing import ClassVar  # noqa: E402  (named in an annotation above, and found late)
