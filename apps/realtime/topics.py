"""What a socket may follow, and what it missed."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.models import User
from apps.core.errors import NotVisible
from apps.outbox.models import Event
from apps.outbox.selectors import feed_position
from apps.realtime.groups import inbox_group, request_group
from apps.requests.selectors import get_request_for

INBOX = "inbox"


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic that the person may follow: its name, the groups behind it, and the stream if it is one request."""

    name: str
    groups: tuple[str, ...]
    stream_id: int | None = None

    @property
    def is_list(self) -> bool:
        """Lists are coalesced and always count as touched."""
        return self.stream_id is None


def open_topic(user: User, name: str) -> Topic:
    """The topic, if this person may follow it: the same door as for the pages. Raises NotVisible."""
    kind, _, rest = name.partition(":")
    if name == INBOX:
        return Topic(name=name, groups=tuple(inbox_group(principal) for principal in user.principals))
    if kind == "request":
        request = get_request_for(user, rest)
        return Topic(name=name, groups=(request_group(request.number),), stream_id=request.pk)
    raise NotVisible


def missed(topic: Topic, *, after: int) -> dict[str, object] | None:
    """The one message for a topic that was touched since a feed position; a list counts as touched."""
    if topic.stream_id is None:
        return {"position": feed_position(), "topic": topic.name, "revision": 0}
    last = Event.objects.filter(stream_id=topic.stream_id).order_by("-seq").first()
    if last is None or (last.position is not None and last.position <= after):
        return None
    return {"position": last.position or after, "topic": topic.name, "revision": last.seq}
