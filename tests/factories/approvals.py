"""Small approvals for tests: levels with any rule, the request that waits at them, and who sits there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import Delegation, User
from apps.approvals.models import Approval, Seat
from apps.core import clock
from apps.outbox.models import Event, Incident
from apps.requests.models import CatalogItem, Request
from apps.requests.selectors import history_of
from apps.requests.services.decisions import record_decision
from tests.factories import FORM, Json, approval_document, make_item, make_person, make_request, make_workflow

PEOPLE_FORM: Json = {"fields": [*FORM["fields"], {"name": "owner", "type": "person"}], "amount_field": "amount"}
ANY: Json = {"kind": "any"}
ALL: Json = {"kind": "all"}


def make_people(*names: str, **fields: Any) -> list[User]:
    return [make_person(name, **fields) for name in names]


def person(user: User) -> Json:
    """The rule that names this person."""
    return {"person": user.username}


def level(key: str, *asked: User | Mapping[str, Any], rule: Json = ANY, **more: Any) -> Json:
    """A level that asks these people or rules; `rule` is how they vote."""
    rules = [person(one) if isinstance(one, User) else dict(one) for one in asked]
    return {"id": key, "name": key.capitalize(), **({"approvers": rules} if rules else {}), "rule": rule, **more}


def quorum(n: int) -> Json:
    return {"kind": "quorum", "n": n}


def per_group(**groups: Iterable[User | Mapping[str, Any]]) -> Json:
    """One of each group."""
    asked = {key: [person(one) if isinstance(one, User) else dict(one) for one in who] for key, who in groups.items()}
    return {"kind": "per_group", "groups": [{"id": key, "approvers": rules, "n": 1} for key, rules in asked.items()]}


def make_approval_item(*levels: Json, key: str = "asked", form: Json = PEOPLE_FORM, **policy: Any) -> CatalogItem:
    """An item whose requests wait at these levels; `policy` holds its other keys (`returns` stands for `return`)."""
    document = approval_document(key, levels=levels)
    inline = document["steps"][1]["policy"]
    inline.update({"return": policy.pop("returns")} if "returns" in policy else {})
    inline.update(policy)
    if inline.get("return") == "never":
        document["steps"] = [step for step in document["steps"] if step["id"] != "mend"]
        document["transitions"] = [one for one in document["transitions"] if "mend" not in (one["from"], one["to"])]
    if any(one.get("deadline", {}).get("then") == "expire" for one in levels):
        document["transitions"].append({"from": "approve", "to": "no", "outcome": "expired"})
    return make_item(key, workflow=make_workflow(document), form=form, sla_key="standard")


def ask(requester: User, *levels: Json, data: Json | None = None, **policy: Any) -> Request:
    """A submitted request that waits at the first of these levels."""
    wish = {"data": {"reason": "I need it", **(data or {})}}
    return make_request(make_approval_item(*levels, **policy), requester, **wish)


def approval_of(request: Request) -> Approval:
    """The newest round."""
    return Approval.objects.select_related("visit", "stream").filter(stream_id=request.pk).latest("id")


def status_of(request: Request) -> tuple[str, int]:
    """The newest round's status and level."""
    return approval_of(request).status, approval_of(request).level


def seats_of(request: Request) -> list[Seat]:
    """The seats of the open level that were not given up, by id."""
    approval = approval_of(request)
    found = Seat.objects.filter(level__approval=approval, level__index=approval.level, left_at=None)
    return list(found.select_related("user", "principal", "decision", "level__approval").order_by("id"))


def sitting(request: Request) -> list[str]:
    """Who sits at the open level, sorted: "ben", or "ben for anna"."""
    return sorted(
        seat.user.username + (f" for {seat.principal.username}" if seat.principal else "") for seat in seats_of(request)
    )


def seat_of(request: Request, user: User) -> Seat:
    return next(seat for seat in seats_of(request) if seat.user_id == user.pk)


def decide(request: Request, user: User, verdict: str = "approve", **more: Any) -> Approval:
    """The person answers the newest round, as they are now."""
    given = {"comment": "because", **more}
    return record_decision(approval_of(request), verdict=verdict, actor=User.objects.get(pk=user.pk), **given)


def delegate(
    principal: User, deputy: User, *, starts: datetime | None = None, days: int = 7, **more: Any
) -> Delegation:
    """The deputy answers for the principal, from an hour ago unless told otherwise."""
    begin = starts or clock.now() - timedelta(hours=1)
    until = begin + timedelta(days=days)
    return Delegation.objects.create(
        principal=principal, deputy=deputy, starts_at=begin, ends_at=until, created_at=begin, **more
    )


def leave(*people: User) -> None:
    """They are deactivated."""
    User.objects.filter(pk__in=[one.pk for one in people]).update(is_active=False)


def come_back(*people: User) -> None:
    User.objects.filter(pk__in=[one.pk for one in people]).update(is_active=True)


def lose_role(user: User, role: str) -> None:
    user.groups.remove(user.groups.get(name=role))


def open_incidents(request: Request) -> list[str]:
    """The kinds of the request's open incidents, by id."""
    found = Incident.objects.filter(stream_id=request.pk, status=Incident.Status.OPEN)
    return list(found.order_by("id").values_list("kind", flat=True))


def told(request: Request, kind: str) -> list[Json]:
    """The data of the request's events of this kind, in order."""
    return list(Event.objects.filter(stream_id=request.pk, type=kind).order_by("seq").values_list("data", flat=True))


def sentences(request: Request, reader: User, *kinds: str) -> list[str]:
    """The lines of the history of these kinds: who did what, and what they wrote."""
    lines = [line for line in history_of(request, reader=reader) if not kinds or line.type in kinds]
    return [f"{line.who} {line.what}" + (f" ({line.note})" if line.note else "") for line in lines]
