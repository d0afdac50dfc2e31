"""Cases written by hand: one class for each feature that the fast lane serves or must leave alone.

``FAST`` is what should take the fast lane, ``SLOW`` what should not; nothing in the comparison
depends on which is which.
"""

import re

from .comparison import Case

FAST = """
# --- five plain
class Case(Model):
    name: str
    email: str
    total: float = 0.0
    status: str = "draft"
    quantity: int = 1

# --- counter
class Case(Model):
    count: int = 0

# --- no fields
class Case(Model):
    pass

# --- one str
class Case(Model):
    a: str

# --- one int
class Case(Model):
    a: int

# --- one float
class Case(Model):
    a: float

# --- one bool
class Case(Model):
    a: bool

# --- one None
class Case(Model):
    a: None

# --- one bytes
class Case(Model):
    a: bytes

# --- one datetime
class Case(Model):
    a: Moment

# --- one date
class Case(Model):
    a: date

# --- one time
class Case(Model):
    a: time

# --- one timedelta
class Case(Model):
    a: timedelta

# --- one UUID
class Case(Model):
    a: UUID

# --- one Decimal
class Case(Model):
    a: Decimal

# --- one Any
class Case(Model):
    a: Any

# --- one object
class Case(Model):
    a: object

# --- plain enum
class Case(Model):
    a: Color
    b: Color = Color.RED

# --- str enum
class Case(Model):
    a: Size
    b: Mood = Mood.GLAD

# --- int enum
class Case(Model):
    a: Level
    b: Grade = Grade.FIRST

# --- float enum
class Case(Model):
    a: Rate

# --- flags
class Case(Model):
    a: Rights
    b: Bits = Bits.ONE

# --- mixed enum
class Case(Model):
    a: Mixed

# --- enum with _missing_
class Case(Model):
    a: Lenient

# --- enum of unhashable values
class Case(Model):
    a: Lists

# --- literal of str
class Case(Model):
    a: Literal["x", "y", "\\u2713"]

# --- literal of int
class Case(Model):
    a: Literal[0, 1, 2, -5]

# --- literal of bool
class Case(Model):
    a: Literal[True]
    b: Literal[False] = False

# --- literal of 1 and True
class Case(Model):
    a: Literal[1, True]
    b: Literal[True, 1] = 1
    c: Literal[0, False, "0"] = "0"

# --- mixed literal
class Case(Model):
    a: Literal["x", 1, None, b"raw", Color.RED, Level.LOW, Mood.GLAD]

# --- literal with None
class Case(Model):
    a: Literal["x", None] = None

# --- optional scalars
class Case(Model):
    a: Optional[str] = None
    b: int | None = None
    c: Optional[float]
    d: Optional[bytes] = None
    e: Optional[Moment] = None
    f: Decimal | None = None

# --- union of str and int
class Case(Model):
    a: str | int
    b: int | str = 0

# --- union of int and float
class Case(Model):
    a: int | float
    b: float | int = 0

# --- union of bool and int
class Case(Model):
    a: bool | int
    b: int | bool = True
    c: bool | float | None = None

# --- union of dates
class Case(Model):
    a: date | Moment
    b: Moment | date | None = None
    c: time | timedelta | None = None

# --- union of texts
class Case(Model):
    a: str | bytes
    b: UUID | str
    c: Decimal | float | str = "x"
    d: Size | str = Size.SMALL
    e: Color | int | None = None

# --- union of lists
class Case(Model):
    a: list[int] | list[str]
    b: list[int] | int | None = None
    c: dict[str, int] | list[int] = []

# --- union with a constraint
class Case(Model):
    a: Annotated[int, Field(gt=5)] | str
    b: Annotated[str, Field(max_length=2)] | int | None = None

# --- left to right union
class Case(Model):
    a: Annotated[int | str, Field(union_mode="left_to_right")]
    b: Annotated[str | int, Field(union_mode="left_to_right")] = 1

# --- list of str
class Case(Model):
    a: list[str]

# --- list of int
class Case(Model):
    a: list[int] = []

# --- list of float
class Case(Model):
    a: list[float]

# --- list of optional
class Case(Model):
    a: list[int | None]
    b: list[str] | None = None

# --- bare containers
class Case(Model):
    a: list
    b: dict
    c: set = set()
    d: tuple = ()
    e: frozenset = frozenset()

# --- containers of Any
class Case(Model):
    a: list[Any]
    b: dict[str, Any]
    c: tuple[Any, ...] = ()

# --- dict of str to int
class Case(Model):
    a: dict[str, int]

# --- dict of int keys
class Case(Model):
    a: dict[int, str]
    b: dict[UUID, float] = {}
    c: dict[Color, int] = {}

# --- dict of odd keys
class Case(Model):
    a: dict[float, int]
    b: dict[bool, int] = {}
    c: dict[Moment, int] = {}
    d: dict[Decimal, int] = {}
    e: dict[bytes, int] = {}
    f: dict[Optional[str], int] = {}
    g: dict[tuple[int, str], int] = {}

# --- sets
class Case(Model):
    a: set[int]
    b: frozenset[str] = frozenset()
    c: set[Color] = set()

# --- set of float
class Case(Model):
    a: set[float]
    b: frozenset[Decimal] = frozenset()

# --- tuples
class Case(Model):
    a: tuple[int, str]
    b: tuple[int, ...] = ()
    c: tuple[()] = ()
    d: tuple[int, str, float] | None = None

# --- nested containers
class Case(Model):
    a: dict[str, list[int]]
    b: list[list[float]] = []
    c: list[dict[str, tuple[int, ...]]] = []
    d: dict[str, dict[str, set[int]]] = {}

# --- list of moments
class Case(Model):
    a: list[Moment]
    b: dict[date, time] = {}
    c: list[timedelta] = []

# --- list of UUID and Decimal
class Case(Model):
    a: list[UUID]
    b: list[Decimal] = []
    c: list[bytes] = []
    d: list[Size] = []

# --- int limits
class Case(Model):
    a: int = Field(gt=0)
    b: int = Field(default=5, ge=5, lt=10)
    c: int = Field(default=0, le=0)
    d: int = Field(default=6, multiple_of=3)

# --- huge int limits
class Case(Model):
    a: int = Field(gt=2**63)
    b: int = Field(default=0, ge=-(2**70))
    c: int = Field(default=0, multiple_of=2**40)

# --- float limits on int
class Case(Model):
    a: int = Field(gt=0.5)
    b: int = Field(default=1, le=1.5)

# --- float limits
class Case(Model):
    a: float = Field(gt=0)
    b: float = Field(default=0.0, ge=0.0, lt=1.0)
    c: float = Field(default=0.3, multiple_of=0.1)
    d: float = Field(default=0.0, le=1e308)

# --- finite floats
class Case(Model):
    a: float = Field(allow_inf_nan=False)
    b: Annotated[float, AllowInfNan(False)] = 0.0
    c: list[Annotated[float, Field(allow_inf_nan=False)]] = []

# --- str limits
class Case(Model):
    a: str = Field(min_length=2)
    b: str = Field(default="", max_length=3)
    c: str = Field(default="ab", min_length=1, max_length=2)
    d: Annotated[str, MinLen(1)] = "x"

# --- bytes limits
class Case(Model):
    a: bytes = Field(min_length=2, max_length=4)

# --- container limits
class Case(Model):
    a: list[int] = Field(min_length=1, max_length=3)
    b: dict[str, int] = Field(default={}, max_length=1)
    c: set[int] = Field(default={1}, min_length=1, max_length=2)
    d: tuple[int, ...] = Field(default=(1,), min_length=1)
    e: frozenset[int] = Field(default=frozenset({1}), max_length=1)

# --- limited items
class Case(Model):
    a: list[Annotated[int, Field(gt=0)]]
    b: dict[Annotated[str, Field(min_length=1)], Annotated[float, Field(ge=0)]] = {}
    c: Positive = 1
    d: ShortText = "x"
    e: list[ShortText] | None = None

# --- Decimal limits
class Case(Model):
    a: Decimal = Field(gt=0)
    b: Decimal = Field(default=Decimal("1"), ge=Decimal("0.5"), le=10)
    c: Decimal = Field(default=Decimal("0.5"), multiple_of=Decimal("0.25"))
    d: Decimal = Field(default=Decimal("1.5"), max_digits=4, decimal_places=2)

# --- moment limits
class Case(Model):
    a: Moment = Field(gt=Moment(2020, 1, 1))
    b: date = Field(default=date(2024, 1, 1), le=date(2030, 1, 1))
    c: timedelta = Field(default=timedelta(1), gt=timedelta(0))
    d: time = Field(default=time(12), lt=time(18))

# --- aware moment limits
class Case(Model):
    a: Moment = Field(ge=Moment(2020, 1, 1, tzinfo=timezone.utc))

# --- constrained types
class Case(Model):
    a: PositiveInt
    b: NonNegativeInt = 0
    c: conint(gt=1, multiple_of=2) = 2
    d: confloat(ge=0.5) = 1.0
    e: constr(min_length=1, max_length=4) = "x"
    f: conlist(int, min_length=1) = [1]
    g: Annotated[int, Interval(ge=0, lt=5)] = 1
    h: Annotated[list[int], Len(1, 2)] = [1]
    i: Annotated[int, Ge(0), Le(3), MultipleOf(2)] = 2

# --- doubled limits
class Case(Model):
    a: Annotated[int, Gt(0), Gt(5)]
    b: Annotated[int, Field(ge=1)] = Field(default=5, ge=3)
    c: Annotated[str, MaxLen(5), MaxLen(3)] = ""

# --- mutable defaults
class Case(Model):
    a: list[int] = [1, 2]
    b: dict[str, list[int]] = {"x": [1]}
    c: set[int] = {1}
    d: list = []
    e: Any = [[]]
    f: tuple[list[int], ...] = ([1],)

# --- default factories
class Case(Model):
    a: list[Any] = Field(default_factory=new_list)
    b: int = Field(default_factory=next_number)
    c: dict[str, Any] = Field(default_factory=new_dict)
    d: list[int] = Field(default_factory=list)
    e: int = Field(default_factory=next_number)

# --- a factory that sees the data
class Case(Model):
    a: int
    b: int = Field(default_factory=lambda data: note(dict(data), data["a"] + 1))
    c: list[int] = Field(default_factory=lambda data: [data["b"]])

# --- a factory that fails
class Case(Model):
    a: int
    b: int = Field(default_factory=fail)

# --- a factory with an unfit value
class Case(Model):
    a: int = Field(default_factory=unfit)
    b: int = Field(default_factory=lambda: "text")
    c: int = 1

# --- defaults of a wrong type
class Case(Model):
    a: int = "wrong"
    b: str = None
    c: list[int] = "wrong"
    d: float = 1
    e: int = True
    f: str = Text("subclass")
    g: Color = "red"
    h: bool = 1
    i: tuple[int, ...] = [1, 2]

# --- defaults of odd floats
class Case(Model):
    a: float = nan
    b: float = -0.0
    c: float = inf
    d: Decimal = Decimal("NaN")
    e: list[float] = [nan, -0.0]

# --- defaults of every kind
class Case(Model):
    a: bytes = b"raw"
    b: Moment = Moment(2024, 1, 1, tzinfo=KOLKATA)
    c: date = date(2024, 1, 1)
    d: time = time(12, tzinfo=timezone.utc)
    e: timedelta = timedelta(days=1, microseconds=5)
    f: UUID = PLAIN_KEY
    g: Decimal = Decimal("1.50")
    h: Color = Color.RED
    i: Any = Ellipsis
    j: Any = object

# --- names of the framework
class Case(Model):
    count: int = 0
    changes: list[int] = []
    version: int = 1
    created: Moment = Moment(2024, 1, 1)
    original: str = ""
    changed_fields: int = 0
    is_changed: bool = False
    previous_changes: dict[str, int] = {}
    revert_changes: str = ""
    refresh: int = 0

# --- odd names
class Case(Model):
    größe: int = 1
    名前: str = ""
    self: int = 0
    cls: int = 0
    data: int = 0
    values: int = 0
    items: int = 0
    keys: int = 0
    args: int = 0
    kwargs: int = 0
    obj: int = 0
    type: str = ""

# --- names close to each other
class Case(Model):
    a: int = 1
    A: int = 2
    aa: int = 3
    a_: int = 4
    a1: int = 5
    abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz: int = 6

# --- names that JSON escapes
Case = create_model(
    "Case",
    __base__=Model,
    **{'a"b': (int, 1), "c\\\\d": (int, 2), "e\\n": (str, "x"), "": (int, 3), "é": (int, 4)},
)

# --- nested model
class Line(Model):
    product: str
    quantity: int = 1
    price: float = 0.0

class Case(Model):
    customer: str
    lines: list[Line] = []
    first: Line | None = None

# --- nested in every container
class Inner(Model):
    a: int
    b: list[int] = []

class Case(Model):
    one: Inner
    some: list[Inner] = []
    named: dict[str, Inner] = {}
    pair: tuple[Inner, int] | None = None
    many: tuple[Inner, ...] = ()

# --- nested plain models
class Inner(Plain):
    a: int
    b: str = "x"

class Case(Model):
    one: Inner
    some: list[Inner] = []
    named: dict[str, Inner] = {}
    maybe: Optional[Inner] = None

# --- nested value objects
class Price(Value):
    amount: Decimal
    currency: Literal["EUR", "USD"] = "EUR"

class Case(Model):
    price: Price
    prices: list[Price] = []
    unique: set[Price] = set()
    by_price: dict[str, Price] = {}

# --- nested entities
class Customer(Identified):
    name: str
    age: int = 0

class Case(Model):
    customer: Customer
    others: list[Customer] = []
    named: dict[str, Customer] = {}

# --- ours within plain within ours
class Leaf(Model):
    a: int = 1

class Middle(Plain):
    leaf: Leaf
    leaves: list[Leaf] = []

class Case(Model):
    middle: Middle
    middles: dict[str, Middle] = {}

# --- a default that is a model
class Inner(Model):
    a: int = 1
    b: list[int] = [1]

class Case(Model):
    inner: Inner = Inner()
    many: list[Inner] = [Inner(), Inner(a=2)]
    made: Inner = Field(default_factory=Inner)
    text: Inner = "wrong"

# --- a tree
class Case(Model):
    value: int
    children: list["Case"] = []
    parent: Optional["Case"] = None

# --- a tree by names
class Case(Model):
    value: int = 0
    children: dict[str, "Case"] = {}

# --- two that name each other
class Owner(Model):
    name: str
    pets: list["Pet"] = []

class Pet(Model):
    name: str
    owner: Owner | None = None

Owner.model_rebuild()

class Case(Model):
    owner: Owner
    pets: list[Pet] = []

# --- a union of models
class Cat(Model):
    claws: int
    name: str = "cat"

class Dog(Model):
    bark: str
    name: str = "dog"

class Case(Model):
    pet: Cat | Dog
    pets: list[Cat | Dog] = []
    maybe: Cat | int | None = None

# --- inherited fields
class Base(Model):
    a: int
    b: str = "base"

class Middle(Base):
    b: str = "middle"
    c: float = 0.5

class Case(Middle):
    a: float
    d: list[int] = []

# --- two parents
class Left(Model):
    a: int = 1
    b: int = 2

class Right(Model):
    b: str = "right"
    c: str = "c"

class Case(Left, Right):
    d: int = 4

# --- a mix-in
class Greeter:
    greeting: str = "hello"

    def greet(self):
        return f"{self.greeting} {self.name}"

class Case(Greeter, Model):
    name: str

# --- an abstract parent
class Shape(Model, abc.ABC):
    name: str = "shape"

    @abc.abstractmethod
    def area(self): ...

class Case(Shape):
    side: float

    def area(self):
        return self.side**2

# --- still abstract
class Case(Model, abc.ABC):
    name: str = "shape"

    @abc.abstractmethod
    def area(self): ...

# --- a generic
class Box(Model, Generic[Item]):
    item: Item
    items: list[Item] = []

Case = Box[int]

# --- a generic without its argument
class Case(Model, Generic[Item]):
    item: Item
    items: list[Item] = []

# --- a generic of a model
class Inner(Model):
    a: int

class Box(Model, Generic[Item]):
    item: Item
    more: dict[str, Item] = {}

class Case(Model):
    box: Box[Inner]
    boxes: list[Box[int]] = []

# --- methods and properties
class Case(Model):
    first: str = ""
    last: str = ""
    scores: list[int] = []
    kind: ClassVar[str] = "person"

    @property
    def name(self):
        return f"{self.first} {self.last}"

    @name.setter
    def name(self, value):
        self.first, _, self.last = value.partition(" ")

    @functools.cached_property
    def total(self):
        return note("total", sum(self.scores))

# --- annotations of other kinds
class Case(Model):
    a: Final[int] = 1
    b: Annotated[Annotated[int, Field(gt=0)], "note"] = 1
    c: UserId = 1
    d: "int" = 1
    e: "Optional[list[str]]" = None
    f: typing.List[int] = []
    g: typing.Dict[str, int] = {}
    h: typing.Union[int, None, str] = None

# --- type aliases
Wide = TypeAliasType("Wide", int | str)
Deep = TypeAliasType("Deep", "dict[str, Deep] | list[Deep] | int")

class Case(Model):
    a: Wide
    b: Deep = 1

# --- seventy fields
Case = create_model("Case", __base__=Model, **{f"f{n}": (int, n) for n in range(70)})

# --- a hundred and thirty fields
Case = create_model(
    "Case",
    __base__=Model,
    **{f"f{n}": ((int, str, float)[n % 3], (n, str(n), n / 2)[n % 3]) for n in range(130)},
)

# --- sixty-four fields, one of them required
Case = create_model("Case", __base__=Model, last=(str, ...), **{f"f{n}": (int, n) for n in range(63)})

# --- sixty-five fields, required at the end
Case = create_model("Case", __base__=Model, **{f"f{n}": (int, n) for n in range(64)}, last=(list[int], ...))

# --- thirty fields
Case = create_model("Case", __base__=Model, **{f"f{n}": (int, n) for n in range(30)})

# --- thirty-one fields
Case = create_model("Case", __base__=Model, **{f"f{n}": (list[int], [n]) for n in range(31)})

# --- own int id
class Case(Model):
    id: int
    name: str = ""

# --- own id with a factory
class Case(Model):
    name: str = ""
    id: UUID = Field(default_factory=lambda: PLAIN_KEY)

# --- own key under another name
class Case(Model):
    code: str = key_field(primary_key=True)
    name: str = ""

# --- limits through the key field
class Case(Model):
    a: int = key_field(default=1, gt=0)
    b: str = key_field(max_length=3)
    c: list[int] = key_field(default_factory=list, alias="see")
"""

SLOW = '''
# --- extra allow
class Case(Model):
    model_config = ConfigDict(extra="allow")
    a: int = 1
    b: str = "x"

# --- typed extra
class Case(Model):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    a: int = 1

# --- extra forbid
class Case(Model):
    model_config = ConfigDict(extra="forbid")
    a: int = 1
    b: list[int] = []

# --- extra ignore
class Case(Model):
    model_config = ConfigDict(extra="ignore")
    a: int = 1
    b: list[int] = []

# --- nested extra
class Inner(Model):
    model_config = ConfigDict(extra="allow")
    a: int = 1

class Closed(Model):
    model_config = ConfigDict(extra="forbid")
    a: int = 1

class Case(Model):
    inner: Inner = Field(default_factory=Inner)
    closed: Closed | None = None
    many: list[Inner] = []

# --- frozen
class Case(Model):
    model_config = ConfigDict(frozen=True)
    a: int
    b: str = "x"
    c: tuple[int, ...] = ()

# --- frozen with a list
class Case(Model):
    model_config = ConfigDict(frozen=True)
    a: int = 1
    b: list[int] = []

# --- frozen fields
class Case(Model):
    a: int = Field(default=1, frozen=True)
    b: str = "x"

# --- strict
class Case(Model):
    model_config = ConfigDict(strict=True)
    a: int
    b: float = 0.0
    c: list[int] = []
    d: Color = Color.RED
    e: Moment | None = None
    f: tuple[int, ...] = ()

# --- strict fields
class Case(Model):
    a: int = Field(strict=True)
    b: StrictStr = "x"
    c: StrictBool = True
    d: StrictFloat = 1.0
    e: Annotated[list[int], Strict()] = []
    f: list[StrictInt] = []
    g: StrictInt | StrictStr = 1

# --- lax within strict
class Case(Model):
    model_config = ConfigDict(strict=True)
    a: int = Field(strict=False)
    b: float = 0.0

# --- str_strip_whitespace
class Case(Model):
    model_config = ConfigDict(str_strip_whitespace=True)
    a: str
    b: list[str] = []
    c: str = Field(default="x", min_length=1)
    d: dict[str, str] = {}

# --- str_to_upper and lengths
class Case(Model):
    model_config = ConfigDict(str_to_upper=True, str_min_length=1, str_max_length=5)
    a: str
    b: str | None = None

# --- str_to_lower
class Case(Model):
    model_config = ConfigDict(str_to_lower=True)
    a: str
    b: Size | str = "x"

# --- string constraints
class Case(Model):
    a: str = Field(pattern="^[a-z]+$")
    b: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True)] = ""
    c: constr(pattern=r"\\d+") | None = None

# --- ascii only
class Case(Model):
    a: Annotated[str, StringConstraints(ascii_only=True)]

# --- coerce_numbers_to_str
class Case(Model):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    a: str
    b: list[str] = []

# --- use_enum_values
class Case(Model):
    model_config = ConfigDict(use_enum_values=True)
    a: Color
    b: Level = Level.LOW
    c: list[Size] = []
    d: Mood | None = None

# --- use_enum_values and validate_default
class Case(Model):
    model_config = ConfigDict(use_enum_values=True, validate_default=True)
    a: Color = Color.RED
    b: Level = Level.LOW

# --- validate_default
class Case(Model):
    model_config = ConfigDict(validate_default=True)
    a: int = "1"
    b: list[int] = ("1", 2)
    c: float = 1

# --- validate_default that fails
class Case(Model):
    a: int = Field(default="x", validate_default=True)
    b: int = 1

# --- validate_default of one field
class Case(Model):
    a: list[int] = Field(default=["1"], validate_default=True)
    b: int = "1"
    c: int = Field(default_factory=lambda: "5", validate_default=True)

# --- revalidate always
class Inner(Model):
    model_config = ConfigDict(revalidate_instances="always")
    a: int
    b: list[int] = []

class Case(Model):
    model_config = ConfigDict(revalidate_instances="always")
    inner: Inner
    many: list[Inner] = []

# --- revalidate subclasses
class Inner(Model):
    model_config = ConfigDict(revalidate_instances="subclass-instances")
    a: int = 1

class Case(Model):
    inner: Inner
    many: list[Inner] = []

# --- from_attributes
class Inner(Model):
    model_config = ConfigDict(from_attributes=True)
    a: int

class Case(Model):
    model_config = ConfigDict(from_attributes=True)
    a: int = 1
    inner: Inner | None = None
    many: list[Inner] = []

# --- hide_input_in_errors
class Case(Model):
    model_config = ConfigDict(hide_input_in_errors=True)
    a: int
    b: str = ""

# --- loc_by_alias
class Case(Model):
    model_config = ConfigDict(loc_by_alias=False)
    a: int = Field(alias="b")

# --- a title
class Case(Model):
    model_config = ConfigDict(title="Another title")
    a: int

# --- allow_inf_nan
class Case(Model):
    model_config = ConfigDict(allow_inf_nan=False)
    a: float
    b: Decimal = Decimal(1)
    c: list[float] = []
    d: float | None = None

# --- Decimals that allow NaN
class Case(Model):
    a: Annotated[Decimal, AllowInfNan(True)]
    b: Decimal = Field(default=Decimal(1), allow_inf_nan=True)

# --- ser_json_inf_nan strings
class Case(Model):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    a: float
    b: list[float] = []
    c: Any = None

# --- ser_json_inf_nan constants
class Case(Model):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    a: float
    b: dict[str, float] = {}
    c: Any = None

# --- ser_json_bytes base64
class Case(Model):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    a: bytes
    b: dict[bytes, bytes] = {}
    c: Any = None

# --- ser_json_bytes hex
class Case(Model):
    model_config = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")
    a: bytes

# --- ser_json_timedelta
class Case(Model):
    model_config = ConfigDict(ser_json_timedelta="float")
    a: timedelta
    b: list[timedelta] = []
    c: Any = None

# --- ser_json_temporal
class Case(Model):
    model_config = ConfigDict(ser_json_temporal="milliseconds", val_temporal_unit="milliseconds")
    a: Moment
    b: date | None = None
    c: timedelta | None = None
    d: time | None = None

# --- val_temporal_unit
class Case(Model):
    model_config = ConfigDict(val_temporal_unit="seconds")
    a: Moment
    b: date | None = None

# --- nested serialization settings
class Inner(Model):
    model_config = ConfigDict(ser_json_bytes="base64", ser_json_timedelta="float", ser_json_inf_nan="strings")
    a: bytes = b"raw"
    b: timedelta = timedelta(1)
    c: float = nan

class Case(Model):
    inner: Inner = Inner()
    a: bytes = b"raw"
    b: timedelta = timedelta(1)
    c: float = nan
    any: Any = None

# --- cache_strings
class Case(Model):
    model_config = ConfigDict(cache_strings="none")
    a: str
    b: dict[str, str] = {}

# --- json_encoders
class Case(Model):
    model_config = ConfigDict(json_encoders={Moment: lambda moment: moment.year, int: lambda number: number * 2})
    a: Moment
    b: int = 1

# --- arbitrary types
class Case(Model):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    a: Grumpy | None = None
    b: Duck | int = 1

# --- alias
class Case(Model):
    a: int = Field(alias="first")
    b: str = Field(default="x", alias="second")
    c: list[int] = []

# --- alias that JSON escapes
class Case(Model):
    a: int = Field(default=1, alias='"quoted"\\n')
    b: int = Field(default=2, alias="")

# --- alias, populated by name
class Case(Model):
    model_config = ConfigDict(populate_by_name=True)
    a: int = Field(alias="first")
    b: str = Field(default="x", alias="a_b")

# --- serialized by alias
class Case(Model):
    model_config = ConfigDict(serialize_by_alias=True)
    a: int = Field(alias="first")
    b: str = Field(default="x", serialization_alias="second")

# --- by name only
class Case(Model):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
    a: int = Field(alias="first")
    b: str = "x"

# --- validation alias
class Case(Model):
    a: int = Field(validation_alias="first")
    b: int = Field(default=1, validation_alias=AliasChoices("second", "other"))
    c: int = Field(default=1, validation_alias=AliasPath("third", 0))
    d: int = Field(default=1, validation_alias=AliasChoices("d", AliasPath("e", "f")))

# --- serialization alias
class Case(Model):
    a: int = Field(default=1, serialization_alias="first")
    b: list[int] = Field(default=[], serialization_alias="second")

# --- alias generator
class Case(Model):
    model_config = ConfigDict(alias_generator=lambda name: name.upper())
    a: int
    b: str = "x"

# --- alias generators
class Case(Model):
    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=lambda n: n * 2, serialization_alias=str.title)
    )
    a: int
    bc: str = "x"

# --- alias generator turned on by the base
class Base(Model):
    model_config = ConfigDict(alias_generator=lambda name: name + "_")
    a: int = 1

class Case(Base):
    b: int = 2

# --- nested alias
class Inner(Model):
    a: int = Field(alias="first")

class Case(Model):
    inner: Inner
    many: list[Inner] = []

# --- field validator after
class Case(Model):
    a: int
    b: str = "x"

    @field_validator("a")
    @classmethod
    def positive(cls, value):
        note(("a", value))
        if value < 0:
            raise ValueError("must not be negative")
        return value * 2

# --- field validator before
class Case(Model):
    a: int
    b: list[str] = []

    @field_validator("a", "b", mode="before")
    @classmethod
    def prepare(cls, value, info: ValidationInfo):
        note((info.field_name, value))
        return value.split(",") if info.field_name == "b" and isinstance(value, str) else value

# --- field validator wrap
class Case(Model):
    a: int = 0
    b: list[int] = []

    @field_validator("a", "b", mode="wrap")
    @classmethod
    def lenient(cls, value, handler):
        try:
            return handler(value)
        except ValidationError:
            return note("mended", 0)

# --- field validator plain
class Case(Model):
    a: int = 0

    @field_validator("a", mode="plain")
    @classmethod
    def anything(cls, value):
        return note(value, value)

# --- field validator of all
class Case(Model):
    a: int = 0
    b: int = 1

    @field_validator("*")
    @classmethod
    def seen(cls, value, info: ValidationInfo):
        return note((info.field_name, dict(info.data)), value)

# --- validator that asserts
class Case(Model):
    a: int
    b: int = 0

    @field_validator("b")
    @classmethod
    def more_than_a(cls, value, info: ValidationInfo):
        assert value >= info.data.get("a", 0), "b is less than a"
        return value

# --- validator with a custom error
class Case(Model):
    a: str

    @field_validator("a")
    @classmethod
    def no_spaces(cls, value):
        if " " in value:
            raise PydanticCustomError("spaces", "{number} spaces", {"number": value.count(" ")})
        return value

# --- validator that uses the default
class Case(Model):
    a: int = 5

    @field_validator("a", mode="before")
    @classmethod
    def fall_back(cls, value):
        if value is None:
            raise PydanticUseDefault
        return value

# --- validator that raises another error
class Case(Model):
    a: int = 5

    @field_validator("a")
    @classmethod
    def broken(cls, value):
        return 10 // value if value != 7 else {}["missing"]

# --- validators in Annotated
class Case(Model):
    a: Annotated[int, AfterValidator(lambda value: value + 1)]
    b: Annotated[str, BeforeValidator(str)] = "x"
    c: Annotated[int, WrapValidator(lambda value, handler: handler(value))] = 1
    d: Annotated[int, PlainValidator(lambda value: value)] = 1
    e: list[Annotated[int, AfterValidator(lambda value: -value)]] = []

# --- a validator that returns another type
class Case(Model):
    a: Annotated[int, AfterValidator(str)]
    b: Annotated[list[int], AfterValidator(tuple)] = []

# --- model validator after
class Case(Model):
    a: int = 0
    b: int = 0

    @model_validator(mode="after")
    def ordered(self):
        note((self.a, self.b))
        if self.a > self.b + 100:
            raise ValueError("a is far above b")
        return self

# --- model validator before
class Case(Model):
    a: int = 0
    b: int = 0

    @model_validator(mode="before")
    @classmethod
    def prepare(cls, data):
        note(type(data).__name__)
        if isinstance(data, dict) and "both" in data:
            return {"a": data["both"], "b": data["both"]}
        return data

# --- model validator wrap
class Case(Model):
    a: int = 0

    @model_validator(mode="wrap")
    @classmethod
    def around(cls, data, handler):
        note("before")
        made = handler(data)
        note("after")
        return made

# --- model validator that replaces
class Case(Model):
    a: int = 0

    @model_validator(mode="after")
    def replaced(self):
        return self if self.a < 5 else type(self).model_construct(a=-1)

# --- nested validators
class Inner(Model):
    a: int

    @field_validator("a")
    @classmethod
    def positive(cls, value):
        if value < 0:
            raise ValueError("must not be negative")
        return note(value, value)

class Case(Model):
    inner: Inner
    many: list[Inner] = []
    b: int = 0

# --- inherited validators
class Base(Model):
    a: int = 1

    @field_validator("a", check_fields=False)
    @classmethod
    def doubled(cls, value):
        return value * 2

class Case(Base):
    b: int = 1

# --- computed field
class Case(Model):
    width: float = 1.0
    height: float = 2.0

    @computed_field
    @property
    def area(self) -> float:
        return note("area", self.width * self.height)

# --- computed field, cached, with an alias
class Case(Model):
    a: int = 1

    @computed_field(alias="Double")
    @functools.cached_property
    def double(self) -> int:
        return note("double", self.a * 2)

# --- nested computed field
class Inner(Model):
    a: int = 1

    @computed_field
    def double(self) -> int:
        return self.a * 2

class Case(Model):
    inner: Inner = Inner()
    many: list[Inner] = []

# --- field serializer
class Case(Model):
    a: int = 1
    b: list[int] = []

    @field_serializer("a")
    def shown(self, value):
        return note("shown", f"<{value}>")

# --- field serializer for JSON
class Case(Model):
    a: Moment
    b: int = 1

    @field_serializer("a", when_used="json")
    def shown(self, value, info):
        return f"{value.year} {info.mode}"

# --- serializers in Annotated
class Case(Model):
    a: Annotated[int, PlainSerializer(lambda value: str(value), return_type=str)] = 1
    b: Annotated[float, WrapSerializer(lambda value, handler: [handler(value)])] = 1.0
    c: list[Annotated[int, PlainSerializer(lambda value: -value)]] = []
    d: Annotated[int, PlainSerializer(lambda value: value * 2, when_used="json-unless-none")] | None = None

# --- model serializer
class Case(Model):
    a: int = 1

    @model_serializer
    def shown(self):
        return {"whole": self.a}

# --- model serializer around
class Case(Model):
    a: int = 1
    b: str = "x"

    @model_serializer(mode="wrap")
    def shown(self, handler, info):
        return {**handler(self), "mode": info.mode}

# --- nested serializer
class Inner(Model):
    a: int = 1

    @model_serializer
    def shown(self):
        return f"inner {self.a}"

class Case(Model):
    inner: Inner = Inner()
    many: list[Inner] = []

# --- excluded field
class Case(Model):
    a: int = 1
    b: str = Field(default="secret", exclude=True)
    c: list[int] = Field(default=[], repr=False)

# --- nested excluded field
class Inner(Model):
    a: int = 1
    b: str = Field(default="secret", exclude=True)

class Case(Model):
    inner: Inner = Inner()
    hidden: Inner = Field(default=Inner(), exclude=True)

# --- exclude_if
class Case(Model):
    a: int = Field(default=1, exclude_if=lambda value: value == 0)
    b: int = 2

# --- private attributes
class Case(Model):
    a: int = 1
    _secret: int = PrivateAttr(default=5)
    _list: list[int] = PrivateAttr(default_factory=new_list)
    _unset: str

# --- model_post_init
class Case(Model):
    a: int = 1
    b: int = 0

    def model_post_init(self, context):
        note(("post init", context))
        self.b = self.a * 2

# --- private attributes and model_post_init
class Case(Model):
    a: int = 1
    _seen: int = 0

    def model_post_init(self, context):
        self._seen = self.a + 1

# --- nested private attributes
class Inner(Model):
    a: int = 1
    _secret: list[int] = [1]

class Case(Model):
    inner: Inner
    many: list[Inner] = []

# --- nested model_post_init
class Inner(Model):
    a: int = 1

    def model_post_init(self, context):
        note(self.a)

class Case(Model):
    inner: Inner
    many: list[Inner] = []

# --- custom __init__
class Case(Model):
    a: int
    b: str = "x"

    def __init__(self, a=0, /, **values):
        note("init")
        super().__init__(a=a, **values)

# --- custom __init__ that changes the data
class Case(Model):
    a: int
    b: str = "x"

    def __init__(self, **values):
        values.setdefault("a", 7)
        super().__init__(**values)
        note(self.a)

# --- nested custom __init__
class Inner(Model):
    a: int

    def __init__(self, a):
        super().__init__(a=a * 2)

class Case(Model):
    inner: Inner
    many: list[Inner] = []

# --- custom __new__
class Case(Model):
    a: int = 1

    def __new__(cls, *arguments, **values):
        note("new")
        return super().__new__(cls)

# --- custom __setattr__
class Case(Model):
    a: int = 1

    def __setattr__(self, name, value):
        note(("set", name))
        super().__setattr__(name, value)

# --- custom __getattr__
class Case(Model):
    a: int = 1

    def __getattr__(self, name):
        if name == "ghost":
            return note("ghost", "boo")
        return super().__getattr__(name)

# --- custom __getattribute__
class Case(Model):
    a: int = 1

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        return value + 1 if name == "a" else value

# --- custom __delattr__
class Case(Model):
    a: int = 1

    def __delattr__(self, name):
        note(("delete", name))
        super().__delattr__(name)

# --- custom __eq__ and __hash__
class Case(Model):
    a: int = 1

    def __eq__(self, other):
        return note("eq", isinstance(other, type(self)) and self.a % 2 == other.a % 2)

    def __hash__(self):
        return 5

# --- custom __repr__ and __iter__
class Case(Model):
    a: int = 1

    def __repr_args__(self):
        yield "shown", self.a

    def __iter__(self):
        yield "only", 1

# --- custom model_dump
class Case(Model):
    a: int = 1

    def model_dump(self, **options):
        return {"custom": super().model_dump(**options)}

# --- custom model_validate
class Case(Model):
    a: int = 1

    @classmethod
    def model_validate(cls, data, **options):
        note("validate")
        return super().model_validate(data, **options)

# --- __init_subclass__ with arguments
class Base(Model):
    seen: ClassVar[list] = []

    def __init_subclass__(cls, flavour="plain", **options):
        super().__init_subclass__(**options)
        cls.seen.append(flavour)

class Case(Base, flavour="sweet"):
    a: int = 1

# --- slots
class Case(Model):
    __slots__ = ("extra_slot",)
    a: int = 1

# --- discriminated union
class Cat(Model):
    kind: Literal["cat"]
    claws: int = 4

class Dog(Model):
    kind: Literal["dog", "wolf"] = "dog"
    bark: str = "woof"

class Case(Model):
    pet: Cat | Dog = Field(discriminator="kind")
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []

# --- callable discriminator
class Small(Model):
    size: int

class Large(Model):
    size: int
    weight: float = 1.0

def tag_of(value):
    size = value.get("size") if isinstance(value, dict) else getattr(value, "size", 0)
    return "large" if isinstance(size, int) and size > 10 else "small"

class Case(Model):
    thing: Annotated[Annotated[Small, Tag("small")] | Annotated[Large, Tag("large")], Discriminator(tag_of)]

# --- serialized as any
class Inner(Model):
    a: int = 1

class Sub(Inner):
    b: int = 2

class Case(Model):
    inner: SerializeAsAny[Inner] = Sub()
    plain: Inner = Sub()
    many: list[Inner] = [Sub()]

# --- a root model within
class Numbers(RootModel[list[int]]):
    pass

class Case(Model):
    numbers: Numbers
    named: dict[str, Numbers] = {}

# --- a root model over ours
class Inner(Model):
    a: int
    b: str = "x"

class Inners(RootModel[list[Inner]]):
    pass

class Case(Model):
    inners: Inners
    whole: RootModel[Inner] | None = None

# --- dataclasses
class Case(Model):
    place: Place
    parcel: Parcel | None = None
    many: list[Parcel] = []

# --- a dataclass that holds ours
class Inner(Model):
    a: int
    b: list[int] = []

@pydantic_dataclass
class Holder:
    inner: Inner
    many: list[Inner] = dataclasses.field(default_factory=list)

class Case(Model):
    holder: Holder

# --- typed dicts and named tuples
class Case(Model):
    card: Card
    point: Point = Point(1, 2)
    cards: list[Card] = []

# --- a typed dict that holds ours
class Inner(Model):
    a: int

class Held(TypedDict):
    inner: Inner

class Case(Model):
    held: Held
    many: list[Held] = []

# --- further types
class Case(Model):
    a: pathlib.Path = pathlib.PurePosixPath("x")
    b: ipaddress.IPv4Address | None = None
    c: re.Pattern | None = None
    d: Fraction | None = None
    e: complex = 1j
    f: SecretStr = SecretStr("x")
    g: AnyUrl | None = None
    h: ByteSize = 5
    i: Json[list[int]] | None = None

# --- further containers
class Case(Model):
    a: deque[int] = deque()
    b: collections.abc.Sequence[int] = ()
    c: collections.abc.Mapping[str, int] = {}
    d: defaultdict[str, list[int]] = {}
    e: OrderedDict[str, int] = {}
    f: Counter[str] = Counter()
    g: collections.abc.Iterable[int] = ()
    h: type[int] = int
    i: typing.Callable[[], int] = int

# --- further moments
class Case(Model):
    a: AwareDatetime | None = None
    b: NaiveDatetime | None = None
    c: FutureDate | None = None

# --- InstanceOf and SkipValidation
class Case(Model):
    a: InstanceOf[Text] | None = None
    b: SkipValidation[int] = 1
    c: Annotated[int, SkipValidation] = 2
    d: SkipJsonSchema[int] = 3

# --- a handmade type
class Case(Model):
    a: Handmade
    b: list[Handmade] = []

# --- fail fast
class Case(Model):
    a: Annotated[list[int], pydantic.FailFast()]
    b: list[int] = []

# --- a field with a deprecation
class Case(Model):
    a: int = Field(default=1, deprecated="use b")
    b: int = 2

# --- fields that shadow
class Base(Model):
    a: int = 1

class Case(Base):
    copy: int = 1
    json: str = ""
    schema: int = 2

# --- protected names
class Case(Model):
    model_kind: str = "x"
    model_dump_mode: str = "y"

# --- no init, no repr
class Case(Model):
    a: int = Field(default=1, init=False)
    b: int = Field(default=2, kw_only=True, repr=False)

# --- description and examples
class Case(Model):
    """A documented class."""

    a: int = Field(default=1, title="A", description="the first", examples=[1], json_schema_extra={"x": 1})
    b: str = Field(default="x", max_digits=None)

# --- attribute docstrings
class Case(Model):
    model_config = ConfigDict(use_attribute_docstrings=True)
    a: int = 1
    """The first."""

# --- deferred build
class Case(Model):
    model_config = ConfigDict(defer_build=True)
    a: int
    b: list[int] = []

# --- a forward reference, resolved later
class Case(Model):
    a: "Later"
    b: list["Later"] = []

class Later(Model):
    x: int = 1

Case.model_rebuild()

# --- a forward reference, resolved on use
class Case(Model):
    a: Optional["Later"] = None

class Later(Model):
    x: int = 1

# --- never resolved
class Case(Model):
    a: int = 1
    b: "Nowhere" = None

# --- rebuilt by hand
class Case(Model):
    a: int = 1
    b: int = 2

Case.model_fields["a"].default = 5
Case.model_fields["b"].annotation = str
Case.model_rebuild(force=True)

# --- made by create_model
Case = create_model("Case", __base__=Model, a=(int, ...), b=(list[str], Field(default_factory=list)))

# --- __init__ replaced afterwards
class Case(Model):
    a: int = 1

def replaced(self, **values):
    note("replaced")
    self.__pydantic_validator__.validate_python({"a": 9}, self_instance=self)

Case.__init__ = replaced

# --- __setattr__ replaced afterwards
class Case(Model):
    a: int = 1

def replaced(self, name, value):
    note(name)
    object.__setattr__(self, name, value)

Case.__setattr__ = replaced

# --- attributes set on the class
class Case(Model):
    a: int = 1
    b: str = "x"

Case.c = 5
Case.shout = lambda self: note(self.b)

# --- Any holds ours
class Inner(Model):
    a: int = 1

class Case(Model):
    a: Any = None
    b: list[Any] = [Inner(), {"x": Inner()}]
    c: Any = Inner(a=2)
    d: object = None

# --- plain around ours
class Inner(Model):
    a: int
    b: list[str] = []
    c: float = Field(default=0.0, ge=0)

class Case(Plain):
    inner: Inner
    many: list[Inner] = []
    named: dict[str, Inner] = {}

# --- a root model
class Case(RootModel[list[int]]):
    pass

# --- strict around lax
class Inner(Model):
    a: int
    b: float = 0.0

class Case(Model):
    model_config = ConfigDict(strict=True)
    inner: Inner
    many: list[Inner] = []

# --- strict field of a model
class Inner(Model):
    a: int

class Case(Model):
    inner: Inner = Field(strict=True)
    loose: Inner | None = None

# --- a frozen model within
class Inner(Model):
    model_config = ConfigDict(frozen=True)
    a: int = 1

class Case(Model):
    inner: Inner = Inner()
    keys: dict[Inner, int] = {}
'''


def cases_in(text: str) -> tuple[Case, ...]:
    """The cases of a text: each begins with a comment line ``# --- name``."""
    _, *parts = re.split(r"(?m)^# --- (.*)$", text)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return tuple(Case(name.strip(), source.strip() + "\n") for name, source in pairs)


WRITTEN = cases_in(FAST) + cases_in(SLOW)
