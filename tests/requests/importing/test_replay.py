"""A log is replayed through the services: at its own times, as its own people, and what is not allowed is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from apps.accounts.models import User
from apps.approvals.models import Decision
from apps.core import clock
from apps.notifications.models import Notification
from apps.outbox.models import Delivery, Event, Incident
from apps.outbox.relay import run_relay
from apps.requests.models import CatalogItem, Comment, ImportedCase, Request
from apps.requests.selectors import waiting_approvals
from apps.requests.services.comments import add_comment
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock
from apps.workflows.models import StepVisit, Task, Timer
from tests.factories import make_person, row_counts
from tests.requests.importing.logs import APPROVED, ASKED, CHECKED, SHIPPED, WHOLE, Desk, rows, steady

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(folder=tmp_path)


def told(request: Request) -> list[tuple[str, str, str]]:
    """The lines of the log as the request's events tell them: activity, local time, role."""
    found = [event for event in Event.objects.filter(stream_id=request.pk).order_by("seq") if "activity" in event.data]
    return [
        (event.data["activity"], event.at.astimezone(AMSTERDAM).replace(tzinfo=None).isoformat(), event.role)
        for event in found
    ]


def plain(username: str) -> str:
    """A user name without its digest."""
    return username.rpartition("-")[0]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM)


def test_a_case_becomes_a_request_whose_events_tell_the_lines_in_order_time_and_role(desk):
    outcome = desk.import_rows(*rows("A1", *WHOLE))
    assert steady(outcome.report) == {"cases": 1, "accepted": 4, "refused": {}, "final": {"completed": 1}}
    request = Request.objects.get()
    assert told(request) == list(WHOLE)
    assert outcome.table == [
        {
            "case_id": "A1",
            "number": request.number,
            "status": "completed",
            "step": "shipped",
            "accepted": "4",
            "refused_at": "",
            "reason": "",
        }
    ]
    assert (request.external_id, request.origin, request.title) == ("old-desk:A1", "import", "Ladder A1")
    assert request.data == {"amount": {"amount": "12.50", "currency": "EUR"}}
    assert request.number.startswith("SR-2024-")


def test_rows_carry_the_times_of_the_log(desk):
    desk.import_rows(*rows("A1", *WHOLE))
    request = Request.objects.get()
    assert (request.created_at, request.submitted_at) == (local(ASKED[1]), local(ASKED[1]))
    assert request.ended_at == local(SHIPPED[1])
    visits = StepVisit.objects.order_by("number").values_list("step", "opened_at", "ended_at")
    assert list(visits) == [
        ("check", local(ASKED[1]), local(CHECKED[1])),
        ("boss", local(CHECKED[1]), local(APPROVED[1])),
        ("pause", local(APPROVED[1]), local("2024-03-04T11:00:00")),
        ("ship", local("2024-03-04T11:00:00"), local(SHIPPED[1])),
    ]
    assert Decision.objects.get().at == local(APPROVED[1])


def test_what_falls_due_between_two_lines_happens_at_its_own_time(desk):
    late = ("Checked", "2024-03-04T12:30:00", "CHECKER")
    desk.import_rows(*rows("A1", ASKED, late))
    events = Event.objects.filter(type__startswith="sla.").order_by("seq").values_list("type", "at")
    assert list(events) == [
        ("sla.started", local(ASKED[1])),
        ("sla.warned", local("2024-03-04T10:00:00")),
        ("sla.breached", local("2024-03-04T11:00:00")),
    ]
    clock_row = SlaClock.objects.get()
    assert (clock_row.status, clock_row.breached_at) == ("breached", local("2024-03-04T11:00:00"))
    assert clock_row.stopped_at == local(late[1])
    times = list(Event.objects.filter(stream_id=Request.objects.get().pk).order_by("seq").values_list("at", flat=True))
    assert times == sorted(times)


def test_a_breach_after_a_hold_comes_at_its_own_time_between_the_lines(desk):
    stopped, gone_on = ("Stopped", "2024-03-04T09:10:00", "STORE"), ("Gone on", "2024-03-04T09:20:00", "STORE")
    desk.mapping["workflow"]["steps"][1]["assign"] = {"team": "store"}
    desk.mapping["roles"]["CHECKER"]["teams"] = ["store"]
    desk.mapping["activities"]["Gone on"] = {"do": [{"resume": {}, "by": "lead"}]}
    desk.import_rows(*rows("A1", ASKED, stopped, gone_on, ("Checked", "2024-03-04T18:00:00", "CHECKER")))
    breach = Event.objects.get(type="sla.breached")
    assert breach.at == local("2024-03-04T11:10:00")
    assert breach.seq < Event.objects.get(data__activity="Checked").seq


def test_a_message_wakes_what_waits_and_is_told_as_the_logs_line(desk):
    desk.mapping["workflow"]["steps"][3]["for"] = {"message": "cooled"}
    desk.mapping["activities"]["Cooled"] = {"do": [{"message": {"name": "cooled"}, "by": "lead"}]}
    desk.mapping["roles"]["BOSS"]["teams"] = ["store"]
    desk.mapping["workflow"]["steps"][1]["assign"] = {"team": "store"}
    desk.mapping["roles"]["CHECKER"]["teams"] = ["store"]
    cooled = ("Cooled", "2024-03-04T12:00:00", "STORE")
    outcome = desk.import_rows(*rows("A1", ASKED, CHECKED, APPROVED, cooled, SHIPPED))
    assert outcome.case("A1")["step"] == "shipped"
    assert told(Request.objects.get()) == [ASKED, CHECKED, APPROVED, cooled, SHIPPED]


def test_a_timer_that_is_not_due_yet_refuses_the_step_behind_it(desk):
    early = ("Shipped", "2024-03-04T10:59:59", "STORE")
    outcome = desk.import_rows(*rows("A1", ASKED, CHECKED, APPROVED, early))
    assert outcome.report["refused"] == {"Shipped is not possible at pause": 1}
    assert outcome.case("A1")["step"] == "pause"
    assert Timer.objects.get().closed_at is None


def test_a_refused_step_changes_nothing_and_ends_the_case(desk, tmp_path):
    desk.import_rows(*rows("A1", ASKED, CHECKED))
    plain = [(event.type, event.data.get("activity")) for event in Event.objects.order_by("id")]
    counts = row_counts()
    outcome = desk.import_rows(
        *rows("A1", ASKED, CHECKED),
        *rows("A2", ASKED, CHECKED, ("Shipped", "2024-03-04T09:45:00", "STORE"), APPROVED),
    )
    assert steady(outcome.report) == {
        "cases": 2,
        "accepted": 4,
        "refused": {"Shipped is not possible at boss": 1},
        "final": {"in_progress": 2},
    }
    row = outcome.case("A2")
    assert (row["step"], row["accepted"], row["reason"]) == ("boss", "2", "Shipped is not possible at boss")
    assert datetime.fromisoformat(row["refused_at"]) == local("2024-03-04T09:45:00")
    second = Request.objects.get(external_id="old-desk:A2")
    assert [(e.type, e.data.get("activity")) for e in Event.objects.filter(stream_id=second.pk).order_by("seq")] == [
        pair for pair in plain if not pair[0].startswith("workflow.")
    ]
    assert row_counts() == {name: 2 * n for name, n in counts.items()} | {"Event": 2 * len(plain) - 1}  # one workflow


def test_a_person_without_the_right_is_refused(desk):
    outcome = desk.import_rows(*rows("A1", ASKED, ("Checked", CHECKED[1], "STORE")))
    assert outcome.report["refused"] == {"Checked at check: not_permitted": 1}
    assert Task.objects.get().status == "open"


def test_a_case_whose_first_step_is_refused_has_no_request(desk):
    outcome = desk.import_rows(*rows("A1", CHECKED, APPROVED))
    assert steady(outcome.report) == {
        "cases": 1,
        "accepted": 0,
        "refused": {"Checked is not possible at new": 1},
        "final": {"none": 1},
    }
    assert not Request.objects.exists()
    assert not ImportedCase.objects.exists()


def test_a_value_that_the_form_refuses_refuses_the_case(desk):
    outcome = desk.import_rows(*rows("A1", *WHOLE, amount="a lot"))
    (reason,) = outcome.report["refused"]
    assert reason.startswith("Asked at new: data.amount: The amount must be a number such as")
    assert not Request.objects.exists()


def test_a_draft_is_saved_and_submitted_later(desk):
    noted = ("Noted", "2024-03-01T17:00:00", "ASKER")
    outcome = desk.import_rows(*rows("A1", noted), *rows("A2", noted, ASKED))
    assert (outcome.case("A1")["status"], outcome.case("A1")["step"]) == ("draft", "")
    assert outcome.case("A2")["step"] == "check"
    second = Request.objects.get(external_id="old-desk:A2")
    assert told(second) == [noted, ASKED]
    assert second.created_at == local(noted[1])


def test_a_hold_is_the_leads_who_acts_for_the_logs_person(desk):
    stopped = ("Stopped", "2024-03-04T12:00:00", "STORE")
    outcome = desk.import_rows(*rows("A1", ASKED, CHECKED, APPROVED, stopped))
    assert (outcome.case("A1")["status"], outcome.case("A1")["step"]) == ("on_hold", "ship")
    held = Event.objects.get(type="request.held")
    lead = User.objects.get(leads__key="store")
    assert (held.actor, held.role) == (f"user:{lead.pk}", "STORE")
    assert held.data["for"] == User.objects.get(username__startswith="old-desk-a1-store").pk
    outcome = desk.import_rows(*rows("A1", ASKED, CHECKED, APPROVED, stopped, SHIPPED))
    assert outcome.case("A1")["status"] == "completed"
    assert told(Request.objects.get()) == [ASKED, CHECKED, APPROVED, stopped, SHIPPED]


def test_texts_are_filled_from_the_line(desk):
    desk.import_rows(*rows("A1", ASKED, ("Remarked", "2024-03-04T09:10:00", "CHECKER")))
    assert desk.import_rows(*rows("A2", ASKED, ("Turned down", CHECKED[1], "CHECKER"))).case("A2")["step"] == "no"
    # the checker may not comment before the request is theirs to see
    assert ImportedCase.objects.get(case="A1").reason == ""
    assert Comment.objects.get().note.text == "It costs 12.50"


def test_impact_and_urgency_can_be_looked_up(desk):
    desk.mapping["request"]["impact"] = {"column": "amount", "values": {"12.50": "high"}}
    desk.mapping["request"]["urgency"] = {"column": "amount", "values": {"7": "low"}}
    desk.import_rows(*rows("A1", ASKED))
    assert (Request.objects.get().impact, Request.objects.get().urgency) == ("high", "medium")


# people


def test_people_are_made_up_per_role_and_case_and_no_rule_of_today_finds_them(desk):
    desk.import_rows(*rows("A1", *WHOLE), *rows("A2", ASKED, CHECKED))
    made = User.objects.filter(username__startswith="old-desk-a").order_by("username")
    assert [plain(user.username) for user in made] == [
        "old-desk-a1-asker",
        "old-desk-a1-boss",
        "old-desk-a1-checker",
        "old-desk-a1-store",
        "old-desk-a2-asker",
        "old-desk-a2-boss",
        "old-desk-a2-checker",
    ]
    assert not any(user.is_active or user.has_usable_password() for user in made)
    assert [group.name for group in made[2].groups.all()] == ["checker"]


def test_only_the_case_s_own_people_are_asked(desk):
    desk.import_rows(*rows("A1", ASKED, CHECKED), *rows("A2", *WHOLE))
    seats = [event.data["seats"] for event in Event.objects.filter(type="approval.level_opened").order_by("id")]
    names = {user.pk: user.username for user in User.objects.all()}
    assert [[plain(names[seat["user"]]) for seat in row] for row in seats] == [
        ["old-desk-a1-boss"],
        ["old-desk-a2-boss"],
    ]


def test_a_name_is_one_person_in_all_cases_with_all_their_roles(desk):
    desk.import_rows(
        *rows("A1", *WHOLE[:2], resource="Müller, J."), *rows("A2", ASKED, CHECKED, APPROVED, resource="Müller, J.")
    )
    person = User.objects.exclude(last_name__startswith="of ").exclude(first_name="Lead").get()
    assert person.last_name == "Müller, J."
    assert sorted(group.name for group in person.groups.all()) == ["boss", "checker"]


def test_names_that_look_the_same_stay_apart(desk):
    names = ["J. Ö", "J. Ü", "John Doe", "john-doe", "JOHN DOE"]
    desk.import_rows(*(line for n, name in enumerate(names) for line in rows(f"A{n}", ASKED, resource=name)))
    desk.import_rows(*rows("b1", ASKED), *rows("B1", ASKED))
    assert Request.objects.values("requester").distinct().count() == 7


def test_roles_that_differ_in_case_are_other_people(desk):
    desk.mapping["roles"]["boss"] = {}
    outcome = desk.import_rows(*rows("A1", ASKED, CHECKED, ("Approved", APPROVED[1], "boss")))
    assert outcome.report["refused"] == {"Approved at boss: not_permitted": 1}


def test_known_users_act_where_the_mapping_says_so_even_if_they_have_left(desk):
    sara = make_person("sara", is_active=False)
    desk.mapping["people"]["usernames"] = True
    desk.import_rows(*rows("A1", *WHOLE, resource="sara"))
    assert Request.objects.get().requester == sara
    sara.refresh_from_db()
    assert (sara.is_active, User.objects.filter(username__startswith="old-desk-s").count()) == (False, 1)  # the lead


def test_somebody_who_is_active_today_gains_no_rights_by_their_history(desk):
    sara = make_person("sara", roles=["asker"])
    desk.mapping["people"]["usernames"] = True
    assert desk.import_rows(*rows("A1", *WHOLE, resource="sara")).case("A1")["step"] == "shipped"
    assert [group.name for group in sara.groups.all()] == ["asker"]


# once


def test_running_it_twice_changes_nothing(desk):
    first = desk.import_rows(*rows("A1", *WHOLE), *rows("A2", ASKED, APPROVED))
    before, users = row_counts(), User.objects.count()
    second = desk.import_rows(*rows("A1", *WHOLE), *rows("A2", ASKED, APPROVED))
    assert (row_counts(), User.objects.count()) == (before, users)
    assert steady(second.report) == steady(first.report)
    assert second.table == first.table
    assert second.report["events_per_second"] == 0


def test_a_log_that_has_grown_goes_on_where_it_ended(desk):
    desk.import_rows(*rows("A1", ASKED, CHECKED))
    outcome = desk.import_rows(*rows("A1", *WHOLE))
    assert (outcome.case("A1")["step"], outcome.case("A1")["accepted"]) == ("shipped", "4")
    assert told(Request.objects.get()) == list(WHOLE)


def test_a_case_that_is_refused_when_it_goes_on_keeps_what_it_was(desk):
    desk.import_rows(*rows("A1", ASKED, CHECKED))
    before = (row_counts(), Request.objects.get().updated_at)
    outcome = desk.import_rows(*rows("A1", ASKED, CHECKED, SHIPPED))
    assert outcome.case("A1")["reason"] == "Shipped is not possible at boss"
    assert outcome.case("A1")["accepted"] == "2"
    assert (row_counts(), Request.objects.get().updated_at) == before


def test_a_case_on_which_somebody_acted_here_takes_no_further_lines(desk):
    desk.import_rows(*rows("A1", ASKED))
    request = Request.objects.get()
    add_comment(request, text="What about this one?", actor=make_person("admin", roles=["administrator"]))
    before = row_counts()
    for later in (CHECKED, ("Checked", "2199-01-01T00:00:00", "CHECKER")):
        outcome = desk.import_rows(*rows("A1", ASKED, later))
        assert (outcome.case("A1")["accepted"], outcome.case("A1")["step"]) == ("1", "check")
        assert outcome.report["refused"] == {"somebody acted on the request here": 1}
    assert row_counts() == before


def test_a_case_whose_accepted_lines_have_changed_takes_no_further_lines(desk):
    remark = ("Remarked", "2024-03-04T09:10:00", "CHECKER")
    desk.import_rows(*rows("A1", ASKED, remark))
    outcome = desk.import_rows(*rows("A1", ASKED, ("Remarked", "2024-03-04T09:05:00", "CHECKER"), remark))
    assert outcome.report["refused"] == {"the lines that were accepted have changed": 1}
    assert told(Request.objects.get()) == [ASKED, remark]


def test_a_case_of_many_lines_is_committed_in_parts(desk):
    remarks = [("Remarked", f"2024-03-04T09:{n // 60:02}:{n % 60:02}", "CHECKER") for n in range(450)]
    outcome = desk.import_rows(*rows("A1", ASKED, *remarks))
    assert outcome.case("A1")["accepted"] == "451"
    assert Comment.objects.count() == 450
    assert told(Request.objects.get()) == [ASKED, *remarks]


def test_limit_takes_the_first_cases_of_the_log(desk):
    lines = [*rows("B", ASKED), *rows("A", ASKED), *rows("B", CHECKED), *rows("C", ASKED)]
    outcome = desk.import_rows(*lines, limit=2)
    assert [row["case_id"] for row in outcome.table] == ["B", "A"]
    assert outcome.report["cases"] == 2


# quiet, and handed over


def test_nobody_hears_of_history_and_the_sweeps_leave_it_alone(desk):
    make_person("boss", roles=["administrator"])
    desk.import_rows(*rows("A1", ASKED, CHECKED, APPROVED), *rows("A2", *WHOLE))
    before = row_counts()
    run_relay()
    assert run_sweeps(clock.now()) == {"attendance": 0, "keys": 0, "timers": 0, "sla": 0, "archiving": 0}
    assert (Delivery.objects.count(), Notification.objects.count()) == (0, 0)
    assert row_counts() == before
    assert not Event.objects.filter(position=None).exists()


def test_closing_hands_the_cases_over_to_live_operation(desk):
    desk.import_rows(*rows("A1", ASKED, CHECKED, APPROVED), *rows("A2", *WHOLE), close=True)
    assert set(Request.objects.values_list("origin", flat=True)) == {"imported"}
    swept = run_sweeps(datetime(2026, 11, 24, tzinfo=UTC))
    assert (swept["timers"], swept["archiving"]) == (1, 1)
    run_relay()
    events = set(Delivery.objects.values_list("event__type", flat=True))
    assert events == {"request.handed_over", "wait.done", "task.opened", "incident.opened", "request.archived"}
    outcome = desk.import_rows(*rows("A1", *WHOLE), *rows("A2", *WHOLE))
    assert [row["accepted"] for row in outcome.table] == ["3", "4"]


def test_open_work_of_people_of_the_past_is_handed_to_those_of_today(desk):
    boss, admin = make_person("boss", roles=["boss"]), make_person("ada", roles=["administrator"])
    desk.mapping["activities"]["Taken up"] = {"do": [{"claim": {}}]}
    taken_up = ("Taken up", "2024-03-04T09:10:00", "CHECKER")
    desk.import_rows(*rows("A1", ASKED, CHECKED), *rows("A2", ASKED, taken_up), close=True)
    assert [seat.user for seat in waiting_approvals(boss)] == [boss]
    assert (Task.objects.get(status="open").assignee, Task.objects.filter(status="claimed").count()) == (None, 0)
    boss.is_active = False
    boss.save()
    desk.import_rows(*rows("A3", ASKED, CHECKED), close=True)
    assert [seat.user for seat in waiting_approvals(admin)] == [admin]


def test_where_today_names_nobody_an_incident_opens(desk):
    desk.import_rows(*rows("A1", ASKED, CHECKED), close=True)
    assert [incident.kind for incident in Incident.objects.all()] == ["approval_without_approver"]


def test_an_item_and_a_workflow_that_are_there_are_left_as_they_are(desk):
    desk.import_rows(*rows("A1", ASKED))
    CatalogItem.objects.update(name="Another name")
    desk.mapping["item"]["summary"] = "Something new"
    desk.import_rows(*rows("A2", ASKED))
    assert (CatalogItem.objects.get().name, CatalogItem.objects.get().summary) == ("Another name", "")
