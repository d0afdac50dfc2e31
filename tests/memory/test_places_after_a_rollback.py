"""What a unit of work has deleted or changed and then takes back stands where it stood, for queries of every kind."""

from random import Random

import pytest

from nitro import Entity, Field, MemoryRepo, UnitOfWork


class GivenUp(Exception):
    pass


@pytest.mark.parametrize("isolated", [False, True])
def test_entities_keep_their_order(isolated: bool) -> None:
    repository = MemoryRepo(isolated=isolated)

    class Seat(Entity, backend=repository):
        row: str = Field("a", index=True)
        number: int = Field(unique=True)

    for number in range(6):
        Seat(id=str(number), number=number).save()
    before = [seat.id for seat in Seat.all()]
    with pytest.raises(GivenUp), UnitOfWork():
        Seat.get("2").delete()
        moved = Seat.get("3")
        moved.row = "b"
        moved.save()
        Seat(id="7", number=2).save()
        Seat.get("5").delete()
        raise GivenUp
    assert [seat.id for seat in Seat.all()] == before
    assert [seat.id for seat in Seat.where(row="a").all()] == before
    assert [seat.number for seat in Seat.where(Seat.number >= 1).order_by("number").all()] == [1, 2, 3, 4, 5]
    page = Seat.where().order_by("row").page(limit=3)
    rest = Seat.where().order_by("row").page(limit=3, after=page.next_cursor)
    assert [seat.id for seat in (*page.items, *rest.items)] == before
    assert repository.check() == []


@pytest.mark.parametrize("isolated", [False, True])
def test_so_many_are_deleted_that_their_places_are_given_away(isolated: bool) -> None:
    repository = MemoryRepo(isolated=isolated)

    class Ticket(Entity, backend=repository):
        number: int = Field(unique=True)

    count = 3000
    Ticket.save_all([Ticket(id=str(number), number=number) for number in range(count)])
    keys = [str(number) for number in range(count)]
    Random(5).shuffle(keys)
    with pytest.raises(GivenUp), UnitOfWork():
        for key in keys[: count - 10]:
            Ticket.get(key).delete()
        raise GivenUp
    assert repository.check() == []
    assert sorted(ticket.number for ticket in Ticket.all()) == list(range(count))
    assert Ticket.where(number=17).one().id == "17"
