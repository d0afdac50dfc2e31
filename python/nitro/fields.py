"""`Field`: pydantic's, with what a store needs to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack, overload

from pydantic.fields import Field as PydanticField
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store needs to know of a field; kept in the field's metadata."""

    primary_key: bool = False
    index: bool = False
    unique: bool = False
    foreign_key: str | None = None
    ondelete: str | None = None


if TYPE_CHECKING:
    import re

    import annotated_types
    from pydantic import AliasChoices, AliasPath, types
    from pydantic.config import JsonDict
    from typing_extensions import deprecated

    _T = TypeVar("_T")

    class _Settings(TypedDict, total=False):
        """The keywords of `Field`, for type checkers: those of Nitro, and pydantic's."""

        primary_key: bool
        index: bool
        unique: bool
        foreign_key: str | None
        ondelete: str | None
        alias_priority: int | None
        validation_alias: str | AliasPath | AliasChoices | None
        serialization_alias: str | None
        title: str | None
        field_title_generator: Callable[[str, FieldInfo], str] | None
        description: str | None
        examples: list[Any] | None
        exclude: bool | None
        exclude_if: Callable[[Any], bool] | None
        discriminator: str | types.Discriminator | None
        deprecated: deprecated | str | bool | None
        json_schema_extra: JsonDict | Callable[[JsonDict], None] | None
        frozen: bool | None
        validate_default: bool | None
        repr: bool
        init_var: bool | None
        pattern: str | re.Pattern[str] | None
        strict: bool | None
        coerce_numbers_to_str: bool | None
        gt: annotated_types.SupportsGt | None
        ge: annotated_types.SupportsGe | None
        lt: annotated_types.SupportsLt | None
        le: annotated_types.SupportsLe | None
        multiple_of: float | None
        allow_inf_nan: bool | None
        max_digits: int | None
        decimal_places: int | None
        min_length: int | None
        max_length: int | None
        union_mode: Literal["smart", "left_to_right"]
        fail_fast: bool | None

    # The keywords that say something to dataclass_transform stand apart.
    @overload
    def Field(
        default: EllipsisType,
        *,
        alias: str | None = ...,
        init: bool | None = ...,
        kw_only: bool | None = ...,
        **settings: Unpack[_Settings],
    ) -> Any: ...
    @overload
    def Field(
        default: _T,
        *,
        alias: str | None = ...,
        init: bool | None = ...,
        kw_only: bool | None = ...,
        **settings: Unpack[_Settings],
    ) -> _T: ...
    @overload
    def Field(
        *,
        default_factory: Callable[[], _T] | Callable[[dict[str, Any]], _T],
        alias: str | None = ...,
        init: bool | None = ...,
        kw_only: bool | None = ...,
        **settings: Unpack[_Settings],
    ) -> _T: ...
    @overload
    def Field(
        *,
        alias: str | None = ...,
        init: bool | None = ...,
        kw_only: bool | None = ...,
        **settings: Unpack[_Settings],
    ) -> Any: ...
    def Field(*arguments: Any, **keywords: Any) -> Any: ...
else:

    def Field(
        *arguments: Any,
        primary_key: bool = False,
        index: bool = False,
        unique: bool = False,
        foreign_key: str | None = None,
        ondelete: str | None = None,
        **keywords: Any,
    ) -> Any:
        """A field of an entity: `pydantic.Field` and a few arguments more.

        Args:
            *arguments: As for `pydantic.Field`.
            primary_key: Whether this field is the entity's key, in place of the `id` that it has otherwise.
            index: Whether the store keeps an index.
            unique: Whether no two stored entities may have the same value.
            foreign_key: The field of another entity that this one refers to, as "team.id"; None for none.
            ondelete: What deleting the other entity does: "CASCADE", "SET NULL" or "RESTRICT"; None for
                the store's default.
            **keywords: As for `pydantic.Field`.

        Returns:
            A field definition for a class body.

        Example:
            >>> class Product(nitro.Entity):
            ...     sku: str = nitro.Field(primary_key=True, min_length=3)
            >>> nitro.identity(Product(sku="N-1"))
            'N-1'
        """
        info = PydanticField(*arguments, **keywords)
        stored = Stored(primary_key, index, unique, foreign_key, ondelete)
        if stored != Stored():
            info.metadata.append(stored)
        return info


def stored(info: FieldInfo) -> Stored:
    """What a store needs to know of a field of a class."""
    for item in info.metadata:
        if isinstance(item, Stored):
            return item
    column = setting(info, "sa_column")
    known: dict[str, Any] = {
        name: setting(info, name) if column is None else getattr(column, name, None)
        for name in ("primary_key", "index", "unique", "foreign_key", "ondelete")
    }
    said: dict[str, Any] = {name: value for name, value in known.items() if isinstance(value, bool | str)}
    return Stored(**said)


def setting(info: FieldInfo, name: str) -> Any:
    """What sqlmodel's Field was told of a column, such as `sa_type`; None where nothing was said."""
    for item in (*info.metadata, info):
        # A record of these settings among the metadata, or attributes of sqlmodel's own FieldInfo.
        if hasattr(item, "sa_type"):
            value = getattr(item, name, None)
            return None if value is PydanticUndefined else value
    return None
