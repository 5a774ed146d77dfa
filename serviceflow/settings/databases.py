"""From a URL to a Django database entry, with what each server needs to be safe."""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON;"
KNOWN = ("postgres://", "postgresql://", "sqlite:///", "sqlite://:memory:")


def database_from_url(url: str) -> dict[str, Any]:
    """The `DATABASES` entry for a URL (`postgresql://...` or `sqlite:///path`).

    PostgreSQL gets a bounded psycopg pool and no kept connections (one thread per request would exhaust the server);
    SQLite begins every transaction IMMEDIATE, so that writers wait for each other instead of failing.
    """
    if not url.startswith(KNOWN):
        raise ImproperlyConfigured(f"DATABASE_URL must start with one of {', '.join(KNOWN[:3])}")
    try:
        entry: dict[str, Any] = dict(environ.Env.db_url_config(url))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
    if entry["ENGINE"].endswith("sqlite3"):
        entry["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 10, "init_command": SQLITE_PRAGMAS}
    else:
        entry["HOST"] = entry.pop("OPTIONS", {}).get("host") or entry["HOST"]
        entry["CONN_MAX_AGE"] = 0
        entry["OPTIONS"] = {"pool": {"min_size": 2, "max_size": 20, "timeout": 10}}
    return entry
