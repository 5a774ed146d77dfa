"""From deliveries to open pages: groups of sockets, and the one `push` that reaches them."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer

from apps.accounts.enums import PersonEvent
from apps.outbox.models import Delivery, Event
from apps.requests.enums import RequestEvent
from apps.requests.models import Request
from apps.requests.selectors.visibility import principals_of
from apps.sla.enums import SlaEvent

ON_LISTS = frozenset(
    {
        RequestEvent.FIRST_RESPONSE,
        RequestEvent.PRIORITY_CHANGED,
        RequestEvent.OWNER_CHANGED,  # told only where a clock may follow whoever holds the request
        RequestEvent.HELD,
        RequestEvent.RESUMED,
        RequestEvent.COMPLETED,
        RequestEvent.REJECTED,
        RequestEvent.CANCELLED,
        RequestEvent.REOPENED,
        SlaEvent.PAUSED,
        SlaEvent.RESUMED,
        SlaEvent.REBASED,
        SlaEvent.MET,
    }
)
_server_loop: asyncio.AbstractEventLoop | None = None
PUSH_TIMEOUT_S = 5


def remember_loop(loop: asyncio.AbstractEventLoop) -> None:
    """The loop that serves sockets in this process. An in-memory layer must be used from it only."""
    global _server_loop
    _server_loop = loop


def push(group: str, message: dict[str, Any]) -> None:
    """Sends a message to every socket of a group, from any thread.

    Over Redis from wherever this runs; in the embedded process on the loop of the sockets: the in-memory layer is not
    thread-safe, a send from another loop arrives seconds late.
    """
    layer = get_channel_layer()
    if not isinstance(layer, InMemoryChannelLayer):
        async_to_sync(layer.group_send)(group, message)
    elif _server_loop is not None and _server_loop.is_running():
        asyncio.run_coroutine_threadsafe(layer.group_send(group, message), _server_loop).result(PUSH_TIMEOUT_S)


def request_group(number: str) -> str:
    return f"request.{number}"


def inbox_group(principal: str) -> str:
    return f"inbox.{principal.replace(':', '.')}"


def person_group(user_id: int) -> str:
    return f"person.{user_id}"


def push_delivery(delivery: Delivery) -> None:
    """Tells the pages that an event concerns: ids and revisions only, the page fetches what changed."""
    event = delivery.event
    if event.type == PersonEvent.ROLES_CHANGED:
        push(person_group(event.data["person"]), {"type": "access.changed"})
        return
    number = Request.objects.filter(pk=event.stream_id).values_list("number", flat=True).first()
    if number is None:
        return
    touched = {"type": "topic.touched", "position": event.position, "revision": event.seq}
    push(request_group(number), {**touched, "topic": f"request:{number}"})
    for principal in sorted({*inbox_principals(event), *listing_principals(event)}):
        push(inbox_group(principal), {**touched, "topic": "inbox"})


def listing_principals(event: Event) -> list[str]:
    """Whose lists show something else now: everybody's who takes part, if the request's state or its clocks changed.

    That a clock was breached their pages see by themselves.
    """
    return principals_of(event.stream_id) if event.type in ON_LISTS else []


def inbox_principals(event: Event) -> list[str]:
    """Whose inbox an event may change: those it asks, offers work to or takes it from, and who acted."""
    data = event.data
    found = {f"user:{seat['user']}" for seat in data.get("seats", [])} | {f"user:{pk}" for pk in data.get("users", [])}
    found |= {f"user:{data['assignee']}"} if data.get("assignee") else set()
    found |= {f"group:{data['group']}"} if data.get("group") else set()
    found |= {event.actor} if event.actor.startswith("user:") else set()
    return sorted(found)
