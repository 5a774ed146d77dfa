from __future__ import annotations

import pytest

from apps.approvals.models import ApprovalLevel, Seat
from apps.core.errors import NotPermitted
from apps.outbox.models import Incident
from apps.requests.models import CatalogItem, Request
from tests.factories import make_person, make_request, make_team, refusal
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
    make_approval_item,
    open_incidents,
    per_group,
    person,
    quorum,
    seat_of,
    sitting,
    status_of,
    told,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
NOT_ME = ["not_requester"]


@pytest.fixture
def anna(world):
    return make_person("anna")


@pytest.fixture
def ben(world):
    return make_person("ben")


# ------------------------------------------------------------------------------------------ approver rules


def test_a_person_is_asked_by_user_name(world, anna):
    assert sitting(ask(world.requester, level("one", {"person": "anna"}))) == ["anna"]


def test_a_team_is_asked_as_its_members_are(world, anna, ben):
    make_team("law", anna, ben)
    request = ask(world.requester, level("one", {"team": "law"}))
    assert sitting(request) == ["anna", "ben"]
    assert {seat.because["team"] for seat in Seat.objects.all()} == {"law"}


def test_a_role_is_asked_as_its_active_holders_are(world):
    make_person("anna", roles=["law"])
    leave(make_person("ben", roles=["law"]))
    assert sitting(ask(world.requester, level("one", {"role": "law"}))) == ["anna"]


def test_a_team_and_a_role_of_one_name_are_not_mixed_up(world, anna, ben):
    make_team("law", anna)
    make_person("carl", roles=["law"])
    assert sitting(ask(world.requester, level("one", {"role": "law"}))) == ["carl"]


@pytest.mark.parametrize(("up", "name"), [(1, "first"), (2, "second"), (3, "third")])
def test_the_manager_so_many_levels_up_is_asked(world, up, name):
    third = make_person("third")
    second = make_person("second", manager=third)
    asker = make_person("asker", manager=make_person("first", manager=second))
    assert sitting(ask(asker, level("one", {"manager_of": "requester", "up": up}))) == [name]


def test_a_line_that_ends_too_early_asks_the_fallback(world):
    assert sitting(ask(world.requester, level("one", {"manager_of": "requester", "up": 2}))) == ["administrator"]


def test_the_manager_of_whom_it_is_for_is_asked(world, anna):
    other = make_person("other", manager=anna)
    item = make_approval_item(level("one", {"manager_of": "requested_for"}))
    assert sitting(make_request(item, world.requester, requested_for=other)) == ["anna"]


def test_the_lead_of_a_team_is_asked(world, anna, ben):
    make_team("law", ben, lead=anna)
    assert sitting(ask(world.requester, level("one", {"manager_of_team": "law"}))) == ["anna"]


def test_the_person_a_field_names_is_asked(world, anna):
    assert sitting(ask(world.requester, level("one", {"field": "owner"}), data={"owner": "anna"})) == ["anna"]


def test_an_empty_field_asks_the_fallback(world, anna):
    assert sitting(ask(world.requester, level("one", {"field": "owner"}))) == ["administrator"]


def test_the_owner_of_the_item_is_asked_and_of_another_one_too(world, anna, ben):
    item = make_approval_item(level("one", {"owner_of": "asked"}, {"owner_of": "thing"}, rule=ALL))
    CatalogItem.objects.filter(pk=item.pk).update(owner=anna)
    CatalogItem.objects.filter(slug="thing").update(owner=ben)
    assert sitting(make_request(CatalogItem.objects.get(pk=item.pk), world.requester)) == ["anna", "ben"]


def test_an_item_without_owner_asks_the_fallback(world):
    assert sitting(ask(world.requester, level("one", {"owner_of": "asked"}))) == ["administrator"]


@pytest.mark.parametrize(
    ("expression", "names"), [("'anna'", ["anna"]), ("['anna', 'ben', 'nobody']", ["anna", "ben"])]
)
def test_an_expression_names_one_or_several(world, anna, ben, expression, names):
    assert sitting(ask(world.requester, level("one", {"cel": expression}))) == names


@pytest.mark.parametrize("expression", ["7", "[1, 2]", "{'a': 'anna'}", "''", "['']"])
def test_an_expression_that_names_no_people_asks_the_fallback(world, anna, expression):
    assert sitting(ask(world.requester, level("one", {"cel": expression}))) == ["administrator"]


MATRIX = {
    "matrix": [
        {"when": "request.data.amount > 1000.0", "approvers": [{"person": "anna"}]},
        {"when": "request.data.amount > 100.0", "approvers": [{"person": "ben"}]},
        {"otherwise": [{"person": "manager"}]},
    ]
}


@pytest.mark.parametrize(("amount", "name"), [("5000", "anna"), ("1000", "ben"), ("100", "manager")])
def test_the_first_row_of_a_matrix_that_holds_is_asked(world, anna, ben, amount, name):
    assert sitting(ask(world.requester, level("one", MATRIX), data={"amount": {"amount": amount}})) == [name]


def test_a_matrix_whose_guard_breaks_asks_the_fallback_and_tells_an_operator(world, anna, ben):
    request = ask(world.requester, level("one", MATRIX))  # without an amount
    assert sitting(request) == ["administrator"]
    assert [(one.kind, one.key) for one in Incident.objects.all()] == [
        ("guard", f"approval:{approval_of(request).pk}:one:approvers")
    ]


def test_a_broken_rule_beside_a_good_one_tells_an_operator_and_asks_the_good_one(world, anna):
    request = ask(world.requester, level("one", MATRIX, anna))
    assert (sitting(request), open_incidents(request)) == (["anna"], ["guard"])


def test_somebody_named_twice_sits_once(world, anna):
    make_team("law", anna)
    assert sitting(ask(world.requester, level("one", anna, {"team": "law"}, {"cel": "'anna'"}, rule=ALL))) == ["anna"]


# ------------------------------------------------------------------------------------------ too few


def test_a_quorum_of_too_few_asks_the_fallback_beside_them(world, anna):
    request = ask(world.requester, level("one", anna, {"field": "owner"}, rule=quorum(2)))
    assert sitting(request) == ["administrator", "anna"]
    assert told(request, "approval.level_opened")[0]["why"] == "fallback"
    assert open_incidents(request) == []


def test_a_quorum_of_too_few_with_the_fallback_too_calls_an_operator(world, anna):
    request = ask(world.requester, level("one", anna, {"field": "owner"}, rule=quorum(3)))
    assert (sitting(request), open_incidents(request)) == (["administrator", "anna"], ["approval_without_approver"])


def test_an_empty_sign_off_group_is_stood_in_for_by_the_fallback(world, anna):
    request = ask(world.requester, level("one", rule=per_group(law=[anna], money=[{"role": "nobody"}])))
    assert sitting(request) == ["administrator", "anna"]
    decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)  # who falls back counts in every group


def test_one_person_in_two_groups_signs_for_both(world, anna, ben):
    request = ask(world.requester, level("one", rule=per_group(law=[anna, ben], money=[anna])))
    assert sitting(request) == ["anna", "ben"]
    assert seat_of(request, anna).sign_offs == ["law", "money"]
    decide(request, anna)
    assert status_of(request) == ("approved", 0)


def test_another_group_is_still_waited_for(world, anna, ben):
    request = ask(world.requester, level("one", rule=per_group(law=[anna, ben], money=[anna])))
    decide(request, ben)
    assert status_of(request) == ("pending", 0)
    decide(request, anna)
    assert status_of(request) == ("approved", 0)


# ------------------------------------------------------------------------------------------ deputies


def test_a_deputy_is_seated_for_somebody_who_is_away(world, anna, ben):
    delegate(anna, ben)
    assert sitting(ask(world.requester, level("one", anna))) == ["ben for anna"]


def test_a_deputy_who_sits_already_leaves_the_seat_to_its_principal(world, anna, ben):
    delegate(anna, ben)
    assert sitting(ask(world.requester, level("one", anna, ben, rule=ALL))) == ["anna", "ben"]


def test_a_circle_of_deputies_asks_the_fallback(world, anna, ben):
    delegate(anna, ben)
    delegate(ben, anna)
    assert sitting(ask(world.requester, level("one", anna))) == ["administrator"]


# ------------------------------------------------------------------------------------------ separation of duties


def test_the_requester_and_whom_it_is_for_are_not_asked_whether_superusers_or_not(world, anna):
    other = make_person("other", is_superuser=True)
    item = make_approval_item(level("one", world.requester, other, anna), separation=NOT_ME, separation_empties="skip")
    assert sitting(make_request(item, world.requester, requested_for=other)) == ["anna"]


def test_without_the_rule_the_requester_may_answer(world):
    request = ask(world.requester, level("one", world.requester))
    decide(request, world.requester)
    assert status_of(request) == ("approved", 0)


def test_the_deputy_is_judged_and_the_seat_stays_with_its_principal(world, anna):
    delegate(anna, world.requester)
    assert sitting(ask(world.requester, level("one", anna), separation=NOT_ME)) == ["anna"]


def test_the_principal_is_judged_although_the_deputy_may(world, ben):
    delegate(world.requester, ben)
    rules = {"separation": NOT_ME, "separation_empties": "incident"}
    request = ask(world.requester, level("one", world.requester), **rules)
    assert (sitting(request), open_incidents(request)) == (["administrator"], ["separation_of_duties"])


@pytest.mark.parametrize("rules", [{}, {"separation_empties": "skip"}])
def test_an_emptied_seat_is_left_out_unless_the_policy_says_otherwise(world, anna, rules):
    request = ask(world.requester, level("one", world.requester, anna, rule=ALL), separation=NOT_ME, **rules)
    assert (sitting(request), open_incidents(request)) == (["anna"], [])


def test_an_emptied_seat_goes_to_the_manager_where_the_policy_says_so(world, anna):
    rules = {"separation": NOT_ME, "separation_empties": "manager"}
    request = ask(world.requester, level("one", world.requester, anna, rule=ALL), **rules)
    assert sitting(request) == ["anna", "manager"]
    assert seat_of(request, world.manager).because == {"person": "requester", "instead_of": world.requester.pk}
    assert open_incidents(request) == []


def test_an_emptied_seat_tells_an_operator_where_the_policy_says_so(world, anna):
    rules = {"separation": NOT_ME, "separation_empties": "incident"}
    request = ask(world.requester, level("one", world.requester, anna, rule=ALL), **rules)
    assert (sitting(request), open_incidents(request)) == (["anna"], ["separation_of_duties"])
    assert "requester: the request is theirs" in Incident.objects.get().detail


def test_nobody_answers_at_two_levels(world, anna, ben):
    levels = level("one", anna), level("two", anna, ben)
    request = ask(world.requester, *levels, separation=["distinct_levels"], separation_empties="skip")
    decide(request, anna)
    assert (status_of(request), sitting(request)) == (("pending", 1), ["ben"])


def test_who_was_answered_for_does_not_answer_at_the_next_level_nor_does_their_deputy(world, anna, ben):
    delegation = delegate(anna, ben)
    levels = level("one", anna), level("two", anna, ben, world.manager)
    request = ask(world.requester, *levels, separation=["distinct_levels"], separation_empties="skip")
    delegation.ended_at = delegation.ends_at
    delegation.save()
    decide(request, ben)
    assert sitting(request) == ["manager"]


def test_the_last_editor_is_not_asked(world, anna):
    item = make_approval_item(
        level("one", world.requester, anna), separation=["not_last_editor"], separation_empties="skip"
    )
    request = make_request(item, world.requester)
    assert request.edited_by == world.requester
    assert sitting(request) == ["anna"]


def test_who_became_the_last_editor_after_they_were_asked_may_not_answer(world, anna):
    request = ask(world.requester, level("one", anna), separation=["not_last_editor"])
    Request.objects.filter(pk=request.pk).update(edited_by=anna)
    with refusal(NotPermitted, "they changed the request last"):
        decide(request, anna)
    assert status_of(request) == ("pending", 0)


def test_a_level_is_not_answered_by_two_people_of_a_team_of_an_earlier_one(world, anna, ben):
    make_team("law", anna, ben)
    levels = level("one", anna), level("two", ben, world.manager)
    request = ask(world.requester, *levels, separation=["distinct_teams"], separation_empties="skip")
    decide(request, anna)
    assert sitting(request) == ["manager"]


def test_separation_that_removes_everybody_and_the_fallback_calls_an_operator(world, anna):
    rules = {"separation": ["distinct_levels"], "separation_empties": "skip", "fallback": [person(anna)]}
    request = ask(world.requester, level("one", anna), level("two", anna), **rules)
    decide(request, anna)
    assert (status_of(request), sitting(request)) == (("pending", 1), [])
    assert open_incidents(request) == ["approval_without_approver"]
    assert ApprovalLevel.objects.filter(approval=approval_of(request)).count() == 2


def test_a_superuser_has_no_seat_by_being_one(world, anna):
    root = make_person("root", is_superuser=True)
    request = ask(world.requester, level("one", anna))
    with refusal(NotPermitted):
        decide(request, root)
