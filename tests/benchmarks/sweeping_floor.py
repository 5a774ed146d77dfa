"""The floor of the sweep: as many bare event rows inserted and clock rows updated, two statements a batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

import psycopg

from tests.benchmarks.sweeping_rows import Group

BATCH = 1000  # streams, as the sweep takes them
SCHEMA = """
DROP SCHEMA IF EXISTS floor CASCADE;
CREATE SCHEMA floor;
CREATE TABLE floor.event (LIKE outbox_event INCLUDING ALL);
CREATE TABLE floor.clock (LIKE sla_slaclock INCLUDING ALL);
"""
COPY = """
INSERT INTO floor.clock SELECT c.* FROM sla_slaclock c, (SELECT min(id) AS pk FROM sla_slaclock) first
WHERE c.id BETWEEN first.pk + %s AND first.pk + %s
"""
INSERT = """
INSERT INTO floor.event (stream_id, seq, type, version, actor, role, at, data, prev_hash, hash, key_id)
SELECT pk, seq, type, 1, 'system', '', now(), data::jsonb, hash, hash, 'bench'
FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::bytea[]) AS told (pk, seq, type, data, hash)
"""
UPDATE = """
UPDATE floor.clock SET status = 'breached', warned = '[80]', breached_at = due_at, next_check_at = NULL
WHERE stream_id = ANY(%s)
"""


def run_floor(database: str, group: Group, *, kinds: Sequence[str], processes: int) -> float:
    """Seconds for the events and clocks of the group, shared among so many processes; no foreign keys, no triggers."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(COPY, (group.first, group.last))
        connection.execute("ANALYZE floor.clock")
        streams = [pk for (pk,) in connection.execute("SELECT stream_id FROM floor.clock ORDER BY 1").fetchall()]
    shares = [streams[place::processes] for place in range(processes)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(_work, [database] * processes, [[]] * processes, [kinds] * processes))
        began = perf_counter()
        list(pool.map(_work, [database] * processes, shares, [kinds] * processes))
        return perf_counter() - began


def _work(database: str, streams: Sequence[int], kinds: Sequence[str]) -> None:
    data = '{"clock": 1, "target": "fix", "metric": "resolution", "reached_at": "2026-11-20T09:00:00+00:00"}'
    with psycopg.connect(database) as connection:
        for place in range(0, len(streams), BATCH):
            batch = streams[place : place + BATCH]
            told = [(pk, seq, kind) for pk in batch for seq, kind in enumerate(kinds, 1)]
            hashes = [os.urandom(32) for _ in told]
            rows = [list(column) for column in zip(*told, strict=True)]
            connection.execute(INSERT, [*rows, [data] * len(told), hashes])
            connection.execute(UPDATE, [batch])
            connection.commit()
