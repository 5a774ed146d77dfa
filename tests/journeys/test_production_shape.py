"""The walkthrough on the production shape: PostgreSQL, Redis, two web processes, the socket, worker and beat."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import redis
from websockets.sync.client import connect

from serviceflow.walkthrough import REQUESTER, WISH, Walkthrough
from tests.journeys.ledger import broken_rules, read
from tests.journeys.processes import Shape, fresh_database, production_shape, wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.timeout(900)]
STEPS = [
    "request",
    "validation",
    "workflow_selection",
    "state_machine",
    "processing",
    "approvals",
    "sla_tracking",
    "notifications",
    "completion",
]


class InTurn(httpx.BaseTransport):
    """Sends each request to the next web process, as a proxy in front of them would."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self.inner = httpx.HTTPTransport()
        self.urls = itertools.cycle(urls)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = httpx.URL(next(self.urls)).join(request.url.raw_path.decode())
        request.headers["host"] = f"{request.url.host}:{request.url.port}"
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(scope="module")
def shape(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shape]:
    with (
        fresh_database(template=template) as database,
        production_shape(tmp_path_factory.mktemp("production"), database=database) as running,
    ):
        yield running


def walk(shape: Shape) -> dict:
    with httpx.Client(transport=InTurn(shape.webs), base_url=shape.webs[0], timeout=60) as client:
        try:
            return Walkthrough(client=client, pump=lambda: threading.Event().wait(0.2)).run()
        except Exception:
            print(shape.logs())
            raise


def all_delivered(shape: Shape) -> bool:
    waiting = "SELECT count(*) FROM outbox_delivery WHERE status <> 'done'"
    unplaced = "SELECT count(*) FROM outbox_event WHERE position IS NULL"
    return read(shape.database, waiting) == read(shape.database, unplaced) == [(0,)]


@contextmanager
def redis_flushed_all_the_time(url: str) -> Iterator[list[int]]:
    over, flushed = threading.Event(), [0]

    def flush() -> None:
        with redis.Redis.from_url(url) as server:
            while not over.wait(0.1):
                server.flushall()
                flushed[0] += 1

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield flushed
    finally:
        over.set()
        thread.join()


def test_the_walkthrough_passes_on_the_production_shape(shape):
    steps = walk(shape)
    assert list(steps) == STEPS
    assert all(step["events"] for step in steps.values())
    assert steps["state_machine"]["statuses"] == ["submitted", "in_progress", "completed", "archived"]
    wait_until(lambda: all_delivered(shape), seconds=120, what="everything is delivered")
    assert broken_rules(shape.database) == {}


def test_the_walkthrough_passes_while_redis_is_flushed_in_the_middle(shape):
    with redis_flushed_all_the_time(shape.redis) as flushed:
        steps = walk(shape)
    assert steps["completion"]["status"] == "archived"
    assert flushed[0] >= 3
    wait_until(lambda: all_delivered(shape), seconds=120, what="everything is delivered")
    assert broken_rules(shape.database) == {}


def test_an_open_page_hears_through_the_socket_what_another_process_did(shape):
    with httpx.Client(base_url=shape.webs[0], timeout=60) as client:
        person = Walkthrough(client=client, pump=lambda: None)
        number = person.call(REQUESTER, "POST", "/requests/", WISH, expect=201)["number"]
        ticket = person.call(REQUESTER, "POST", "/auth/ws-ticket/", {}, expect=201)["ticket"]
        with connect(f"{shape.socket}?ticket={ticket}") as page:
            page.send(json.dumps({"subscribe": [f"request:{number}"], "after": 0}))
            first = json.loads(page.recv(timeout=60))
            person.call(REQUESTER, "POST", f"/requests/{number}/comments/", {"text": "Is anybody there?"}, expect=201)
            heard = first
            while heard["revision"] <= first["revision"]:
                heard = json.loads(page.recv(timeout=60))
    assert heard["topic"] == f"request:{number}"
    assert heard["position"] > first["position"]


def test_every_process_is_ready(shape):
    wait_until(lambda: all_delivered(shape), seconds=120, what="everything is delivered")
    for url in shape.webs:
        assert httpx.get(f"{url}/readyz", timeout=60).json() == {
            "ready": True,
            "checks": {"database": "ok", "migrations": "ok", "broker": "ok", "relay": "ok"},
        }
