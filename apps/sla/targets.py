"""SLA policy documents: what they may say, and the targets they set for a priority. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from apps.core.errors import InvalidInput

PRIORITIES = ("critical", "high", "medium", "low")
METRICS = ("response", "resolution")
LATER_METRICS = ("stage", "step", "approval")
UNITS = {"business_seconds": "business", "seconds": "elapsed"}
LONGEST = 10 * 366 * 86_400
MOST_TARGETS = 50
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")

Problems = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A time to keep: `seconds` of `unit` ("business" or "elapsed"), with warnings at percentages of it, ascending.

    `calendar` is the key of its calendar ("" if none is needed); `pauses` says whether a hold pauses it.
    """

    id: str
    metric: str
    seconds: int
    unit: str
    calendar: str = ""
    warn_at: tuple[int, ...] = ()
    pauses: bool = True


def targets_for(document: Mapping[str, object], priority: str) -> tuple[Target, ...]:
    """The targets of a policy for a priority, in the document's order.

    Raises `InvalidInput` for an unknown priority, and for a document in which `check_policy` finds a problem.
    """
    problems = check_policy(document)
    if priority not in PRIORITIES:
        problems = {"priority": [f"“{priority[:40]}” is none of {', '.join(PRIORITIES)}."]}
    if problems:
        raise InvalidInput(problems)
    pauses = bool(document.get("pause_on_hold", True))
    targets = document["targets"]
    assert isinstance(targets, list | tuple)
    return tuple(_target(item, priority, pauses=pauses) for item in targets)


def check_policy(document: object) -> Problems:
    """What is wrong with an SLA policy document, by field ("targets.0.durations.low"); empty if nothing is.

    Every target has a unique `id`, a `metric`, `durations` for each of the four priorities, either
    `{"business_seconds": n}` (then also a `calendar`) or `{"seconds": n}`; `warn_at` are percentages from 1 to 99.
    """
    return _Check().policy(document)


def _target(item: Mapping[str, object], priority: str, *, pauses: bool) -> Target:
    durations, warn_at = item["durations"], item.get("warn_at", ())
    assert isinstance(durations, Mapping)
    assert isinstance(warn_at, list | tuple)
    ((key, seconds),) = durations[priority].items()
    return Target(
        id=str(item["id"]),
        metric=str(item["metric"]),
        seconds=seconds,
        unit=UNITS[key],
        calendar=str(item.get("calendar", "")),
        warn_at=tuple(sorted(warn_at)),
        pauses=pauses,
    )


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


class _Check:
    """Collects the problems of one document."""

    def __init__(self) -> None:
        self.problems: Problems = {}
        self.ids: set[str] = set()

    def policy(self, document: object) -> Problems:
        if not isinstance(document, Mapping):
            return {"policy": ["An SLA policy is an object with targets."]}
        self._keys("", document, {"targets", "pause_on_hold"})
        if not isinstance(document.get("pause_on_hold", True), bool):
            self._problem("pause_on_hold", "Must be true or false.")
        targets = document.get("targets")
        if not isinstance(targets, list | tuple) or not 1 <= len(targets) <= MOST_TARGETS:
            self._problem("targets", f"Must be a list of 1 to {MOST_TARGETS} targets.")
            return self.problems
        for number, target in enumerate(targets):
            self._target(f"targets.{number}", target)
        return self.problems

    def _problem(self, place: str, message: str) -> None:
        self.problems.setdefault(place, []).append(message)

    def _keys(self, place: str, value: Mapping[object, object], known: set[str]) -> None:
        for key in value.keys() - known:
            self._problem(f"{place}.{str(key)[:40]}".lstrip("."), "Unknown key.")

    def _target(self, place: str, target: object) -> None:
        if not isinstance(target, Mapping):
            self._problem(place, "A target is an object.")
            return
        self._keys(place, target, {"id", "metric", "calendar", "durations", "warn_at"})
        self._id(f"{place}.id", target.get("id"))
        self._metric(f"{place}.metric", target.get("metric"))
        self._warnings(f"{place}.warn_at", target.get("warn_at", []))
        units = self._durations(f"{place}.durations", target.get("durations"))
        calendar = target.get("calendar")
        if "calendar" in target and not (isinstance(calendar, str) and ID.fullmatch(calendar)):
            self._problem(f"{place}.calendar", "Must be the key of a calendar.")
        elif "business" in units and not calendar:
            self._problem(f"{place}.calendar", "Business time needs a calendar.")

    def _id(self, place: str, value: object) -> None:
        if not isinstance(value, str) or not ID.fullmatch(value):
            self._problem(place, "Must be a short name of lower-case letters, digits, “-” and “_”.")
        elif value in self.ids:
            self._problem(place, f"“{value}” is there twice.")
        else:
            self.ids.add(value)

    def _metric(self, place: str, value: object) -> None:
        if value in LATER_METRICS:
            self._problem(place, f"“{value}” is not available yet.")
        elif value not in METRICS:
            self._problem(place, f"Must be one of {', '.join(METRICS)}.")

    def _warnings(self, place: str, value: object) -> None:
        if not isinstance(value, list | tuple) or not all(_is_whole(percent, 1, 99) for percent in value):
            self._problem(place, "Must be a list of whole percentages from 1 to 99.")
        elif len(set(value)) < len(value):
            self._problem(place, "A percentage is there twice.")

    def _durations(self, place: str, value: object) -> set[str]:
        if not isinstance(value, Mapping):
            self._problem(place, "Must name a duration for each priority.")
            return set()
        self._keys(place, value, set(PRIORITIES))
        return {self._duration(f"{place}.{priority}", value.get(priority)) for priority in PRIORITIES}

    def _duration(self, place: str, value: object) -> str:
        """The unit of a duration; empty where it has none."""
        if value is None:
            self._problem(place, "This priority has no duration.")
        elif not isinstance(value, Mapping) or len(value) != 1 or not value.keys() <= UNITS.keys():
            self._problem(place, 'Must be {"business_seconds": n} or {"seconds": n}.')
        else:
            ((key, seconds),) = value.items()
            if not _is_whole(seconds, 1, LONGEST):
                self._problem(place, f"Must be a whole number of seconds from 1 to {LONGEST}.")
            return UNITS[key]
        return ""
