"""SLA policies: what one may say, publishing the next version, and reading them for those who design.

Reading raises NotVisible, writing also NotPermitted. Requests that run keep the version they are pinned to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.calendars.models import CalendarVersion
from apps.calendars.services import publish_calendar
from apps.core.errors import BrokenDocument, Conflict, InvalidInput, NotPermitted, NotVisible
from apps.core.models import KeyedVersion
from apps.requests import policies
from apps.requests.models import SlaRule
from apps.requests.services.gate_forms import Forms
from apps.requests.services.reissuing import rule_guard_problems
from apps.requests.services.target_conditions import condition_problems
from apps.requests.services.target_references import unknown_references
from apps.sla.models import SlaPolicyVersion
from apps.sla.policy_check import check_policy
from apps.sla.stuck_check import stuck_problems
from apps.workflows.services.publishing import lock_publishing

Document = Mapping[str, Any]
Versions = type[SlaPolicyVersion] | type[CalendarVersion]
ANY = -1


def check_targets(document: object) -> dict[str, list[str]]:
    """What is wrong with an SLA policy document, by place. Never raises.

    What it names must exist and be active, the events and fields of its conditions too, and each clock must have an
    end: what can get stuck cannot be published.
    """
    if problems := check_policy(document):
        return problems
    assert isinstance(document, Mapping)
    problems = defaultdict[str, list[str]](list)
    for found in (unknown_references(document), stuck_problems(document), condition_problems(document)):
        for place, said in found.items():
            problems[place] += said
    return dict(problems)


@transaction.atomic
def publish_targets(key: str, document: object, *, created_by: str = "", expected: int = ANY) -> SlaPolicyVersion:
    """The SLA policy's next version, or the newest one if it says the same.

    Raises InvalidInput for the key, BrokenDocument with the problems by place, Conflict where the newest version is not
    `expected` (0: there is none yet); then nothing changed.
    """
    require_key(SlaPolicyVersion, key)
    lock_publishing()
    if problems := check_targets(document):
        raise BrokenDocument(problems)
    assert isinstance(document, Mapping)
    require_newest(SlaPolicyVersion, key, expected)
    return SlaPolicyVersion.freeze(key, dict(document), created_by=created_by)


def sla_rule_problems(rule: SlaRule) -> dict[str, list[str]]:
    """By field what keeps a rule of an item from being saved: its guard must fit the form, its policy be there."""
    problems: dict[str, list[str]] = {}
    if found := [problem.message for problem in rule_guard_problems(rule, Forms())]:
        problems["guard"] = found
    if not SlaPolicyVersion.objects.filter(key=rule.policy_key).exists():
        problems["policy_key"] = [f"There is no SLA policy {rule.policy_key!r}."]
    return problems


# ------------------------------------------------------------------------------------ for people of the API


def require_designer(actor: User) -> None:
    """Raises NotVisible to those who see no policy at all, NotPermitted to those who only read."""
    require_reader(actor)
    if not policies.designs(actor):
        raise NotPermitted("You may read SLA policies and calendars, but not change them.")


def require_reader(actor: User) -> None:
    if not policies.reads_designs(actor):
        raise NotVisible


def newest_for(actor: User, kind: Versions) -> QuerySet[Any]:
    """The newest version of every key."""
    require_reader(actor)
    newer = kind._default_manager.filter(key=OuterRef("key"), n__gt=OuterRef("n"))
    return kind._default_manager.filter(~Exists(newer))


def version_for(actor: User, kind: Versions, key: str, n: int | None = None) -> Any:
    """That version of the key, the newest one if none is named."""
    require_reader(actor)
    rows = kind._default_manager.filter(key=key) if n is None else kind._default_manager.filter(key=key, n=n)
    found = rows.order_by("-n").first()
    if found is None:
        raise NotVisible
    return found


def versions_of(version: KeyedVersion) -> QuerySet[Any]:
    """Every version of its key, the newest first, without the documents."""
    return type(version)._default_manager.filter(key=version.key).order_by("-n").defer("document")


@transaction.atomic
def publish_targets_as(actor: User, key: str, document: object, *, expected: int = ANY) -> SlaPolicyVersion:
    """As `publish_targets`, for a person."""
    require_designer(actor)
    return publish_targets(key, document, created_by=f"user:{actor.pk}", expected=expected)


@transaction.atomic
def publish_calendar_as(
    actor: User, key: str, document: object, *, name: str = "", country: str | None = None, expected: int = ANY
) -> CalendarVersion:
    """As `calendars.publish_calendar`, for a person."""
    require_designer(actor)
    require_key(CalendarVersion, key)
    lock_publishing()
    require_newest(CalendarVersion, key, expected)
    return publish_calendar(key, document, name=name, country=country, created_by=f"user:{actor.pk}")


def require_key(kind: Versions, key: str) -> None:
    """Raises InvalidInput unless the key can be that of such a version."""
    try:
        kind(key=key).clean_fields(exclude=["n", "document", "hash", "created_at", "created_by"])
    except ValidationError as error:
        raise InvalidInput(error.message_dict) from error


def require_newest(kind: Versions, key: str, expected: int) -> None:
    newest = kind._default_manager.filter(key=key).order_by("-n").values_list("n", flat=True).first() or 0
    if expected not in (ANY, newest):
        now = f"its newest version is {newest}" if newest else "it has no version yet"
        raise Conflict(f"{key!r} has changed meanwhile: {now}. Nothing was published.")
