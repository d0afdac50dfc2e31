"""`EntityView`: SQLEntities in sqladmin, which is to be installed: `pip install sqladmin`."""

from __future__ import annotations

import enum
import json
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa
from sqladmin import ModelView
from sqladmin._queries import Query
from sqladmin.fields import JSONField, SelectField
from sqladmin.forms import ModelConverter
from sqladmin.helpers import get_object_identifier, is_falsy_value
from sqlalchemy.orm import MANYTOONE, ColumnProperty, Mapper

from .schema import VERSION
from .types import EnumValue, Json, Refused

# What sqladmin keeps to itself, and says no types of.
_Query: Any = Query


class _Documents(JSONField):
    """JSON of any value that the column holds, a model for one."""

    def __init__(self, *arguments: Any, codec: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.codec = codec

    def _value(self) -> str:
        if self.raw_data:
            return self.raw_data[0]
        if self.data is None:
            return ""
        try:
            return self.codec.encode(self.data)
        except Refused:
            return json.dumps(self.data, ensure_ascii=False, default=str)


class EntityConverter(ModelConverter):
    """Form fields for the column types of entities."""

    def get_converter(self, prop: Any) -> Any:
        """The method that makes the field for a column or a relation."""
        if isinstance(prop, ColumnProperty):
            type_: Any = cast("Any", prop).columns[0].type
            if isinstance(type_, Json):
                return self.document_field
            if isinstance(type_, EnumValue):
                return self.member_field
        return cast("Any", super()).get_converter(prop)

    def document_field(self, model: type, prop: Any, kwargs: dict[str, Any]) -> Any:  # noqa: ARG002  (what it is called with)
        """A field for JSON."""
        return _Documents(codec=prop.columns[0].type.json, **kwargs)

    def member_field(self, model: type, prop: Any, kwargs: dict[str, Any]) -> Any:  # noqa: ARG002  (what it is called with)
        """A choice of the members of an enum."""
        column: Any = prop.columns[0]
        members: dict[str, enum.Enum] = {str(member.value): member for member in column.type.members}

        def coerce(value: Any) -> enum.Enum:
            return value if isinstance(value, enum.Enum) else members[str(value)]

        kwargs |= {
            "allow_blank": column.nullable,
            "choices": [(text, member.name) for text, member in members.items()],
            "coerce": coerce,
        }
        return SelectField(**kwargs)


class _Inserting(_Query):
    def _get_model_object(self, data: dict[str, Any]) -> Any:
        """A valid entity from the start, where sqladmin would begin with an empty one."""
        model: Any = self.model_view.model
        mapper: Mapper[Any] = sa.inspect(model)
        values = SimpleNamespace()
        for name, value in data.items():
            relation = mapper.relationships.get(name)
            if relation is None:
                blank = is_falsy_value(value) and mapper.columns[name].nullable
                setattr(values, name, None if blank else value)
            elif relation.direction is MANYTOONE and value:
                self._set_many_to_one(values, relation, value)
        return model(**vars(values))


class EntityView(ModelView):
    """A view of sqladmin's on a SQLEntity with a table: what is not valid is shown as an error on the form.

    Example:
        >>> class ProductAdmin(EntityView, model=Product):  # doctest: +SKIP
        ...     column_list = ["name", "price"]
    """

    form_converter = EntityConverter

    def get_form_columns(self) -> list[str]:
        """The columns of the form: the version of a record is nobody's to edit."""
        return [name for name in super().get_form_columns() if name != VERSION]

    async def insert_model(self, request: Any, data: dict[str, Any]) -> Any:
        """Stores the new entity that a form describes."""
        entity: Any = await _Inserting(self).insert(data, request)
        await cast("Any", self)._emit_audit(request, "create", get_object_identifier(entity), data)
        return entity
