"""SLA clocks that fall due at once among many: `python -m tests.benchmarks.sweeping [--open N] [--due N]`.

Every clock that is due passes its warning and its breach (with `--escalate` an escalation too) in one sweep. Printed
is how long the sweepers take, with a hundredth of the open clocks and with all of them: the cost should follow what is
due, not what is open; and how long the floor of the same run takes, which inserts as many bare event rows and updates
as many clock rows, in batches of the same size. It makes databases of its own on PostgreSQL and drops them at the end;
it never fails on a stopwatch, but says NO where something did not happen exactly once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from time import perf_counter

import psycopg

from tests.benchmarks.__main__ import bench_database, server_url
from tests.benchmarks.product import seed, set_up
from tests.benchmarks.sweeping_floor import run_floor
from tests.benchmarks.sweeping_rows import Group, fill, since_of

SAMPLE = 500


@dataclass(frozen=True, kw_only=True)
class Load:
    """So many clocks run; of them those of each group fall due at once, one group an hour after the other."""

    still_open: int
    groups: Sequence[Group]
    kinds: Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, default=100_000, help="clocks that are running")
    parser.add_argument("--due", type=int, default=10_000, help="those of them that are due for a warning and a breach")
    parser.add_argument("--sweepers", type=int, default=2)
    parser.add_argument("--escalate", action="store_true", help="the breach escalates too")
    options = parser.parse_args()
    few = max(1, options.open // 100)
    small = Group(first=1, last=min(few, options.due))
    large = Group(first=small.last + 1, last=small.last + min(options.due, options.open - small.last), hours=2)
    kinds = ("sla.warned", "sla.breached", *(("sla.escalated",) if options.escalate else ()))
    print(f"each clock that is due: {', '.join(kinds)} in one sweep; ratio: the floor's seconds of the sweep's")
    print("      open       due  sweepers   seconds  events/s   floor s   ratio  exactly once")
    for load in (
        Load(still_open=few, groups=[small], kinds=kinds),
        Load(still_open=options.open, groups=[small, large], kinds=kinds),
    ):
        run(load, sweepers=options.sweepers)


def run(load: Load, *, sweepers: int) -> None:
    """Measures every group of the load on a database of its own."""
    spawn = get_context("spawn")
    with bench_database(server_url()) as database:
        with ProcessPoolExecutor(1, spawn) as pool:  # Django keeps to the first database a process has named
            pool.submit(seed, database).result()
            escalate = "sla.escalated" in load.kinds
            pool.submit(
                fill, database, still_open=load.still_open, since=since_of(load.groups), escalate=escalate
            ).result()
        with ProcessPoolExecutor(sweepers, spawn, set_up, (database,)) as pool:
            list(pool.map(_warm, range(sweepers)))
            for group in load.groups:
                _measure(database, load, group, pool=pool, sweepers=sweepers)


def _measure(database: str, load: Load, group: Group, *, pool: ProcessPoolExecutor, sweepers: int) -> None:
    began = perf_counter()
    acted_on = sum(pool.map(_sweep, [group.hours] * sweepers))
    seconds = perf_counter() - began
    floor = run_floor(database, group, kinds=load.kinds, processes=sweepers)
    wrong = _not_once(database, load, group)
    if acted_on != group.size:
        wrong.append(f"acted on {acted_on}")
    print(
        f"{load.still_open:>10,} {group.size:>9,} {sweepers:>9} {seconds:>9.1f} "
        f"{group.size * len(load.kinds) / seconds:>9,.0f} {floor:>9.1f} {floor / seconds:>7.3f}  "
        f"{'NO: ' + '; '.join(wrong) if wrong else 'yes'}",
        flush=True,
    )


def _not_once(database: str, load: Load, group: Group) -> list[str]:
    """What did not happen exactly once, or left no sound stream behind; by plain SQL but for the hashes."""
    wrong = []
    with psycopg.connect(database) as connection:
        low, high = connection.execute(
            "SELECT min(id) + %s, min(id) + %s FROM outbox_stream WHERE kind = 'request'", (group.first, group.last)
        ).fetchone() or (0, 0)
        told = connection.execute(
            "SELECT type, count(*), count(DISTINCT stream_id) FROM outbox_event "
            "WHERE stream_id BETWEEN %s AND %s GROUP BY type",
            (low, high),
        ).fetchall()
        if sorted(told) != sorted((kind, group.size, group.size) for kind in load.kinds):
            wrong.append(f"told {told}")
        for what, sql in UNSOUND.items():
            ((count,),) = connection.execute(sql, (low, high)).fetchall()
            if count:
                wrong.append(f"{count} {what}")
    with ProcessPoolExecutor(1, get_context("spawn"), set_up, (database,)) as pool:
        broken = pool.submit(_broken_chains, low, high).result()
    return [*wrong, *([f"{broken} broken chains"] if broken else [])]


UNSOUND = {
    "clocks that are not breached": "SELECT count(*) FROM sla_slaclock WHERE stream_id BETWEEN %s AND %s AND NOT "
    "(status = 'breached' AND breached_at = due_at AND next_check_at IS NULL AND warned = '[80]'::jsonb)",
    "streams whose last seq is not the request's revision or the number of events": "SELECT count(*) FROM "
    "(SELECT s.id FROM outbox_stream s JOIN requests_request r ON r.stream_id = s.id "
    "JOIN outbox_event e ON e.stream_id = s.id WHERE s.id BETWEEN %s AND %s "
    "GROUP BY s.id, r.revision HAVING s.last_seq <> count(*) OR r.revision <> count(*)) unsound",
}


def _broken_chains(low: int, high: int) -> int:
    """Of a sample of the streams, evenly taken."""
    from apps.core.crypto import audit_ring  # noqa: PLC0415 - after set_up
    from apps.outbox.chain import first_broken  # noqa: PLC0415 - after set_up
    from apps.outbox.models import Event  # noqa: PLC0415 - after set_up

    ring, step = audit_ring(), max(1, (high - low) // SAMPLE)
    chains = (list(Event.objects.filter(stream_id=pk).order_by("seq")) for pk in range(low, high + 1, step))
    return sum(first_broken(chain, ring=ring) is not None for chain in chains)


def _warm(number: int) -> None:
    from django.db import connection  # noqa: PLC0415 - after set_up

    connection.ensure_connection()


def _sweep(hours: int) -> int:
    from apps.core import clock  # noqa: PLC0415 - after set_up
    from apps.requests.sweeps import SWEEPS  # noqa: PLC0415 - after set_up

    sla = next(sweep for sweep in SWEEPS if sweep.name == "sla")
    return sla.run(clock.now() + timedelta(hours=hours))


if __name__ == "__main__":
    main()
