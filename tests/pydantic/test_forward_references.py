"""Forward references, model_rebuild, and classes that are not complete yet."""

import gc
from typing import Any, ForwardRef, Generic, Optional, TypeVar

import pytest
from parity import as_pydantic_does, refusal, with_warnings
from pydantic import BaseModel, ConfigDict, Field, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

import nitro

T = TypeVar("T")


@as_pydantic_does
def test_a_class_that_names_itself(base):
    class Node(base):
        name: str
        child: "Node | None" = None
        children: list["Node"] = []
        by_name: dict[str, "Node"] = {}

    node = Node(id="1", name="a", child={"id": "2", "name": "b"}, children=[Node(id="3", name="c")])
    yield node, node.model_dump(), node.model_dump_json()
    yield refusal(Node, name="a", child={"name": 1}), refusal(Node, name="a", children=[{"name": "b", "children": 1}])
    yield Node.model_validate_json(node.model_dump_json()) == node


@as_pydantic_does
def test_local_classes_are_found(base):
    class Line(base):
        product: str

    class Order(base):
        lines: "list[Line]"
        first: Optional["Line"] = None

    # At once, and not only when the first instance is made where the names are still to be found.
    yield Order.__pydantic_complete__
    yield Order(id="1", lines=[{"id": "2", "product": "a"}]), Order.__pydantic_complete__


@as_pydantic_does
def test_a_class_that_is_defined_later(base):
    class Order(base):
        lines: "list[Line]" = []

    yield Order.__pydantic_complete__

    class Line(base):
        product: str

    yield Order(id="1", lines=[{"id": "2", "product": "a"}]), Order.__pydantic_complete__
    yield refusal(Order, lines=[{"product": 1}])
    yield Order(id="1").model_dump_json(), Order.model_rebuild(), Order.model_rebuild(force=True)
    yield Order.model_validate({"id": "1", "lines": [Line(id="2", product="a")]})


@as_pydantic_does
def test_every_way_to_use_a_class_that_is_not_complete(base):
    class Order(base):
        lines: "list[Missing]"

    yield refusal(Order, lines=[]), refusal(Order)
    yield refusal(Order.model_validate, {}), refusal(Order.model_validate_json, "{}")
    yield refusal(Order.model_json_schema), refusal(Order.model_rebuild)
    yield Order.model_rebuild(raise_errors=False), Order.__pydantic_complete__
    constructed = Order.model_construct(lines=[])
    yield constructed.lines
    yield refusal(constructed.model_dump), refusal(constructed.model_dump_json)
    yield type(with_warnings(TypeAdapter(list[Order]).validate_python, [{}])[0])
    yield Order.model_rebuild(_types_namespace={"Missing": int}), Order(id="1", lines=["1"])


@as_pydantic_does
def test_mutual_recursion(base):
    class Author(base):
        name: str
        books: "list[Book]" = []

    class Book(base):
        title: str
        author: Author | None = None
        sequels: list["Book"] = []

    Author.model_rebuild()
    author = Author(
        id="1", name="a", books=[{"id": "2", "title": "t", "author": {"id": "3", "name": "b"}, "sequels": []}]
    )
    yield author, author.model_dump(), author.model_dump_json(), type(author.books[0]) is Book
    yield refusal(Author, name="a", books=[{"title": "t", "author": {"name": 3}}])
    author.books.append(Book(id="4", title="u", author=author))
    yield repr(author)
    yield type(with_warnings(author.model_dump_json)[0])


@as_pydantic_does
def test_a_rebuild_takes_changed_fields_up(base):
    class Point(base):
        x: int

    yield Point(id="1", x="1"), refusal(Point, x="one")
    Point.model_fields["x"].annotation = str
    Point.model_rebuild(force=True)
    yield Point(id="1", x="one"), refusal(Point, x=1)
    yield Point.model_validate_json('{"id": "1", "x": "b"}'), Point(id="1", x="a").model_dump_json()


@as_pydantic_does
def test_a_rebuild_takes_changed_settings_up(base):
    class Point(base):
        x: int = 0

    yield Point(id="1", other=1)
    Point.model_config["extra"] = "forbid"
    Point.model_rebuild(force=True)
    yield refusal(Point, other=1)
    Point.model_config["extra"] = "allow"
    Point.model_rebuild(force=True)
    yield Point(id="1", other=1), Point(id="1", other=1).model_dump_json()
    Point.model_config["frozen"] = True
    Point.model_rebuild(force=True)
    yield type(refusal(setattr, Point(id="1"), "x", 1))


@as_pydantic_does
def test_instances_from_before_a_rebuild_go_on(base):
    class Point(base):
        x: int
        y: int = 0

    old = Point(id="1", x=1)
    Point.model_fields["x"].annotation = int | None
    Point.model_rebuild(force=True)
    yield old, old.model_dump(), old.model_dump_json()
    old.x = 5
    yield old, old == Point(id="1", x=5), old.model_fields_set
    old.x = None
    yield old


@as_pydantic_does
def test_a_rebuild_with_a_field_more(base):
    class Point(base):
        x: int

    old = Point(id="1", x=1)
    yield old.model_dump_json()
    Point.__annotations__["y"] = int
    Point.model_fields["y"] = type(Point.model_fields["x"])(annotation=int, default=7)
    Point.model_rebuild(force=True)
    yield Point(id="1", x=1), Point(id="1", x=1, y="2").model_dump_json()
    yield with_warnings(old.model_dump_json), with_warnings(old.model_dump), with_warnings(lambda: old.y)
    old.x = 3
    yield old.x, old.model_fields_set
    old.y = 4
    yield old, old.model_dump()


@as_pydantic_does
def test_building_is_put_off(base):
    class Later(base):
        model_config = ConfigDict(defer_build=True)
        x: int
        tags: list[str] = []

    class Holder(base):
        later: Later

    yield Later.__pydantic_complete__, Later(id="1", x="1"), Later.__pydantic_complete__
    yield Holder(id="2", later={"id": "1", "x": "1"}), refusal(Holder, later={"x": "a"})

    class Other(Later):
        y: int = 0

    yield Other.__pydantic_complete__, Other.model_validate_json('{"id": "1", "x": 1}'), Other.__pydantic_complete__
    yield Other(id="1", x=1).model_dump_json()


@as_pydantic_does
def test_generics_with_forward_references(base):
    class Box(base, Generic[T]):
        content: T
        next: "Box[T] | None" = None
        other: "Later | None" = None

    IntBox = Box[int]

    class Later(base):
        x: int = 1

    yield IntBox(id="1", content="1", next={"id": "2", "content": "2"}, other={"id": "3"})
    yield refusal(IntBox, content=1, next={"content": "x"})


@as_pydantic_does
def test_a_subclass_of_an_incomplete_class(base):
    class Parent(base):
        later: "Later"

    class Child(Parent):
        more: int = 0

    yield Parent.__pydantic_complete__, Child.__pydantic_complete__

    class Later(base):
        x: int

    yield Child(id="1", later={"id": "2", "x": 1}), Parent(id="1", later={"id": "2", "x": 1})


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_a_class_completed_late_takes_the_fast_lane(base):
    class Order(base):
        lines: "list[Line]" = []

    class Line(base):
        product: str

    Order.model_rebuild()
    assert nitro.explain(Order).operations["construct"] is None
    assert Order(lines=[Line(product="a")]).lines[0].product == "a"


@pytest.mark.parametrize("base", [nitro.Model, nitro.Entity])
def test_an_incomplete_class_cannot_be_explained(base):
    class Order(base):
        lines: "list[Missing]"

    with pytest.raises((PydanticUserError, PydanticUndefinedAnnotation)):
        nitro.explain(Order)


def test_an_entity_with_a_key_of_its_own_may_name_local_and_later_classes():
    class Local(nitro.Model):
        x: int

    class Product(nitro.Entity):
        sku: str = nitro.Field(primary_key=True)
        local: "Local"
        later: "Later | None" = None
        parts: list["Product"] = []

    class Later(nitro.Model):
        x: int

    product = Product(sku="a", local={"x": "1"}, later={"x": 2}, parts=[{"sku": "b", "local": {"x": 1}}])
    assert list(product.model_dump()) == ["sku", "local", "later", "parts"]
    assert nitro.identity(product) == "a"
    assert product.local == Local(x=1)
    assert product.later == Later(x=2)
    product.local.x = 5
    assert product.changes == {"local": (Local(x=1), Local(x=5))}


def test_an_instance_made_before_its_class_was_rebuilt_is_tracked_on():
    class Order(nitro.Entity):
        tags: list[str] = []
        total: int = 0

    order = Order(tags=["a"])
    order.total = 5
    Order.model_fields["total"].annotation = int | None
    Order.model_rebuild(force=True)
    assert order.changes == {"total": (0, 5)}
    order.tags.append("b")
    assert order.changes == {"total": (0, 5), "tags": (["a"], ["a", "b"])}
    order.revert_changes()
    assert order.model_dump(exclude={"id"}) == {"tags": ["a"], "total": 0}


def test_changes_are_no_danger_when_a_rebuild_adds_a_field():
    class Order(nitro.Entity):
        tags: list[str] = []

    order = Order(tags=["a"])
    order.tags.append("b")
    info = type(Order.model_fields["tags"])(annotation=list[str], default=["x"])
    Order.model_fields.clear()
    Order.model_fields.update({"new": info, "tags": info, "id": nitro.Entity.model_fields["id"]})
    Order.model_rebuild(force=True)
    assert order.tags == ["a", "b"]
    order.tags = ["c"]
    assert order.tags == ["c"]
    assert isinstance(order.changes, dict)
    assert Order().new == ["x"]
    del order
    gc.collect()


def test_forward_references_in_the_namespace_of_a_module():
    namespace: dict[str, Any] = {"BaseModel": nitro.Model, "ForwardRef": ForwardRef, "Field": Field}
    source = (
        "from __future__ import annotations\n"
        "class Order(BaseModel):\n"
        "    lines: list[Line] = Field(default_factory=list)\n"
        "class Line(BaseModel):\n"
        "    x: int\n"
    )
    exec(compile(source, "later", "exec"), {**namespace, "__name__": "later"}, namespace)  # noqa: S102
    order_class: type[BaseModel] = namespace["Order"]
    order_class.model_rebuild(_types_namespace=namespace)
    assert order_class(lines=[{"x": "1"}]).model_dump() == {"lines": [{"x": 1}]}
