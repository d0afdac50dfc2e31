"""How much the reliability tests do: as much as fits into every run, or all of it with NITRO_RELIABILITY=long."""

import os

LONG = os.environ.get("NITRO_RELIABILITY", "") == "long"

PROCESSES = 16
INCREMENTS = 1000 if LONG else 25
#: At each point.
KILLS = 100 if LONG else 20
#: Entries that are saved together under load.
BATCH = 3
STOPS = 50 if LONG else 5
#: Against each database.
PAYLOADS = 1000
#: Of those, each so manieth is asked for where every answer takes a look at all of them.
PAYLOAD_STEP = 1 if LONG else 5
OPERATIONS = 10_000
#: Tasks, each of them with a transaction.
UNITS = 30_000 if LONG else 2_000
