"""SLA policies, versioned: here, because what a policy names stands on this step and below.

A new version is entered as JSON, looked at (every target in words, what its author should know) and published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action, display

from apps.accounts.admin import acting
from apps.core.admin import VersionForm
from apps.core.admin_parts import as_text, problem_lines, read_document, table
from apps.core.errors import DomainError, InvalidInput
from apps.requests.admin.making import MadeOnPagesAdmin, Visit
from apps.requests.admin.rebasing import carry_over_url, with_way
from apps.requests.enums import Priority
from apps.requests.services.target_references import WHOLE, warnings_of
from apps.requests.services.targets import check_targets, publish_targets, require_key
from apps.sla.models import SlaPolicyVersion
from apps.sla.targets import SlaPolicy, Target, parse_policy
from apps.sla.words import calendar_words, duration_words, escalation_words, measured_by, warnings_words

TEMPLATE = "admin/sla/slapolicyversion/edit.html"
ORDER = (
    "id", "name", "metric", "of", "team", "calendar", "durations", "critical", "high", "medium", "low", "warn_at",
    "escalations", "at", "after_breach", "do", "to", "on", "targets", "pause_on_hold", "retroactive",
)  # fmt: skip
HOURS = {"critical": 1, "high": 4, "medium": 8, "low": 16}
EXAMPLE: Mapping[str, Any] = {
    "targets": [
        {
            "id": "response",
            "name": "First answer",
            "metric": "response",
            "calendar": "office",
            "durations": {level: {"business_seconds": 3600 * n} for level, n in HOURS.items()},
            "warn_at": [75],
        },
        {
            "id": "resolution",
            "name": "Done",
            "metric": "resolution",
            "calendar": {"of": "team", "else": "office"},
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


class PolicyForm(VersionForm):
    check = staticmethod(check_targets)


class TargetPages(Visit):
    called = "SLA policy"

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            version = self.begin()
            return self._entered(as_text(version.document if version else EXAMPLE, order=ORDER))
        text = self.request.POST.get("document", "")
        try:
            document = read_document(text)
        except ValidationError as refused:
            return self._entered(text, list(refused.messages))
        if problems := self._problems(document):
            return self._entered(text, problem_lines(problems))
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
            return self._entered(text, problem_lines(refused.errors))
        except DomainError as refused:
            return self._look(text, document, [refused.detail])
        self.admin.log_addition(self.request, version, [{"added": {}}])
        said = f"{version} is published: requests submitted from now on are measured by it."
        messages.success(self.request, with_way(said, "policy", version.key) if before else said)
        return self.to(version)

    def _entered(self, text: str, problems: Sequence[str] = ()) -> HttpResponse:
        return self.page(TEMPLATE, text=text, problems=problems, step="enter")

    def _look(self, text: str, document: Any, problems: Sequence[str] = ()) -> HttpResponse:
        newest = self.newest
        looked = {
            "preview": preview(parse_policy(document)),
            "warnings": _lines(warnings_of(self.key, document)),
            "same_as": self.same_as(newest, document),
            "out_of_date": self.out_of_date(newest),
        }
        return self.page(TEMPLATE, newest, text=text, problems=problems, step="look", **looked)


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


def _lines(warnings: Mapping[str, Sequence[str]]) -> list[str]:
    """One line for each, with its place in front unless it is about the whole policy."""
    return [*warnings.get(WHOLE, ()), *problem_lines({at: said for at, said in warnings.items() if at != WHOLE})]


def preview(policy: SlaPolicy) -> str:
    """A row for each target: what it measures, the time at each priority, its calendar, what happens on the way."""
    heads = ("Target", "Measures", *(priority.label for priority in Priority), "Calendar", "Warns", "Escalates")
    return table(heads, [_row(target) for target in policy.targets], empty="No target.")


def _row(target: Target) -> tuple[object, ...]:
    times = (duration_words(target.durations[priority]) for priority in Priority.values)
    measures = measured_by(target) + (f", while the team {target.team} has it" if target.team else "")
    escalates = "; ".join(escalation_words(one) for one in target.escalations)
    calendar = calendar_words(target) or "none"
    return (target.name or target.id, measures, *times, calendar, warnings_words(target) or "–", escalates or "–")
