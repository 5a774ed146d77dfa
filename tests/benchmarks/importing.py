"""`python -m tests.benchmarks.importing`: events per second of an import, beside the floor's actions in the same run.

    python -m tests.benchmarks.importing [LOG MAPPING] [--limit N] [--profile]

Without a log the generated declarations are imported. An action of the floor is one create or one approve in plain
psycopg with durable commits; an event of the import is one line of the log, and a case is a commit.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import pstats
import resource
from pathlib import Path
from time import perf_counter

from tests.benchmarks.__main__ import bench_database, server_url
from tests.benchmarks.floor import run_floor
from tests.benchmarks.product import Counter, set_up

HISTORY = Path(__file__).resolve().parent.parent.parent / "fixtures" / "history"
ACTIONS_PER_REQUEST = 2.5


def run_import(log: Path, mapping: Path, *, limit: int | None, profile: cProfile.Profile | None) -> None:
    from django.core.management import call_command  # noqa: PLC0415 - after set_up
    from django.db import connection  # noqa: PLC0415

    out, counted = io.StringIO(), Counter()
    call_command("import_log", log, mapping, json=True, limit=1, stdout=io.StringIO(), stderr=io.StringIO())
    with connection.execute_wrapper(counted):
        began = perf_counter()
        if profile:
            profile.enable()
        call_command("import_log", log, mapping, json=True, limit=limit, stdout=out)
        if profile:
            profile.disable()
        seconds = perf_counter() - began
    report = json.loads(out.getvalue().splitlines()[-1])
    print(f"import: {report['accepted']:,} events of {report['cases']:,} cases in {seconds:.1f} s")
    per_event = counted.statements / report["accepted"]
    print(f"        {report['events_per_second']:.0f} events/s, {per_event:.2f} statements an event")
    print(f"        peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, nargs="?", default=HISTORY / "declarations.csv.gz")
    parser.add_argument("mapping", type=Path, nargs="?", default=HISTORY / "declarations.mapping.json")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--profile", action="store_true", help="where the time goes, by function")
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    with bench_database(server_url()) as database:
        set_up(database)
        from django.core.management import call_command  # noqa: PLC0415 - after set_up

        call_command("migrate", verbosity=0)
        floor = run_floor(database, requests=1000)
        actions = floor.requests_per_second * ACTIONS_PER_REQUEST
        print(f"floor:  {floor.requests_per_second:.0f} requests/s, {actions:.0f} actions/s")
        run_import(options.log, options.mapping, limit=options.limit, profile=profile)
    if profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats("apps/|psycopg|commit|bulk_create|_save_table", 45)


if __name__ == "__main__":
    main()
