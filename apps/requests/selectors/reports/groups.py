"""What a report can be broken down by, and how the groups are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from apps.accounts.models import Team
from apps.core.errors import InvalidInput
from apps.requests.enums import Priority
from apps.requests.models import CatalogItem
from apps.requests.reports import NO_TEAM, Named

GROUPS = ("item", "team", "priority")
Key = tuple[Any, ...]
Names = Mapping[Any, Named]


def check_groups(by: Sequence[str], allowed: Collection[str]) -> tuple[str, ...]:
    """The groups in the order of `allowed`. Raises InvalidInput for others."""
    if not set(by) <= set(allowed):
        raise InvalidInput({"by": [f"This must be one or more of {', '.join(allowed)}, separated by commas."]})
    return tuple(name for name in allowed if name in by)


class Groups:
    """The groups of a report by their keys: for each name in `by` an id of an item or team, or the value itself.

    One statement each for the names of items and teams, where they are asked for.
    """

    def __init__(self, by: tuple[str, ...], keys: Iterable[Key]) -> None:
        self.by = by
        keys = list(keys)
        self.names: Mapping[str, Names] = {
            name: names_of({key[place] for key in keys})
            for place, name in enumerate(by)
            if (names_of := _NAMES.get(name))
        }

    def of(self, key: Key) -> dict[str, Any]:
        """The group as rows say it."""
        parts = zip(self.by, key, strict=True)
        return {name: self.names[name][part] if name in self.names else part for name, part in parts}

    def order(self, key: Key) -> tuple[Any, ...]:
        """By name, the most urgent priority and the first month first."""
        return tuple(_order(part) for part in self.of(key).values())


def _order(part: Named | str | date) -> tuple[Any, ...]:
    if isinstance(part, Named):
        return part == NO_TEAM, part.name, part.key
    return (Priority.values.index(part),) if isinstance(part, str) else (part,)


def items_by_id(pks: Collection[int]) -> Names:
    """One statement."""
    rows = CatalogItem.objects.filter(pk__in=pks).order_by().values_list("pk", "slug", "name")
    return {pk: Named(key=slug, name=name) for pk, slug, name in rows}


def teams_by_id(pks: Collection[int | None]) -> Names:
    """One statement; None stands for no team."""
    rows = Team.objects.filter(pk__in=[pk for pk in pks if pk is not None]).values_list("pk", "key", "name")
    return {None: NO_TEAM, **{pk: Named(key=key, name=name) for pk, key, name in rows}}


def teams_by_key(keys: Collection[str]) -> Names:
    """One statement, none for none; "" stands for no team, and a team that is gone is called by its key."""
    asked = {key for key in keys if key}
    found = dict(Team.objects.filter(key__in=asked).values_list("key", "name")) if asked else {}
    return {key: Named(key=key, name=found.get(key, key)) for key in keys}


_NAMES = {"item": items_by_id, "team": teams_by_id}
