"""What cannot be asked is refused at once, and the message says what, where, and what to write."""

import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from nitro import Entity, Index, MemoryRepo, Model, UnknownFieldError, UnsupportedQuery, ValueObject

store = MemoryRepo()


class Status(Enum):
    DRAFT = "draft"


class Address(Model):
    city: str


class Line(ValueObject):
    qty: int


class Order(Entity, backend=store):
    name: str
    total: float = 0.0
    status: Status = Status.DRAFT
    created: datetime.datetime | None = None
    reference: UUID | None = None
    address: Address | None = None
    lines: list[Line] = []
    meta: dict[str, int] = {}
    paid: bool = False


class Product(Entity, backend=store):
    name: str


def test_an_unknown_attribute_of_the_class():
    with pytest.raises(AttributeError, match="totl"):
        Order.totl  # noqa: B018


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: Order.where(totl=1), "Order has no field 'totl'; did you mean 'total'?"),
        (lambda: Order.where(totl__gt=1), "Order has no field 'totl'; did you mean 'total'?"),
        (lambda: Order.where(wholly_other=1), "Order has no field 'wholly_other'"),
        (lambda: Order.where().order_by("-nam"), "Order has no field 'nam'; did you mean 'name'?"),
        (lambda: Order.where(address__cty="x"), "Address has no field 'cty'; did you mean 'city'?"),
        (lambda: Order.address.cty, "Address has no field 'cty'; did you mean 'city'?"),
        (lambda: Order.where().order_by("address.cty"), "Address has no field 'cty'; did you mean 'city'?"),
        (lambda: Order.lines.qty, "to ask the items, write Order.lines.any(Line.qty == ...)"),
        (lambda: Order.meta.colour, "to ask for a key, write Order.meta['colour']"),
        (lambda: Order.where(total__above=1), "Order has no field 'total.above'"),
        (lambda: Order.where().order_by(Product.name), "Product.name"),
    ],
)
def test_unknown_fields(ask, message):
    with pytest.raises(UnknownFieldError) as caught:
        ask()
    assert message in str(caught.value)


def test_the_error_names_class_and_field():
    with pytest.raises(UnknownFieldError) as caught:
        Order.where(totl=1)
    assert (caught.value.entity_class, caught.value.field) == (Order, "totl")


def test_an_index_over_an_unknown_field():
    with pytest.raises(UnknownFieldError, match="Wrong has no field 'nme'; did you mean 'name'?"):

        class Wrong(Entity):
            name: str
            by_name = Index("nme")


@pytest.mark.parametrize(
    ("ask", "parts"),
    [
        (lambda: Order.total > "much", ["Order.total > 'much'", "float", "valid number"]),
        (lambda: Order.where(total__gt="much"), ["Order.total > 'much'", "float"]),
        (lambda: Order.name == 5, ["Order.name == 5", "str"]),
        (lambda: Order.status == "draftt", ["Order.status == 'draftt'", "Status", "'draft'"]),
        (lambda: Order.created > "never", ["Order.created > 'never'", "datetime"]),
        (lambda: Order.reference == "1", ["Order.reference == '1'", "UUID"]),
        (lambda: Order.total.in_([1, "x"]), ["Order.total.in_('x')", "float"]),
        (lambda: Order.total.in_(5), ["Order.total.in_(5)", "several values"]),
        (lambda: Order.name.in_("abc"), ["Order.name.in_('abc')", "several values"]),
        (lambda: Order.total.startswith("1"), ["Order.total.startswith('1')", "float is no text"]),
        (lambda: Order.total.like("1%"), ["Order.total.like('1%')", "float is no text"]),
        (lambda: Order.total.endswith("1"), ["Order.total.endswith('1')", "float is no text"]),
        (lambda: Order.total.contains(1), ["Order.total.contains(1)", "float does not contain"]),
        (lambda: Order.name.startswith(1), ["Order.name.startswith(1)", "takes text, got int"]),
        (lambda: Order.name.contains(1), ["Order.name.contains(1)"]),
        (lambda: Order.total < None, ["Order.total < None", "None has no order", "Order.total.is_null()"]),
        (lambda: Order.total.between(None, 1), ["None has no order"]),
        (lambda: Order.total == Order.total, ["compared with a value, not with a field"]),
        (lambda: Order.lines.any(5), ["Order.lines.any(5)", "takes conditions on the items"]),
        (lambda: Order.lines.any(Product.name == "x"), ["list[", "Line", "condition is about Product"]),
        (lambda: Order.name.any(Line.qty > 1), ["Order.name.any(Line.qty > 1)", "str holds no models"]),
        (lambda: Order.lines.any(), ["Order.lines.any()", "takes at least one condition"]),
        (lambda: Order.total[0], ["Order.total[0]", "float has no such items"]),
        (lambda: Order.lines[-1], ["Order.lines[-1]", "places count from the front"]),
        (lambda: Order.where(Product.name == "x"), ["Order.where", "Product.name == 'x'", "condition on Product"]),
    ],
)
def test_what_a_field_cannot_be_asked(ask, parts):
    with pytest.raises(UnsupportedQuery) as caught:
        ask()
    assert [part for part in parts if part not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda condition: bool(condition),
        lambda condition: condition and condition,
        lambda condition: not condition,
        lambda condition: [condition] if condition else [],
        lambda condition: 1 <= Order.total <= 5,
    ],
)
def test_a_condition_is_neither_true_nor_false(use):
    with pytest.raises(TypeError, match=r"combine conditions with &, \| and ~ in place of and, or and not"):
        use(Order.total > 1)


@pytest.mark.parametrize("argument", [True, "total > 1", 5, None, Order.name])
def test_what_is_no_condition(argument):
    with pytest.raises(TypeError, match=r"Order\.where takes conditions such as Order\.\w+ == \.\.\., got "):
        Order.where(argument)


def test_conditions_on_different_classes_do_not_combine():
    with pytest.raises(TypeError, match="conditions on different classes, Order and Product"):
        (Order.total > 1) & (Product.name == "x")


def test_a_field_has_no_values_to_loop_over():
    with pytest.raises(TypeError, match=r"no values to loop over.* write Order\.name\.contains\(x\)"):
        "x" in Order.name  # noqa: B015
    with pytest.raises(TypeError, match="Order.name is a field to query by"):
        list(Order.name)


@pytest.mark.parametrize("argument", [5, None, Order.total > 1])
def test_what_is_no_order(argument):
    with pytest.raises(TypeError, match="order_by takes fields, such as Order.name or '-total', got"):
        Order.where().order_by(argument)


def test_values_in_the_types_of_their_fields():
    Order(name="x", status="draft", created="2026-01-02T00:00:00", reference=UUID(int=1)).save()
    found: list[Any] = [
        Order.where(Order.created > "2026-01-01").count(),
        Order.where(status="draft").count(),
        Order.where(Order.reference == str(UUID(int=1))).count(),
        Order.where(reference__in=[str(UUID(int=1))]).count(),
    ]
    assert found == [1, 1, 1, 1]
