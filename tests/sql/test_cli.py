"""The command `nitro db`, as it is typed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nitro
from nitro.backends.sql import migrations
from nitro.cli import main

MODELS = """
import nitro
from nitro import Entity, SQLModelBackend

class Order(Entity, backend=SQLModelBackend):
    customer: str
    {field}: int = 0

nitro.create_all()
"""

Nitro = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS.format(field="total"), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.nitro]\napp = "models"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def nitro_command(project: Path) -> Nitro:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NITRO_")}
    path = os.pathsep.join(place for place in sys.path if place)

    def run(*arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "nitro.cli", *arguments],
            cwd=project,
            env=environment | {"PYTHONPATH": path} | variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_from_nothing_to_a_renamed_column_and_back(project: Path, nitro_command: Nitro) -> None:
    def db(*arguments: str, code: int = 0) -> str:
        done = nitro_command("db", *arguments, code=code)
        return done.stdout + done.stderr

    assert db("init") == 'migrations is there; now: nitro db revision -m "..."\n'
    assert db("check", code=1) == (
        'there is no table order\n`nitro db revision -m "..."` and `nitro db upgrade` mend it\n'
    )
    said = db("revision", "-m", "Orders").splitlines()
    assert said[0] == "there is no table order"
    assert said[-1].startswith("migrations/versions/")
    assert said[-1].endswith("_orders.py: read it, then: nitro db upgrade")
    assert db("upgrade").startswith("up to ")
    assert db("upgrade") == "nothing to do\n"
    assert db("check") == "sqlite:///nitro.db is as the classes say\n"

    (project / "models.py").write_text(MODELS.format(field="amount"), encoding="utf-8")
    assert db("check", code=1).splitlines() == [
        "there is no column order.amount (BIGINT)",
        "column order.total belongs to no field",
        '`nitro db revision -m "..."` and `nitro db upgrade` mend it',
    ]
    assert db("revision", "-m", "Amount", "--rename", "order.total:amount").startswith(
        "column order.total is called amount\n"
    )
    assert db("upgrade").endswith(": Amount\n")
    assert [line.partition(" ")[2] for line in db("history").splitlines()] == ["Amount", "Orders"]
    assert db("downgrade").endswith(": Amount\n")
    assert 'CREATE TABLE "order"' in db("upgrade", "--sql")
    assert db("stamp").startswith("sqlite:///nitro.db is at ")
    scripts = "".join(script.read_text("utf-8") for script in (project / "migrations" / "versions").glob("*.py"))
    assert "nitro" not in scripts


def test_the_application_may_be_named_in_each_way(project: Path, nitro_command: Nitro) -> None:
    nitro_command("db", "init")
    (project / "pyproject.toml").unlink()
    done = nitro_command("db", "check", code=1)
    assert done.stderr.startswith("nitro: which module defines the entities? Say --app shop.models, NITRO_APP=")
    for done in (
        nitro_command("db", "check", "--app", "models:Order", code=1),
        nitro_command("db", "check", code=1, NITRO_APP="models"),
    ):
        assert done.stderr.startswith("sqlite:///nitro.db is ") or "there is no table order" in done.stderr
    assert nitro_command("db", "check", "--app", "modls", code=1).stderr == (
        "nitro: there is no module 'modls' here, nor installed: run nitro in the directory that it is in\n"
    )
    assert nitro_command("db", "check", "--app", "models:order", code=1).stderr == (
        "nitro: module models has no 'order'\n"
    )
    assert (
        "nothing that json defines is kept in sqlite:///other.db"
        in nitro_command("db", "check", "--app", "json", "--url", "sqlite:///other.db", code=1).stderr
    )


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[str]:
    yield str(migrations.initialise(tmp_path / "migrations"))
    nitro.configure(sql_url=None)


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "current", "stamp"])
def test_a_database_that_is_not_there_is_told_without_its_password(
    directory: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://shop:s3cret@127.0.0.1:1/shop"
    assert main(["db", command, "--directory", directory, "--url", url]) == 1
    output, errors = capsys.readouterr()
    assert errors.startswith("nitro: postgresql://shop@127.0.0.1:1/shop cannot be reached")
    assert "s3cret" not in output + errors


def test_a_wrong_word_is_told(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "init", "--directory", directory]) == 1
    assert capsys.readouterr().err == f"nitro: {directory} has migrations already\n"
    with pytest.raises(SystemExit) as error:
        main(["db", "upgrad"])
    assert error.value.code == 2
    assert "upgrad" in capsys.readouterr().err
    assert main(["db", "revision", "-m", "x", "--fill", "x"]) == 1
    assert capsys.readouterr().err == "nitro: --fill x: write table.column=value\n"
    assert main(["db", "upgrade", "--directory", "nowhere", "--url", "sqlite://"]) == 1
    assert capsys.readouterr().err == "nitro: nowhere has no migrations: `nitro db init` makes the directory\n"
