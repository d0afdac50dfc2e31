"""An entity has an identity from the moment it is made."""

import os
import re
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

import nitro
from nitro import ConfigurationError, Entity, Field, identity

CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Order(Entity):
    name: str = "a"
    total: float = 0.0


def test_an_id_is_a_canonical_uuid_of_version_7():
    for _ in range(1000):
        order = Order()
        assert type(order.id) is str
        assert CANONICAL.fullmatch(order.id)
        parsed = uuid.UUID(order.id)
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122
        assert str(parsed) == order.id


def test_an_id_tells_when_it_was_made():
    before = int(time.time() * 1000)
    milliseconds = uuid.UUID(Order().id).int >> 80
    after = int(time.time() * 1000)
    # A burst of ids may run ahead of the clock, so that each is greater than the one before.
    assert before <= milliseconds <= after + 1000
    assert datetime.fromtimestamp(milliseconds / 1000, UTC).year >= 2024


def test_ids_sort_in_the_order_of_their_making():
    ids = [Order().id for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_every_way_to_make_an_entity_makes_an_id():
    made = [
        Order(),
        Order(name="b"),
        Order.model_validate({}),
        Order.model_validate_json("{}"),
        Order.model_construct(),
        nitro.decode(Order, "{}"),
        *nitro.decode(list[Order], "[{}, {}]"),
        Order(total="5"),
        Order.model_validate({"total": "5"}),
        Order.create(),
    ]
    ids = [order.id for order in made]
    assert all(CANONICAL.fullmatch(id) for id in ids)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_that_is_given_is_kept():
    assert Order(id="mine").id == "mine"
    assert Order.model_validate({"id": "mine"}).id == "mine"
    assert Order.model_validate_json('{"id": "mine"}').id == "mine"
    assert Order(id="mine").model_fields_set == {"id"}
    assert "id" not in Order().model_fields_set
    with pytest.raises(ValidationError, match="id"):
        Order(id=5)


def test_ids_are_unique_over_threads():
    found: list[list[str]] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        found.append([Order().id for _ in range(5000)])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in found)
    assert len({id for ids in found for id in ids}) == 8 * 5000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_ids_are_unique_over_forks():
    Order()
    children = []
    for _ in range(4):
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(readable)
                with os.fdopen(writable, "w") as pipe:
                    pipe.write("\n".join(Order().id for _ in range(2000)))
                status = 0
            finally:
                os._exit(status)
        os.close(writable)
        children.append((child, readable))
    ids = [Order().id for _ in range(2000)]
    for child, readable in children:
        with os.fdopen(readable) as pipe:
            ids += pipe.read().split("\n")
        assert os.waitpid(child, 0)[1] == 0
    assert len(ids) == 5 * 2000
    assert len(set(ids)) == len(ids)


def test_equality_is_that_of_values_and_identity_that_of_class_and_key():
    class Other(Entity):
        name: str = "a"
        total: float = 0.0

    assert Order(id="1") == Order(id="1")
    assert Order(id="1") != Order(id="1", name="b")
    assert Order(id="1") != Other(id="1")
    assert identity(Order(id="1")) == identity(Order(id="1", name="b")) == "1"


# --- a key of its own ---------------------------------------------------------------------------------------------


def test_a_field_declared_as_primary_key_is_the_key():
    class Product(Entity):
        name: str
        sku: str = Field(primary_key=True, min_length=2)

    product = Product(name="tea", sku="T1")
    assert identity(product) == "T1"
    assert list(Product.model_fields) == ["name", "sku"]
    assert not hasattr(product, "id")
    assert not hasattr(Product, "id")
    assert product.model_dump() == {"name": "tea", "sku": "T1"}
    assert repr(product) == "Product(name='tea', sku='T1')"
    with pytest.raises(ValidationError, match="sku"):
        Product(name="tea", sku="T")
    with pytest.raises(ValidationError, match="sku"):
        Product(name="tea")


def test_the_mark_may_stand_in_annotated():
    class Marked(Entity):
        sku: Annotated[str, Field(primary_key=True)]

    class Both(Entity):
        sku: Annotated[str, Field(primary_key=True)] = Field(min_length=2)

    class Among(Entity):
        sku: Annotated[str, "note", Field(primary_key=True, max_length=3), Field(min_length=2)] = "ab"

    assert identity(Marked(sku="T")) == "T"
    assert identity(Both(sku="T1")) == "T1"
    assert identity(Among()) == "ab"
    for cls in (Marked, Both, Among):
        assert list(cls.model_fields) == ["sku"]
    with pytest.raises(ValidationError, match="sku"):
        Both(sku="T")
    with pytest.raises(ValidationError, match="sku"):
        Among(sku="abcd")


def test_a_field_named_id_of_any_type_is_the_key():
    class Numbered(Entity):
        id: int
        name: str = ""

    class Unique(Entity):
        id: uuid.UUID

    class Defaulted(Entity):
        id: int = 7

    assert identity(Numbered(id="5")) == 5
    assert list(Numbered.model_fields) == ["id", "name"]
    assert identity(Unique(id=uuid.UUID(int=3))) == uuid.UUID(int=3)
    assert identity(Defaulted()) == 7
    with pytest.raises(ValidationError, match="id"):
        Numbered()


def test_a_primary_key_named_id_is_no_second_key():
    class Numbered(Entity):
        id: int = Field(primary_key=True)

    assert identity(Numbered(id=3)) == 3


def test_an_id_beside_another_key_is_an_ordinary_field():
    class Product(Entity):
        id: int = 0
        sku: str = Field(primary_key=True)

    product = Product(sku="a")
    assert identity(product) == "a"
    assert product.model_dump() == {"id": 0, "sku": "a"}


def test_keys_are_inherited_and_can_be_replaced():
    class Product(Entity):
        sku: str = Field(primary_key=True)

    class Tea(Product):
        leaf: str = "green"

    class Special(Tea):
        sku: str = "none"
        code: int = Field(default=1, primary_key=True)

    tea = Tea(sku="a")
    assert identity(tea) == "a"
    assert list(Tea.model_fields) == ["sku", "leaf"]
    assert Tea.model_json_schema()["properties"].keys() == {"sku", "leaf"}
    assert identity(Special()) == 1
    assert not hasattr(tea, "id")


def test_a_key_comes_from_a_mixin_too():
    class Keyed(BaseModel):
        sku: str = Field(primary_key=True)

    class Product(Entity, Keyed):
        name: str = ""

    class Turned(Keyed, Entity):
        name: str = ""

    assert identity(Product(sku="a")) == "a"
    assert identity(Turned(sku="a")) == "a"
    assert "id" not in Product.model_fields
    assert "id" not in Turned.model_fields


def test_several_keys_are_refused_by_their_names():
    with pytest.raises(ConfigurationError, match=r"Product.*sku.*code|Product.*code.*sku"):

        class Product(Entity):
            sku: str = Field(primary_key=True)
            code: int = Field(primary_key=True)


def test_a_second_key_in_a_subclass_is_refused():
    class Product(Entity):
        sku: str = Field(primary_key=True)

    with pytest.raises(ConfigurationError, match="code"):

        class Special(Product):
            code: int = Field(primary_key=True)


def test_the_fast_lane_holds_for_entities_with_a_key_of_their_own():
    class Product(Entity):
        sku: str = Field(primary_key=True)
        price: float = 0.0

    assert nitro.explain(Product).operations["construct"] is None
    product = Product(sku="a")
    product.price = 5
    assert product.changes == {"price": (0.0, 5.0)}
    assert Product.model_validate_json('{"sku": "b", "price": 1}').price == 1.0


def test_a_key_with_a_default_factory():
    counter = iter(range(100))

    class Ticket(Entity):
        number: int = Field(default_factory=lambda: next(counter), primary_key=True)

    assert [identity(Ticket()) for _ in range(3)] == [0, 1, 2]


def test_a_value_object_and_a_model_have_no_identity():
    class Money(nitro.ValueObject):
        amount: int

    assert "id" not in Money.model_fields
    assert "id" not in nitro.Model.model_fields
    assert not hasattr(Money(amount=1), "is_changed")
