"""However an entity came to be, it starts unchanged, and every edit from there on is found."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    TypeAdapter,
    computed_field,
    field_validator,
    model_validator,
    validate_call,
)

import nitro
from nitro import Entity, Model

T = TypeVar("T")


class Line(Model):
    product: str
    tags: list[str] = []


class Fast(Entity):
    name: str
    total: float = 0.0
    tags: list[str] = []
    lines: list[Line] = []


class WithFieldValidator(Fast):
    @field_validator("tags", "name")
    @classmethod
    def same(cls, value):
        return value


class WithModelValidators(Fast):
    @model_validator(mode="before")
    @classmethod
    def before(cls, data):
        return dict(data) if isinstance(data, dict) else data

    @model_validator(mode="wrap")
    @classmethod
    def around(cls, data, handler):
        return handler(data)

    @model_validator(mode="after")
    def after(self):
        self.__dict__["total"] = max(self.total, 3.0)
        return self


class WithPostInit(Fast):
    def model_post_init(self, context: Any) -> None:
        self.tags.append("initialised")
        self.total = 5.0


class WithPrivate(Fast):
    _seen: list[int] = PrivateAttr(default_factory=list)


class WithInit(Fast):
    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self.name = self.name + "!"
        self.tags.append("made")


class WithNew(Fast):
    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        return super().__new__(cls)


class WithComputed(Fast):
    @computed_field
    @property
    def count(self) -> int:
        return len(self.tags)


class WithAlias(Fast):
    total: float = Field(default=0.0, validation_alias=AliasChoices("total", "sum"))


class WithExtra(Fast):
    model_config = ConfigDict(extra="allow")


class WithEquality(Fast):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, WithEquality) and self.id == other.id

    __hash__ = None  # type: ignore[assignment]


class WithSetattr(Fast):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)


class WithGetattr(Fast):
    def __getattr__(self, name: str) -> Any:
        if name == "magic":
            return 1
        return super().__getattr__(name)


class Box(Entity, Generic[T]):
    name: str
    total: float = 0.0
    tags: list[str] = []
    lines: list[T] = []


LineBox = Box[Line]


class Wide(Fast):
    __annotations__ = {f"field_{number}": int for number in range(70)}


for _number in range(70):
    Wide.model_fields[f"field_{_number}"].default = 0
Wide.model_rebuild(force=True)

CLASSES: list[type[Any]] = [
    Fast, WithFieldValidator, WithModelValidators, WithPostInit, WithPrivate, WithInit, WithNew, WithComputed, WithAlias, WithExtra,
    WithEquality, WithSetattr, WithGetattr, LineBox, Wide,
]  # fmt: skip


def data() -> dict[str, Any]:
    return {"id": "1", "name": "a", "total": 2.0, "tags": ["x"], "lines": [{"product": "tea", "tags": ["hot"]}]}


def edited_and_reverted(entity: Any) -> Any:
    entity.tags.append("edited")
    entity.revert_changes()
    return entity


def called(cls: type[Any]) -> Any:
    def same(entity: Any) -> Any:
        return entity

    same.__annotations__["entity"] = cls
    return validate_call(same)(data())


def inside_a_model(cls: type[Any]) -> Any:
    holder = type("Holder", (BaseModel,), {"__annotations__": {"entity": cls}, "__module__": __name__})
    return holder.model_validate({"entity": data()}).entity


def inside_an_entity(cls: type[Any]) -> Any:
    holder = type(Entity)("Holder", (Entity,), {"__annotations__": {"entities": list[cls]}, "__module__": __name__})
    return holder(entities=[data()]).entities[0]


WAYS: dict[str, Callable[[type[Any]], Any]] = {
    "keywords": lambda cls: cls(**data()),
    "coerced keywords": lambda cls: cls(**{**data(), "total": "2"}),
    "model_validate": lambda cls: cls.model_validate(data()),
    "model_validate with options": lambda cls: cls.model_validate(data(), strict=False, context={}),
    "model_validate_json": lambda cls: cls.model_validate_json(json.dumps(data())),
    "model_validate_json with options": lambda cls: cls.model_validate_json(json.dumps(data()).encode(), strict=False),
    "type adapter": lambda cls: TypeAdapter(cls).validate_python(data()),
    "type adapter of a list": lambda cls: TypeAdapter(list[cls]).validate_json(json.dumps([data()]))[0],
    "root model": lambda cls: RootModel[list[cls]].model_validate([data()]).root[0],
    "strings": lambda cls: cls.model_validate_strings({"id": "1", "name": "a", "total": "2"}),
    "validator": lambda cls: cls.__pydantic_validator__.validate_python(data()),
    "validate_call": lambda cls: called(cls),
    "decode": lambda cls: nitro.decode(cls, json.dumps(data())),
    "decode of a list": lambda cls: nitro.decode(list[cls], json.dumps([data(), data()]))[1],
    "attributes": lambda cls: cls.model_validate(type("Row", (), {**data(), "lines": []})(), from_attributes=True),
    "inside a model": inside_a_model,
    "inside an entity": inside_an_entity,
    "copy": lambda cls: copy.copy(cls(**data())),
    "deepcopy": lambda cls: copy.deepcopy(cls(**data())),
    "model_copy": lambda cls: cls(**data()).model_copy(),
    "deep model_copy": lambda cls: cls(**data()).model_copy(deep=True),
    "copy after reading": lambda cls: (lambda entity: (vars(entity), copy.deepcopy(entity))[1])(cls(**data())),
    **{
        f"pickle {protocol}": lambda cls, protocol=protocol: pickle.loads(pickle.dumps(cls(**data()), protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "model_construct": lambda cls: cls.model_construct(**{**data(), "lines": [Line(product="tea", tags=["hot"])]}),
    "partly model_construct": lambda cls: cls.model_construct(name="a"),
    "defaults": lambda cls: cls(name="a"),
    "reverted": lambda cls: edited_and_reverted(cls(**data())),
    "saved": lambda cls: type(cls)("Saved", (cls,), {"__module__": __name__}, backend=nitro.MemoryRepo())(
        **data()
    ).save(),
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_it_starts_unchanged_and_every_edit_is_found(way, cls):
    entity = WAYS[way](cls)
    assert entity.changes == {}
    assert not entity.is_changed
    name, total = entity.name, entity.total
    tags, lines = copy.deepcopy(entity.tags), copy.deepcopy(entity.lines)
    given = set(entity.model_fields_set)

    entity.tags.append("edited")
    assert entity.changes == {"tags": (tags, [*tags, "edited"])}
    if entity.lines:
        entity.lines[0].tags.append("edited")
        assert entity.changed_fields == {"tags", "lines"}
    entity.name = "b"
    entity.total = 9
    assert entity.changes["name"] == (name, "b")
    assert entity.changes["total"][1] == entity.total

    entity.revert_changes()
    assert (entity.name, entity.total, entity.tags, entity.lines) == (name, total, tags, lines)
    assert entity.model_fields_set == given
    assert entity.changes == {}
    entity.tags.append("again")
    assert entity.changes == {"tags": (tags, [*tags, "again"])}


# --- copies of what has changed -----------------------------------------------------------------------------------

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda entity: entity.model_copy(),
    "deep model_copy": lambda entity: entity.model_copy(deep=True),
    **{
        f"pickle {protocol}": lambda entity, protocol=protocol: pickle.loads(pickle.dumps(entity, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_changed_entity_knows_from_what_it_changed(way, cls):
    entity = cls(**data())
    name = entity.name
    tags = list(entity.tags)
    entity.name = "b"
    entity.tags.append("edited")
    copied = COPIES[way](entity)
    assert copied is not entity
    assert copied.changes == {"name": (name, "b"), "tags": (tags, [*tags, "edited"])}
    assert entity.changes == copied.changes
    copied.name = "c"
    assert entity.changes["name"] == (name, "b")
    assert copied.changes["name"] == (name, "c")
    if way in ("copy", "model_copy"):
        return
    copied.revert_changes()
    assert (copied.name, copied.tags) == (name, tags)
    assert entity.tags == [*tags, "edited"]
    assert entity.name == "b"


def test_what_a_model_copy_updates_counts_as_changed():
    entity = Fast(**data())
    copied = entity.model_copy(update={"name": "b", "tags": ["x"], "total": 2.0})
    assert copied.changes == {"name": ("a", "b")}
    assert entity.changes == {}
    entity.name = "c"
    again = entity.model_copy(update={"name": "d"})
    assert again.changes == {"name": ("a", "d")}
    back = entity.model_copy(update={"name": "a"})
    assert back.changes == {}
    entity.tags.append("y")
    assert entity.model_copy(update={"total": 3.0}).changes == {
        "name": ("a", "c"),
        "total": (2.0, 3.0),
        "tags": (["x"], ["x", "y"]),
    }


def test_a_shallow_copy_shares_containers_and_both_see_the_edit():
    entity = Fast(**data())
    copied = copy.copy(entity)
    entity.tags.append("y")
    assert copied.tags is entity.tags
    assert entity.changes == copied.changes == {"tags": (["x"], ["x", "y"])}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_a_stored_entity_has_its_version(way):
    cls = type(Entity)(
        "Stored", (Fast,), {"__module__": __name__, "__qualname__": "Stored"}, backend=nitro.MemoryRepo()
    )
    globals()["Stored"] = cls
    entity = cls(**data()).save()
    entity.total = 5.0
    copied = COPIES[way](entity)
    copied.save()
    assert cls.get("1") is copied
    assert copied.previous_changes == {"total": (2.0, 5.0)}


def test_validating_an_instance_keeps_the_instance_and_its_changes():
    entity = Fast(**data())
    entity.name = "b"
    assert Fast.model_validate(entity) is entity
    assert TypeAdapter(Fast).validate_python(entity) is entity
    assert entity.changes == {"name": ("a", "b")}


def test_an_entity_put_into_another_object_keeps_its_changes():
    class Holder(BaseModel):
        entity: Fast

    entity = Fast(**data())
    entity.name = "b"
    assert Holder(entity=entity).entity.changes == {"name": ("a", "b")}


def test_an_instance_that_is_validated_again_is_fresh():
    class Checked(Fast):
        model_config = ConfigDict(revalidate_instances="always")

    class Holder(BaseModel):
        entity: Checked

    entity = Checked(**data())
    entity.name = "b"
    fresh = Holder(entity=entity).entity
    assert fresh is not entity
    assert fresh.changes == {}
    fresh.tags.append("y")
    assert fresh.changes == {"tags": (["x"], ["x", "y"])}
