"""Cases written by a generator: any mixture of types, limits, defaults, nesting and settings.

The generator is seeded by the number of the case, so that a case is the same on every machine and in
every run.
"""

import os
import random

from .comparison import Case

SCALARS = (
    "str", "int", "float", "bool", "bytes", "Moment", "date", "time", "timedelta", "UUID", "Decimal",
    "Color", "Size", "Mood", "Level", "Grade", "Bits", "Rights", "None", "Any", "Literal['x', 'y']",
    "Literal[1, 2]", "Literal['a', 1, None]",
)  # fmt: skip
COMMON = ("str", "str", "int", "int", "float", "bool")
KEY_TYPES = ("str", "str", "str", "str", "int", "UUID", "Color", "date", "Size", "float")
HASHABLE = ("str", "int", "float", "bytes", "date", "UUID", "Decimal", "Color", "Level", "bool")

DEFAULTS = {
    "str": ("''", "'draft'", "'\\u2713\"'"), "int": ("0", "1", "-5", "10**30"),
    "float": ("0.0", "1.5", "-0.0", "nan", "1"), "bool": ("False", "True"), "bytes": ("b''", "b'raw'"),
    "Moment": ("Moment(2024, 1, 1)", "Moment(2024, 1, 1, tzinfo=KOLKATA)"), "date": ("date(2024, 2, 29)",),
    "time": ("time(12)",), "timedelta": ("timedelta(days=1)",), "UUID": ("PLAIN_KEY",),
    "Decimal": ("Decimal('1.50')",), "Color": ("Color.RED",), "Size": ("Size.LARGE",), "Mood": ("Mood.SAD",),
    "Level": ("Level.HIGH",), "Grade": ("Grade.FIRST",), "Bits": ("Bits.ONE | Bits.TWO",),
    "Rights": ("Rights.READ",), "None": ("None",), "Any": ("None", "[1, {'a': []}]", "0"),
    "Literal['x', 'y']": ("'x'",), "Literal[1, 2]": ("2",), "Literal['a', 1, None]": ("None", "1"),
}  # fmt: skip
LIMITS = {
    "int": ("gt=0", "ge=0", "lt=100", "le=10", "ge=1, le=10", "multiple_of=5", "gt=-1, lt=2**70"),
    "float": ("gt=0", "ge=0.5", "lt=1e6", "le=10", "multiple_of=0.5", "allow_inf_nan=False", "gt=-1, lt=1"),
    "Decimal": ("gt=0", "le=Decimal('10.5')", "multiple_of=Decimal('0.5')", "max_digits=5, decimal_places=2"),
    "str": ("min_length=1", "max_length=5", "min_length=1, max_length=3", "pattern='^[a-z]*$'"),
    "bytes": ("min_length=1", "max_length=4"),
    "list": ("min_length=1", "max_length=2"),
}  # fmt: skip
NAMES = (
    "name", "count", "total", "price", "status", "tags", "notes", "kind", "created_at", "owner", "lines",
    "rating", "label", "state", "parts", "amount", "token", "weight", "color", "flags", "x", "y", "z",
)  # fmt: skip
SETTINGS = (
    "extra='forbid'", "extra='allow'", "extra='ignore'", "frozen=True", "strict=True",
    "str_strip_whitespace=True", "use_enum_values=True", "validate_default=True", "populate_by_name=True",
    "revalidate_instances='always'", "from_attributes=True", "validate_assignment=True",
    "ser_json_timedelta='float'", "ser_json_bytes='base64'", "ser_json_inf_nan='strings'",
    "ser_json_inf_nan='constants'", "allow_inf_nan=False", "hide_input_in_errors=True",
    "coerce_numbers_to_str=True", "str_max_length=6", "title='Titled'", "serialize_by_alias=True",
    "alias_generator=lambda name: name.upper()", "arbitrary_types_allowed=True",
)  # fmt: skip


class Writer:
    """Writes the source of one case."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.nested: list[str] = []

    def chance(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def choose(self, options):
        return self.random.choice(options)

    def scalar(self) -> str:
        kind = self.choose(COMMON) if self.chance(45) else self.choose(SCALARS)
        if kind in LIMITS and self.chance(18):
            return f"Annotated[{kind}, Field({self.choose(LIMITS[kind])})]"
        return kind

    def annotation(self, depth: int = 0) -> str:
        roll = self.random.random() * 100
        if self.nested and roll < 18:
            return self.choose(self.nested)
        if depth > 2 or roll < 58:
            return self.scalar()
        if roll < 68:
            return f"Optional[{self.annotation(depth + 1)}]"
        if roll < 74:
            parts = [self.annotation(depth + 2) for _ in range(self.choose((2, 2, 3)))]
            return f"AnyOf[{', '.join(parts)}]"
        if roll < 82:
            return f"list[{self.annotation(depth + 1)}]"
        if roll < 89:
            return f"dict[{self.choose(KEY_TYPES)}, {self.annotation(depth + 1)}]"
        if roll < 92:
            return f"{self.choose(('set', 'frozenset'))}[{self.choose(HASHABLE)}]"
        if roll < 95:
            return f"tuple[{self.annotation(depth + 1)}, ...]"
        if roll < 97:
            parts = [self.annotation(depth + 1) for _ in range(self.choose((1, 2, 3)))]
            return f"tuple[{', '.join(parts)}]"
        return self.choose(("list", "dict", "tuple", "list[Any]", "dict[str, Any]", "object", "set"))

    def default(self, annotation: str) -> str | None:
        """Source of a default, or None for a required field."""
        if self.chance(35):
            return None
        bare = annotation.removeprefix("Annotated[").partition(",")[0] if "Annotated" in annotation else annotation
        if self.chance(6):
            return self.choose(("None", "'wrong'", "1", "[]", "Text('x')", "True"))
        if annotation.startswith("Optional["):
            return "None"
        if bare in DEFAULTS:
            return self.choose(DEFAULTS[bare])
        head = annotation.partition("[")[0]
        if annotation in self.nested:
            return None
        plain = {"list": "[]", "dict": "{}", "set": "set()", "frozenset": "frozenset()", "tuple": "()"}
        return plain.get(head)

    def field(self, name: str) -> str:
        annotation = self.annotation()
        default = self.default(annotation)
        options: list[str] = []
        head = annotation.partition("[")[0]
        if head in ("list", "dict", "set", "tuple") and default is not None and self.chance(30):
            options.append(f"default_factory={head}")
            default = None
        elif default is not None:
            options.append(f"default={default}")
        if annotation in LIMITS and self.chance(20):
            options.append(self.choose(LIMITS[annotation]))
        elif head == "list" and self.chance(15):
            options.append(self.choose(LIMITS["list"]))
        if self.featured and self.chance(12):
            options.append(self.choose((
                "alias='the_{0}'", "validation_alias='in_{0}'", "serialization_alias='out_{0}'",
                "exclude=True", "frozen=True", "repr=False", "strict=True", "validate_default=True",
            )).format(name))  # fmt: skip
        simple = not options or (len(options) == 1 and default is not None)
        if simple:
            return f"    {name}: {annotation}" + (f" = {default}" if default is not None else "")
        return f"    {name}: {annotation} = Field({', '.join(options)})"

    def features(self, names: list[str]) -> list[str]:
        lines: list[str] = []
        if not self.featured:
            return lines
        first = names[0]
        offered = (
            ["    @field_validator('{0}')", "    @classmethod", "    def checked(cls, value):",
             "        return note(('checked', value), value)"],
            ["    @field_validator('{0}', mode='before')", "    @classmethod", "    def prepared(cls, value):",
             "        return note(('prepared', value), value)"],
            ["    @model_validator(mode='after')", "    def whole(self):", "        return note('whole', self)"],
            ["    @computed_field", "    @property", "    def computed(self) -> str:",
             "        return repr(self.{0})"],
            ["    @field_serializer('{0}', when_used='json')", "    def shown(self, value):",
             "        return repr(value)"],
            ["    _private: list[int] = [1]"],
            ["    def model_post_init(self, context):", "        note('post init')"],
        )  # fmt: skip
        for block in offered:
            if self.chance(12):
                lines += [line.replace("{0}", first) for line in block]
        return lines

    def model(self, name: str, base: str, fields: int) -> str:
        self.featured = self.chance(25)
        names = self.random.sample(NAMES, fields)
        settings = []
        if self.chance(30):
            settings = self.random.sample(SETTINGS, self.choose((1, 1, 2)))
            keys = {setting.partition("=")[0]: setting for setting in settings}
            settings = list(keys.values())
        lines = [f"class {name}({base}):"]
        if settings:
            lines.append(f"    model_config = ConfigDict({', '.join(settings)})")
        lines += [self.field(field) for field in names]
        lines += self.features(names)
        return "\n".join(lines)

    def source(self) -> str:
        blocks: list[str] = []
        for number in range(self.choose((0, 0, 0, 1, 1, 2))):
            name = f"Part{number}"
            base = self.choose(("Model", "Model", "Model", "Value", "Plain", "Identified"))
            blocks.append(self.model(name, base, self.random.randint(1, 4)))
            self.nested += [name, f"list[{name}]", f"dict[str, {name}]", f"Optional[{name}]"]
        base = "Model"
        if self.chance(15):
            blocks.append(self.model("Base", "Model", self.random.randint(1, 3)))
            base = "Base"
        if self.chance(12):
            self.nested += ["Optional['Case']", "list['Case']"]
        blocks.append(self.model("Case", base, self.random.randint(1, 9)))
        return "\n\n".join(blocks) + "\n"


def generated(count: int) -> tuple[Case, ...]:
    return tuple(Case(f"generated {seed}", Writer(seed).source()) for seed in range(count))


GENERATED = generated(int(os.environ.get("NITRO_DIFFERENTIAL_CLASSES", "200")))
