"""Who hears of which event: the one table. A test proves that every event type has an entry that resolves."""

from __future__ import annotations

from apps.accounts.enums import PersonEvent
from apps.approvals.enums import ApprovalEvent
from apps.outbox.enums import IncidentEvent
from apps.outbox.subscribers import Subscriber, SubscriberTable
from apps.requests.enums import RequestEvent
from apps.sla.enums import SlaEvent
from apps.workflows.enums import WorkflowEvent

REALTIME = "realtime"
NOTIFICATIONS = "notifications"
EMAIL = "email"
ACTIONS = "actions"
KEYS = "keys"
ESCALATIONS = "escalations"
ABSENCES = "absences"

_PUSHED = (REALTIME,)
_TOLD = (NOTIFICATIONS, REALTIME)
_NOBODY: tuple[str, ...] = ()

SUBSCRIBERS = SubscriberTable(
    subscribers={
        REALTIME: Subscriber(
            name=REALTIME, handler="apps.realtime.groups.push_delivery", transactional=False, essential=False
        ),
        NOTIFICATIONS: Subscriber(
            name=NOTIFICATIONS, handler="apps.notifications.services.notify_of", transactional=True
        ),
        ACTIONS: Subscriber(name=ACTIONS, handler="apps.requests.services.calls.carry_out_due", transactional=False),
        KEYS: Subscriber(name=KEYS, handler="apps.requests.services.line.serve_told", transactional=False),
        ESCALATIONS: Subscriber(
            name=ESCALATIONS, handler="apps.requests.services.escalations.carry_out", transactional=True
        ),
        ABSENCES: Subscriber(name=ABSENCES, handler="apps.requests.sweeps.attend_told", transactional=False),
        EMAIL: Subscriber(name=EMAIL, handler="apps.notifications.channels.email.send", transactional=False),
    },
    by_type={
        RequestEvent.DRAFTED: _PUSHED,
        RequestEvent.EDITED: _PUSHED,
        RequestEvent.VALIDATED: _NOBODY,
        RequestEvent.WORKFLOW_SELECTED: _NOBODY,
        RequestEvent.SUBMITTED: _TOLD,
        RequestEvent.FIRST_RESPONSE: _PUSHED,
        RequestEvent.PRIORITY_CHANGED: _PUSHED,
        RequestEvent.OWNER_CHANGED: _PUSHED,
        RequestEvent.STAGE_ENTERED: _NOBODY,
        RequestEvent.HELD: _TOLD,
        RequestEvent.RESUMED: _PUSHED,
        RequestEvent.COMPLETED: _TOLD,
        RequestEvent.REJECTED: _TOLD,
        RequestEvent.CANCELLED: _TOLD,
        RequestEvent.CANCEL_ASKED: _NOBODY,
        RequestEvent.REOPENED: _TOLD,
        RequestEvent.ARCHIVED: _PUSHED,
        RequestEvent.FIELDS_SET: _PUSHED,
        RequestEvent.COMMENTED: _TOLD,
        RequestEvent.NOTICE: _TOLD,
        RequestEvent.HANDED_OVER: _PUSHED,
        RequestEvent.ASSIGNED: _PUSHED,
        RequestEvent.STEP_SKIPPED: _PUSHED,
        RequestEvent.TOKEN_MOVED: _PUSHED,
        RequestEvent.VISIT_CANCELLED: _PUSHED,
        WorkflowEvent.RUN_STARTED: _NOBODY,
        WorkflowEvent.RUN_ENDED: _NOBODY,
        WorkflowEvent.TASK_OPENED: _TOLD,
        WorkflowEvent.TASK_CLAIMED: _PUSHED,
        WorkflowEvent.TASK_RELEASED: _PUSHED,
        WorkflowEvent.TASK_COMPLETED: _PUSHED,
        WorkflowEvent.TASK_WITHDRAWN: _PUSHED,
        WorkflowEvent.ACTION_DONE: _NOBODY,
        WorkflowEvent.WAIT_OPENED: _PUSHED,
        WorkflowEvent.WAIT_DONE: _PUSHED,
        WorkflowEvent.WAIT_WITHDRAWN: _NOBODY,
        WorkflowEvent.ACTION_DUE: (ACTIONS,),
        WorkflowEvent.ACTION_FAILED: _PUSHED,
        WorkflowEvent.DEADLINE_PASSED: _PUSHED,
        WorkflowEvent.KEY_ASKED: (KEYS, REALTIME),
        WorkflowEvent.KEY_GRANTED: _PUSHED,
        WorkflowEvent.KEY_RELEASED: (KEYS,),
        WorkflowEvent.SUBFLOW_STARTED: _PUSHED,
        WorkflowEvent.SUBFLOW_ENDED: _PUSHED,
        WorkflowEvent.INSTANCE_ADDED: _PUSHED,
        WorkflowEvent.INSTANCES_CLOSED: _PUSHED,
        WorkflowEvent.INSTANCES_FINISHED: _PUSHED,
        WorkflowEvent.CHOICE_TAKEN: _NOBODY,
        WorkflowEvent.MESSAGE_KEPT: _NOBODY,
        WorkflowEvent.MESSAGE_LOST: _NOBODY,
        WorkflowEvent.WAIVER_SIGNED: _NOBODY,
        WorkflowEvent.VERSION_PUBLISHED: _NOBODY,
        WorkflowEvent.VERSION_RETIRED: _NOBODY,
        ApprovalEvent.OPENED: _NOBODY,
        ApprovalEvent.LEVEL_OPENED: _TOLD,
        ApprovalEvent.LEVEL_SKIPPED: _NOBODY,
        ApprovalEvent.ASKED: _TOLD,
        ApprovalEvent.REMINDED: _TOLD,
        ApprovalEvent.TIMED_OUT: _PUSHED,
        ApprovalEvent.DECIDED: _PUSHED,
        ApprovalEvent.VOTE_CLOSED: _PUSHED,
        ApprovalEvent.OVERRIDDEN: _PUSHED,
        ApprovalEvent.ENDED: _PUSHED,
        SlaEvent.STARTED: _NOBODY,
        SlaEvent.PAUSED: _PUSHED,
        SlaEvent.RESUMED: _PUSHED,
        SlaEvent.WARNED: _TOLD,
        SlaEvent.BREACHED: _TOLD,
        SlaEvent.ESCALATED: (ESCALATIONS, REALTIME),
        SlaEvent.REBASED: _PUSHED,
        SlaEvent.MET: _PUSHED,
        SlaEvent.VOIDED: _NOBODY,
        IncidentEvent.OPENED: _TOLD,
        IncidentEvent.RESOLVED: _PUSHED,
        PersonEvent.ROLES_CHANGED: _PUSHED,
        PersonEvent.DELEGATED: (NOTIFICATIONS, ABSENCES),
        PersonEvent.DELEGATION_ENDED: (NOTIFICATIONS, ABSENCES),
    },
)
