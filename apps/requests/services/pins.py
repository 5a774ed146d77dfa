"""The versions a request runs on, fixed when it is submitted; those of a child workflow when the child starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.conf import settings

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.selectors import current_policies
from apps.calendars.selectors import current_version
from apps.core.errors import Misconfigured
from apps.requests.models import CatalogItem, FormVersion, Request
from apps.sla.selectors import calendar_keys, current_policy
from apps.workflows.engine.definition import Definition


def pins_of(
    item: CatalogItem, form: FormVersion, definition: Definition, *, sla_key: str, requester: User
) -> dict[str, Any]:
    """The versions the request will run on, by id. Raises Misconfigured naming what is missing.

    A calendar of the requester's own that is not there counts as none, as that of a team does: a target that follows
    them says what is counted by then.
    """
    sla_policy = current_policy(sla_key) if sla_key else None
    if sla_key and sla_policy is None:
        raise Misconfigured(f"The SLA policy {sla_key!r} of {item.name} does not exist.")
    keys = calendar_keys(sla_policy.document) if sla_policy else set()
    keys |= set(calendars_named(definition))
    policies = _named_policies(definition)
    keys |= set(_calendars_of_policies(definition, policies, keys))
    pins = {
        "form": form.pk,
        "sla": sla_policy.pk if sla_policy else None,
        "calendars": {key: _calendar(key) for key in sorted(keys)},
        "policies": {key: version.pk for key, version in policies.items()},
    }
    forms = _named(definition, "form")
    if requester.calendar and (own := current_version(requester.calendar)):
        pins["requester_calendar"] = own.pk
    return pins | {"forms": _forms(forms)} if forms else pins


def pin_more(request: Request, definition: Definition) -> None:
    """Adds what a child workflow names and is not pinned yet. Raises Misconfigured naming what is missing."""
    pins = request.pins
    named = _named_policies(definition)
    calendars = set(calendars_named(definition))
    calendars |= set(_calendars_of_policies(definition, named, pins["calendars"].keys() | calendars))
    calendars -= pins["calendars"].keys()
    policies = {key: version.pk for key, version in named.items() if key not in pins["policies"]}
    forms = _named(definition, "form") - pins.get("forms", {}).keys()
    if calendars or policies or forms:
        request.pins = {
            **pins,
            "calendars": pins["calendars"] | {key: _calendar(key) for key in sorted(calendars)},
            "policies": pins["policies"] | policies,
            "forms": pins.get("forms", {}) | _forms(forms),
        }


def calendars_named(definition: Definition) -> Iterator[str]:
    """The keys of the calendars that waits and deadlines count by."""
    for step in definition.steps:
        durations = [step.settings.get("for", {}), *(one["after"] for one in step.settings.get("deadlines", ()))]
        yield from (duration["calendar"] for duration in durations if "calendar" in duration)


def _named(definition: Definition, setting: str) -> set[str]:
    return {step.settings[setting] for step in definition.steps if setting in step.settings}


def _calendar(key: str) -> int:
    version = current_version(key)
    if version is None:
        raise Misconfigured(f"The calendar {key!r} does not exist.")
    return version.pk


def _named_policies(definition: Definition) -> dict[str, ApprovalPolicyVersion]:
    keys = _named(definition, "policy_ref")
    known = current_policies() if keys else {}
    for missing in keys - known.keys():
        raise Misconfigured(f"The approval policy {missing!r} does not exist.")
    return {key: known[key] for key in sorted(keys)}


def _calendars_of_policies(
    definition: Definition, policies: Mapping[str, ApprovalPolicyVersion], others: Collection[str]
) -> Iterator[str]:
    """The keys of the calendars that approvals are timed by; the default one where a deadline names none."""
    documents = [step.settings["policy"] for step in definition.steps if "policy" in step.settings]
    documents += [version.document for version in policies.values()]
    for level in (level for document in documents for level in document["levels"] if "deadline" in level):
        if "calendar" in level["deadline"]:
            yield level["deadline"]["calendar"]
        elif not others and current_version(settings.DEFAULT_CALENDAR):
            yield settings.DEFAULT_CALENDAR


def default_calendar(pins: Mapping[str, Any]) -> str | None:
    """The calendar of a deadline that names none: the first by name that the request is pinned to (its SLA's, as a
    rule), else the site's; None where there is no calendar at all: then it counts around the clock. A rebase keeps it.
    """
    if "default_calendar" in pins:
        kept: str | None = pins["default_calendar"]
        return kept
    return min(pins["calendars"], default=None)


def _forms(keys: set[str]) -> dict[str, int]:
    found = {key: FormVersion.objects.current(key) for key in sorted(keys)}
    for missing in (key for key, version in found.items() if version is None):
        raise Misconfigured(f"The form {missing!r} does not exist.")
    return {key: version.pk for key, version in found.items()}
