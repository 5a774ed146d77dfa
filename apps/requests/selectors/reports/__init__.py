"""The figures of reports: who may read them, and SQL that counts them."""

from apps.requests.selectors.reports.bottlenecks import bottlenecks
from apps.requests.selectors.reports.compliance import BY, compliance
from apps.requests.selectors.reports.due import HOURS, MOST_HOURS, due_soon
from apps.requests.selectors.reports.groups import GROUPS
from apps.requests.selectors.reports.throughput import PERIODS, throughput

__all__ = ["BY", "GROUPS", "HOURS", "MOST_HOURS", "PERIODS", "bottlenecks", "compliance", "due_soon", "throughput"]
