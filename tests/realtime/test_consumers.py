from __future__ import annotations

import json
import time

import pytest
from channels.db import database_sync_to_async

from apps.accounts.models import User
from apps.accounts.services import issue_ticket, set_lead, set_members, tell_access_changed
from apps.approvals.models import Approval
from apps.outbox.models import Event
from apps.outbox.relay import run_relay
from apps.outbox.selectors import feed_position
from apps.realtime import consumers
from apps.requests.models import Request
from apps.requests.services.comments import add_comment
from apps.requests.services.decisions import record_decision
from tests.factories import make_request
from tests.realtime.conftest import ADVICE, do, socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
NOT_LOGGED_IN, FOREIGN, TOO_FAST = 4401, 4403, 4429


async def asked(world) -> Request:
    """A request of the requester's; the relay has told of it."""
    return await do(make_request, world.item, world.requester)


async def comment(request: Request, person: User, text: str = "hello") -> None:
    await do(add_comment, request, text=text, actor=person)


async def position() -> int:
    return await database_sync_to_async(feed_position)()


async def revision(request: Request) -> int:
    newest = await database_sync_to_async(Event.objects.filter(stream_id=request.pk).latest)("seq")
    return newest.seq


async def leave(person: User) -> None:
    await database_sync_to_async(User.objects.filter(pk=person.pk).update)(is_active=False)


async def test_without_a_session_the_socket_is_closed():
    async with socket() as page:
        assert await page.closed() == NOT_LOGGED_IN


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://testserver.evil.example",
        "http://testserver:81",
        "null",
        "",
        None,
        "http://[",
        "://",
    ],
)
async def test_a_session_from_a_page_of_another_origin_opens_nothing(world, origin):
    async with socket(person=world.requester, origin=origin) as page:
        assert await page.closed() == FOREIGN


async def test_a_person_who_left_opens_nothing_with_an_old_session(world):
    async with socket(person=world.requester) as page:
        await leave(world.requester)
        await page.follow("inbox")
        assert await page.closed() == NOT_LOGGED_IN


async def test_a_ticket_opens_the_socket_once_from_anywhere(world):
    ticket = await database_sync_to_async(issue_ticket)(world.requester)
    async with socket(ticket=ticket, origin="https://other.example") as page:
        await page.follow("inbox", after=0)
        assert (await page.hear())["topic"] == "inbox"
    async with socket(ticket=ticket) as page:
        assert await page.closed() == NOT_LOGGED_IN


async def test_a_wrong_ticket_is_not_mended_by_a_session(world):
    async with socket(ticket="%00wrong", person=world.requester) as page:
        assert await page.closed() == NOT_LOGGED_IN


async def test_a_page_hears_that_its_request_was_touched(world):
    request = await asked(world)
    topic = f"request:{request.number}"
    async with socket(person=world.requester) as page:
        await page.follow(topic)
        assert await page.settle() == []
        await comment(request, world.administrator)
        assert await page.hear() == {"position": await position(), "topic": topic, "revision": await revision(request)}
        assert await page.hears_nothing()


async def test_several_pages_hear_the_same_and_a_closed_one_stops_nobody(world):
    request = await asked(world)
    topic = f"request:{request.number}"
    async with socket(person=world.requester) as page, socket(person=world.manager) as other:
        async with socket(person=world.requester) as closed:
            await closed.follow(topic)
        await page.follow(topic)
        await other.follow(topic)
        assert await page.settle() == await other.settle() == []
        await comment(request, world.requester)
        assert await page.hear() == await other.hear()


@pytest.mark.parametrize("name", ["request:{number}", "request:SR-0000-000000", "request:", "team:7", "", "x", "ключ"])
async def test_what_one_may_not_see_ends_at_once_and_sounds_like_what_is_not_there(world, name):
    request = await asked(world)
    topic = name.format(number=request.number)
    async with socket(person=world.stranger) as page:
        await page.follow(topic)
        assert await page.hear() == {"ended": topic}
        await comment(request, world.requester)
        assert await page.hears_nothing()


async def test_a_page_that_comes_back_is_told_once_of_what_it_missed(world):
    request = await asked(world)
    topic, before = f"request:{request.number}", await position()
    await comment(request, world.requester)
    await comment(request, world.requester)
    async with socket(person=world.requester) as page:
        await page.follow(topic, after=before)
        assert await page.hear() == {"position": await position(), "topic": topic, "revision": await revision(request)}
        assert await page.hears_nothing()
    async with socket(person=world.requester) as page:
        await page.follow(topic, after=await position())
        assert await page.settle() == []


async def test_what_is_not_in_the_feed_yet_counts_as_missed(world):
    request = await asked(world)
    topic, before = f"request:{request.number}", await position()
    await database_sync_to_async(add_comment)(request, text="unplaced", actor=world.requester)
    async with socket(person=world.requester) as page:
        await page.follow(topic, after=before)
        assert await page.hear() == {"position": before, "topic": topic, "revision": await revision(request)}


async def test_an_inbox_hears_what_it_is_asked_at_most_once_a_second_and_the_last_is_never_lost(world):
    async with socket(person=world.manager) as page:
        await page.follow("inbox")
        assert await page.settle() == []
        for _ in range(4):
            await database_sync_to_async(make_request)(world.item, world.requester)
        begun = time.monotonic()
        await database_sync_to_async(run_relay)()
        opened = Event.objects.filter(type="approval.level_opened").order_by("position")
        positions = [event.position async for event in opened]
        assert len(positions) == 4
        heard = [await page.hear()]
        while heard[-1]["position"] != positions[-1]:
            heard.append(await page.hear())
        assert time.monotonic() - begun >= len(heard) - 1  # that many seconds lie between that many messages
        assert (heard[0]["topic"], heard[0]["position"]) == ("inbox", positions[0])
        assert await page.hears_nothing(1.2)


async def test_a_team_hears_of_its_work(world):
    request = await asked(world)
    async with socket(person=world.worker) as page:
        await page.follow("inbox")
        assert await page.settle() == []
        approval = await Approval.objects.aget(stream_id=request.pk)
        await do(record_decision, approval, verdict="approve", actor=world.manager)
        assert (await page.hear())["topic"] == "inbox"


async def test_who_leaves_the_team_hears_its_requests_no_more(world):
    request = await asked(world)
    approval = await Approval.objects.aget(stream_id=request.pk)
    await do(record_decision, approval, verdict="approve", actor=world.manager)
    topic = f"request:{request.number}"
    async with socket(person=world.worker) as page, socket(person=world.senior) as other:
        for one in (page, other):
            await one.follow(topic)
            assert await one.settle() == []
        team = await database_sync_to_async(lambda: world.lead.leads.get())()
        await do(set_members, team, members=[world.senior, world.lead], actor=world.administrator)
        assert await page.hear() == {"ended": topic}
        await comment(request, world.requester)
        assert (await other.hear())["topic"] == topic
        assert await page.hears_nothing()


async def test_a_lead_who_is_no_member_hears_of_the_team_until_another_leads_it(world):
    request = await asked(world)
    approval = await Approval.objects.aget(stream_id=request.pk)
    await do(record_decision, approval, verdict="approve", actor=world.manager)
    team = await database_sync_to_async(lambda: world.lead.leads.get())()
    await do(set_lead, team, lead=world.stranger, actor=world.administrator)
    topic = f"request:{request.number}"
    async with socket(person=world.stranger) as page:
        await page.follow(topic)
        assert await page.hears_nothing()
        await comment(request, world.requester)
        assert (await page.hear())["topic"] == topic
        await do(set_lead, team, lead=world.lead, actor=world.administrator)
        assert await page.hear() == {"ended": topic}


async def test_who_keeps_the_right_goes_on_after_a_change_of_access(world):
    request = await asked(world)
    topic = f"request:{request.number}"
    async with socket(person=world.requester) as page:
        await page.follow(topic)
        assert await page.settle() == []
        await do(tell_access_changed, world.requester, actor=world.administrator)
        assert (await page.hear())["topic"] == topic
        await comment(request, world.requester)
        assert (await page.hear())["revision"] == await revision(request)


async def test_who_is_deactivated_is_thrown_out_of_the_open_page(world):
    async with socket(person=world.requester) as page:
        await page.follow("inbox")
        assert await page.settle() == []
        await leave(world.requester)
        await do(tell_access_changed, world.requester, actor=world.administrator)
        assert await page.closed() == NOT_LOGGED_IN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "7",
        "null",
        "NaN",
        "{}",
        '{"subscribe": "inbox"}',
        '{"subscribe": [7]}',
        '{"subscribe": [["inbox"]]}',
        '{"subscribe": ["inbox"], "after": "1"}',
        '{"subscribe": ["inbox"], "after": true}',
        '{"subscribe": ["inbox"], "after": 1.5}',
        '{"subscribe": ["inbox"], "after": 1e400}',
        '{"subscribe": ["inbox"], "after": 99999999999999999999}',
        '{"subscribe": ["request:\\u0000"]}',
        '{"subscribe": ["request:\\ud800"]}',
        json.dumps({"subscribe": ["x" * 101]}),
        json.dumps({"subscribe": ["inbox"] * 51}),
        "[" * 9_999,
        '{"subscribe":' * 700,
        "9" * 9_000,
        " " * 10_001,
    ],
    ids=lambda text: text[:40],
)
async def test_a_message_that_does_not_fit_is_answered_and_the_socket_goes_on(world, text):
    async with socket(person=world.requester) as page:
        await page.say(text)
        assert await page.hear() == ADVICE
        await page.follow("inbox", after=0)
        assert (await page.hear())["topic"] == "inbox"


async def test_bytes_are_answered_too(world):
    async with socket(person=world.requester) as page:
        await page.say(raw=b"\xff\x00")
        assert await page.hear() == ADVICE


@pytest.mark.parametrize("after", [-1, 0, 2**62 - 1])
async def test_any_position_is_a_place_to_go_on_from(world, after):
    request = await asked(world)
    topic = f"request:{request.number}"
    async with socket(person=world.requester) as page:
        await page.follow(topic, after=after)
        assert [message["topic"] for message in await page.settle()] == ([] if after > 0 else [topic])


async def test_a_socket_that_talks_too_much_is_closed(world, monkeypatch):
    monkeypatch.setattr(consumers, "PER_SECOND", 0.0)
    async with socket(person=world.requester) as page:
        for _ in range(21):
            await page.say("x")
        assert await page.closed() == TOO_FAST


async def test_a_bucket_holds_twenty_and_five_more_come_each_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(consumers.time, "monotonic", lambda: now[0])
    bucket = consumers.Bucket()
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]
    now[0] += 1.2
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    now[0] += 1000
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]


async def test_a_socket_follows_fifty_topics_and_not_one_more(world, monkeypatch):
    monkeypatch.setattr(consumers, "MOST_TOPICS", 1)
    request = await asked(world)
    async with socket(person=world.requester) as page:
        await page.follow("inbox")
        await page.follow(f"request:{request.number}")
        assert await page.hear() == {"ended": f"request:{request.number}"}
        await page.follow("inbox", after=0)
        assert (await page.hear())["topic"] == "inbox"
