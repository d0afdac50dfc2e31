"""The OpenAPI document says what the routes take and give."""

import json
from typing import Any

import pytest

import nitro
from nitro import Entity, Field, MemoryRepo, Model
from nitro.web import Core, Resource
from nitro.web.access import Access
from nitro.web.openapi import document

STORE = MemoryRepo()


class Street(Model):
    name: str
    number: int = 1


class House(Entity, backend=STORE):
    __tablename__ = "web_houses"
    street: Street
    rooms: int = Field(3, ge=1, description="How many there are")
    colour: str = Field("white", alias="color")
    key_code: str = Field("", exclude=True)
    visits: int = Field(0, json_schema_extra={"readOnly": True})

    @nitro.event(method="POST")
    def paint(self, color: str, coats: int = 1) -> None:
        """It gets another colour.

        Not at once.
        """

    @nitro.query
    def neighbours(self, within: float, street: str | None = None) -> list["House"]:
        return []

    @nitro.command
    @classmethod
    def tidy(cls, streets: list[Street]) -> None: ...


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    return document(Core(Access(), [House], []).routes)


def referred(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set[str]()
        return own.union(*map(referred, part.values()))
    return set[str]().union(*map(referred, part)) if isinstance(part, list) else set()


def test_every_reference_leads_somewhere(said: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in said["components"]["schemas"]}
    assert referred(said) <= known
    json.dumps(said)


def test_a_method(said: dict[str, Any]) -> None:
    paint = said["paths"]["/houses/{id}/paint"]["post"]
    assert (paint["summary"], paint["description"]) == ("It gets another colour.", "Not at once.")
    assert paint["operationId"] == "House_paint"
    assert paint["tags"] == ["House"]
    body = paint["requestBody"]["content"]["application/json"]["schema"]
    assert (set(body["properties"]), body["required"]) == ({"color", "coats"}, ["color"])
    assert paint["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/House"}
    assert {"404", "409", "422"} <= set(paint["responses"])
    tidy = said["paths"]["/houses/tidy"]["post"]
    assert "204" in tidy["responses"]
    assert "parameters" not in tidy


def test_a_query(said: dict[str, Any]) -> None:
    neighbours = said["paths"]["/houses/{id}/neighbours"]["get"]
    required = {parameter["name"]: parameter["required"] for parameter in neighbours["parameters"]}
    assert required == {"id": True, "within": True, "street": False}
    answer = neighbours["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "array", "items": {"$ref": "#/components/schemas/House"}}


def test_what_clients_write_and_read(said: dict[str, Any]) -> None:
    schemas = said["components"]["schemas"]
    assert set(schemas["House"]["properties"]) == {"id", "street", "rooms", "colour", "visits"}
    assert set(schemas["HouseCreate"]["properties"]) == {"street", "rooms", "color"}
    assert schemas["HouseCreate"]["required"] == ["street"]
    assert schemas["HouseCreate"]["additionalProperties"] is False
    assert schemas["HouseCreate"]["properties"]["rooms"]["minimum"] == 1
    assert set(schemas["HousePatch"]["properties"]) == {"street", "rooms", "color"}
    assert "required" not in schemas["HousePatch"]
    assert schemas["Street"]["required"] == ["name"]


def test_a_list(said: dict[str, Any]) -> None:
    names = {parameter["name"] for parameter in said["paths"]["/houses"]["get"]["parameters"]}
    assert {"rooms", "order", "limit", "after", "fields", "count", "visits"} <= names
    assert "key_code" not in names


def test_two_classes_of_one_name_are_two_schemas() -> None:
    other = type("House", (Entity,), {"__annotations__": {"boat": int}, "__module__": "harbour"}, backend=STORE)
    core = Core(Access(), [House, Resource(other, path="boats")], [])
    schemas = document(core.routes)["components"]["schemas"]
    properties = [
        set(schema.get("properties", ())) for name, schema in schemas.items() if name.startswith(("House", "harbour"))
    ]
    assert {"id", "boat"} in properties
    assert {"id", "street", "rooms", "colour", "visits"} in properties
