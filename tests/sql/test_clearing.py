"""`clear` empties tables, those that refer to others first."""

from collections.abc import Iterator

import pytest

import nitro
from nitro import ConstraintViolation, Entity, Ref, SchemaMismatch, SQLModelBackend
from nitro.backends.sql.database import forget


class Rack(Entity):
    __tablename__ = "rack_of_clearing"

    name: str = ""


class Volume(Entity):
    __tablename__ = "volume_of_clearing"

    rack: Ref[Rack]


class Missing(Entity):
    __tablename__ = "missing_of_clearing"


@pytest.fixture(params=["sqlite", "postgresql"])
def repository(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLModelBackend]:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    made = SQLModelBackend(url)
    for entity_class in (Rack, Volume, Missing):
        monkeypatch.setattr(entity_class, "__nitro_backend__", made)
    nitro.create_all(Rack, Volume)
    yield made
    forget(made.database.url.render_as_string(hide_password=False))


def test_all_tables_are_emptied_in_the_right_order(repository: SQLModelBackend) -> None:
    Volume(rack=Rack().save()).save()
    repository.clear()
    assert Rack.all() == Volume.all() == []
    repository.clear()


def test_one_that_others_refer_to_is_not_emptied(repository: SQLModelBackend) -> None:
    Volume(rack=Rack().save()).save()
    with pytest.raises(ConstraintViolation, match="Rack 'all of them' .*: clear what refers to it first"):
        repository.clear(Rack)
    assert Rack.where().count() == 1
    repository.clear(Volume)
    repository.clear(Rack)
    assert Rack.all() == []


def test_a_table_that_is_not_there_is_told(repository: SQLModelBackend) -> None:
    with pytest.raises(SchemaMismatch, match="missing_of_clearing"):
        repository.clear(Missing)
