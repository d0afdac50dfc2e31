"""The verbs, on the memory backend."""

import uuid
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

import nitro
from nitro import Entity, EntityNotFound, Field, MemoryRepo, NitroError, UnknownFieldError


@pytest.fixture
def order_class() -> Any:
    """A class with a store of its own."""

    class Order(Entity, backend=MemoryRepo()):
        customer_name: str
        total: float = 0.0
        status: str = "draft"
        tags: list[str] = []

        def add_item(self, price: float) -> None:
            self.total += price
            self.save()

    return Order


def test_save_stores_and_gives_the_entity_back(order_class):
    order = order_class(customer_name="a")
    assert order_class.get_or_none(order.id) is None
    assert order.save() is order
    assert order_class.get(order.id) is order
    assert not order.is_changed


def test_get_raises_what_says_which_class_and_key(order_class):
    with pytest.raises(EntityNotFound, match=r"no Order has the key 'nothing'") as caught:
        order_class.get("nothing")
    assert caught.value.entity_class is order_class
    assert caught.value.key == "nothing"


def test_get_or_none_and_get_many(order_class):
    one, two, three = (order_class(customer_name=name).save() for name in "abc")
    assert order_class.get_or_none(one.id) is one
    assert order_class.get_or_none("nothing") is None
    assert order_class.get_many([three.id, "nothing", one.id, three.id]) == [three, one, three]
    assert order_class.get_many(iter([two.id])) == [two]
    assert order_class.get_many([]) == []


def test_all_is_a_list_in_the_order_of_the_first_save(order_class):
    orders = [order_class(customer_name=name) for name in "abc"]
    assert order_class.all() == []
    for order in reversed(orders):
        order.save()
    orders[1].total = 5.0
    orders[1].save()
    found = order_class.all()
    assert type(found) is list
    assert [order.customer_name for order in found] == ["c", "b", "a"]
    found.clear()
    assert len(order_class.all()) == 3


def test_create_makes_and_saves(order_class):
    order = order_class.create(customer_name="a", total="5")
    assert order_class.all() == [order]
    assert order.total == 5.0
    with pytest.raises(ValidationError, match="customer_name"):
        order_class.create()
    assert order_class.all() == [order]


def test_save_all_saves_and_gives_back(order_class):
    orders = [order_class(customer_name=name) for name in "abc"]
    assert order_class.save_all(iter(orders)) == orders
    assert order_class.all() == orders
    assert order_class.save_all([]) == []


def test_save_all_of_another_class_saves_nothing(order_class):
    class Other(Entity, backend=MemoryRepo()):
        pass

    with pytest.raises(TypeError, match=r"Order\.save_all.*Other"):
        order_class.save_all([order_class(customer_name="a"), Other()])
    with pytest.raises(TypeError, match="Order"):
        order_class.save_all([5])
    assert order_class.all() == []


def test_save_all_takes_instances_of_subclasses(order_class):
    class Special(order_class):
        extra: int = 0

    special = Special(customer_name="a")
    order_class.save_all([special])
    assert Special.all() == [special]
    assert order_class.all() == []


def test_delete_removes(order_class):
    order, other = order_class.create(customer_name="a"), order_class.create(customer_name="b")
    assert order.delete() is None
    assert order_class.get_or_none(order.id) is None
    assert order_class.all() == [other]
    with pytest.raises(EntityNotFound, match=order.id):
        order.delete()
    with pytest.raises(EntityNotFound):
        order_class(customer_name="c").delete()


def test_a_stranger_with_the_key_of_a_stored_entity_cannot_delete_it(order_class):
    stored = order_class.create(id="1", customer_name="a")
    with pytest.raises((EntityNotFound, nitro.StaleEntityError)):
        order_class(id="1", customer_name="stranger").delete()
    assert order_class.get("1") is stored


def test_a_deleted_entity_can_be_saved_again(order_class):
    order = order_class.create(customer_name="a")
    order.total = 1.0
    order.save()
    order.delete()
    assert order.previous_changes == {}
    order.save()
    assert order_class.get(order.id) is order
    assert order.previous_changes["customer_name"] == (None, "a")


def test_refresh_of_the_record_itself_keeps_what_is_there(order_class):
    order = order_class.create(customer_name="a")
    order.total = 5.0
    assert order.refresh() is order
    assert order.total == 5.0


def test_refresh_of_a_copy_takes_the_stored_values(order_class):
    order = order_class.create(customer_name="a", tags=["x"])
    copied = order.model_copy(deep=True)
    order.total = 5.0
    order.tags.append("y")
    order.save()
    copied.customer_name = "lost"
    copied.tags.clear()
    assert copied.refresh() is copied
    assert copied.model_dump() == order.model_dump()
    assert copied.tags is not order.tags
    assert not copied.is_changed
    copied.total = 6.0
    assert copied.changes == {"total": (5.0, 6.0)}
    copied.save()
    assert order_class.get(order.id) is copied


def test_refresh_brings_deleted_attributes_and_the_names_of_given_fields(order_class):
    order = order_class.create(customer_name="a", total=1.0)
    copied = order.model_copy(deep=True)
    del copied.total
    order.status = "placed"
    order.save()
    copied.refresh()
    assert copied == order
    assert copied.model_fields_set == order.model_fields_set


def test_refresh_of_what_is_not_stored(order_class):
    with pytest.raises(EntityNotFound):
        order_class(customer_name="a").refresh()


def test_a_method_that_saves(order_class):
    order = order_class(customer_name="a")
    order.add_item(29.99)
    assert order_class.get(order.id).total == 29.99
    assert order.previous_changes.keys() >= {"total"}


def test_what_the_last_save_wrote(order_class):
    order = order_class(customer_name="a", tags=["x"])
    assert order.previous_changes == {}
    order.save()
    assert order.previous_changes == {
        "id": (None, order.id),
        "customer_name": (None, "a"),
        "total": (None, 0.0),
        "status": (None, "draft"),
        "tags": (None, ["x"]),
    }
    order.total = 3.0
    order.tags.append("y")
    order.save()
    assert order.previous_changes == {"total": (0.0, 3.0), "tags": (["x"], ["x", "y"])}
    order.tags.append("z")
    assert order.previous_changes == {"total": (0.0, 3.0), "tags": (["x"], ["x", "y"])}
    order.save()
    assert order.previous_changes == {"tags": (["x", "y"], ["x", "y", "z"])}
    order.save()
    assert order.previous_changes == {}


def test_what_the_last_save_wrote_is_a_copy(order_class):
    order = order_class.create(customer_name="a")
    order.tags.append("x")
    order.save()
    order.previous_changes.clear()
    order.previous_changes["tags"][1].append("spoiled")
    assert order.previous_changes == {"tags": ([], ["x"])}


def test_previous_changes_of_a_first_save_stay_after_an_edit(order_class):
    order = order_class.create(customer_name="a")
    order.tags.append("later")
    order.total = 9.0
    assert order.previous_changes["tags"] == (None, [])
    assert order.previous_changes["total"] == (None, 0.0)


def test_stores_are_apart_by_class_and_by_repository():
    repository = MemoryRepo()

    class One(Entity, backend=repository):
        name: str = ""

    class Two(Entity, backend=repository):
        name: str = ""

    one, two = One(id="1").save(), Two(id="1").save()
    assert One.get("1") is one
    assert Two.get("1") is two
    repository.clear()
    assert One.all() == Two.all() == []


def test_classes_that_say_nothing_share_the_default_store():
    class Quiet(Entity):
        name: str = ""

    quiet = Quiet(name="a").save()
    assert Quiet.get(quiet.id) is quiet
    quiet.delete()


def test_two_classes_of_one_name_are_two_classes():
    def define() -> Any:
        class Same(Entity):
            x: int = 0

        return Same

    first, second = define(), define()
    made = first(id="1").save()
    assert second.get_or_none("1") is None
    made.delete()


# --- keys ---------------------------------------------------------------------------------------------------------


def test_keys_are_converted_to_the_type_of_the_key_field():
    class Numbered(Entity, backend=MemoryRepo()):
        id: int
        name: str = ""

    class Unique(Entity, backend=MemoryRepo()):
        key: uuid.UUID = Field(primary_key=True)

    numbered = Numbered(id=5).save()
    assert Numbered.get(5) is Numbered.get("5") is Numbered.get(5.0) is numbered
    assert Numbered.get_many(["5", 5]) == [numbered, numbered]
    with pytest.raises(EntityNotFound, match="'no number'"):
        Numbered.get("no number")
    assert Numbered.get_or_none("no number") is None
    assert Numbered.get_many(["no number", "5"]) == [numbered]
    assert Numbered.get_or_none(None) is None
    unique = Unique(key=uuid.UUID(int=7)).save()
    assert Unique.get(uuid.UUID(int=7)) is Unique.get(str(uuid.UUID(int=7))) is unique


def test_text_keys_are_found_by_what_stands_for_them(order_class):
    key = uuid.uuid4()
    order = order_class.create(id=str(key), customer_name="a")
    assert order_class.get(key) is order
    numbered = order_class.create(id="5", customer_name="b")
    assert order_class.get(5) is numbered


def test_the_rules_of_the_key_field_hold_for_a_key_that_is_asked_for():
    class Product(Entity, backend=MemoryRepo()):
        sku: Annotated[str, Field(primary_key=True, max_length=5)]

    product = Product(sku="AB").save()
    assert Product.get("AB") is product
    assert Product.get_or_none("much too long") is None
    with pytest.raises(EntityNotFound):
        Product.get("much too long")


def test_keys_that_cannot_be_keys(order_class):
    for key in (None, [], {}, object(), b"x", 1.5):
        assert order_class.get_or_none(key) is None
        with pytest.raises(EntityNotFound):
            order_class.get(key)


def test_an_entity_whose_key_changed_is_found_by_the_new_key_only(order_class):
    order = order_class.create(id="old", customer_name="a")
    order.id = "new"
    order.save()
    assert order_class.get("new") is order
    assert order_class.get_or_none("old") is None
    assert order_class.all() == [order]
    order.delete()
    assert order_class.all() == []


def test_an_entity_cannot_take_the_key_of_another(order_class):
    order, other = order_class.create(id="1", customer_name="a"), order_class.create(id="2", customer_name="b")
    order.id = "2"
    with pytest.raises((nitro.UniqueViolation, nitro.StaleEntityError)):
        order.save()
    assert order_class.get("2") is other
    order.revert_changes()
    order.save()
    assert order_class.get("1") is order


# --- where --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(order_class) -> Any:
    for number, status in enumerate(["draft", "placed", "placed", "shipped"]):
        order_class.create(id=str(number), customer_name="ab"[number % 2], total=float(number), status=status)
    return order_class


def ids(found: Any) -> list[str]:
    return [order.id for order in found]


def test_where_gives_what_is_equal(shop):
    assert ids(shop.where(status="placed").all()) == ["1", "2"]
    assert ids(shop.where(status="placed", customer_name="a")) == ["2"]
    assert ids(shop.where(status="placed").where(customer_name="b")) == ["1"]
    assert ids(shop.where()) == ["0", "1", "2", "3"]
    assert ids(shop.where(status="nothing")) == []
    assert ids(shop.where(total=2)) == ["2"]
    assert ids(shop.where(tags=[])) == ["0", "1", "2", "3"]


def test_a_query_is_lazy_and_immutable(shop):
    query = shop.where(status="placed")
    narrowed = query.where(customer_name="a")
    assert query.count() == 2
    assert narrowed.count() == 1
    shop.get("2").status = "shipped"
    assert query.count() == 1
    assert narrowed.count() == 0


def test_ends_of_a_query(shop):
    query = shop.where(status="placed")
    assert query.first().id == "1"
    assert shop.where(status="nothing").first() is None
    assert query.exists()
    assert not shop.where(status="nothing").exists()
    assert shop.where(id="3").one().id == "3"
    assert shop.where(id="9").one_or_none() is None
    with pytest.raises(EntityNotFound, match="Order"):
        shop.where(id="9").one()
    with pytest.raises(NitroError, match=r"several Order match \(Order.status == 'placed'\)"):
        query.one()
    with pytest.raises(NitroError, match="several Order"):
        query.one_or_none()
    assert query.delete() == 2
    assert ids(shop.all()) == ["0", "3"]


def test_where_refuses_unknown_names_with_the_nearest(shop):
    with pytest.raises(UnknownFieldError, match=r"Order has no field 'statuss'; did you mean 'status'\?") as caught:
        shop.where(statuss="placed")
    assert (caught.value.entity_class, caught.value.field) == (shop, "statuss")
    with pytest.raises(UnknownFieldError, match=r"Order has no field 'zzzzzz'$"):
        shop.where(zzzzzz=1)
    with pytest.raises(UnknownFieldError, match="totall"):
        shop.where(status="placed").where(totall=1)
    for name in ("save", "model_config", "__class__", "_private", "is_changed"):
        with pytest.raises(UnknownFieldError):
            shop.where(**{name: 1})


def test_where_twice_asks_for_both(shop):
    assert ids(shop.where(status="placed").where(status="placed")) == ids(shop.where(status="placed"))
    assert ids(shop.where(status="placed").where(status="draft")) == []


def test_where_passes_over_entities_that_lack_the_attribute(shop):
    del shop.get("1").status
    assert ids(shop.where(status="placed")) == ["2"]


def test_where_on_names_of_python_parameters():
    class Odd(Entity, backend=MemoryRepo()):
        self: int = 0
        cls: int = 0
        equal: int = 0
        entity_class: int = 0

    odd = Odd(self=1, cls=2, equal=3, entity_class=4).save()
    assert Odd.where(self=1).all() == [odd]
    assert Odd.where(cls=2, equal=3, entity_class=4).all() == [odd]
    assert Odd.where(cls=3).all() == []
    assert Odd.create(self=5, cls=6).cls == 6
