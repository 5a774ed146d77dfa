"""How many requests came and went.

A request counts in the period (of the reader's time zone) in which it was submitted, and in that in which it ended, by
its outcome; drafts do not count. One that is reopened counts as reopened in that period, and its next ending counts as
well as the first: what was told of a period stays so. Open at the end of a period is what was submitted or reopened
until then and has not ended since. Item, team and priority are those the request has now.

All of that is told by the request's own runs, the first and those that reopening starts: each ends when the request
does, with the same outcome. Child runs are none of these.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any

from django.db.models import Case, CharField, Count, DateField, F, Q, QuerySet, Value, When
from django.db.models.functions import Trunc

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.requests.reports import Filters, Group, Throughput
from apps.requests.reports.flow import BEFORE, REOPENED, SUBMITTED, rows_of, starts_between, totals_of
from apps.requests.selectors.reports.groups import GROUPS, Groups, Key, check_groups
from apps.requests.selectors.reports.scope import reading_zone, requests_for
from apps.workflows.models import WorkflowRun

PERIODS = ("month", "week", "day")
MOST_PERIODS = 1_000
INSTANT = timedelta(microseconds=1)
REQUEST = "stream__request__"
COLUMNS = {"item": f"{REQUEST}item_id", "team": f"{REQUEST}team_id", "priority": f"{REQUEST}priority"}
CAME = Case(When(n=1, then=Value(SUBMITTED)), default=Value(REOPENED), output_field=CharField())
Found = Mapping[Key, Mapping[date, Counter[str]]]


def throughput(reader: User, filters: Filters, *, per: str = "month", by: Sequence[str] = ()) -> Throughput:
    """What came and went in each month, week (from Monday) or day, by any of `GROUPS`. `since` and `until` cut the
    first and the last period. Raises NotPermitted; InvalidInput for other groups, a period that is none,
    and more than 1,000 of them.

    At most five statements.
    """
    if per not in PERIODS:
        raise InvalidInput({"per": [f"This must be one of {', '.join(PERIODS)}."]})
    groups, at, zone = check_groups(by, GROUPS), clock.now(), reading_zone(reader)
    runs = WorkflowRun.objects.filter(requests_for(reader, filters, at=REQUEST), parent=None).order_by()
    found = _counted(runs, filters, per=per, by=groups, zone=zone)
    starts = _starts(found, per=per, zone=zone, since=filters.since, until=min(filters.until or at, at))
    named = Groups(groups, found)
    keys = sorted(found, key=named.order)
    rows = tuple(row for key in keys for row in rows_of(Group(**named.of(key)), found[key], starts))
    return Throughput(filters=filters, per=per, by=groups, at=at, rows=rows, totals=totals_of(rows))


def _counted(runs: QuerySet[WorkflowRun], filters: Filters, *, per: str, by: tuple[str, ...], zone: tzinfo) -> Found:
    """By group and period: how many were submitted, reopened, and ended by each outcome; two statements."""
    found: dict[Key, dict[date, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for instant, kind in (("started_at", CAME), ("ended_at", F("outcome"))):
        counted_at: Any = F(instant)
        if filters.since:
            counted_at = Case(When(**{f"{instant}__gte": filters.since}, then=counted_at))
        period = Trunc(counted_at, per, output_field=DateField(), tzinfo=zone)
        happened = Q(**{f"{instant}__isnull": False})
        if filters.until:
            happened &= Q(**{f"{instant}__lt": filters.until})
        counted = runs.filter(happened).annotate(kind=kind, period=period)
        rows = counted.values_list(*(COLUMNS[name] for name in by), "kind", "period").annotate(Count("pk"))
        for *key, what, start, count in rows:
            found[tuple(key)][start or BEFORE][what] += count
    return found


def _starts(found: Found, *, per: str, zone: tzinfo, since: datetime | None, until: datetime) -> list[date]:
    """The periods from the first in which something happened, or `since` where something was before it, to `until`."""
    known = {start for counts in found.values() for start in counts}
    last = max([(until - INSTANT).astimezone(zone).date(), *known])
    first = min(since.astimezone(zone).date(), last) if since and BEFORE in known else min(known, default=last)
    starts = list(islice(starts_between(first, last, per), MOST_PERIODS + 1))
    if len(starts) > MOST_PERIODS:
        raise InvalidInput({"since": [f"More than {MOST_PERIODS:,} periods would follow: begin later."]})
    return starts
