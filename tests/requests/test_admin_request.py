"""The staff's list of requests: how long there is, of the clock that is due first."""

from __future__ import annotations

import re

import pytest

from apps.requests.admin.request import RequestAdmin
from apps.requests.models import Request
from apps.requests.services.lifecycle import hold_request
from apps.sla.models import SlaClock
from tests.core.admin_pages import address, admin_client
from tests.factories import approval_document, make_item, make_request, make_workflow
from tests.requests.conftest import World

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
TIME_LEFT = re.compile(r'<td class="[^"]*field-time_left[^"]*"[^>]*>(.*?)</td>', re.DOTALL)


def times_left(page: str) -> list[str]:
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in TIME_LEFT.findall(page)]


def test_the_list_says_how_long_there_is_and_is_sorted_by_it(world: World) -> None:
    held = make_request(world.item, world.requester)
    hold_request(held, reason="Wait", actor=world.administrator)
    make_request(world.item, world.requester)
    make_request(make_item("free", workflow=make_workflow(approval_document("free"))), world.requester)
    client, place = admin_client()[0], RequestAdmin.list_display.index("time_left")
    pages = [client.get(address(Request, "changelist"), {"o": order}) for order in (place, f"-{place}")]
    soonest, latest = (times_left(page.content.decode()) for page in pages)
    assert (soonest, latest) == (
        ["59 min left", "–", "clock stands still"],
        ["–", "clock stands still", "59 min left"],
    )


def test_what_runs_down_on_the_open_list_is_when_it_is_due(world: World) -> None:
    request = make_request(world.item, world.requester)
    due = SlaClock.objects.get(stream_id=request.pk, metric="response").due_at
    page = admin_client()[0].get(address(Request, "changelist")).content.decode()
    assert re.findall(r'data-left datetime="([^"]+)"', page) == [due.isoformat()]
    assert re.search(r'<script src="[^"]*portal/js/time_left[^"]*" type="module">', page)
