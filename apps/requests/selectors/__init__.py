from apps.requests.selectors.catalog import items_for
from apps.requests.selectors.history import History, HistoryLine, history_of
from apps.requests.selectors.visibility import (
    feed_for,
    get_request_for,
    readable_clocks,
    readable_events,
    visible_requests,
)
from apps.requests.selectors.work import (
    approval_for,
    approvals_of,
    get_task_for,
    incidents_of,
    tasks_for,
    tasks_of,
    waiting_approvals,
)

__all__ = [
    "History",
    "HistoryLine",
    "approval_for",
    "approvals_of",
    "feed_for",
    "get_request_for",
    "get_task_for",
    "history_of",
    "incidents_of",
    "items_for",
    "readable_clocks",
    "readable_events",
    "tasks_for",
    "tasks_of",
    "visible_requests",
    "waiting_approvals",
]
