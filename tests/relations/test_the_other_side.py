"""Many: the entities that refer to this one."""

import asyncio

import pytest

from nitro import ConfigurationError, Entity, Many, MemoryRepo, Ref, many


@pytest.fixture
def order(domain):
    customer = domain.Customer(name="Ann").save()
    order, other = domain.Order(customer=customer).save(), domain.Order(customer=customer).save()
    domain.Line.save_all(
        [
            domain.Line(id="1", order=order, product="tea"),
            domain.Line(id="2", order=other, product="tea"),
            domain.Line(id="3", order=order, product="cup"),
        ]
    )
    return order


def keys(entities):
    return [entity.id for entity in entities]


def test_all_of_them(order):
    assert keys(order.lines.all()) == ["1", "3"]
    assert keys(order.lines) == ["1", "3"]
    assert order.lines.count() == 2
    assert keys(order.lines.where(product="cup")) == ["3"]
    assert keys(order.lines.where().order_by("-id").limit(1)) == ["3"]


def test_for_async_code(order):
    async def story():
        assert keys(await order.lines.aall()) == ["1", "3"]
        assert await order.lines.acount() == 2
        assert [line.id async for line in order.lines] == ["1", "3"]
        assert await order.lines.where(product="tea").acount() == 1

    asyncio.run(story())


def test_it_follows_what_is_stored(order, domain):
    domain.Line(id="4", order=order).save()
    assert order.lines.count() == 3
    order.lines.where(product="tea").delete()
    assert keys(order.lines) == ["3", "4"]


def test_an_entity_that_is_not_stored_has_none(domain):
    assert domain.Order(customer="nobody").lines.all() == []


def test_it_is_no_field(order, domain):
    Order = domain.Order
    assert set(Order.model_fields) == {"id", "customer", "status"}
    assert set(order.model_dump()) == {"id", "customer", "status"}
    assert set(Order.model_json_schema()["properties"]) == {"id", "customer", "status"}
    assert "lines" not in order.model_dump_json()
    with pytest.raises((AttributeError, ValueError), match="lines"):
        order.lines = []
    assert repr(Order.lines) == "Order.lines"
    assert repr(order.lines) == f"Order.lines of {order.id!r}"
    with pytest.raises(TypeError, match="Order.lines is asked of an entity"):
        Order.lines.all()


class Team(Entity):
    players: Many["Player"]
    coaches: "Many[Coach]"
    named: "Many['Coach']" = many("second")


class Player(Entity):
    team: Ref[Team]


class Coach(Entity):
    team: Ref[Team]
    second: Ref[Team] | None = None


def test_it_is_declared_in_several_ways():
    team = Team().save()
    player, coach = Player(team=team).save(), Coach(team="none", second=team).save()
    assert team.players.all() == [player]
    assert team.named.all() == [coach]


def test_an_ambiguous_one_says_what_to_write():
    with pytest.raises(
        ConfigurationError, match=r'Coach refers to Team by team and second.*Many\[Coach\] = many\("team"\)'
    ):
        Team().coaches.all()


def test_one_that_nobody_refers_to_says_so():
    class Lonely(Entity):
        players: Many[Player] = many()
        others: Many[Player] = many("place")

    with pytest.raises(ConfigurationError, match=r"Lonely.players: Player has no .*Ref\[Lonely\]"):
        Lonely().players.all()
    with pytest.raises(ConfigurationError, match=r"Lonely.others: Player has no .*'place'"):
        Lonely().others.all()
    with pytest.raises(ConfigurationError, match=r"write players: Many\[Line\] = many\(\)"):

        class Untyped(Entity):
            players = many()


def test_a_subclass_and_a_base_class_have_their_own():
    class Base(Entity):
        items: Many["Item"] = many()

    class Special(Base):
        pass

    class Item(Entity):
        owner: Ref[Special]

    special = Special().save()
    item = Item(owner=special).save()
    assert special.items.all() == [item]
    with pytest.raises(ConfigurationError, match="Item has no"):
        Base().items.all()


def test_classes_may_be_defined_in_either_order():
    class Reply(Entity, backend=MemoryRepo()):
        post: Ref["Post"]

    class Post(Entity, backend=MemoryRepo()):
        replies: Many[Reply] = many()

    post = Post().save()
    reply = Reply(post=post).save()
    assert post.replies.all() == [reply]


def test_a_class_that_was_defined_again():
    class Owner(Entity):
        pets: Many["Pet"] = many()

    for _ in range(2):

        class Pet(Entity):
            owner: Ref[Owner]

    owner = Owner().save()
    pet = Pet(owner=owner).save()
    assert owner.pets.all() == [pet]


def test_it_leads_to_itself():
    class Folder(Entity):
        parent: "Ref[Folder] | None" = None
        children: "Many[Folder]" = many()

    root = Folder().save()
    children = [Folder(parent=root).save(), Folder(parent=root).save()]
    assert root.children.all() == children
    assert children[0].children.count() == 0
