"""What an SLA policy names must exist; what it measures should be in a workflow of the items that select it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q

from apps.accounts.models import Team, User
from apps.calendars.models import CalendarVersion
from apps.requests.models import CatalogItem, SelectionRule
from apps.requests.services.gate_forms import Forms
from apps.requests.services.gate_guards import Surroundings
from apps.requests.services.gate_references import SAID
from apps.requests.services.target_conditions import named_in_conditions
from apps.sla.raising_check import raising_warnings
from apps.sla.stuck_check import pause_warnings
from apps.workflows.selectors import published_definitions

Document = Mapping[str, Any]
Problems = dict[str, list[str]]
Named = tuple[str, str, str]  # where in the document, what sort of thing, its name
WHOLE = "policy"  # the place of what is said of all of it


def unknown_references(document: Document) -> Problems:
    """By place what a policy that `check_policy` accepts names and is not there; a statement for each sort of thing."""
    named = list(_named(document))
    wanted: dict[str, set[str]] = {}
    for _, sort, name in named:
        wanted.setdefault(sort, set()).add(name)
    known = {sort: KNOWN[sort](names) for sort, names in wanted.items()}
    return {place: [SAID[sort].format(name)] for place, sort, name in named if name not in known[sort]}


def _of(rows: Any, field: str, names: Collection[str]) -> set[str]:
    return set(rows.filter(**{f"{field}__in": names}).values_list(field, flat=True))


KNOWN: Mapping[str, Callable[[Collection[str]], Collection[str]]] = {
    "person": lambda names: _of(User.objects.filter(is_active=True), "username", names),
    "team": lambda names: _of(Team.objects, "key", names),
    "role": lambda names: _of(Group.objects.filter(team__isnull=True), "name", names),
    "calendar": lambda names: _of(CalendarVersion.objects, "key", names),
}


def _named(document: Document) -> Iterator[Named]:
    for number, target in enumerate(document["targets"]):
        place = f"targets.{number}"
        calendar = target.get("calendar", "")
        key, at = (calendar.get("else", ""), ".else") if isinstance(calendar, Mapping) else (calendar, "")
        if key:
            yield f"{place}.calendar{at}", "calendar", key
        if "team" in target:
            yield f"{place}.team", "team", target["team"]
        for index, escalation in enumerate(target.get("escalations", ())):
            yield from _in_rules(f"{place}.escalations.{index}.to", escalation.get("to", ()))


def _in_rules(place: str, rules: Iterable[Document]) -> Iterator[Named]:
    for index, rule in enumerate(rules):
        ((kind, name),) = rule.items()
        if kind in ("person", "team", "role"):
            yield f"{place}.{index}", kind, name


# ------------------------------------------------------------------------------------ warnings


def warnings_of(key: str, document: Document) -> Problems:
    """By place what an author should know of a policy that may be published: who selects it, what it cannot measure,
    what it says in vain.
    """
    items = items_that_select(key)
    if not items:
        unused = {WHOLE: ["No active item selects this policy: it measures nothing yet."]}
        return {**unused, **pause_warnings(document), **raising_warnings(document)}
    return {**_unmeasurable(document, items), **pause_warnings(document), **raising_warnings(document)}


def _unmeasurable(document: Document, items: Collection[str]) -> Problems:
    targets = enumerate(document["targets"])
    measured = [(f"targets.{number}.of", one["metric"], one["of"]) for number, one in targets if "of" in one]
    asked = [(place, f"any {sort}", name) for place, sort, name in named_in_conditions(document) if name]
    if not measured and not asked:
        return {}
    known = _measurable(items)
    problems: Problems = {}
    for place, sort, name in (*measured, *asked):
        if name not in known[sort]:
            what = "this target never starts" if place.endswith(".of") else "no event fits that"
            said = f"No published workflow of {_listed(items)} has the {sort.removeprefix('any ')} {name!r}: {what}."
            problems.setdefault(place, []).append(said)
    return problems


def items_that_select(key: str) -> list[str]:
    """The slugs of the active items whose requests may be measured by the policy."""
    selecting = CatalogItem.objects.filter(Q(sla_key=key) | Q(sla_rules__policy_key=key), active=True)
    return sorted(set(selecting.values_list("slug", flat=True)))


def _measurable(items: Collection[str]) -> dict[str, set[str]]:
    """The ids of stages, steps and approvals of the published workflows of these items, child workflows included."""
    rules = SelectionRule.objects.filter(item__slug__in=items).values_list("workflow__key", flat=True)
    around = Surroundings(known=published_definitions(), policies={}, forms=Forms())
    roots = set(rules) & around.known.keys()
    steps = [step for key in around.run_by(*roots) for step in around.known[key].steps]
    stages = {stage.id for key in roots for stage in around.known[key].stages}
    return {
        "stage": stages,
        "step": {step.id for step in steps if step.kind in ("task", "approval", "wait", "subflow")},
        "approval": {step.id for step in steps if step.kind == "approval"},
        "any stage": stages,
        "any step": {step.id for step in steps},
    }


def _listed(items: Collection[str]) -> str:
    return ", ".join(list(items)[:5]) + (" ..." if len(items) > 5 else "")
