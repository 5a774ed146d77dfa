"""The end of an import: its cases become requests like any other."""

from __future__ import annotations

from django.db import transaction

from apps.core import clock
from apps.outbox.publish import end_quiet
from apps.requests.enums import IMPORT, RequestEvent
from apps.requests.models import Request
from apps.requests.services.writing import begin_write

HANDED_OVER = "imported"
TOGETHER = 200


def hand_over(source: str) -> int:
    """Hands every case of the source over to live operation; returns how many.

    From then on timers, SLA clocks and archiving act on them, and people are told what happens to them; what the
    history told stays untold. Such a case takes no further lines of the log.
    """
    done = 0
    while batch := _next(source):
        done += _hand_over_together(batch)
    return done


def _next(source: str) -> list[int]:
    waiting = Request.objects.filter(origin=IMPORT, imported_case__source=source)
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:TOGETHER])


@transaction.atomic
def _hand_over_together(ids: list[int]) -> int:
    return sum(_hand_over(pk) for pk in ids)


def _hand_over(pk: int) -> bool:
    write = begin_write(pk, actor=None, at=clock.now())
    if write.request.origin != IMPORT:
        return False
    write.request.origin = HANDED_OVER
    end_quiet(write.request.stream)
    write.tell_by_itself(RequestEvent.HANDED_OVER)
    write.finish()
    return True
