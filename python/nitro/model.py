"""`Model`, the drop-in for pydantic's BaseModel, and `ValueObject`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, dataclass_transform

from pydantic import BaseModel, ConfigDict
from pydantic._internal._model_construction import build_lenient_weakvaluedict
from pydantic._internal._typing_extra import parent_frame_namespace
from pydantic.fields import Field as PydanticField
from pydantic.fields import PrivateAttr

from . import _core, _plan, expressions

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = _core.MetaCore


#: Attributes of a class on which its plan depends.
_PLANNED = frozenset(
    {
        "__init__",
        "__new__",
        "__setattr__",
        "__delattr__",
        "__getattr__",
        "__getattribute__",
        "model_validate",
        "model_validate_json",
    }
)

#: Attributes that pydantic makes from the core schema, as the plan is; when somebody else sets one, the plan is void.
_REPLACEABLE = frozenset({"__pydantic_validator__", "__pydantic_serializer__"})


@dataclass_transform(kw_only_default=True, field_specifiers=(PydanticField, PrivateAttr))
class ModelMeta(ModelMetaclass):
    """Pydantic's metaclass, with a plan for every class that pydantic has completed."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> type:
        if keywords.setdefault("__pydantic_reset_parent_namespace__", True):
            # Pydantic looks for the names of a function's local classes in the frame that called it: this one.
            keywords["__pydantic_reset_parent_namespace__"] = False
            namespace["__pydantic_parent_namespace__"] = build_lenient_weakvaluedict(
                parent_frame_namespace(parent_depth=_depth_of_class_statement(mcs))
            )
        # The names that Nitro gives to a class are out of sight, so that a field of the same name shadows nothing.
        _core.collecting(1)
        try:
            cls: Any = super().__new__(mcs, name, bases, namespace, **keywords)
            cls._settle(namespace)
        finally:
            _core.collecting(-1)
        cls.__nitro_replaced__ = False
        cls.__nitro_settled__ = True
        cls._find_relations()
        if cls.__pydantic_complete__:
            _plan.install(cls)
        if cls.__nitro_queried__:
            expressions.install(cls)
        return cls

    def _settle(cls, namespace: dict[str, Any]) -> None:
        """Called when pydantic has made the class, and before it gets its plan."""

    def _find_relations(cls) -> None:
        """Called when the fields of the class are known, and again when their types are; before it gets its plan."""

    if not TYPE_CHECKING:

        def __delattr__(cls, name: str) -> None:
            super().__delattr__(name)
            if name == "__nitro_backend__":
                _core.forget_tables()

        def __setattr__(cls, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "__nitro_backend__":
                _core.forget_tables()
            if "__nitro_settled__" not in cls.__dict__:
                return
            if name == "__pydantic_complete__":
                # Pydantic's last word when it has built a class again.
                cls.__nitro_replaced__ = False
                if value:
                    cls._find_relations()
                    _plan.install(cls)
                    if cls.__nitro_queried__:
                        expressions.install(cls)
                else:
                    _core.install_plan(cls, None, False, False)
            elif name in _REPLACEABLE and cls.__pydantic_complete__:
                cls.__nitro_replaced__ = True
                _plan.install(cls)
            elif name in _PLANNED or name in cls.__pydantic_fields__:
                _plan_again(cls)


def _depth_of_class_statement(mcs: type) -> int:
    """How many frames above the caller of this function the metaclasses' own frames end."""
    # A `__new__` is a staticmethod around the function.
    functions = [getattr(base.__dict__.get("__new__"), "__wrapped__", None) for base in mcs.__mro__]
    own = {getattr(function, "__code__", None) for function in functions}
    depth = 1
    while sys._getframe(depth).f_code in own:
        depth += 1
    # parent_frame_namespace counts from itself, as this function does.
    return depth


def _plan_again(cls: type[BaseModel]) -> None:
    if cls.__dict__.get("__pydantic_complete__"):
        _plan.install(cls)
    for subclass in cls.__subclasses__():
        _plan_again(subclass)


if TYPE_CHECKING:

    class _Native: ...

else:
    _core.finish_metaclass(ModelMeta)
    _Native = _core.ModelCore


class Model(_Native, BaseModel, metaclass=ModelMeta):
    """A pydantic model that is validated, dumped and loaded by native code wherever that makes no difference.

    A drop-in for `pydantic.BaseModel`, and a subclass of it: validators, computed fields, JSON schema, generics,
    pickling and everything else are pydantic's own. `nitro.explain(cls)` tells what takes the fast lane.

    Example:
        >>> class Point(nitro.Model):
        ...     x: int
        ...     y: int = 0
        >>> Point(x=1).model_dump_json()
        '{"x":1,"y":0}'
    """

    #: Whether the class has references to its fields, as `Order.total`; pydantic's models have no such attributes.
    __nitro_queried__ = False


# BaseModel has none either: a class that is not complete yet would show this one as its own.
del Model.__signature__


class ValueObject(Model):
    """A frozen `Model`: it has no identity, is compared by value, and can be a key of a dict.

    Its fields can be asked for in queries over entities that hold it: `Order.lines.any(Line.quantity > 3)`.

    Example:
        >>> class Money(nitro.ValueObject):
        ...     amount: int
        ...     currency: str = "NOK"
        >>> Money(amount=5) == Money(amount=5)
        True
    """

    model_config = ConfigDict(frozen=True)

    __nitro_queried__ = True


del ValueObject.__signature__
