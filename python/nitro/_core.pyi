"""The native part of Nitro; see the package for what is public."""

from typing import Any, final

from pydantic import BaseModel
from pydantic._internal._model_construction import ModelMetaclass
from typing_extensions import disjoint_base

__all__ = [
    "LAYOUT",
    "MetaCore",
    "ModelCore",
    "Plan",
    "accept_changes",
    "changes",
    "copy_tracking",
    "decode_fast",
    "encode_fast",
    "finish_metaclass",
    "forked",
    "install_plan",
    "is_changed",
    "new_id",
    "original",
    "originals",
    "previous_changes",
    "register_entity",
    "revert_changes",
    "set_originals",
    "settle_entity",
    "version",
]

LAYOUT: str

@disjoint_base
class MetaCore(ModelMetaclass):
    @property
    def __nitro_plan__(self) -> Plan: ...

class ModelCore:
    def __setattr__(self, name: str, value: Any, /) -> None: ...
    def __delattr__(self, name: str, /) -> None: ...
    def __copy__(self) -> Any: ...
    @property
    def __pydantic_extra__(self) -> dict[str, Any] | None: ...
    @property
    def __pydantic_fields_set__(self) -> set[str]: ...
    def model_dump(
        self,
        /,
        *,
        mode: str = "python",
        include: Any = None,
        exclude: Any = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        exclude_computed_fields: bool = False,
        round_trip: bool = False,
        warnings: Any = True,
        fallback: Any = None,
        serialize_as_any: bool = False,
        polymorphic_serialization: bool | None = None,
    ) -> dict[str, Any]: ...
    def model_dump_json(
        self,
        /,
        *,
        indent: int | None = None,
        ensure_ascii: bool = False,
        include: Any = None,
        exclude: Any = None,
        context: Any = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        exclude_computed_fields: bool = False,
        round_trip: bool = False,
        warnings: Any = True,
        fallback: Any = None,
        serialize_as_any: bool = False,
        polymorphic_serialization: bool | None = None,
    ) -> str: ...
    @classmethod
    def model_validate(
        cls,
        obj: Any,
        *,
        strict: bool | None = None,
        extra: Any = None,
        from_attributes: bool | None = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Any: ...
    @classmethod
    def model_validate_json(
        cls,
        json_data: Any,
        *,
        strict: bool | None = None,
        extra: Any = None,
        context: Any = None,
        by_alias: bool | None = None,
        by_name: bool | None = None,
    ) -> Any: ...

@final
class Plan:
    def __new__(
        cls,
        class_: type[BaseModel],
        fields: list[tuple[str, tuple[Any, ...], str, Any, bool, bool]],
        lanes: dict[str, bool],
    ) -> Plan: ...
    @property
    def layout(self) -> str: ...

def finish_metaclass(meta: type) -> None: ...
def install_plan(class_: type[BaseModel], plan: Plan | None, vectorcall: bool, generic_getattr: bool) -> None: ...
def register_entity(entity: type) -> None: ...
def new_id() -> str: ...
def forked() -> None: ...
def encode_fast(value: object) -> bytes | None: ...
def decode_fast(class_: type, data: bytes | bytearray | str, many: bool) -> Any: ...
def changes(entity: object) -> dict[str, tuple[Any, Any]]: ...
def is_changed(entity: object) -> bool: ...
def original(entity: object, field: str) -> Any: ...
def originals(entity: object) -> dict[str, Any]: ...
def previous_changes(entity: object) -> dict[str, tuple[Any, Any]]: ...
def revert_changes(entity: object) -> None: ...
def accept_changes(entity: object, version: int) -> None: ...
def copy_tracking(entity: object, copy: object) -> None: ...
def set_originals(entity: object, version: int, originals: dict[str, Any]) -> None: ...
def settle_entity(entity: Any) -> Any: ...
def version(entity: object) -> int: ...
