"""A thousand hostile texts wherever a text may be given: each is data, or refused, and never SQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import hostile_texts
from pydantic import ValidationError, create_model
from scale import PAYLOAD_STEP, PAYLOADS
from sqlmodel import SQLModel

from nitro import Entity, Field, NitroError, SQLModelBackend, UnstorableValue, UnsupportedQuery, col
from nitro.backends.sql.database import forget
from nitro.backends.sql.schema import table_of
from rows import rows

#: What Nitro and pydantic refuse with. An error of the database's own would mean that the text had come through.
REFUSALS = (NitroError, ValidationError)

KEPT = 3


class HostileDocument(Entity):
    name: str = ""
    label: str = Field(default="", index=True)
    notes: dict[str, str] = {}
    tags: list[str] = []


TEXTS = hostile_texts(PAYLOADS, table_of(HostileDocument).name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with three documents that nobody may find, change or delete."""
    file = tmp_path / "nitro.db"
    url = f"sqlite:///{file}" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    repository = SQLModelBackend(url)
    monkeypatch.setattr(HostileDocument, "__nitro_backend__", repository)
    # Not where a payload that writes a file would write it.
    monkeypatch.chdir(tmp_path)
    SQLModel.metadata.create_all(repository.database.engine, [table_of(HostileDocument)])
    HostileDocument.save_all(
        [HostileDocument(id=f"kept {place}", name="kept", label="kept", tags=["kept"]) for place in range(KEPT)]
    )
    before = tables(url)
    yield url
    assert tables(url) == before
    kept = "SELECT name, label, count(*) FROM hostiledocument WHERE id LIKE 'kept%' GROUP BY name, label"
    assert rows(url, kept) == [("kept", "kept", KEPT)]
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("nitro.db")) == []
    forget(url)


def tables(url: str) -> list[tuple[Any, ...]]:
    """Every table, and what it is made by."""
    if url.startswith("sqlite"):
        return sorted(rows(url, "SELECT name, sql FROM sqlite_master"))
    columns = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    return sorted(rows(url, columns))


def is_storable(text: str) -> bool:
    """A NUL and half of a surrogate pair are in no text that both databases keep."""
    return "\x00" not in text and "\ud800" not in text


def test_there_are_a_thousand_and_each_is_another() -> None:
    assert len(set(TEXTS)) == PAYLOADS


def test_as_a_value_each_comes_back_as_it_was(url: str) -> None:
    for number, text in enumerate(TEXTS):
        document = HostileDocument(id=str(number), name=text, label=text, notes={text: text}, tags=[text])
        if not is_storable(text):
            with pytest.raises(UnstorableValue):
                document.save()
            continue
        document.save()
        found = HostileDocument.get(str(number))
        assert (found.name, found.label, found.notes, found.tags) == (text, text, {text: text}, [text])
        found.name = found.label = text + text
        found.save()
        assert HostileDocument.get(str(number)).name == text + text


def test_among_many_each_comes_back_as_it_was(url: str) -> None:
    texts = [text for text in TEXTS if is_storable(text)]
    HostileDocument.save_all(
        [
            HostileDocument(id=str(number), name=text, notes={text: text}, tags=[text, text])
            for number, text in enumerate(texts)
        ]
    )
    found = HostileDocument.get_many(map(str, range(len(texts))))
    assert [(one.name, one.notes, one.tags) for one in found] == [(text, {text: text}, [text, text]) for text in texts]


def test_as_a_key_each_is_one_entity(url: str) -> None:
    for text in TEXTS:
        assert HostileDocument.get_or_none(text) is None
        document = HostileDocument(id=text, name="by key")
        if not is_storable(text):
            with pytest.raises(UnstorableValue):
                document.save()
            continue
        document.save()
        document.label = "changed"
        document.save()
        assert [one.id for one in HostileDocument.where(name="by key")] == [text]
        assert [one.id for one in HostileDocument.get_many([text])] == [text]
        document.refresh()
        document.delete()
        assert HostileDocument.get_or_none(text) is None


QUERIES: dict[str, Callable[[str], Any]] = {
    "equal": lambda text: HostileDocument.where(name=text),
    "equal, with an index": lambda text: HostileDocument.where(label=text),
    "one of": lambda text: HostileDocument.where(col(HostileDocument.name).in_([text, text])),
    "contains": lambda text: HostileDocument.where(col(HostileDocument.name).contains(text)).where(name=text),
    "starts with": lambda text: HostileDocument.where(col(HostileDocument.name).startswith(text)).where(name=text),
    "ends with": lambda text: HostileDocument.where(col(HostileDocument.name).endswith(text)).where(name=text),
    "between": lambda text: HostileDocument.where(name__between=(text, text)),
    "at most": lambda text: HostileDocument.where(col(HostileDocument.name) <= text).where(name=text),
    "a value in a dictionary": lambda text: HostileDocument.where(col(HostileDocument.notes)["key"] == text),
    "a key of a dictionary": lambda text: HostileDocument.where(col(HostileDocument.notes)[text] == "value"),
    "in a list": lambda text: HostileDocument.where(col(HostileDocument.tags).contains(text)),
    "a whole list": lambda text: HostileDocument.where(tags=[text]),
    "a whole dictionary": lambda text: HostileDocument.where(notes={"key": text, text: "value"}),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_in_a_query_each_finds_what_has_it_and_nothing_else(query: Callable[[str], Any], url: str) -> None:
    texts = [text for text in TEXTS if is_storable(text)]
    documents = [
        HostileDocument(id=str(number), name=text, label=text, notes={"key": text, text: "value"}, tags=[text])
        for number, text in enumerate(texts)
    ]
    HostileDocument.save_all(documents)
    for number, text in list(enumerate(texts))[::PAYLOAD_STEP]:
        try:
            found = query(text).all()
        except UnsupportedQuery:
            # SQLite compares keys as they are written in JSON, where these are written in other ways.
            assert url.startswith("sqlite")
            assert query is QUERIES["a key of a dictionary"]
            assert any(sign in '"\\' or sign < " " for sign in text)
            continue
        assert [one.id for one in found] == [str(number)], text
        assert query(text).count() == 1


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_what_cannot_be_stored_is_not_found(query: Callable[[str], Any], url: str) -> None:
    for text in TEXTS:
        if not is_storable(text):
            try:
                found = query(text).all()
            except REFUSALS:
                continue
            assert found == []


def test_as_a_pattern_each_finds_only_what_it_matches(url: str) -> None:
    for text in TEXTS:
        if is_storable(text):
            try:
                found = HostileDocument.where(col(HostileDocument.name).like(text)).all()
            except REFUSALS:
                continue
            # The name of all is "kept": of these patterns only those that match everything match it.
            assert not found or set(text) <= {"%"}, text


def test_what_is_changed_or_deleted_by_query_is_what_has_the_text(url: str) -> None:
    for text in TEXTS:
        if not is_storable(text):
            continue
        HostileDocument(id="changed", name=text).save()
        assert HostileDocument.where(name=text).update(label=text, tags=[text], notes={text: text}) == 1
        found = HostileDocument.get("changed")
        assert (found.label, found.tags, found.notes) == (text, [text], {text: text})
        assert HostileDocument.where(label=text, id="changed").delete() == 1


#: Where a text would be part of the statement itself.
NAMES: dict[str, Callable[[str], Any]] = {
    "a field to compare": lambda text: HostileDocument.where(**{text: "kept"}).all(),
    "an item of a list": lambda text: HostileDocument.where(**{f"tags__{text}__0": "kept"}).all(),
    "an operator": lambda text: HostileDocument.where(**{f"name__{text}": "kept"}).all(),
    "a path": lambda text: HostileDocument.where(**{f"{text}__eq": "kept"}).all(),
    "a field to order by": lambda text: HostileDocument.where().order_by(text).all(),
    "a field to order by, downward": lambda text: HostileDocument.where().order_by(f"-{text}").all(),
    "a path to order by": lambda text: HostileDocument.where().order_by(f"name.{text}").all(),
    "a field to sum up": lambda text: HostileDocument.where().max(text),
    "a field to group by": lambda text: HostileDocument.where().group_by(text).count(),
    "a field to change": lambda text: HostileDocument.where().update(**{text: "owned"}),
    "a cursor": lambda text: HostileDocument.where().page(limit=1, after=text).items,
}

#: These do name a field.
FIELDS = {"id", "name", "name__eq"}


@pytest.mark.parametrize(("place", "ask"), NAMES.items(), ids=NAMES)
def test_as_a_name_each_is_refused(place: str, ask: Callable[[str], Any], url: str) -> None:
    # What is no cursor is an argument that cannot be.
    refusals = (*REFUSALS, ValueError) if place == "a cursor" else REFUSALS
    let_through = []
    for text in TEXTS:
        try:
            ask(text)
        except refusals:
            continue
        let_through.append(text)
    assert set(let_through) <= FIELDS


#: In a dictionary every text is a key, so these are data: ordering by one that nobody has orders by nothing.
def test_as_a_key_of_a_dictionary_to_order_by_each_is_data(url: str) -> None:
    for text in TEXTS:
        try:
            found = HostileDocument.where().order_by(col(HostileDocument.notes)[text]).all()
        except REFUSALS:
            continue
        assert len(found) == KEPT


def test_fields_and_tables_may_have_any_names(url: str, request: pytest.FixtureRequest) -> None:
    names = ["select", "from", 'a"b', "a'b", "a%sb", "a%(b)s", "a?b", "a:b", "a b", "a;b--", "é", "a%%b", "A", "order"]
    for number, name in enumerate(names):
        made: Any = create_model(
            f"Hostile{number}",
            __base__=Entity,
            __cls_kwargs__={"backend": SQLModelBackend(url)},
            **{name: (str, "")},  # type: ignore[call-overload]
        )
        made.__tablename__ = f"{name} {number}"
        table = table_of(made)
        try:
            SQLModel.metadata.create_all(made.__nitro_backend__.database.engine, [table])
            document = made(**{name: "first"}).save()
            setattr(document, name, "second")
            document.save()
            made.save_all([made(**{name: "third"}) for _ in range(120)])
            assert made.where(**{name: "second"}).count() == 1
            assert made.where(getattr(made, name) == "third").order_by(f"-{name}").count() == 120
            assert made.where(**{name: "third"}).update(**{name: "fourth"}) == 120
            assert made.where().group_by(name).count() == {"second": 1, "fourth": 120}
            document.refresh()
            document.delete()
            assert made.where().delete() == 120
            table.drop(made.__nitro_backend__.database.engine)
        finally:
            SQLModel.metadata.remove(table)
