"""Writes `docs/patterns.md` from the suite of workflow patterns in `tests/engine/patterns/`.

python -m scripts.patterns_table
"""

from __future__ import annotations

from pathlib import Path

from tests.engine.patterns.catalogue import PATTERNS, Pattern

TARGET = Path(__file__).resolve().parent.parent / "docs" / "patterns.md"
HEAD = """# The 43 workflow patterns

The published list of control-flow patterns ([workflowpatterns.com](http://www.workflowpatterns.com)) is the measure for
what a workflow engine can express. Each pattern here is one document, `tests/engine/patterns/NN.json`, drawn with the
construct of its row, together with cases: events that may come in any order that the definition leaves open, and what
must happen by each, written by hand.

`tests/requests/test_patterns.py` runs them through the product: the publish gate, real requests, people who claim and
complete tasks, sweeps and operators, everything read again from the database between all events. After every event it
compares the steps that opened, began, ended and were withdrawn, the open work items and the outcome of the run; after
the end nothing may be left, and no incident may have opened. `tests/engine/test_patterns.py` runs the same cases on the
planner alone, and compares at least one whole trace of each pattern line by line.

*Yes*: the tests show the whole definition. *Orders run*: through the database, in `make test`. *With `make test-all`*:
together with those that it runs besides, up to 30 of each case, drawn by lot, the same ones always. *Of*: all orders
that the cases have; `make patterns` runs every one (some ten minutes).

This file is written by `python -m scripts.patterns_table`; a test fails where it is not up to date.
"""


def table() -> str:
    """The whole page."""
    columns = "| number | name | construct | shown | orders run | with `make test-all` | of |"
    rows = [columns, "|---|---|---|---|---|---|---|", *map(_row, PATTERNS)]
    lacking = [f"**{pattern.number} {pattern.name}**: {pattern.lacks}" for pattern in PATTERNS if pattern.lacks]
    short, long, total = (sum(numbers) for numbers in zip(*map(_orders, PATTERNS), strict=True))
    whole = f"{len(PATTERNS) - len(lacking)} of {len(PATTERNS)} are shown whole"
    counts = f"{whole}, in {short:,} of {total:,} orders, and in {long:,} with `make test-all`."
    shown = ["## What is shown", *map(_shown, PATTERNS)]
    return "\n\n".join([HEAD.strip(), "\n".join(rows), counts, *lacking, *shown]) + "\n"


def _row(pattern: Pattern) -> str:
    short, long, total = _orders(pattern)
    head = f"| {pattern.number} | {pattern.name} | {pattern.construct} | {pattern.shown}"
    return f"{head} | {short} | {long} | {total} |"


def _orders(pattern: Pattern) -> tuple[int, int, int]:
    """In `make test`, in both, and all there are."""
    return pattern.short_orders, pattern.short_orders + pattern.long_orders, pattern.orders


def _shown(pattern: Pattern) -> str:
    cases = "\n".join(f"- {case.shows}" for case in pattern.cases)
    return f"**{pattern.number} {pattern.name}**: {pattern.definition}.\n\n{cases}"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
