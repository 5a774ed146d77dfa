from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from standardwebhooks.webhooks import Webhook

from apps.outbox.models import Delivery, Event, Incident
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from apps.requests.services.calls import carry_out_due
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.operations import move_token, retry_incident
from apps.requests.sweeps import run_sweeps
from apps.workflows.engine.marking import Marking
from apps.workflows.models import ActionCall, Timer
from apps.workflows.services.secrets import set_secret
from tests.core.http_receiver import Act, Receiver, answer, receiving
from tests.factories import Json, line_document
from tests.races import PATIENCE_S, at_once, beside
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def _this_machine_may_be_called(settings) -> None:
    settings.OUTGOING_ALLOWED_ADDRESSES = ["127.0.0.0/8"]


def in_turn(acts: Iterable[Act]) -> Act:
    """Answers with the first, then with the second and so on."""
    left = list(acts)

    def act(handler: BaseHTTPRequestHandler) -> None:
        left.pop(0)(handler)

    return act


def webhook(there: Receiver, *, retry: Json | None = None, **settings) -> Json:
    step = {"id": "call", "kind": "action", "name": "Call", "action": "webhook"}
    step["with"] = {"url": there.url("/in"), "body": {"number": "request.number", "size": "1 + 1"}, **settings}
    return step | ({"retry": retry} if retry else {})


@contextmanager
def called(world, *acts: Act, failed: bool = False, **settings) -> Iterator[tuple[Request, Receiver]]:
    """A request whose webhook is due, and its receiver."""
    with receiving(in_turn(acts)) as there:
        document = line_document("call", webhook(there, **settings))
        if failed:
            document["steps"].append({"id": "no", "kind": "end", "outcome": "rejected"})
            document["transitions"].append({"from": "call", "to": "no", "outcome": "failed"})
        yield submit(world, document), there


def try_again() -> float:
    """The pause is over: the next attempt is made. How long the pause was, in seconds."""
    timer = Timer.objects.get(kind="retry", closed_at=None)
    failed_at = Event.objects.filter(stream_id=timer.stream_id).latest("seq").at
    run_sweeps(timer.due_at)
    run_relay()
    return (timer.due_at - failed_at).total_seconds()


def only_incident() -> Incident:
    return Incident.objects.get(status="open")


def test_the_body_is_sent_after_the_commit_and_the_run_goes_on(world):
    with called(world, answer()) as (request, there):
        assert (there.calls, fresh(request).status) == ([], "submitted")
        assert_agreement(request)
        run_relay()
    (call,) = there.calls
    assert (call.method, call.path) == ("POST", "/in")
    assert json.loads(call.body) == {"number": request.number, "size": 2}
    assert call.headers["webhook-id"] == f"call_{ActionCall.objects.get().pk}"
    assert fresh(request).status == "completed"
    assert_agreement(request)


def test_a_secret_signs_the_call_and_stands_nowhere_else(world):
    set_secret("payments", value=SECRET, actor=None)
    with called(world, answer(), secret={"secret": "payments"}) as (_, there):
        run_relay()
    (call,) = there.calls
    assert Webhook(SECRET).verify(call.body, call.headers) == json.loads(call.body)
    assert ActionCall.objects.get().settings["secret"] == {"secret": "payments"}


def test_a_secret_that_does_not_exist_is_an_incident_and_nothing_is_sent(world):
    with called(world, answer(), secret={"secret": "payments"}) as (request, there):
        run_relay()
        assert (there.calls, only_incident().stream_id) == ([], request.pk)
        set_secret("payments", value=SECRET, actor=None)
        retry_incident(only_incident(), reason="There it is.", actor=world.administrator)
        run_relay()
    assert (len(there.calls), fresh(request).status) == (1, "completed")


def test_the_answer_goes_into_the_field(world):
    with called(world, answer(body=b'{"id": 7}', content_type="application/json"), into="receipt") as (request, _):
        run_relay()
    assert (fresh(request).status, fresh(request).data["receipt"]) == ("completed", {"id": 7})


def test_an_answer_that_does_not_fit_is_an_incident_and_not_sent_again(world):
    with called(world, answer(body=b'"much"'), into="amount") as (request, there):
        run_relay()
        assert only_incident().detail == "Step call: The answer does not fit: amount"
        run_relay()
    assert (len(there.calls), "amount" in fresh(request).data) == (1, False)
    assert_agreement(request)


def test_what_fails_for_now_is_tried_again_after_pauses_that_double_under_the_same_id(world):
    acts = (answer(503), answer(500), answer(429), answer())
    with called(world, *acts, retry={"attempts": 4, "first_delay_s": 10}) as (request, there):
        run_relay()
        pauses = []
        for attempts in (1, 2, 3):
            assert (ActionCall.objects.get().attempts, fresh(request).status) == (attempts, "submitted")
            assert_agreement(request)
            pauses.append(try_again())
    assert [low <= pause <= 2 * low for low, pause in zip((5, 10, 20), pauses, strict=True)] == [True] * 3
    assert len({call.headers["webhook-id"] for call in there.calls}) == 1
    assert (len(there.calls), fresh(request).status, ActionCall.objects.get().status) == (4, "completed", "done")
    assert_agreement(request)


def test_a_receiver_that_asks_for_more_time_gets_it(world):
    with called(world, answer(503, retry_after="900"), answer()) as (request, _):
        run_relay()
        assert 900 <= try_again() < 901
    assert fresh(request).status == "completed"


def test_after_the_last_attempt_it_is_an_incident_and_an_operator_lets_it_try_again(world):
    acts = (answer(503), answer(503), answer())
    with called(world, *acts, retry={"attempts": 2, "first_delay_s": 1}) as (request, there):
        run_relay()
        try_again()
        assert only_incident().detail == "Step call: The receiver answered 503."
        assert (ActionCall.objects.get().status, Timer.objects.filter(closed_at=None).count()) == ("failed", 0)
        assert_agreement(request)
        retry_incident(only_incident(), reason="They are back.", actor=world.administrator)
        run_relay()
    assert (len(there.calls), fresh(request).status) == (3, "completed")
    first = ActionCall.objects.order_by("pk").first()
    assert {call.headers["webhook-id"] for call in there.calls} == {f"call_{first.pk}"}


def test_what_an_operator_lets_try_again_with_another_body_is_another_message(world):
    acts, body = (answer(503), answer(503), answer()), {"reason": "request.data.reason"}
    with called(world, *acts, retry={"attempts": 1}, body=body) as (request, there):
        run_relay()
        Request.objects.filter(pk=request.pk).update(data={"reason": "Mended"})
        for _ in range(2):
            retry_incident(only_incident(), reason="They are back.", actor=world.administrator)
            run_relay()
    first, second, _ = ActionCall.objects.order_by("pk")
    ids = [call.headers["webhook-id"] for call in there.calls]
    assert ids == [f"call_{first.pk}", f"call_{second.pk}", f"call_{second.pk}"]
    assert fresh(request).status == "completed"


def test_what_another_visit_of_the_step_sends_is_another_message(world):
    with receiving(in_turn([answer(404), answer()])) as there:
        request = submit(world, line_document("call", webhook(there)))
        run_relay()
        (token,) = Marking.from_json(fresh(request).run.marking).tokens
        move_token(
            request, run=request.run_id, token=token.id, to="call", reason="Once more", actor=world.administrator
        )
        run_relay()
    ids = [call.headers["webhook-id"] for call in there.calls]
    assert ids == [f"call_{call.pk}" for call in ActionCall.objects.order_by("pk")]
    assert len(ids) == 2


@pytest.mark.parametrize("status", [400, 404, 410])
def test_what_fails_for_good_takes_the_way_for_failures_at_once(world, status):
    with called(world, answer(status), failed=True) as (request, there):
        run_relay()
    assert (len(there.calls), fresh(request).status, Incident.objects.count()) == (1, "rejected", 0)
    assert_agreement(request)


def test_an_address_that_may_not_be_called_is_never_called(world, settings):
    settings.OUTGOING_ALLOWED_ADDRESSES = []
    with called(world, answer()) as (request, there):
        run_relay()
    assert (there.calls, only_incident().stream_id) == ([], request.pk)


def test_what_was_withdrawn_before_it_was_sent_is_not_sent(world):
    with called(world, answer()) as (request, there):
        cancel_request(request, actor=world.requester)
        run_relay()
    assert (there.calls, ActionCall.objects.get().status) == ([], "withdrawn")
    assert_agreement(request)


def test_what_was_withdrawn_during_the_pause_is_not_sent_again(world):
    with called(world, answer(503)) as (request, there):
        run_relay()
        timer = Timer.objects.get(kind="retry")
        cancel_request(request, actor=world.requester)
        run_sweeps(timer.due_at)
        run_relay()
    assert (len(there.calls), Timer.objects.get().fired) == (1, False)
    assert_agreement(request)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_an_answer_that_comes_after_the_withdrawal_moves_nothing(world):
    requests: list[Request] = []

    def cancel_first(handler: BaseHTTPRequestHandler) -> None:
        beside(lambda: cancel_request(requests[0], actor=world.requester)).join(PATIENCE_S)
        answer(body=b"1")(handler)

    with called(world, cancel_first, into="receipt") as (request, there):
        requests.append(request)
        run_relay()
    assert (len(there.calls), fresh(request).status, "receipt" in fresh(request).data) == (1, "cancelled", False)


def test_an_event_delivered_again_after_the_answer_sends_nothing(world):
    with called(world, answer()) as (request, there):
        run_relay()
        delivery = Delivery.objects.get(subscriber="actions")
        carry_out_due(delivery)
    assert len(there.calls) == 1
    assert Event.objects.filter(stream_id=request.pk, type="action.done").count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_may_send_twice_but_the_run_moves_once(world):
    together = threading.Barrier(2)

    def both(handler: BaseHTTPRequestHandler) -> None:
        together.wait(PATIENCE_S)
        answer(body=b"1")(handler)

    with receiving(both) as there:
        request = submit(world, line_document("call", webhook(there, into="receipt")))
        delivery = Delivery(event=Event.objects.get(stream_id=request.pk, type="action.due"))
        assert at_once(*[lambda: carry_out_due(delivery)] * 2) == []
    assert len({call.headers["webhook-id"] for call in there.calls}) == 1
    assert (len(there.calls), fresh(request).status, ActionCall.objects.get().attempts) == (2, "completed", 1)
    assert Event.objects.filter(stream_id=request.pk, type="action.done").count() == 1
    assert_agreement(request)
