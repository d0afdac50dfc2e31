"""The rows of the table: one operation each, as every peer spells it, and the goals."""

from dataclasses import dataclass

from .shapes import (
    ATTRS,
    DATACLASS,
    ENTITY,
    MODEL,
    MSGSPEC,
    PYDANTIC,
    PYDANTIC_ASSIGNMENT,
)

FAST = "fast"
SLOW = "slow"


@dataclass(frozen=True)
class Goal:
    """How long Nitro may take: at most `limit` times as long as `peer`.

    `times_faster` only says that the goal reads better as a speed-up. peer None: an absolute
    limit, in the row's own unit.
    """

    peer: str | None
    limit: float
    times_faster: float | None = None

    def __str__(self) -> str:
        if self.peer is None:
            return f"≤ {self.limit:g}"
        if self.times_faster is not None:
            return f"≥ {self.times_faster:g}x {self.peer}"
        if self.limit == 1:
            return f"faster than {self.peer}"
        return f"≤ {self.limit:g}x time of {self.peer}"

    def reached(self, measured: float) -> bool:
        """measured: Nitro's figure divided by the peer's, or Nitro's own where peer is None."""
        if self.peer is not None and self.limit == 1:
            return measured < 1
        return measured <= self.limit


@dataclass(frozen=True)
class Row:
    """One operation.

    statements: for each peer, the code that is measured. lane: "fast" where Nitro answers in
    Rust, "slow" where pydantic answers, "" where neither is at stake. operations: how many
    operations one statement performs. kind: "time", or "bytes" held by one result.
    """

    title: str
    statements: dict[str, str]
    goals: tuple[Goal, ...] = ()
    lane: str = ""
    operations: int = 1
    kind: str = "time"


def faster(times: float, peer: str = PYDANTIC) -> Goal:
    return Goal(peer, 1 / times, times_faster=times)


def within(limit: float, peer: str = MSGSPEC) -> Goal:
    return Goal(peer, limit)


def same(statement: str, *peers: str) -> dict[str, str]:
    return dict.fromkeys(peers, statement)


NITRO = (MODEL, ENTITY)
PYDANTIC_LIKE = (*NITRO, PYDANTIC)
EVERYONE = (*NITRO, PYDANTIC, PYDANTIC_ASSIGNMENT, MSGSPEC, ATTRS, DATACLASS)

_FIVE_KEYWORDS = 'name="A-1001", customer="Ada Lovelace", total=129.5, status="paid", quantity=3'
_CONSTRUCT = f"Order({_FIVE_KEYWORDS})"
_NESTED = (
    'OrderWithLines(name="A-1001", customer="Ada Lovelace", lines=['
    'Line(product="kettle", price=39.5, quantity=1), '
    'Line(product="cup", price=7.25, quantity=6), '
    'Line(product="tray", price=46.5, quantity=1)])'
)
_NESTED_FROM_DICTS = 'OrderWithLines(name="A-1001", customer="Ada Lovelace", lines=line_values)'
# Both values differ from the one that the order began with, and from each other.
_ASSIGN = "assigned.total = 130.5\nassigned.total = 131.5"
_ASSIGN_COERCIBLE = 'assigned.total = "130.5"\nassigned.total = "131.5"'
_ASSIGN_CHECKED = 'checked_assigned.customer = "Grace"\nchecked_assigned.customer = "Alan"'
_READ = "\n".join(["order.status"] * 10)
_READ_TOUCHED = "\n".join(["touched.status"] * 10)
_CLASS = """class New(Base):
    name: str
    customer: str
    total: float = 0.0
    status: str = "draft"
    quantity: int = 1"""

_AS_PYDANTIC = (within(1.05, PYDANTIC),)
_AS_PYDANTIC_ASSIGNMENT = (within(1.05, PYDANTIC_ASSIGNMENT),)

ROWS = (
    Row(
        "construct, literal keywords",
        same(_CONSTRUCT, *EVERYONE),
        (faster(8), within(1.6)),
        FAST,
    ),
    Row(
        "construct, `**keywords`",
        same("Order(**values)", *EVERYONE),
        (faster(4.5), within(1.4)),
        FAST,
    ),
    Row(
        "construct, three defaults",
        same('Order(name="A-1001", customer="Ada Lovelace")', *EVERYONE),
        lane=FAST,
    ),
    Row(
        "construct, with an id made for it",
        same(f"Ticket({_FIVE_KEYWORDS})", ENTITY, PYDANTIC, MSGSPEC),
    ),
    Row(
        "model_validate(dict)",
        same("Order.model_validate(values)", *PYDANTIC_LIKE) | {MSGSPEC: "msgspec.convert(values, Order)"},
        (faster(7), within(1)),
        FAST,
    ),
    Row(
        "assign, validated and tracked",
        same(_ASSIGN, *EVERYONE),
        (faster(10, PYDANTIC_ASSIGNMENT), within(2)),
        FAST,
        operations=2,
    ),
    Row(
        "construct, then change one field",
        same(
            f"changed = Assigned({_FIVE_KEYWORDS})\nchanged.total = 130.5",
            *NITRO,
            PYDANTIC_ASSIGNMENT,
            MSGSPEC,
            ATTRS,
            DATACLASS,
        ),
        lane=FAST,
    ),
    Row(
        "model_dump()",
        same("order.model_dump()", *PYDANTIC_LIKE)
        | {MSGSPEC: "msgspec.to_builtins(order)"}
        | same("asdict(order)", ATTRS, DATACLASS),
        (faster(7), within(1)),
        FAST,
    ),
    Row(
        "model_dump_json()",
        same("order.model_dump_json()", *PYDANTIC_LIKE) | {MSGSPEC: "msgspec.json.encode(order)"},
        (faster(9), within(1.2)),
        FAST,
    ),
    Row(
        "encode one to bytes",
        same("encode(order)", *NITRO)
        | {PYDANTIC: "order.model_dump_json().encode()", MSGSPEC: "encoder.encode(order)"},
        lane=FAST,
    ),
    Row(
        "model_validate_json(bytes)",
        same("Order.model_validate_json(data)", *PYDANTIC_LIKE) | {MSGSPEC: "msgspec.json.decode(data, type=Order)"},
        (faster(5), within(1.5)),
        FAST,
    ),
    Row(
        "decode one from bytes",
        same("decode(Order, data)", *NITRO)
        | {PYDANTIC: "Order.model_validate_json(data)", MSGSPEC: "decoder.decode(data)"},
        lane=FAST,
    ),
    Row(
        "nested, from instances, construct + dump_json",
        same(f"{_NESTED}.model_dump_json()", *PYDANTIC_LIKE) | {MSGSPEC: f"msgspec.json.encode({_NESTED})"},
        (faster(5),),
        FAST,
    ),
    Row(
        "nested, from dicts, construct + dump_json",
        same(f"{_NESTED_FROM_DICTS}.model_dump_json()", *PYDANTIC_LIKE)
        | {
            MSGSPEC: "msgspec.json.encode(msgspec.convert("
            '{"name": "A-1001", "customer": "Ada Lovelace", "lines": line_values}, '
            "OrderWithLines))"
        },
        (faster(5),),
        FAST,
    ),
    Row(
        "encode a list of 1,000",
        same("encode(orders)", *NITRO)
        | {PYDANTIC: "adapter.dump_json(orders)", MSGSPEC: "msgspec.json.encode(orders)"},
        (faster(10), within(1.3)),
        FAST,
    ),
    Row(
        "decode a list of 1,000",
        same("decode(list[Order], list_data)", *NITRO)
        | {
            PYDANTIC: "adapter.validate_json(list_data)",
            MSGSPEC: "msgspec.json.decode(list_data, type=list[Order])",
        },
        lane=FAST,
    ),
    Row(
        "slow: construct, a value to coerce",
        same(_CONSTRUCT.replace("total=129.5", 'total="129.5"'), *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: construct, class with a field validator",
        same(f"Checked({_FIVE_KEYWORDS})", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: model_validate(dict), a value to coerce",
        same("Order.model_validate(coercible)", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: model_validate_json, a value to coerce",
        same("Order.model_validate_json(coercible_data)", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: assign, a value to coerce",
        same(_ASSIGN_COERCIBLE, *NITRO, PYDANTIC_ASSIGNMENT),
        _AS_PYDANTIC_ASSIGNMENT,
        SLOW,
        operations=2,
    ),
    Row(
        "slow: assign, class with a field validator",
        same(_ASSIGN_CHECKED, *NITRO, PYDANTIC_ASSIGNMENT),
        _AS_PYDANTIC_ASSIGNMENT,
        SLOW,
        operations=2,
    ),
    Row(
        "slow: model_dump(exclude=...)",
        same('order.model_dump(exclude={"status"})', *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: model_dump_json(indent=2)",
        same("order.model_dump_json(indent=2)", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: model_dump(), class with a field serializer",
        same("displayed.model_dump()", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: validation error",
        same("try:\n    Order(**wrong)\nexcept ValidationError:\n    pass", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: model_copy()",
        same("order.model_copy()", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "slow: equality",
        same("order == same_order", *PYDANTIC_LIKE),
        _AS_PYDANTIC,
        SLOW,
    ),
    Row(
        "attribute read",
        same(_READ, *EVERYONE),
        (within(1.5, DATACLASS),),
        FAST,
        operations=10,
    ),
    Row(
        "attribute read, after `__dict__` was used",
        same(_READ_TOUCHED, *PYDANTIC_LIKE),
        operations=10,
    ),
    Row(
        "bytes per instance",
        same(_CONSTRUCT, *EVERYONE),
        (Goal(None, 160),),
        kind="bytes",
    ),
    Row("class creation", same(_CLASS, *PYDANTIC_LIKE, MSGSPEC)),
)
