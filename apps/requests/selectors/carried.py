"""By which versions clocks were measured anew when their request was carried over, and since when, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.calendars.models import CalendarVersion
from apps.sla.models import SlaPolicyVersion

Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What versions are called, by id: "the policy laptop, version 3", "the calendar office, version 2"."""

    policies: Mapping[int, str] = field(default_factory=dict)
    calendars: Mapping[int, str] = field(default_factory=dict)


def versions_named(told: Iterable[Data]) -> Versions:
    """The versions that these data of `sla.rebased` events brought. Two statements at most, none for none."""
    read = list(told)
    policies = {data["policy"] for data in read if data.get("policy")}
    calendars = {new for data in read for new in (data.get("replaces") or {}).values()}
    return Versions(
        policies={
            pk: f"the policy {one.key}, version {one.n}"
            for pk, one in SlaPolicyVersion.objects.defer("document").in_bulk(sorted(policies)).items()
        },
        calendars={
            pk: f"the calendar {one.key}, version {one.n}"
            for pk, one in CalendarVersion.objects.defer("document").in_bulk(sorted(calendars)).items()
        },
    )


def carried_words(data: Data, versions: Versions) -> str:
    """ "by the calendar office, version 3, as if it had always been in force"."""
    policy = versions.policies.get(data.get("policy") or 0)
    new = sorted(set((data.get("replaces") or {}).values()))
    named = [*filter(None, [policy, *(versions.calendars.get(pk) for pk in new)])]
    if not data.get("retroactive"):
        mode = "from then on"
    else:
        mode = f"as if {'they' if len(named) != 1 else 'it'} had always been in force"
    return f"by {' and '.join(named) or 'other rules'}, {mode}"
