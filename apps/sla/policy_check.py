"""What an SLA policy's document may not say. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from apps.sla.escalation_check import ACTIONS, rule_problem, settings_problems
from apps.workflows.engine.guards import check_expression, names_in

PRIORITIES = ("critical", "high", "medium", "low")
METRICS = ("response", "resolution", "stage", "step", "approval")
NAMED_METRICS = ("stage", "step", "approval")
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "business_seconds": "business",
        "seconds": "elapsed",
        "business_days": "business_days",
        "calendar_days": "calendar_days",
    }
)
BY_CALENDAR = ("business", "business_days")
LONGEST = 10 * 366 * 86_400
MOST_DAYS = 3660
MOST_TARGETS, MOST_ESCALATIONS, MOST_CONDITIONS = 50, 20, 20
FOLLOWED = ("requester", "team", "owner")
CHANGES = ("start", "pause", "resume", "stop", "cancel", "reset")
TARGET_KEYS = {
    "id", "name", "metric", "of", "durations", "calendar", "warn_at", "escalations", "on", "team",
}  # fmt: skip
DOES = ("notify", "reassign", "raise_priority", "run_action")
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
EVENT = re.compile(r"[a-z]+\.[a-z_]{1,60}")

Problems = dict[str, list[str]]
Json = Mapping[str, Any]


def check_policy(document: object) -> Problems:
    """What is wrong with an SLA policy document, by field ("targets.0.durations.low"); empty if nothing is.

    Every target has a unique `id`, a `metric` (for a stage, a step or an approval also its id as `of`) and `durations`
    for each of the four priorities, each of one unit; what counts by a calendar names one: a key, or
    `{"of": "requester" | "team" | "owner", "else": key}`. `warn_at` are percentages from 1 to 99. Never raises.
    """
    return _Check().policy(document)


class _Check:
    """Collects the problems of one document."""

    def __init__(self) -> None:
        self.problems: Problems = {}
        self.ids: set[str] = set()

    def policy(self, document: object) -> Problems:
        if not isinstance(document, Mapping):
            return {"policy": ["An SLA policy is an object with targets."]}
        self._keys("", document, {"targets", "pause_on_hold", "retroactive"})
        for flag in ("pause_on_hold", "retroactive"):
            if not isinstance(document.get(flag, True), bool):
                self._problem(flag, "Must be true or false.")
        targets = document.get("targets")
        if not isinstance(targets, list | tuple) or not 1 <= len(targets) <= MOST_TARGETS:
            self._problem("targets", f"Must be a list of 1 to {MOST_TARGETS} targets.")
            return self.problems
        for number, target in enumerate(targets):
            self._target(f"targets.{number}", target)
        return self.problems

    def _problem(self, place: str, message: str) -> None:
        self.problems.setdefault(place, []).append(message)

    def _keys(self, place: str, value: Mapping[Any, Any], known: set[str]) -> None:
        for key in sorted(str(key)[:40] for key in value.keys() - known):
            self._problem(f"{place}.{key}".lstrip("."), "Unknown key.")

    def _target(self, place: str, target: object) -> None:
        if not isinstance(target, Mapping):
            self._problem(place, "A target is an object.")
            return
        self._keys(place, target, TARGET_KEYS)
        self._id(f"{place}.id", target.get("id"), self.ids)
        self._text(f"{place}.name", target.get("name", "a name"), 200)
        self._metric(place, target)
        self._warnings(f"{place}.warn_at", target.get("warn_at", []))
        units = self._durations(f"{place}.durations", target.get("durations"))
        self._calendar(f"{place}.calendar", target.get("calendar", ""), needed=not units.isdisjoint(BY_CALENDAR))
        if "team" in target:
            self._text(f"{place}.team", target["team"], 80)
        self._escalations(f"{place}.escalations", target.get("escalations", []))
        self._conditions(f"{place}.on", target.get("on", {}))

    def _id(self, place: str, value: object, taken: set[str]) -> None:
        if not isinstance(value, str) or not ID.fullmatch(value):
            self._problem(place, "Must be a short name of lower-case letters, digits, “-” and “_”.")
        elif value in taken:
            self._problem(place, f"“{value}” is there twice.")
        else:
            taken.add(value)

    def _text(self, place: str, value: object, longest: int) -> None:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self._problem(place, f"Must be text of 1 to {longest} characters.")

    def _metric(self, place: str, target: Json) -> None:
        metric, of = target.get("metric"), target.get("of")
        if metric not in METRICS:
            self._problem(f"{place}.metric", f"Must be one of {', '.join(METRICS)}.")
        elif metric in NAMED_METRICS and not (isinstance(of, str) and ID.fullmatch(of)):
            self._problem(f"{place}.of", f"Must be the id of the {metric} it measures.")
        elif metric not in NAMED_METRICS and of is not None:
            self._problem(f"{place}.of", f"Has no meaning for the metric {metric}.")

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
            return ""
        if not isinstance(value, Mapping) or len(value) != 1 or not value.keys() <= UNITS.keys():
            self._problem(place, f"Must be one of {', '.join(UNITS)} with its number.")
            return ""
        ((key, n),) = value.items()
        most = MOST_DAYS if key.endswith("days") else LONGEST
        if not _is_whole(n, 1, most):
            self._problem(place, f"Must be a whole number from 1 to {most}.")
        return UNITS[key]

    def _calendar(self, place: str, value: object, *, needed: bool) -> None:
        if isinstance(value, Mapping):
            self._keys(place, value, {"of", "else"})
            if value.get("of") not in FOLLOWED:
                self._problem(f"{place}.of", f"Must be one of {', '.join(FOLLOWED)}.")
            key = value.get("else", "")
            if needed and not key:
                self._problem(f"{place}.else", "Name the calendar for those who have none.")
            elif key and not _is_key(key):
                self._problem(f"{place}.else", "Must be the key of a calendar.")
        elif value != "" and not _is_key(value):
            self._problem(place, "Must be the key of a calendar.")
        elif needed and not value:
            self._problem(place, "Business time needs a calendar.")

    def _escalations(self, place: str, value: object) -> None:
        if not isinstance(value, list | tuple) or len(value) > MOST_ESCALATIONS:
            self._problem(place, f"Must be a list of at most {MOST_ESCALATIONS} escalations.")
            return
        taken: set[str] = set()
        for number, escalation in enumerate(value):
            where = f"{place}.{number}"
            if not isinstance(escalation, Mapping):
                self._problem(where, "An escalation is an object.")
                continue
            self._keys(where, escalation, {"id", "at", "after_breach", "do", "to", "text", "action", "with"})
            self._id(f"{where}.id", escalation.get("id"), taken)
            self._when(where, escalation)
            if escalation.get("do") not in DOES:
                self._problem(f"{where}.do", f"Must be one of {', '.join(DOES)}.")
            else:
                ESCALATION_CHECKS[escalation["do"]](self, where, escalation)

    def _when(self, place: str, escalation: Json) -> None:
        if ("at" in escalation) == ("after_breach" in escalation):
            self._problem(place, "Says either at (per cent) or after_breach (seconds).")
        elif "at" in escalation and not _is_whole(escalation["at"], 1, 1000):
            self._problem(f"{place}.at", "Must be a whole percentage from 1 to 1000.")
        elif "after_breach" in escalation and not _is_whole(escalation["after_breach"], 0, LONGEST):
            self._problem(f"{place}.after_breach", f"Must be a whole number of seconds from 0 to {LONGEST}.")

    def _notify(self, place: str, escalation: Json) -> None:
        self._named(f"{place}.to", escalation, most=20)
        if "text" in escalation:
            self._text(f"{place}.text", escalation["text"], 1000)

    def _reassign(self, place: str, escalation: Json) -> None:
        self._named(f"{place}.to", escalation, most=1)

    def _nothing_more(self, place: str, escalation: Json) -> None:
        if "to" in escalation:
            self._problem(f"{place}.to", "Has no meaning here.")

    def _action(self, place: str, escalation: Json) -> None:
        action = escalation.get("action")
        if action not in ACTIONS:
            self._problem(f"{place}.action", f"Must be one of {', '.join(ACTIONS)}.")
            return
        for key, problem in sorted(settings_problems(action, escalation.get("with")).items()):
            self._problem(f"{place}.with.{key}".rstrip("."), problem)

    def _named(self, place: str, escalation: Json, *, most: int) -> None:
        rules = escalation.get("to")
        if not isinstance(rules, list | tuple) or not 1 <= len(rules) <= most:
            self._problem(place, f"Must be a list of 1 to {most} rules that name people.")
            return
        for number, rule in enumerate(rules):
            if problem := rule_problem(rule, do=escalation["do"]):
                self._problem(f"{place}.{number}", problem)

    def _conditions(self, place: str, value: object) -> None:
        if not isinstance(value, Mapping):
            self._problem(place, "Must name the events that change the clock.")
            return
        self._keys(place, value, set(CHANGES))
        for change in CHANGES:
            conditions = value.get(change, [])
            if not isinstance(conditions, list | tuple) or len(conditions) > MOST_CONDITIONS:
                self._problem(f"{place}.{change}", f"Must be a list of at most {MOST_CONDITIONS} conditions.")
                continue
            for number, condition in enumerate(conditions):
                self._condition(f"{place}.{change}.{number}", condition)
        if isinstance(value.get("start"), list | tuple) and not value["start"]:
            self._problem(f"{place}.start", "Nothing would ever start this clock.")

    def _condition(self, place: str, condition: object) -> None:
        if not isinstance(condition, Mapping):
            self._problem(place, 'Must be an object such as {"event": "task.claimed"}.')
            return
        self._keys(place, condition, {"event", "where"})
        event = condition.get("event")
        if not isinstance(event, str) or not EVENT.fullmatch(event):
            self._problem(f"{place}.event", "Must be the type of an event, such as task.claimed.")
        if "where" in condition and (problem := _expression_problem(condition["where"])):
            self._problem(f"{place}.where", problem)


ESCALATION_CHECKS: Mapping[str, Callable[[_Check, str, Json], None]] = MappingProxyType(
    {
        "notify": _Check._notify,
        "reassign": _Check._reassign,
        "raise_priority": _Check._nothing_more,
        "run_action": _Check._action,
    }
)


def _expression_problem(value: object) -> str | None:
    """What is wrong with a condition's expression, which sees nothing but `event`."""
    problem = check_expression(value, boolean=True)
    if problem:
        return problem
    foreign = sorted({name.path[0] for name in names_in(str(value))} - {"event"})
    return f"Only the event may be read here, not {', '.join(foreign)}." if foreign else None


def _is_key(value: object) -> bool:
    return isinstance(value, str) and bool(ID.fullmatch(value))


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
