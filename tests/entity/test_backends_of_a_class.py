"""Which backend a class has."""

from typing import Any

import pytest

from nitro import ConfigurationError, Entity, MemoryRepo
from nitro.repository import Capabilities, Repository, repository_of


class Recording(Repository):
    """A backend that a user wrote: it keeps a journal beside the objects."""

    capabilities = Capabilities(live=True)

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.inner = MemoryRepo()

    def get(self, entity_class: Any, key: Any) -> Any:
        self.journal.append(f"get {key}")
        return self.inner.get(entity_class, key)

    def select(self, query: Any) -> list[Any]:
        self.journal.append(f"select {query!r}")
        return self.inner.select(query)

    def save(self, entity: Any, *, ttl: Any = ...) -> None:
        self.journal.append("save")
        self.inner.save(entity, ttl=ttl)

    def delete(self, entity: Any) -> None:
        self.journal.append("delete")
        self.inner.delete(entity)

    def refresh(self, entity: Any) -> None:
        self.journal.append("refresh")
        self.inner.refresh(entity)


def test_memory_where_nothing_is_said():
    class Order(Entity):
        pass

    assert isinstance(repository_of(Order), MemoryRepo)


def test_a_class_in_the_class_body():
    class Order(Entity):
        _persistence_backend_class = Recording
        x: int = 0

    assert isinstance(repository_of(Order), Recording)
    Order().save()
    assert repository_of(Order).journal[-1] == "save"
    assert Order._persistence_backend_class is Recording
    assert list(Order.model_fields) == ["id", "x"]
    assert Order().model_dump().keys() == {"id", "x"}
    assert Order.__private_attributes__ == {}


def test_an_instance_in_the_class_body_and_as_a_keyword():
    repository = Recording()

    class Body(Entity):
        _persistence_backend_class = repository

    class Keyword(Entity, backend=repository):
        pass

    assert repository_of(Body) is repository_of(Keyword) is repository
    assert Body._persistence_backend_class is repository


def test_a_class_as_a_keyword():
    class Order(Entity, backend=Recording):
        pass

    assert isinstance(repository_of(Order), Recording)


def test_with_an_annotation_in_the_class_body():
    class Order(Entity):
        _persistence_backend_class: Any = Recording

    assert isinstance(repository_of(Order), Recording)
    assert Order.__private_attributes__ == {}


def test_backends_named_as_a_class_are_shared_and_instances_are_not():
    class One(Entity, backend=Recording):
        pass

    class Two(Entity, backend=Recording):
        pass

    class Own(Entity, backend=Recording()):
        pass

    assert repository_of(One) is repository_of(Two)
    assert repository_of(Own) is not repository_of(One)


def test_backends_are_inherited_and_replaced():
    first, second = Recording(), Recording()

    class Base(Entity, backend=first):
        pass

    class Child(Base):
        x: int = 0

    class Other(Child):
        _persistence_backend_class = second

    class Back(Other, backend=MemoryRepo):
        pass

    assert repository_of(Child) is first
    assert repository_of(Other) is second
    assert isinstance(repository_of(Back), MemoryRepo)
    assert repository_of(Base) is first


def test_a_backend_given_later():
    class Order(Entity):
        x: int = 0

    repository = Recording()
    Order._persistence_backend_class = repository
    order = Order().save()
    assert repository.journal == ["save"]
    assert Order.get(order.id) is order


def test_a_backend_by_a_mixin():
    repository = Recording()

    class Stored(Entity, backend=repository):
        pass

    class Named(Entity):
        name: str = "a"

    class Order(Stored, Named):
        pass

    assert repository_of(Order) is repository


def test_naming_it_twice_is_refused():
    with pytest.raises(ConfigurationError, match="Order names its backend twice"):

        class Order(Entity, backend=MemoryRepo):
            _persistence_backend_class = Recording


NO_BACKENDS = {
    "a number": 5,
    "a text": "memory",
    "an object": object(),
    "object": object,
    "dict": dict,
    "list": list,
    "int": int,
    "a function": lambda: None,
    "Entity": Entity,
}


@pytest.mark.parametrize("wrong", NO_BACKENDS.values(), ids=NO_BACKENDS)
def test_what_is_no_backend_is_refused_with_what_to_do(wrong):
    class Order(Entity, backend=wrong):
        pass

    for use in (lambda: Order().save(), lambda: Order.get("1"), lambda: Order.all(), lambda: Order.where()):
        with pytest.raises(ConfigurationError, match=r"Order.*MemoryRepo"):
            use()


def test_memory_repositories_are_repositories():
    assert isinstance(MemoryRepo(), Repository)
    assert isinstance(Recording(), Repository)
    assert MemoryRepo().capabilities == Capabilities(
        live=True, versions=True, unique=True, ttl=True, ordering=True, paths=True, locks=True, undo=True
    )


def test_every_verb_goes_to_the_backend():
    repository = Recording()

    class Order(Entity, backend=repository):
        name: str = "a"

    order = Order(id="1").save()
    Order.get("1")
    Order.get_or_none("2")
    Order.get_many(["1", "2"])
    Order.all()
    Order.where(name="a").all()
    order.refresh()
    order.delete()
    Order.create(id="3")
    assert repository.journal == [
        "save", "get 1", "get 2", "get 1", "get 2", "select Order.where()",
        "select Order.where(Order.name == 'a')", "refresh", "delete", "save",
    ]  # fmt: skip


def test_the_line_changes_nothing_else():
    class Memory(Entity):
        name: str = "a"

    class Kept(Entity, backend=Recording()):
        name: str = "a"

    assert Memory.model_json_schema()["properties"] == Kept.model_json_schema()["properties"]
    assert set(dir(Memory(id="1"))) == set(dir(Kept(id="1")))
    assert Memory(id="1").model_dump_json() == Kept(id="1").model_dump_json()


def test_a_backend_class_that_cannot_be_made_says_why():
    class Demanding(Recording):
        def __init__(self, url: str) -> None:
            super().__init__()

    class Order(Entity, backend=Demanding):
        pass

    with pytest.raises((TypeError, ConfigurationError), match="url"):
        Order.all()
