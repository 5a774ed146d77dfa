from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.conf import settings
from django.test import Client

from apps.accounts.models import User
from apps.outbox.relay import run_relay
from serviceflow.asgi import application
from tests.requests.conftest import world

__all__ = ["world"]
HOST = "testserver"
HERE = f"http://{HOST}"
PATIENCE_S = 30
"""How long an answer may take: a machine may be slow, so this bounds only a wait in vain."""
ADVICE = {"error": 'Send {"subscribe": [topics], "after": position}.'}


class Page(ApplicationCommunicator):
    """An open page with its socket, in the words of ASGI (channels' own communicator needs daphne)."""

    def __init__(self, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        place, _, query = path.partition("?")
        scope = {"type": "websocket", "path": place, "query_string": query.encode(), "headers": headers}
        super().__init__(application, {**scope, "subprotocols": []})

    async def connect(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(timeout=PATIENCE_S))["type"] == "websocket.accept"

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=PATIENCE_S)

    async def say(self, text: str | None = None, *, raw: bytes | None = None) -> None:
        await self.send_input({"type": "websocket.receive", "text": text, "bytes": raw})

    async def follow(self, *topics: str, **more: Any) -> None:
        await self.say(json.dumps({"subscribe": list(topics), **more}))

    async def hear(self) -> Any:
        """The next message."""
        output = await self.receive_output(timeout=PATIENCE_S)
        assert output["type"] == "websocket.send", output
        return json.loads(output["text"])

    async def settle(self) -> list[Any]:
        """Waits until the server has worked through all that was said so far; what was heard meanwhile.

        It takes one message after the other, so its advice on one that says nothing comes after all it did before.
        """
        await self.say("")
        heard = [await self.hear()]
        while heard[-1] != ADVICE:
            heard.append(await self.hear())
        return heard[:-1]

    async def hears_nothing(self, seconds: float = 0.15) -> bool:
        return bool(await self.receive_nothing(timeout=seconds))

    async def closed(self) -> int:
        """The code with which the server closes, whatever it said before."""
        while True:
            output = await self.receive_output(timeout=PATIENCE_S)
            if output["type"] == "websocket.close":
                return int(output["code"])


def cookie_of(person: User) -> str:
    browser = Client()
    browser.force_login(person)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


@asynccontextmanager
async def socket(*, person: User | None = None, origin: str | None = HERE, ticket: str = "") -> AsyncIterator[Page]:
    """A socket with the session of a person, or with a ticket, from a page of `origin`."""
    headers = [(b"host", HOST.encode())]
    headers += [(b"origin", origin.encode())] if origin is not None else []
    headers += [(b"cookie", (await database_sync_to_async(cookie_of)(person)).encode())] if person else []
    page = Page(f"/ws/?ticket={ticket}" if ticket else "/ws/", headers)
    await page.connect()
    try:
        yield page
    finally:
        await page.leave()


async def do(act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A service, as another process would call it, and the relay after it."""
    answer = await database_sync_to_async(act)(*args, **kwargs)
    await database_sync_to_async(run_relay)()
    return answer
