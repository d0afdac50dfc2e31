"""A process that is forked while connections are open, as web servers do with their workers, opens its own."""

import subprocess
import sys
from pathlib import Path

import pytest

#: Saves, is forked, and saves in both; the child ends as programs do.
PROGRAM = """
import os
import sys

import nitro
from nitro import Entity, SQLModelBackend
from nitro.backends.sql.database import database

nitro.configure(sql_url=sys.argv[1])


class Visit(Entity, backend=SQLModelBackend):
    who: str


nitro.create_all(Visit)
Visit(who="before").save()
with database().engine.connect():
    pass


def seen():
    return sorted(visit.who for visit in Visit.all())


if database().dialect.name == "postgresql":
    connection = database().fetch_one("SELECT pg_backend_pid()", ())
gauges = database().gauges
assert gauges.open == gauges.idle == 1

child = os.fork()
if not child:
    is_copy = sys.argv[1] == "sqlite://"
    assert database().gauges.open == is_copy
    Visit(who="child").save()
    if database().dialect.name == "postgresql":
        assert database().fetch_one("SELECT pg_backend_pid()", ()) != connection
    assert seen() == ["before", "child"]
    sys.exit()

assert os.waitpid(child, 0)[1] == 0
if database().dialect.name == "postgresql":
    assert database().fetch_one("SELECT pg_backend_pid()", ()) == connection
Visit(who="parent").save()
assert seen() == (["before", "parent"] if sys.argv[1] == "sqlite://" else ["before", "child", "parent"])
"""


@pytest.fixture(params=["file", "memory", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("fresh_database")
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/nitro.db"


def test_parent_and_child_have_connections_of_their_own(url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, url], capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
