"""One example of every kind of operation, for all that counts or stresses memory.

`OPERATIONS` has, by name, functions without arguments that leave nothing behind.
"""

import copy
import datetime
import decimal
import enum
import functools
import pickle
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    TypeAdapter,
    ValidationError,
    computed_field,
    field_validator,
    model_validator,
)

import nitro
from nitro import Entity, EntityNotFound, MemoryRepo, Model, StaleEntityError, UniqueViolation, ValueObject

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Money(ValueObject):
    amount: int
    currency: str = "NOK"


class Line(Model):
    product: str
    quantity: int = 1
    tags: list[str] = []


class Plain(Model):
    """Atomic fields only, not validated on assignment."""

    name: str
    size: int = 0
    weight: float = 0.5


class Checked(Plain):
    model_config = ConfigDict(validate_assignment=True)


class Order(Entity, backend=MemoryRepo()):
    """Every kind of field."""

    name: str
    total: float = 0.0
    count: int = Field(default=0, ge=0)
    when: datetime.datetime | None = None
    day: datetime.date = datetime.date(2024, 1, 2)
    price: decimal.Decimal = decimal.Decimal("1.5")
    number: uuid.UUID = uuid.UUID(int=1)
    colour: Colour = Colour.RED
    either: int | str = 0
    tags: list[str] = []
    labels: set[str] = set()
    table: dict[str, list[int]] = {}
    pair: tuple[int, list[int]] = (0, [])
    lines: list[Line] = []
    money: Money = Money(amount=1)
    made: list[int] = Field(default_factory=lambda: [1])
    anything: Any = None


class Wide(Entity, backend=MemoryRepo()):
    __annotations__ = {f"f{number}": "list[int]" if number % 10 == 0 else "int" for number in range(90)}


class Slow(Entity, backend=MemoryRepo()):
    name: str = Field(default="a", validation_alias=AliasChoices("name", "called"))
    total: float = 0.0
    tags: list[str] = []
    _seen: list[int] = PrivateAttr(default_factory=list)

    @field_validator("tags")
    @classmethod
    def same(cls, value: Any) -> Any:
        return value

    @model_validator(mode="after")
    def after(self) -> Any:
        return self

    @computed_field
    @property
    def double(self) -> float:
        return self.total * 2

    def model_post_init(self, context: Any) -> None:
        self._seen.append(1)


class OwnInit(Entity, backend=MemoryRepo()):
    name: str = "a"
    tags: list[str] = []

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self.tags.append("made")


class Refusing(Entity):
    tags: list[str] = Field(default_factory=lambda: [][0])


class Span(Entity):
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def in_order(self) -> Any:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Open(Model):
    model_config = ConfigDict(extra="allow")
    x: int = 0


class Box(Model, Generic[T]):
    content: T


class Node(Model):
    value: int
    next: "Node | None" = None


class Holder(BaseModel):
    order: Order
    lines: list[Line] = []


IntBox = Box[int]
OrderList = RootModel[list[Order]]
ORDERS: TypeAdapter[list[Order]] = TypeAdapter(list[Order])

GOOD: dict[str, Any] = {
    "id": "1",
    "name": "tea",
    "total": 1.5,
    "count": 3,
    "when": datetime.datetime(2024, 1, 2, 3, 4, 5),
    "either": "x",
    "tags": ["a", "b"],
    "labels": {"l"},
    "table": {"a": [1, 2]},
    "pair": (1, [2]),
    "lines": [{"product": "p", "quantity": 2, "tags": ["t"]}],
    "money": {"amount": 5},
    "anything": [1, {"a": None}],
}
COERCED = {**GOOD, "total": "1.5", "when": "2024-01-02T03:04:05"}
BAD = {**GOOD, "count": -1, "tags": ["a", 5], "lines": [{"product": 5}]}
LATE_BAD = {**GOOD, "money": {"amount": "no"}}

GOOD_JSON = Order(**GOOD).model_dump_json()
BAD_JSON = GOOD_JSON.replace('"count":3', '"count":"x"')
BROKEN_JSON = GOOD_JSON[:-20]
ESCAPED_JSON = '{"name": "\\u00e6\\n\\ud83d\\ude00", "tags": ["\\"", "æ"], "unknown": {"a": [1, 2.5e3, null, true]}}'
MANY_JSON = "[" + ",".join([GOOD_JSON] * 5) + "]"
MANY_BAD_JSON = "[" + ",".join([GOOD_JSON] * 3 + [BAD_JSON]) + "]"

WIDE = {f"f{number}": [number] if number % 10 == 0 else number for number in range(90)}
SPECIAL = Order.model_construct(**{**Order(**GOOD).__dict__, "count": "odd"})


def refused(
    error: type[Exception] | tuple[type[Exception], ...], action: Callable[..., Any], *arguments: Any, **keywords: Any
) -> None:
    try:
        action(*arguments, **keywords)
    except error:
        return
    raise AssertionError("it was not refused")


order = Order(**GOOD)
seen = Order(**GOOD)
vars(seen)
wide = Wide(**WIDE)
slow = Slow(name="a")
plain = Plain(name="a")
checked = Checked(name="a")
money = Money(amount=1)
bare = Order(name="a")
stored = Order(name="stored").save()
many = [Order(**GOOD) for _ in range(5)]
pickled = pickle.dumps(order)
tree = Node(value=1, next=Node(value=2, next=Node(value=3)))

OPERATIONS: dict[str, Callable[[], Any]] = {}


def operation(name: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(function: Callable[[], Any]) -> Callable[[], Any]:
        OPERATIONS[name] = function
        return function

    return register


# --- making -------------------------------------------------------------------------------------------------------

operation("construct, atomic fields")(lambda: Plain(name="a", size=1))
operation("construct, defaults")(lambda: Order(name="a"))
operation("construct, everything")(lambda: Order(**GOOD))
operation("construct, coerced")(lambda: Order(**COERCED))
operation("construct, many fields")(lambda: Wide(**WIDE))
operation("construct, slow")(lambda: Slow(name="a", tags=["x"]))
operation("construct, own init")(lambda: OwnInit(name="a"))
operation("construct, extra allowed")(lambda: Open(x=1, other=[1]))
operation("construct, unknown keyword")(lambda: Plain(name="a", other=[1]))
operation("construct, value object")(lambda: Money(amount=1))
operation("construct, generic")(lambda: (IntBox(content=1), IntBox(content="1"), Box(content=[1])))
operation("construct, recursive")(lambda: Node(value=1, next={"value": 2, "next": {"value": 3}}))
operation("construct, in a BaseModel")(lambda: Holder(order=GOOD, lines=[{"product": "a"}]))
operation("construct, refused")(lambda: refused(ValidationError, Order, **BAD))
operation("construct, refused late")(lambda: refused(ValidationError, Order, **LATE_BAD))
operation("construct, refused for many fields")(lambda: refused(ValidationError, Wide, **{**WIDE, "f89": "x"}))
operation("construct, refused, slow")(lambda: refused(ValidationError, Slow, tags=[5]))
operation("construct, refused, missing")(lambda: refused(ValidationError, Order))
operation("construct, refused, positional")(lambda: refused(TypeError, Plain, 1))
operation("construct, failing factory")(lambda: refused(IndexError, Refusing))
operation("model_construct")(
    lambda: (Order.model_construct(name="a"), Plain.model_construct(), Wide.model_construct(f1=1))
)
operation("new without values")(lambda: (Order.__new__(Order), Plain.__new__(Plain)))
operation("validate")(lambda: Order.model_validate(GOOD))
operation("validate, coerced")(lambda: Order.model_validate(COERCED))
operation("validate, options")(lambda: Order.model_validate(COERCED, strict=False, context={"a": 1}))
operation("validate, slow")(lambda: Slow.model_validate({"called": "b"}))
operation("validate, refused")(lambda: refused(ValidationError, Order.model_validate, BAD))
operation("validate, refused late")(lambda: refused(ValidationError, Order.model_validate, LATE_BAD))
operation("validate, odd keys")(lambda: Plain.model_validate({"name": "a", 1: 2, None: 3}))
operation("validate json")(lambda: Order.model_validate_json(GOOD_JSON))
operation("validate json, escapes")(lambda: Order.model_validate_json(ESCAPED_JSON))
operation("validate json, bytes")(lambda: Order.model_validate_json(ESCAPED_JSON.encode()))
operation("validate json, slow")(lambda: Slow.model_validate_json('{"called": "b", "tags": ["x"]}'))
operation("validate json, refused")(lambda: refused(ValidationError, Order.model_validate_json, BAD_JSON))
operation("validate json, broken")(lambda: refused(ValidationError, Order.model_validate_json, BROKEN_JSON))
operation("decode")(lambda: nitro.decode(Order, GOOD_JSON))
operation("decode a list")(lambda: nitro.decode(list[Order], MANY_JSON))
operation("decode a list, refused")(lambda: refused(ValidationError, nitro.decode, list[Order], MANY_BAD_JSON))
operation("decode a list, broken")(lambda: refused(ValidationError, nitro.decode, list[Order], MANY_JSON[:-30]))
operation("type adapter")(lambda: ORDERS.dump_json(ORDERS.validate_python([GOOD, COERCED])))
operation("root model")(lambda: OrderList.model_validate_json(MANY_JSON))
operation("new id")(lambda: [Plain.model_validate({"name": "a"}), Wide.model_construct().id])


# --- reading ------------------------------------------------------------------------------------------------------

operation("dump")(lambda: order.model_dump())
operation("dump after a look")(lambda: seen.model_dump())
operation("dump, json mode")(lambda: order.model_dump(mode="json"))
operation("dump, options")(lambda: order.model_dump(exclude={"tags": ..., "lines": {0: {"tags"}}}, exclude_unset=True))
operation("dump, many fields")(lambda: wide.model_dump())
operation("dump, slow")(lambda: slow.model_dump())
operation("dump, odd values")(lambda: SPECIAL.model_dump(warnings=False))
operation("dump json")(lambda: order.model_dump_json())
operation("dump json, options")(lambda: order.model_dump_json(indent=2, exclude_none=True))
operation("dump json, many fields")(lambda: wide.model_dump_json())
operation("dump json, slow")(lambda: slow.model_dump_json())
operation("encode")(lambda: nitro.encode(order))
operation("encode a list")(lambda: nitro.encode(many))
operation("encode, slow")(lambda: nitro.encode([slow, order]))
operation("encode, odd values")(lambda: refused(Exception, nitro.encode, Order.model_construct(name=object())))
operation("read attributes")(lambda: (order.name, order.lines[0].product, order.money.amount, order.id))
operation("read an attribute that is not there")(lambda: refused(AttributeError, lambda: order.nothing))
operation("read a field on the class")(lambda: (Order.total, refused(AttributeError, lambda: Plain.total)))
operation("read the names of given fields")(lambda: (Order(name="a").model_fields_set, Wide(**WIDE).model_fields_set))
operation("read the dictionary")(lambda: (vars(Order(name="a")), vars(Plain(name="a")), vars(Wide(**WIDE))))
operation("repr and str")(lambda: (repr(order), str(money)))
operation("compare")(lambda: (order == seen, order != bare, money == Money(amount=1), plain == Plain(name="a")))
operation("hash")(lambda: hash(Money(amount=2)))
operation("iterate")(lambda: dict(Order(name="a")))


# --- assigning ----------------------------------------------------------------------------------------------------


@operation("assign")
def assign() -> None:
    order.name, order.total, order.tags = "b", 2.5, ["c"]
    order.name, order.total, order.tags = "a", 1.5, ["a", "b"]


@operation("assign, fresh")
def assign_fresh() -> None:
    made = Order(name="a")
    made.name, made.count, made.tags, made.anything = "b", 5, ["x"], made.tags


@operation("assign, coerced")
def assign_coerced() -> None:
    order.total = "2.5"
    order.lines = [{"product": "p"}]


@operation("assign, many fields")
def assign_many() -> None:
    wide.f89, wide.f70, wide.f0 = 5, [1], [2]
    made = Wide(**WIDE)
    made.f88, made.f80 = 1, [3]


@operation("assign, slow")
def assign_slow() -> None:
    slow.name, slow.tags = "b", ["x"]
    slow._seen = [1]


@operation("assign, not validated")
def assign_plain() -> None:
    plain.size = 5
    plain.name = "b"
    made = Plain(name="a")
    made.size = 3


@operation("assign, validated model")
def assign_checked() -> None:
    checked.size = 5
    checked.size = "6"


operation("assign, refused")(lambda: refused(ValidationError, setattr, order, "count", -5))
operation("assign, refused container")(lambda: refused(ValidationError, setattr, order, "lines", [{"product": 5}]))
operation("assign, refused, slow")(lambda: refused(ValidationError, setattr, slow, "tags", [5]))
operation("assign, refused, model validator")(lambda: refused(ValidationError, setattr, Span(), "low", 50))
operation("assign, refused, frozen")(lambda: refused(ValidationError, setattr, money, "amount", 5))
operation("assign, unknown")(lambda: refused(ValueError, setattr, plain, "nothing", 5))


@operation("delete and assign again")
def delete_and_assign() -> None:
    made = Order(name="a", tags=["x"])
    del made.total, made.tags
    made.total, made.tags = 5.0, ["y"]
    del made.name
    other = Plain(name="a")
    del other.size
    other.size = 1


@operation("write into the dictionary")
def write_dictionary() -> None:
    made = Order(name="a")
    made.__dict__["total"] = 5.0
    made.__dict__ = {"name": "b", "id": "1"}


# --- changes ------------------------------------------------------------------------------------------------------


@operation("changes")
def changes() -> None:
    made = Order(**GOOD)
    made.total = 9.0
    made.tags.append("x")
    made.table["a"].append(3)
    made.lines[0].quantity = 9
    made.pair[1].append(1)
    assert made.is_changed
    assert len(made.changes) == len(made.changed_fields) == 5
    made.original("tags").append("lost")
    made.original("lines")


operation("changes, none")(lambda: (order.changes, seen.is_changed, wide.changes, slow.changed_fields))
operation("changes, unknown field")(lambda: refused(AttributeError, order.original, "nothing"))
operation("changes of no entity")(lambda: refused(TypeError, nitro.changes.of, plain))


@operation("revert")
def revert() -> None:
    made = Order(**GOOD)
    made.total = 9.0
    made.tags.append("x")
    made.table["a"].append(3)
    made.lines[0].quantity = 9
    made.labels.clear()
    del made.name
    made.revert_changes()
    assert not made.is_changed


@operation("revert, many fields")
def revert_many() -> None:
    wide.f0.append(1)
    wide.f89 = 1
    wide.revert_changes()


# --- the store ----------------------------------------------------------------------------------------------------


@operation("save and delete")
def save_and_delete() -> None:
    made = Order(**{**GOOD, "id": "new"}).save()
    made.tags.append("x")
    made.total = 3.0
    made.save()
    assert made.previous_changes.keys() == {"tags", "total"}
    made.delete()


@operation("save again and again")
def save_again() -> None:
    stored.total += 1.0
    stored.tags.append("x")
    stored.save()
    stored.tags.clear()
    stored.save()


@operation("save, other classes")
def save_others() -> None:
    for made in (Wide(**WIDE), Slow(name="b"), OwnInit()):
        made.save()
        made.delete()


@operation("save, refused")
def save_refused() -> None:
    made = Order(name="a")
    made.tags.append(5)
    refused(ValidationError, made.save)
    refused(UniqueViolation, Order(id=stored.id, name="stranger").save)
    stale = copy.deepcopy(stored)
    stored.save()
    refused(StaleEntityError, stale.save)


operation("get")(lambda: (Order.get(stored.id), Order.get_or_none("x"), Order.get_many([stored.id, "y"])))
operation("get, refused")(lambda: refused(EntityNotFound, Order.get, "nothing"))
operation("all and where")(lambda: (Order.all(), Order.where(name="stored").all(), Order.where(total=1).count()))
operation("where, refused")(lambda: refused(nitro.UnknownFieldError, lambda: Order.where(nam="a")))
operation("refresh")(lambda: (stored.refresh(), copy.deepcopy(stored).refresh()))
operation("create and delete")(lambda: Order.create(name="a").delete())


@operation("async verbs")
def async_verbs() -> None:
    async def session() -> None:
        made = await Order.acreate(name="a")
        await Order.aget(made.id)
        await made.adelete()

    coroutine = session()
    refused(StopIteration, coroutine.send, None)


# --- copies -------------------------------------------------------------------------------------------------------

operation("copy")(lambda: (copy.copy(order), copy.copy(plain), copy.copy(wide), copy.copy(slow)))
operation("deepcopy")(lambda: (copy.deepcopy(order), copy.deepcopy(plain), copy.deepcopy(slow)))
operation("model_copy")(
    lambda: (order.model_copy(), order.model_copy(update={"name": "b", "tags": []}), plain.model_copy(deep=True))
)
for _protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    operation(f"pickle {_protocol}")(
        functools.partial(lambda protocol: pickle.loads(pickle.dumps([order, plain, slow], protocol)), _protocol)
    )
operation("pickle, many fields")(lambda: pickle.loads(pickle.dumps(wide)))
operation("unpickle")(lambda: pickle.loads(pickled))


@operation("copy of a changed entity")
def copy_changed() -> None:
    made = Order(**GOOD)
    made.tags.append("x")
    made.name = "b"
    copy.deepcopy(made).revert_changes()
    pickle.loads(pickle.dumps(made)).revert_changes()


# --- cycles -------------------------------------------------------------------------------------------------------


@operation("a cycle of entities")
def cycle() -> None:
    one, other = Order(name="a"), Order(name="b")
    one.anything, other.anything = other, [one]
    one.anything.anything.append(one)
    assert one.is_changed


@operation("an entity in itself")
def in_itself() -> None:
    made = Order(name="a")
    made.anything = [made]
    made.made.append(1)


# What takes too long for a million rounds.
OCCASIONAL: dict[str, Callable[[], Any]] = {}


def occasional(function: Callable[[], Any]) -> Callable[[], Any]:
    OCCASIONAL[function.__name__.replace("_", " ")] = function
    return function


@occasional
def define_a_class() -> None:
    class Fresh(Entity, backend=MemoryRepo()):
        name: str = "a"
        tags: list[str] = []
        lines: list[Line] = []

    made = Fresh(name="b", lines=[{"product": "p"}]).save()
    made.tags.append("x")
    assert made.changes
    nitro.encode(made)
    Fresh.model_validate_json(made.model_dump_json())
    made.delete()


@occasional
def define_a_model() -> None:
    class Fresh(Model):
        x: int
        child: "Fresh | None" = None

    Fresh(x=1, child=Fresh(x=2)).model_dump_json()
    refused(ValidationError, Fresh, x="a")


@occasional
def rebuild_a_class() -> None:
    Span.model_rebuild(force=True)
    Span(low=1).model_dump_json()


@occasional
def explain_a_class() -> None:
    str(nitro.explain(Order))


@occasional
def refuse_a_class() -> None:
    refused(
        nitro.ConfigurationError,
        lambda: type(Entity)("Odd", (Entity,), {"__annotations__": {"get": int}, "__module__": __name__}),
    )
