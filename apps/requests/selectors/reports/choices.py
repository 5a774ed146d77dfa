"""What the filters of reports offer, and that nothing else is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apps.accounts.models import Team, User
from apps.core.errors import InvalidInput
from apps.requests import policies
from apps.requests.models import CatalogItem
from apps.requests.reports import Filters, Named


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The items and teams a reader may ask for, by name."""

    items: tuple[Named, ...]
    teams: tuple[Named, ...]


def choices_for(reader: User) -> Choices:
    """All items, also those nobody can ask for any more, and the reader's teams. Raises NotPermitted.

    At most three statements.
    """
    led = policies.reported_teams(reader)
    teams = Team.objects.all() if led is None else Team.objects.filter(pk__in=led)
    return Choices(
        items=_named(CatalogItem.objects.order_by("name", "slug").values_list("slug", "name")),
        teams=_named(teams.order_by("name", "key").values_list("key", "name")),
    )


def check_choices(reader: User, filters: Filters) -> None:
    """Raises InvalidInput for an item or a team that the reader may not ask for; NotPermitted.

    At most three statements, none if the filters name neither.
    """
    if not (filters.item or filters.team):
        return
    choices, problems = choices_for(reader), {}
    for name, asked, offered in (("item", filters.item, choices.items), ("team", filters.team, choices.teams)):
        if asked and asked not in {one.key for one in offered}:
            problems[name] = [f"There is no such {name} in your reports."]
    if problems:
        raise InvalidInput(problems)


def _named(rows: Iterable[tuple[str, str]]) -> tuple[Named, ...]:
    return tuple(Named(key=key, name=name) for key, name in rows)
