"""`manage.py simulate_workflow`: a dry run of a document in a file."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import InvalidInput
from apps.requests.management.commands.check_workflow import UNCHECKED
from apps.requests.management.files import REFUSED, UNREADABLE, Unreadable, listed, read_json, with_database
from apps.requests.services.trial import DryRun, simulate_alone, simulate_document
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.simulation import Trial

Json = dict[str, Any]


class Command(BaseCommand):
    help = (
        "Walks a workflow document with a sample request and a script of answers and times: the path, who would be"
        " asked, what would be due, which actions would run. Nothing is written or sent. docs/workflows-check.md says"
        " what FACTS.json holds. Exit code 0 if nothing went wrong, 1 if something did, 2 if a file cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the workflow document")
        parser.add_argument("facts", type=Path, help="the sample request, the time and the script")
        parser.add_argument("--json", action="store_true", help="the answer as one JSON object on the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document, given = (read_json(Path(options[name])) for name in ("file", "facts"))
        except Unreadable as refusal:
            if options["json"]:
                self._print({**Trial().to_json(), "problems": [{**refusal.as_problem(), "entry": None}]})
            raise CommandError(str(refusal), returncode=UNREADABLE) from None
        dry_run = walked(document, given)
        answer = dry_run.to_json()
        if options["json"]:
            self._print(answer)
        else:
            for line in _report(answer):
                self.stdout.write(line)
        if not dry_run.clean:
            sys.exit(REFUSED)

    def _print(self, answer: Json) -> None:
        self.stdout.write(json.dumps(answer))


def walked(document: Any, given: Any) -> DryRun:
    """The dry run; what is wrong with FACTS.json is a problem of code `facts` per field, and nothing is walked."""
    try:
        return _walked(document, given)
    except InvalidInput as refusal:
        fields = [(field, text) for field, texts in refusal.errors.items() for text in texts]
        problems = (Problem(code="facts", message=f"{field}: {text}", path=field) for field, text in fields)
        return DryRun(trial=Trial(), problems=tuple(problems))


def _walked(document: Any, given: Any) -> DryRun:
    def alone() -> DryRun:
        dry_run = simulate_alone(document, given)
        return replace(dry_run, problems=(*dry_run.problems, UNCHECKED))

    return with_database(lambda: simulate_document(document, given, actor=None), otherwise=alone)


def _report(answer: Json) -> Iterator[str]:
    """The answer as people read it: a heading for each part that there is."""
    for part, heading in _HEADINGS.items():
        if answer[part]:
            yield heading
            yield from (f"  {_LINES[part](told)}" for told in answer[part])
    if answer["problems"]:
        yield "Problems"
        yield from (f"  {line}" for line in listed(answer["problems"]))
    yield f"Ended: {answer['ended']}." if answer["ended"] else "Not ended."


def _named(people: list[str]) -> str:
    return ", ".join(people) or "nobody"


def _asked(told: Mapping[str, Any]) -> str:
    level = f", level {told['level']}" if told["level"] else ""
    return f"{told['step']}{level}: {told.get('skipped') or _named(told['people'])}"


def _due(told: Mapping[str, Any]) -> str:
    deadline = f", deadline {told['deadline']}" if told["deadline"] else ""
    return f"{told['at'] or 'unknown'}  {told['step']}{deadline}"


_HEADINGS = {"path": "Path", "asked": "Asked", "due": "Due", "actions": "Actions", "waiting": "Waiting"}
_LINES = {
    "path": lambda told: f"{told['at']}  {told['step'] or '(run)'}: {told['event']}",
    "asked": _asked,
    "due": _due,
    "actions": lambda told: f"{told['at']}  {told['step']}: {told['action']} {json.dumps(told['with'])}",
    "waiting": lambda told: f"{told['step']}: {json.dumps(told['for'])}",
}
