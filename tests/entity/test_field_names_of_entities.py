"""Names belong to the user: a field may have any name, but for a few verbs."""

import inspect
import warnings
from typing import Any

import pytest
from pydantic import BaseModel, Field, create_model

import nitro
from nitro import ConfigurationError, Entity, FieldRef

RESERVED = ["get", "all", "where", "save", "delete", "aget", "aall", "asave", "adelete"]

#: Every public name that Nitro adds to a class, and more that one may like to use.
ADDED = sorted(
    name
    for name in vars(Entity)
    if not name.startswith("_") and name not in (*RESERVED, "id") and not hasattr(BaseModel, name)
)
WANTED = sorted(
    {
        *ADDED, "count", "changes", "version", "created", "original", "is_changed", "refresh", "create", "revert_changes", "awhere",
        "previous_changes", "get_many", "get_or_none", "save_all", "changed_fields", "arefresh", "acreate", "updated", "deleted", "saved",
        "key", "identity", "backend", "repository", "query", "first", "one", "exists", "state", "plan", "events", "data", "table",
        "metadata", "objects", "filter", "order_by", "limit", "name", "type", "status", "index", "unique", "primary_key", "errors",
    }
)  # fmt: skip


def define(name: str, base: type[Entity] = Entity, **others: Any) -> type[Entity]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return create_model(
            "Order", __base__=base, __cls_kwargs__={"backend": nitro.MemoryRepo()}, **{name: (int, 5), **others}
        )


def test_the_names_that_nitro_adds_are_under_test():
    assert {"changes", "is_changed", "original", "refresh", "create", "get_many", "save_all", "arefresh"} <= set(ADDED)


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused_with_the_remedy(name):
    with pytest.raises(ConfigurationError, match=rf"(?s)Order.*'{name}'.*{name}_.*alias='{name}'"):
        define(name)


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused_in_a_class_statement(name):
    with pytest.raises(ConfigurationError, match=name):
        type(Entity)("Order", (Entity,), {"__annotations__": {name: int}, "__module__": __name__})
    with pytest.raises(ConfigurationError, match=name):
        type(Entity)("Order", (Entity,), {"__annotations__": {name: int}, name: 5, "__module__": __name__})


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused_when_it_comes_from_a_mixin(name):
    mixin = create_model("Mixin", **{name: (int, 5)})
    for bases in ((Entity, mixin), (mixin, Entity)):
        with pytest.raises(ConfigurationError, match=name):
            type(Entity)("Order", bases, {"__module__": __name__})


@pytest.mark.parametrize("name", RESERVED)
def test_the_remedy_works(name):
    order_class = create_model("Order", __base__=Entity, **{f"{name}_": (int, Field(alias=name))})
    order = order_class(**{name: "3"})
    assert getattr(order, f"{name}_") == 3
    assert order.model_dump(by_alias=True)[name] == 3
    assert callable(getattr(order, name))


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_are_free_for_methods_and_class_variables(name):
    order_class = type(Entity)("Order", (Entity,), {name: lambda *arguments: "own", "__module__": __name__})
    assert getattr(order_class(), name)() == "own"


@pytest.mark.parametrize("name", WANTED)
def test_any_other_name_is_the_users_without_a_warning(name):
    order_class = define(name, tags=(list[int], []))
    order = order_class(**{name: "7"})
    assert getattr(order, name) == 7
    assert getattr(order_class(), name) == 5
    assert order_class.model_validate_json(f'{{"{name}": 8}}').model_dump()[name] == 8
    setattr(order, name, "9")
    order.tags.append(1)
    assert getattr(order, name) == 9
    assert nitro.changes.of(order) == {name: (7, 9), "tags": ([], [1])}
    assert nitro.changes.fields(order) == {name, "tags"}
    assert nitro.changes.exist(order)
    assert nitro.changes.original(order, name) == 7
    with pytest.raises(ValueError, match=name):
        setattr(order, name, "no int")
    nitro.changes.revert(order)
    assert (getattr(order, name), order.tags) == (7, [])
    assert not nitro.changes.exist(order)


@pytest.mark.parametrize("name", WANTED)
def test_an_entity_with_any_field_name_is_stored(name):
    order_class = define(name)
    order = order_class(**{name: 1}).save()
    assert order_class.get(order.id) is order
    assert order_class.all() == [order]
    assert order_class.where(**{name: 1}).all() == [order]
    assert order_class.where(**{name: 2}).all() == []
    setattr(order, name, 2)
    order.save()
    assert nitro.changes.previous(order) == {name: (1, 2)}
    order.delete()
    assert order_class.all() == []


@pytest.mark.parametrize("name", WANTED)
def test_a_field_wins_on_the_class_too(name):
    order_class = define(name)
    assert isinstance(getattr(order_class, name), FieldRef)
    assert repr(getattr(order_class, name) == 5) == f"Order.{name} == 5"
    assert inspect.signature(order_class).parameters[name].default == 5


@pytest.mark.parametrize("name", ADDED)
def test_a_field_wins_in_subclasses(name):
    parent = define(name)
    child = define("other", base=parent)
    order = child(**{name: 3})
    assert getattr(order, name) == 3
    assert isinstance(getattr(child, name), FieldRef)


@pytest.mark.parametrize("name", ADDED)
def test_a_field_of_a_subclass_wins_over_the_verb_of_the_parent(name):
    class Parent(Entity):
        x: int = 0

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        child = create_model("Child", __base__=Parent, **{name: (int, 5)})
    assert getattr(child(), name) == 5
    assert hasattr(Parent(), name)


@pytest.mark.parametrize("name", ADDED)
def test_required_fields_stay_required(name):
    """Nitro's attribute of the same name is no default."""
    order_class = create_model("Order", __base__=Entity, **{name: (int, ...)})
    with pytest.raises(ValueError, match=name):
        order_class()
    assert order_class.model_fields[name].is_required()


@pytest.mark.parametrize("name", ADDED)
def test_required_fields_stay_required_in_a_class_statement(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order_class = type(Entity)("Order", (Entity,), {"__annotations__": {name: int}, "__module__": __name__})
    assert order_class.model_fields[name].is_required()
    assert getattr(order_class(**{name: 3}), name) == 3


@pytest.mark.parametrize("name", ADDED)
def test_a_field_by_an_annotated_declaration_wins(name):
    namespace: dict[str, Any] = {
        "__annotations__": {name: "list[int]"},
        name: Field(default_factory=list),
        "__module__": __name__,
    }
    order_class = type(Entity)("Order", (Entity,), namespace)
    order = order_class()
    getattr(order, name).append(1)
    assert nitro.changes.of(order) == {name: ([], [1])}


def test_where_nothing_hides_them_the_attributes_are_there():
    class Order(Entity):
        total: int = 0

    order = Order()
    assert not order.is_changed
    order.total = 3
    assert order.is_changed
    assert order.changed_fields == {"total"}
    assert order.changes == nitro.changes.of(order) == {"total": (0, 3)}
    assert order.original("total") == 0
    assert order.previous_changes == {}
    order.revert_changes()
    assert order.total == 0


def test_private_attributes_and_class_variables_of_these_names():
    class Order(Entity):
        _changes: int = 3
        _version: list[int] = []

    order = Order()
    order._version.append(1)
    assert (order._changes, order._version, order.changes) == (3, [1], {})


def test_a_property_or_method_of_these_names_wins_too():
    class Order(Entity):
        total: int = 0

        @property
        def changes(self) -> str:
            return "mine"

        def refresh(self) -> str:
            return "fresh"

        @classmethod
        def create(cls) -> str:
            return "made"

    order = Order()
    order.total = 1
    assert (order.changes, order.refresh(), Order.create()) == ("mine", "fresh", "made")
    assert nitro.changes.of(order) == {"total": (0, 1)}


def test_several_such_fields_at_once():
    fields: dict[str, Any] = {name: (int, number) for number, name in enumerate(WANTED)}
    order_class = create_model("Order", __base__=Entity, __cls_kwargs__={"backend": nitro.MemoryRepo()}, **fields)
    order = order_class().save()
    assert order.model_dump(exclude={"id"}) == {name: number for number, name in enumerate(WANTED)}
    for name in WANTED:
        setattr(order, name, 1000)
    assert nitro.changes.fields(order) == set(WANTED)
    order.save()
    assert order_class.get(order.id) is order
