"""The figures of reports: who may read them, and SQL that counts them."""

from apps.requests.selectors.reports.bottlenecks import bottlenecks
from apps.requests.selectors.reports.choices import Choices, check_choices, choices_for
from apps.requests.selectors.reports.compliance import BY, compliance, compliance_by_each
from apps.requests.selectors.reports.due import HOURS, MOST_HOURS, due_soon
from apps.requests.selectors.reports.groups import GROUPS
from apps.requests.selectors.reports.throughput import PERIODS, throughput

__all__ = [
    "BY",
    "GROUPS",
    "HOURS",
    "MOST_HOURS",
    "PERIODS",
    "Choices",
    "bottlenecks",
    "check_choices",
    "choices_for",
    "compliance",
    "compliance_by_each",
    "due_soon",
    "throughput",
]
