"""May this person do that to this request? Facts first; each predicate is tiny, the table below is the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from apps.accounts.enums import Role
from apps.accounts.models import Team, User
from apps.core.errors import NotPermitted
from apps.requests.models import CatalogItem, Request
from apps.workflows.models import Task

NO_REPORTS = "Only administrators, auditors and those who lead a team see reports."
Predicate = Callable[[User, Request], bool]


class Act(StrEnum):
    """What may be done; the value completes "You may not ... this request."."""

    EDIT = "edit"
    SUBMIT = "submit"
    CANCEL = "cancel"
    REOPEN = "reopen"
    HOLD = "hold"
    RESUME = "resume"
    COMMENT = "comment on"
    COMMENT_INTERNALLY = "write internal notes on"
    READ_INTERNALLY = "read internal notes of"
    SIGNAL = "send messages to"
    REPAIR = "repair"
    PRIORITISE = "change the priority of"
    CHANGE_APPROVERS = "change who is asked about"
    WITHDRAW_APPROVAL = "take back an approval of"
    OVERRIDE = "override an approval of"


def sees_everything(user: User) -> bool:
    """Administrators and auditors."""
    return user.is_superuser or not user.role_names.isdisjoint({Role.ADMINISTRATOR, Role.AUDITOR})


def sees_reports(user: User) -> bool:
    """Administrators, auditors and those who lead a team."""
    return user.is_active and (sees_everything(user) or user.leads_a_team)


def reported_teams(user: User) -> frozenset[int] | None:
    """Whose requests this person's reports count: those of the teams they lead, by id; None for all of them, as
    administrators and auditors see them. Raises NotPermitted for everybody else. At most one statement.
    """
    if not user.is_active:
        raise NotPermitted(NO_REPORTS)
    if sees_everything(user):
        return None
    led = frozenset(Team.objects.filter(lead=user).values_list("pk", flat=True))
    if not led:
        raise NotPermitted(NO_REPORTS)
    return led


def is_administrator(user: User, request: Request | None = None) -> bool:
    return user.is_superuser or Role.ADMINISTRATOR in user.role_names


def reads_designs(user: User) -> bool:
    """Who sees workflows as documents: administrators and auditors. To all others there are none."""
    return user.is_active and sees_everything(user)


def designs(user: User) -> bool:
    """Who draws, publishes and retires workflows."""
    return user.is_active and is_administrator(user)


def is_requester(user: User, request: Request) -> bool:
    return user.pk in (request.requester_id, request.requested_for_id)


def works_on(user: User, request: Request) -> bool:
    """The assignee, and everybody of the team that has the request; never the people it is for."""
    if is_requester(user, request):
        return False
    in_team = request.team is not None and request.team.group_id in user.group_ids
    return user.pk == request.assignee_id or in_team


def leads(user: User, request: Request) -> bool:
    return request.team is not None and request.team.lead_id == user.pk


def sees_it_as_more_than_auditor(user: User, request: Request) -> bool:
    """Who sees it may write to it, but an auditor only reads."""
    only_audits = Role.AUDITOR in user.role_names and not is_administrator(user)
    return not only_audits or is_requester(user, request) or works_on(user, request) or leads(user, request)


def auditor_or_administrator(user: User, request: Request) -> bool:
    return sees_everything(user)


ALLOWED: Mapping[Act, tuple[Predicate, ...]] = {
    Act.EDIT: (is_requester,),
    Act.SUBMIT: (is_requester,),
    Act.CANCEL: (is_requester, is_administrator),
    Act.REOPEN: (is_requester, is_administrator),
    Act.HOLD: (leads, is_administrator),
    Act.RESUME: (leads, is_administrator),
    Act.COMMENT: (sees_it_as_more_than_auditor,),
    Act.COMMENT_INTERNALLY: (works_on, leads, is_administrator),
    Act.READ_INTERNALLY: (works_on, leads, auditor_or_administrator),
    Act.SIGNAL: (works_on, leads, is_administrator),
    Act.REPAIR: (is_administrator,),
    Act.PRIORITISE: (works_on, leads, is_administrator),
    Act.CHANGE_APPROVERS: (leads, is_administrator),
    Act.WITHDRAW_APPROVAL: (is_requester,),
    Act.OVERRIDE: (is_administrator,),
}


def may(user: User, act: Act, request: Request) -> bool:
    """Whether the table allows it. Whether it is possible now is another question."""
    return user.is_active and any(allows(user, request) for allows in ALLOWED[act])


def require(user: User, act: Act, request: Request) -> None:
    """Raises NotPermitted unless the table allows it."""
    if not may(user, act, request):
        raise NotPermitted(f"You may not {act} this request.")


def may_request(user: User, item: CatalogItem) -> bool:
    """An item without audience is for everybody; otherwise for its roles and teams."""
    audience = {group.pk for group in item.audience.all()}
    return item.active and (not audience or not audience.isdisjoint(user.group_ids))


def may_take(user: User, task: Task) -> bool:
    """The person a task is for, or anybody of its team or role while nobody has it."""
    if task.assignee_id is not None:
        return task.assignee_id == user.pk
    return task.group_id in user.group_ids


def has_outcome_right(user: User, by: Mapping[str, str] | None) -> bool:
    """Whether an outcome that is kept for somebody (`by`) is open to this person."""
    if not by:
        return True
    if "role" in by:
        return by["role"] in user.role_names
    if "team" in by:
        return user.groups.filter(team__key=by["team"]).exists()
    return by.get("person") == user.username
