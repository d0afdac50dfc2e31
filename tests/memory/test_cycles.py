"""Reference cycles are collected: among instances, and between classes and what belongs to them."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError

import nitro
from nitro import Entity, MemoryRepo, Model, ValueObject


class Point(Model):
    x: int = 0
    name: str = ""


class CheckedPoint(Point):
    model_config = ConfigDict(validate_assignment=True)


class FrozenPoint(ValueObject):
    x: int = 0


class AtomicEntity(Entity):
    name: str = ""
    total: float = 0.0


class Node(Entity):
    name: str = ""
    children: list[Any] = []
    other: Any = None
    table: dict[str, Any] = {}


class Tree(Model):
    name: str = ""
    children: list["Tree"] = []
    parent: "Tree | None" = None


class Open(Model):
    model_config = ConfigDict(extra="allow")
    x: int = 0


class Secretive(Model):
    x: int = 0
    _self: Any = PrivateAttr(default=None)

    @cached_property
    def myself(self) -> Any:
        return self


class Slotted(Model):
    __slots__ = ("note",)
    x: int = 0


def assert_collected(make: Callable[[], Any]) -> None:
    """What is made, and then forgotten, is gone after a collection."""
    gc.collect()
    reference = weakref.ref(make())
    gc.collect()
    assert reference() is None


# --- instances ----------------------------------------------------------------------------------------------------


def in_its_own_list() -> Any:
    node = Node(name="a")
    node.children.append(node)
    return node


def in_its_own_dict() -> Any:
    node = Node(name="a")
    node.table["me"] = {"deep": [node]}
    return node


def one_another() -> Any:
    one, other = Node(name="a"), Node(name="b")
    one.other, other.other = other, one
    return one


def through_a_model() -> Any:
    tree = Tree(name="a")
    tree.children = [Tree(name="b", parent=tree)]
    return tree


def given_at_construction() -> Any:
    looped: list[Any] = []
    node = Node(name="a", children=looped)
    looped.append(node)
    node.children.append(looped)
    return node


def after_changes_were_read() -> Any:
    node = in_its_own_list()
    assert node.is_changed
    assert node.changes
    return node


def after_reverting() -> Any:
    node = in_its_own_dict()
    node.revert_changes()
    node.other = node
    return node


def held_by_the_original_value() -> Any:
    """The cycle runs through what tracking remembers, not through the values."""
    node = Node(name="a")
    holder = [node]
    node.other = holder
    other = Node(name="b", other=node)
    node.children.append(other)
    node.children = []
    other.other = None
    return node


def held_by_the_last_save() -> Any:
    class Stored(Node, backend=MemoryRepo()):
        pass

    node = Stored(name="a").save()
    node.other = node
    node.save()
    node.other = None
    node.save()
    node.other = node
    node.save()
    node.delete()
    return node


def through_the_dictionary() -> Any:
    point = Point(x=1)
    vars(point)["self"] = point
    return point


def by_a_plain_assignment() -> Any:
    point = Point(x=1)
    point.name = point  # type: ignore[assignment]
    return point


def by_a_replaced_dictionary() -> Any:
    point = Point(x=1)
    point.__dict__ = {"x": point}
    return point


def by_model_construct() -> Any:
    point = Point.model_construct(x=[])
    point.x.append(point)  # type: ignore[attr-defined]
    return point


def by_extra_values() -> Any:
    made = Open(x=1)
    made.me = made  # type: ignore[attr-defined]
    return made


def by_a_private_attribute() -> Any:
    made = Secretive(x=1)
    made._self = made
    return made


def by_a_cached_property() -> Any:
    made = Secretive(x=1)
    assert made.myself is made
    return made


def by_a_cached_property_on_atomic_fields() -> Any:
    class Lazy(Model):
        x: int = 0

        @cached_property
        def myself(self) -> Any:
            return self

    made = Lazy(x=1)
    assert made.myself is made
    return made


def by_object_setattr() -> Any:
    """The way round a frozen class that pydantic's users take."""
    made = FrozenPoint(x=1)
    object.__setattr__(made, "me", made)
    return made


def by_object_setattr_on_an_entity() -> Any:
    made = AtomicEntity(name="a")
    object.__setattr__(made, "name", made)
    return made


def by_a_slot() -> Any:
    made = Slotted(x=1)
    object.__setattr__(made, "note", made)
    return made


def by_fields_set() -> Any:
    made = Point(x=1)
    made.__pydantic_fields_set__ = {"x"}
    made.__pydantic_private__ = {"me": made}
    return made


def by_a_copy_of_an_atomic_instance() -> Any:
    made = copy.copy(Point(x=1))
    made.name = made  # type: ignore[assignment]
    return made


def by_an_unpickled_atomic_instance() -> Any:
    made = pickle.loads(pickle.dumps(CheckedPoint(x=1)))
    vars(made)["me"] = made
    return made


def by_another_class() -> Any:
    class Loose(Model):
        x: Any = None
        name: str = ""

    made = Point(x=1)
    made.__class__ = Loose  # type: ignore[assignment]
    made.x = made  # type: ignore[assignment]
    return made


def by_an_exception() -> Any:
    node = Node(name="a")
    try:
        node.children = 5  # type: ignore[assignment]
    except ValidationError as error:
        node.other = error
    return node


def by_a_bound_method() -> Any:
    node = Node(name="a")
    node.other = node.save
    return node


def by_a_closure() -> Any:
    node = Node(name="a")
    node.other = lambda: node
    return node


MAKERS = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__ and not isinstance(value, type)
]
MAKERS.remove(assert_collected)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_cycle_of_instances_is_collected(make):
    assert_collected(make)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_cycle_that_is_in_use_is_not_collected(make):
    made = make()
    before = set(vars(made))
    gc.collect()
    gc.collect()
    assert set(vars(made)) == before
    assert made.__class__.__name__ in repr(type(made))


@pytest.mark.parametrize("cls", [Point, CheckedPoint, AtomicEntity, FrozenPoint, Node, Tree])
def test_the_collector_sees_an_instance_whose_dictionary_is_out(cls):
    """Whoever has the dictionary can put anything into it."""
    made = cls()
    assert vars(made) is made.__dict__
    assert gc.is_tracked(made)


def test_the_collector_sees_an_instance_that_an_unvalidated_value_was_assigned_to():
    point = Point(x=1)
    point.x = [point]  # type: ignore[assignment]
    assert gc.is_tracked(point)


def test_what_an_instance_holds_dies_with_it():
    class Token:
        pass

    for make in (
        lambda token: Node(other=token),
        lambda token: Node(children=[token]),
        lambda token: Node.model_construct(name=token),
    ):
        token = Token()
        reference = weakref.ref(token)
        node = make(token)
        assert node.changes == {}
        del node, token
        gc.collect()
        assert reference() is None


def test_an_old_value_lives_as_long_as_it_can_be_asked_for():
    class Token:
        pass

    class Stored(Node, backend=MemoryRepo()):
        pass

    node = Stored(other=Token()).save()
    reference = weakref.ref(node.other)
    node.other = None
    gc.collect()
    assert node.original("other") is reference() is not None
    node.save()
    node.save()
    gc.collect()
    assert reference() is None
    node.delete()


def test_a_finalizer_sees_a_whole_entity():
    seen: list[Any] = []

    class Final(Entity):
        name: str = "a"
        other: Any = None

        def __del__(self) -> None:
            seen.append((self.name, nitro.changes.fields(self), self.model_dump(exclude={"other"})["name"]))

    final = Final()
    final.other = final
    final.name = "b"
    seen.clear()
    del final
    gc.collect()
    assert seen == [("b", {"name", "other"}, "b")]


@pytest.mark.parametrize("base", [BaseModel, Model, Entity])
def test_defining_a_class_runs_no_finalizer(base):
    finalized: list[Any] = []

    class Final(base):
        name: str = "a"
        size: int = 0

        def __del__(self) -> None:
            finalized.append(self)

    assert finalized == []
    Final.model_rebuild(force=True)
    assert finalized == []
    Final()
    assert len(finalized) == 1


def test_a_finalizer_may_bring_an_entity_back():
    saved: list[Any] = []

    class Lazarus(Entity):
        name: str = "a"
        tags: list[Any] = []

        def __del__(self) -> None:
            saved.append(self)

    entity = Lazarus(tags=["x"])
    entity.tags.append(entity)
    saved.clear()
    del entity
    gc.collect()
    (back,) = saved
    back.tags.pop()
    back.name = "b"
    assert back.changes == {"name": ("a", "b")}
    assert back.tags == ["x"]


# --- classes ------------------------------------------------------------------------------------------------------


def plain_model() -> Any:
    class Fresh(Model):
        x: int
        tags: list[str] = []

    Fresh(x=1).model_dump_json()
    return Fresh


def plain_entity() -> Any:
    class Fresh(Entity):
        name: str = "a"
        tags: list[str] = []

    fresh = Fresh()
    fresh.tags.append("x")
    assert fresh.changes
    fresh.revert_changes()
    return Fresh


def recursive_model() -> Any:
    class Fresh(Model):
        child: "Fresh | None" = None
        children: list["Fresh"] = []

    Fresh(child=Fresh(), children=[{"child": {}}]).model_dump()
    return Fresh


def model_with_models() -> Any:
    class Part(Model):
        x: int = 0

    class Fresh(Model):
        part: Part = Part()
        parts: dict[str, Part] = {}

    Fresh(parts={"a": {"x": 1}}).model_dump_json()
    return Fresh


def mutual_models() -> Any:
    class Fresh(Model):
        other: "Other | None" = None

    class Other(Model):
        fresh: Fresh | None = None

    Fresh.model_rebuild()
    Fresh(other={"fresh": {}}).model_dump_json()
    return Fresh


def parent_and_child() -> Any:
    class Fresh(Entity):
        x: int = 0

    class Child(Fresh):
        y: int = 0

    Child(y=1).model_dump()
    return Fresh


def slow_entity() -> Any:
    class Fresh(Entity):
        x: int = 0
        _seen: int = 0

        def __init__(self, **data: Any) -> None:
            super().__init__(**data)

        def model_post_init(self, context: Any) -> None:
            self._seen = 1

    Fresh(x="1").model_dump()
    return Fresh


def explained_model() -> Any:
    class Fresh(Model):
        x: int = 0

    str(nitro.explain(Fresh))
    return Fresh


def rebuilt_model() -> Any:
    class Fresh(Model):
        x: int = 0

    Fresh.model_rebuild(force=True)
    Fresh.__init__ = lambda self, **data: BaseModel.__init__(self, **data)  # type: ignore[method-assign]
    Fresh(x=1)
    return Fresh


def model_that_was_refused() -> Any:
    class Fresh(Model):
        x: int

    with pytest.raises(ValidationError):
        Fresh(x="a")
    with pytest.raises(ValidationError):
        Fresh.model_validate_json("{")
    return Fresh


def model_that_was_never_completed() -> Any:
    class Fresh(Model):
        x: "Missing"  # type: ignore[name-defined]

    return Fresh


def model_with_a_default_of_itself() -> Any:
    class Fresh(Model):
        x: int = 0

    class Child(Fresh):
        fresh: Fresh = Fresh(x=1)

    assert Child().fresh.x == 1
    return Child


def model_with_an_instance_on_the_class() -> Any:
    class Fresh(Model):
        x: int = 0

    Fresh.origin = Fresh(x=0)  # type: ignore[attr-defined]
    return Fresh


def entity_with_an_instance_on_the_class() -> Any:
    class Fresh(Entity):
        name: str = ""

    Fresh.first = Fresh(name="a")  # type: ignore[attr-defined]
    return Fresh


def frozen_value_with_a_constant_on_the_class() -> Any:
    class Fresh(ValueObject):
        amount: int

    Fresh.zero = Fresh(amount=0)  # type: ignore[attr-defined]
    return Fresh


def entity_with_a_store_of_its_own() -> Any:
    class Fresh(Entity, backend=MemoryRepo()):
        name: str = ""

    Fresh(name="a").save()
    Fresh.where(name="a").all()
    return Fresh


def entity_with_a_key_of_its_own() -> Any:
    class Fresh(Entity):
        number: int = nitro.Field(primary_key=True)

    assert Fresh.get_or_none("5") is None
    return Fresh


def model_that_was_decoded() -> Any:
    class Fresh(Model):
        x: int

    assert nitro.decode(Fresh, '{"x": 1}').x == nitro.decode(list[Fresh], '[{"x": 1}]')[0].x == 1
    return Fresh


def model_that_was_decoded_slowly() -> Any:
    class Fresh(Model):
        x: int = Field(alias="X")

    assert nitro.decode(list[Fresh], '[{"X": 1}]')[0].x == 1
    return Fresh


def model_in_an_adapter() -> Any:
    class Fresh(Model):
        x: int

    TypeAdapter(list[Fresh]).validate_python([{"x": 1}])
    return Fresh


CLASSES = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__ and not isinstance(value, type) and value not in MAKERS
    and value is not assert_collected and not value.__name__.startswith("test_")
]  # fmt: skip


@pytest.mark.parametrize("define", CLASSES, ids=lambda define: define.__name__)
def test_a_class_that_nobody_uses_is_collected(define):
    assert_collected(define)


def test_pydantic_collects_its_own_classes():
    """What is asked of Nitro holds for pydantic."""

    def define() -> Any:
        class Fresh(BaseModel):
            x: int = 0

        Fresh.origin = Fresh(x=0)
        return Fresh

    assert_collected(define)


def test_a_class_lives_as_long_as_an_instance():
    def make() -> Any:
        class Fresh(Entity):
            name: str = "a"
            tags: list[str] = []

        return Fresh()

    made = make()
    reference = weakref.ref(type(made))
    gc.collect()
    made.tags.append("x")
    assert made.changes == {"tags": ([], ["x"])}
    assert type(made)(name="b").model_dump()["name"] == "b"
    del made
    gc.collect()
    assert reference() is None


def test_a_replaced_plan_is_given_up_while_the_class_lives():
    class Token:
        pass

    token = Token()
    reference = weakref.ref(token)

    class Fresh(Model):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        x: Any = token

    del token
    Fresh.model_fields["x"].default = None
    Fresh.model_rebuild(force=True)
    gc.collect()
    assert Fresh().x is None
    assert reference() is None or Fresh.__pydantic_core_schema__ is not None
