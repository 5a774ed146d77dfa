"""`manage.py walkthrough`: one request from submission to archive, through the public interfaces."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from serviceflow.walkthrough import WalkthroughFailed, walk_against, walk_in_process

TITLES = {
    "request": "Request",
    "validation": "Validation",
    "workflow_selection": "Workflow selection",
    "state_machine": "State machine",
    "processing": "Processing",
    "approvals": "Approvals",
    "sla_tracking": "SLA tracking",
    "notifications": "Notifications",
    "completion": "Completion",
}


class Command(BaseCommand):
    help = "Takes one request of the demonstration data from submission to archive and tells what happened."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object with the nine steps as keys")
        parser.add_argument("--url", help="walk against this running server instead of in this process")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            steps = walk_against(options["url"]) if options["url"] else walk_in_process()
        except WalkthroughFailed as failure:
            raise CommandError(str(failure)) from failure
        self.stdout.write(json.dumps(steps, indent=2) if options["json"] else "\n".join(_lines(steps)))


def _lines(steps: dict[str, dict[str, Any]]) -> list[str]:
    lines = []
    for place, (step, title) in enumerate(TITLES.items(), 1):
        lines += ["", f"{place}. {title}", *_told(steps[step], "   ")]
    return lines


def _told(value: Any, indent: str) -> list[str]:
    """A value as lines a person reads: short lists on one line, everything else a line each."""
    if isinstance(value, dict):
        return [line for key, one in value.items() for line in _named(key.replace("_", " "), one, indent)]
    return [line for one in value for line in (_told(one, indent) if isinstance(one, dict) else [f"{indent}{one}"])]


def _named(name: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
        return [f"{indent}{name}:", *_told(value, f"{indent}  ")]
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return [f"{indent}{name}: {text}"] if text else []
