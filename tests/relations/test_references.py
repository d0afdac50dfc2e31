"""A Ref field takes an entity, a reference or a key, and keeps the key."""

import copy
import enum
import json
import pickle
import uuid
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator

from nitro import (
    ConfigurationError,
    Entity,
    EntityNotFound,
    Field,
    MemoryRepo,
    Ref,
    ValueObject,
    changes,
    decode,
    encode,
    explain,
)


class Customer(Entity):
    name: str = ""


class Supplier(Entity):
    name: str = ""


class Vip(Customer):
    level: int = 1


class Numbered(Entity):
    id: int | None = Field(None, primary_key=True)


class Coded(Entity):
    code: str = Field(primary_key=True, min_length=3)


class Unique(Entity):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)


class Order(Entity):
    customer: Ref[Customer]
    substitute: Ref[Customer] | None = None
    tags: list[str] = []


@pytest.fixture
def ann() -> Customer:
    return Customer(name="Ann").save()


def test_the_constructor_takes_an_entity_a_reference_and_a_key(ann):
    for given in (ann, Ref(Customer, ann), Ref(Customer, ann.id), ann.id, Order(customer=ann).customer):
        order = Order(customer=given)
        assert order.customer == Ref(Customer, ann.id)
        assert order.customer.key == ann.id
        assert order.customer.entity_class is Customer
        assert order.customer.get() is ann


def test_an_assignment_takes_the_same(ann):
    order = Order(customer="nobody")
    for given in (ann, Ref(Customer, ann.id), ann.id):
        order.customer = "nobody"
        order.customer = given
        assert order.customer.key == ann.id
        assert order.customer.get() is ann


def test_validation_takes_the_same(ann):
    for given in (ann, Ref(Customer, ann.id), ann.id):
        assert Order.model_validate({"customer": given}).customer.get() is ann


def test_what_is_no_key_is_refused_in_pydantics_way(ann):
    with pytest.raises(ValidationError) as caught:
        Order(customer=5.5)
    assert [error["loc"] for error in caught.value.errors()] == [("customer",)]
    order = Order(customer=ann)
    with pytest.raises(ValidationError):
        order.customer = None
    with pytest.raises(ValidationError):
        order.customer = ["a"]
    assert order.customer.get() is ann
    assert not order.is_changed


@pytest.mark.parametrize("other", [Supplier(), Vip(), Ref(Supplier, "1")])
def test_what_refers_to_another_class_is_refused(other):
    with pytest.raises(ValidationError, match=r"entity of Customer.*got .*(Supplier|Vip)"):
        Order(customer=other)


def test_none_where_it_is_allowed(ann):
    order = Order(customer=ann, substitute=None)
    assert order.substitute is None
    order.substitute = ann
    assert order.substitute == order.customer
    order.substitute = None
    assert order.substitute is None
    assert order.model_dump()["substitute"] is None


def test_the_key_has_the_type_of_the_key_field():
    class Sale(Entity):
        numbered: Ref[Numbered] | None = None
        coded: Ref[Coded] | None = None
        unique: Ref[Unique] | None = None

    key = uuid.uuid4()
    sale = Sale(numbered="5", coded="abc", unique=str(key))
    assert (sale.numbered.key, sale.coded.key, sale.unique.key) == (5, "abc", key)
    assert json.loads(sale.model_dump_json()) == {
        "id": sale.id,
        "numbered": 5,
        "coded": "abc",
        "unique": str(key),
    }
    with pytest.raises(ValidationError, match="at least 3 characters"):
        Sale(coded="a")
    with pytest.raises(ValidationError, match="valid integer"):
        sale.numbered = "five"
    with pytest.raises(ValidationError, match="Numbered has no key yet: save it first"):
        Sale(numbered=Numbered())


def test_numbers_and_uuids_become_text_as_with_get(ann):
    key = uuid.uuid4()
    assert Order(customer=5).customer.key == "5"
    assert Order(customer=key).customer.key == str(key)


def test_enums_are_keys_too():
    class Country(enum.Enum):
        NORWAY = "no"

    class Office(Entity):
        country: Country = Field(primary_key=True)

    class Desk(Entity):
        office: Ref[Office]

    oslo = Office(country="no").save()
    assert Desk(office=oslo).office.key is Country.NORWAY
    assert Desk(office="no").save().office.get() is oslo
    assert Desk.where(office=oslo).count() == 1


def test_a_key_may_itself_be_a_reference(ann):
    class Profile(Entity):
        customer: Ref[Customer] = Field(primary_key=True)
        text: str = ""

    class Badge(Entity):
        profile: Ref[Profile]

    profile = Profile(customer=ann).save()
    assert Profile.get(ann.id) is profile
    assert Profile.get(profile.customer) is profile
    badge = Badge(profile=profile)
    assert badge.profile.key == ann.id
    assert badge.profile.get().customer.get() is ann


# --- What it is in dumps and copies -----------------------------------------------------------------------------


def test_dumps_have_the_key_and_are_read_back(ann):
    order = Order(customer=ann)
    assert order.model_dump() == {"id": order.id, "customer": ann.id, "substitute": None, "tags": []}
    assert json.loads(order.model_dump_json())["customer"] == ann.id
    assert dict(order)["customer"] == ann.id
    for back in (
        Order.model_validate(order.model_dump()),
        Order.model_validate_json(order.model_dump_json()),
        decode(Order, encode(order)),
        *decode(list[Order], encode([order])),
    ):
        assert back == order
        assert back.customer.get() is ann


def test_the_json_schema_is_that_of_the_key():
    properties = Order.model_json_schema()["properties"]
    assert properties["customer"] == {"title": "Customer", "type": "string"}
    assert Order.model_json_schema(mode="serialization")["properties"]["customer"] == properties["customer"]


def test_copies_and_pickles_carry_the_key_alone(ann):
    order = Order(customer=ann, tags=["new"])
    blob = pickle.dumps(order)
    assert b"Ann" not in blob
    for back in (pickle.loads(blob), copy.copy(order), copy.deepcopy(order), order.model_copy()):
        assert back == order
        assert back.customer == order.customer
    reference = order.customer
    for back in (pickle.loads(pickle.dumps(reference)), copy.copy(reference), copy.deepcopy(reference)):
        assert back == reference
        assert hash(back) == hash(reference)
    assert b"Ann" not in pickle.dumps(reference)


def test_a_copy_with_another_customer(ann):
    bob = Customer(name="Bob").save()
    order = Order(customer=ann).save()
    copied = order.model_copy(update={"customer": bob})
    assert copied.customer.get() is bob
    assert copied.changes == {"customer": (ann.id, bob.id)}


def test_references_are_equal_by_class_and_key(ann):
    assert Ref(Customer, "1") == Ref(Customer, "1")
    assert Ref(Customer, "1") != Ref(Customer, "2")
    assert Ref(Customer, "1") != Ref(Supplier, "1")
    assert Ref(Customer, "1") != "1"
    assert len({Ref(Customer, "1"), Ref(Customer, "1"), Ref(Supplier, "1")}) == 2
    assert repr(Ref(Customer, "1")) == "Ref(Customer, '1')"


# --- Changes ----------------------------------------------------------------------------------------------------


def test_changes_tell_keys_and_the_same_key_is_no_change(ann):
    bob = Customer(name="Bob").save()
    order = Order(customer=ann).save()
    order.customer = Ref(Customer, ann.id)
    order.customer = ann.id
    order.customer = ann
    assert not order.is_changed
    order.customer = bob
    assert order.changes == {"customer": (ann.id, bob.id)}
    assert order.original("customer") == ann.id
    order.revert_changes()
    assert order.customer.get() is ann
    order.customer = bob
    order.save()
    assert order.previous_changes == {"customer": (ann.id, bob.id)}


def test_an_order_made_with_an_entity_is_tracked_like_any_other(ann):
    order = Order(customer=ann, tags=["a"]).save()
    order.tags.append("b")
    assert changes.of(order) == {"tags": (["a"], ["a", "b"])}
    order.revert_changes()
    assert order.tags == ["a"]


def test_the_given_fields_are_known(ann):
    assert Order(customer=ann).model_fields_set == {"customer"}
    order = Order(customer=ann)
    order.substitute = ann
    assert order.model_fields_set == {"customer", "substitute"}


# --- Getting ----------------------------------------------------------------------------------------------------


async def aget(reference: Ref[Any]) -> Any:
    return await reference.aget()


def test_a_key_that_nobody_has(ann):
    import asyncio

    order = Order(id="o1", customer="nobody")
    for attempt in (lambda: order.customer.get(), lambda: asyncio.run(aget(order.customer))):
        with pytest.raises(
            EntityNotFound, match=r"no Customer has the key 'nobody', to which Order.customer of 'o1'"
        ) as caught:
            attempt()
        assert caught.value.entity_class is Customer
        assert caught.value.key == "nobody"
    with pytest.raises(EntityNotFound, match="^no Customer has the key 'nobody'$"):
        Ref(Customer, "nobody").get()


def test_an_entity_that_is_not_stored_comes_along():
    new = Customer(name="new")
    order = Order(customer=new)
    assert order.customer.get() is new
    assert Order(customer=order.customer).customer.get() is new
    other = Order(customer="nobody")
    other.customer = order.customer
    assert other.customer.get() is new


def test_an_entity_comes_along_only_as_long_as_it_has_the_key(ann):
    new = Customer(name="new")
    order = Order(customer=new)
    order.customer = ann.id
    assert order.customer.get() is ann
    moved = Customer(id="before")
    order = Order(customer=moved)
    moved.id = "after"
    with pytest.raises(EntityNotFound):
        order.customer.get()


def test_nothing_that_came_along_shows(ann):
    order, plain = Order(id="1", customer=ann), Order(id="1", customer=ann.id)
    assert order == plain
    assert order.model_dump() == plain.model_dump()
    assert vars(order) == vars(plain)
    assert not order.is_changed


def test_a_shared_record_does_not_hold_what_came_along():
    """Of an order that lives on in memory, an entity from a database would never be read again."""
    import gc

    outside = MemoryRepo(isolated=True)

    class Client(Entity, backend=outside):
        name: str

    class Deal(Entity):
        client: Ref[Client]

    client = Client(name="before").save()
    deal = Deal(client=client).save()
    assert deal.client.get() is client
    key = client.id
    del client
    gc.collect()
    later = Client.get(key)
    later.name = "after"
    later.save()
    assert Deal.get(deal.id).client.get().name == "after"


def test_refreshing_forgets_what_came_along():
    class Client(Entity, backend=MemoryRepo(isolated=True)):
        name: str

    class Deal(Entity, backend=MemoryRepo(isolated=True)):
        client: Ref[Client]

    client = Client(name="Ann").save()
    deal = Deal(client=client).save()
    assert deal.client.get() is client
    assert deal.refresh().client.get() is not client


# --- Where it is declared ---------------------------------------------------------------------------------------


class Node(Entity):
    parent: "Ref[Node] | None" = None
    friend: Ref["Friend"] | None = None


class Friend(Entity):
    node: Ref[Node] | None = None
    other: "Ref[Friend] | None" = None


def test_classes_that_refer_to_themselves_and_to_one_another():
    root = Node().save()
    leaf = Node(parent=root).save()
    friend = Friend(node=leaf).save()
    leaf.friend = friend
    assert leaf.parent.get() is root
    assert leaf.friend.get().node.get() is leaf
    assert Node.where(parent=root).all() == [leaf]


def test_classes_of_a_function():
    class Later(Entity):
        earlier: Ref["Earlier"]

    class Earlier(Entity):
        name: str = ""

    earlier = Earlier().save()
    assert Later(earlier=earlier).earlier.get() is earlier


def test_a_subclass_has_it_too_and_may_declare_it_anew(ann):
    class Rush(Order):
        fee: int = 1

    class Plain(Order):
        customer: str

    class Other(Order):
        customer: Ref[Supplier]

    assert Rush(customer=ann).customer.get() is ann
    assert Plain(customer="Ann").customer == "Ann"
    assert Other(customer="s").customer == Ref(Supplier, "s")
    assert Rush.where(customer=ann).count() == 0


def test_it_works_in_other_models_lists_and_dictionaries(ann):
    class Item(ValueObject):
        customer: Ref[Customer]

    class Out(BaseModel):
        customer: Ref[Customer]

    class Group(Entity):
        members: list[Ref[Customer]] = []
        named: dict[str, Ref[Customer]] = {}
        item: Item | None = None

    bob = Customer(name="Bob").save()
    group = Group(members=[ann, bob.id], named={"a": ann}, item={"customer": ann}).save()
    assert [member.get() for member in group.members] == [ann, bob]
    assert group.named["a"].get() is ann
    assert group.item.customer.get() is ann
    dumped = {"members": [ann.id, bob.id], "named": {"a": ann.id}, "item": {"customer": ann.id}}
    assert group.model_dump(exclude={"id"}) == dumped
    assert json.loads(group.model_dump_json(exclude={"id"})) == dumped
    assert Group.model_validate(group.model_dump()) == group
    group.members.append(Ref(Customer, ann))
    assert set(group.changes) == {"members"}
    assert Group.where(Group.members.contains(bob)).count() == 1
    assert Out.model_validate(Order(customer=ann), from_attributes=True).customer.get() is ann
    assert TypeAdapter(Ref[Customer]).validate_json(f'"{ann.id}"').get() is ann


def test_validators_of_the_field_see_references(ann):
    seen: list[object] = []

    class Checked(Entity):
        customer: Ref[Customer] | None = None

        @field_validator("customer")
        @classmethod
        def look(cls, value: object) -> object:
            seen.append(value)
            return value

    checked = Checked(customer=ann)
    assert seen == [Ref(Customer, ann.id)]
    assert checked.customer.get() is ann
    assert checked.model_dump()["customer"] == ann.id
    assert Checked.model_json_schema()["properties"]["customer"]["anyOf"][0] == {"type": "string"}


def test_aliases_and_defaults(ann):
    class Aliased(Entity):
        customer: Ref[Customer] = Field("nobody", alias="customerId")

    new = Customer(name="new")
    assert Aliased(customerId=new).customer.get() is new
    assert Aliased().customer.key == "nobody"
    assert Aliased(customerId=ann).model_dump(by_alias=True)["customerId"] == ann.id


def test_a_frozen_field(ann):
    class Receipt(Entity):
        customer: Ref[Customer] = Field(frozen=True)

    receipt = Receipt(customer=ann)
    with pytest.raises(ValidationError, match="frozen"):
        receipt.customer = ann
    assert receipt.customer.get() is ann


def test_a_constructor_of_ones_own(ann):
    class Custom(Entity):
        customer: Ref[Customer]

        def __init__(self, customer: Any, **data: Any) -> None:
            super().__init__(customer=customer, **data)

    assert Custom(ann).save().customer.get() is ann


def test_what_cannot_be_declared():
    with pytest.raises(ConfigurationError, match="class of entities, not to <class 'int'>"):

        class A(Entity):
            other: Ref[int]

    with pytest.raises(ConfigurationError, match=r"write Ref\[Customer\]"):

        class B(Entity):
            other: Ref

    with pytest.raises(ConfigurationError, match=r"C.other says ondelete='EXPLODE': it is one of 'RESTRICT'"):

        class C(Entity):
            other: Ref[Customer] = Field(ondelete="EXPLODE")

    with pytest.raises(ConfigurationError, match=r"D.other .*cannot be None: declare it as Ref\[Customer\] \| None"):

        class D(Entity):
            other: Ref[Customer] = Field(ondelete="SET NULL")

    with pytest.raises(ConfigurationError, match=r"E.other .*foreign_key='customer.id'.*leave it out"):

        class E(Entity):
            other: Ref[Customer] = Field(foreign_key="customer.id")


def test_the_whole_class_keeps_the_fast_lane():
    explained = explain(Order)
    assert set(explained.operations.values()) == {None}
    assert {lane.reason for lane in explained.fields} == {None}

    class Rush(Order):
        fee: int = 1

    class Text(Entity):
        customer: str
        substitute: str | None = None
        tags: list[str] = []

    assert explain(Rush).layout == explained.layout == explain(Text).layout


def test_deleting_the_attribute(ann):
    order = Order(customer=ann)
    del order.customer
    with pytest.raises(AttributeError, match="'Order' object has no attribute 'customer'"):
        order.customer  # noqa: B018
    object.__setattr__(order, "customer", ann.id)
    assert order.customer.get() is ann
