"""What users of Flask know, beside what Nitro answers for them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from flask import Blueprint, Flask, Response, abort, jsonify, make_response, redirect, request, stream_with_context
from flask.cli import routes_command
from flask.json.provider import DefaultJSONProvider
from flask.views import MethodView
from serving import served_here

import nitro
from nitro import Entity, EntityNotFound, Page
from nitro.web import current_request


class Pot(Entity):
    __tablename__ = "flask_pots"
    name: str = "pot"
    secret: str = nitro.Field("hush", exclude=True)


POT = Pot(id="1")
JSON = {"id": "1", "name": "pot"}

asked: list[Any] = []


class View(MethodView):
    def get(self) -> Any:
        return POT

    async def post(self) -> Any:
        return [POT], 201


def build(app: Flask) -> Flask:
    """An application whose users know what each view gives."""

    def add(path: str, value: Any) -> None:
        app.add_url_rule(path, path, lambda: value() if callable(value) else value)

    add("/pot", POT)
    add("/pots", [POT])
    add("/no-pots", [])
    add("/made", lambda: (POT, 201))
    add("/made-header", lambda: (POT, {"X-A": "b"}))
    add("/made-both", lambda: (POT, "201 MADE", [("X-A", "b")]))
    add("/none", None)
    add("/none-status", lambda: (None, 202))
    add("/none-both", lambda: (None, 202, {"X-A": "b"}))
    add("/mixed", lambda: [POT, {"a": 1}])
    add("/jsonify", lambda: jsonify(POT))
    add("/jsonify-many", lambda: jsonify(pots=[POT], page=Page([POT], None, 1)))
    add("/dict", lambda: {"pot": POT})
    add("/make-response", lambda: make_response((POT, 203)))
    add("/text", "text")
    add("/bytes", b"bytes")
    add("/text-status", lambda: ("text", 202, {"X-A": "b"}))
    add("/text-headers", lambda: ("text", {"X-A": "b"}))
    add("/plain-dict", lambda: {"b": 1, "a": 2})
    add("/plain-list", lambda: [{"b": 1, "a": 2}])
    add("/response", lambda: Response("r", 203, mimetype="text/x"))
    add("/redirect", lambda: redirect("/pot"))
    add("/stream", lambda: Response(stream_with_context(str(number) for number in range(3))))
    add("/generator", lambda: (str(number) for number in range(3)))
    add("/abort", lambda: abort(418))
    add("/wrong", lambda: 5)
    add("/wrong-tuple", lambda: ("a", 1, {}, 2))
    add("/wrong-none", lambda: (None, {"X-A": "b"}))
    app.add_url_rule("/view", view_func=View.as_view("view"))

    @app.get("/apots")
    async def apots() -> Any:
        return [POT]

    blueprint = Blueprint("inside", __name__, url_prefix="/inside")

    @blueprint.get("/pot")
    def inside() -> Any:
        return POT

    @blueprint.get("/key")
    def key() -> Any:
        raise KeyError("lost")

    @blueprint.errorhandler(KeyError)
    def on_key(error: KeyError) -> Any:
        return {"key": "lost"}, 499

    app.register_blueprint(blueprint)

    @app.before_request
    def before() -> None:
        found = current_request()
        asked.append(None if found is None else found.path)

    @app.after_request
    def after(response: Response) -> Response:
        response.headers["X-After"] = "yes"
        return response

    return app


Sites = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """Without and with Nitro."""
    bare, with_nitro = build(Flask("bare")), nitro.install(build(Flask("with_nitro")), entities=[])
    settings: dict[str, Any] = {"trust_env": False, "timeout": 30}
    with (
        served_here(bare) as one,
        served_here(with_nitro) as other,
        httpx.Client(base_url=one, **settings) as first,
        httpx.Client(base_url=other, **settings) as second,
    ):
        yield first, second


@pytest.mark.parametrize(
    "path",
    [
        "/text",
        "/bytes",
        "/text-status",
        "/text-headers",
        "/plain-dict",
        "/plain-list",
        "/no-pots",
        "/response",
        "/redirect",
        "/stream",
        "/generator",
        "/abort",
        "/wrong",
        "/wrong-tuple",
        "/wrong-none",
        "/inside/key",
        "/nowhere",
    ],
)
def test_both_answer_the_same(sites: Sites, path: str) -> None:
    bare, with_nitro = (site.get(path) for site in sites)
    assert (with_nitro.status_code, with_nitro.content) == (bare.status_code, bare.content)
    assert [pair for pair in with_nitro.headers.multi_items() if pair[0] != "date"] == [
        pair for pair in bare.headers.multi_items() if pair[0] != "date"
    ]


@pytest.mark.parametrize(
    ("path", "status", "expected", "headers"),
    [
        ("/pot", 200, JSON, []),
        ("/pots", 200, [JSON], []),
        ("/apots", 200, [JSON], []),
        ("/made", 201, JSON, []),
        ("/made-header", 200, JSON, ["b"]),
        ("/made-both", 201, JSON, ["b"]),
        ("/mixed", 200, [JSON, {"a": 1}], []),
        ("/jsonify", 200, JSON, []),
        ("/jsonify-many", 200, {"pots": [JSON], "page": {"items": [JSON], "next_cursor": None, "total": 1}}, []),
        ("/dict", 200, {"pot": JSON}, []),
        ("/make-response", 203, JSON, []),
        ("/view", 200, JSON, []),
        ("/inside/pot", 200, JSON, []),
    ],
)
def test_views_of_every_kind_give_entities(
    sites: Sites, path: str, status: int, expected: Any, headers: list[str]
) -> None:
    answer = sites[1].get(path)
    assert (answer.status_code, answer.json()) == (status, expected)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get_list("x-a") == headers
    assert answer.headers["x-after"] == "yes"
    assert asked[-1] == path


@pytest.mark.parametrize(("path", "status"), [("/none", 204), ("/none-status", 202), ("/none-both", 202)])
def test_nothing_is_an_answer(sites: Sites, path: str, status: int) -> None:
    answer = sites[1].get(path)
    assert (answer.status_code, answer.content) == (status, b"")
    assert "content-type" not in answer.headers


def test_a_view_of_several_methods_answers_by_each(sites: Sites) -> None:
    posted = sites[1].post("/view")
    assert (posted.status_code, posted.json()) == (201, [JSON])
    assert sites[1].put("/view").status_code == 405


def test_a_json_provider_of_the_application_s_own_says_how_things_are_written() -> None:
    class Provider(DefaultJSONProvider):
        def default(self, value: Any) -> Any:  # type: ignore[override]
            return {"mine": value.id} if isinstance(value, Pot) else super().default(value)

    app = Flask("provided")
    app.json = Provider(app)
    nitro.install(build(app), entities=[])
    with served_here(app) as address:
        assert httpx.get(f"{address}/dict", trust_env=False).json() == {"pot": {"mine": "1"}}


def test_who_handles_a_kind_of_error_handles_those_of_nitro_that_are_of_it() -> None:
    app = Flask("handling")

    @app.get("/missing")
    def missing() -> Any:
        return Pot.get("nobody")

    @app.get("/invalid")
    def invalid() -> Any:
        return Pot(name=5)  # type: ignore[arg-type]

    @app.get("/spoil")
    def spoil() -> Any:
        raise RuntimeError("the roof")

    nitro.install(app, entities=[])

    @app.errorhandler(LookupError)
    async def not_there(error: LookupError) -> Any:
        assert isinstance(error, EntityNotFound)
        return "not there", 410

    @app.errorhandler(Exception)
    def anything(error: Exception) -> Any:
        return "anything", 599

    with served_here(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        assert (client.get("/missing").status_code, client.get("/missing").text) == (410, "not there")
        assert client.get("/invalid").status_code == 422
        assert client.get("/spoil").status_code == 599


def test_a_form_that_the_application_has_read_before_is_there() -> None:
    class Jar(Entity):
        __tablename__ = "flask_jars"
        size: int = 0

        @nitro.command
        def fill(self, sizes: list[int], note: str) -> None:
            self.size = sum(sizes)

    app = Flask("reading")
    forms: list[Any] = []
    app.before_request(lambda: forms.append(request.form.to_dict(flat=False)))
    nitro.install(app, entities=[Jar])
    jar = Jar().save()
    with served_here(app) as address:
        given = {"sizes": ["1", "2"], "note": "ü&="}
        answer = httpx.post(f"{address}/jars/{jar.id}/fill", data=given, trust_env=False)
    assert answer.json()["size"] == 3
    assert forms == [{"sizes": ["1", "2"], "note": ["ü&="]}]


def test_flask_routes_lists_what_nitro_adds() -> None:
    app = nitro.install(Flask("listed"), resources=[Pot], entities=[], prefix="/api")
    listed = app.test_cli_runner().invoke(routes_command).output
    assert "nitro_Pot_get" in listed
    assert "/api/pots/<id>" in listed


def test_the_test_client_and_contexts_of_flask_work() -> None:
    app = nitro.install(build(Flask("tested")), entities=[])
    with app.test_client() as client:
        assert client.get("/pot").json == JSON
        assert client.get("/pot").json == JSON
        assert current_request() is None
    with app.test_request_context("/pot?x=1"):
        assert current_request() is None
        assert make_response(POT).get_json() == JSON
