"""RootModel and TypeAdapter around the classes, and validate_call."""

import datetime
from typing import Annotated, Any, NamedTuple

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import BaseModel, Field, RootModel, TypeAdapter, ValidationError, validate_call
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

import nitro


@as_pydantic_does
def test_root_models_of_models(base):
    class Point(base):
        x: int
        when: datetime.date = datetime.date(2024, 1, 2)

    class Points(RootModel[list[Point]]):
        def __iter__(self):
            return iter(self.root)

    ByName = RootModel[dict[str, Point]]
    points = Points([{"x": "1"}, Point(x=2)])
    yield points, points.model_dump(), points.model_dump_json(), list(points), points.model_dump(mode="json")
    yield Points.model_validate_json(points.model_dump_json()) == points
    yield refusal(Points, [{"x": "a"}]), refusal(Points.model_validate_json, "{}")
    yield ByName({"a": {"x": 1}}), ByName.model_json_schema()

    class Holder(base):
        points: Points = Points([])

    holder = Holder(points=[{"x": 1}])
    yield holder, holder.model_dump(), holder.model_dump_json(), refusal(Holder, points=[1])


@as_pydantic_does
def test_type_adapters(base):
    class Point(base):
        x: int
        y: int = 0

    class Named(TypedDict):
        point: Point
        points: list[Point]

    class Pair(NamedTuple):
        left: Point
        right: int = 0

    for kind, good, bad in (
        (Point, {"x": "1"}, {"x": "a"}),
        (list[Point], [{"x": 1}, Point(x=2, y=3)], [{"x": 1}, {}]),
        (dict[str, Point], {"a": {"x": 1}}, {"a": 1}),
        (Point | None, None, 5),
        (tuple[Point, ...], [{"x": 1}], [1]),
        (set[int] | Point, {"x": 1}, "a"),
        (Named, {"point": {"x": 1}, "points": [{"x": 2}]}, {"point": 1}),
        (Pair, [{"x": 1}], [1]),
        (Annotated[list[Point], Field(max_length=1)], [{"x": 1}], [{"x": 1}, {"x": 2}]),
    ):
        adapter = TypeAdapter(kind)
        value = adapter.validate_python(good)
        yield value, adapter.dump_python(value), adapter.dump_json(value), adapter.dump_python(value, mode="json")
        yield refusal(adapter.validate_python, bad), with_warnings(adapter.validate_json, adapter.dump_json(value))
        yield adapter.dump_json(value, exclude_unset=True), adapter.dump_json(value, indent=1), adapter.json_schema()
    yield TypeAdapter(Point).validate_python(Point(x=1)), TypeAdapter(Point).get_default_value()


@as_pydantic_does
def test_generators_and_lists_of_unknown_type(base):
    class Point(base):
        x: int

    adapter: TypeAdapter[Any] = TypeAdapter(Any)
    yield adapter.dump_python([Point(x=1), {"a": Point(x=2)}]), adapter.dump_json([Point(x=1)])
    yield adapter.dump_python(Point(x=1), mode="json")


@as_pydantic_does
def test_instances_pass_through_unchanged(base):
    class Point(base):
        x: int

    point = Point(x=1)
    point.__dict__["x"] = "not checked"
    yield (
        TypeAdapter(Point).validate_python(point) is point,
        TypeAdapter(list[Point]).validate_python([point])[0] is point,
    )
    yield Point.model_validate(point) is point, Point.model_validate(point).x


@as_pydantic_does
def test_validate_call(base):
    class Point(base):
        x: int

    @validate_call(validate_return=True)
    def move(point: Point, by: Annotated[int, Field(gt=0)] = 1) -> Point:
        return point.model_copy(update={"x": point.x + by})

    yield move({"x": "1"}), move(Point(x=5), "3"), refusal(move, {"x": "a"}, 0)


@as_pydantic_does
def test_pydantic_dataclasses_that_hold_models(base):
    class Point(base):
        x: int

    @dataclass
    class Shape:
        points: list[Point]
        origin: Point | None = None

    shape = Shape(points=[{"x": "1"}], origin=Point(x=0))
    yield shape.points, shape.origin, TypeAdapter(Shape).dump_json(shape), refusal(Shape, points=[{"x": "a"}])


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_entities_and_models_are_base_models(base):
    class Point(base):
        x: int

    assert issubclass(Point, BaseModel)
    assert isinstance(Point(x=1), BaseModel)
    with pytest.raises(ValidationError, match="Point"):
        TypeAdapter(Point).validate_python({"x": "a"})
