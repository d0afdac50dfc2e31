"""What others can read of commands."""

import asyncio
from typing import Any

import pytest

from nitro import Entity, Field, Model, command, event, query
from nitro.commands import Command, Parameter, of


class Item(Model):
    sku: str
    quantity: int = Field(1, ge=1)


class Product(Entity):
    stock: int = 0

    @event(method="POST")
    def restock(self, quantity: int, *boxes: Item) -> int:
        """Puts more on the shelf."""
        self.stock += quantity + sum(box.quantity for box in boxes)
        return self.stock

    @event(method="get")
    def level(self) -> int:
        return self.stock

    @command(retry=3, lock=True)
    async def order(self, like: "Product | None" = None) -> "list[Product]":
        return [self]

    @query
    @classmethod
    def cheapest(cls) -> int:
        return 1

    @staticmethod
    @query
    def words(text: str) -> int:
        return len(text.split())

    def plain(self) -> None: ...


class Special(Product):
    @command
    def restock(self, quantity: int) -> int:
        return 0

    def level(self) -> int:
        return -1


def test_they_are_told_by_name_in_their_order() -> None:
    found = of(Product)
    assert list(found) == ["restock", "level", "order", "cheapest", "words"]
    assert {name: (one.kind, one.binds, one.is_async, one.method) for name, one in found.items()} == {
        "restock": ("command", "instance", False, "POST"),
        "level": ("query", "instance", False, "GET"),
        "order": ("command", "instance", True, None),
        "cheapest": ("query", "class", False, None),
        "words": ("query", "none", False, None),
    }
    assert all(one.owner is Product for one in found.values())
    assert (found["order"].retry, found["order"].lock, found["order"].idempotent) == (3, True, False)
    assert (found["restock"].title, found["restock"].description) == ("Product.restock", "Puts more on the shelf.")


def test_what_is_inherited_and_overridden() -> None:
    found = of(Special)
    assert sorted(found) == ["cheapest", "order", "restock", "words"]
    assert (found["restock"].owner, found["restock"].method) == (Special, None)
    assert found["cheapest"].owner is Product


def test_parameters_and_what_it_gives() -> None:
    found = of(Product)
    assert found["restock"].parameters == {
        "quantity": Parameter("quantity", int, "any", True),
        "boxes": Parameter("boxes", Item, "arguments", False),
    }
    assert found["order"].parameters["like"].annotation == Product | None
    assert (found["restock"].returns, found["order"].returns) == (int, list[Product])


def test_the_schema_of_an_object_with_all_arguments() -> None:
    assert of(Product)["restock"].json_schema() == {
        "type": "object",
        "properties": {
            "quantity": {"title": "Quantity", "type": "integer"},
            "boxes": {"title": "Boxes", "type": "array", "items": {"$ref": "#/$defs/Item"}, "default": []},
        },
        "required": ["quantity"],
        "additionalProperties": False,
        "$defs": {"Item": Item.model_json_schema()},
    }


def test_one_can_be_called_by_its_description() -> None:
    product = Product()
    found = of(Product)
    assert found["restock"](product, quantity="2") == 2
    assert found["cheapest"]() == 1
    assert found["words"]("a b") == 2
    assert asyncio.run(found["order"](product)) == [product]
    assert of(Special)["restock"](Special(), 3) == 0


def test_one_of_an_entity_is_called_on_one() -> None:
    with pytest.raises(TypeError, match=r"Product.restock is called on an entity, which is its first argument"):
        of(Product)["restock"](quantity="2")


def test_functions() -> None:
    @command
    def tidy(days: int = 3) -> None: ...

    described = of(tidy)
    assert (described.name, described.binds, described.owner) == ("tidy", "none", None)
    assert isinstance(described, Command)
    with pytest.raises(TypeError, match="takes a class, a command or a query"):
        of(len)
    assert of(int) == {}


def test_a_method_by_itself() -> None:
    assert of(Product.restock).name == "restock"
    assert of(Product().restock).title == "Product.restock"
    assert of(Product.cheapest).binds == "class"


def test_a_description_cannot_be_changed() -> None:
    described: Any = of(Product)["restock"]
    with pytest.raises(AttributeError):
        described.retry = 5


def test_the_module_is_there_without_an_import_of_its_own() -> None:
    import subprocess
    import sys

    code = (
        "import sys, nitro; assert 'nitro.commands' not in sys.modules; nitro.commands.of; nitro.bus.execute; "
        "from nitro import query, command, event; import nitro.queries; assert callable(nitro.query)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
