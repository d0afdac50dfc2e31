"""A container edited in place into something invalid is refused by save."""

from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from nitro import Entity, MemoryRepo, Model


class Line(Model):
    product: str
    quantity: Annotated[int, Field(gt=0)] = 1


def define() -> Any:
    class Order(Entity, backend=MemoryRepo()):
        tags: Annotated[list[str], Field(max_length=3)] = []
        numbers: list[int] = []
        table: dict[str, int] = {}
        labels: set[int] = set()
        lines: list[Line] = []
        matrix: list[list[int]] = []
        pair: tuple[int, list[int]] = (0, [])

    return Order


EDITS = [
    ("tags", lambda order: order.tags.append(5)),
    ("tags", lambda order: order.tags.extend("abcd")),
    ("numbers", lambda order: order.numbers.append("x")),
    ("numbers", lambda order: order.numbers.append(None)),
    ("table", lambda order: order.table.update({5: 1})),
    ("table", lambda order: order.table.update(a="x")),
    ("labels", lambda order: order.labels.add("x")),
    ("lines", lambda order: order.lines.append(5)),
    ("lines", lambda order: order.lines.append({"product": 5})),
    ("lines", lambda order: order.lines.append(None)),
    ("matrix", lambda order: order.matrix.append(5)),
    ("matrix", lambda order: order.matrix.append(["x"])),
    ("pair", lambda order: order.pair[1].append("x")),
]


@pytest.mark.parametrize(("field", "edit"), EDITS)
@pytest.mark.parametrize("saved_before", [True, False])
def test_an_invalid_edit_is_refused(field, edit, saved_before):
    Order = define()
    order = Order(numbers=[1])
    if saved_before:
        order.save()
    edit(order)
    with pytest.raises(ValidationError, match=field):
        order.save()
    assert order.changed_fields == {field}
    assert Order.get_or_none(order.id) is (order if saved_before else None)
    order.revert_changes()
    order.save()
    assert Order.get(order.id) is order


def test_a_valid_edit_is_saved():
    Order = define()
    order = Order().save()
    order.tags.append("x")
    order.numbers.append(5)
    order.lines.append(Line(product="tea"))
    order.save()
    assert order.previous_changes.keys() == {"tags", "numbers", "lines"}


def test_what_can_be_coerced_is_coerced_by_save():
    Order = define()
    order = Order().save()
    order.numbers.append("5")
    order.lines.append({"product": "tea", "quantity": "2"})
    order.save()
    assert order.numbers == [5]
    assert order.lines == [Line(product="tea", quantity=2)]
    assert order.previous_changes == {"numbers": ([], [5]), "lines": ([], [Line(product="tea", quantity=2)])}
    assert not order.is_changed


def test_the_containers_of_a_valid_edit_stay_the_same_objects():
    Order = define()
    order = Order().save()
    tags, lines = order.tags, order.lines
    tags.append("x")
    lines.append(Line(product="a"))
    order.save()
    assert order.tags is tags
    assert order.lines is lines


def test_validators_see_the_edit():
    class Order(Entity, backend=MemoryRepo()):
        tags: list[str] = []
        count: int = 0

        @field_validator("tags")
        @classmethod
        def no_empty_ones(cls, tags):
            if "" in tags:
                raise ValueError("an empty tag")
            return tags

    order = Order().save()
    order.tags.append("")
    with pytest.raises(ValidationError, match="an empty tag"):
        order.save()
    order.tags[:] = ["x"]
    assert order.save().tags == ["x"]


def test_model_validators_see_the_edit():
    class Order(Entity, backend=MemoryRepo()):
        tags: list[str] = []
        limit: int = 2

        @model_validator(mode="after")
        def few_tags(self):
            if len(self.tags) > self.limit:
                raise ValueError("too many tags")
            return self

    order = Order().save()
    order.tags.extend("abc")
    with pytest.raises(ValidationError, match="too many tags"):
        order.save()
    order.tags.pop()
    order.save()
    assert order.tags == ["a", "b"]


def test_edits_of_a_frozen_field_are_validated_too():
    class Order(Entity, backend=MemoryRepo()):
        tags: list[str] = Field(default_factory=list, frozen=True)

    order = Order().save()
    order.tags.append("x")
    order.save()
    assert order.previous_changes == {"tags": ([], ["x"])}
    order.tags.append(5)
    with pytest.raises(ValidationError, match="tags"):
        order.save()


def test_an_attribute_that_was_deleted_is_not_saved():
    Order = define()
    order = Order().save()
    del order.tags
    with pytest.raises((ValidationError, AttributeError), match="tags"):
        order.save()


def test_save_all_and_async_save_validate_too():
    import asyncio

    Order = define()
    good, bad = Order(), Order()
    bad.numbers.append("x")
    with pytest.raises(ValidationError, match="numbers"):
        Order.save_all([good, bad])
    with pytest.raises(ValidationError, match="numbers"):
        asyncio.run(bad.asave())
    assert Order.get_or_none(bad.id) is None
