"""SLA clocks that fall due at once among many: `python -m tests.benchmarks.sweeping [--open N] [--due N]`.

Prints how long the sweepers take, with a hundredth of the open clocks and with all of them: the cost should follow what
is due, not what is open. It makes a database of its own on PostgreSQL and drops it at the end; it never fails on a
stopwatch.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

import psycopg

from tests.benchmarks.__main__ import bench_database, server_url
from tests.benchmarks.product import seed, set_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=100_000, help="clocks that are running")
    parser.add_argument("--due", type=int, default=10_000, help="those of them that are due for a warning and a breach")
    parser.add_argument("--sweepers", type=int, default=2)
    options = parser.parse_args()
    print("running clocks, all of them open; those due are warned and breached in one go (docs/performance.md)")
    print(f"{'open':>10} {'due':>9} {'sweepers':>9} {'seconds':>9} {'events':>9} {'clocks/s':>9}  exactly once")
    server, spawn = server_url(), get_context("spawn")
    for still_open in (max(options.due, options.open // 100), options.open):
        with bench_database(server) as database:
            with ProcessPoolExecutor(1, spawn) as pool:  # Django keeps to the first database a process has named
                pool.submit(seed, database).result()
                pool.submit(_fill, database, still_open=still_open, due=options.due).result()
            _measure(database, still_open=still_open, due=options.due, sweepers=options.sweepers)


def _fill(database: str, *, still_open: int, due: int) -> None:
    """One real request, copied row by row in the database: stream, request and one running clock each."""
    from apps.accounts.models import User  # noqa: PLC0415 - after set_up
    from apps.outbox.models import Stream  # noqa: PLC0415 - after set_up
    from apps.requests.models import CatalogItem, Request  # noqa: PLC0415 - after set_up
    from apps.sla.models import SlaClock  # noqa: PLC0415 - after set_up
    from tests.factories import make_request  # noqa: PLC0415 - after set_up

    first = make_request(
        CatalogItem.objects.get(),
        User.objects.get(username="rosa"),
        data={"amount": {"amount": "250.00", "currency": "EUR"}},
    )
    pk = first.pk
    SlaClock.objects.filter(stream=pk).exclude(metric="resolution").delete()
    clock = SlaClock.objects.get(stream=pk)
    with psycopg.connect(database, autocommit=True) as connection:
        moment = f"CASE WHEN n <= {due} THEN now() - interval '1 hour' ELSE now() + interval '9 days' END"
        streams = columns_of(Stream, {"id": f"{pk} + n", "key": None})
        requests = columns_of(Request, {"stream_id": f"{pk} + n", "number": "'B-' || n"})
        clocks = columns_of(
            SlaClock,
            {
                "id": f"{clock.pk} + n",
                "stream_id": f"{pk} + n",
                "next_check_at": moment,
                "running_since": f"CASE WHEN n <= {due} THEN now() - interval '90 days' ELSE running_since END",
                "due_at": moment,
            },
        )
        for table, (names, values), where in (
            ("outbox_stream", streams, f"id = {pk}"),
            ("requests_request", requests, f"stream_id = {pk}"),
            ("sla_slaclock", clocks, f"id = {clock.pk}"),
        ):
            connection.execute(
                f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, generate_series(1, {still_open}) n "
                f"WHERE {where}"
            )
        connection.execute("ANALYZE")


def columns_of(model: type, changed: dict[str, str | None]) -> tuple[str, str]:
    """The columns of a table, and what each becomes in a copy of a row."""
    names = [field.column for field in model._meta.concrete_fields]
    return ", ".join(names), ", ".join(changed.get(name) or name for name in names)


def _measure(database: str, *, still_open: int, due: int, sweepers: int) -> None:
    with ProcessPoolExecutor(sweepers, get_context("spawn"), set_up, (database,)) as pool:
        list(pool.map(_warm, range(sweepers)))
        began = perf_counter()
        acted_on = sum(pool.map(_sweep, range(sweepers)))
        seconds = perf_counter() - began
    with psycopg.connect(database) as connection:
        kinds = connection.execute(
            "SELECT type, count(*), count(DISTINCT stream_id) FROM outbox_event "
            "WHERE type IN ('sla.warned', 'sla.breached') GROUP BY type"
        ).fetchall()
    events = sum(count for _, count, _ in kinds)
    once = acted_on == due and all(streams == due for kind, _, streams in kinds if kind == "sla.breached")
    print(
        f"{still_open:>10,} {due:>9,} {sweepers:>9} {seconds:>9.1f} {events:>9,} {due / seconds:>9,.0f}  "
        f"{'yes' if once else f'NO: {kinds}, acted on {acted_on}'}"
    )


def _warm(number: int) -> None:
    from django.db import connection  # noqa: PLC0415 - after set_up

    connection.ensure_connection()


def _sweep(number: int) -> int:
    from apps.core import clock  # noqa: PLC0415 - after set_up
    from apps.requests.sweeps import SWEEPS  # noqa: PLC0415 - after set_up

    sla = next(sweep for sweep in SWEEPS if sweep.name == "sla")
    return sla.run(clock.now())


if __name__ == "__main__":
    main()
