"""Into nested models, dictionaries, lists and the items of lists; and keywords for all of it."""

from typing import Any

import pytest

from nitro import Entity, Field, MemoryRepo, Model, ValueObject

store = MemoryRepo()


class Country(Model):
    code: str


class Address(Model):
    city: str
    country: Country | None = None


class Line(ValueObject):
    product: str
    qty: int = 1
    notes: list[str] = []


class Parcel(Model):
    """A model that is no value object has no references to its fields: keywords ask for them."""

    weight: int
    label: str = ""


class Order(Entity, backend=store):
    name: str
    address: Address | None = None
    lines: list[Line] = []
    parcels: list[Parcel] = []
    by_name: dict[str, Line] = {}
    meta: dict[str, Any] = {}
    marks: dict[int, str] = {}
    scores: list[int] = []
    pair: tuple[int, str] = (0, "")
    total: int = Field(0, index=True)


def names(*conditions: Any, **lookups: Any) -> list[str]:
    return [order.name for order in Order.where(*conditions, **lookups).all()]


@pytest.fixture(autouse=True)
def _orders() -> None:
    Order.save_all(
        [
            Order(
                name="Ann",
                address=Address(city="Oslo", country=Country(code="NO")),
                lines=[Line(product="tea", qty=1), Line(product="cup", qty=5, notes=["blue"])],
                by_name={"tea": Line(product="tea", qty=1)},
                meta={"colour": "red", "size": {"wide": 3}},
                marks={1: "one"},
                scores=[3, 1],
                pair=(1, "x"),
                total=10,
            ),
            Order(
                name="Bob",
                address=Address(city="Bergen"),
                lines=[Line(product="tea", qty=2)],
                by_name={"cup": Line(product="cup", qty=7)},
                meta={"colour": None, "size": 4},
                scores=[5],
                pair=(2, "y"),
                total=20,
            ),
            Order(name="Cleo"),
        ]
    )


def test_fields_of_a_nested_model():
    assert names(Order.address.city == "Oslo") == ["Ann"]
    assert names(Order.address.city.startswith("B")) == ["Bob"]
    assert names(Order.address.country.code == "NO") == ["Ann"]


def test_the_way_through_none_leads_to_none():
    assert names(Order.address.city.is_null()) == ["Cleo"]
    assert names(Order.address.country.code == None) == ["Bob", "Cleo"]  # noqa: E711
    assert names(Order.address.city != "Oslo") == ["Bob", "Cleo"]
    assert names(Order.address.city > "A") == ["Ann", "Bob"]


def test_a_nested_model_is_compared_as_a_whole():
    assert names(Order.address == Address(city="Bergen")) == ["Bob"]
    assert names(Order.address == {"city": "Bergen"}) == ["Bob"]
    assert names(Order.address.is_null()) == ["Cleo"]
    assert names(Order.address.in_([Address(city="Bergen"), None])) == ["Bob", "Cleo"]


def test_keys_of_a_dictionary():
    assert names(Order.meta["colour"] == "red") == ["Ann"]
    assert names(Order.meta["colour"].is_null()) == ["Bob", "Cleo"]
    assert names(Order.meta["size"]["wide"] == 3) == ["Ann"]
    assert names(Order.marks[1] == "one") == ["Ann"]
    assert names(Order.by_name["tea"].qty == 1) == ["Ann"]


def test_a_dictionary_contains_its_keys():
    assert names(Order.meta.contains("colour")) == ["Ann", "Bob"]
    assert names(Order.marks.contains(1)) == ["Ann"]


def test_places_of_a_list():
    assert names(Order.scores[0] == 3) == ["Ann"]
    assert names(Order.scores[1] >= 1) == ["Ann"]
    assert names(Order.scores[1].is_null()) == ["Bob", "Cleo"]
    assert names(Order.lines[1].product == "cup") == ["Ann"]
    assert names(Order.pair[1] == "y") == ["Bob"]
    assert names(Order.lines[0].qty > 1) == ["Bob"]


def test_a_list_contains_a_value():
    assert names(Order.scores.contains(5)) == ["Bob"]
    assert names(Order.lines.contains(Line(product="tea", qty=2))) == ["Bob"]


def test_a_list_is_compared_as_a_whole():
    assert names(Order.scores == [3, 1]) == ["Ann"]
    assert names(Order.scores == []) == ["Cleo"]
    assert names(Order.scores > [3, 0]) == ["Ann", "Bob"]


def test_any_item_of_a_list():
    assert names(Order.lines.any(Line.qty > 3)) == ["Ann"]
    assert names(Order.lines.any(Line.product == "tea")) == ["Ann", "Bob"]
    assert names(Order.lines.any((Line.product == "tea") & (Line.qty > 1))) == ["Bob"]
    assert names(Order.lines.any((Line.product == "tea") | (Line.qty > 1))) == ["Ann", "Bob"]
    assert names(Order.lines.any(~(Line.product == "tea"))) == ["Ann"]
    assert names(~Order.lines.any(Line.product == "tea")) == ["Cleo"]
    assert names(Order.lines.any(Line.notes.contains("blue"))) == ["Ann"]


def test_any_item_by_keywords():
    assert names(Order.lines.any(qty__gt=3)) == ["Ann"]
    assert names(Order.lines.any(product="tea", qty__gt=1)) == ["Bob"]
    assert names(Order.lines.any(Line.product == "tea", qty=1)) == ["Ann"]
    Order(name="Dora", parcels=[Parcel(weight=1), Parcel(weight=5, label="big")]).save()
    assert names(Order.parcels.any(weight__gt=4)) == ["Dora"]
    assert names(Order.parcels.any(weight=1, label="big")) == []
    assert names(Order.parcels[1].label == "big") == ["Dora"]


def test_any_value_of_a_dictionary():
    assert names(Order.by_name.any(Line.qty > 3)) == ["Bob"]


def test_keywords_are_equality():
    assert names(name="Ann") == ["Ann"]
    assert names(name="Ann", total=20) == []
    assert names(address=None) == ["Cleo"]


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"total__gt": 10}, ["Bob"]),
        ({"total__ge": 10}, ["Ann", "Bob"]),
        ({"total__gte": 10}, ["Ann", "Bob"]),
        ({"total__lt": 10}, ["Cleo"]),
        ({"total__le": 10}, ["Ann", "Cleo"]),
        ({"total__lte": 10}, ["Ann", "Cleo"]),
        ({"total__eq": 10}, ["Ann"]),
        ({"total__ne": 10}, ["Bob", "Cleo"]),
        ({"total__in": [0, 20]}, ["Bob", "Cleo"]),
        ({"total__between": (5, 15)}, ["Ann"]),
        ({"name__startswith": "A"}, ["Ann"]),
        ({"name__endswith": "b"}, ["Bob"]),
        ({"name__contains": "le"}, ["Cleo"]),
        ({"name__like": "_o_"}, ["Bob"]),
        ({"address__is_null": True}, ["Cleo"]),
        ({"address__isnull": False}, ["Ann", "Bob"]),
        ({"address__city": "Oslo"}, ["Ann"]),
        ({"address__city__startswith": "B"}, ["Bob"]),
        ({"address__country__code": "NO"}, ["Ann"]),
        ({"meta__colour": "red"}, ["Ann"]),
        ({"meta__size__wide__gt": 2}, ["Ann"]),
        ({"scores__0": 5}, ["Bob"]),
        ({"scores__contains": 1}, ["Ann"]),
        ({"lines__0__qty__lt": 2}, ["Ann"]),
        ({"total__gt": 0, "name__startswith": "B"}, ["Bob"]),
    ],
)
def test_lookups(lookups, expected):
    assert names(**lookups) == expected


def test_a_lookup_builds_the_same_condition():
    assert repr(Order.where(total__gt=10)) == repr(Order.where(Order.total > 10))
    assert repr(Order.where(address__city="Oslo")) == repr(Order.where(Order.address.city == "Oslo"))
    assert repr(Order.where(total__between=(1, 2))) == repr(Order.where(Order.total.between(1, 2)))


def test_a_field_with_two_underscores_is_found_by_its_name():
    class Odd(Entity, backend=store):
        total__gt: int = 0
        total: int = 0

    Odd(total__gt=5, total=1).save()
    assert Odd.where(total__gt=5).count() == 1
    assert Odd.where(total__gt=0).count() == 0


def test_a_nested_field_named_like_a_lookup_is_the_field():
    class Range(Model):
        gt: int = 0

    class Odd(Entity, backend=store):
        range: Range

    Odd(range=Range(gt=5)).save()
    assert Odd.where(range__gt=5).count() == 1
    assert Odd.where(range__gt__gt=4).count() == 1


def test_ordering_by_paths():
    assert [order.name for order in Order.where().order_by("address.city")] == ["Cleo", "Bob", "Ann"]
    assert [order.name for order in Order.where().order_by("-address__city")] == ["Ann", "Bob", "Cleo"]
    assert [order.name for order in Order.where().order_by(Order.scores[0].desc())] == ["Bob", "Ann", "Cleo"]
    assert [order.name for order in Order.where().order_by("meta__colour", "name")] == ["Bob", "Cleo", "Ann"]
