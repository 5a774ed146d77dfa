"""Open requests carried over to a new SLA policy: `python -m tests.benchmarks.carrying [--open N]`.

Each request has three clocks and the events of one that waits for its second approval. Printed are the seconds of
the look and of the change, from now on and retroactively (which reads every event), their statements a request, by how
much the process has grown, and the ratio to the floor of the same run: a bare transaction a request that locks its
stream, writes an event and updates clocks, request and stream. It makes a database of its own on PostgreSQL and drops
it at the end; it never fails on a stopwatch, but says NO where a request was not carried over exactly once.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import psycopg

from tests.benchmarks.__main__ import bench_database, server_url
from tests.benchmarks.product import seed, set_up
from tests.benchmarks.sweeping_rows import columns_of

LEVELS = ("critical", "high", "medium", "low")
INSERT = """
INSERT INTO floor.event (stream_id, seq, type, version, actor, role, at, data, prev_hash, hash, key_id)
VALUES (%s, 1, 'sla.rebased', 1, 'system', '', now(), '{}', %s, %s, 'bench')
"""
FLOOR = (
    ("SELECT id FROM outbox_stream WHERE id = %s FOR UPDATE", 0),
    (INSERT, 2),
    ("UPDATE floor.clock SET allowed = allowed + 1, due_at = now() WHERE stream_id = %s", 0),
    ("UPDATE floor.request SET revision = revision + 1, updated_at = now() WHERE stream_id = %s", 0),
    ("UPDATE floor.stream SET last_seq = last_seq + 1 WHERE id = %s", 0),
)
SCHEMA = """
CREATE SCHEMA floor;
CREATE TABLE floor.event (LIKE outbox_event INCLUDING ALL);
CREATE TABLE floor.clock (LIKE sla_slaclock INCLUDING ALL);
CREATE TABLE floor.request (LIKE requests_request INCLUDING ALL);
CREATE TABLE floor.stream (LIKE outbox_stream INCLUDING ALL);
INSERT INTO floor.clock SELECT * FROM sla_slaclock;
INSERT INTO floor.request SELECT * FROM requests_request;
INSERT INTO floor.stream SELECT * FROM outbox_stream;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=2_000, help="open requests on the earlier version")
    options = parser.parse_args()
    with bench_database(server_url()) as database:
        _apart(database, _fill, database, options.open)
        floor = _floor(database)
        print(f"{options.open:,} open requests carried over; floor {floor:.1f} s (docs/performance.md)")
        print(f"{'what':<24} {'seconds':>8} {'ms each':>8} {'statements each':>16} {'grown by MB':>12} {'of floor':>9}")
        for mode in ("from now on", "retroactively"):
            _apart(database, _new_version)
            for what, step in (("look", _look), ("change", _change)):
                seconds, statements, grown = _apart(database, step, mode == "retroactively", options.open)
                print(
                    f"{f'{what}, {mode}':<24} {seconds:>8.1f} {1000 * seconds / options.open:>8.2f} "
                    f"{statements:>16.2f} {grown:>12.1f} {seconds / floor:>9.2f}",
                    flush=True,
                )
        print(f"each carried over twice, once by each change: {_not_once(database, options.open) or 'yes'}")


def _apart(database: str, step: Callable[..., Any], *given: Any) -> Any:
    """The step in a process of its own: Django keeps to its first database, and memory is measured from the start."""
    with ProcessPoolExecutor(1, get_context("spawn"), *(() if step is _fill else (set_up, (database,)))) as pool:
        return pool.submit(step, *given).result()


# ------------------------------------------------------------------------------------ the requests


def _fill(database: str, requests: int) -> None:
    """One real request that waits for its second approval, copied row by row in the database."""
    seed(database)
    first = _first_request()
    with psycopg.connect(database, autocommit=True) as connection:
        for table, names, values, where in _copies(first):
            connection.execute(
                f"INSERT INTO {table} ({names}) "
                f"SELECT {values} FROM {table}, generate_series(1, {requests - 1}) AS copies (i) WHERE {where}"
            )
        connection.execute("ANALYZE")


def _first_request() -> Any:
    from apps.accounts.models import User  # noqa: PLC0415 - after set_up
    from apps.approvals.models import Approval  # noqa: PLC0415
    from apps.requests.models import CatalogItem, Request  # noqa: PLC0415
    from apps.requests.services.decisions import record_decision  # noqa: PLC0415
    from tests.factories import make_calendar, make_person, make_request  # noqa: PLC0415

    make_calendar()
    make_person("root", roles=["administrator"])
    _freeze(hours=9)
    data = {"amount": {"amount": "4800.00", "currency": "EUR"}}
    request = make_request(CatalogItem.objects.get(), User.objects.get(username="rosa"), data=data)
    seat = Approval.objects.get().levels.get().seats.first()
    assert seat is not None
    record_decision(Approval.objects.get(), verdict="approve", actor=seat.user)
    return Request.objects.get(pk=request.pk)


def _freeze(*, hours: int) -> None:
    from apps.sla.models import SlaPolicyVersion  # noqa: PLC0415 - after set_up

    def target(name: str, metric: str, **more: Any) -> dict[str, Any]:
        durations = {level: {"business_seconds": 3600 * hours} for level in LEVELS}
        return {"id": name, "metric": metric, "durations": durations, "calendar": "office", **more}

    targets = [
        target("answer", "response", on={"stop": [{"event": "request.completed"}]}),
        target("fix", "resolution", warn_at=[80]),
        target("ours", "resolution", escalations=[{"id": "lead", "at": 99, "do": "raise_priority"}]),
    ]
    SlaPolicyVersion.freeze("standard", {"targets": targets})


def _copies(first: Any) -> list[tuple[str, str, str, str]]:
    """Table, columns, their values and which row is copied."""
    from apps.outbox.models import Event, Stream  # noqa: PLC0415 - after set_up
    from apps.requests.models import Request  # noqa: PLC0415
    from apps.sla.models import SlaClock  # noqa: PLC0415

    stream, many = f"{first.pk} + i", 1_000_000
    request = {"stream_id": stream, "number": "'B-' || i"}
    event = {"id": f"{many} + 50 * i + seq", "stream_id": stream, "position": "NULL"}
    return [
        ("outbox_stream", *columns_of(Stream, {"id": stream}), f"id = {first.pk}"),
        ("requests_request", *columns_of(Request, request), f"stream_id = {first.pk}"),
        ("outbox_event", *columns_of(Event, event), f"stream_id = {first.pk}"),
        (
            "sla_slaclock",
            *columns_of(SlaClock, {"id": f"{many} + 10 * i + id", "stream_id": stream}),
            f"stream_id = {first.pk}",
        ),
    ]


# ------------------------------------------------------------------------------------ what is measured


def _new_version() -> None:
    from apps.sla.models import SlaPolicyVersion  # noqa: PLC0415 - after set_up

    _freeze(hours=9 + SlaPolicyVersion.objects.filter(key="standard").count())


def _look(retroactive: bool, requests: int) -> tuple[float, float, float]:
    from apps.requests.models import Rebasing  # noqa: PLC0415 - after set_up
    from apps.requests.services.rebasing_work import ask_rebase, rebase_to_policy  # noqa: PLC0415 - after set_up
    from apps.requests.services.rebasing_worker import run_rebasings  # noqa: PLC0415

    def look() -> None:  # few requests are looked at by whoever asks, many by the worker
        ask_rebase(rebase_to_policy("standard", retroactive=retroactive), actor=_administrator())
        run_rebasings()

    taken, row = _taken(look, requests), Rebasing.objects.latest("id")
    assert (row.status, row.seen, row.unmeasured) == ("looked_at", requests, 0), (row.status, row.reasons[:1])
    return taken


def _change(retroactive: bool, requests: int) -> tuple[float, float, float]:
    from apps.requests.models import Rebasing  # noqa: PLC0415 - after set_up
    from apps.requests.services.rebasing_work import confirm_rebase  # noqa: PLC0415
    from apps.requests.services.rebasing_worker import run_rebasings  # noqa: PLC0415

    row = confirm_rebase(Rebasing.objects.latest("id"), actor=_administrator())
    taken = _taken(run_rebasings, requests)
    row.refresh_from_db()
    assert (row.status, row.changed, row.failed) == ("done", requests, 0), (row.status, row.changed, row.failed)
    return taken


def _administrator() -> Any:
    from apps.accounts.models import User  # noqa: PLC0415 - after set_up

    return User.objects.get(username="root")


def _taken(step: Callable[[], Any], requests: int) -> tuple[float, float, float]:
    """Seconds, statements a request (those that begin and end transactions left out), and megabytes grown by."""
    from django.db import connection  # noqa: PLC0415 - after set_up

    sent = 0

    def count(execute: Callable[..., Any], *given: Any) -> Any:
        nonlocal sent
        sent += 1
        return execute(*given)

    grown, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, perf_counter()
    with connection.execute_wrapper(count):
        step()
    seconds = perf_counter() - began
    return seconds, sent / requests, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown) / 1024


def _floor(database: str) -> float:
    """Seconds for a bare transaction a request."""
    with psycopg.connect(database) as connection:
        connection.execute(SCHEMA)
        streams = [pk for (pk,) in connection.execute("SELECT stream_id FROM requests_request ORDER BY 1").fetchall()]
        connection.commit()
        began = perf_counter()
        for pk in streams:
            for sql, hashes in FLOOR:
                connection.execute(sql, [pk, *[bytes(32)] * hashes])
            connection.commit()
        return perf_counter() - began


def _not_once(database: str, requests: int) -> str:
    """What was not told exactly once by each change, or left no sound stream behind."""
    with psycopg.connect(database) as connection:
        told = connection.execute(
            "SELECT n, count(*) FROM (SELECT count(*) n FROM outbox_event WHERE type = 'sla.rebased' "
            "GROUP BY stream_id) each GROUP BY n"
        ).fetchall()
        unsound = connection.execute(
            "SELECT count(*) FROM outbox_stream s JOIN requests_request r ON r.stream_id = s.id WHERE "
            "s.last_seq <> r.revision OR s.last_seq <> (SELECT count(*) FROM outbox_event WHERE stream_id = s.id)"
        ).fetchone()
    wrong = "" if told == [(2, requests)] else f"NO: told {told}"
    return wrong + ("" if unsound == (0,) else f" NO: {unsound} unsound streams")


if __name__ == "__main__":
    main()
