"""The classes and values that the rows use, once for each peer.

`names_of(peer)` gives the names that a row's statement may use. Every peer declares the same
class of five fields, two required and three with defaults, under the same name, so that one
statement can serve several peers.
"""

import importlib.util
import json
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import uuid4

MODEL = "Model"
ENTITY = "Entity"
PYDANTIC = "pydantic"
PYDANTIC_ASSIGNMENT = "pydantic va"  # validate_assignment=True
MSGSPEC = "msgspec"
ATTRS = "attrs"
DATACLASS = "dataclass"

VALUES = {
    "name": "A-1001",
    "customer": "Ada Lovelace",
    "total": 129.5,
    "status": "paid",
    "quantity": 3,
}
LINE_VALUES = [
    {"product": "kettle", "price": 39.5, "quantity": 1},
    {"product": "cup", "price": 7.25, "quantity": 6},
    {"product": "tray", "price": 46.5, "quantity": 1},
]
LIST_VALUES = [
    {**VALUES, "name": f"A-{number}", "total": number + 0.5, "quantity": number % 7} for number in range(1000)
]


def _to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _new_id() -> str:
    return str(uuid4())


def _values() -> dict[str, Any]:
    """What every peer's statements may use."""
    return {
        "values": VALUES,
        "coercible": {**VALUES, "total": "129.5"},
        "wrong": {**VALUES, "quantity": "many"},
        "line_values": LINE_VALUES,
        "data": _to_json(VALUES),
        "coercible_data": _to_json({**VALUES, "total": "129.5"}),
        "list_data": _to_json(LIST_VALUES),
    }


def _pydantic_classes(base: type, *, line_base: type, key: Any, id_factory: Any, config: Any) -> dict[str, Any]:
    """The classes of every peer that reads pydantic's declarations.

    key: what the field `name` is set to; an Entity declares its key there, so that it has five
    fields as everyone else. id_factory: the field that `Ticket` is given as its id, or None where
    the base makes one by itself.
    """
    from pydantic import ValidationError, field_serializer, field_validator

    class Order(base):
        model_config = config
        name: str = key
        customer: str
        total: float = 0.0
        status: str = "draft"
        quantity: int = 1

    class Checked(base):
        """The slow lane by declaration: a validator in Python."""

        model_config = config
        name: str = key
        customer: str
        total: float = 0.0
        status: str = "draft"
        quantity: int = 1

        @field_validator("customer")
        @classmethod
        def customer_is_named(cls, value: str) -> str:
            if not value:
                raise ValueError("customer must have a name")
            return value

    class Displayed(base):
        """The slow lane of dumps by declaration: a serializer in Python."""

        model_config = config
        name: str = key
        customer: str
        total: float = 0.0
        status: str = "draft"
        quantity: int = 1

        @field_serializer("total")
        def total_as_text(self, value: float) -> str:
            return str(value)

    class Line(line_base):
        product: str
        price: float
        quantity: int = 1

    class OrderWithLines(base):
        model_config = config
        name: str = key
        customer: str
        lines: list[Line]

    if id_factory is None:

        class Ticket(base):
            model_config = config
            name: str
            customer: str
            total: float = 0.0
            status: str = "draft"
            quantity: int = 1

    else:

        class Ticket(base):
            model_config = config
            id: str = id_factory
            name: str
            customer: str
            total: float = 0.0
            status: str = "draft"
            quantity: int = 1

    return {
        "Base": base,
        "Order": Order,
        "Assigned": Order,
        "Checked": Checked,
        "CheckedAssigned": Checked,
        "Displayed": Displayed,
        "Line": Line,
        "OrderWithLines": OrderWithLines,
        "Ticket": Ticket,
        "ValidationError": ValidationError,
    }


def _pydantic() -> dict[str, Any]:
    from pydantic import BaseModel, Field, TypeAdapter

    names = _pydantic_classes(
        BaseModel,
        line_base=BaseModel,
        key=Field(),
        id_factory=Field(default_factory=_new_id),
        config={},
    )
    order = names["Order"]
    return {**names, "adapter": TypeAdapter(list[order])}


def _pydantic_assignment() -> dict[str, Any]:
    from pydantic import BaseModel, Field

    return _pydantic_classes(
        BaseModel,
        line_base=BaseModel,
        key=Field(),
        id_factory=Field(default_factory=_new_id),
        config={"validate_assignment": True},
    )


def _model() -> dict[str, Any]:
    import nitro

    def classes(**config: Any) -> dict[str, Any]:
        return _pydantic_classes(
            nitro.Model,
            line_base=nitro.Model,
            key=nitro.Field(),
            id_factory=nitro.Field(default_factory=_new_id),
            config=config,
        )

    # A Model validates assignments where it is told to, as a BaseModel does.
    assigned = classes(validate_assignment=True)
    return {
        **classes(),
        "Assigned": assigned["Order"],
        "CheckedAssigned": assigned["Checked"],
        "encode": nitro.encode,
        "decode": nitro.decode,
    }


def _entity() -> dict[str, Any]:
    import nitro

    names = _pydantic_classes(
        nitro.Entity,
        line_base=nitro.ValueObject,
        key=nitro.Field(primary_key=True),
        id_factory=None,
        config={},
    )
    return {**names, "encode": nitro.encode, "decode": nitro.decode}


def _msgspec() -> dict[str, Any]:
    import msgspec

    class Order(msgspec.Struct):
        name: str
        customer: str
        total: float = 0.0
        status: str = "draft"
        quantity: int = 1

    class Line(msgspec.Struct):
        product: str
        price: float
        quantity: int = 1

    class OrderWithLines(msgspec.Struct):
        name: str
        customer: str
        lines: list[Line]

    class Ticket(msgspec.Struct, kw_only=True):
        id: str = msgspec.field(default_factory=_new_id)
        name: str
        customer: str
        total: float = 0.0
        status: str = "draft"
        quantity: int = 1

    return {
        "Base": msgspec.Struct,
        "Order": Order,
        "Assigned": Order,
        "Line": Line,
        "OrderWithLines": OrderWithLines,
        "Ticket": Ticket,
        "msgspec": msgspec,
        "encoder": msgspec.json.Encoder(),
        "decoder": msgspec.json.Decoder(Order),
    }


def _attrs() -> dict[str, Any]:
    import attrs
    from attrs.validators import instance_of

    # `define` gives slots, and runs the validators on assignment as well.
    @attrs.define
    class Order:
        name: str = attrs.field(validator=instance_of(str))
        customer: str = attrs.field(validator=instance_of(str))
        total: float = attrs.field(default=0.0, validator=instance_of(float))
        status: str = attrs.field(default="draft", validator=instance_of(str))
        quantity: int = attrs.field(default=1, validator=instance_of(int))

    return {"Order": Order, "Assigned": Order, "asdict": attrs.asdict}


def _dataclass() -> dict[str, Any]:
    from dataclasses import asdict, dataclass

    @dataclass(slots=True)
    class Order:
        name: str
        customer: str
        total: float = 0.0
        status: str = "draft"
        quantity: int = 1

    return {"Order": Order, "Assigned": Order, "asdict": asdict}


_PEERS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    MODEL: ("nitro", _model),
    ENTITY: ("nitro", _entity),
    PYDANTIC: ("pydantic", _pydantic),
    PYDANTIC_ASSIGNMENT: ("pydantic", _pydantic_assignment),
    MSGSPEC: ("msgspec", _msgspec),
    ATTRS: ("attrs", _attrs),
    DATACLASS: ("dataclasses", _dataclass),
}

# Nitro and pydantic are what is measured: without them the import fails. The others are rivals
# that a machine may lack, and then their column is empty.
INSTALLED = tuple(
    peer
    for peer, (package, _) in _PEERS.items()
    if package in ("nitro", "pydantic") or importlib.util.find_spec(package) is not None
)


@cache
def _classes_of(peer: str) -> dict[str, Any]:
    return _PEERS[peer][1]()


def names_of(peer: str) -> dict[str, Any]:
    """Every name that a statement may use for this peer: classes, values, and instances.

    The instances are new each time: what one row does to them must not be felt by another.
    """
    names = {**_values(), **_classes_of(peer)}
    order, assigned = names["Order"], names["Assigned"]
    names["order"] = order(**VALUES)
    names["same_order"] = order(**VALUES)
    names["assigned"] = assigned(**VALUES)
    names["orders"] = [order(**values) for values in LIST_VALUES]
    names["touched"] = order(**VALUES)
    if "Checked" in names:
        # Reading `__dict__` may change how an instance keeps its values.
        assert names["touched"].__dict__ == VALUES
        names["displayed"] = names["Displayed"](**VALUES)
        names["checked_assigned"] = names["CheckedAssigned"](**VALUES)
    return names
