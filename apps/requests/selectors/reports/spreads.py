"""The median and the ninth of ten of each group, while the database counts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Aggregate, DurationField, TextField
from django.db.models.sql.compiler import SQLCompiler
from django.utils.functional import cached_property

from apps.requests.stays import Spread

MICROSECONDS = 1_000_000


class SpreadOf(Aggregate):
    """An aggregate that is the `Spread` of a group's values: numbers of seconds, or durations. NULL is no value.

    PostgreSQL finds the two places itself, for a third of what ranking by windows takes; SQLite gathers the values, and
    `Spread.of` finds them.
    """

    name = "SpreadOf"
    output_field = TextField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        value, params = super().as_sql(compiler, connection, template="%(expressions)s", **extra)
        seconds = f"EXTRACT(EPOCH FROM {value})::float8" if self._measures_durations else value
        middle = f"PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY {seconds})"
        p90 = f"PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY {seconds})"
        return f"ARRAY[COUNT({value})::float8, {middle}, {p90}]", (*params, *params, *params)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, template="JSON_GROUP_ARRAY(%(expressions)s)", **extra)

    @cached_property
    def convert_value(self) -> Callable[..., Spread]:
        unit = MICROSECONDS if self._measures_durations else 1
        return lambda value, expression, connection: _spread(value, unit)

    @property
    def _measures_durations(self) -> bool:
        return isinstance(self.get_source_expressions()[0].output_field, DurationField)


def _spread(value: list[float] | str, unit: int) -> Spread:
    """From `[count, median, p90]`, or from the values as a JSON list in fractions of a second."""
    if isinstance(value, str):
        return Spread.of([one / unit for one in json.loads(value) if one is not None])
    count, middle, p90 = value
    return Spread(count=int(count), median=middle, p90=p90)
