"""Many requests with a running clock each, copied row by row in the database from a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

WARN_AT, ALLOWED = 80, 7200


@dataclass(frozen=True, kw_only=True)
class Group:
    """The copies number `first` to `last`, which are overdue once `hours` have passed."""

    first: int
    last: int
    hours: int = 0

    @property
    def size(self) -> int:
        return self.last - self.first + 1


def since_of(groups: Sequence[Group]) -> str:
    """When the clocks of the groups began: they are due half an hour before the group's time."""
    cases = " ".join(
        f"WHEN n BETWEEN {group.first} AND {group.last} THEN now() + interval '{group.hours} hours - 150 minutes'"
        for group in groups
    )
    return f"CASE {cases} END"


def fill(database: str, *, still_open: int, since: str, allowed: int = ALLOWED, escalate: bool = False) -> None:
    """Copies number 1 to `still_open` of a submitted request: stream (still without events), request and clock.

    The clock of copy n began at the SQL expression `since` and may count so many seconds; where that is NULL it runs
    for days.
    """
    pk, clock_pk = _first(escalate=escalate)
    with psycopg.connect(database, autocommit=True) as connection:
        for table, columns, where in _copied(pk, clock_pk, since, allowed):
            names = [name for (name,) in connection.execute(COLUMNS, (table,)).fetchall()]
            values = ", ".join(columns.get(name, name) for name in names)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} "
                f"FROM {table}, generate_series(1, {still_open}) n WHERE {where}"
            )
        connection.execute("DELETE FROM sla_slaclock WHERE id = %s", (clock_pk,))  # only the copies are counted
        connection.execute("ANALYZE")


def columns_of(model: type, changed: dict[str, str | None]) -> tuple[str, str]:
    """The columns of a table, and what each becomes in a copy of a row."""
    names = [field.column for field in model._meta.concrete_fields]
    return ", ".join(names), ", ".join(changed.get(name) or name for name in names)


COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"


def _copied(pk: int, clock_pk: int, since: str, allowed: int) -> list[tuple[str, dict[str, str], str]]:
    """Table, the columns that differ from the first row's, and which row that is."""
    stream = f"{pk} + n"
    unwritten = {"id": stream, "last_seq": "0", "last_hash": r"'\x'::bytea", "last_at": "NULL"}
    request = {"stream_id": stream, "number": "'B-' || n", "revision": "0"}
    clock = {
        "id": f"{clock_pk} + n",
        "stream_id": stream,
        "started_at": f"coalesce({since}, now())",
        "running_since": f"coalesce({since}, now())",
        "allowed": f"CASE WHEN {since} IS NULL THEN 864000 ELSE {allowed} END",
        "due_at": f"coalesce({since} + interval '{allowed} seconds', now() + interval '10 days')",
        "next_check_at": f"coalesce({since} + interval '{allowed * WARN_AT / 100} seconds', now() + interval '8 days')",
    }
    return [
        ("outbox_stream", unwritten, f"id = {pk}"),
        ("requests_request", request, f"stream_id = {pk}"),
        ("sla_slaclock", clock, f"id = {clock_pk}"),
    ]


def _first(*, escalate: bool) -> tuple[int, int]:
    """A request with one clock, by the services; its stream's id and the clock's."""
    from apps.accounts.models import User  # noqa: PLC0415 - after set_up
    from apps.requests.models import CatalogItem  # noqa: PLC0415 - after set_up
    from apps.sla.models import SlaClock, SlaPolicyVersion  # noqa: PLC0415 - after set_up
    from tests.factories import make_request  # noqa: PLC0415 - after set_up

    target = {
        "id": "fix",
        "metric": "resolution",
        "durations": {priority: {"seconds": ALLOWED} for priority in ("critical", "high", "medium", "low")},
        "warn_at": [WARN_AT],
        "escalations": [{"id": "louder", "at": 100, "do": "raise_priority"}] if escalate else [],
    }
    SlaPolicyVersion.freeze("standard", {"targets": [target]})
    rosa, data = User.objects.get(username="rosa"), {"amount": {"amount": "250.00", "currency": "EUR"}}
    request = make_request(CatalogItem.objects.get(), rosa, data=data)
    return request.pk, SlaClock.objects.get(stream_id=request.pk).pk
