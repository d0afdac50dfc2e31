"""`with_` loads what entities refer to, with one question for each class."""

import asyncio
import gc
from collections import Counter

import pytest

from nitro import Entity, EntityNotFound, Many, MemoryRepo, Ref, Repository, UnknownFieldError, many


class Counting(MemoryRepo):
    """Copies in and out, as a database does, and counts what it is asked."""

    def __init__(self, isolated: bool = True) -> None:
        super().__init__(isolated=isolated)
        self.asked: Counter[str] = Counter()

    def get(self, entity_class, key):
        self.asked[f"get {entity_class.__name__}"] += 1
        return super().get(entity_class, key)

    def get_many(self, entity_class, keys):
        self.asked[f"get_many {entity_class.__name__}"] += 1
        found = (MemoryRepo.get(self, entity_class, key) for key in keys)
        return [entity for entity in found if entity is not None]

    def select(self, query):
        self.asked[f"select {query._class.__name__}"] += 1
        return super().select(query)

    def count(self, query):
        self.asked[f"count {query._class.__name__}"] += 1
        return super().count(query)

    def page(self, query, limit, after, total):
        self.asked[f"page {query._class.__name__}"] += 1
        return super().page(query, limit, after, total)


REPOSITORY = Counting()


class Company(Entity, backend=REPOSITORY):
    name: str


class Customer(Entity, backend=REPOSITORY):
    name: str
    company: Ref[Company] | None = None
    orders: Many["Order"] = many("customer")


class Order(Entity, backend=REPOSITORY):
    customer: Ref[Customer]
    payer: Ref[Customer] | None = None
    lines: Many["Line"] = many()


class Line(Entity, backend=REPOSITORY):
    order: Ref[Order]
    product: str


@pytest.fixture(autouse=True)
def stored():
    """Ten orders of five customers of one company, with two lines each."""
    REPOSITORY.clear()
    company = Company(name="Acme").save()
    customers = Customer.save_all([Customer(name=f"customer {i}", company=company) for i in range(5)])
    orders = Order.save_all([Order(id=f"{i}", customer=customers[i % 5], payer=customers[0]) for i in range(10)])
    Line.save_all([Line(order=order, product=product) for order in orders for product in ("tea", "cup")])
    REPOSITORY.asked.clear()


def look(orders):
    """What a page would show."""
    return [
        (order.customer.get().name, order.customer.get().company.get().name, [line.product for line in order.lines])
        for order in orders
    ]


WANTED = [(f"customer {i % 5}", "Acme", ["tea", "cup"]) for i in range(10)]

EVERYTHING = {"get_many Customer": 1, "get_many Company": 1, "select Line": 1}


def test_without_it_each_one_is_asked_for():
    assert look(Order.all()) == WANTED
    assert sum(REPOSITORY.asked.values()) == 41


@pytest.mark.parametrize(
    "names", [("customer.company", "lines"), ("lines", "customer", "customer.company"), ("customer__company", "lines")]
)
def test_all(names):
    assert look(Order.where().with_(*names).all()) == WANTED
    assert REPOSITORY.asked == {"select Order": 1, **EVERYTHING}


def test_a_loop():
    assert look(Order.where().with_("customer.company", "lines")) == WANTED
    assert REPOSITORY.asked == {"select Order": 1, **EVERYTHING}


def test_a_page():
    page = Order.where().order_by("id").with_("customer.company", "lines").page(limit=3)
    assert look(page) == WANTED[:3]
    assert REPOSITORY.asked == {"page Order": 1, **EVERYTHING}
    assert look(Order.where().with_("lines").order_by("id").page(limit=7, after=page.next_cursor)) == WANTED[3:]


def test_one_and_first():
    query = Order.where().with_("customer.company", "lines")
    assert (
        look([query.first(), query.where(id="1").one(), query.where(id="2").one_or_none()]) == WANTED[:1] + WANTED[1:3]
    )
    assert REPOSITORY.asked == {"select Order": 3, **dict.fromkeys(EVERYTHING, 3)}


def test_for_async_code():
    async def story():
        query = Order.where().with_("customer.company", "lines")
        yield await query.aall()
        yield [order async for order in query]
        yield (await query.apage(limit=10)).items
        yield [await query.offset(i).afirst() for i in range(10)]

    async def run():
        async for orders in story():
            REPOSITORY.asked.clear()
            for order, (name, company, products) in zip(orders, WANTED, strict=True):
                assert (await order.customer.aget()).name == name
                assert (await (await order.customer.aget()).company.aget()).name == company
                assert [line.product async for line in order.lines] == products
                assert await order.lines.acount() == 2
            assert REPOSITORY.asked == {}

    asyncio.run(run())


def test_two_fields_that_lead_to_one_class_are_one_question():
    orders = Order.where().with_("customer", "payer").all()
    assert {order.payer.get().name for order in orders} == {"customer 0"}
    assert orders[0].customer.get() is orders[0].payer.get()
    assert REPOSITORY.asked == {"select Order": 1, "get_many Customer": 1}


def test_what_was_loaded_knows_the_way_back():
    orders = Order.where().with_("lines").all()
    assert all(line.order.get() is order for order in orders for line in order.lines)
    assert REPOSITORY.asked == {"select Order": 1, "select Line": 1}


def test_counting_and_filtering():
    (order,) = Order.where(id="1").with_("lines")
    REPOSITORY.asked.clear()
    assert order.lines.count() == 2
    assert REPOSITORY.asked == {}
    assert [line.product for line in order.lines.where(product="tea")] == ["tea"]
    assert REPOSITORY.asked == {"select Line": 1}


def test_field_references_name_relations_too():
    orders = Order.where().with_(Order.customer, Order.lines).all()
    REPOSITORY.asked.clear()
    assert [order.customer.get().name for order in orders] == [name for name, _, _ in WANTED]
    assert REPOSITORY.asked == {}


def test_from_the_other_side():
    customers = Customer.where().with_("orders.lines").all()
    assert sum(len(order.lines.all()) for customer in customers for order in customer.orders) == 20
    assert REPOSITORY.asked == {"select Customer": 1, "select Order": 1, "select Line": 1}


def test_a_query_is_not_changed_and_keeps_what_it_loads():
    plain = Order.where(id="1")
    query = plain.with_("customer")
    assert plain.first().customer._known() is None
    for further in (query.where(id="1"), query.order_by("id"), query.limit(1), query.offset(0), query.in_memory()):
        assert further.first().customer._known() is not None
        assert type(further) is type(query)
    assert repr(query.with_("lines", "customer.company")) == (
        "Order.where(Order.id == '1').with_('customer.company', 'lines')"
    )
    assert query.count() == 1
    assert query.exists()
    assert query.update(payer=None) == 1
    assert Line.where(order="1").with_("order").delete() == 2
    assert query.delete() == 1


def test_none_and_what_nobody_has():
    Order(id="x", customer="nobody").save()
    order = Order.where(id="x").with_("customer", "payer", "lines", "customer.company").one()
    assert order.payer is None
    assert order.lines.all() == []
    with pytest.raises(EntityNotFound, match="Order.customer of 'x'"):
        order.customer.get()
    assert Order.where(id="none").with_("customer", "lines").all() == []


def test_an_order_that_gets_another_customer():
    order = Order.where(id="1").with_("customer").one()
    other = Customer.where(name="customer 4").one()
    order.customer = other.id
    assert order.customer.get().name == "customer 4"


def test_the_loaded_neither_shows_nor_travels():
    import pickle

    plain, loaded = Order.where(id="1").one(), Order.where(id="1").with_("customer", "lines").one()
    assert plain == loaded
    assert plain.model_dump() == loaded.model_dump()
    assert pickle.loads(pickle.dumps(loaded)).customer._known() is None
    assert loaded.model_copy().customer._known() is None
    assert not loaded.is_changed
    loaded.save()
    assert Order.get("1").customer._known() is None


def test_what_is_no_relation():
    with pytest.raises(UnknownFieldError, match="did you mean 'customer'"):
        Order.where().with_("custommer")
    with pytest.raises(UnknownFieldError, match="did you mean 'lines'"):
        Order.where().with_("line")
    with pytest.raises(UnknownFieldError, match="Customer has no field 'name'; name is a field"):
        Order.where().with_("customer.name")
    with pytest.raises(TypeError, match="with_ takes relations of Order"):
        Order.where().with_(5)


def test_cycles_of_loaded_entities_go_away():
    import weakref

    orders = Order.where().with_("lines", "customer.orders").all()
    last = weakref.ref(orders[-1])
    del orders
    gc.collect()
    assert last() is None


# --- Over each backend ------------------------------------------------------------------------------------------


def test_over_every_backend(domain):
    company = domain.Company(name="Acme").save()
    customers = domain.Customer.save_all([domain.Customer(id=f"{i}", name=f"{i}", company=company) for i in range(3)])
    orders = domain.Order.save_all([domain.Order(id=f"{i}", customer=customers[i % 3]) for i in range(6)])
    domain.Line.save_all([domain.Line(order=order, product="tea") for order in orders])
    orders = domain.Order.where().with_("customer.company", "lines").all()
    assert [order.customer.get().name for order in orders] == ["0", "1", "2"] * 2
    assert {order.customer.get().company.get().name for order in orders} == {"Acme"}
    assert [[line.product for line in order.lines] for order in orders] == [["tea"]] * 6

    async def story():
        return [
            (await order.customer.aget()).name
            for order in await domain.Order.where().with_("customer").order_by("id").limit(2).aall()
        ]

    assert asyncio.run(story()) == ["0", "1"]


def test_shared_records_hold_what_was_loaded_no_longer_than_the_result():
    """Else an order that lives on in memory would show for ever what the database had when somebody looked."""
    outside = Counting()

    class Client(Entity, backend=outside):
        name: str

    class Deal(Entity, backend=MemoryRepo()):
        client: Ref[Client]

    client = Client(id="c", name="before").save()
    Deal(id="d", client="c").save()
    outside.asked.clear()
    deals = Deal.where().with_("client").all()
    assert [deal.client.get().name for deal in deals] == ["before"]
    assert outside.asked == {"get_many Client": 1}
    client.name = "after"
    client.save()
    del deals
    gc.collect()
    assert Deal.get("d").client.get().name == "after"


def test_a_live_order_shows_lines_that_came_later():
    class Deal(Entity, backend=MemoryRepo()):
        parts: Many["Part"] = many()

    class Part(Entity, backend=MemoryRepo()):
        deal: Ref[Deal]

    deal = Deal().save()
    (same,) = Deal.where().with_("parts").all()
    part = Part(deal=deal).save()
    assert same.parts.all() == [part]


def test_a_backend_of_five_methods_is_enough():
    class Small(Repository):
        def __init__(self):
            self.inner = MemoryRepo(isolated=True)

        def get(self, entity_class, key):
            return self.inner.get(entity_class, key)

        def select(self, query):
            return query.among(self.inner.select(query.where().limit(None)))

        def save(self, entity, *, ttl=...):
            self.inner.save(entity)

        def delete(self, entity):
            self.inner.delete(entity)

        def refresh(self, entity):
            self.inner.refresh(entity)

    class Client(Entity, backend=Small()):
        deals: Many["Deal"] = many()

    class Deal(Entity, backend=Client.__nitro_backend__):
        client: Ref[Client]

    client = Client().save()
    Deal(client=client).save()
    (deal,) = Deal.where().with_("client.deals")
    assert deal.client.get() == client
    assert deal.client.get().deals.all() == [deal]
