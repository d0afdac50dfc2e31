"""The command `nitro`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import configure, settings
from .errors import ConfigurationError, NitroError

if TYPE_CHECKING:
    from .outbox import Relay

_WHERE = """\
The classes are found by importing the module that is named, from the first of these that says one:
  --app shop.models, or --app shop.main:app as for uvicorn
  NITRO_APP=shop.models
  app = "shop.models" (or a list) in [tool.nitro] of pyproject.toml
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command `nitro`.

    Args:
        arguments: What stands behind `nitro`; None for what this process was started with.

    Returns:
        0 where all is well, 1 where not: `nitro db check` found differences, or an error was told.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except NitroError as error:
        print(f"nitro: {error}", file=sys.stderr)
        return 1


# --- The words --------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nitro", description="Rich domain entities for Python.")
    areas = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_db(areas)
    _add_relay(areas)
    return parser


def _add_db(areas: Any) -> None:
    area = areas.add_parser("db", help="make and migrate the tables of a database")
    commands = area.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, run: Any, what: str, *, database: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=_WHERE if database else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=run)
        command.add_argument(
            "--directory", default="migrations", metavar="PATH", help="where the scripts are (default: migrations)"
        )
        if database:
            command.add_argument("--app", metavar="MODULE", help="the module that defines the entities")
            command.add_argument("--url", help="the database, in place of the one that is configured")
        return command

    add("init", _init, "make the directory for migration scripts", database=False)
    revision = add("revision", _revision, "write a script that brings the tables to what the classes say")
    revision.add_argument("-m", "--message", required=True, help="what the script is for")
    revision.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="TABLE.OLD:NEW",
        help="a column (or table OLD:NEW) that has another name now",
    )
    revision.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="TABLE[.COLUMN]",
        help="a table, or a column, that is to go with all that is in it",
    )
    revision.add_argument(
        "--fill",
        action="append",
        default=[],
        metavar="TABLE.COLUMN=VALUE",
        help="what rows that are there get in a new column",
    )
    upgrade = add("upgrade", _upgrade, "run the scripts up to the last, or to the one that is named")
    upgrade.add_argument("revision", nargs="?", default="head")
    downgrade = add("downgrade", _downgrade, "take back the last script, or all after the one that is named")
    downgrade.add_argument("revision", nargs="?", default="-1")
    for command in (upgrade, downgrade):
        command.add_argument("--sql", action="store_true", help="print the statements and run none")
    stamp = add("stamp", _stamp, "record that the tables are at a script, and run none")
    stamp.add_argument("revision", nargs="?", default="head")
    add("check", _check, "tell what in the database is not as the classes say")
    add("current", _current, "tell which script the database is at")
    add("history", _history, "list the scripts, the last one first", database=False)


def _add_relay(areas: Any) -> None:
    def add(place: Any, name: str, run: Any, what: str) -> argparse.ArgumentParser:
        command = place.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=_WHERE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=run)
        # What is said before the name of a command holds where nothing is said after it.
        said: Any = {} if place is areas else {"default": argparse.SUPPRESS}
        command.add_argument("--app", metavar="MODULE", help="the module that defines the handlers", **said)
        command.add_argument("--url", help="the database, in place of the one that is configured", **said)
        return command

    relay = add(areas, "relay", _relay, "deliver durable events, until SIGTERM or Ctrl-C")
    relay.add_argument("--once", action="store_true", help="deliver what can be delivered now, and end")
    relay.add_argument("--workers", type=int, default=1, metavar="N", help="how many events at a time (default: 1)")
    relay.add_argument(
        "--attempts", type=int, default=10, metavar="N", help="how often an event is tried (default: 10)"
    )
    relay.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long a handler may take (default: 60)"
    )
    relay.add_argument(
        "--lease",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how soon others take over what a relay had that was killed (default: 30)",
    )
    relay.add_argument("--keep", type=float, metavar="DAYS", help="how long dead letters are kept (default: for ever)")
    commands = relay.add_subparsers(title="commands", metavar="COMMAND")
    add(commands, "dead", _dead, "list the events that have failed too often")
    replay = add(commands, "replay", _replay, "let dead letters be tried again")
    replay.add_argument("ids", nargs="*", metavar="ID", help="which")
    replay.add_argument("--all", action="store_true", help="each of them")


# --- The commands -----------------------------------------------------------------------------------------------


def _init(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    place = migrations.initialise(options.directory)
    print(f'{place} is there; now: nitro db revision -m "..."')
    return 0


def _revision(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    fills: dict[str, str] = {}
    for fill in options.fill:
        place, equals, value = fill.partition("=")
        if not equals or "." not in place:
            raise ConfigurationError(f"--fill {fill}: write table.column=value")
        fills[place] = value
    store = _database(options, needs_app=True)
    revision = migrations.revise(
        store, options.message, directory=options.directory, renames=options.rename, drops=options.drop, fills=fills
    )
    for sentence in (*revision.changes, *revision.notes):
        print(sentence)
    if revision.path is None:
        print("nothing to do: the tables are what the classes say")
    else:
        print(f"{os.path.relpath(revision.path)}: read it, then: nitro db upgrade")
    return 0


def _upgrade(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    store = _database(options)
    steps = migrations.upgrade(store, options.revision, directory=options.directory, sql=options.sql)
    print("\n".join(steps or ["nothing to do"]))
    return 0


def _downgrade(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    store = _database(options)
    steps = migrations.downgrade(store, options.revision, directory=options.directory, sql=options.sql)
    print("\n".join(steps or ["nothing to do"]))
    return 0


def _stamp(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    store = _database(options)
    migrations.stamp(store, options.revision, directory=options.directory)
    print(f"{store.name} is at {migrations.current(store) or 'the time before the first script'}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    store = _database(options, needs_app=True)
    found = migrations.check(store, directory=options.directory)
    for sentence in found:
        print(sentence, file=sys.stderr)
    if not found:
        print(f"{store.name} is as the classes say")
    return 1 if found else 0


def _current(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    store = _database(options)
    print(f"{store.name}: {migrations.current(store) or 'before the first script'}")
    return 0


def _history(options: argparse.Namespace) -> int:
    from .backends.sql import migrations

    for revision, message in migrations.history(options.directory):
        print(f"{revision} {message}")
    return 0


def _relay(options: argparse.Namespace) -> int:
    import asyncio
    import datetime
    import logging

    from .outbox import Relay, has_handlers

    if options.workers < 1:
        raise ConfigurationError(f"--workers {options.workers}: at least one is needed")
    store = _database(options, needs_app=True)
    if not has_handlers():
        raise ConfigurationError(
            f"{' and '.join(_modules(options.app))} has no durable handler, as @on(signal, durable=True) makes one: "
            "name the module that imports each of them"
        )
    # Each has a transaction, and renews its lease meanwhile.
    configure(sql_pool_size=max(settings().sql_pool_size, 2 * options.workers))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    keep = None if options.keep is None else datetime.timedelta(days=options.keep)
    relays = [
        Relay(attempts=options.attempts, timeout=options.timeout, lease=options.lease, keep=keep)
        for _ in range(options.workers)
    ]
    if options.once:
        print(f"delivered {sum(asyncio.run(_all_once(relays)))}")
        return 0
    print(f"delivering the events of {store.name}", flush=True)
    asyncio.run(_until_signalled(relays))
    return 0


async def _all_once(relays: Sequence[Relay]) -> list[int]:
    import asyncio

    return await asyncio.gather(*(relay.arun_once() for relay in relays))


async def _until_signalled(relays: Sequence[Relay]) -> None:
    import asyncio
    import signal

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    ends = (signal.SIGTERM, signal.SIGINT)

    def end() -> None:
        stop.set()
        for relay in relays:
            relay.wake()
        for number in ends:
            # The second one does not wait.
            loop.remove_signal_handler(number)

    for number in ends:
        loop.add_signal_handler(number, end)
    await asyncio.gather(*(relay.arun(stop) for relay in relays))


def _dead(options: argparse.Namespace) -> int:
    from . import outbox

    _database(options)
    for letter in outbox.dead_letters():
        print(
            f"{letter.id} {letter.signal} of {letter.sender_class} {letter.sender_key}, sent "
            f"{letter.created_at:%Y-%m-%d %H:%M:%S} UTC, {letter.attempts} attempts"
        )
        for line in (letter.error or "").splitlines():
            print(f"    {line}")
    return 0


def _replay(options: argparse.Namespace) -> int:
    from . import outbox

    if bool(options.ids) == options.all:
        raise ConfigurationError("nitro relay replay takes the ids of dead letters, or --all")
    _database(options)
    missing = [event_id for event_id in options.ids if not outbox.replay(event_id)]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)}: no dead letter, `nitro relay dead` lists them")
    count = outbox.replay() if options.all else len(options.ids)
    print(f"{count} to be tried again")
    return 0


# --- The application --------------------------------------------------------------------------------------------


def _database(options: argparse.Namespace, *, needs_app: bool = False) -> Any:
    """The database that is meant, after the application has been imported: it may configure one."""
    from .backends.sql import tables
    from .backends.sql.database import database

    modules = _modules(options.app)
    if not modules and (needs_app or not (options.url or os.environ.get("NITRO_SQL_URL"))):
        raise ConfigurationError(
            "which module defines the entities? Say --app shop.models, NITRO_APP=shop.models, "
            'or app = "shop.models" in [tool.nitro] of pyproject.toml'
        )
    with tables.left_alone():
        for module in modules:
            _import(module)
    if options.url:
        configure(sql_url=options.url)
    store = database()
    if needs_app and not tables.tables_of(store):
        raise ConfigurationError(
            f"nothing that {' and '.join(modules)} defines is kept in {store.name}: "
            "name the module that imports every entity, or the database with --url"
        )
    return store


def _modules(named: str | None) -> list[str]:
    text = named or os.environ.get("NITRO_APP")
    if text:
        return [part.strip() for part in text.split(",") if part.strip()]
    project = next((place for place in (Path.cwd(), *Path.cwd().parents) if (place / "pyproject.toml").exists()), None)
    if project is None:
        return []
    try:
        settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{project / 'pyproject.toml'} cannot be read: {error}") from error
    found: Any = settings.get("tool", {}).get("nitro", {}).get("app", [])
    modules: list[Any] = [found] if isinstance(found, str) else found
    if not all(isinstance(module, str) for module in modules):
        raise ConfigurationError(f"app in [tool.nitro] of {project / 'pyproject.toml'} names no module: {found!r}")
    if modules and str(project) not in sys.path:
        sys.path.insert(0, str(project))
    return modules


def _import(name: str) -> None:
    """Imports a module, from the directory where the command was given before any other."""
    module_name, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Not one that the application itself fails to find.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(
            f"there is no module {module_name!r} here, nor installed: run nitro in the directory that it is in"
        ) from error
    if attribute and not hasattr(module, attribute.partition(".")[0].partition("(")[0]):
        raise ConfigurationError(f"module {module_name} has no {attribute!r}")


if __name__ == "__main__":
    sys.exit(main())
