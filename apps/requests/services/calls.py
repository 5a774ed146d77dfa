"""Actions that reach beyond their request, carried out after the commit; their answers come back as triggers, once.

The relay hands over at least once. A webhook is sent outside any transaction, always under the same id, and its
answer is taken over only while the call is pending: a worker that dies between sending and marking sends it again, and
the run moves once. Another request is made in the transaction that marks the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from apps.core import clock
from apps.core.crypto import SealBroken
from apps.core.errors import DomainError, InvalidInput, Misconfigured
from apps.outbox.models import Delivery
from apps.requests.models import CatalogItem
from apps.requests.services import lifecycle
from apps.requests.services.actions import attempt_failed, call_done, fill_in
from apps.requests.services.effects import go_on
from apps.requests.services.writing import Write, begin_write
from apps.workflows.enums import CallStatus
from apps.workflows.models import ActionCall
from apps.workflows.services.secrets import reveal
from apps.workflows.services.webhook import Permanent, Receipt, Temporary, deliver

Settle = Callable[[Write, ActionCall], None]


def carry_out_due(delivery: Delivery) -> None:
    """Takes the event that an action is due. One that is pending no more (done, withdrawn) is left alone."""
    call = ActionCall.objects.select_related("run").filter(pk=delivery.event.data["call"]).first()
    if call is None or call.status != CallStatus.PENDING or call.attempts >= delivery.event.data["attempt"]:
        return
    _settle(call, OUTSIDE[call.action](call))


@transaction.atomic
def _settle(call: ActionCall, settle: Settle) -> None:
    """Takes the answer over, if the call is still pending under the lock."""
    write = begin_write(call.stream_id, actor=None)
    fresh = ActionCall.objects.get(pk=call.pk)
    if fresh.status == CallStatus.PENDING and fresh.attempts == call.attempts:
        settle(write, fresh)
        go_on(write)
        write.finish()


def _send_webhook(call: ActionCall) -> Settle:
    """Sends it, outside any transaction; what came of it is settled afterwards."""
    try:
        receipt = deliver(
            url=call.settings["url"],
            body=call.settings.get("body", {}),
            secret=_secret(call.settings),
            message_id=message_id_of(call),
            at=clock.now(),
        )
    except Temporary as error:
        return _failing(error.detail, for_good=False, after_s=error.retry_after_s)
    except (Permanent, Misconfigured, SealBroken) as error:
        return _failing(error.detail, for_good=True)
    return lambda write, fresh: _answered(write, fresh, receipt)


def message_id_of(call: ActionCall) -> str:
    """The `webhook-id` a call is sent under: that of the visit's first call with the same address and body.

    So a receiver that drops repeats knows one that an operator lets try again after the attempts were used up; where
    the body has changed meanwhile it is another message.
    """
    of_visit = ActionCall.objects.filter(run_id=call.run_id, visit=call.visit, instance=call.instance, pk__lte=call.pk)
    return f"call_{next(one.pk for one in of_visit.order_by('pk') if _message(one) == _message(call))}"


def _message(call: ActionCall) -> list[Any]:
    return [call.settings.get(part) for part in ("url", "body")]


def _secret(settings: Mapping[str, Any]) -> bytes | None:
    return reveal(settings["secret"]["secret"]) if "secret" in settings else None


def _answered(write: Write, call: ActionCall, receipt: Receipt) -> None:
    """The answer goes into the field the step names, if it fits; one that does not is a failed action."""
    run = write.passage_of(call.run_id)
    into = call.settings.get("into")
    try:
        if into is not None and receipt.data is not None:
            fill_in(write, run, {into: receipt.data}, step=call.step)
    except InvalidInput as refusal:
        reason = f"The answer does not fit: {', '.join(refusal.errors)}"
        attempt_failed(write, run, call, reason=reason, for_good=True)
    else:
        call_done(write, run, call)


def _create_request(call: ActionCall) -> Settle:
    """Another request of the requester, made in the transaction that settles the call: exactly once."""
    return _make


def _make(write: Write, call: ActionCall) -> None:
    run = write.passage_of(call.run_id)
    try:
        with transaction.atomic():  # the only savepoint here: what was refused leaves no trace, the failure does
            _request_of(write, call)
    except DomainError as refusal:
        attempt_failed(write, run, call, reason=refusal.detail, for_good=False)
    else:
        call_done(write, run, call)


def _request_of(write: Write, call: ActionCall) -> None:
    item = CatalogItem.objects.filter(slug=call.settings["item"]).first()
    if item is None:
        raise Misconfigured(f"There is no item {call.settings['item']!r}.")
    wish = lifecycle.Wish(
        title=call.settings.get("title", ""),
        data=call.settings.get("fields", {}),
        requested_for=write.request.requested_for,
    )
    lifecycle.create_request(item, wish, actor=write.request.requester, origin="workflow", at=write.at)


def _failing(reason: str, *, for_good: bool, after_s: int | None = None) -> Settle:
    return lambda write, call: attempt_failed(
        write, write.passage_of(call.run_id), call, reason=reason, for_good=for_good, after_s=after_s
    )


OUTSIDE: Mapping[str, Callable[[ActionCall], Settle]] = {
    "webhook": _send_webhook,
    "create_request": _create_request,
}
