"""REST: what clients may do with the entities of a class, and what they are answered."""

from collections.abc import Iterator
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from asking import Client

from nitro import Entity, Field
from nitro.errors import ConfigurationError
from nitro.web import Core, Resource
from nitro.web.access import Access
from stores import KINDS, fresh_store, live_in


class Kind(Enum):
    BOOK = "book"
    TOY = "toy"


class Article(Entity):
    __tablename__ = "web_articles"
    name: str = Field(min_length=1, max_length=50)
    price: float = Field(0.0, ge=0)
    kind: Kind = Kind.BOOK
    since: date | None = None
    tags: list[str] = []
    #: What clients may read and not write, say once, and neither.
    sold: int = Field(0, json_schema_extra={"readOnly": True})
    sku: str = Field("none", frozen=True)
    margin: float = Field(0.5, exclude=True)


class Rack(Entity):
    """Its key is said by clients."""

    __tablename__ = "web_racks"
    code: str = Field(primary_key=True)
    width: int = 100
    colour: str = "white"


CLASSES = (Article, Rack)


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with fresh_store(request, tmp_path) as store:
        live_in(store, CLASSES, monkeypatch)
        yield Client(Core(Access(), CLASSES, []))


def create(client: Client, **values: Any) -> Any:
    answer = client.ask("POST", "/articles", {"name": "A", **values})
    assert answer.status == 201, answer
    return answer.json


# --- Creating -----------------------------------------------------------------------------------------------------


def test_what_is_created_is_told_and_stored(client: Client) -> None:
    answer = client.ask("POST", "/articles", {"name": "Ball", "kind": "toy", "since": "2024-02-29", "tags": ["round"]})
    assert answer.status == 201
    key = answer.json["id"]
    assert answer.headers["location"] == f"/articles/{key}"
    assert answer.json == {
        "id": key, "name": "Ball", "price": 0.0, "kind": "toy", "since": "2024-02-29", "tags": ["round"], "sold": 0,
        "sku": "none",
    }  # fmt: skip
    assert Article.get(key).since == date(2024, 2, 29)
    assert client.ask("GET", f"/articles/{key}").json == answer.json


def test_a_form_creates_as_well(client: Client) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.ask("POST", "/articles", raw=b"name=Ball&price=2.5&tags=a&tags=b&since=2024-01-01", headers=form)
    assert (answer.status, answer.json["price"], answer.json["tags"]) == (201, 2.5, ["a", "b"])


def test_many_are_created_together(client: Client) -> None:
    answer = client.ask("POST", "/articles", [{"name": "A"}, {"name": "B", "price": 3}])
    assert answer.status == 201
    assert [article["name"] for article in answer.json] == ["A", "B"]
    refused = client.ask("POST", "/articles", [{"name": "C"}, {"name": "", "price": "x"}])
    assert refused.wrong == [("string_too_short", ("body", 1, "name")), ("float_parsing", ("body", 1, "price"))]
    assert Article.where().count() == 2


@pytest.mark.parametrize("field", ["id", "sold", "margin", "version", "__nitro_state__", "nonsense", "__class__"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "many"])
def test_what_is_not_for_clients_is_not_written(client: Client, field: str, method: str) -> None:
    before = create(client)
    path, value = f"/articles/{before['id']}", {"name": "B", field: "7"}
    if method == "many":
        answer = client.ask("POST", "/articles", [value])
    else:
        answer = client.ask(method, "/articles" if method == "POST" else path, value)
    assert answer.status == 422, answer
    (wrong,) = answer.wrong
    assert wrong[1][-1] == field
    assert client.ask("GET", path).json == before
    assert Article.where().count() == 1


def test_what_is_frozen_is_said_once(client: Client) -> None:
    made = create(client, sku="S-1")
    assert made["sku"] == "S-1"
    for method in ("PATCH", "PUT"):
        answer = client.ask(method, f"/articles/{made['id']}", {"name": "B", "sku": "S-2"})
        assert answer.wrong == [("extra_forbidden", ("body", "sku"))]


def test_a_key_that_is_the_clients_is_taken(client: Client) -> None:
    assert client.ask("POST", "/racks", {"code": "a/b c"}).headers["location"] == "/racks/a%2Fb%20c"
    assert client.ask("GET", "/racks/a%2Fb%20c").json["code"] == "a/b c"
    assert client.ask("POST", "/racks", {"code": "a/b c"}).status == 409
    assert client.ask("PUT", "/racks/new", {"width": 7}).status == 201
    assert client.ask("PUT", "/racks/new", {"width": 8, "code": "new"}).json["width"] == 8
    assert client.ask("PUT", "/racks/new", {"code": "other"}).status == 422
    assert sorted(rack.code for rack in Rack.all()) == ["a/b c", "new"]


@pytest.mark.parametrize("body", ["text", 5, None, [1], [[]], True])
def test_what_is_no_object_is_refused(client: Client, body: Any) -> None:
    answer = client.ask("POST", "/articles", body, raw=b"null" if body is None else None)
    assert answer.status == 422, answer


# --- Changing -----------------------------------------------------------------------------------------------------


def test_only_what_is_given_is_changed(client: Client) -> None:
    made = create(client, price=2, tags=["a"])
    answer = client.ask("PATCH", f"/articles/{made['id']}", {"price": "3.5", "since": "2024-01-01"})
    assert answer.status == 200
    assert answer.json == {**made, "price": 3.5, "since": "2024-01-01"}
    assert client.ask("PATCH", f"/articles/{made['id']}", {}).json == answer.json
    assert client.ask("PATCH", f"/articles/{made['id']}", {"since": None}).json["since"] is None


def test_what_is_refused_changes_nothing(client: Client) -> None:
    made = create(client, price=2)
    answer = client.ask("PATCH", f"/articles/{made['id']}", {"name": "B", "price": -1})
    assert answer.wrong == [("greater_than_equal", ("body", "price"))]
    assert client.ask("GET", f"/articles/{made['id']}").json == made


def test_put_gives_every_field_a_value(client: Client) -> None:
    made = create(client, price=2, tags=["a"], sku="S")
    answer = client.ask("PUT", f"/articles/{made['id']}", {"name": "B", "kind": "toy"})
    assert answer.json == {**made, "name": "B", "price": 0.0, "kind": "toy", "tags": []}
    assert client.ask("PUT", "/articles/nobody", {"name": "B"}).status == 404


def test_delete(client: Client) -> None:
    made = create(client)
    answer = client.ask("DELETE", f"/articles/{made['id']}")
    assert (answer.status, answer.text) == (204, "")
    for method in ("GET", "DELETE"):
        assert client.ask(method, f"/articles/{made['id']}").status == 404


def test_many_are_deleted_by_what_they_are(client: Client) -> None:
    for price in range(4):
        create(client, price=price)
    assert client.ask("DELETE", "/articles").status == 400
    assert client.ask("DELETE", "/articles?price__lt=2").json == {"deleted": 2}
    assert Article.where().count() == 2


# --- Who knows what -----------------------------------------------------------------------------------------------


def test_who_knows_it_is_not_told_again(client: Client) -> None:
    made = create(client)
    first = client.ask("GET", f"/articles/{made['id']}")
    tag = first.headers["etag"]
    again = client.ask("GET", f"/articles/{made['id']}", headers={"if-none-match": f'"x", {tag}'})
    assert (again.status, again.text, again.headers["etag"]) == (304, "", tag)
    Article.where(id=made["id"]).update(margin=0.9)
    # What clients cannot read tells them nothing.
    assert client.ask("GET", f"/articles/{made['id']}", headers={"if-none-match": tag}).status == 304


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_who_knows_an_older_one_changes_nothing(client: Client, method: str) -> None:
    made = create(client)
    path = f"/articles/{made['id']}"
    old = client.ask("GET", path).headers["etag"]
    assert client.ask("PATCH", path, {"price": 5}, headers={"if-match": old}).status == 200
    body = None if method == "DELETE" else {"name": "late"}
    assert client.ask(method, path, body, headers={"if-match": old}).status == 412
    assert client.ask("GET", path).json["name"] == "A"
    new = client.ask("GET", path).headers["etag"]
    assert client.ask(method, path, body, headers={"if-match": f'"x", {new}'}).status in (200, 204)
    assert client.ask("PUT", "/racks/none", {}, headers={"if-match": "*"}).status == 412


# --- Lists --------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(client: Client) -> Client:
    for number in range(7):
        create(client, name=f"N{number}", price=number % 3, kind="toy" if number % 2 else "book", tags=[str(number)])
    return client


def listed(client: Client, query: str) -> list[str]:
    answer = client.ask("GET", f"/articles?{query}")
    assert answer.status == 200, answer
    return [article["name"] for article in answer.json]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "0123456"),
        ("kind=toy", "135"),
        ("price__ge=1&kind=book", "24"),
        ("price__in=0,2", "02356"),
        ("price__in=0&price__in=2", "02356"),
        ("price__between=1,2", "1245"),
        ("name__startswith=N1", "1"),
        ("since__is_null=true&price=2", "25"),
        ("since__is_null=false", ""),
        ("tags__contains=4", "4"),
        ("name__ne=N0&price=0", "36"),
        ("order=-price,name&limit=4", "2514"),
        ("order=-name&limit=2", "65"),
    ],
)
def test_lists_are_filtered_and_sorted(filled: Client, query: str, names: str) -> None:
    assert "".join(name[1:] for name in listed(filled, query)) == names


def test_pages_follow_one_another(filled: Client) -> None:
    found, url = [], "/articles?order=-price&limit=3&count=true&kind__in=toy,book"
    while url:
        answer = filled.ask("GET", url)
        assert answer.headers["x-total-count"] == "7"
        found += [article["name"] for article in answer.json]
        link = answer.headers.get("link", "")
        url = link.partition("<")[2].partition(">")[0]
    assert sorted(found) == [f"N{number}" for number in range(7)]
    assert [name for name in found if name in ("N2", "N5")] == found[:2]


def test_only_some_fields_are_told(filled: Client) -> None:
    assert filled.ask("GET", "/articles?fields=name,price&limit=1").json == [{"name": "N0", "price": 0.0}]
    key = filled.ask("GET", "/articles?limit=1").json[0]["id"]
    assert filled.ask("GET", f"/articles/{key}?fields=name").json == {"name": "N0"}
    assert filled.ask("GET", f"/articles/{key}?fields=margin").status == 400


@pytest.mark.parametrize(
    "query",
    [
        "margin=1", "margin__gt=0", "order=margin", "order=-margin", "fields=margin", "nothing=1", "order=nothing",
        "price=dear", "price__about=1", "limit=0", "limit=1001", "limit=x", "limit=-1", "after=nonsense", "count=maybe",
        "price__between=1", "price=1&price=2", "since__is_null=perhaps", "fields=name,secret", "name__like__x=1",
        "__class__=1", "id__=3", "limit=%F0%9F%98%80",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(filled: Client, query: str) -> None:
    answer = filled.ask("GET", f"/articles?{query}")
    assert answer.status == 400, answer
    assert isinstance(answer.json["detail"], str)


# --- Which routes there are ---------------------------------------------------------------------------------------


def test_only_what_is_said_can_be_done() -> None:
    core = Core(Access(), [Resource(Rack, only=["list", "create"], path="planks")], [], prefix="/api")
    assert sorted((route.method, route.path) for route in core.routes) == [
        ("GET", "/api/planks"),
        ("POST", "/api/planks"),
    ]
    assert Client(core).ask("POST", "/api/planks", [{"code": "x"}]).status == 422
    with pytest.raises(ConfigurationError, match="a resource has no"):
        Resource(Rack, only=["lost"])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="Rack"):
        Core(Access(), [Rack, Rack], [])
    with pytest.raises(ConfigurationError, match="resources are classes of entities"):
        Core(Access(), [int], [])  # type: ignore[list-item]
