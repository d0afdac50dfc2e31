"""sqladmin serves SQLEntities: lists, details, and forms that create, edit and delete, over HTTP."""

import asyncio
import datetime
import decimal
import enum
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqladmin import Admin
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Relationship
from starlette.convertors import CONVERTOR_TYPES, PathConvertor

from nitro import Field, SQLEntity, SQLModelBackend, ValueObject
from nitro.backends.sql.sqladmin import EntityView


class Base(SQLEntity, registry=registry()):
    pass


class Kind(enum.Enum):
    HOT = "hot"
    COLD = "cold"


class Size(ValueObject):
    millilitres: int


class Shelf(Base, table=True):
    id: int | None = Field(None, primary_key=True)
    label: str

    teas: list["Tea"] = Relationship(back_populates="shelf")


class Tea(Base, table=True, versioned=True):
    name: str = Field(min_length=2)
    price: decimal.Decimal = decimal.Decimal("1.5")
    stock: int = Field(0, ge=0)
    organic: bool = False
    kind: Kind = Kind.HOT
    size: Size | None = None
    tags: list[str] = []
    picked: datetime.date | None = None
    added: datetime.datetime = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    note: str | None = None
    shelf_id: int | None = Field(None, foreign_key="shelf.id")

    shelf: Shelf | None = Relationship(back_populates="teas")


class TeaAdmin(EntityView, model=Tea):
    column_list = ["name", "price", "kind", "shelf"]
    column_searchable_list = ["name"]
    column_sortable_list = ["name"]


class ShelfAdmin(EntityView, model=Shelf):
    column_list = ["id", "label"]


@pytest.fixture(autouse=True)
def own_convertors(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastHTML, which other tests import, replaces what Starlette takes paths apart with, and has no slashes in them."""
    monkeypatch.setitem(CONVERTOR_TYPES, "path", PathConvertor())


class Browser:
    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, f"/admin{path}", **options)

        return asyncio.run(ask())


@pytest.fixture(params=["sync", "async"])
def browser(request, tmp_path) -> Iterator[Browser]:
    repository = SQLModelBackend(f"sqlite:///{tmp_path}/tea.db")
    Base.__nitro_backend__ = repository
    engine = repository.database.engine
    Base.metadata.create_all(engine)
    asynchronous = create_async_engine(engine.url.set(drivername="sqlite+aiosqlite"))
    app = FastAPI()
    admin = Admin(app, engine if request.param == "sync" else asynchronous)
    admin.add_view(TeaAdmin)
    admin.add_view(ShelfAdmin)
    yield Browser(app)
    asyncio.run(asynchronous.dispose())
    Base.__nitro_backend__ = SQLModelBackend
    repository.database.close()


FORM = {
    "name": "Assam",
    "price": "2.50",
    "stock": "3",
    "organic": "on",
    "kind": "cold",
    "size": '{"millilitres": 5}',
    "tags": '["black"]',
    "picked": "",
    "added": "2026-05-06 07:08:09",
    "note": "",
}


def test_the_list_and_the_details(browser):
    shelf = Shelf(label="top").save()
    tea = Tea(name="Darjeeling", tags=["x"], shelf_id=shelf.id).save()
    page = browser.ask("GET", "/tea/list")
    assert page.status_code == 200
    assert "Darjeeling" in page.text
    assert browser.ask("GET", "/tea/list?search=nothing").text.count("Darjeeling") == 0
    assert "Darjeeling" in browser.ask("GET", "/tea/list?search=darj&sortBy=name&sort=desc").text
    details = browser.ask("GET", f"/tea/details/{tea.id}")
    assert details.status_code == 200
    assert "Darjeeling" in details.text


def test_a_form_creates_an_entity(browser):
    shelf = Shelf(label="top").save()
    assert 'name="price"' in browser.ask("GET", "/tea/create").text
    assert "_version" not in browser.ask("GET", "/tea/create").text
    answer = browser.ask("POST", "/tea/create", data={**FORM, "shelf": str(shelf.id)})
    assert answer.status_code == 302, answer.text
    tea = Tea.where().one()
    assert (tea.name, tea.price, tea.stock, tea.organic, tea.kind) == (
        "Assam",
        decimal.Decimal("2.5"),
        3,
        True,
        Kind.COLD,
    )
    assert (tea.size, tea.tags, tea.picked, tea.note, tea.shelf_id) == (
        Size(millilitres=5),
        ["black"],
        None,
        None,
        shelf.id,
    )
    assert tea.added == datetime.datetime(2026, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "A", "at least 2 characters"),
        ("stock", "-1", "greater than or equal to 0"),
        ("size", '{"millilitres": "many"}', "valid integer"),
    ],
)
def test_what_is_not_valid_is_shown_on_the_form(browser, field, value, message):
    answer = browser.ask("POST", "/tea/create", data={**FORM, field: value})
    assert answer.status_code == 400
    assert message in answer.text
    assert Tea.where().count() == 0


def test_a_form_edits_an_entity(browser):
    tea = Tea(name="Darjeeling", kind=Kind.COLD, size=Size(millilitres=3), tags=["x"]).save()
    page = browser.ask("GET", f"/tea/edit/{tea.id}")
    assert page.status_code == 200
    assert "Darjeeling" in page.text
    assert "millilitres" in page.text
    answer = browser.ask("POST", f"/tea/edit/{tea.id}", data={**FORM, "name": "Ceylon"})
    assert answer.status_code == 302, answer.text
    assert Tea.get(tea.id).name == "Ceylon"
    refused = browser.ask("POST", f"/tea/edit/{tea.id}", data={**FORM, "name": "C"})
    assert refused.status_code == 400
    assert "at least 2 characters" in refused.text
    assert Tea.get(tea.id).name == "Ceylon"


def test_the_database_gives_keys_and_relations_are_chosen(browser):
    teas = Tea.save_all([Tea(name="Assam"), Tea(name="Ceylon")])
    answer = browser.ask("POST", "/shelf/create", data={"label": "top", "teas": [tea.id for tea in teas]})
    assert answer.status_code == 302, answer.text
    shelf = Shelf.where().one()
    assert {tea.shelf_id for tea in Tea.all()} == {shelf.id}


def test_entities_are_deleted(browser):
    teas = Tea.save_all([Tea(name="Assam"), Tea(name="Ceylon")])
    answer = browser.ask("DELETE", f"/tea/delete?pks={teas[0].id}")
    assert answer.status_code == 200
    assert Tea.all() == [teas[1]]
