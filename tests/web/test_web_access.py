"""Who may do what, and where requests come from."""

from typing import Any

import pytest
from asking import Answer, Client

import nitro
from nitro import Entity, MemoryRepo
from nitro.web import Core
from nitro.web.access import Access

STORE = MemoryRepo()


class Memo(Entity, backend=STORE):
    __tablename__ = "web_memos"
    text: str = ""
    owner: str = ""
    salary: int = 0

    @nitro.command
    def shout(self) -> None:
        self.text = self.text.upper()

    @nitro.command
    @classmethod
    def forget(cls) -> None:
        cls.where().delete()


def can(user: Any, action: str, cls: type, entity: Any, field: str | None) -> bool:
    assert cls is Memo
    if user == "boss":
        return True
    if field == "salary" or action == "forget":
        return False
    if action in ("update", "delete", "shout") and entity is not None:
        return user is not None and entity.owner == user
    if action == "list" and entity is not None:
        return "hidden" not in entity.text
    return user is not None or action in ("list", "get")


def client_of(user: str | None, access: Access | None = None) -> Client:
    core = Core(access or Access(lambda native: native, can), [Memo], [])
    return Client(core, native=user)


@pytest.fixture(autouse=True)
def memos() -> None:
    STORE.clear()
    Memo(id="a", text="hello", owner="ann", salary=5).save()
    Memo(id="b", text="hidden", owner="bob", salary=6).save()


#: What each may do: the status of the answer.
MATRIX: list[tuple[str, str, Any, tuple[int, int, int]]] = [
    # method, path, body, (nobody, ann, boss)
    ("GET", "/memos", None, (200, 200, 200)),
    ("GET", "/memos/a", None, (200, 200, 200)),
    ("POST", "/memos", {"text": "x"}, (401, 201, 201)),
    ("POST", "/memos", {"text": "x", "salary": 9}, (401, 403, 201)),
    ("POST", "/memos", [{"text": "x", "salary": 9}], (401, 403, 201)),
    ("PATCH", "/memos/a", {"text": "x"}, (401, 200, 200)),
    ("PATCH", "/memos/b", {"text": "x"}, (401, 403, 200)),
    ("PATCH", "/memos/a", {"salary": 9}, (401, 403, 200)),
    ("PUT", "/memos/a", {"text": "x"}, (401, 200, 200)),
    ("PUT", "/memos/a", {"salary": 9}, (401, 403, 200)),
    ("PUT", "/memos/b", {"text": "x"}, (401, 403, 200)),
    ("DELETE", "/memos/a", None, (401, 204, 204)),
    ("DELETE", "/memos/b", None, (401, 403, 204)),
    ("DELETE", "/memos?id__in=a,b", None, (401, 403, 200)),
    ("POST", "/memos/a/shout", None, (401, 200, 200)),
    ("POST", "/memos/b/shout", None, (401, 403, 200)),
    ("POST", "/memos/forget", None, (401, 403, 204)),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), MATRIX)
@pytest.mark.parametrize("who", range(3))
def test_who_may_do_what(method: str, path: str, body: Any, expected: tuple[int, int, int], who: int) -> None:
    before = [memo.model_dump() for memo in Memo.all()]
    answer = client_of((None, "ann", "boss")[who]).ask(method, path, body)
    assert answer.status == expected[who], answer
    if answer.status in (401, 403):
        assert [memo.model_dump() for memo in Memo.all()] == before


@pytest.mark.parametrize("asked", [row[:3] for row in MATRIX], ids=str)
def test_nothing_is_allowed_by_default_where_that_is_said(asked: tuple[str, str, Any]) -> None:
    assert client_of("ann", Access(default="deny")).ask(*asked).status == 403
    assert len(Memo.all()) == 2


def test_what_may_not_be_read_is_not_told() -> None:
    ann, boss = client_of("ann"), client_of("boss")
    assert ann.ask("GET", "/memos").json == [{"id": "a", "text": "hello", "owner": "ann"}]
    assert [memo["salary"] for memo in boss.ask("GET", "/memos").json] == [5, 6]
    for path in ("/memos/a", "/memos/a?fields=salary,text"):
        assert "salary" not in ann.ask("GET", path).json
    for answer in (
        ann.ask("PATCH", "/memos/a", {"text": "y"}),
        ann.ask("PUT", "/memos/a", {"text": "y"}),
        ann.ask("POST", "/memos", {"text": "y"}),
        ann.ask("POST", "/memos/a/shout"),
    ):
        assert "salary" not in answer.json


def test_what_may_not_be_read_is_not_found_by_either() -> None:
    for query in ("salary=5", "salary__gt=1", "order=salary", "order=-salary"):
        assert client_of("ann").ask("GET", f"/memos?{query}").status == 403
        assert client_of("boss").ask("GET", f"/memos?{query}").status == 200


def test_put_leaves_alone_what_may_not_be_written() -> None:
    assert client_of("ann").ask("PUT", "/memos/a", {"text": "x"}).status == 200
    assert Memo.get("a").salary == 5


def test_it_is_said_that_everything_is_open(caplog: pytest.LogCaptureFixture) -> None:
    Core(Access(), [Memo], [])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    caplog.clear()
    Core(Access(can=can), [Memo], [])
    Core(Access(default="deny"), [Memo], [])
    Core(Access(), [], [])
    assert caplog.records == []
    with pytest.raises(ValueError, match="default takes"):
        Access(default="maybe")


# --- Requests that others' pages send -----------------------------------------------------------------------------

UNSAFE = [
    ("POST", "/memos", {"text": "x"}),
    ("POST", "/memos", [{"text": "x"}]),
    ("PATCH", "/memos/a", {"text": "x"}),
    ("PUT", "/memos/a", {"text": "x"}),
    ("DELETE", "/memos/a", None),
    ("DELETE", "/memos?id=a", None),
    ("POST", "/memos/a/shout", None),
    ("POST", "/memos/forget", None),
]

FORGED = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "https://shop.example"},
    {"sec-fetch-site": ""},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://shop.example.evil.example"},
    {"origin": "https://evil.example/shop.example"},
    {"origin": "https://shop.example:8443"},
    {"origin": "https://shop.example@evil.example"},
]


@pytest.mark.parametrize("headers", FORGED, ids=str)
@pytest.mark.parametrize("asked", UNSAFE, ids=str)
def test_forged_requests_change_nothing(asked: tuple[str, str, Any], headers: dict[str, str]) -> None:
    before = [memo.model_dump() for memo in Memo.all()]
    answer = client_of(None, Access()).ask(*asked, headers=headers)
    assert answer.status == 403, answer
    assert [memo.model_dump() for memo in Memo.all()] == before


@pytest.mark.parametrize("kind", ["text/plain", "", "multipart/form-data; boundary=x", "application/xml", "text/json"])
@pytest.mark.parametrize("asked", [one for one in UNSAFE if one[2] is not None], ids=str)
def test_bodies_of_other_kinds_are_refused(asked: tuple[str, str, Any], kind: str) -> None:
    method, path, _ = asked
    answer = client_of(None, Access()).ask(method, path, raw=b'{"text": "x"}', headers={"content-type": kind})
    assert answer.status == 415, answer


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "https://shop.example"},
        {"origin": "http://SHOP.example"},
        {"sec-fetch-site": "cross-site", "origin": "https://partner.example"},
    ],
)
@pytest.mark.parametrize("asked", UNSAFE, ids=str)
def test_the_site_s_own_requests_are_answered(asked: tuple[str, str, Any], headers: dict[str, str]) -> None:
    access = Access(trusted_origins=["https://partner.example/"])
    assert client_of(None, access).ask(*asked, headers=headers).status < 300


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_others_pages_may_ask(headers: dict[str, str]) -> None:
    answer: Answer = client_of(None, Access()).ask("GET", "/memos", headers=headers)
    assert answer.status == 200
