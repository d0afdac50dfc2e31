"""The examples in the documents and in the docstrings run, and print what they say they print."""

import doctest
import importlib
import pkgutil
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlmodel import SQLModel

import nitro
from nitro import config, repository
from nitro.backends.sql import tables
from nitro.backends.sql.database import database
from nitro.events import off
from nitro.events._dispatcher import dispatchers

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = ["nitro", *(module.name for module in pkgutil.walk_packages(nitro.__path__, "nitro."))]

CODE_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: The database of the documents; the tests have another one.
POSTGRES = "postgresql://shop:secret@localhost/shop"
#: What the modules of the documents are called.
NAMED = "document_"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def familiar_names() -> dict[str, object]:
    """What the examples of a docstring may name without a word; nothing is stored yet."""

    class Point(nitro.Model):
        x: int
        y: int = 0

    class Order(nitro.Entity):
        customer_name: str
        total: float = 0.0
        status: str = "draft"

    order = Order(customer_name="Alice")
    return {"nitro": nitro, "Order": Order, "Point": Point, "order": order}


def code_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield each Python block with the number of lines above its code."""
    for block in CODE_BLOCK.finditer(text):
        yield text.count("\n", 0, block.start(1)), block[1]


def run_session(session: doctest.DocTest) -> None:
    report: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(session, out=report.append, clear_globs=False)
    if report:
        pytest.fail("".join(report), pytrace=False)


@pytest.fixture
def own_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever else runs may have tables of the same names, and a database in mind."""
    monkeypatch.setattr(SQLModel, "metadata", sqlalchemy.MetaData())
    monkeypatch.setattr(repository, "_shared", {})
    monkeypatch.delenv("NITRO_SQL_URL", raising=False)
    monkeypatch.setattr(config, "_explicit", {})
    monkeypatch.setattr(config, "_current", None)
    every = tables.entity_classes
    others = set(every())
    monkeypatch.setattr(tables, "entity_classes", lambda: [known for known in every() if known not in others])
    yield
    database().close()


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """Signals are the same everywhere: whoever sends one next should not meet the handlers of a document."""
    yield
    for _, dispatcher in dispatchers():
        for handler in dispatcher.all():
            if handler.name.startswith(NAMED):
                off(handler.function)


@pytest.mark.usefixtures("own_tables", "own_handlers")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_examples_of_a_document_run(
    document: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # A document reads from top to bottom, so its blocks share one namespace: that of a real module,
    # since pydantic looks there for what annotations name.
    module = types.ModuleType(f"{NAMED}{document.stem.lower()}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    text = document.read_text(encoding="utf-8")
    if POSTGRES in text:
        text = text.replace(POSTGRES, request.getfixturevalue("fresh_database"))
    for lines_above, code in code_blocks(text):
        if code.lstrip().startswith(">>>"):
            session = doctest.DocTestParser().get_doctest(code, {}, document.name, str(document), lines_above)
            session.globs = vars(module)
            run_session(session)
        else:
            program = compile("\n" * lines_above + code, document, "exec")
            exec(program, vars(module))  # noqa: S102 - the documents are our own


def test_the_readme_opens_with_a_sentence_the_install_line_and_a_live_session() -> None:
    title, sentence, install, session, *_ = re.split(r"\n\n+", DOCUMENTS[0].read_text("utf-8"))
    assert title == "# Nitro"
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert "pip install nitro" in install
    assert session.startswith("```python\n>>> ")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    finder = doctest.DocTestFinder()
    for session in finder.find(importlib.import_module(name), name, globs=familiar_names()):
        run_session(session)
