"""The socket: pages say what they follow, and hear when it was touched."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from apps.accounts.models import User
from apps.accounts.services import redeem_ticket
from apps.core.errors import NotPermitted, NotVisible
from apps.core.text import text_problem
from apps.realtime.groups import person_group, remember_loop
from apps.realtime.topics import Topic, missed, open_topic

MOST_TOPICS = 50
MOST_CHARACTERS = 10_000
LONGEST_NAME = 100
BURST, PER_SECOND = 20.0, 5.0
LIST_PAUSE_S = 1.0
NOT_LOGGED_IN, FOREIGN_ORIGIN, TOO_FAST = 4401, 4403, 4429


class Bucket:
    """A token bucket: 20 messages at once, then 5 a second."""

    def __init__(self) -> None:
        self.tokens, self.at = BURST, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.tokens, self.at = min(BURST, self.tokens + (now - self.at) * PER_SECOND), now
        self.tokens -= 1
        return self.tokens >= 0


class FeedConsumer(AsyncWebsocketConsumer):
    """Client: `{"subscribe": ["request:SR-2026-000123", "inbox"], "after": 1234}`.

    Pushes keep the order of each topic only, so for several topics every one counts as touched since `after`.
    Server: `{"position", "topic", "revision"}` whenever a topic is touched (lists at most once a second), once per
    topic touched since `after`, and `{"ended": topic}` when the right to follow it was lost or never there.
    """

    user: User

    async def connect(self) -> None:
        remember_loop(asyncio.get_running_loop())
        self.topics: dict[str, Topic] = {}
        self.bucket = Bucket()
        self.last_sent: dict[str, float] = {}
        self.delayed: dict[str, asyncio.Task[None]] = {}
        self.waiting: dict[str, dict[str, Any]] = {}
        user, refusal = await self._who()
        await self.accept()
        if user is None:
            await self.close(code=refusal)
            return
        self.user = user
        await self.channel_layer.group_add(person_group(user.pk), self.channel_name)

    async def disconnect(self, code: int) -> None:
        for task in getattr(self, "delayed", {}).values():
            task.cancel()
        for name in list(getattr(self, "topics", {})):
            await self._leave(name)
        if hasattr(self, "user"):
            await self.channel_layer.group_discard(person_group(self.user.pk), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.bucket.take():
            await self.close(code=TOO_FAST)
            return
        wanted, after = _parse(text_data)
        if wanted is None:
            await self._send({"error": 'Send {"subscribe": [topics], "after": position}.'})
            return
        if not (await self._fresh_user()).is_active:
            await self.close(code=NOT_LOGGED_IN)
            return
        for name in wanted:
            await self._follow(name, after if after is None or len(wanted) == 1 else 0)

    async def _who(self) -> tuple[User | None, int]:
        """The person of the ticket or of the session, or the code of the refusal."""
        tickets = parse_qs(self.scope["query_string"].decode("latin-1")).get("ticket")
        if tickets:
            try:
                return await database_sync_to_async(redeem_ticket)(tickets[0]), 0
            except NotPermitted:
                return None, NOT_LOGGED_IN
        if not _same_origin(self.scope):
            return None, FOREIGN_ORIGIN
        user = self.scope.get("user")
        known = user is not None and user.is_authenticated and user.is_active
        return (user, 0) if known else (None, NOT_LOGGED_IN)

    async def _follow(self, name: str, after: int | None) -> None:
        if name not in self.topics and len(self.topics) >= MOST_TOPICS:
            await self._send({"ended": name})
            return
        try:
            topic = await database_sync_to_async(open_topic)(self.user, name)
        except NotVisible:
            await self._send({"ended": name})
            return
        self.topics[name] = topic
        for group in topic.groups:
            await self.channel_layer.group_add(group, self.channel_name)
        if after is not None:
            message = await database_sync_to_async(missed)(topic, after=after)
            if message:
                await self._send(message)

    async def _leave(self, name: str) -> None:
        for group in self.topics.pop(name).groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def _fresh_user(self) -> User:
        """Roles and teams are cached on the instance, so rights are asked with a new one."""
        self.user = await database_sync_to_async(User.objects.get)(pk=self.user.pk)
        return self.user

    async def topic_touched(self, message: dict[str, Any]) -> None:
        """A group was pushed to."""
        name = message["topic"]
        topic = self.topics.get(name)
        if topic is None:
            return
        out = {key: message[key] for key in ("position", "topic", "revision")}
        if topic.is_list:
            await self._send_paced(name, out)
        else:
            await self._send(out)

    async def access_changed(self, message: dict[str, Any]) -> None:
        """The person's roles or teams changed: every topic is asked for again; what is lost ends."""
        user = await self._fresh_user()
        if not user.is_active:
            await self.close(code=NOT_LOGGED_IN)
            return
        for name in list(self.topics):
            await self._leave(name)
            await self._follow(name, after=0)

    async def _send_paced(self, name: str, message: dict[str, Any]) -> None:
        """Lists change often: at most one message a second, the last one is never dropped."""
        wait = self.last_sent.get(name, 0.0) + LIST_PAUSE_S - time.monotonic()
        if wait <= 0:
            self.last_sent[name] = time.monotonic()
            await self._send(message)
            return
        planned = name in self.waiting
        self.waiting[name] = message
        if not planned:
            self.delayed[name] = asyncio.create_task(self._send_later(name, wait))

    async def _send_later(self, name: str, wait: float) -> None:
        await asyncio.sleep(wait)
        message = self.waiting.pop(name)
        if name in self.topics:
            self.last_sent[name] = time.monotonic()
            await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(message))


def _parse(text: str | None) -> tuple[list[str] | None, int | None]:
    try:
        message = json.loads(text or "") if len(text or "") <= MOST_CHARACTERS else None
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(message, dict):
        return None, None
    wanted, after = message.get("subscribe"), message.get("after")
    fits = isinstance(wanted, list) and len(wanted) <= MOST_TOPICS and all(_is_name(name) for name in wanted)
    known_after = after is None or (isinstance(after, int) and not isinstance(after, bool) and abs(after) < 2**62)
    return (wanted, after) if fits and known_after else (None, None)


def _is_name(name: object) -> bool:
    return text_problem(name, max_length=LONGEST_NAME) is None


def _same_origin(scope: dict[str, Any]) -> bool:
    """A browser sends Origin with every socket; a cookie from a page of another origin opens nothing."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    return host != "" and headers.get(b"origin", "").partition("://")[2] == host
