from datetime import timedelta
from decimal import Decimal

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client

from apps.accounts.delegations import Terms, create_delegation
from apps.accounts.models import Delegation, Team, User
from apps.accounts.services import ensure_role
from apps.core import clock
from apps.outbox.models import Event
from tests.core.admin_pages import address, admin_client, errors_of, filled_in
from tests.factories import make_calendar, make_person, make_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


def access_changes() -> list[int]:
    """The ids of the people of whom `access.changed` was told, in order."""
    return [event.data["person"] for event in Event.objects.filter(type="access.changed").order_by("id")]


def test_a_person_who_is_added_has_a_stream_and_their_roles(client: Client) -> None:
    role, boss = ensure_role("finance"), make_person("boss")
    page = client.get(address(User, "add"))
    sent = {"username": "eva", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    answer = client.post(
        address(User, "add"),
        filled_in(page, **sent, first_name="Eva", manager=boss.pk, groups=[role.pk], time_zone="Europe/Vienna"),
    )
    eva = User.objects.get(username="eva")
    assert answer.status_code == 302
    assert (eva.stream.kind, eva.manager, eva.time_zone) == ("person", boss, "Europe/Vienna")
    assert list(eva.groups.all()) == [role]
    assert eva.check_password("a long pass phrase")


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "right/Europe/Amsterdam"])
def test_an_unknown_time_zone_is_refused_beside_its_field(client: Client, zone: str) -> None:
    person = make_person("eva")
    page = client.get(address(User, "change", person.pk))
    answer = client.post(address(User, "change", person.pk), filled_in(page, time_zone=zone))
    assert errors_of(answer) == {"time_zone": [f"{zone!r} is not a time zone such as Europe/Amsterdam."]}


def test_who_changes_somebodys_roles_says_so_in_their_stream(client: Client) -> None:
    person, role = make_person("eva"), ensure_role("finance")
    url = address(User, "change", person.pk)
    assert client.post(url, filled_in(client.get(url), groups=[role.pk])).status_code == 302
    assert list(person.groups.all()) == [role]
    assert access_changes() == [person.pk]


def test_another_change_of_a_person_tells_nothing(client: Client) -> None:
    person = make_person("eva", roles=["finance"])
    url = address(User, "change", person.pk)
    assert client.post(url, filled_in(client.get(url), department="Sales")).status_code == 302
    assert User.objects.get(pk=person.pk).department == "Sales"
    assert access_changes() == []


def test_somebody_who_is_deactivated_is_told_to_open_sockets(client: Client) -> None:
    person = make_person("eva")
    url = address(User, "change", person.pk)
    sent = filled_in(client.get(url))
    del sent["is_active"]
    assert client.post(url, sent).status_code == 302
    assert access_changes() == [person.pk]


def test_a_team_is_added_with_its_members(client: Client) -> None:
    ann, bob = make_person("ann"), make_person("bob")
    page = client.get(address(Team, "add"))
    sent = filled_in(page, key="it", name="IT support", lead=ann.pk, members=[ann.pk, bob.pk])
    assert client.post(address(Team, "add"), sent).status_code == 302
    team = Team.objects.get(key="it")
    assert (team.group.name, team.lead) == ("team: it", ann)
    assert set(team.group.user_set.all()) == {ann, bob}
    assert access_changes() == [ann.pk, bob.pk]


def test_members_who_come_and_go_are_told_and_the_others_are_not(client: Client) -> None:
    ann, bob, cem = make_person("ann"), make_person("bob"), make_person("cem")
    team = make_team("it", ann, bob)
    url = address(Team, "change", team.pk)
    assert client.post(url, filled_in(client.get(url), members=[bob.pk, cem.pk])).status_code == 302
    assert set(team.group.user_set.all()) == {bob, cem}
    assert access_changes() == [ann.pk, cem.pk]


def test_people_teams_and_roles_are_not_deleted(client: Client) -> None:
    rows = [make_person("eva"), make_team("it"), ensure_role("finance")]
    for row in rows:
        assert client.post(address(type(row), "delete", row.pk), {"post": "yes"}).status_code == 403
        assert type(row)._default_manager.filter(pk=row.pk).exists()


def test_the_group_of_a_team_is_no_role_and_is_edited_with_its_team_only(client: Client) -> None:
    team, role = make_team("it"), ensure_role("finance")
    listed = client.get(address(Group, "changelist")).context["cl"].result_list
    assert list(listed) == [role]
    assert client.post(address(Group, "change", team.group_id), {"name": "other"}).status_code == 403
    assert Group.objects.get(pk=team.group_id).name == "team: it"


def test_a_change_of_a_person_is_logged_with_who_did_it_and_without_passwords() -> None:
    client, ada = admin_client()
    person = make_person("eva")
    url = address(User, "change", person.pk)
    client.post(url, filled_in(client.get(url), department="Sales"))
    entry = LogEntry.objects.get_for_object(person).filter(action=LogEntry.Action.UPDATE).get()
    assert (entry.actor, entry.changes_dict) == (ada, {"department": ["", "Sales"]})
    sent = {"usable_password": "true", "password1": "a long pass phrase", "password2": "a long pass phrase"}
    client.post(f"{address(User, 'change', person.pk).removesuffix('change/')}password/", sent)
    assert User.objects.get(pk=person.pk).check_password("a long pass phrase")
    assert not any("password" in (entry.changes_dict or {}) for entry in LogEntry.objects.all())


def test_absences_are_listed_to_read_and_cannot_be_changed():
    client, ada = admin_client()
    until = clock.now() + timedelta(days=2)
    terms = Terms(deputy=make_person("ben"), ends_at=until, items=("travel",), up_to=Decimal(1500), currency="EUR")
    made = create_delegation(ada, terms)
    shown = client.get("/admin/accounts/delegation/").content.decode()
    assert "travel, up to 1,500.00 EUR" in shown
    assert client.get("/admin/accounts/delegation/add/").status_code == 403
    assert client.post(f"/admin/accounts/delegation/{made.pk}/change/", {"items": "[]"}).status_code == 403
    assert client.post(f"/admin/accounts/delegation/{made.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Delegation.objects.get().items == ["travel"]


# ------------------------------------------------------------------------------------ calendars


def test_a_team_and_a_person_take_one_of_the_calendars_that_are_frozen(client: Client) -> None:
    make_calendar("office")
    make_calendar("desk")
    team, ann = make_team("it"), make_person("ann")
    for row in (team, ann):
        url = address(type(row), "change", row.pk)
        page = client.get(url)
        choices = [key for key, _ in page.context["adminform"].form.fields["calendar"].choices]
        assert choices == ["", "desk", "office"]
        assert client.post(url, filled_in(page, calendar="desk")).status_code == 302
        row.refresh_from_db()
        assert row.calendar == "desk"
    made = filled_in(client.get(address(Team, "add")), key="hr", name="HR", calendar="office")
    assert client.post(address(Team, "add"), made).status_code == 302
    assert Team.objects.get(key="hr").calendar == "office"


def test_a_calendar_that_is_not_there_is_refused_beside_its_field(client: Client) -> None:
    make_calendar("office")
    team = make_team("it")
    url = address(Team, "change", team.pk)
    answer = client.post(url, filled_in(client.get(url), calendar="moon"))
    said = "Select a valid choice. moon is not one of the available choices."
    assert errors_of(answer) == {"calendar": [said]}
    team.refresh_from_db()
    assert team.calendar == ""


def test_a_calendar_that_went_stays_to_be_seen_and_hinders_no_other_change(client: Client) -> None:
    team = make_team("it")
    Team.objects.filter(pk=team.pk).update(calendar="moon")
    url = address(Team, "change", team.pk)
    page = client.get(url)
    assert "moon (there is no such calendar)" in page.content.decode()
    assert client.post(url, filled_in(page, name="IT support")).status_code == 302
    team.refresh_from_db()
    assert (team.name, team.calendar) == ("IT support", "moon")
