"""Commands as they are typed, in processes that have imported Nitro already."""

import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

# None of these is for a child to import.
import nitro.outbox  # noqa: F401
from nitro.backends.sql import postgres, sqlite  # noqa: F401
from nitro.cli import main


def command(directory: str, environment: dict[str, str], output: str, *arguments: str) -> NoReturn:
    """Runs `nitro`, and ends with its exit code."""
    _enter(directory, environment, output)
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def place(directory: str, environment: dict[str, str], output: str, *customers: str) -> None:
    """Places an order for each customer."""
    _enter(directory, environment, output)
    app = importlib.import_module("shop_app")
    for customer in customers:
        app.placed.send(app.Order(customer=customer).save())


def _enter(directory: str, environment: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.path.insert(0, directory)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # A line at a time, as to a terminal.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for stream in (1, 2):
        os.dup2(file, stream)
    Path(f"{output}.process").write_text(str(os.getpid()), encoding="ascii")
