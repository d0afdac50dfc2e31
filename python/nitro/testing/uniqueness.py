"""Values of which there is one; and entities that expire."""

from __future__ import annotations

import pytest

from nitro import Repository, UniqueViolation, UnsupportedQuery, changes

from .domain import Account, Order, Session, backend_name


class Uniqueness:
    @pytest.fixture
    def unique(self, repository: Repository) -> bool:
        """Whether the backend keeps values unique; one that does not refuses to store what asks for it."""
        if not repository.capabilities.unique:
            with pytest.raises(UnsupportedQuery, match=f"(?s){backend_name(repository)}.*email") as caught:
                Account(email="a@x").save()
            assert "Account" in str(caught.value)
            assert Account.all() == []
        return repository.capabilities.unique

    def test_a_new_one_with_a_taken_value(self, unique: bool) -> None:
        if not unique:
            return
        ann = Account(email="a@x").save()
        stranger = Account(email="a@x")
        with pytest.raises(UniqueViolation) as caught:
            stranger.save()
        error = caught.value
        assert (error.entity_class, error.field, error.value) == (Account, "email", "a@x")
        assert error.other in (None, ann.id)
        assert Account.all() == [ann]
        assert changes.version(stranger) == 0
        stranger.email = "b@x"
        stranger.save()
        assert Account.where().count() == 2

    def test_a_change_to_a_taken_value(self, unique: bool) -> None:
        if not unique:
            return
        Account(email="a@x").save()
        bob = Account(email="b@x").save()
        with pytest.raises(UniqueViolation):
            bob.email = "a@x"
            bob.save()
        assert {account.email for account in Account.all()} == {"a@x", "b@x"}
        changes.revert(bob)
        bob.email = "c@x"
        bob.save()
        Account(email="b@x").save()
        assert {account.email for account in Account.all()} == {"a@x", "b@x", "c@x"}

    def test_a_save_of_the_same_value_again(self, unique: bool) -> None:
        if not unique:
            return
        ann = Account(email="a@x", team="red", seat=1).save()
        ann.seat = 2
        ann.save()
        ann.save()
        assert Account.get(ann.id).seat == 2

    def test_several_fields_together(self, unique: bool) -> None:
        if not unique:
            return
        Account(team="red", seat=1).save()
        Account(team="red", seat=2).save()
        Account(team="blue", seat=1).save()
        with pytest.raises(UniqueViolation) as caught:
            Account(team="red", seat=1).save()
        assert (caught.value.field, caught.value.value) == ("team, seat", ("red", 1))
        assert Account.where().count() == 3

    def test_none_is_unique_to_nobody(self, unique: bool) -> None:
        if not unique:
            return
        for _ in range(3):
            Account(email=None, team="red", seat=None).save()
        assert Account.where().count() == 3

    def test_a_deleted_value_is_free(self, unique: bool) -> None:
        if not unique:
            return
        Account(email="a@x").save().delete()
        Account(email="a@x").save()
        assert Account.where().count() == 1

    def test_a_clash_among_many(self, unique: bool) -> None:
        if not unique:
            return
        with pytest.raises(UniqueViolation):
            Account.save_all([Account(email="a@x"), Account(email="b@x"), Account(email="a@x")])
        emails = [account.email for account in Account.all()]
        assert len(emails) == len(set(emails))


class Expiry:
    def advance(self, repository: Repository, seconds: float) -> None:
        """Lets so many seconds pass for the repository. A backend that declares `ttl` must say how."""
        raise NotImplementedError(
            f"{backend_name(repository)} declares ttl: give {type(self).__name__} a method `advance(self, repository, "
            "seconds)`, which moves the clock that it was made with"
        )

    def test_an_entity_expires(self, repository: Repository) -> None:
        if not repository.capabilities.ttl:
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                Order().save(ttl=5)
            assert Order.all() == []
            return
        short, long, ever = Order(name="short").save(ttl=10), Order(name="long").save(ttl=100), Order().save()
        self.advance(repository, 9)
        assert Order.where().count() == 3
        self.advance(repository, 2)
        assert Order.get_or_none(short.id) is None
        assert Order.get_many([short.id, long.id]) == [long]
        assert Order.where().count() == 2
        assert not Order.where(name="short").exists()
        self.advance(repository, 100)
        assert Order.all() == [ever]

    def test_a_class_says_how_long(self, repository: Repository) -> None:
        if not repository.capabilities.ttl:
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                Session().save()
            with pytest.raises(UnsupportedQuery, match=backend_name(repository)):
                Session.save_all([Session()])
            Session(user="kept").save(ttl=None)
            assert [session.user for session in Session.all()] == ["kept"]
            return
        session, kept = Session().save(), Session(user="kept").save(ttl=None)
        self.advance(repository, 50)
        session.user = "seen again"
        session.save()
        self.advance(repository, 50)
        assert Session.get(session.id).user == "seen again"
        self.advance(repository, 11)
        assert Session.all() == [kept]

    def test_what_has_expired_can_be_saved_as_a_new_one(self, repository: Repository) -> None:
        if not repository.capabilities.ttl:
            return
        order = Order(name="Ann").save(ttl=5)
        self.advance(repository, 6)
        assert Order.all() == []
        Order(id=order.id, name="another").save()
        self.advance(repository, 1000)
        assert Order.get(order.id).name == "another"
