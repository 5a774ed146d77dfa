"""`make bench`: prints figures, as ratios to the floor measured in the same run. It never fails on a stopwatch."""

from __future__ import annotations

import argparse
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import psycopg

from tests.benchmarks.floor import run_floor
from tests.benchmarks.product import run_product, seed
from tests.benchmarks.seats import compare_seats


@contextmanager
def bench_database(server_url: str) -> Iterator[str]:
    """A database of the benchmark's own on the server of the URL, dropped at the end."""
    name = f"bench_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        info = server.info
        host = info.host.replace("/", "%2F")
        try:
            yield f"postgresql://{info.user}:{info.password}@/{name}?host={host}&port={info.port}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def server_url() -> str:
    """TEST_DATABASE_URL, else the embedded server of the test settings."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    from serviceflow.settings.test import embedded_postgres  # noqa: PLC0415 - starts a server

    return embedded_postgres()


def compare(database: str, *, requests: int, processes: int, rounds: int) -> None:
    """Floor and product in turn; the median of the paired ratios."""
    pairs = []
    for _ in range(rounds):
        floor = run_floor(database, requests=requests * 4, processes=processes)
        product = run_product(database, requests=requests, processes=processes)
        pairs.append((floor, product))
    ratios = [product.requests_per_second / floor.requests_per_second for floor, product in pairs]
    floors = median(floor.requests_per_second for floor, _ in pairs)
    rates = median(product.requests_per_second for _, product in pairs)
    p50 = median(product.approve_p50_ms for _, product in pairs)
    print(
        f"{processes:>9} {floors:>12.0f} {rates:>12.1f} {median(ratios):>8.3f} "
        f"({min(ratios):.3f}-{max(ratios):.3f}) {p50:>12.1f} {pairs[-1][1].statements_per_request:>12.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200, help="requests through the services in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    with bench_database(server_url()) as database:
        seed(database)
        print("requests completed per second, through the services and at the floor (docs/performance.md)")
        print("processes   floor req/s  services r/s  ratio (least-most)   approve p50 ms   statements")
        for processes in options.processes:
            compare(database, requests=options.requests, processes=processes, rounds=options.rounds)
        compare_seats(requests=options.requests // 2)


if __name__ == "__main__":
    main()
