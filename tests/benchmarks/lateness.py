"""How late warnings and breaches are told in steady work: `python -m tests.benchmarks.lateness [--rate N]`.

Clocks fall due at a steady rate, half of them a warning, half a breach, and are swept as in production: by Celery beat
and a worker with Redis (`--loops N`: by so many loops of the sweeps instead, each as often as beat would). An onlooker
on a connection of its own asks ten times a second what is new; lateness is the time from the due instant until it sees
the event. It makes a database of its own on PostgreSQL and drops it at the end; it never fails on a stopwatch.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

import psycopg

from tests.benchmarks.__main__ import bench_database, server_url
from tests.benchmarks.product import seed, set_up
from tests.benchmarks.sweeping_rows import fill
from tests.journeys.processes import background, production_env, redis_server

WARM_UP_S, ALLOWED_S, PATIENCE_S = 20, 10, 60
TOLD = """
SELECT id, extract(epoch FROM clock_timestamp() - (data->>'reached_at')::timestamptz)::float8
FROM outbox_event WHERE id > %s AND type IN ('sla.warned', 'sla.breached') ORDER BY id
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=50, help="warnings and breaches that fall due in a second")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--loops", type=int, default=0, help="so many loops of the sweeps instead of Celery")
    options = parser.parse_args()
    count, spawn = options.rate * options.seconds // 2, get_context("spawn")
    since = f"now() + interval '{WARM_UP_S - ALLOWED_S} seconds' + n * interval '2 seconds' / {options.rate}"
    with bench_database(server_url()) as database:
        with ProcessPoolExecutor(1, spawn) as pool:
            pool.submit(seed, database).result()
            pool.submit(fill, database, still_open=count, since=since, allowed=ALLOWED_S).result()
        by = f"{options.loops} loops" if options.loops else "beat and worker"
        with _loops(database, options.loops) if options.loops else _celery(database):
            late = _watch(database, count=2 * count, seconds=WARM_UP_S + options.seconds + PATIENCE_S)
    cuts = quantiles(late, n=100)
    print("swept by          due/s  seconds     told   p50 s   p99 s   max s  all told once")
    print(
        f"{by:<16} {options.rate:>6} {options.seconds:>8} {len(late):>8,} {median(late):>7.2f} {cuts[98]:>7.2f} "
        f"{max(late):>7.2f}  {'yes' if len(late) == 2 * count else f'NO: {2 * count} were due'}"
    )


def _watch(database: str, *, count: int, seconds: float) -> list[float]:
    """The lateness of each event in seconds, as it was first seen; until all are told or nobody waits any longer."""
    seen: dict[int, float] = {}
    floors, end = deque([0], maxlen=100), time.monotonic() + seconds
    with psycopg.connect(database, autocommit=True) as connection:
        while len(seen) < count and time.monotonic() < end:
            for pk, late in connection.execute(TOLD, (floors[0],)).fetchall():  # ids commit out of order: look back
                seen.setdefault(pk, late)
            floors.append(max(seen, default=0))
            time.sleep(0.1)
        time.sleep(1)
        told = connection.execute(
            "SELECT count(*) FROM outbox_event WHERE type IN ('sla.warned', 'sla.breached')"
        ).fetchone()
    return [*seen.values()] if told == (len(seen),) else [*seen.values(), float("nan")]


@contextmanager
def _celery(database: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as kept:
        place = Path(kept)
        with redis_server(place) as redis:
            more = {key: os.environ[key] for key in ("SWEEP_EVERY_SECONDS",) if key in os.environ}
            with background(place, env=production_env(place, database=database, redis=redis, **more)):
                yield


@contextmanager
def _loops(database: str, loops: int) -> Iterator[None]:
    with ProcessPoolExecutor(loops, get_context("spawn"), set_up, (database,)) as pool:
        working = [pool.submit(_loop, database) for _ in range(loops)]
        yield
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE TABLE enough ()")
        for one in working:
            one.result()


def _loop(database: str) -> None:
    from django.conf import settings  # noqa: PLC0415 - after set_up
    from django.db import connection  # noqa: PLC0415 - after set_up

    from apps.requests.sweeps import run_sweeps  # noqa: PLC0415 - after set_up

    while "enough" not in connection.introspection.table_names():
        run_sweeps()
        time.sleep(settings.SWEEP_EVERY_SECONDS)


if __name__ == "__main__":
    main()
