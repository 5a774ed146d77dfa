"""The look before publishing: who would be asked, and which workflows it touches."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from apps.outbox.models import Event
from tests.factories import make_item, make_request, row_counts
from tests.factories.approvals import delegate
from tests.requests.admin.policy.pages import (
    ADD,
    DOCUMENT,
    NAMED,
    begin,
    make_flow,
    press,
    problems_in,
    text_of,
    versions,
)


def look_for(client: Client, document: Any, requester: str, **sample: str) -> HttpResponse:
    """The look at a document for a described request."""
    page = client.get(f"{ADD}?as=json")
    looked = press(client, page, "look", key="board", document=json.dumps(document))
    return press(client, looked, "look", sample="own", requester=requester, **sample)


def test_the_look_says_who_would_be_asked_and_why(client: Client, people: dict[str, User]) -> None:
    make_item()
    many = '{"amount": {"amount": "2000.00", "currency": "EUR"}, "reason": "x"}'
    text = text_of(look_for(client, DOCUMENT, "ann", item="thing", values=many))
    assert "1. Line manager Boss – manager of the requester" in text
    assert "2. Budget Bea – named by the policy" in text


def test_a_level_that_does_not_apply_is_shown_with_its_guard(client: Client, people: dict[str, User]) -> None:
    make_item()
    few = '{"amount": {"amount": "5.00", "currency": "EUR"}, "reason": "x"}'
    text = text_of(look_for(client, DOCUMENT, "ann", item="thing", values=few))
    assert "2. Budget Skipped, for its guard does not hold: request.data.amount > 1000.0" in text


def test_the_look_says_who_stands_in_and_who_is_left_out(client: Client, people: dict[str, User]) -> None:
    delegate(people["bea"], people["dan"])
    asked = [{"person": "ann"}, {"person": "bea"}]
    document = {
        "levels": [{"id": "one", "approvers": asked, "rule": {"kind": "any"}}],
        "separation": ["not_requester"],
    }
    text = text_of(look_for(client, document, "ann"))
    assert "1. one Dan for Bea, who is away – named by the policy Left out: Ann , for the request is theirs." in text


def test_the_look_says_when_the_fallback_is_asked_and_when_nobody_is(client: Client, people: dict[str, User]) -> None:
    document = {"levels": [{"id": "one", "approvers": [{"role": "nobody"}], "rule": {"kind": "any"}}]}
    answer = look_for(client, document, "ann")
    assert '<p class="sf-bad">Nobody would be asked: the request waits for an operator.</p>' in answer.content.decode()
    text = text_of(look_for(client, {**document, "fallback": [{"person": "bea"}]}, "ann"))
    assert "Too few of those named can answer: the fallback is asked. Bea (fallback) – named by the policy" in text


def test_an_earlier_answer_is_said_where_it_would_matter(client: Client, people: dict[str, User]) -> None:
    level = {"approvers": [{"person": "bea"}], "rule": {"kind": "any"}}
    document = {"levels": [{"id": "one", **level}, {"id": "two", **level}], "separation": ["distinct_levels"]}
    assert "2. two Bea – named by the policy; left out if they answer at “one”" in text_of(
        look_for(client, document, "ann")
    )


def test_without_any_request_the_look_says_what_to_do(client: Client) -> None:
    text = text_of(press(client, begin(client, NAMED), "look"))
    assert "There is no request to try it with yet. Describe one below" in text
    assert "None: no published workflow names “board” yet." in text


def test_a_sample_that_makes_no_sense_is_refused_in_words(client: Client, people: dict[str, User]) -> None:
    assert "There is no active person with this user name." in problems_in(look_for(client, NAMED, "zoe"))[0]
    assert "Line 1, column 2" in problems_in(look_for(client, NAMED, "ann", values="{"))[0]
    assert problems_in(look_for(client, NAMED, " ")) == ["Say who asks."]


def test_the_look_at_a_real_request_writes_nothing_and_names_what_is_touched(
    client: Client, people: dict[str, User]
) -> None:
    request = make_request(make_flow(), people["ann"])
    before, events = row_counts(), Event.objects.count()
    page = client.get(f"{ADD}?base={ApprovalPolicyVersion.objects.get().pk}")
    text = text_of(press(client, page, "look", **{"levels-0-comment": "on_any"}))
    assert f"If {request} came to this approval now." in text
    assert "Flow v1 Ask 1 (1 on board v1)" in text
    assert "Publish as board v2" in text
    assert (row_counts(), Event.objects.count(), versions()) == (before, events, [("board", 1)])
