"""Texts that mean something in SQL, in the formats of drivers, in patterns or in JSON paths; `{table}` is a table."""

import itertools

_WHOLE = [
    "'",
    "''",
    '"',
    '""',
    "`",
    ";",
    "--",
    "/*",
    "*/",
    "\\",
    "\\'",
    "\\\\",
    "%",
    "%%",
    "%s",
    "%(name)s",
    "%b",
    "_",
    "?",
    "?1",
    ":1",
    ":name",
    "$1",
    "$$",
    "@name",
    "{}",
    "{0}",
    "[0]",
    "$.a",
    "$[0]",
    "a.b",
    'a"."b',
    "NULL",
    "null",
    "true",
    "0",
    "1e999",
    "0x27",
    "E'\\x27'",
    "U&'\\0027'",
    "\x00",
    "a\x00b",
    "\x1a",
    "\u2028",
    "\u02bc",
    "\uff07",
    "\ud800",
    "¿'",
    "\x08",
    "\r\n",
    "\t",
    " ",
    "",
    "id",
    "_version",
    "name__eq",
    "__class__",
    "__dict__",
    "sqlite_master",
    "pg_catalog.pg_class",
]

_OPENINGS = ["", "'", '"', "')", '")', "';", '";', "\\'", "1", "1)", "}", "]", "$$", "name"]

_STATEMENTS = [
    " OR 1=1",
    " OR 'a'='a",
    " OR TRUE",
    "; DROP TABLE {table}",
    "; DELETE FROM {table}",
    "; UPDATE {table} SET name = 'owned'",
    "; INSERT INTO {table} SELECT * FROM {table}",
    " UNION SELECT * FROM {table}",
    " UNION ALL SELECT NULL, NULL, NULL, NULL",
    "; ALTER TABLE {table} RENAME TO owned",
    "; CREATE TABLE owned (a int)",
    "; COMMIT; DROP TABLE {table}",
    "; ATTACH DATABASE 'owned.db' AS owned",
    "; PRAGMA writable_schema = ON",
    "; COPY {table} TO PROGRAM 'touch /tmp/owned'",
    " AND (SELECT count(*) FROM {table}) > 0",
    " AND pg_sleep(5) IS NOT NULL",
    " || (SELECT name FROM {table} LIMIT 1) || ",
    "' || (SELECT string_agg(name, '') FROM {table}) || '",
    "::text",
    " DESC, (SELECT 1)",
    " COLLATE NOCASE",
    " ESCAPE '",
    "]') = json('[1",
]

_CLOSINGS = ["", " --", " #", "/*", ";", "') --", '") --']


def hostile_texts(count: int, table: str) -> list[str]:
    """The first so many: the whole texts, and openings, statements and endings combined."""
    combined = ("".join(parts) for parts in itertools.product(_OPENINGS, _STATEMENTS, _CLOSINGS))
    made = (text.replace("{table}", table) for text in itertools.chain(_WHOLE, _spread(list(combined), count)))
    return list(itertools.islice(dict.fromkeys(made), count))


def _spread(texts: list[str], count: int) -> list[str]:
    """Texts from everywhere in the list, not only those with the first opening."""
    # The step shares no factor with the length, so every text comes once.
    step = 997
    return [texts[place * step % len(texts)] for place in range(min(count, len(texts)))]
