"""The median and the ninth of ten of each group, by the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from apps.requests.process import Spread

Key = tuple[Any, ...]


def spreads(rows: QuerySet[Any], value: str, *, by: Sequence[str]) -> Mapping[Key, Spread]:
    """What `Spread.of` gives for the values of each group: seconds, or durations. `by` are the columns of a group.

    One statement; of each group three rows at most are fetched.
    """
    place = Window(RowNumber(), partition_by=list(by), order_by=value)
    ranked = rows.order_by().annotate(place=place, size=Window(Count("pk"), partition_by=list(by)))
    lower, upper, p90 = (F("size") + 1) / 2, F("size") / 2 + 1, (F("size") * 9 + 9) / 10
    wanted = ranked.filter(Q(place=lower) | Q(place=upper) | Q(place=p90))
    found: dict[Key, dict[int, float]] = defaultdict(dict)
    sizes: dict[Key, int] = {}
    for *key, at, size, measured in wanted.values_list(*by, "place", "size", value):
        found[tuple(key)][at] = measured.total_seconds() if isinstance(measured, timedelta) else measured
        sizes[tuple(key)] = size
    return {key: _spread(found[key], size) for key, size in sizes.items()}


def _spread(values: Mapping[int, float], size: int) -> Spread:
    """From the values at the places that count."""
    middle = (values[(size + 1) // 2] + values[size // 2 + 1]) / 2
    return Spread(count=size, median=middle, p90=values[-(-size * 9 // 10)])
