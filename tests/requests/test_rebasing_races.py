"""A rebase beside other work on the same request, and two workers at one change: PostgreSQL's locks."""

from __future__ import annotations

import pytest
from django.db import transaction

from apps.approvals.models import Approval
from apps.outbox.models import Event
from apps.requests.models import Rebasing, Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.rebasing_work import ask_rebase, confirm_rebase, rebase_to_policy
from apps.requests.services.rebasing_worker import run_rebasings
from tests.factories import make_request
from tests.races import at_once
from tests.requests.flows import fresh
from tests.requests.test_clocks import plain, policy, resolution, stored_equals_replay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def decide(request: Request, world) -> None:
    with transaction.atomic():
        record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)


@pytest.mark.parametrize("retroactive", [False, True])
def test_a_decision_at_the_same_moment_and_the_rebase_both_happen_once(world, retroactive):
    policy("standard", resolution(), {"id": "answer", "metric": "response", "durations": plain(3600)})
    requests = [make_request(world.item, world.requester) for _ in range(4)]
    newest = policy("standard", resolution(durations=plain(7200), warn_at=[50]))
    rebase = Rebase(policy=newest, retroactive=retroactive)
    raised = at_once(
        lambda: apply(rebase, actor=None),
        lambda: [decide(one, world) for one in reversed(requests)],
    )
    assert raised == []
    for request in requests:
        told = list(Event.objects.filter(stream_id=request.pk).order_by("seq").values_list("seq", "type"))
        assert [seq for seq, _ in told] == list(range(1, len(told) + 1))
        assert [kind for _, kind in told if kind in ("sla.rebased", "approval.decided")].count("sla.rebased") == 1
        assert [kind for _, kind in told].count("approval.decided") == 1
        assert fresh(request).revision == len(told)
        assert fresh(request).pins["sla"] == newest.pk
        stored_equals_replay(request)


def test_two_workers_at_once_carry_each_request_over_once(world):
    policy("standard", resolution())
    requests = [make_request(world.item, world.requester) for _ in range(4)]
    policy("standard", resolution(durations=plain(60)))
    row = ask_rebase(rebase_to_policy("standard"), actor=world.administrator)
    confirm_rebase(row, actor=world.administrator)
    assert at_once(run_rebasings, run_rebasings, lambda: apply(rebase_to_policy("standard"), actor=None)) == []
    row = Rebasing.objects.get()
    assert (row.status, row.failed) == ("done", 0)
    assert Event.objects.filter(type="sla.rebased").count() == 4
    for request in requests:
        stored_equals_replay(request)


def test_two_looks_at_once_leave_one_to_go_on(world):
    policy("standard", resolution())
    make_request(world.item, world.requester)
    policy("standard", resolution(durations=plain(60)))
    rebase = rebase_to_policy("standard")
    row = ask_rebase(rebase, actor=world.administrator)
    assert at_once(*[lambda: confirm_rebase(row, actor=world.administrator)] * 3) == []
    assert (run_rebasings(), Event.objects.filter(type="sla.rebased").count()) == (1, 1)
