"""Lines that type checkers must refuse, each marked. Never run; `test_type_checkers.py` has it checked."""

from nitro import Entity, Field, Many, Ref, events, many, off, on


class Order(Entity):
    name: str
    total: float = 0.0
    status: str = Field(default="draft", index=True)


order = Order(name="Ann")

Order(total=5.0)  # refused
Order(name=5)  # refused
order.total = "much"  # refused
order.status = 5  # refused
number: int = Order.get("1")  # refused
name: str = Order.where().first().name  # refused
text: str = Order.where().all()  # refused
orders: list[int] = Order.where().page().items  # refused
Order.where().page(size=5)  # refused
Order.where().limit("five")  # refused
colour = Order.get("1").colour  # refused
order.save(seconds=5)  # refused
Order.save_all([5])  # refused


class Customer(Entity):
    name: str
    sales: Many["Sale"] = many()


class Sale(Entity):
    customer: Ref[Customer]


sale = Sale(customer="1")

Sale()  # refused
Sale(customer=order)  # refused
sale.customer = order  # refused
shade = sale.customer.get().colour  # refused
number = 5 + sale.customer.get()  # refused
Customer(name="Ann", sales=[])  # refused
sales: list[Customer] = Customer(name="Ann").sales.all()  # refused
Ref[int]  # refused


@on("order-placed")
def congratulate(placed: Order) -> int:
    return len(placed.name)


congratulate()  # refused
text = "" + congratulate(order)  # refused
on(5)  # refused
on("order-placed", when="total > 5")  # refused
on("order-placed", once="yes")  # refused
off("congratulate")  # refused
events.muted(5)  # refused
