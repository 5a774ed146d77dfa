"""Writes `fixtures/history/declarations.csv.gz`: a made-up log of expense declarations, the same at every run.

Every case walks a small process at random; in one of fifteen something happens that the process does not allow.

    python scripts/generate_log.py
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

TARGET = Path(__file__).resolve().parent.parent / "fixtures" / "history" / "declarations.csv.gz"
SEED, CASES, BREAKS = 20_261_124, 300, 1 / 15
ZONE = ZoneInfo("Europe/Amsterdam")
HEADER = ("case_id", "activity", "timestamp", "resource", "role", "amount", "budget")
ROLES = ("EMPLOYEE", "ADMINISTRATION", "PRE_APPROVER", "BUDGET OWNER", "SUPERVISOR", "DIRECTOR", "MISSING")

# where the case is -> (weight, activity, where it leads, hours it takes at most)
PROCESS: dict[str, list[tuple[int, str, str, int]]] = {
    "new": [(94, "SUBMITTED by EMPLOYEE", "sub", 0), (6, "SAVED by EMPLOYEE", "draft", 0)],
    "draft": [(60, "SUBMITTED by EMPLOYEE", "sub", 40), (40, "", "", 0)],
    "sub": [
        (74, "APPROVED by ADMINISTRATION", "adm", 60),
        (9, "REJECTED by ADMINISTRATION", "rej", 60),
        (8, "APPROVED by PRE_APPROVER", "pre", 90),
        (1, "REJECTED by PRE_APPROVER", "rej", 90),
        (7, "FINAL_APPROVED by SUPERVISOR", "fin", 120),
        (1, "REJECTED by SUPERVISOR", "rej", 120),
    ],
    "adm": [
        (28, "APPROVED by BUDGET OWNER", "bud", 80),
        (2, "REJECTED by BUDGET OWNER", "rej", 80),
        (64, "FINAL_APPROVED by SUPERVISOR", "fin", 120),
        (3, "REJECTED by SUPERVISOR", "rej", 120),
        (3, "APPROVED by SUPERVISOR", "sup", 120),
    ],
    "bud": [(95, "FINAL_APPROVED by SUPERVISOR", "fin", 120), (5, "REJECTED by SUPERVISOR", "rej", 120)],
    "pre": [(96, "FINAL_APPROVED by SUPERVISOR", "fin", 120), (4, "REJECTED by SUPERVISOR", "rej", 120)],
    "sup": [(85, "FINAL_APPROVED by DIRECTOR", "fin", 200), (15, "REJECTED by DIRECTOR", "rej", 200)],
    "rej": [(85, "REJECTED by EMPLOYEE", "ret", 70), (10, "SUBMITTED by EMPLOYEE", "sub", 70), (5, "", "", 0)],
    "ret": [(78, "SUBMITTED by EMPLOYEE", "sub", 90), (22, "", "", 0)],
    "fin": [(98, "Request Payment", "payreq", 60), (2, "REJECTED by MISSING", "prej", 60)],
    "prej": [(60, "SUBMITTED by EMPLOYEE", "sub", 90), (40, "", "", 0)],
    "payreq": [(99, "Payment Handled", "paid", 100), (1, "", "", 0)],
    "paid": [(1, "", "", 0)],
}
OUT_OF_PLACE = ("REJECTED by EMPLOYEE", "Request Payment", "Payment Handled", "REJECTED by MISSING")


def lines(dice: random.Random) -> Iterator[tuple[str, ...]]:
    """The lines of all cases, each case's together, cases in the order in which they began."""
    start = datetime(2025, 1, 6, 8, tzinfo=UTC)
    for number in range(1, CASES + 1):
        start += timedelta(seconds=dice.randrange(1_800, 80_000))
        yield from _case(f"D{10_000 + number}", start, dice)


def _case(name: str, at: datetime, dice: random.Random) -> Iterator[tuple[str, ...]]:
    amount, budget = f"{dice.lognormvariate(4.2, 0.9):.2f}", f"budget {dice.randrange(1, 9)}"
    breaks_at = dice.randrange(1, 5) if dice.random() < BREAKS else None
    place, taken = "new", 0
    while True:
        weights = [choice[0] for choice in PROCESS[place]]
        _, activity, leads_to, hours = dice.choices(PROCESS[place], weights)[0]
        if taken == breaks_at:
            activity, leads_to, hours = dice.choice(OUT_OF_PLACE), place, 30
        if not activity:
            return
        at += timedelta(seconds=dice.randrange(60, 3_600 * hours) if hours else 0)
        yield _line(name, activity, at, amount, budget)
        place, taken = leads_to, taken + 1


def _line(case: str, activity: str, at: datetime, amount: str, budget: str) -> tuple[str, ...]:
    role = next((role for role in ROLES if activity.endswith(f" by {role}")), "UNDEFINED")
    name = f"Declaration {activity}" if role != "UNDEFINED" else activity
    resource = "STAFF MEMBER" if role != "UNDEFINED" else "SYSTEM"
    return case, name, at.astimezone(ZONE).isoformat(timespec="seconds"), resource, role, amount, budget


def main() -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    table.writerows(lines(random.Random(SEED)))
    TARGET.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


if __name__ == "__main__":
    main()
