"""Small logs and mappings for tests, and the way to import them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

HISTORY = settings.BASE_DIR / "fixtures" / "history"
HEADER = ("case_id", "activity", "timestamp", "resource", "role", "amount")
Json = dict[str, Any]

LADDER: Json = {
    "format": 1,
    "workflow": "ladder",
    "name": "Ladder",
    "steps": [
        {"id": "start", "kind": "start"},
        {
            "id": "check",
            "kind": "task",
            "name": "Check",
            "assign": {"role": "checker"},
            "outcomes": [
                {"id": "ok", "label": "In order", "by": {"role": "checker"}},
                {"id": "bad", "label": "Not in order", "comment": "required"},
            ],
        },
        {
            "id": "boss",
            "kind": "approval",
            "name": "Boss",
            "policy": {
                "levels": [{"id": "boss", "name": "Boss", "approvers": [{"role": "boss"}], "rule": {"kind": "any"}}],
                "return": "never",
                "fallback": [{"role": "administrator"}],
            },
        },
        {"id": "pause", "kind": "wait", "name": "Cooling off", "for": {"seconds": 3600}},
        {"id": "ship", "kind": "task", "name": "Ship", "assign": {"team": "store"}},
        {"id": "shipped", "kind": "end", "outcome": "completed"},
        {"id": "no", "kind": "end", "outcome": "rejected"},
    ],
    "transitions": [
        {"from": "start", "to": "check"},
        {"from": "check", "to": "boss", "outcome": "ok"},
        {"from": "check", "to": "no", "outcome": "bad"},
        {"from": "boss", "to": "pause", "outcome": "approved"},
        {"from": "boss", "to": "no", "outcome": "rejected"},
        {"from": "pause", "to": "ship"},
        {"from": "ship", "to": "shipped"},
    ],
}
MAPPING: Json = {
    "format": 1,
    "source": "old-desk",
    "workflow": LADDER,
    "item": {
        "slug": "ladder",
        "name": "A ladder",
        "time_zone": "Europe/Amsterdam",
        "form": {"fields": [{"name": "amount", "type": "money"}]},
        "sla": {
            "targets": [
                {
                    "id": "response",
                    "metric": "response",
                    "warn_at": [50],
                    "durations": {name: {"seconds": 7200} for name in ("critical", "high", "medium", "low")},
                }
            ]
        },
        "rules": [{"name": "always", "workflow": "ladder"}],
    },
    "log": {"time_zone": "Europe/Amsterdam"},
    "columns": dict(zip(("case", "activity", "timestamp", "resource", "role"), HEADER, strict=False)),
    "people": {"anonymous": ["SOMEBODY"]},
    "roles": {
        "ASKER": {},
        "CHECKER": {"roles": ["checker"]},
        "BOSS": {"roles": ["boss"]},
        "STORE": {"teams": ["store"]},
    },
    "request": {"title": "Ladder {case_id}", "data": {"amount": {"amount": "{amount}", "currency": "EUR"}}},
    "activities": {
        "Noted": {"do": [{"save": {}}]},
        "Asked": {"do": [{"submit": {}}]},
        "Checked": {"do": [{"complete": {"outcome": "ok"}}]},
        "Turned down": {"do": [{"at": "check", "complete": {"outcome": "bad", "comment": "Because of {amount}"}}]},
        "Approved": {"do": [{"decide": {"verdict": "approve"}}]},
        "Refused": {"do": [{"decide": {"verdict": "reject"}}]},
        "Stopped": {"do": [{"hold": {"reason": "Out of stock"}, "by": "lead"}]},
        "Shipped": {
            "do": [
                {"status": "on_hold", "first": [{"resume": {}, "by": "lead"}], "complete": {}},
                {"complete": {}},
            ]
        },
        "Remarked": {"do": [{"comment": {"text": "It costs {amount}"}}]},
        "Given up": {"do": [{"cancel": {}, "by": "requester"}]},
    },
}
ASKED = ("Asked", "2024-03-04T09:00:00", "ASKER")
CHECKED = ("Checked", "2024-03-04T09:30:00", "CHECKER")
APPROVED = ("Approved", "2024-03-04T10:00:00", "BOSS")
SHIPPED = ("Shipped", "2024-03-05T08:00:00", "STORE")
WHOLE = (ASKED, CHECKED, APPROVED, SHIPPED)
Told = tuple[str, str, str]


def rows(case: str, *told: Told, resource: str = "SOMEBODY", amount: str = "12.50") -> list[Sequence[str]]:
    """The lines of a case: activity, time, role."""
    return [(case, activity, at, resource, role, amount) for activity, at, role in told]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the command printed: the report, its last line, and what it said on the way; and its table."""

    report: Json
    said: str
    table: list[Json] = field(default_factory=list)

    def case(self, name: str) -> Json:
        return next(row for row in self.table if row["case_id"] == name)


@dataclass(kw_only=True)
class Desk:
    """A folder with a log and a mapping in it, and the command that imports them."""

    folder: Path
    mapping: Json = field(default_factory=lambda: json.loads(json.dumps(MAPPING)))

    def write(self, lines: Iterable[Sequence[str]], *, header: Sequence[str] = HEADER) -> Path:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerows([header, *lines])
        return self.write_text(text.getvalue())

    def write_text(self, text: str | bytes) -> Path:
        path = self.folder / "log.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, log: Path, **options: Any) -> Outcome:
        mapping = self.folder / "mapping.json"
        mapping.write_text(json.dumps(self.mapping))
        return import_log(log, mapping, table=self.folder / "cases.csv", **options)

    def import_rows(self, *lines: Sequence[str], **options: Any) -> Outcome:
        return self.run(self.write(lines), **options)


def import_log(log: Path, mapping: Path, *, table: Path, **options: Any) -> Outcome:
    """Runs the command; returns what it printed, with the table of its cases."""
    out, said = io.StringIO(), io.StringIO()
    options = {"json": True, "out": table, **options}
    call_command("import_log", log, mapping, stdout=out, stderr=said, **options)
    with table.open(newline="") as file:
        cases = list(csv.DictReader(file))
    return Outcome(report=json.loads(out.getvalue().splitlines()[-1]), said=said.getvalue(), table=cases)


def steady(report: Mapping[str, Any]) -> Json:
    """The report without its stopwatch."""
    return {key: value for key, value in report.items() if key not in ("seconds", "events_per_second")}
