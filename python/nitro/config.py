"""Settings."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    sql_url: str = "sqlite:///nitro.db"
    sql_pool_size: int = 10
    sql_pool_timeout: float = 30.0
    sql_connect_timeout: float = 10.0
    sql_echo: bool = False


def settings() -> Settings:
    return Settings(sql_url=os.environ.get("NITRO_SQL_URL", "sqlite:///nitro.db"))
