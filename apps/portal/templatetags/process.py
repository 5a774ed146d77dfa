"""Words and numbers of the page Process."""

from __future__ import annotations

from django import template

from apps.accounts.models import User
from apps.requests.policies import sees_everything
from apps.requests.process import duration

register = template.Library()
register.filter("duration", duration)


@register.filter
def may_see_process(user: User) -> bool:
    """Whether the menu names the page."""
    return sees_everything(user)


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
