"""Who is compared with whom.

A Library is what is under test: Nitro, or a stand-in with the same names. ``pairs_of`` gives the
comparisons that it must pass: Model, Model with validated assignment, Entity and ValueObject, each
beside the pydantic class that it must equal.
"""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic import Field as pydantic_field

from .known_differences import ReferenceEntity, ReferenceValue, Stored


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def reference_encode(value: Any) -> bytes:
    """nitro.encode in terms of pydantic."""
    if isinstance(value, BaseModel):
        return value.model_dump_json().encode()
    kind = list[type(value[0])] if isinstance(value, list) and value else Any
    return _adapter(kind).dump_json(value)


def reference_decode(kind: Any, data: Any) -> Any:
    """nitro.decode in terms of pydantic."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate_json(data)
    return _adapter(kind).validate_json(data)


def reference_key_field(*arguments: Any, primary_key: bool = False, **options: Any) -> Any:
    """nitro.Field in terms of pydantic: the key is a mark that changes no answer."""
    info = pydantic_field(*arguments, **options)
    if primary_key:
        info.metadata.append(Stored(primary_key=True))
    return info


@dataclass(frozen=True)
class Library:
    """A library under test: Nitro, or a stand-in for it."""

    name: str
    model: type[BaseModel]
    entity: type[BaseModel]
    value_object: type[BaseModel]
    key_field: Callable[..., Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a pair: the names that it gives to cases and scripts, and how to say so."""

    bindings: Mapping[str, Any]
    header: str


@dataclass(frozen=True, eq=False)
class Pair:
    name: str
    reference: Side
    subject: Side


PYDANTIC = Library(
    name="pydantic",
    model=BaseModel,
    entity=ReferenceEntity,
    value_object=ReferenceValue,
    key_field=reference_key_field,
    encode=reference_encode,
    decode=reference_decode,
)


def nitro_library() -> Library:
    import nitro

    return Library(
        name="nitro",
        model=nitro.Model,
        entity=nitro.Entity,
        value_object=nitro.ValueObject,
        key_field=nitro.Field,
        encode=nitro.encode,
        decode=nitro.decode,
    )


_HEADERS = {
    "nitro": {
        "model": "from nitro import Model",
        "validated model": "import nitro\nclass Model(nitro.Model, validate_assignment=True): pass",
        "entity": "from nitro import Entity as Model",
        "value object": "from nitro import ValueObject as Model",
        "rest": "from nitro import Entity as Identified, ValueObject as Value, Field as key_field"
        "\nfrom nitro import encode, decode\nfrom pydantic import BaseModel as Plain",
    },
    "pydantic": {
        "model": "from pydantic import BaseModel as Model",
        "validated model": "from pydantic import BaseModel\nclass Model(BaseModel, validate_assignment=True): pass",
        "entity": "from differential.known_differences import ReferenceEntity as Model",
        "value object": "from differential.known_differences import ReferenceValue as Model",
        "rest": "from differential.known_differences import ReferenceEntity as Identified"
        "\nfrom differential.known_differences import ReferenceValue as Value"
        "\nfrom differential.subjects import reference_encode as encode"
        "\nfrom differential.subjects import reference_decode as decode"
        "\nfrom differential.subjects import reference_key_field as key_field"
        "\nfrom pydantic import BaseModel as Plain",
    },
}


def _side(library: Library, name: str, base: type[BaseModel]) -> Side:
    texts = _HEADERS.get(library.name)
    return Side(
        bindings={
            "Model": base,
            "Value": library.value_object,
            "Identified": library.entity,
            "Plain": BaseModel,
            "key_field": library.key_field,
            "encode": library.encode,
            "decode": library.decode,
        },
        header=f"{texts[name]}\n{texts['rest']}" if texts else f"# Model is {library.name}'s",
    )


def _bases(library: Library) -> dict[str, type[BaseModel]]:
    class Validated(library.model, validate_assignment=True):
        pass

    return {
        "model": library.model,
        "validated model": Validated,
        "entity": library.entity,
        "value object": library.value_object,
    }


def pairs_of(library: Library) -> tuple[Pair, ...]:
    references = _bases(PYDANTIC)
    return tuple(
        Pair(name, _side(PYDANTIC, name, references[name]), _side(library, name, base))
        for name, base in _bases(library).items()
    )


@functools.cache
def library_under_test() -> Library:
    return PYDANTIC if os.environ.get("NITRO_DIFFERENTIAL_SUBJECT") == "pydantic" else nitro_library()


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """The pairs that the tests of this directory compare."""
    return pairs_of(library_under_test())
