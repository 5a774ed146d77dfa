"""The only source of *now* in the application."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC. Leases and claims use the database's clock instead."""
    return datetime.now(UTC)
