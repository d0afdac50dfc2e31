"""What can be given to a class, and what pydantic says to the rest."""

import collections
import types
from typing import Any

from parity import as_pydantic_does, refusal, with_warnings
from pydantic import ConfigDict


class Text(str):
    pass


class Table(dict):
    pass


@as_pydantic_does
def test_positional_arguments(base):
    class Point(base):
        x: int
        y: int = 0

    yield refusal(Point, 1), refusal(Point, {"x": 1}), refusal(Point, 1, x=2), refusal(Point, *range(5), y=1)
    yield refusal(Point.model_validate), refusal(Point.model_validate, {}, True), refusal(Point.model_validate_json)


@as_pydantic_does
def test_duplicated_keywords(base):
    class Point(base):
        x: int
        y: int = 0

    data = {"x": 1}
    yield refusal(lambda: Point(x=1, **data)), refusal(lambda: Point(**data, **data)), Point(**{**data, "x": 2})


@as_pydantic_does
def test_keys_that_are_no_text(base):
    class Point(base):
        x: int
        y: int = 0

    class Open(base):
        model_config = ConfigDict(extra="allow")
        x: int = 0

    class Closed(base):
        model_config = ConfigDict(extra="forbid")
        x: int = 0

    for cls in (Point, Open, Closed):
        for data in (
            {1: 2, "x": 1},
            {b"x": 1},
            {None: 1, "x": 1},
            {("x",): 1, "x": 2},
            {Text("x"): 1},
            {Text("x"): 1, "x": 2},
            {"x": 1, 1.5: 2},
        ):
            yield with_warnings(cls.model_validate, data)
            yield with_warnings(lambda: cls(**data))  # noqa: B023


@as_pydantic_does
def test_names_that_are_not_the_same_object(base):
    class Point(base):
        some_name: int
        other_name: int = 0

    name = "".join(["some", "_", "name"])
    yield (
        Point(**{name: 1}),
        Point.model_validate({name: "1"}),
        Point(**{Text(name): 1}),
        Point.model_validate({Text(name): 1}),
    )
    point = Point(some_name=1)
    setattr(point, name, 5)
    setattr(point, Text("other_name"), 6)
    yield point, point.model_fields_set, point.model_dump_json(), getattr(point, name)
    yield with_warnings(setattr, point, "".join(["no", "ne"]), 1), refusal(setattr, point, 5, 1)


@as_pydantic_does
def test_mappings_of_every_kind(base):
    class Point(base):
        x: int
        y: int = 0

    class Lying(dict):
        def __getitem__(self, key):
            return 99

        def get(self, key, default=None):
            return 98

        def items(self):
            return [("x", 97)]

        def keys(self):
            return ["x"]

    for data in (
        Table(x=1), collections.OrderedDict(x=1), collections.defaultdict(int, x=1), types.MappingProxyType({"x": 1}),
        collections.ChainMap({"x": 1}, {"y": 2}), collections.UserDict(x=1), Lying(x=1), [("x", 1)], iter([]), None, 5, "x", b"{}",
        {"x"}, Point, Point.model_construct(x="raw"),
    ):  # fmt: skip
        yield with_warnings(Point.model_validate, data)
    yield with_warnings(lambda: Point(**Table(x=1))), with_warnings(lambda: Point(**Lying(x=1)))


@as_pydantic_does
def test_what_model_validate_json_reads(base):
    class Point(base):
        x: int
        text: str = ""

    for source in (
        '{"x": 1}', b'{"x": 1}', bytearray(b'{"x": 1}'), memoryview(b'{"x": 1}'), ' \n{"x" : 1 }\t', '{"x": 1, "x": 2}', '{"x": 1}}', '{"x": 1,}',
        '{"x": 01}', '{"x": 1e2}', '{"x": 1.0}', '{"x": 1.5}', '{"x": -0}', '{"x": 1e400}', '{"x": NaN}', '{"x": true}', '{"x": null}', '{"x": "1"}',
        '{"x": 123456789012345678901234567890}', '{"x": 1, "text": "\\u00e6\\ud83d\\ude00\\n"}', '{"x": 1, "text": "\\ud800"}', '{"x": 1, "text": "\n"}',
        '{"x": 1, "text": "æ😀"}', b'{"x": 1, "text": "\xff"}', b"\xef\xbb\xbf{}", "", "   ", "[]", "null", "5", '"x"', "{", '{"x"', '{"x":', "{x: 1}",
        "{'x': 1}", '{"x": 1, "y": [{"a": [1, {"b": null}]}]}', '{"\\u0078": 7}', 5, None, {"x": 1}, '{"x": 1} // end', '{"x": ' + "[" * 300,
    ):  # fmt: skip
        yield with_warnings(Point.model_validate_json, source)


@as_pydantic_does
def test_nothing_is_kept_of_what_was_given(base):
    class Holder(base):
        items: list[int] = []
        table: dict[str, list[int]] = {}
        anything: Any = None
        bag: set[int] = set()
        pair: tuple[int, ...] = ()

    given: dict[str, Any] = {"items": [1], "table": {"a": [1]}, "anything": [1], "bag": {1}, "pair": (1,)}
    for holder in (Holder(**given), Holder.model_validate(given)):
        yield (
            [getattr(holder, name) is value for name, value in given.items()],
            holder.table["a"] is given["table"]["a"],
        )
    holder = Holder()
    for name, value in given.items():
        setattr(holder, name, value)
        yield getattr(holder, name) is value
    given["items"].append(2)
    yield holder, given


@as_pydantic_does
def test_the_other_options_of_validation(base):
    class Point(base):
        x: int
        y: int = 0

    yield (
        Point.model_validate({"x": 1}, context={"a": 1}),
        Point.model_validate(obj={"x": 1}),
        refusal(Point.model_validate, {"x": 1}, nonsense=1),
    )
    yield (
        Point.model_validate_strings({"x": "1"}),
        refusal(Point.model_validate_strings, {"x": "a"}),
        Point.model_validate_json(json_data='{"x": 1}'),
    )
    yield (
        refusal(Point.model_validate, {"x": 1}, by_alias=False, by_name=False),
        refusal(Point.model_validate, {"x": 1}, extra="wrong"),
    )


@as_pydantic_does
def test_errors_count_name_and_explain(base):
    class Line(base):
        quantity: int

    class Order(base):
        name: str
        lines: list[Line] = []
        by_name: dict[str, Line] = {}

    error = refusal(Order, name=1, lines=[{"quantity": "x"}, {}], by_name={"a": 5})
    yield error, error.error_count(), error.title, error.json(include_url=False), repr(error)
    yield (
        error.errors(include_url=False, include_input=False, include_context=False),
        error.__cause__,
        error.__context__,
    )
    yield refusal(Order.model_validate, {"name": 1}), refusal(Order.model_validate_json, '{"name": 1, "lines": [{}]}')


@as_pydantic_does
def test_a_class_without_fields(base):
    class Empty(base):
        pass

    yield (
        Empty(),
        Empty.model_validate({}),
        Empty.model_validate_json("{}"),
        Empty(x=1),
        refusal(Empty, 5),
        refusal(Empty.model_validate, 5),
    )
    yield (
        Empty().model_dump(),
        Empty().model_dump_json(),
        Empty.model_construct(),
        with_warnings(setattr, Empty(), "x", 1),
    )
