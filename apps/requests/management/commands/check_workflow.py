"""`manage.py check_workflow`: what the publish gate says of a document in a file."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.requests.management.files import REFUSED, UNREADABLE, Unreadable, listed, read_json, with_database
from apps.requests.services.gate import check_alone, check_workflow
from apps.workflows.engine.gate import GateResult
from apps.workflows.engine.problems import Problem, Severity

EVERY = 1_000
UNCHECKED = Problem(
    code="references_unchecked",
    severity=Severity.WARNING,
    message=(
        "There is no migrated database to ask, so it was not checked whether what the document names exists (people,"
        " teams, forms, policies, calendars, workflows, secrets), whether its guards fit the forms, and whether"
        " somebody can answer each approval. Run `manage.py migrate` first to have that checked too."
    ),
)


class Command(BaseCommand):
    help = (
        "Checks a workflow document (JSON, format 1) as publishing would: references, guards, structure, soundness,"
        " approvers. Nothing is written. Exit code 0 if it can be published, 1 if not, 2 if the file cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the workflow document")
        parser.add_argument("--json", action="store_true", help="the answer as one JSON object on the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = read_json(Path(options["file"]))
        except Unreadable as refusal:
            if options["json"]:
                self._print({"publishable": False, "verified": False, "problems": [refusal.as_problem()]})
            raise CommandError(str(refusal), returncode=UNREADABLE) from None
        result = checked(document, self._progress)
        if options["json"]:
            self._print(result.as_json())
        else:
            self._list(result)
        if not result.publishable:
            sys.exit(REFUSED)

    def _print(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer))

    def _list(self, result: GateResult) -> None:
        answer = result.as_json()
        for line in listed(answer["problems"]):
            self.stdout.write(line)
        self.stdout.write(_verdict(result))

    def _progress(self, markings: int) -> None:
        if markings % EVERY == 0:
            self.stderr.write(f"{markings:,} markings seen")


def checked(document: Any, progress: Callable[[int], None]) -> GateResult:
    """The gate's answer; where there is no database to ask, what can be found without one, and that."""

    def alone() -> GateResult:
        result = check_alone(document, progress=progress)
        return replace(result, problems=(*result.problems, UNCHECKED))

    return with_database(lambda: check_workflow(document, progress=progress), otherwise=alone)


def _verdict(result: GateResult) -> str:
    if result.publishable:
        return "This document can be published."
    if result.errors:
        return f"This document cannot be published: it has {len(result.errors):,} error(s)."
    return "This document was not seen whole: it can only be published with the signature of a second person."
