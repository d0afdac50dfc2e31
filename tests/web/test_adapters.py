"""What every adapter has to do: the same requests, over HTTP, to each framework and each store."""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from wares import Label, Ware

MIB = 1024 * 1024

#: Keys that have to be encoded in a path, and one that does not.
KEYS = ["tea", "a b", "50%", "%2F", "%41/b", "a/b", "/a//b/", "ü☕", "a?b#c", "a+b&c=d;e", "'\"<>\\", "1.5", "x" * 300]


def ware(code: str = "tea", **values: Any) -> Ware:
    return Ware(code=code, **values).save()


def path(code: str, *rest: str) -> str:
    return "/".join(("/wares", quote(code, safe=""), *rest))


def body_of(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


# --- Methods as routes ----------------------------------------------------------------------------------------------


def test_a_method_that_gives_nothing_is_answered_with_its_entity(shop: httpx.Client) -> None:
    ware(stock=3)
    answer = shop.post("/wares/tea/restock", json={"quantity": 4})
    assert body_of(answer) == {"code": "tea", "name": "thing", "stock": 7, "tags": []}
    assert answer.headers["content-type"] == "application/json"
    assert Ware.get("tea").stock == 7


def test_an_async_method_is_awaited(shop: httpx.Client) -> None:
    ware(stock=3)
    assert body_of(shop.post("/wares/tea/arestock", json={"quantity": 4}))["stock"] == 7
    assert Ware.get("tea").stock == 7


def test_a_query_is_asked_by_get(shop: httpx.Client) -> None:
    ware(stock=3)
    assert body_of(shop.get("/wares/tea/doubled")) == 6
    assert body_of(shop.get("/wares/tea/doubled?by=5")) == 15


def test_a_method_of_the_class_needs_no_entity(shop: httpx.Client) -> None:
    ware("a", name="x")
    ware("b", name="x")
    assert [one["code"] for one in body_of(shop.get("/wares/named?name=x"))] == ["a", "b"]
    assert body_of(shop.get("/wares/named", params={"name": "nobody"})) == []


def test_a_method_says_its_own_status(shop: httpx.Client) -> None:
    assert body_of(shop.post("/wares/open", json={"code": "tea", "stock": 2}), 201)["stock"] == 2
    assert Ware.get("tea").stock == 2


def test_a_method_of_the_class_that_gives_nothing_is_answered_with_nothing(shop: httpx.Client) -> None:
    ware()
    answer = shop.post("/wares/clear")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert Ware.where().count() == 0


@pytest.mark.parametrize(
    "given",
    [
        {"json": {"quantity": 4, "note": "ü"}},
        {"data": {"quantity": "4", "note": "ü"}},
        {"params": {"quantity": "4", "note": "ü"}},
        {"json": {"quantity": 4, "note": "ü", "else": 1}, "headers": {"Datastar-Request": "true"}},
        {"content": b"quantity=4", "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}},
        {"content": b'{"quantity":4}', "headers": {"Content-Type": "application/merge-patch+json"}},
    ],
    ids=["json", "form", "query", "signals", "form with a character set", "kind of json"],
)
def test_arguments_come_from_wherever_they_are(shop: httpx.Client, given: dict[str, Any]) -> None:
    ware()
    assert body_of(shop.post("/wares/tea/restock", **given))["stock"] == 4


def test_signals_of_a_get_are_in_the_query(shop: httpx.Client) -> None:
    ware(stock=3)
    asked = {"datastar": '{"by":7,"else":{"theme":"dark"}}'}
    assert body_of(shop.get("/wares/tea/doubled", params=asked, headers={"Datastar-Request": "true"})) == 21


def test_a_list_comes_from_a_form_with_one_line_or_more(shop: httpx.Client) -> None:
    ware()
    assert body_of(shop.post("/wares/tea/label", data={"tags": ["x", "y"]}))["tags"] == ["x", "y"]
    assert body_of(shop.post("/wares/tea/label", data={"tags": "z"}))["tags"] == ["z"]


def test_an_entity_is_named_by_its_key(shop: httpx.Client) -> None:
    ware(stock=1)
    ware("a/b", stock=5)
    assert body_of(shop.post("/wares/tea/take_over", json={"other": "a/b"}))["code"] == "a/b"
    assert Ware.get("tea").stock == 6


# --- REST -----------------------------------------------------------------------------------------------------------


def test_an_entity_is_created_read_changed_replaced_and_deleted(shop: httpx.Client) -> None:
    created = shop.post("/wares", json={"code": "tea", "stock": 2})
    assert body_of(created, 201) == {"code": "tea", "name": "thing", "stock": 2, "tags": []}
    assert created.headers["location"] == "/wares/tea"
    assert body_of(shop.get("/wares/tea")) == created.json()
    assert body_of(shop.patch("/wares/tea", json={"stock": 3}))["stock"] == 3
    assert body_of(shop.put("/wares/tea", json={"name": "green"})) == created.json() | {"name": "green", "stock": 0}
    assert shop.delete("/wares/tea").status_code == 204
    assert shop.get("/wares/tea").status_code == 404


def test_a_list_is_gone_through_by_its_links(shop: httpx.Client) -> None:
    Ware.save_all(Ware(code=f"w{number}") for number in range(5))
    url, seen = "/wares?limit=2&count=true", list[str]()
    while url:
        answer = shop.get(url)
        seen += [one["code"] for one in body_of(answer)]
        assert answer.headers["x-total-count"] == "5"
        url = answer.links.get("next", {}).get("url", "")
    assert seen == [f"w{number}" for number in range(5)]


def test_head_is_get_without_a_body(shop: httpx.Client) -> None:
    ware()
    got, headed = shop.get("/wares/tea"), shop.head("/wares/tea")
    assert (headed.status_code, headed.content) == (200, b"")
    for name in ("etag", "content-type", "content-length"):
        assert headed.headers[name] == got.headers[name]
    assert shop.head("/wares/nobody").status_code == 404


def test_what_a_client_has_already_is_not_sent_again(shop: httpx.Client) -> None:
    ware()
    tag = shop.get("/wares/tea").headers["etag"]
    again = shop.get("/wares/tea", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    # In two lines of the header, and one.
    for headers in ([("If-None-Match", '"x"'), ("If-None-Match", tag)], [("If-None-Match", f'"x", {tag}')]):
        assert shop.get("/wares/tea", headers=headers).status_code == 304
    ware("other")
    shop.patch("/wares/tea", json={"stock": 9})
    assert shop.get("/wares/tea", headers={"If-None-Match": tag}).status_code == 200


def test_who_knows_an_older_state_changes_nothing(shop: httpx.Client) -> None:
    ware()
    tag = shop.get("/wares/tea").headers["etag"]
    changed = shop.patch("/wares/tea", json={"stock": 1}, headers={"If-Match": tag})
    assert body_of(changed)["stock"] == 1
    for answer in (
        shop.patch("/wares/tea", json={"stock": 2}, headers={"If-Match": tag}),
        shop.put("/wares/tea", json={"stock": 2}, headers={"If-Match": tag}),
        shop.delete("/wares/tea", headers={"If-Match": tag}),
    ):
        assert answer.status_code == 412, answer.text
    assert Ware.get("tea").stock == 1
    assert shop.delete("/wares/tea", headers={"If-Match": changed.headers["etag"]}).status_code == 204


# --- Paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", KEYS, ids=ascii)
def test_a_key_may_be_any_text(shop: httpx.Client, code: str) -> None:
    created = shop.post("/wares", json={"code": code, "stock": 1})
    assert body_of(created, 201)["code"] == code
    assert created.headers["location"] == path(code)
    assert body_of(shop.get(created.headers["location"]))["code"] == code
    assert body_of(shop.post(path(code, "restock"), json={"quantity": 2}))["stock"] == 3
    assert body_of(shop.get(path(code, "doubled"), params={"by": 3})) == 9
    assert body_of(shop.get(path(code, "seen")))["path"] == path(code, "seen")
    assert body_of(shop.put(path(code), json={"stock": 5}))["stock"] == 5
    assert shop.request("OPTIONS", path(code, "restock")).status_code in (200, 405)
    assert shop.delete(path(code)).status_code == 204
    assert Ware.where().count() == 0


def test_what_is_put_at_a_new_place_is_told_where_it_is(shop: httpx.Client) -> None:
    put = shop.put(path("a/ü b"), json={"stock": 5})
    assert body_of(put, 201)["code"] == "a/ü b"
    assert put.headers["location"] == path("a/ü b")


def test_a_slash_at_the_end_changes_nothing(shop: httpx.Client) -> None:
    ware()
    assert body_of(shop.get("/wares/tea/"))["code"] == "tea"
    assert body_of(shop.get("/wares/"))[0]["code"] == "tea"


def test_a_slash_that_is_encoded_separates_nothing(shop: httpx.Client) -> None:
    ware()
    assert shop.get("/wares%2Ftea").status_code == 404
    assert shop.post("/wares/tea%2Frestock", json={"quantity": 1}).status_code in (404, 405)
    assert Ware.get("tea").stock == 0


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_not_found(shop: httpx.Client) -> None:
    assert "nobody" in body_of(shop.get("/wares/nobody"), 404)["detail"]
    assert "nobody" in body_of(shop.post("/wares/nobody/restock", json={"quantity": 1}), 404)["detail"]
    assert shop.get("/nothing").status_code == 404
    assert shop.post("/wares/tea/save").status_code == 404


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("PUT", "/wares", {"GET", "HEAD", "POST", "DELETE"}),
        ("POST", "/wares/tea", {"GET", "HEAD", "PATCH", "PUT", "DELETE"}),
        ("GET", "/wares/tea/restock", {"POST"}),
        ("DELETE", "/wares/tea/doubled", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_is_not_there_is_told_which_are(
    shop: httpx.Client, method: str, url: str, allowed: set[str]
) -> None:
    answer = shop.request(method, url)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) - {"OPTIONS"} == allowed


def test_what_a_method_refuses_is_a_conflict(shop: httpx.Client) -> None:
    ware(stock=3)
    assert body_of(shop.post("/wares/tea/restock", json={"quantity": 5000}), 409) == {
        "detail": "there is no room for so much"
    }
    assert Ware.get("tea").stock == 3


def test_what_only_one_may_have_is_a_conflict(shop: httpx.Client) -> None:
    Label.where().delete()
    first = body_of(shop.post("/labels", json={"text": "fragile"}), 201)
    assert shop.post("/labels", json={"text": "fragile"}).status_code == 409
    second = body_of(shop.post("/labels", json={"text": "heavy"}), 201)
    assert shop.patch(f"/labels/{second['id']}", json={"text": "fragile"}).status_code == 409
    assert [label.id for label in Label.where(text="fragile")] == [first["id"]]


@pytest.mark.parametrize(
    ("url", "given", "place"),
    [
        ("/wares/tea/restock", {"json": {"quantity": "much"}}, ["body", "quantity"]),
        ("/wares/tea/restock", {"json": {}}, ["body", "quantity"]),
        ("/wares/tea/restock", {"params": {"quantity": "much"}}, ["query", "quantity"]),
        ("/wares/tea/restock", {"data": {"quantity": "much"}}, ["body", "quantity"]),
        ("/wares", {"json": {"code": "x", "stock": -1}}, ["body", "stock"]),
        ("/wares", {"json": {"code": "x", "cost": 1}}, ["body", "cost"]),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(
    shop: httpx.Client, url: str, given: dict[str, Any], place: list[str]
) -> None:
    ware()
    assert body_of(shop.post(url, **given), 422)["detail"][0]["loc"] == place
    assert (Ware.get("tea").stock, Ware.where().count()) == (0, 1)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"quantity":1', "application/json", 400),
        (b'{"quantity":NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"quantity":1}', "text/plain", 415),
        (b'{"quantity":1}', "", 415),
        (b"<a/>", "application/xml", 415),
        (b"[1]", "application/json", 422),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(shop: httpx.Client, content: bytes, kind: str, status: int) -> None:
    ware()
    headers = {"Content-Type": kind} if kind else {}
    assert shop.post("/wares/tea/restock", content=content, headers=headers).status_code == status
    assert Ware.get("tea").stock == 0


@pytest.mark.parametrize("url", ["/wares/tea/spoil", "/wares/tea/aspoil"])
def test_a_mistake_of_the_program_is_the_framework_s_to_tell(shop: httpx.Client, framework: str, url: str) -> None:
    ware(stock=3)
    for _ in range(3):
        # uvicorn closes the connection then.
        answer = shop.post(url, headers={"Connection": "close"})
        assert answer.status_code == 500
        assert "roof" not in answer.text
        kind = answer.headers["content-type"]
        assert kind.startswith("text/html" if framework == "flask" else "text/plain"), kind
    # Nothing of it is kept, and what comes next is not part of it.
    assert Ware.get("tea").stock == 3
    assert body_of(shop.post("/wares/tea/restock", json={"quantity": 1}))["stock"] == 4
    assert Ware.get("tea").stock == 4


# --- Other sites ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
    ],
    ids=str,
)
def test_a_page_of_another_site_changes_nothing(shop: httpx.Client, headers: dict[str, str], status: int) -> None:
    ware()
    answer = shop.post("/wares/tea/restock", json={"quantity": 1}, headers=headers)
    assert answer.status_code == status, answer.text
    assert Ware.get("tea").stock == (1 if status == 200 else 0)
    if status == 403:
        for refused in (
            shop.post("/wares", json={"code": "x"}, headers=headers),
            shop.patch("/wares/tea", json={"stock": 9}, headers=headers),
            shop.put("/wares/tea", json={"stock": 9}, headers=headers),
            shop.delete("/wares/tea", headers=headers),
        ):
            assert refused.status_code == 403
        assert (Ware.get("tea").stock, Ware.where().count()) == (0, 1)
        assert shop.get("/wares/tea", headers=headers).status_code == 200


def test_a_page_of_this_site_says_so_by_its_origin(shop: httpx.Client) -> None:
    ware()
    origin = str(shop.base_url).rstrip("/")
    assert shop.post("/wares/tea/restock", json={"quantity": 1}, headers={"Origin": origin}).status_code == 200


# --- Limits, and many at once ---------------------------------------------------------------------------------------


def test_a_body_of_a_mebibyte_is_read_and_one_of_more_is_not(shop: httpx.Client) -> None:
    ware()
    spaces = b" " * (MIB - len(b'{"quantity":1}'))
    headers = {"Content-Type": "application/json"}
    fits = b'{"quantity":1}' + spaces
    assert body_of(shop.post("/wares/tea/restock", content=fits, headers=headers))["stock"] == 1
    assert shop.post("/wares/tea/restock", content=fits + b" ", headers=headers).status_code == 413
    assert Ware.get("tea").stock == 1


def test_a_body_in_chunks_is_read_up_to_a_mebibyte(shop: httpx.Client) -> None:
    ware()
    headers = {"Content-Type": "application/json"}

    def chunks(count: int) -> Any:
        yield b'{"quantity":1}'
        for _ in range(count):
            yield b" " * 1024

    assert body_of(shop.post("/wares/tea/restock", content=chunks(3), headers=headers))["stock"] == 1
    assert shop.post("/wares/tea/restock", content=chunks(1024), headers=headers).status_code == 413
    assert Ware.get("tea").stock == 1
    assert body_of(shop.get("/wares/tea"))["stock"] == 1


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_who_leaves_before_all_is_said_has_said_nothing(
    shop: httpx.Client, site: str, kind: str, is_chunked: bool
) -> None:
    ware()
    part = b'{"quantity":4}' if kind == "application/json" else b"quantity=4"
    length = "Transfer-Encoding: chunked" if is_chunked else "Content-Length: 1000"
    head = f"POST /wares/tea/restock HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()
    if is_chunked:
        part = b"%x\r\n%s\r\n" % (len(part), part)
    for _ in range(5):
        address = urlsplit(site)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(head + part)
    # The server has seen that they have left when it has answered what came after them.
    for _ in range(3):
        assert body_of(shop.get("/wares/tea"))["stock"] == 0


def test_two_hundred_clients_at_once_are_answered_each(shop: httpx.Client, site: str) -> None:
    Ware.save_all(Ware(code=f"w{number}") for number in range(200))

    def ask(number: int) -> tuple[int, int]:
        # Every other one calls an async method.
        method = "restock" if number % 2 else "arestock"
        return number, body_of(shared.post(f"/wares/w{number}/{method}", json={"quantity": number}))["stock"]

    limits = httpx.Limits(max_connections=200)
    with (
        httpx.Client(base_url=site, timeout=60, trust_env=False, limits=limits) as shared,
        ThreadPoolExecutor(200) as threads,
    ):
        for number, stock in threads.map(ask, range(200)):
            assert stock == number
    assert sum(one.stock for one in Ware.all()) == sum(range(200))
