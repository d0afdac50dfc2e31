"""From a model class to its plan: which fields and which operations may take the fast lane.

The fast lane may answer only where pydantic would answer the same. What pydantic does is written in the core schema of
the class, so the plan is compiled from that, by a whitelist: a schema, a key or a setting that is not known here leads
to the slow lane, which is pydantic itself. Every reason is kept, for `nitro.explain`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from pydantic import BaseModel
from pydantic._internal._config import config_defaults
from pydantic_core import SchemaSerializer, SchemaValidator

from . import _core

Schema = dict[str, Any]
Node = tuple[Any, ...]
Reader = tuple[frozenset[str], Callable[["Compiler", Schema], Node]]

#: Keys of a schema that say nothing about values.
NEUTRAL = frozenset({"type", "ref", "metadata", "serialization"})

#: Settings of a model that change nothing in what the fast lane does, or that show in the schemas of the fields.
NEUTRAL_SETTINGS = frozenset(
    {
        "alias_generator",
        "arbitrary_types_allowed",
        "cache_strings",
        "defer_build",
        "extra",
        "extra_fields_behavior",
        "field_title_generator",
        "from_attributes",
        "frozen",
        "hide_input_in_errors",
        "ignored_types",
        "json_schema_extra",
        "json_schema_mode_override",
        "json_schema_serialization_defaults_required",
        "loc_by_alias",
        "model_title_generator",
        "plugin_settings",
        "populate_by_name",
        "protected_namespaces",
        "read_from_attributes",
        "read_with_orm_mode",
        "regex_engine",
        "registry",
        "schema_generator",
        "table",
        "title",
        "use_attribute_docstrings",
        "use_enum_values",
        "validate_assignment",
        "validate_by_alias",
        "validate_by_name",
        "validate_return",
        "validation_error_cause",
    }
)

#: Settings that only the serializer reads.
SERIALIZER_SETTINGS = frozenset(
    {
        "json_encoders",
        "polymorphic_serialization",
        "ser_json_bytes",
        "ser_json_inf_nan",
        "ser_json_temporal",
        "ser_json_timedelta",
        "serialize_by_alias",
    }
)

#: A function or a class of attributes that has this changes nothing in what pydantic would answer.
TRANSPARENT = "__nitro_transparent__"

REPLACED_METHODS = ("model_validate", "model_validate_json", "model_dump", "model_dump_json")

INT64 = range(-(2**63), 2**63)


@dataclass
class FieldLane:
    """How one field travels."""

    name: str
    type: str
    #: None where the fast lane takes it, else the reason why pydantic does.
    reason: str | None


@dataclass
class Explanation:
    """Which lane each operation and each field of a class takes, and why.

    Attributes:
        model: The class.
        operations: {operation: None for the fast lane, else the reason}.
        fields: One entry a field.
        layout: How instances keep their values: ``inline``, ``managed`` or ``public``.
    """

    model: type
    operations: dict[str, str | None]
    fields: list[FieldLane]
    layout: str

    def __str__(self) -> str:
        operations = [(name, "", reason) for name, reason in self.operations.items()]
        fields = [(lane.name, lane.type, lane.reason) for lane in self.fields]
        names = max(len(name) for name, _, _ in operations + fields)
        types = max((len(type_) for _, type_, _ in fields), default=0)
        lines = [f"{self.model.__name__} (values: {self.layout})"]
        for group in (operations, fields):
            if len(lines) > 1 and group:
                lines.append("")
            for name, type_, reason in group:
                lane = "fast" if reason is None else f"slow: {reason}"
                lines.append(f"  {name:<{names}}  {type_:<{types}}  {lane}")
        return "\n".join(lines)


@dataclass
class Compiler:
    """Reads the schemas of one class."""

    definitions: dict[str, Schema] = field(default_factory=dict[str, Schema])
    resolving: set[str] = field(default_factory=set[str])
    #: Why the class cannot be dumped in the fast lane.
    dump_reason: str | None = None

    def node(self, schema: Schema) -> Node:
        """What the fast lane must know of one schema."""
        if "serialization" in schema and self.dump_reason is None:
            self.dump_reason = "a custom serializer"
        kind: str = schema["type"]
        reader = self.readers.get(kind)
        if reader is None:
            return slow(f"pydantic's own: {kind}")
        allowed, read = reader
        unknown = schema.keys() - allowed - NEUTRAL
        if unknown:
            return slow(", ".join(sorted(unknown)))
        return read(self, schema)

    def definition(self, schema: Schema) -> Node:
        reference: str = schema["schema_ref"]
        target = self.definitions.get(reference)
        if target is None or reference in self.resolving:
            return slow("a recursive type")
        self.resolving.add(reference)
        try:
            return self.node(target)
        finally:
            self.resolving.discard(reference)

    def string(self, schema: Schema) -> Node:
        return "str", schema.get("min_length"), schema.get("max_length")

    def integer(self, schema: Schema) -> Node:
        bounds = [schema.get(name) for name in ("gt", "ge", "lt", "le", "multiple_of")]
        if any(type(bound) is not int for bound in bounds if bound is not None):
            return slow("a bound that is no int")
        gt, ge, lt, le, multiple_of = bounds
        low = [bound for bound in (ge, None if gt is None else gt + 1) if bound is not None]
        high = [bound for bound in (le, None if lt is None else lt - 1) if bound is not None]
        minimum, maximum = max(low, default=None), min(high, default=None)
        if any(b is not None and b not in INT64 for b in (minimum, maximum, multiple_of)):
            return slow("a bound of more than 64 bits")
        if multiple_of is not None and multiple_of <= 0:
            return slow("multiple_of below 1")
        return "int", minimum, maximum, multiple_of

    def float(self, schema: Schema) -> Node:
        bounds = [schema.get(name) for name in ("gt", "ge", "lt", "le", "multiple_of")]
        if any(type(bound) not in (int, float) for bound in bounds if bound is not None):
            return slow("a bound that is no number")
        if any(abs(bound) > 2**53 for bound in bounds if type(bound) is int):
            return slow("a bound that no float can hold")
        as_floats = [None if bound is None else float(bound) for bound in bounds]
        return "float", *as_floats, not schema.get("allow_inf_nan", True)

    def bytes(self, schema: Schema) -> Node:
        return "bytes", schema.get("min_length"), schema.get("max_length")

    def moment(self, schema: Schema) -> Node:
        if schema.get("microseconds_precision", "truncate") != "truncate":
            return slow("microseconds_precision")
        return (schema["type"],)

    def decimal(self, schema: Schema) -> Node:
        return "decimal", *(schema.get(name) for name in ("gt", "ge", "lt", "le"))

    def enumeration(self, schema: Schema) -> Node:
        members: list[enum.Enum] = schema["members"]
        values = {member.value: member for member in members if type(member.value) in (str, int)}
        texts = all(type(value) is str for value in values)
        numbers = all(type(value) is int and value in INT64 for value in values)
        if len(values) != len(members) or not (texts or numbers) or schema.get("sub_type") == "float":
            values = {}
        return "enum", schema["cls"], values

    def literal(self, schema: Schema) -> Node:
        expected: list[Any] = schema["expected"]
        kinds: set[type[Any]] = {type(value) for value in expected}
        if not kinds <= {str, int, bool, type(None)}:
            return slow("a literal that is no str, int, bool or None")
        if {bool, int} <= kinds:
            return slow("a literal of both bools and ints")
        return "literal", tuple(expected)

    def collection(self, schema: Schema) -> Node:
        items = schema.get("items_schema")
        item = ("any",) if items is None else self.node(items)
        return schema["type"], item, schema.get("min_length"), schema.get("max_length")

    def tuple(self, schema: Schema) -> Node:
        items: list[Schema] = schema["items_schema"]
        variadic = schema.get("variadic_item_index")
        if variadic is None:
            if "min_length" in schema or "max_length" in schema:
                return slow("a length of a tuple of fixed size")
            return "tuple", tuple(self.node(item) for item in items)
        if variadic != 0 or len(items) != 1:
            return slow("a tuple with a variable middle")
        return "variadic", self.node(items[0]), schema.get("min_length"), schema.get("max_length")

    def mapping(self, schema: Schema) -> Node:
        keys, values = schema.get("keys_schema"), schema.get("values_schema")
        return (
            "dict",
            ("any",) if keys is None else self.node(keys),
            ("any",) if values is None else self.node(values),
            schema.get("min_length"),
            schema.get("max_length"),
        )

    def model(self, schema: Schema) -> Node:
        if schema.get("root_model"):
            return slow("a root model")
        if not issubclass(type(schema["cls"]), _core.MetaCore):
            return slow(f"{schema['cls'].__name__} is no nitro.Model")
        validating, _ = settings_of(schema["cls"], schema)
        if validating is not None:
            return slow(validating)
        return "model", schema["cls"]

    def nullable(self, schema: Schema) -> Node:
        return "nullable", self.node(schema["schema"])

    def union(self, schema: Schema) -> Node:
        choices: list[Any] = schema["choices"]
        if schema.get("mode", "smart") != "smart" or any(isinstance(choice, tuple) for choice in choices):
            return slow("a union with a mode or labels")
        nodes = [self.node(choice) for choice in choices]
        kinds = [node[0] for node in nodes]
        models = [node[1] for node in nodes if node[0] == "model"]
        if {"slow", "slow-to-validate", "any", "union", "nullable"} & set(kinds):
            return slow("a union with a member that is pydantic's own")
        literals = [value for node in nodes if node[0] == "literal" for value in node[1]]
        if literals and ("enum" in kinds or any(type(value) is not str for value in literals)):
            return slow("a union of a literal and what may equal it")
        if models and "dict" in kinds:
            return slow("a union of a model and a dict")
        if any(a is not b and issubclass(a, b) for a in models for b in models):
            return slow("a union of a model and its subclass")
        if any(model.model_config.get("from_attributes") for model in models):
            return slow("a union with a model that reads attributes")
        return "union", tuple(nodes)

    def function(self, schema: Schema) -> Node:
        inner = self.node(schema["schema"])
        # The function of a Ref makes keys of other things, and leaves keys as they are.
        if getattr(schema["function"]["function"], "keeps_keys", False) and inner[0] in _KEYS:
            return inner
        return "slow-to-validate", "a validator", inner

    def default(self, schema: Schema) -> Node:
        return self.node(schema["schema"])

    def plain(self, schema: Schema) -> Node:
        return (schema["type"],)

    #: For every kind of schema: the keys that are known, and the method that reads it. Filled below.
    readers: ClassVar[dict[str, Reader]] = {}


#: What the key of an entity is, where whatever has exactly that type is a key.
_KEYS = frozenset({"str", "int", "float", "bool", "bytes", "uuid", "date", "datetime", "decimal", "enum", "literal"})

_LENGTHS = frozenset({"min_length", "max_length"})
_BOUNDS = frozenset({"gt", "ge", "lt", "le", "multiple_of"})
_NOTHING: frozenset[str] = frozenset()
_DEFAULT = frozenset({"schema", "default", "default_factory", "default_factory_takes_data", "validate_default"})
_FUNCTION = frozenset({"schema", "function"})
_MODEL = frozenset({"cls", "schema", "config", "custom_init", "root_model", "post_init", "generic_origin"})

Compiler.readers |= {
    "definition-ref": (frozenset({"schema_ref"}), Compiler.definition),
    "any": (_NOTHING, Compiler.plain),
    "none": (_NOTHING, Compiler.plain),
    "bool": (_NOTHING, Compiler.plain),
    "str": (_LENGTHS, Compiler.string),
    "int": (_BOUNDS, Compiler.integer),
    "float": (_BOUNDS | {"allow_inf_nan"}, Compiler.float),
    "bytes": (_LENGTHS, Compiler.bytes),
    "datetime": (frozenset({"microseconds_precision"}), Compiler.moment),
    "date": (_NOTHING, Compiler.plain),
    "time": (frozenset({"microseconds_precision"}), Compiler.moment),
    "timedelta": (frozenset({"microseconds_precision"}), Compiler.moment),
    "uuid": (_NOTHING, Compiler.plain),
    "decimal": (_BOUNDS - {"multiple_of"}, Compiler.decimal),
    "enum": (frozenset({"cls", "members", "sub_type", "missing"}), Compiler.enumeration),
    "literal": (frozenset({"expected"}), Compiler.literal),
    "list": (_LENGTHS | {"items_schema"}, Compiler.collection),
    "set": (_LENGTHS | {"items_schema"}, Compiler.collection),
    "frozenset": (_LENGTHS | {"items_schema"}, Compiler.collection),
    "tuple": (_LENGTHS | {"items_schema", "variadic_item_index"}, Compiler.tuple),
    "dict": (_LENGTHS | {"keys_schema", "values_schema"}, Compiler.mapping),
    "model": (_MODEL, Compiler.model),
    "nullable": (frozenset({"schema"}), Compiler.nullable),
    "union": (frozenset({"choices", "mode"}), Compiler.union),
    "default": (_DEFAULT, Compiler.default),
    "function-before": (_FUNCTION, Compiler.function),
    "function-after": (_FUNCTION, Compiler.function),
    "function-wrap": (_FUNCTION, Compiler.function),
}


def slow(reason: str) -> Node:
    return "slow", reason


def slowness(node: Node) -> str | None:
    """Why pydantic must validate a field, or None."""
    if node[0] in ("slow", "slow-to-validate"):
        return node[1]
    parts = node[1:] if node[0] in ("list", "set", "frozenset", "variadic", "dict", "nullable") else ()
    if node[0] in ("tuple", "union"):
        parts = node[1]
    for part in parts:
        if isinstance(part, tuple) and part and isinstance(part[0], str):
            reason = slowness(cast("Node", part))
            if reason is not None:
                return reason
    return None


def settings_of(cls: type[BaseModel], schema: Schema) -> tuple[str | None, str | None]:
    """Why its settings make a class slow to validate, and why slow to dump."""
    settings = {name for name, value in cls.model_config.items() if value != config_defaults.get(name)}
    settings |= schema.get("config", {}).keys()
    unknown = sorted(settings - NEUTRAL_SETTINGS - SERIALIZER_SETTINGS)
    serializer = sorted(settings & SERIALIZER_SETTINGS)
    validating = f"setting {', '.join(unknown)}" if unknown else None
    dumping = f"setting {', '.join(serializer)}" if serializer else None
    return validating, dumping or validating


def default_of(schema: Schema) -> tuple[str, Any]:
    """(kind, value) of the default that a field's schema declares."""
    if schema["type"] != "default" or schema.get("validate_default") or "on_error" in schema:
        return "required", None
    if "default_factory" in schema:
        factory = schema["default_factory"]
        if schema.get("default_factory_takes_data"):
            return "required", None
        if factory is _core.new_id:
            return "identity", None
        return {list: "list", dict: "dict", set: "set"}.get(factory, "factory"), factory
    value = schema["default"]
    if type(value) in (list, dict, set) and not value:
        return type(value).__name__, None
    try:
        hash(value)
    except TypeError:
        return "copied", value
    return "constant", value


def next_in_line(cls: type, name: str) -> Any:
    """What the method `name` is for the class behind ModelCore."""
    mro = cls.__mro__
    for base in mro[mro.index(_core.ModelCore) + 1 :]:
        if name in base.__dict__:
            return base.__dict__[name]
    raise AttributeError(name)  # pragma: no cover  (BaseModel has them all)


def first_in_line(cls: type, name: str) -> Any:
    """What the attribute `name` of an instance is, read from the class."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def settles_late(cls: type[BaseModel]) -> bool:
    """Whether code of the class's own runs after pydantic has filled an instance, where a hook can follow it."""
    validators = cls.__pydantic_decorators__.model_validators.values()
    return bool(cls.__pydantic_post_init__) or any(item.info.mode != "before" for item in validators)


def compile_plan(cls: type[BaseModel]) -> tuple[_core.Plan, Explanation]:
    """The plan of a complete model class, and why it is as it is."""
    schema: Schema = cls.__pydantic_core_schema__  # type: ignore[assignment]
    compiler = Compiler()
    if schema["type"] == "definitions":
        compiler.definitions = {item["ref"]: item for item in schema["definitions"]}
        schema = schema["schema"]
    if schema["type"] == "definition-ref":
        schema = compiler.definitions[schema["schema_ref"]]
    own_name = schema.get("ref")

    whole: str | None = None
    while schema["type"] in ("function-before", "function-after", "function-wrap"):
        whole = "a model validator"
        if "serialization" in schema:
            compiler.dump_reason = "a model serializer"
        schema = schema["schema"]
    if own_name is None:
        own_name = schema.get("ref")
    if own_name is not None:
        # A class that contains itself is known by its plan.
        compiler.definitions.setdefault(own_name, schema)
    known = schema["type"] == "model" and schema["cls"] is cls and schema["schema"]["type"] == "model-fields"
    fields: list[tuple[str, Node, str, Any, bool, bool]] = []
    indexed: frozenset[str] = getattr(cls, "__nitro_indexed__", frozenset())
    explained: list[FieldLane] = []
    if not known or schema.get("root_model"):
        whole = whole or "not an ordinary model"
        compiler.dump_reason = "not an ordinary model"
        for name, info in cls.__pydantic_fields__.items():
            fields.append((name, slow(whole), "required", None, False, name in indexed))
            explained.append(FieldLane(name, _type_name(info.annotation), whole))
        body: Schema = {"fields": {}}
        settings: Schema = {}
    else:
        body = schema["schema"]
        settings = schema.get("config", {})
        unknown = schema.keys() - _MODEL - NEUTRAL
        validating, dumping = settings_of(cls, schema)
        whole = whole or validating or (f"{', '.join(sorted(unknown))}" if unknown else None)
        compiler.dump_reason = compiler.dump_reason or dumping
        extra_keys = body.keys() - {"type", "model_name", "fields", "computed_fields", "metadata", "ref"}
        whole = whole or (", ".join(sorted(extra_keys)) if extra_keys else None)
        if "serialization" in schema or "serialization" in body:
            compiler.dump_reason = "a model serializer"

    aliases = False
    required_slow: str | None = None
    for name, entry in body["fields"].items():
        node = compiler.node(entry["schema"])
        kind, value = default_of(entry["schema"])
        reason = slowness(node)
        unknown = entry.keys() - {
            "type",
            "schema",
            "metadata",
            "frozen",
            "validation_alias",
            "serialization_alias",
            "serialization_exclude",
        }
        if unknown:
            reason = ", ".join(sorted(unknown))
            node = slow(reason)
            compiler.dump_reason = compiler.dump_reason or reason
        if "validation_alias" in entry:
            aliases = True
            reason = reason or "an alias"
        if entry.get("serialization_exclude"):
            compiler.dump_reason = compiler.dump_reason or f"{name} is excluded"
        if kind == "required" and slowness(node) is not None:
            required_slow = required_slow or f"{name}: {slowness(node)}"
        known_as: object = first_in_line(cls, name)
        shadowed = hasattr(known_as, "__set__") and not (
            hasattr(type(known_as), TRANSPARENT) or hasattr(known_as, "gives_way")
        )
        assignable = not entry.get("frozen", False) and not shadowed
        fields.append((name, node, kind, value, assignable, name in indexed))
        explained.append(FieldLane(name, _type_name(cls.__pydantic_fields__[name].annotation), reason))

    config = cls.model_config
    if body.get("computed_fields"):
        compiler.dump_reason = compiler.dump_reason or "computed fields"
    extra = settings.get("extra_fields_behavior", "ignore")
    if extra == "allow":
        whole = whole or "extra fields are allowed"
        compiler.dump_reason = compiler.dump_reason or "extra fields are allowed"
    replaced: bool = cls.__dict__["__nitro_replaced__"]
    own_validator = type(cls.__pydantic_validator__) is SchemaValidator and not replaced
    if not own_validator:
        whole = whole or "a validator that is not pydantic's own"
    if type(cls.__pydantic_serializer__) is not SchemaSerializer or replaced:
        compiler.dump_reason = compiler.dump_reason or "a serializer that is not pydantic's own"

    # What stands around the validation of a whole instance.
    custom_new = first_in_line(cls, "__new__") is not object.__dict__["__new__"]
    init = first_in_line(cls, "__init__")
    transparent = hasattr(init, TRANSPARENT)
    custom_init = bool(schema.get("custom_init")) or not (transparent or getattr(init, "__pydantic_base_init__", False))
    post_init = bool(schema.get("post_init"))
    around = (
        ("a __new__ of its own" if custom_new else None)
        or ("an __init__ of its own" if custom_init else None)
        or ("model_post_init or private attributes" if post_init else None)
        or ("aliases" if aliases else None)
    )
    next_methods = {name: next_in_line(cls, name) for name in REPLACED_METHODS}
    own_methods = all(method is BaseModel.__dict__[name] for name, method in next_methods.items())
    overridden = not all(
        method is BaseModel.__dict__[name] or hasattr(getattr(method, "__func__", method), TRANSPARENT)
        for name, method in next_methods.items()
    )
    making = whole or around or required_slow or ("a base class that overrides pydantic" if overridden else None)
    ordinary_setattr = next_in_line(cls, "__setattr__") is BaseModel.__dict__["__setattr__"]
    assigning = (
        whole
        or ("frozen" if config.get("frozen") else None)
        or (None if ordinary_setattr else "a __setattr__ of its own")
        or ("a __new__ of its own" if custom_new else None)
    )
    dumping = compiler.dump_reason or ("a base class that overrides pydantic" if overridden else None)
    for name, node, *_ in fields:
        if node[0] == "slow":
            dumping = dumping or f"{name}: {node[1]}"

    tracked = hasattr(cls, "__nitro_state__")
    # Names that the constructor takes besides those of fields.
    more_names: frozenset[str] = getattr(cls, "__nitro_constructs__", frozenset())
    validates = bool(config.get("validate_assignment"))
    model_validator = whole == "a model validator"
    lanes = {
        "construct": making is None,
        "validate": making is None,
        "load": making is None,
        "dump": dumping is None,
        "dump_json": dumping is None,
        "assign_validated": assigning is None and validates,
        "assign_plain": assigning is None and not validates,
        "tracked": tracked,
        "ignores_extra": extra == "ignore" and not more_names,
        "plain_init": known
        and (init is BaseModel.__init__ or transparent)
        and not (custom_new or custom_init or model_validator or more_names)
        and own_validator
        and not schema.get("root_model"),
        "custom_init": custom_init,
        "plain_new": not custom_new,
        "assign_direct": validates
        and ordinary_setattr
        and own_validator
        and not config.get("frozen")
        and known
        and not getattr(cls, "__nitro_refs__", None),
        "settles_late": tracked and settles_late(cls),
        "assignment_spreads": model_validator,
        "own_methods": own_methods and own_validator,
        "bound": all(
            first_in_line(cls, name) is _core.ModelCore.__dict__[name]
            for name in ("model_validate", "model_validate_json")
        ),
        "frozen": bool(config.get("frozen")),
    }
    plan = _core.Plan(cls, fields, lanes)
    operations = {
        "construct": making,
        "model_validate": making,
        "model_validate_json": making,
        "assignment": assigning,
        "model_dump": dumping,
        "model_dump_json": dumping,
    }
    return plan, Explanation(cls, operations, explained, plan.layout)


def install(cls: type[BaseModel]) -> None:
    """Compiles the plan of a class that pydantic has completed, and gives it to the class."""
    # An attribute of the class that takes what is assigned would keep it from the instance that is tried out.
    taking = {
        name: known for name in cls.__pydantic_fields__ if hasattr(known := first_in_line(cls, name), "_reference")
    }
    own = cls.__dict__.keys() & taking.keys()
    for name, known in taking.items():
        type.__setattr__(cls, name, known._reference)
    try:
        plan, _ = compile_plan(cls)
    finally:
        for name, known in taking.items():
            if name in own:
                type.__setattr__(cls, name, known)
            else:
                type.__delattr__(cls, name)
    ordinary_getattr = (
        not cls.__private_attributes__
        and cls.model_config.get("extra") != "allow"
        and first_in_line(cls, "__getattr__") is BaseModel.__dict__["__getattr__"]
        and first_in_line(cls, "__getattribute__") is object.__dict__["__getattribute__"]
        # Pydantic's message has the name as Python would write it, CPython's has it as it is.
        and all(map(str.isidentifier, cls.__pydantic_fields__))
    )
    _core.install_plan(cls, plan, True, ordinary_getattr)


def explain(cls: type[BaseModel]) -> Explanation:
    """Which lane each operation and each field of a class takes: the fast one, or pydantic's, and why.

    Args:
        cls: A subclass of `Model`.

    Returns:
        An `Explanation`; print it for a table.

    Raises:
        TypeError: If `cls` is no subclass of `Model`.

    Example:
        >>> class Point(nitro.Model):
        ...     x: int
        >>> nitro.explain(Point).operations["construct"] is None
        True
    """
    if not isinstance(cls, _core.MetaCore):
        raise TypeError(f"nitro.explain takes a subclass of nitro.Model, got {cls!r}")
    if not cls.__pydantic_complete__:
        cls.model_rebuild()
    explanation = compile_plan(cast("type[BaseModel]", cls))[1]
    explanation.layout = cls.__nitro_plan__.layout
    return explanation


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
