"""Fields with unusual names."""

import keyword
from typing import Any

import pytest
from parity import as_pydantic_does, with_warnings
from pydantic import BaseModel, ConfigDict, Field, create_model

import nitro
from nitro import FieldRef

NAMES = [
    "self", "cls", "data", "name", "type", "object", "args", "kwargs", "obj", "values", "mcs", "bases", "namespace", "plan", "key",
    "value", "x" * 300, "ñandú", "变量", "print", "None_", "__", "a__b", "A", "ID", "get_id", "model", "model_", "model_name", "model_x",
    "items", "keys", "field", "backend", "metadata", "registry", "query", "state", "hash", "iter", "len", "root", "include", "exclude",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name(name):
    @as_pydantic_does
    def body(base):
        def define() -> Any:
            return create_model("Odd", __base__=base, **{name: (int, 1), "tags": (list[int], [])})

        cls, warned = with_warnings(define)
        yield warned, getattr(cls, "__name__", cls)
        if isinstance(cls, type) and name in cls.model_fields:
            made = cls(**{name: "5"})
            yield made, getattr(made, name), made.model_dump(), made.model_dump_json()
            yield (
                cls.model_validate({name: 6}),
                cls.model_validate_json(f'{{"{name}": 7}}'),
                with_warnings(cls.model_validate, {name: "x"}),
            )
            setattr(made, name, 8)
            on_the_class = getattr(cls, name, None)
            yield made, made.model_fields_set, made.model_copy(update={name: 9}), cls()
            # An entity's class has references to its fields there.
            yield None if isinstance(on_the_class, FieldRef) else on_the_class

    for base in ("Model", "validated Model", "Entity"):
        body(base)


SHADOWING = [
    "copy",
    "json",
    "dict",
    "schema",
    "validate",
    "construct",
    "fields",
    "parse_obj",
    "from_orm",
    "model_dump",
    "model_fields_set",
    "model_config",
]


@pytest.mark.parametrize("name", SHADOWING)
def test_names_of_pydantic(name):
    @as_pydantic_does
    def body(base):
        def define() -> Any:
            return create_model("Odd", __base__=base, **{name: (int, 1)})

        cls, warned = with_warnings(define)
        yield warned, cls
        if isinstance(cls, type):
            made, _ = with_warnings(lambda: cls(**{name: "5"}))
            yield made.__dict__.get(name) if isinstance(made, BaseModel) else made

    for base in ("Model", "Entity"):
        body(base)


@pytest.mark.parametrize("base", [BaseModel, nitro.Model, nitro.Entity])
def test_keywords_of_the_language_by_alias(base):
    fields = {f"{word}_": (int, Field(default=0, alias=word)) for word in keyword.kwlist}
    cls = create_model("Words", __base__=base, **fields)
    made = cls(**dict.fromkeys(keyword.kwlist, 3))
    assert made.class_ == made.None_ == 3
    assert made.model_dump(by_alias=True, exclude={"id"}) == dict.fromkeys(keyword.kwlist, 3)


@as_pydantic_does
def test_positional_only_names_in_the_constructor(base):
    class Odd(base):
        self: int = 1
        cls: int = 2

        model_config = ConfigDict(protected_namespaces=())

    yield Odd(self=5, cls="6"), Odd.model_validate({"self": 7}), Odd(cls=1)
