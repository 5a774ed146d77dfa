"""What every work item needs of its write: its visit's row, what its expressions see, whom its rules start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from apps.accounts.models import User
from apps.accounts.stand_ins import Scope
from apps.approvals.selectors import Concerned
from apps.requests.facts import form_of, pinned_facts
from apps.requests.models import CatalogItem, Request
from apps.requests.services.writing import Write
from apps.workflows.engine.guards import evaluate, holds
from apps.workflows.models import StepVisit
from apps.workflows.services.running import Passage

Seen = Mapping[str, Any]


def row_of(run: Passage, visit: int) -> StepVisit:
    """The row of a visit; that of an earlier write (another instance of it opens) is read."""
    if visit not in run.visits:
        run.visits[visit] = run.run.visits.get(number=visit)
        run.known.add(visit)
    return run.visits[visit]


def seen_at(write: Write, run: Passage, *, visit: int, instance: int | None) -> dict[str, Any]:
    """What expressions of a work item see: the facts, and which instance it is with its item."""
    seen = {**pinned_facts(write.request), "run": run.facts}
    found = run.marking.visit(visit)
    if instance is None or found is None or found.instances is None:
        return seen
    return {**seen, "item": found.instances[instance].item, "index": instance}


class RequestNames:
    """What approver rules ask of a request. `see` gives what expressions see, when one is first evaluated."""

    def __init__(self, write: Write, see: Callable[[], Seen]) -> None:
        self._write, self._see = write, see

    @cached_property
    def _seen(self) -> Seen:
        return self._see()

    def holds(self, guard: str) -> bool:
        return holds(guard, self._seen, self._write.at)

    def value(self, expression: str) -> Any:
        return evaluate(expression, self._seen, self._write.at)

    def field(self, name: str) -> Any:
        return self._write.request.data.get(name)

    def owner_of(self, item: str) -> User | None:
        own = self._write.request.item
        found = own if own.slug == item else CatalogItem.objects.select_related("owner").filter(slug=item).first()
        return found.owner if found else None


def concerned(write: Write, see: Callable[[], Seen] | None = None) -> Concerned:
    """Whom the rules of a work item start from. `see` gives what its expressions see; by default the facts alone."""
    request = write.request
    return Concerned(
        requester=request.requester,
        requested_for=request.requested_for,
        at=write.at,
        names=RequestNames(write, see or (lambda: {**pinned_facts(request), "run": write.run.facts})),
        scope=scope_of(request),
        edited_by=request.edited_by_id,
        cast=write.cast,
    )


def scope_of(request: Request) -> Scope:
    """What a deputy must be allowed to answer: the item and the amount, where the form names one."""
    form = form_of(request.pins["form"])
    value = request.data.get(form.amount_field) if form.amount_field else None
    if not isinstance(value, Mapping):
        return Scope(item=request.item.slug)
    return Scope(item=request.item.slug, amount=Decimal(value["amount"]), currency=value["currency"])
