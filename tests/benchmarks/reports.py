"""Reports over many clocks: `python -m tests.benchmarks.reports [--clocks N] [--rounds N]`.

Prints the seconds of each report, and as a ratio to a floor measured in the same run: one plain
`SELECT count(*), sum(elapsed)` over the same clocks. Two clocks and two visits a request, ten items, five teams, two
years. It makes a database of its own on PostgreSQL and drops it at the end; it never fails on a stopwatch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from typing import Any

import psycopg

from tests.benchmarks.__main__ import bench_database, server_url
from tests.benchmarks.product import set_up
from tests.benchmarks.sweeping_rows import columns_of

ITEMS, TEAMS, DAYS = 10, 5, 730
FREE = 1_000  # ids from here on are nobody's
PRIORITIES = "(ARRAY['critical', 'high', 'medium', 'low'])[1 + i % 4]"
BEGINS = f"now() - interval '1 day' * (i % {DAYS}) - interval '1 second' * (i * 7919::bigint % 86400)"
LASTS = "interval '1 second' * (600 + i * 7919::bigint % 500000)"
HALF = "interval '1 second' * (300 + i * 104729::bigint % 200000)"
OPEN, MISSED = "i % 20 = 0", "i % 20 IN (1, 2, 3)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clocks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server, spawn = server_url(), get_context("spawn")
    with bench_database(server) as database, ProcessPoolExecutor(1, spawn) as pool:
        pool.submit(_fill, database, requests=options.clocks // 2).result()
        floor, figures = pool.submit(_measure, rounds=options.rounds).result()
    print(f"reports over {options.clocks:,} clocks; floor {floor:.3f} s (docs/performance.md)")
    print(f"{'report':<44} {'statements':>10} {'seconds':>9} {'of floor':>9}")
    for name, statements, seconds in figures:
        print(f"{name:<44} {statements:>10} {seconds:>9.3f} {seconds / floor:>9.1f}")


def _fill(database: str, *, requests: int) -> None:
    """One real request that was completed, copied row by row in the database."""
    set_up(database)
    from django.core.management import call_command  # noqa: PLC0415 - after set_up

    call_command("migrate", verbosity=0)
    first, items, teams = _first_request()
    with psycopg.connect(database, autocommit=True) as connection:
        for table, names, values, where in _copies(first, items, teams):
            connection.execute(
                f"INSERT INTO {table} ({names}) "
                f"SELECT {values} FROM {table}, generate_series(1, {requests}) AS copies (i) WHERE {where}"
            )
        connection.execute("VACUUM ANALYZE")


def _first_request() -> tuple[Any, list[int], list[int]]:
    """A completed request, and the ids of items and teams that its copies belong to."""
    from apps.approvals.models import Approval  # noqa: PLC0415 - after set_up
    from apps.requests.models import CatalogItem, Request  # noqa: PLC0415
    from apps.requests.services.decisions import record_decision  # noqa: PLC0415
    from apps.requests.services.work import complete_task  # noqa: PLC0415
    from apps.workflows.models import Task  # noqa: PLC0415
    from tests.factories import make_item, make_person, make_request, make_sla, make_team  # noqa: PLC0415

    anna = make_person("anna", roles=["administrator"])
    worker = make_person("bert")
    make_sla()
    teams = [make_team(key, worker) for key in ("it", *(f"team-{n}" for n in range(1, TEAMS)))]
    item = make_item(sla_key="standard")
    copies = [CatalogItem.objects.create(slug=f"item-{n}", name=f"Item {n}", form_key="thing") for n in range(1, ITEMS)]
    request = make_request(item, make_person("rosa", manager=anna))
    record_decision(Approval.objects.get(), verdict="approve", actor=anna)
    complete_task(Task.objects.get(), outcome="done", actor=worker)
    return Request.objects.get(pk=request.pk), [item.pk, *(one.pk for one in copies)], [team.pk for team in teams]


def _copies(first: Any, items: list[int], teams: list[int]) -> list[tuple[str, str, str, str]]:
    """Table, columns, their values and which row is copied."""
    from apps.outbox.models import Stream  # noqa: PLC0415 - after set_up
    from apps.requests.models import Request  # noqa: PLC0415
    from apps.sla.models import SlaClock  # noqa: PLC0415
    from apps.workflows.models import StepVisit, WorkflowRun  # noqa: PLC0415

    ended = f"CASE WHEN {OPEN} THEN NULL ELSE {BEGINS} + {LASTS} END"
    closed = f"CASE WHEN {OPEN} THEN '' ELSE 'completed' END"
    request = {
        "stream_id": f"{first.pk} + i",
        "number": "'B-' || i",
        "run_id": f"{first.run_id} + i",
        "item_id": f"(ARRAY{items})[1 + i % {ITEMS}]",
        "team_id": f"(ARRAY{teams})[1 + i % {TEAMS}]",
        "priority": PRIORITIES,
        "submitted_at": BEGINS,
        "ended_at": ended,
        "outcome": closed,
        "status": f"CASE WHEN {OPEN} THEN 'in_progress' ELSE 'completed' END",
    }
    run = {
        "id": f"{first.run_id} + i",
        "stream_id": f"{first.pk} + i",
        "started_at": BEGINS,
        "ended_at": ended,
        "outcome": closed,
    }
    tables = [
        (Stream, {"id": f"{first.pk} + i", "key": None}, f"id = {first.pk}"),
        (WorkflowRun, run, f"id = {first.run_id}"),
        (Request, request, f"stream_id = {first.pk}"),
        *((SlaClock, _clock(row, n, first), f"id = {row.pk}") for n, row in enumerate(SlaClock.objects.all())),
        *((StepVisit, _visit(row, n, first), f"id = {row.pk}") for n, row in enumerate(StepVisit.objects.all())),
    ]
    return [(model._meta.db_table, *columns_of(model, changed), where) for model, changed, where in tables]


def _clock(clock: Any, n: int, first: Any) -> dict[str, str | None]:
    lasts = LASTS if clock.metric == "resolution" else HALF
    return {
        "id": f"{FREE + n} + 2 * i",
        "stream_id": f"{first.pk} + i",
        "priority": PRIORITIES,
        "status": f"CASE WHEN {OPEN} THEN 'running' WHEN {MISSED} THEN 'breached' ELSE 'met' END",
        "started_at": BEGINS,
        "stopped_at": f"CASE WHEN {OPEN} THEN NULL ELSE {BEGINS} + {lasts} END",
        "reached": f"NOT ({OPEN})",
        "breached_at": f"CASE WHEN {MISSED} THEN {BEGINS} + {lasts} / 2 END",
        "elapsed": f"extract(epoch FROM {lasts}) / 3",
        "due_at": "now() + interval '1 minute' * (i % 100000) - interval '5 minutes'",
        "next_check_at": f"CASE WHEN {OPEN} THEN now() + interval '1 minute' * (i % 100000) - interval '5 minutes' END",
    }


def _visit(visit: Any, n: int, first: Any) -> dict[str, str | None]:
    begins, ends = (BEGINS, f"{BEGINS} + {LASTS} / 2") if visit.step == "approve" else (f"{BEGINS} + {LASTS} / 2", "")
    ended = ends or f"CASE WHEN {OPEN} THEN NULL ELSE {BEGINS} + {LASTS} END"
    status = "status" if ends else f"CASE WHEN {OPEN} THEN 'open' ELSE status END"
    return {
        "id": f"{FREE + n} + 2 * i",
        "run_id": f"{first.run_id} + i",
        "opened_at": begins,
        "ended_at": ended,
        "status": status,
    }


def _measure(*, rounds: int) -> tuple[float, list[tuple[str, int, float]]]:
    from django.db import connection  # noqa: PLC0415 - after set_up

    from apps.accounts.models import User  # noqa: PLC0415
    from apps.core import clock  # noqa: PLC0415
    from apps.requests.reports import Filters  # noqa: PLC0415
    from apps.requests.selectors import reports  # noqa: PLC0415

    reader, everything = User.objects.get(username="anna"), Filters()
    quarter = Filters(since=clock.now() - timedelta(days=90))
    asked: dict[str, Callable[[], Any]] = {
        "compliance": lambda: reports.compliance(reader, everything),
        "compliance by month": lambda: reports.compliance(reader, everything, by=["month"]),
        "compliance by item": lambda: reports.compliance(reader, everything, by=["item"]),
        "compliance by item, team, priority, month": lambda: reports.compliance(reader, everything, by=reports.BY[:4]),
        "compliance by item of 90 days": lambda: reports.compliance(reader, quarter, by=["item"]),
        "throughput": lambda: reports.throughput(reader, everything),
        "throughput by item": lambda: reports.throughput(reader, everything, by=["item"]),
        "bottlenecks": lambda: reports.bottlenecks(reader, everything),
        "bottlenecks of 90 days": lambda: reports.bottlenecks(reader, quarter),
        "what breaches within 8 hours": lambda: reports.due_soon(reader, everything),
    }

    def floor() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), sum(elapsed) FROM sla_slaclock")

    figures = [(name, *_taken(report, rounds)) for name, report in asked.items()]
    return _taken(floor, rounds)[1], figures


def _taken(report: Callable[[], Any], rounds: int) -> tuple[int, float]:
    """Its statements, and the median of its seconds, once the caches of versions are warm."""
    from django.db import connection  # noqa: PLC0415 - after set_up
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as statements:
        report()
    seconds = []
    for _ in range(rounds):
        began = perf_counter()
        report()
        seconds.append(perf_counter() - began)
    return len(statements), median(seconds)


if __name__ == "__main__":
    main()
