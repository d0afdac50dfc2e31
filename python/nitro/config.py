"""Settings: where the database is, and how long to wait for it.

What `configure` was told wins over the environment, and the environment over the default. The setting `sql_url` is
`NITRO_SQL_URL` in the environment, and so is each of the others.
"""

from __future__ import annotations

import difflib
import math
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypedDict, Unpack

from .errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of this process.

    Attributes:
        sql_url: The database of every class whose backend names none, such as `sqlite:///shop.db` or
            `postgresql://user:password@host/name`.
        sql_pool_size: How many connections to a database are open at most, for threads and for event loops each.
        sql_pool_timeout: Seconds to wait for one of them while all are in use.
        sql_connect_timeout: Seconds to wait for the database to answer a new connection.
        sql_echo: Whether statements are written to the log.
    """

    sql_url: str = "sqlite:///nitro.db"
    sql_pool_size: int = 10
    sql_pool_timeout: float = 30.0
    sql_connect_timeout: float = 10.0
    sql_echo: bool = False

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["sql_url"] = shown_url(self.sql_url)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in values.items())})"


class _Given(TypedDict, total=False):
    sql_url: str | None
    sql_pool_size: int | None
    sql_pool_timeout: float | None
    sql_connect_timeout: float | None
    sql_echo: bool | None


def configure(**given: Unpack[_Given]) -> Settings:
    """Sets what a program wants other than its environment says, before its first query; the rest stays as it is.

    None takes back what was set, so that the environment or the default holds again. A database that is open keeps
    the settings that it was opened with.

    Args:
        given: Settings by their names: see `Settings`.

    Returns:
        The settings that hold now.

    Raises:
        ConfigurationError: If there is no such setting, or a value is not of its kind. Nothing is changed then.

    Example:
        >>> nitro.configure(sql_url="postgresql://shop:secret@db.example/shop", sql_pool_size=20)
        Settings(sql_url='postgresql://shop@db.example/shop', sql_pool_size=20, ...)
        >>> nitro.configure(sql_pool=20)
        Traceback (most recent call last):
            ...
        nitro.errors.ConfigurationError: there is no setting 'sql_pool'; did you mean 'sql_pool_size'?
        >>> nitro.configure(sql_url=None, sql_pool_size=None)
        Settings(sql_url='...', sql_pool_size=10, ...)
    """
    global _explicit, _current
    with _changing:
        explicit = dict(_explicit)
        for name, value in given.items():
            if name not in _READERS:
                near = difflib.get_close_matches(name, _READERS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_READERS)}"
                raise ConfigurationError(f"there is no setting {name!r}; {hint}")
            if value is None:
                explicit.pop(name, None)
            else:
                explicit[name] = _READERS[name](value, f"{name}=")
        current = _read(explicit)
        _explicit, _current = explicit, current
    for listener in _listeners:
        listener()
    return current


def on_change(listener: Callable[[], None]) -> None:
    """Has a function called whenever `configure` was, for what depends on the settings."""
    _listeners.append(listener)


def settings() -> Settings:
    """The settings that hold now: one object, until `configure` makes another.

    The environment is read when it is first needed, and by every `configure` again.

    Raises:
        ConfigurationError: If a value in the environment is not of its kind.
    """
    global _current
    current = _current
    if current is None:
        with _changing:
            current = _current
            if current is None:
                current = _current = _read(_explicit)
    return current


def shown_url(url: str) -> str:
    """A URL as it may be shown to anybody: without its password, and without its options, which may hold one too.

    Example:
        >>> from nitro.config import shown_url
        >>> shown_url("postgresql://shop:secret@db.example:5433/shop?sslmode=require")
        'postgresql://shop@db.example:5433/shop'
    """
    found = _URL.fullmatch(url)
    if found is None:
        # It may be anything, a lone password included.
        return "..."
    user = f"{found['user'] or ''}@" if found["credentials"] else ""
    return f"{found['scheme']}://{user}{found['rest']}"


# A password that nobody has quoted may hold any sign, so the last "@" ends it; before a path alone there is none.
_URL = re.compile(
    r"(?P<scheme>[\w+]+)://"
    r"(?:(?=/)|(?P<credentials>(?P<user>[^:/@]*)(?::.*)?@)?(?!.*@))"
    r"(?P<rest>[^?]*)(?:\?.*)?",
    re.DOTALL,
)


# --- Values of each kind ----------------------------------------------------------------------------------------


def _url(value: object, place: str) -> str:
    # The value is not shown: it may hold a password.
    if not isinstance(value, str) or "://" not in value:
        example = "'sqlite:///shop.db' or 'postgresql://user:password@host/name'"
        raise ConfigurationError(f"{place}...: a URL is a text such as {example}")
    return value


def _size(value: object, place: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        value = int(value)
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{place}{value!r}: must be a whole number of at least 1")
    return value


def _seconds(value: object, place: str) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"{place}{value!r}: must be a number of seconds above 0")
    return seconds


_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _switch(value: object, place: str) -> bool:
    known = value if isinstance(value, bool) else _SWITCH.get(str(value).strip().lower())
    if known is None:
        raise ConfigurationError(f"{place}{value!r}: must be one of {', '.join(_SWITCH)}")
    return known


#: How the value of each setting is read, from the environment or from `configure`.
_READERS: dict[str, Callable[[object, str], Any]] = {
    "sql_url": _url,
    "sql_pool_size": _size,
    "sql_pool_timeout": _seconds,
    "sql_connect_timeout": _seconds,
    "sql_echo": _switch,
}

_changing = threading.Lock()
_listeners: list[Callable[[], None]] = []
_explicit: dict[str, Any] = {}
_current: Settings | None = None


def _read(explicit: dict[str, Any]) -> Settings:
    values = dict(explicit)
    for name, reader in _READERS.items():
        variable = f"NITRO_{name.upper()}"
        # An empty variable is how much of what starts programs says that there is none.
        text = os.environ.get(variable, "").strip()
        if text and name not in explicit:
            values[name] = reader(text, f"{variable}=")
    return Settings(**values)
