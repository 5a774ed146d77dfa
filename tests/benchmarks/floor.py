"""The floor: the benchmark's job in plain psycopg, with the least number of SQL statements and durable commits.

The job: create a request with JSON data, choose one or two approvals by its amount, record each of them, set a result
with the last one and complete the request, and write one history row per transition. Amounts alternate, so that half of
the requests need two approvals: one create and 1.5 approvals per request, 8 statements, and 5 of BEGIN and COMMIT.

    python tests/benchmarks/floor.py postgresql://postgres@127.0.0.1:5432/test --requests 2000 --processes 2 --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from statistics import median
from time import perf_counter

import psycopg
from psycopg.types.json import Jsonb

ONE_APPROVAL_BELOW = 1000
AMOUNTS = (250, 4800)
WARM_UP = 20
START_TIMEOUT_SECONDS = 60
LOCK_KEY = 7_310_577

DROP = "DROP SCHEMA IF EXISTS floor CASCADE"
SCHEMA = """
CREATE SCHEMA floor;
CREATE TABLE floor.request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    data jsonb NOT NULL,
    status text NOT NULL,
    approvals_needed smallint NOT NULL,
    approvals_given smallint NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz
);
CREATE TABLE floor.decision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES floor.request,
    seat smallint NOT NULL,
    actor text NOT NULL,
    verdict text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (request_id, seat)
);
CREATE TABLE floor.history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id bigint NOT NULL REFERENCES floor.request,
    transition text NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON floor.history (request_id, id);
"""

INSERT_REQUEST = """
INSERT INTO floor.request (data, status, approvals_needed) VALUES (%s, 'pending', %s) RETURNING id
"""
LOCK_REQUEST = "SELECT status, approvals_needed, approvals_given FROM floor.request WHERE id = %s FOR UPDATE"
INSERT_DECISION = "INSERT INTO floor.decision (request_id, seat, actor, verdict) VALUES (%s, %s, %s, 'approved')"
COUNT_APPROVAL = "UPDATE floor.request SET approvals_given = %s WHERE id = %s"
COMPLETE_REQUEST = """
UPDATE floor.request SET approvals_given = %s, status = 'completed', result = 'approved', completed_at = now()
WHERE id = %s
"""
INSERT_HISTORY = """
INSERT INTO floor.history (request_id, transition, from_status, to_status, actor) VALUES (%s, %s, %s, %s, %s)
"""
TALLY = """
SELECT (SELECT count(*) FROM floor.request WHERE status = 'completed' AND result = 'approved'),
       (SELECT count(*) FROM floor.decision),
       (SELECT count(*) FROM floor.history)
"""


@dataclass(frozen=True, kw_only=True)
class FloorResult:
    """What one run reached; `statements_per_request` leaves out BEGIN and COMMIT."""

    requests_per_second: float
    seconds: float
    approve_p50_ms: float
    statements_per_request: float


@dataclass(frozen=True, kw_only=True)
class _Share:
    """What one process did, on the machine's monotonic clock (the same for all processes)."""

    began: float
    ended: float
    approve_seconds: list[float]
    statements: int


class _Session:
    """One connection with durable commits; counts the statements it sends, without BEGIN and COMMIT."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.statements = 0
        self.approve_seconds: list[float] = []

    def execute(self, sql: str, *values: object) -> psycopg.Cursor:
        self.statements += 1
        return self.cursor.execute(sql, values)

    def create(self, amount: int) -> tuple[int, int]:
        """Creates a request and returns its id and the number of approvals that its amount needs."""
        needed = 1 if amount < ONE_APPROVAL_BELOW else 2
        data = {"title": "Purchase of equipment", "amount": amount, "currency": "EUR", "cost_centre": "4711"}
        with self.connection.transaction():
            request_id: int = _row(self.execute(INSERT_REQUEST, Jsonb(data), needed))[0]
            self.execute(INSERT_HISTORY, request_id, "create", "", "pending", "requester")
        return request_id, needed

    def approve(self, request_id: int, *, actor: str) -> None:
        """Records the next approval under the request's lock; the last one sets the result and completes it."""
        with self.connection.transaction():
            status, needed, given = _row(self.execute(LOCK_REQUEST, request_id))
            if status != "pending":
                raise RuntimeError(f"request {request_id} is {status}")
            seat = given + 1
            is_last = seat == needed
            self.execute(INSERT_DECISION, request_id, seat, actor)
            self.execute(COMPLETE_REQUEST if is_last else COUNT_APPROVAL, seat, request_id)
            self.execute(INSERT_HISTORY, request_id, "approve", status, "completed" if is_last else status, actor)

    def run(self, numbers: Iterable[int]) -> None:
        """Takes one request after the other all the way."""
        for number in numbers:
            request_id, needed = self.create(AMOUNTS[number % len(AMOUNTS)])
            for seat in range(needed):
                began = perf_counter()
                self.approve(request_id, actor=f"approver {seat + 1}")
                self.approve_seconds.append(perf_counter() - began)


def run_floor(dsn: str, *, requests: int, processes: int = 1) -> FloorResult:
    """Runs the job `requests` times, shared evenly by `processes` processes with a connection each.

    Every process first takes `WARM_UP` requests all the way, unmeasured; then all begin together. The rate counts from
    the first beginning to the last end. The schema `floor` is dropped and created first and dropped afterwards; another
    run on the same database waits. Commits are durable as far as the server is (its `fsync` is not touched).

    Raises `ValueError` for fewer requests than processes, `RuntimeError` if the rows afterwards are not the job's.
    """
    if not 1 <= processes <= requests:
        raise ValueError("at least one process, and at least one request for each")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        connection.execute("SET client_min_messages = warning")
        connection.execute(DROP)
        connection.execute(SCHEMA)
        try:
            shares = _run_processes(dsn, requests=requests, processes=processes)
            _check_rows(connection, requests=requests, processes=processes)
        finally:
            connection.execute(DROP)
    return _summary(shares, requests=requests)


def _run_processes(dsn: str, *, requests: int, processes: int) -> list[_Share]:
    context = get_context("spawn")
    bounds = [requests * index // processes for index in range(processes + 1)]
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_set_barrier, initargs=(barrier,)) as pool:
        futures = [pool.submit(_work, dsn, range(*pair)) for pair in pairwise(bounds)]
        return [future.result() for future in as_completed(futures)]


_barrier: Barrier | None = None


def _set_barrier(barrier: Barrier) -> None:
    global _barrier  # a barrier reaches a spawned process only by inheritance, not as a task's argument
    _barrier = barrier


def _work(dsn: str, numbers: range) -> _Share:
    assert _barrier is not None
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = on")
        _Session(connection).run(range(WARM_UP))
        session = _Session(connection)
        _barrier.wait(START_TIMEOUT_SECONDS)
        began = perf_counter()
        session.run(numbers)
        ended = perf_counter()
    return _Share(began=began, ended=ended, approve_seconds=session.approve_seconds, statements=session.statements)


def _check_rows(connection: psycopg.Connection, *, requests: int, processes: int) -> None:
    completed = requests + processes * WARM_UP
    approvals = requests + requests // 2 + processes * (WARM_UP + WARM_UP // 2)
    found = _row(connection.execute(TALLY))
    if found != (completed, approvals, completed + approvals):
        raise RuntimeError(f"the floor did not do its job: {found} completed, decisions, history rows")


def _summary(shares: list[_Share], *, requests: int) -> FloorResult:
    seconds = max(share.ended for share in shares) - min(share.began for share in shares)
    return FloorResult(
        requests_per_second=requests / seconds,
        seconds=seconds,
        approve_p50_ms=1000 * median(taken for share in shares for taken in share.approve_seconds),
        statements_per_request=sum(share.statements for share in shares) / requests,
    )


def _row(cursor: psycopg.Cursor) -> tuple:
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("a row was expected")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the floor on a PostgreSQL database.")
    parser.add_argument("dsn")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = run_floor(arguments.dsn, requests=arguments.requests, processes=arguments.processes)
    if arguments.json:
        print(json.dumps(asdict(result)))
        return
    print(f"{result.requests_per_second:.0f} requests/s, {result.seconds:.2f} s")
    print(f"approve p50 {result.approve_p50_ms:.2f} ms, {result.statements_per_request:.2f} statements per request")


if __name__ == "__main__":
    main()
