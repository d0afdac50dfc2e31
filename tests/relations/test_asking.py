"""Queries by a Ref field take entities, references and keys, over every backend."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nitro import Entity, Field, MemoryRepo, Ref, UnknownFieldError, UnsupportedQuery, ValueObject, col


@pytest.fixture
def orders(domain):
    """Ann has two orders, Bob has one."""
    ann = domain.Customer(id="a", name="Ann").save()
    bob = domain.Customer(id="b", name="Bob").save()
    domain.Order.save_all(
        [
            domain.Order(id="1", customer=ann),
            domain.Order(id="2", customer=bob),
            domain.Order(id="3", customer=ann, status="placed"),
        ]
    )
    return domain


def keys(query):
    return [entity.id for entity in query]


def test_equal(orders):
    Order, ann = orders.Order, orders.Customer.get("a")
    for asked in (ann, Ref(orders.Customer, "a"), "a", Order.get("1").customer):
        assert keys(Order.where(customer=asked)) == ["1", "3"]
        assert keys(Order.where(Order.customer == asked)) == ["1", "3"]
        assert keys(Order.where(Order.customer != asked)) == ["2"]
        assert keys(Order.where(customer__eq=asked, status="placed")) == ["3"]
    assert keys(Order.where(customer=orders.Customer(name="new"))) == []


def test_one_of_several(orders):
    Order, Customer = orders.Order, orders.Customer
    assert keys(Order.where(Order.customer.in_(Customer.all()))) == ["1", "2", "3"]
    assert keys(Order.where(Order.customer.in_([Customer.get("b"), "c"]))) == ["2"]
    assert keys(Order.where(customer__in=["a", Ref(Customer, "b")]).limit(2)) == ["1", "2"]
    assert keys(Order.where(Order.customer.in_([]))) == []


def test_none(domain):
    Customer = domain.Customer
    company = domain.Company(name="Acme").save()
    Customer.save_all([Customer(id="a", name="Ann", company=company), Customer(id="b", name="Bob")])
    assert keys(Customer.where(Customer.company.is_null())) == ["b"]
    assert keys(Customer.where(company=None)) == ["b"]
    assert keys(Customer.where(~Customer.company.is_null())) == ["a"]
    assert Customer.get("b").company is None
    assert Customer.get("a").company.get().name == "Acme"


def test_in_order_by_pages_and_groups(orders):
    Order = orders.Order
    assert keys(Order.where().order_by("-customer", "id")) == ["2", "1", "3"]
    assert keys(Order.where().order_by(Order.customer).limit(1)) == ["1"]
    page = Order.where().order_by("customer").page(limit=2)
    assert keys(page) == ["1", "3"]
    assert keys(Order.where().order_by("customer").page(limit=2, after=page.next_cursor)) == ["2"]
    assert Order.where().group_by("customer").count() == {"a": 2, "b": 1}
    assert Order.where().max("customer") == "b"


def test_updates(orders):
    Order, bob = orders.Order, orders.Customer.get("b")
    assert Order.where(status="placed").update(customer=bob) == 1
    assert Order.get("3").customer.get().name == "Bob"
    assert keys(Order.where(customer=bob)) == ["2", "3"]


def test_a_loaded_order_can_be_given_another_customer(orders):
    Order, bob = orders.Order, orders.Customer.get("b")
    order = Order.get("1")
    order.customer = bob
    assert order.changes == {"customer": ("a", "b")}
    order.save()
    again = Order.get("1")
    assert again.customer.key == "b"
    assert not again.is_changed


def test_an_index_answers_and_follows():
    class Customer(Entity):
        name: str = ""

    class Order(Entity, backend=MemoryRepo()):
        customer: Ref[Customer] | None = Field(None, index=True)
        receipt: Ref[Customer] | None = Field(None, unique=True)

    ann, bob = Customer().save(), Customer().save()
    order = Order(customer=ann).save()
    assert str(Order.where(customer=ann).explain()) == "index customer (1 rows)"
    order.customer = bob
    assert Order.where(customer=ann).count() == 0
    assert Order.where(customer=bob).all() == [order]
    order.revert_changes()
    assert Order.where(customer=ann).all() == [order]
    del order.customer
    assert Order.__nitro_backend__.check() == []


@pytest.mark.parametrize("kind", ["live", "isolated", "sqlite", "postgresql"])
def test_references_in_lists_and_in_other_models(kind, repository_of_kind, with_empty_tables):
    repository = repository_of_kind(kind)

    class Tag(Entity, backend=repository):
        __tablename__ = "shop_tags"
        name: str = ""

    class Part(ValueObject):
        tag: Ref[Tag]

    class Post(Entity, backend=repository):
        __tablename__ = "shop_posts"
        tags: list[Ref[Tag]] = []
        parts: list[Part] = []
        main: Part | None = None

    with_empty_tables(SimpleNamespace(Tag=Tag, Post=Post))
    red, blue = Tag(id="red").save(), Tag(id="blue").save()
    Post.save_all([Post(id="1", tags=[red], parts=[{"tag": blue}]), Post(id="2", tags=[blue, red], main={"tag": red})])
    assert keys(Post.where(Post.tags.contains(blue))) == ["2"]
    assert keys(Post.where(Post.tags.contains("red"))) == ["1", "2"]
    assert keys(Post.where(Post.parts.any(tag=blue))) == ["1"]
    assert keys(Post.where(Post.parts.any(Part.tag.in_([blue, red])))) == ["1"]
    assert keys(Post.where(Post.main.tag == red)) == ["2"]
    assert Post.get("2").tags == [Ref(Tag, "blue"), Ref(Tag, "red")]
    assert Post.get("2").main.tag.get().id == "red"


def test_what_cannot_be_asked(orders):
    Order = orders.Order
    with pytest.raises(
        UnsupportedQuery, match=r"Order.customer.name: .*key of a Customer.*Order.customer.in_\(Customer"
    ):
        col(Order.customer).name  # noqa: B018
    with pytest.raises(UnsupportedQuery, match="key of a Customer"):
        Order.where(customer__name="Ann")
    with pytest.raises(UnsupportedQuery, match="Order.customer holds"):
        Order.where(customer=5.5)
    with pytest.raises(UnsupportedQuery, match="entity of Customer.*got an entity of Order"):
        Order.where(customer=Order.get("1"))
    with pytest.raises(UnknownFieldError, match="did you mean 'customer'"):
        Order.where(custommer="a")


PROGRAM = """
from nitro import Entity, Field, Ref, explain

class Customer(Entity):
    pass

class Order(Entity):
    customer: Ref[Customer] | None = Field(None, index=True)
    payer: Ref[Customer] | None = None

ann, bob = Customer(id="a").save(), Customer(id="b").save()
orders = Order.save_all([Order(customer=ann, payer=bob), Order(customer=bob, payer=ann), Order()])
assert Order.where(customer=ann).all() == Order.where(payer=bob).all() == orders[:1]
assert Order.where().order_by("payer").all() == [orders[2], orders[1], orders[0]]
assert [order.payer and order.payer.get() for order in orders] == [bob, ann, None]
print(explain(Order).layout)
"""


@pytest.mark.parametrize("layout", ["default", "public"])
def test_however_instances_keep_their_values(layout):
    environment = {name: value for name, value in os.environ.items() if name != "NITRO_LAYOUT"}
    if layout == "public":
        environment["NITRO_LAYOUT"] = layout
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip() == "public") == (layout == "public")
