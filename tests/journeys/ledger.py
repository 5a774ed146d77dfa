"""What must be true of a database, whatever was killed: read by plain SQL, apart from the product's own code."""

from __future__ import annotations

from typing import Any

import psycopg


def read(database: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database, autocommit=True) as server:
        return server.execute(sql).fetchall()


def committed_events(database: str) -> dict[int, bytes]:
    """Every committed event: id -> hash."""
    return {event_id: bytes(digest) for event_id, digest in read(database, "SELECT id, hash FROM outbox_event")}


def broken_rules(database: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rules that are broken, each with the rows that break it; empty for a sound database."""
    return {rule: rows for rule, sql in RULES.items() if (rows := read(database, sql))}


RULES = {
    "seq runs from 1 without gap, and the stream knows the last": """
        SELECT s.id, s.last_seq, count(e.id), max(e.seq)
        FROM outbox_stream s LEFT JOIN outbox_event e ON e.stream_id = s.id
        GROUP BY s.id HAVING s.last_seq <> count(e.id) OR coalesce(max(e.seq), 0) <> count(e.id)""",
    "each event's prev_hash is the hash before it": """
        SELECT e.id FROM outbox_event e LEFT JOIN outbox_event p ON p.stream_id = e.stream_id AND p.seq = e.seq - 1
        WHERE e.prev_hash <> coalesce(p.hash, ''::bytea)""",
    "positions run from 1 without gap": """
        SELECT count(*), max(position) FROM outbox_event WHERE position IS NOT NULL
        HAVING coalesce(max(position), 0) <> count(*)""",
    "within a stream the feed keeps the order": """
        SELECT a.id, b.id FROM outbox_event a JOIN outbox_event b ON a.stream_id = b.stream_id AND a.seq < b.seq
        WHERE a.position > b.position""",
    "an event is delivered once to each subscriber": """
        SELECT event_id, subscriber FROM outbox_delivery GROUP BY 1, 2 HAVING count(*) > 1""",
    "a person is told of an event once": """
        SELECT user_id, event_id FROM notifications_notification GROUP BY 1, 2 HAVING count(*) > 1""",
    "a request's revision is its stream's last seq": """
        SELECT r.number FROM requests_request r JOIN outbox_stream s ON s.id = r.stream_id
        WHERE r.revision <> s.last_seq""",
    "a request that has ended has no open task, approval, timer or run": """
        SELECT r.number FROM requests_request r WHERE r.ended_at IS NOT NULL AND (
          EXISTS (SELECT 1 FROM workflows_task t WHERE t.stream_id = r.stream_id AND t.status IN ('open', 'claimed')) OR
          EXISTS (SELECT 1 FROM approvals_approval a WHERE a.stream_id = r.stream_id AND a.status = 'pending') OR
          EXISTS (SELECT 1 FROM workflows_timer t WHERE t.stream_id = r.stream_id AND t.closed_at IS NULL) OR
          EXISTS (SELECT 1 FROM workflows_workflowrun w WHERE w.stream_id = r.stream_id AND w.ended_at IS NULL))""",
    "an open request waits for somebody or something": """
        SELECT r.number FROM requests_request r WHERE r.status IN ('submitted', 'in_progress', 'on_hold') AND NOT (
          EXISTS (SELECT 1 FROM workflows_task t WHERE t.stream_id = r.stream_id AND t.status IN ('open', 'claimed')) OR
          EXISTS (SELECT 1 FROM approvals_approval a WHERE a.stream_id = r.stream_id AND a.status = 'pending') OR
          EXISTS (SELECT 1 FROM workflows_stepvisit v JOIN workflows_workflowrun w ON w.id = v.run_id
                  WHERE w.stream_id = r.stream_id AND v.status = 'begun') OR
          EXISTS (SELECT 1 FROM outbox_incident i WHERE i.stream_id = r.stream_id AND i.status = 'open'))""",
}
