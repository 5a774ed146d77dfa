from apps.requests.selectors.catalog import items_for
from apps.requests.selectors.history import History, HistoryLine, events_of, history_of
from apps.requests.selectors.visibility import feed_for, get_request_for, visible_requests
from apps.requests.selectors.work import (
    approval_for,
    approvals_of,
    clocks_of,
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
    "clocks_of",
    "events_of",
    "feed_for",
    "get_request_for",
    "get_task_for",
    "history_of",
    "incidents_of",
    "items_for",
    "tasks_for",
    "tasks_of",
    "visible_requests",
    "waiting_approvals",
]
