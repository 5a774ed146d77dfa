"""SLA policies, versioned: here, because what a policy names stands on this step and below.

A new version is entered as JSON, looked at (every target in words, what its author should know) and published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action, display

from apps.accounts.admin import acting
from apps.core.admin import KeyedVersionAdmin, VersionForm
from apps.core.admin_parts import as_text, problem_lines, read_document, table
from apps.core.errors import DomainError, InvalidInput
from apps.core.models import digest
from apps.requests.admin.rebasing import carry_over_url, with_way
from apps.requests.enums import Priority
from apps.requests.services.target_references import WHOLE, warnings_of
from apps.requests.services.targets import ANY, check_targets, publish_targets, require_key
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


@admin.register(SlaPolicyVersion)
class SlaPolicyVersionAdmin(KeyedVersionAdmin):
    form = PolicyForm
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

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The page of a new version. A key and a document that are sent without a button are saved at once."""
        if request.method == "POST" and "do" not in request.POST:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
            return answer
        if not self.has_add_permission(request):
            raise PermissionDenied
        return _Page(self, request).answer()


class _Page:
    """One visit to the page. `base` is the number of the version that was the newest when it began ("" for none)."""

    def __init__(self, model_admin: SlaPolicyVersionAdmin, request: HttpRequest) -> None:
        self.admin, self.request = model_admin, request
        self.key = request.POST.get("key", "").strip()
        self.base = request.POST.get("base", "")

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._begin()
        text = self.request.POST.get("document", "")
        try:
            document = read_document(text)
        except ValidationError as refused:
            return self._page(text, problems=list(refused.messages))
        if problems := self._problems(document):
            return self._page(text, problems=problem_lines(problems))
        return self._publish(text, document) if self.request.POST["do"] == "publish" else self._page(text, document)

    def _begin(self) -> HttpResponse:
        base = self.request.GET.get("base", "")
        version = SlaPolicyVersion.objects.filter(pk=base).first() if base.isdecimal() and len(base) < 19 else None
        if version is None:
            return self._page(as_text(EXAMPLE, order=ORDER))
        newest = SlaPolicyVersion.objects.current(version.key)
        self.key, self.base = newest.key, str(newest.n)
        return self._page(as_text(newest.document, order=ORDER))

    def _problems(self, document: object) -> Mapping[str, Sequence[str]]:
        try:
            require_key(SlaPolicyVersion, self.key)
        except InvalidInput as refused:
            return {**refused.errors, **check_targets(document)}
        return check_targets(document)

    def _publish(self, text: str, document: object) -> HttpResponse:
        before = SlaPolicyVersion.objects.current(self.key)
        same = before is not None and before.hash == digest(document)
        try:
            version = publish_targets(
                self.key,
                document,
                created_by=f"user:{acting(self.request).pk}",
                expected=ANY if same else self._expected,
            )
        except InvalidInput as refused:
            return self._page(text, problems=problem_lines(refused.errors))
        except DomainError as refused:
            return self._page(text, document, problems=[refused.detail])
        if same:
            messages.info(self.request, f"{version} says the same already: nothing was published.")
        else:
            self.admin.log_addition(self.request, version, [{"added": {}}])
            said = f"{version} is published: requests submitted from now on are measured by it."
            messages.success(self.request, with_way(said, "policy", version.key) if before else said)
        return HttpResponseRedirect(reverse("admin:sla_slapolicyversion_change", args=[version.pk]))

    @property
    def _expected(self) -> int:
        """The number that the newest version must have: that of the one this visit began with."""
        return int(self.base) if self.base.isdecimal() and len(self.base) < 10 else 0

    def _page(self, text: str, document: Any = None, *, problems: Sequence[str] = ()) -> HttpResponse:
        looked: dict[str, Any] = {}
        if document is not None:
            newest = SlaPolicyVersion.objects.current(self.key)
            looked = {
                "preview": preview(parse_policy(document)),
                "warnings": _lines(warnings_of(self.key, document)),
                "same_as": newest if newest is not None and newest.hash == digest(document) else None,
                "next": f"{self.key} v{newest.n + 1 if newest else 1}",
            }
        shown = {
            **self.admin.admin_site.each_context(self.request),
            "opts": SlaPolicyVersion._meta,
            "title": f"New version of {self.key}" if self.base else "New SLA policy",
            "key": self.key,
            "base": self.base,
            "text": text,
            "problems": problems,
            **looked,
        }
        return TemplateResponse(self.request, TEMPLATE, shown)


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
