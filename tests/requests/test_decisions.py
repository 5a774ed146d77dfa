from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.approvals.models import Approval, ApprovalLevel, Decision, Seat
from apps.core.errors import AlreadyDecided, DomainError, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import Request
from apps.requests.selectors import history_of, tasks_of
from apps.requests.services.decisions import record_decision
from apps.requests.services.work import complete_task
from tests.factories import (
    FINANCE_LEVEL,
    MANAGER_LEVEL,
    approval_document,
    make_item,
    make_person,
    make_request,
    make_workflow,
    refusal,
)
from tests.races import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def approval_of(request: Request) -> Approval:
    return Approval.objects.filter(stream_id=request.pk).latest("id")


def statements(act: Callable[[], object]) -> list[str]:
    """The SQL statements of an act, without those that only begin and end transactions."""
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        act()
    control = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "ROLLBACK")
    return [query["sql"] for query in captured if not query["sql"].upper().startswith(control)]


@pytest.fixture
def two_levels(world):
    for name in ("fritz", "fiona"):
        make_person(name, roles=["finance"])
    return make_item(
        "dear",
        workflow=make_workflow(approval_document("dear", levels=[MANAGER_LEVEL, FINANCE_LEVEL])),
        sla_key="standard",
    )


def finance(name: str):
    return Seat.objects.get(user__username=name).user


def test_a_decision_that_leads_to_a_task_takes_at_most_14_statements(world):
    for _ in range(2):  # the first one warms the caches of versions
        request = make_request(world.item, world.requester)
        approval = approval_of(request)
        taken = statements(lambda a=approval: record_decision(a, verdict="approve", comment="ok", actor=world.manager))
    assert len(taken) == 14, "\n".join(taken)


def test_a_decision_that_opens_the_next_level_takes_at_most_16_statements(world, two_levels):
    for _ in range(2):
        request = make_request(two_levels, world.requester)
        approval = approval_of(request)
        taken = statements(lambda a=approval: record_decision(a, verdict="approve", comment="ok", actor=world.manager))
    assert len(taken) == 13, "\n".join(taken)


def test_levels_are_asked_in_order_and_all_means_everybody(world, two_levels):
    request = make_request(two_levels, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    record_decision(approval_of(request), verdict="approve", actor=finance("fritz"))
    assert approval_of(request).status == "pending"
    record_decision(approval_of(request), verdict="approve", actor=finance("fiona"))
    assert approval_of(request).status == "approved"
    assert [task.name for task in tasks_of(request)] == ["Work"]


def test_one_rejection_ends_the_round_and_the_request(world, two_levels):
    request = make_request(two_levels, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    record_decision(approval_of(request), verdict="reject", comment="too dear", actor=finance("fiona"))
    assert approval_of(request).status == "rejected"
    assert Request.objects.get(pk=request.pk).status == "rejected"
    with refusal(AlreadyDecided):
        record_decision(approval_of(request), verdict="approve", actor=finance("fritz"))


def test_a_returned_request_comes_back_in_a_new_round_from_the_first_level(world, two_levels):
    request = make_request(two_levels, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    record_decision(approval_of(request), verdict="return", comment="which model?", actor=finance("fritz"))
    complete_task(tasks_of(request).get(), comment="the blue one", actor=world.requester)
    rounds = list(Approval.objects.filter(stream_id=request.pk).order_by("id").values_list("status", "level"))
    assert rounds == [("returned", 1), ("pending", 0)]


def test_a_stranger_cannot_decide_and_nothing_moves(world):
    request = make_request(world.item, world.requester)
    for person in (world.stranger, world.requester, world.administrator):
        with refusal(NotPermitted):
            record_decision(approval_of(request), verdict="approve", actor=person)
    assert (approval_of(request).status, Decision.objects.count()) == ("pending", 0)


def test_somebody_of_an_earlier_level_comes_too_late(world, two_levels):
    request = make_request(two_levels, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    with refusal(AlreadyDecided):
        record_decision(approval_of(request), verdict="reject", comment="after all", actor=world.manager)


def test_an_answer_meant_for_one_seat_never_decides_the_next_level(world, two_levels):
    world.manager.groups.add(Group.objects.get(name="finance"))
    request = make_request(two_levels, world.requester)
    first = Seat.objects.get()
    record_decision(approval_of(request), verdict="approve", seat=first.pk, actor=world.manager)
    assert Seat.objects.filter(user=world.manager, decision=None).count() == 1
    with refusal(AlreadyDecided):
        record_decision(approval_of(request), verdict="approve", seat=first.pk, actor=world.manager)
    assert Decision.objects.get().seat == first


def test_a_second_decision_on_the_same_seat_is_refused(world, two_levels):
    request = make_request(two_levels, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    record_decision(approval_of(request), verdict="approve", actor=finance("fritz"))
    with refusal(AlreadyDecided):
        record_decision(approval_of(request), verdict="reject", comment="after all", actor=finance("fritz"))


@pytest.mark.parametrize(
    ("verdict", "comment", "error", "field"),
    [
        ("agree", "", InvalidInput, "decision"),
        (None, "", InvalidInput, "decision"),
        ("reject", " ", InvalidInput, "comment"),
        ("approve", 7, InvalidInput, "comment"),
        ("approve", "x" * 10_001, InvalidInput, "comment"),
        ("approve", "a\x07b", InvalidInput, "comment"),
    ],
)
def test_a_decision_that_does_not_fit_is_refused_by_field(world, verdict, comment, error, field):
    request = make_request(world.item, world.requester)
    with refusal(error) as refused:
        record_decision(approval_of(request), verdict=verdict, comment=comment, actor=world.manager)
    assert list(refused.value.errors) == [field]


def test_an_abstention_is_refused_where_the_level_does_not_take_it(world):
    request = make_request(world.item, world.requester)
    with refusal(TransitionNotAllowed):
        record_decision(approval_of(request), verdict="abstain", actor=world.manager)


def test_a_level_that_does_not_apply_is_skipped_and_says_so(world):
    finance_level = {**FINANCE_LEVEL, "when": "has(request.data.amount) && request.data.amount > 1000.0"}
    make_person("fiona", roles=["finance"])
    item = make_item("cheap", workflow=make_workflow(approval_document("cheap", levels=[MANAGER_LEVEL, finance_level])))
    request = make_request(item, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    assert approval_of(request).status == "approved"
    assert [
        line.what for line in history_of(request, reader=world.manager) if line.type == "approval.level_skipped"
    ] == ["skipped level 2 “Finance”: amount is not above 1000"]


def test_a_level_whose_guard_fails_is_asked_and_an_operator_is_told(world):
    finance_level = {**FINANCE_LEVEL, "when": "request.data.amount > 1000.0"}
    make_person("fiona", roles=["finance"])
    item = make_item("odd", workflow=make_workflow(approval_document("odd", levels=[MANAGER_LEVEL, finance_level])))
    request = make_request(item, world.requester)  # without an amount
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    assert (approval_of(request).status, approval_of(request).level) == ("pending", 1)
    assert Incident.objects.get(stream_id=request.pk).kind == "guard"


def test_a_decision_that_opens_another_approval_takes_at_most_16_statements(world):
    document = approval_document("twice")
    second = {**document["steps"][1], "id": "again", "name": "Again"}
    document["steps"].append(second)
    document["transitions"][1]["to"] = "again"
    document["transitions"] += [
        {"from": "again", "to": "work", "outcome": "approved"},
        {"from": "again", "to": "no", "outcome": "rejected"},
        {"from": "again", "to": "mend", "outcome": "returned"},
    ]
    item = make_item("twice", workflow=make_workflow(document), sla_key="standard")
    for _ in range(2):
        approval = approval_of(make_request(item, world.requester))
        taken = statements(lambda a=approval: record_decision(a, verdict="approve", comment="ok", actor=world.manager))
    assert len(taken) == 16, "\n".join(taken)


def test_a_level_that_names_nobody_asks_the_fallback(world):
    request = make_request(world.item, world.manager)  # the manager has no manager
    assert [seat.user for seat in Seat.objects.filter(level__approval__stream_id=request.pk)] == [world.administrator]
    assert Incident.objects.count() == 0


def test_a_level_whose_fallback_names_nobody_either_calls_an_operator(world):
    world.administrator.is_active = False
    world.administrator.save()
    request = make_request(world.item, world.manager)
    incident = Incident.objects.get()
    assert (incident.stream_id, incident.kind) == (request.pk, "approval_without_approver")
    assert Event.objects.filter(stream_id=request.pk, type="incident.opened").count() == 1


def test_a_seat_has_one_decision_whatever_a_program_tries(world):
    request = make_request(world.item, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    level = ApprovalLevel.objects.get()
    assert (level.seats.count(), Decision.objects.count()) == (1, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_instant_get_one_outcome_between_them(world, two_levels):
    request = make_request(two_levels, world.requester)
    record_decision(approval_of(request), verdict="approve", actor=world.manager)
    approval, outcomes = approval_of(request), []

    def decide(name: str, verdict: str) -> None:
        try:
            with transaction.atomic():
                record_decision(approval, verdict=verdict, comment="mine", actor=finance(name))
            outcomes.append(verdict)
        except DomainError as error:
            outcomes.append(error.code)

    assert at_once(lambda: decide("fritz", "reject"), lambda: decide("fiona", "return")) == []
    assert sorted(outcomes) in (["already_decided", "reject"], ["already_decided", "return"])
    assert Decision.objects.filter(seat__level__approval=approval).count() == 2
    assert approval_of(request).pk == approval.pk
    assert Event.objects.filter(stream_id=request.pk, type="approval.ended").count() == 1
