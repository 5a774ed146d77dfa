"""Serving the line for an `exclusive` key across requests: each visit is granted in its own request's transaction."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.core import clock
from apps.outbox.models import Delivery
from apps.requests.services.effects import go_on
from apps.requests.services.keys import end_claim, grant_first, line
from apps.requests.services.writing import Write, begin_write
from apps.workflows.enums import VisitStatus
from apps.workflows.models import KeyClaim, StepVisit


def serve_told(delivery: Delivery) -> None:
    """Takes the event that a key was asked for or given back."""
    claim = KeyClaim.objects.filter(pk=delivery.event.data["claim"]).first()
    if claim is not None:
        serve(claim.key)


@transaction.atomic
def serve(key: str) -> bool:
    """Grants the key to the first in line, if nobody holds it. Whether it did."""
    first = line(key).first()
    if first is None or first.granted_at is not None:
        return False
    write = begin_write(first.stream_id, actor=None, at=clock.now())
    served = serve_stream(write)
    if write.events:
        write.finish()
    return served


def serve_stream(write: Write) -> bool:
    """Ends the claims of this request whose visits are gone, and grants its visits what is free. Whether one was."""
    claims = list(KeyClaim.objects.filter(stream=write.request.stream, ended_at=None).order_by("id"))
    for claim in claims:
        if write.passage_of(claim.run_id).marking.visit(claim.visit) is None:
            end_claim(write, claim)
    granted = [grant_first(write, claim.key) for claim in claims if claim.granted_at is None and claim.ended_at is None]
    go_on(write)
    return any(granted)


def to_be_served() -> QuerySet[KeyClaim]:
    """Claims that are not as they should be: of a visit that is gone, or first in line while nobody holds the key."""
    gone = StepVisit.objects.filter(
        run=OuterRef("run"), number=OuterRef("visit"), status__in=(VisitStatus.ENDED, VisitStatus.WITHDRAWN)
    )
    ahead = KeyClaim.objects.filter(key=OuterRef("key"), ended_at=None, id__lt=OuterRef("id"))
    open_ones = KeyClaim.objects.filter(ended_at=None)
    return open_ones.filter(
        Q(run__ended_at__isnull=False) | Exists(gone) | Q(granted_at=None) & ~Exists(ahead)
    ).order_by(F("check_at"))
