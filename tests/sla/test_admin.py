import json
import re

import pytest
from django.test import Client

from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.core.admin_pages import address, admin_client, errors_of
from tests.factories import make_calendar, make_item, make_person, make_request, make_sla, make_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


def test_a_policy_whose_targets_lack_a_priority_is_refused_by_its_place(client: Client) -> None:
    document = make_sla("good").document
    del document["targets"][0]["durations"]["low"]
    sent = {"key": "bad", "document": json.dumps(document)}
    errors = errors_of(client.post(address(SlaPolicyVersion, "add"), sent))
    assert list(errors) == ["document"]
    assert "targets.0.durations" in errors["document"][0]
    assert list(SlaPolicyVersion.objects.values_list("key", flat=True)) == ["good"]


def test_a_policy_is_added(client: Client) -> None:
    document = make_sla("good").document
    sent = {"key": "better", "document": json.dumps(document)}
    assert client.post(address(SlaPolicyVersion, "add"), sent).status_code == 302
    assert SlaPolicyVersion.objects.get(key="better").document == document


def test_a_clock_leads_to_its_request_and_its_policy(client: Client) -> None:
    make_sla("standard")
    make_team("it", make_person("bob"))
    request = make_request(make_item(sla_key="standard"), make_person("ann", manager=make_person("boss")))
    clock = SlaClock.objects.filter(metric="response").get()
    text = client.get(address(SlaClock, "change", clock.pk)).content.decode()
    assert f">{request.number} Please</a>" in text
    assert ">standard v1</a>" in text


# ------------------------------------------------------------------------------------ the page of a new version


def asked(client: Client, do: str, document: object, **more: str):
    text = document if isinstance(document, str) else json.dumps(document)
    return client.post(
        address(SlaPolicyVersion, "add"), {"do": do, "key": "gold", "base": "", "document": text, **more}
    )


def test_the_page_begins_with_an_example_that_can_be_published(client: Client) -> None:
    make_calendar()
    page = client.get(address(SlaPolicyVersion, "add"))
    example = json.loads(page.context["text"])
    assert asked(client, "publish", example).status_code == 302
    assert SlaPolicyVersion.objects.get().document == example


def test_the_example_names_a_calendar_that_is_there(client: Client) -> None:
    make_calendar("night")
    page = client.get(address(SlaPolicyVersion, "add"))
    assert asked(client, "publish", page.context["text"]).status_code == 302
    assert SlaPolicyVersion.objects.get().document["targets"][0]["calendar"] == "night"
    assert "Calendars that are there: <code>night</code>." in page.content.decode()


def test_without_a_calendar_the_page_leads_to_making_one(client: Client) -> None:
    text = client.get(address(SlaPolicyVersion, "add")).content.decode()
    assert 'href="/admin/calendars/businesscalendar/add/">Make a calendar</a>' in text


def test_the_page_lists_the_events_that_conditions_may_read(client: Client) -> None:
    text = client.get(address(SlaPolicyVersion, "add")).content.decode()
    assert "<td><code>approval.ended</code></td><td>approval, step, result (approved, expired, rejected," in text
    assert "<td><code>request.submitted</code></td><td>priority (critical, high, low, medium), pins.form," in text
    assert "<td><code>request.held</code></td><td>–</td>" in text
    assert "sla.breached" not in text


def test_a_problem_names_the_target_and_a_condition_is_looked_at_in_words(client: Client) -> None:
    document = make_sla("good").document
    document["targets"][1] |= {"name": "Done", "on": {"reset": [{"event": "comment.added", "where": "event.intern"}]}}
    page = asked(client, "look", document)
    assert page.context["problems"] == [
        "targets.1.on.reset.0.where of “Done”: Event comment.added has no field “intern”; it has: internal, comment,"
        " step, run. Did you mean “internal”?"
    ]
    document["targets"][1]["on"]["reset"][0]["where"] = "event.internal"
    preview = asked(client, "look", document).context["preview"]
    assert "<td>resolution; begins anew at comment.added if event.internal</td>" in preview


def test_the_look_says_every_target_in_words_and_publishes_nothing(client: Client) -> None:
    make_calendar()
    example = json.loads(client.get(address(SlaPolicyVersion, "add")).context["text"])
    page = asked(client, "look", example)
    said = re.findall(r"<td>(.*?)</td>", page.context["preview"])
    assert said == [
        "First answer", "first response", "1 business hour", "4 business hours", "8 business hours",
        "16 business hours", "office", "at 75\N{NO-BREAK SPACE}%", "–",
        "Done", "resolution", "8 business hours", "2 business days", "5 business days", "21 calendar days",
        "the calendar of the team that has the request, else office", "at 50\N{NO-BREAK SPACE}%, 80\N{NO-BREAK SPACE}%",
        "at 90\N{NO-BREAK SPACE}%: tell the lead of the team that has it;"
        " 1 h after the breach: raise the priority by one step",
    ]  # fmt: skip
    assert page.context["warnings"] == ["No active item selects this policy: it measures nothing yet."]
    assert page.context["next"] == "gold v1"
    assert SlaPolicyVersion.objects.count() == 0


BROKEN = [
    ("{", "Line 1, column 2: Expecting property name enclosed in double quotes."),
    ('{"targets": NaN}', "NaN is not JSON."),
    ('{"a": 1, "a": 2}', "The key 'a' occurs twice in one object."),
    ('{"a":' * 10_000 + "1" + "}" * 10_000, "This is nested more than 60 levels deep."),
    ('{"targets": []}', "targets: Must be a list of 1 to 50 targets."),
    (
        '{"targets": [{"id": "a", "metric": "response", "durations": {"low": {"seconds": 1e400}}}]}',
        "durations.low of “a”: Must be a whole number from 1 to 316224000.",
    ),
    ("[]", "policy: An SLA policy is an object with targets."),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_what_cannot_be_read_is_refused_where_it_stands_and_kept_as_typed(client: Client, text: str, said: str) -> None:
    page = asked(client, "publish", text)
    assert page.status_code == 200
    assert any(said in problem for problem in page.context["problems"]), page.context["problems"]
    assert page.context["text"] == text
    assert SlaPolicyVersion.objects.count() == 0


def test_a_key_that_is_none_is_refused_beside_the_rest(client: Client) -> None:
    page = asked(client, "look", {"targets": []}, key="no key")
    assert page.context["problems"] == [
        "key: Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.",
        "targets: Must be a list of 1 to 50 targets.",
    ]


def test_a_version_that_somebody_published_meanwhile_is_not_written_over(client: Client) -> None:
    first = make_sla("gold")
    begun = client.get(f"{address(SlaPolicyVersion, 'add')}?base={first.pk}")
    assert (begun.context["key"], begun.context["base"]) == ("gold", "gold:1")
    make_sla("gold", response_s=60)
    changed = make_sla("other", response_s=90).document
    page = asked(client, "publish", changed, base="gold:1")
    assert page.context["problems"] == [
        "There is gold v2 already, with which this did not begin: press “New version” on it and change that."
    ]
    assert SlaPolicyVersion.objects.filter(key="gold").count() == 2


def test_the_page_of_a_version_says_it_in_words(client: Client) -> None:
    version = make_sla("gold")
    text = client.get(address(SlaPolicyVersion, "change", version.pk)).content.decode()
    assert "<td>first response</td><td>1 hour</td>" in text
