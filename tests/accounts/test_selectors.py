from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.accounts.selectors import manager_of, people_in, people_of_principals, staffed_role, staffed_team
from apps.accounts.services import ensure_role, set_members
from tests.factories import make_person, make_team

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def leave(person: User) -> None:
    person.is_active = False
    person.save()


def line(*names: str) -> list[User]:
    """People of whom each is managed by the next."""
    people: list[User] = []
    for name in reversed(names):
        people.insert(0, make_person(name, manager=people[0] if people else None))
    return people


def test_people_are_found_by_role_team_and_name_each_once():
    ada, ben = make_person("ada", roles=["finance", "legal"]), make_person("ben")
    cleo, _stranger = make_person("cleo"), make_person("stranger")
    make_team("it", ada, ben)
    assert people_in(roles=["finance", "legal"], teams=["it"], usernames=["cleo", "ada"]) == [ada, ben, cleo]
    assert people_in() == []


def test_only_active_people_are_found():
    ada, ben = make_person("ada", roles=["finance"]), make_person("ben", roles=["finance"])
    team = make_team("it", ada, ben)
    leave(ada)
    assert people_in(roles=["finance"]) == people_in(teams=["it"]) == [ben]
    assert people_in(usernames=["ada"]) == []
    assert people_of_principals([f"user:{ada.pk}", f"group:{team.group_id}"]) == [ben]


def test_the_group_of_a_team_is_no_role():
    team = make_team("it", make_person("ada"))
    assert people_in(roles=[team.group.name]) == []
    assert staffed_role(team.group.name) is None
    assert staffed_role("nobody") is None
    made = ensure_role("finance")
    assert staffed_role("finance") is None
    make_person("ben", roles=["finance"])
    assert staffed_role("finance") == made


def test_people_are_found_with_one_statement(django_assert_num_queries):
    ada = make_person("ada", roles=["finance"])
    for roles in (["finance"], ["finance", "legal", "senior"]):
        with django_assert_num_queries(1):
            assert people_in(roles=roles, teams=["it"], usernames=["x"]) == [ada]


def test_the_manager_is_the_one_so_many_levels_above(django_assert_num_queries):
    worker, lead, head, chief = line("worker", "lead", "head", "chief")
    for up, expected in ((1, lead), (2, head), (3, chief)):
        with django_assert_num_queries(1):
            assert manager_of(worker, up=up) == expected


def test_where_the_line_ends_there_is_no_manager():
    worker, lead, head = line("worker", "lead", "head")
    assert manager_of(worker, up=3) is None
    assert manager_of(head) is None
    leave(lead)
    assert manager_of(worker) is None
    assert manager_of(worker, up=2) == head


def test_a_change_of_manager_counts_at_once():
    worker, _lead, head = line("worker", "lead", "head")
    User.objects.filter(pk=worker.pk).update(manager=head)
    assert manager_of(worker) == head


def test_the_people_of_principals_are_found_each_once():
    ada, ben = make_person("ada"), make_person("ben")
    team = make_team("it", ada)
    assert people_of_principals([f"user:{ada.pk}", f"user:{ben.pk}", f"group:{team.group_id}"]) == [ada, ben]
    assert people_of_principals([]) == []


def test_a_team_is_found_by_its_key():
    team = make_team("it")
    assert staffed_team("it") is None
    set_members(team, members=[make_person("ada")], actor=make_person("boss"))
    assert staffed_team("it") == team
    assert staffed_team("hr") is None


def test_a_person_stands_for_themselves_their_roles_and_teams():
    ada = make_person("ada", roles=["finance"])
    team = make_team("it", ada)
    groups = sorted([team.group_id, staffed_role("finance").pk])
    assert ada.principals == (f"user:{ada.pk}", *(f"group:{pk}" for pk in groups))
    assert ada.role_names == {"finance"}


def test_a_lead_stands_for_the_teams_they_lead_without_being_a_member():
    lead, member = make_person("lead", roles=["finance"]), make_person("member")
    led = [make_team("it", member, lead=lead), make_team("hr", lead=lead)]
    own = staffed_role("finance").pk
    groups = sorted([own, *(team.group_id for team in led)])
    assert lead.principals == (f"user:{lead.pk}", *(f"group:{pk}" for pk in groups))
    assert (lead.group_ids, lead.memberships) == ({own}, ((own, "finance", False),))


def test_memberships_and_whether_somebody_leads_a_team_are_one_statement(django_assert_num_queries):
    lead, member = make_person("lead", roles=["finance"]), make_person("member")
    make_team("it", member, lead=lead)
    make_team("hr", lead=lead)
    alone = make_person("alone")
    found = {user.username: user for user in User.objects.filter(pk__in=[lead.pk, member.pk, alone.pk])}
    with django_assert_num_queries(3):
        leads = {name: user.leads_a_team for name, user in found.items()}
        roles = {name: set(user.role_names) for name, user in found.items()}
    assert leads == {"lead": True, "member": False, "alone": False}
    assert roles == {"lead": {"finance"}, "member": set(), "alone": set()}
    assert found["alone"].memberships == ()
