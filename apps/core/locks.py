"""Lock helpers: named, ordered, evaluated at once; outside a transaction they refuse."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

from django.db import connection, models
from django.db.transaction import TransactionManagementError

Row = TypeVar("Row", bound=models.Model)


def require_transaction() -> None:
    """Raises TransactionManagementError outside `atomic`: a lock that ends with its statement protects nothing."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("a lock is taken inside a transaction only")


def lock_rows(rows: models.QuerySet[Row], *, skip_locked: bool = False, of: tuple[str, ...] = ()) -> list[Row]:
    """The rows, locked in primary-key order; with `skip_locked` those that another transaction holds are left out.

    SQLite has one writer at a time (every transaction begins IMMEDIATE), so there the locks are void and not needed.
    """
    require_transaction()
    options: dict[str, Any] = {"skip_locked": skip_locked} if skip_locked else {}
    return list(rows.order_by("pk").select_for_update(of=of, **options))


def try_advisory_lock(name: str) -> bool:
    """True if this transaction now is the only one that holds the named lock; it ends with the transaction."""
    require_transaction()
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_key_of(name)])
        return bool(cursor.fetchone()[0])


def advisory_lock(name: str) -> None:
    """Waits until this transaction is the only one that holds the named lock; it ends with the transaction."""
    require_transaction()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key_of(name)])


def _key_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
