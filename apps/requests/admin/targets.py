"""SLA policies, versioned: here, because what a policy names stands on this step and below.

A new version is entered as JSON, looked at (every target in words, what its author should know) and published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action, display

from apps.accounts.admin import acting
from apps.calendars.selectors import known_calendars
from apps.core.admin import VersionForm
from apps.core.admin_parts import as_text, problem_lines, read_document, table
from apps.core.errors import DomainError, InvalidInput
from apps.requests.admin.making import MadeOnPagesAdmin, Visit
from apps.requests.admin.rebasing import carry_over_url, with_way
from apps.requests.enums import Priority
from apps.requests.event_fields import HEARD, fields_told
from apps.requests.services.target_references import WHOLE, warnings_of
from apps.requests.services.targets import check_targets, publish_targets, require_key
from apps.sla.models import SlaPolicyVersion
from apps.sla.targets import SlaPolicy, Target, parse_policy
from apps.sla.words import (
    calendar_words,
    changes_words,
    duration_words,
    escalation_words,
    measured_by,
    warnings_words,
)

TEMPLATE = "admin/sla/slapolicyversion/edit.html"
ORDER = (
    "id", "name", "metric", "of", "team", "calendar", "durations", "critical", "high", "medium", "low", "warn_at",
    "escalations", "at", "after_breach", "do", "to", "on", "targets", "pause_on_hold", "retroactive",
)  # fmt: skip
HOURS = {"critical": 1, "high": 4, "medium": 8, "low": 16}


def example(calendars: Sequence[str]) -> dict[str, Any]:
    """A policy to begin with; it names a calendar that is there, if there is one."""
    calendar = "office" if "office" in calendars or not calendars else calendars[0]
    return {
        "targets": [
            {
                "id": "response",
                "name": "First answer",
                "metric": "response",
                "calendar": calendar,
                "durations": {level: {"business_seconds": 3600 * n} for level, n in HOURS.items()},
                "warn_at": [75],
            },
            {
                "id": "resolution",
                "name": "Done",
                "metric": "resolution",
                "calendar": {"of": "team", "else": calendar},
                "durations": {
                    "critical": {"business_seconds": 28800},
                    "high": {"business_days": 2},
                    "medium": {"business_days": 5},
                    "low": {"calendar_days": 21},
                },
                "warn_at": [50, 80],
                "escalations": [
                    {"id": "lead", "at": 90, "do": "notify", "to": [{"lead": True}]},
                    {"id": "late", "after_breach": 3600, "do": "raise_priority"},
                ],
            },
        ],
        "pause_on_hold": True,
    }


EVENTS = [(kind, fields_told(fields)) for kind, fields in sorted(HEARD.items())]


class PolicyForm(VersionForm):
    check = staticmethod(check_targets)


class TargetPages(Visit):
    called = "SLA policy"

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            version = self.begin()
            document = version.document if version else example(known_calendars())
            return self._entered(as_text(document, order=ORDER))
        text = self.request.POST.get("document", "")
        try:
            document = read_document(text)
        except ValidationError as refused:
            return self._entered(text, list(refused.messages))
        if problems := self._problems(document):
            return self._entered(text, _placed(problems, document))
        return self._publish(text, document) if self.request.POST["do"] == "publish" else self._look(text, document)

    def _problems(self, document: object) -> Mapping[str, Sequence[str]]:
        try:
            require_key(SlaPolicyVersion, self.key)
        except InvalidInput as refused:
            return {**refused.errors, **check_targets(document)}
        return check_targets(document)

    def _publish(self, text: str, document: Any) -> HttpResponse:
        before = self.newest
        if same := self.same_as(before, document):
            messages.info(self.request, f"{same} says the same already: nothing was published.")
            return self.to(same)
        if lack := self.out_of_date(before):
            return self._look(text, document, [lack])
        try:
            by, expected = f"user:{acting(self.request).pk}", before.n if before else 0
            version = publish_targets(self.key, document, created_by=by, expected=expected)
        except InvalidInput as refused:
            return self._entered(text, _placed(refused.errors, document))
        except DomainError as refused:
            return self._look(text, document, [refused.detail])
        self.admin.log_addition(self.request, version, [{"added": {}}])
        said = f"{version} is published: requests submitted from now on are measured by it."
        messages.success(self.request, with_way(said, "policy", version.key) if before else said)
        return self.to(version)

    def _entered(self, text: str, problems: Sequence[str] = ()) -> HttpResponse:
        return self._page(text=text, problems=problems, step="enter")

    def _look(self, text: str, document: Any, problems: Sequence[str] = ()) -> HttpResponse:
        newest = self.newest
        looked = {
            "preview": preview(parse_policy(document)),
            "warnings": _lines(warnings_of(self.key, document), document),
            "same_as": self.same_as(newest, document),
            "out_of_date": self.out_of_date(newest),
        }
        return self._page(newest, text=text, problems=problems, step="look", **looked)

    def _page(self, newest: SlaPolicyVersion | None = None, **shown: Any) -> HttpResponse:
        return self.page(TEMPLATE, newest, calendars=known_calendars(), events=EVENTS, **shown)


@admin.register(SlaPolicyVersion)
class SlaPolicyVersionAdmin(MadeOnPagesAdmin):
    form = PolicyForm
    pages = TargetPages
    fieldsets = (
        (None, {"fields": ("key", "n", "is_newest", "created_at", "made_by", "told", "document_text", "hash")}),
    )

    actions_detail: Sequence[str] = ("new_version", "carry_over")

    @action(description="Carry open requests over", url_path="carry-over", permissions=["view"])
    def carry_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.get_object(request, object_id)
        return HttpResponseRedirect(carry_over_url("policy", version.key if version else ""))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        return (*super().get_readonly_fields(request, obj), "told") if obj else ()

    @display(description="targets")
    def told(self, version: SlaPolicyVersion) -> str:
        return preview(parse_policy(version.document))


# ------------------------------------------------------------------------------------ in words


def _lines(warnings: Mapping[str, Sequence[str]], document: object) -> list[str]:
    """One line for each, with its place in front unless it is about the whole policy."""
    return [*warnings.get(WHOLE, ()), *_placed({at: said for at, said in warnings.items() if at != WHOLE}, document)]


def _placed(problems: Mapping[str, Sequence[str]], document: object) -> list[str]:
    """One line for each, with its place and the target that this is in."""
    return problem_lines({f"{place}{_whose(place, document)}": said for place, said in problems.items()})


def _whose(place: str, document: object) -> str:
    """ " of “First answer”" for a place in a target that has a name or an id."""
    targets = document.get("targets") if isinstance(document, Mapping) else None
    number = re.match(r"targets\.(\d+)\.", place)
    target = targets[int(number[1])] if number and isinstance(targets, list) else None
    name = (target.get("name") or target.get("id")) if isinstance(target, Mapping) else None
    return f" of “{name}”" if isinstance(name, str) else ""


def preview(policy: SlaPolicy) -> str:
    """A row for each target: what it measures, the time at each priority, its calendar, what happens on the way."""
    heads = ("Target", "Measures", *(priority.label for priority in Priority), "Calendar", "Warns", "Escalates")
    return table(heads, [_row(target) for target in policy.targets], empty="No target.")


def _row(target: Target) -> tuple[object, ...]:
    times = (duration_words(target.durations[priority]) for priority in Priority.values)
    of_a_team = f", while the team {target.team} has it" if target.team else ""
    measures = "; ".join((measured_by(target) + of_a_team, *changes_words(target)))
    escalates = "; ".join(escalation_words(one) for one in target.escalations)
    calendar = calendar_words(target) or "none"
    return (target.name or target.id, measures, *times, calendar, warnings_words(target) or "–", escalates or "–")
