"""Words and numbers of the pages Process and Reports."""

from __future__ import annotations

from django import template

from apps.accounts.models import User
from apps.portal.lines import METRICS
from apps.requests.enums import Priority
from apps.requests.policies import sees_everything, sees_reports
from apps.requests.process import duration
from apps.requests.reports import DueClock

register = template.Library()
register.filter("duration", duration)


@register.filter
def may_see_process(user: User) -> bool:
    """Whether the menu names the page."""
    return sees_everything(user)


@register.filter
def may_see_reports(user: User) -> bool:
    """Whether the menu names the page Reports."""
    return sees_reports(user)


@register.filter
def target_name(one: DueClock) -> str:
    """What a clock measures, as people say it."""
    named = one.target.key.partition("/")[2] != one.target.name
    return one.target.name if named else METRICS.get(one.metric, one.target.name)


@register.filter
def priority_name(one: DueClock) -> str:
    return str(Priority(one.priority).label)


@register.filter
def thousands(number: int) -> str:
    """`12,345`"""
    return f"{number:,}"


@register.filter
def percent(part: float) -> str:
    """`42 %`, `0.4 %` where it is less than one, `under 0.1 %` where it is hardly anything."""
    if 0 < part < 0.001:
        return "under 0.1 %"
    return f"{part * 100:.1f} %" if 0 < part < 0.0095 else f"{part * 100:.0f} %"
