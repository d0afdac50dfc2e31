"""`Field`: pydantic's, with what a store needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic.fields import Field as PydanticField
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store needs to know of a field; kept in the field's metadata."""

    primary_key: bool = False
    index: bool = False
    unique: bool = False
    foreign_key: str | None = None
    ondelete: str | None = None


if TYPE_CHECKING:
    # Every argument of pydantic's Field stays known to type checkers.
    Field = PydanticField
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
    # sqlmodel's Field keeps the same facts as attributes of its own FieldInfo, "undefined" where nothing was said.
    known: dict[str, Any] = {
        name: getattr(info, name, None) for name in ("primary_key", "index", "unique", "foreign_key", "ondelete")
    }
    said: dict[str, Any] = {name: value for name, value in known.items() if isinstance(value, bool | str)}
    return Stored(**said)
