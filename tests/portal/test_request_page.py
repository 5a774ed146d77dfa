import pytest

from apps.approvals.models import Decision
from apps.core.clock import now
from apps.outbox.models import Incident
from apps.requests.models import Request
from apps.workflows.models import Task
from tests.factories import (
    FINANCE_LEVEL,
    approval_document,
    make_item,
    make_person,
    make_request,
    make_workflow,
    row_counts,
)
from tests.portal.conftest import World, approval_of, as_, page_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_the_requester_sees_where_the_request_is_and_what_happens_now(world: World) -> None:
    request = world.ask(title="For the fair")
    page = text_of(as_(world.rita).get(page_of(request)))
    assert "For the fair Submitted Medium priority" in page
    assert "Approval , now Work , not reached" in page
    assert "Approval: waits for Mia (line manager) to approve." in page
    assert "“simple”, version 1, because: always." in page
    assert "Rita Roos wrote the request" in page
    assert ("First response" in page, "Solution" in page, "59 min left" in page) == (True, True, True)
    assert ("Your decision" in page, "Cancel the request" in page, "Put on hold" in page) == (False, True, False)


def test_the_approver_has_a_decision_box_and_nothing_else(world: World) -> None:
    page = as_(world.mia).get(page_of(world.ask())).content.decode()
    assert page.count('name="decision" value="') == 3
    assert ("Cancel the request" in page, "Internal note" in page) == (False, False)


@pytest.mark.parametrize("more", [(), ("live",), ("edit",)])
def test_a_stranger_finds_nothing(world: World, more: tuple[str, ...]) -> None:
    assert as_(world.stan).get(page_of(world.ask(), *more)).status_code == 404


def test_a_stranger_moves_nothing(world: World) -> None:
    request, waiting, stan = world.ask(), world.ask(), as_(world.stan)
    task = world.approve(request)
    before = row_counts()
    moves = ["submit", "cancel", "hold", "resume", "reopen", "comment"]
    answers = [stan.post(page_of(request, move), {"comment": "x", "text": "x"}) for move in moves]
    answers.append(stan.post(f"/approvals/{approval_of(waiting).pk}/decide/", {"decision": "approve"}))
    answers += [stan.post(f"/tasks/{task.pk}/{move}/") for move in ("claim", "release", "complete")]
    assert ({answer.status_code for answer in answers}, row_counts()) == ({404}, before)


def test_a_decision_is_recorded_and_the_page_says_so(world: World) -> None:
    request = world.ask()
    sent = {"decision": "approve", "comment": "He needs it"}
    answer = as_(world.mia).post(f"/approvals/{approval_of(request).pk}/decide/", sent, follow=True)
    decision = Decision.objects.get()
    assert answer.redirect_chain == [(page_of(request), 302)]
    assert (decision.verdict, decision.by, decision.note and decision.note.text) == (
        "approve",
        world.mia,
        "He needs it",
    )
    page = text_of(answer)
    assert "You approved this." in page
    assert "Work: waits for team It." in page
    assert "Approval , done Work , now" in page


def test_a_rejection_without_a_reason_is_refused_beside_the_field(world: World) -> None:
    request = world.ask()
    before = row_counts()
    answer = as_(world.mia).post(f"/approvals/{approval_of(request).pk}/decide/", {"decision": "reject"})
    assert (answer.status_code, row_counts()) == (400, before)
    assert "Please say why." in text_of(answer)


def test_a_second_decision_is_refused_with_the_present_state_and_the_comment_kept(world: World) -> None:
    request = world.ask()
    address = f"/approvals/{approval_of(request).pk}/decide/"
    as_(world.mia).post(address, {"decision": "approve"})
    before = row_counts()
    answer = as_(world.mia).post(address, {"decision": "reject", "comment": "No!"})
    assert (answer.status_code, row_counts()) == (409, before)
    assert "What you see below is how it stands now." in text_of(answer)
    assert "Work: waits for team It." in text_of(answer)


def test_somebody_who_sees_the_request_but_was_not_asked_may_not_decide(world: World) -> None:
    request = world.ask()
    answer = as_(world.rita).post(f"/approvals/{approval_of(request).pk}/decide/", {"decision": "approve"})
    assert (answer.status_code, Decision.objects.count()) == (403, 0)
    assert "You were not asked to decide on this." in text_of(answer)


def test_an_unknown_decision_is_named_beside_the_buttons(world: World) -> None:
    request = world.ask()
    answer = as_(world.mia).post(f"/approvals/{approval_of(request).pk}/decide/", {"decision": "maybe"})
    assert answer.status_code == 400
    assert "This must be one of approve, reject, return, abstain." in text_of(answer)


def test_a_task_is_taken_up_given_back_and_finished(world: World) -> None:
    request = world.ask()
    task, ivo = world.approve(request), as_(world.ivo)
    states = []
    for move, sent in [("claim", {}), ("release", {}), ("complete", {"outcome": "done", "comment": "Packed"})]:
        ivo.post(f"/tasks/{task.pk}/{move}/", sent)
        task.refresh_from_db()
        states.append((task.status, task.assignee))
    assert states == [("claimed", world.ivo), ("open", None), ("done", world.ivo)]
    assert Request.objects.get().status == "completed"
    page = text_of(ivo.get(page_of(request)))
    assert ("Everything is done." in page, "Packed" in page) == (True, True)


def test_a_task_that_somebody_else_has_says_so(world: World) -> None:
    task = world.approve(world.ask())
    as_(world.ivo).post(f"/tasks/{task.pk}/claim/")
    answer = as_(world.lea).post(f"/tasks/{task.pk}/complete/", {"outcome": "done", "comment": "Mine was better"})
    task.refresh_from_db()
    assert (answer.status_code, task.status, task.assignee) == (409, "claimed", world.ivo)
    assert "Somebody else is already working on this." in text_of(answer)


def test_an_outcome_that_is_kept_for_others_has_no_button(world: World) -> None:
    request = world.ask()
    task = world.approve(request)
    page = as_(world.ivo).get(page_of(request)).content.decode()
    assert ('value="done"' in page, 'value="refused"' in page) == (True, False)
    answer = as_(world.ivo).post(f"/tasks/{task.pk}/complete/", {"outcome": "refused", "comment": "x"})
    assert answer.status_code == 403


def test_an_outcome_that_does_not_exist_is_refused(world: World) -> None:
    task = world.approve(world.ask())
    answer = as_(world.ivo).post(f"/tasks/{task.pk}/complete/", {"outcome": "vanish"})
    assert answer.status_code == 400
    assert "This must be one of done, refused." in text_of(answer)


def test_the_team_lead_holds_and_resumes_and_must_say_why(world: World) -> None:
    request = world.ask()
    world.approve(request)
    lea = as_(world.lea)
    refused = lea.post(page_of(request, "hold"), {"comment": "  "})
    assert (refused.status_code, "Please say why." in text_of(refused)) == (400, True)
    lea.post(page_of(request, "hold"), {"comment": "No stock"})
    held = text_of(lea.get(page_of(request)))
    assert ("On hold" in held, "stands still" in held, "Take it up again" in held) == (True, True, True)
    lea.post(page_of(request, "resume"))
    assert Request.objects.get().status == "in_progress"


def test_cancelling_and_reopening(world: World) -> None:
    request, rita = world.ask(), as_(world.rita)
    rita.post(page_of(request, "cancel"), {"comment": "Found one"})
    assert Request.objects.get().status == "cancelled"
    assert "Nothing more will happen." in text_of(rita.get(page_of(request)))
    assert rita.post(page_of(request, "cancel")).status_code == 409
    rita.post(page_of(request, "reopen"), {"comment": "It broke as well"})
    assert Request.objects.get().status == "in_progress"


def test_a_move_without_the_right_is_403_and_changes_nothing(world: World) -> None:
    request = world.ask()
    before = row_counts()
    answers = [as_(world.mia).post(page_of(request, move), {"comment": "x"}) for move in ("cancel", "hold", "reopen")]
    assert ([answer.status_code for answer in answers], row_counts()) == ([403, 403, 403], before)


def test_opening_the_address_of_a_button_leads_back_to_the_request(world: World) -> None:
    request = world.ask()
    answers = [
        as_(world.mia).get(path) for path in (page_of(request, "hold"), f"/approvals/{approval_of(request).pk}/decide/")
    ]
    assert [answer.headers["Location"] for answer in answers] == [page_of(request)] * 2


def test_a_comment_is_written_once_however_often_it_is_sent(world: World) -> None:
    request = world.ask()
    client = as_(world.rita)
    for _ in range(2):
        client.post(page_of(request, "comment"), {"text": "Any news?\n<b>Thanks</b>", "form_token": "one"})
    page = client.get(page_of(request)).content.decode()
    assert page.count("Any news?<br>&lt;b&gt;Thanks&lt;/b&gt;") == 1


def test_an_empty_comment_is_refused_beside_its_field(world: World) -> None:
    answer = as_(world.rita).post(page_of(world.ask(), "comment"), {"text": " "})
    assert (answer.status_code, 'id="comment-error">Please say why.' in answer.content.decode()) == (400, True)


def test_an_internal_note_is_for_those_who_work_on_it(world: World) -> None:
    request = world.ask()
    world.approve(request)
    as_(world.ivo).post(page_of(request, "comment"), {"text": "Careful here", "internal": "on"})
    seen = {
        user.username: "Careful here" in text_of(as_(user).get(page_of(request))) for user in (world.ivo, world.rita)
    }
    assert seen == {"ivo": True, "rita": False}
    assert as_(world.rita).post(page_of(request, "comment"), {"text": "x", "internal": "on"}).status_code == 403


def test_an_incident_is_shown_to_those_who_work_on_it(world: World) -> None:
    request = world.ask()
    world.approve(request)
    Incident.objects.create(stream_id=request.pk, kind="guard", key="1", detail="The guard failed", opened_at=now())
    seen = {
        user.username: "The guard failed" in text_of(as_(user).get(page_of(request)))
        for user in (world.ivo, world.rita)
    }
    assert seen == {"ivo": True, "rita": False}


def test_the_live_part_holds_the_same_parts_as_the_page(world: World) -> None:
    request, client = world.ask(), as_(world.mia)
    parts = [
        client.get(path).content.decode().count("data-live-part=")
        for path in (page_of(request), page_of(request, "live"))
    ]
    assert (parts[0] - 2, parts[1]) == (12, 12)
    assert "<html" not in client.get(page_of(request, "live")).content.decode()


def test_times_are_the_readers_own(world: World, settings) -> None:
    clock = "apps.portal.middleware.ReaderTimeZone"
    settings.MIDDLEWARE = [*(name for name in settings.MIDDLEWARE if name != clock), clock]
    request = world.ask()
    Request.objects.filter(pk=request.pk).update(submitted_at="2026-07-01T22:30:00Z")
    world.rita.time_zone = "Asia/Kolkata"
    world.rita.save()
    seen = [text_of(as_(user).get(page_of(request))) for user in (world.rita, world.mia)]
    assert ["2 Jul 2026, 04:00" in seen[0], "1 Jul 2026, 22:30" in seen[1]] == [True, True]


def test_a_page_takes_as_many_statements_however_long_its_history_is(world: World, django_assert_num_queries) -> None:
    request, client = world.ask(), as_(world.rita)
    for count in (1, 3):
        for number in range(count):
            client.post(page_of(request, "comment"), {"text": f"Comment {number}"})
        client.get(page_of(request))
        with django_assert_num_queries(20):
            client.get(page_of(request))


def test_a_run_that_came_back_shows_the_way_it_went(world: World) -> None:
    request = world.ask()
    as_(world.mia).post(f"/approvals/{approval_of(request).pk}/decide/", {"decision": "return", "comment": "Which?"})
    page = text_of(as_(world.rita).get(page_of(request)))
    assert "Mend: waits for Rita Roos." in page
    assert "sent back to the requester" in page
    assert Task.objects.get().assignee == world.rita


@pytest.mark.parametrize(("rule", "word"), [("any", "or"), ("all", "and")])
def test_the_page_says_whether_one_answer_is_enough(world: World, rule: str, word: str) -> None:
    for name in ("fay", "fred"):
        make_person(name, roles=["finance"])
    level = FINANCE_LEVEL | {"rule": {"kind": rule}}
    item = make_item("desk", workflow=make_workflow(approval_document("desk", levels=[level])))
    page = text_of(as_(world.rita).get(page_of(make_request(item, world.rita))))
    assert f"Approval: waits for Fay (role finance) {word} Fred (role finance) to approve." in page
