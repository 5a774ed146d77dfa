"""A level with too few seats to be approved: it waits for more people, but a veto or a return still ends it."""

from __future__ import annotations

import pytest

from tests.factories.approvals import ask, decide, level, make_people, open_incidents, quorum, status_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (["approve"], "pending"),
        (["approve", "approve"], "pending"),
        (["reject"], "rejected"),
        (["approve", "reject"], "rejected"),
        (["approve", "return"], "returned"),
    ],
)
def test_too_few_yeses_wait_for_an_operator_and_one_no_does_not(world, answers, status):
    board = make_people("bea", "bo", roles=["board"])
    request = ask(world.requester, level("one", {"role": "board"}, rule=quorum(4)))
    assert open_incidents(request) == ["approval_without_approver"]
    for person, verdict in zip(board, answers, strict=False):
        decide(request, person, verdict)
    assert status_of(request) == (status, 0)
