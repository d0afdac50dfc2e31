"""Questions whose SQL is not what it seems: the memory store says what the answer is."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationInfo, field_validator

import nitro
from nitro import Entity, Field, MemoryRepo, Query, SQLModelBackend, UniqueViolation, UnsupportedQuery, ValueObject, col


class Small(ValueObject):
    size: int


class Named(ValueObject):
    size: str


class Crate(Entity):
    number: int = 0
    weight: float = 0.0
    price: Decimal = Decimal(0)
    label: str | None = Field(default=None, unique=True)
    low: int = 0
    high: int = 10
    mixed: list[Small | Named] = []
    small: list[Small] = []
    names: list[Named] = []
    numbers: list[int] = []
    scores: dict[int, float] = {}

    @field_validator("high")
    @classmethod
    def _in_order(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("low", 0):
            raise ValueError("high is below low")
        return value


@pytest.fixture(params=["sqlite", "postgresql"])
def sql(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SQLModelBackend:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    repository = SQLModelBackend(url)
    monkeypatch.setattr(Crate, "__nitro_backend__", repository)
    nitro.create_all(Crate)
    repository.clear(Crate)
    return repository


def answers(sql: SQLModelBackend, condition: Any) -> list[str]:
    """What the database answers, which the memory store answers too."""
    memory = MemoryRepo(isolated=True)
    for crate in Crate.all():
        memory.save(Crate.model_validate(crate.model_dump()))
    expected = [crate.id for crate in Query(Crate, memory, (condition,), (), None, 0, False)]
    assert [crate.id for crate in Crate.where(condition)] == expected
    assert Crate.where(condition).count() == len(expected)
    return expected


def test_items_of_several_classes_under_one_name(sql: SQLModelBackend) -> None:
    Crate(id="1", small=[Small(size=10)], names=[Named(size="abc")]).save()
    Crate(id="2", small=[Small(size=1)], names=[Named(size="6")]).save()
    assert answers(sql, col(Crate.names).any(Named.size > "5")) == ["1", "2"]
    assert answers(sql, col(Crate.small).any(Small.size > 5)) == ["1"]
    assert answers(sql, col(Crate.names).any(Named.size == "abc")) == ["1"]
    with pytest.raises(UnsupportedQuery, match="several classes"):
        Crate.where(col(Crate.mixed).any(Small.size > 5)).all()


def test_numbers_that_no_column_holds(sql: SQLModelBackend) -> None:
    Crate(id="1", number=5, price=Decimal("1.5"), weight=2.5).save()
    for value in (Decimal("Infinity"), Decimal("-Infinity"), Decimal("NaN"), Decimal("1e2000"), 10**400):
        for field in (col(Crate.number), col(Crate.price), col(Crate.weight)):
            answers(sql, field < value)
            answers(sql, field > value)
            answers(sql, field == value)
            answers(sql, field != value)


def test_integers_in_json(sql: SQLModelBackend) -> None:
    Crate(id="1", numbers=[2**62]).save()
    assert answers(sql, col(Crate.numbers).contains(2**62)) == ["1"]
    with pytest.raises(UnsupportedQuery, match="64 bits"):
        Crate.where(col(Crate.numbers).contains(2**70)).all()


def test_keys_that_are_numbers(sql: SQLModelBackend) -> None:
    Crate(id="1", scores={5: 1.0, -1: 2.0}).save()
    Crate(id="2", numbers=[0, 1, 2, 3, 4, 1]).save()
    assert answers(sql, col(Crate.scores)[5] == 1.0) == ["1"]
    assert answers(sql, col(Crate.scores).contains(5)) == ["1"]
    assert answers(sql, col(Crate.numbers)[5] == 1) == ["2"]


def test_one_of_very_many(sql: SQLModelBackend) -> None:
    Crate(id="1", weight=1.5, price=Decimal("7")).save()
    Crate(id="2", weight=2.5, price=Decimal("8")).save()
    weights: list[Any] = [number + 0.5 for number in range(1, 3000, 2)]
    assert answers(sql, col(Crate.weight).in_([*weights, 10**400, 2**53 + 1, None])) == ["1"]
    assert answers(sql, col(Crate.id).in_([str(number) for number in range(2, 5000)])) == ["2"]


def test_updates_respect_what_validators_see(sql: SQLModelBackend) -> None:
    Crate(id="1", low=5).save()
    with pytest.raises(ValueError, match="high is below low"):
        Crate.where(id="1").update(high=3)
    assert Crate.get("1").high == 10
    assert Crate.where(id="1").update(high=7) == 1


def test_an_update_to_a_taken_value(sql: SQLModelBackend) -> None:
    Crate(id="1", label="a").save()
    Crate(id="2", label="b").save()
    with pytest.raises(UniqueViolation) as caught:
        Crate.where(id="2").update(label="a")
    assert (caught.value.field, caught.value.value) == ("label", "a")
