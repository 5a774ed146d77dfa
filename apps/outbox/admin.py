"""Streams and what is in them: read-only, but for putting a dead delivery back in line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from apps.core.admin import ReadOnlyAdmin, ReadOnlyInline
from apps.core.admin_parts import BAD, GOOD, WAITING, as_code, badge, link_to, link_to_actor, verdict
from apps.core.crypto import audit_ring
from apps.outbox import relay
from apps.outbox.chain import event_hash, first_broken
from apps.outbox.models import Delivery, Event, Incident, Note, Stream


def owner_of(stream: Stream) -> models.Model | None:
    """What the stream belongs to: its kind is the name of the one row that points at it."""
    owner: models.Model | None = getattr(stream, stream.kind, None)
    return owner


class OfStreamAdmin(ReadOnlyAdmin):
    """Rows of a stream: each names and links what the stream belongs to, in the list's own statement."""

    list_select_related: Sequence[str] = tuple(f"stream__{kind}" for kind in Stream.Kind.values)

    @display(description="belongs to", ordering="stream_id")
    def owner(self, row: Any) -> str:
        return link_to(owner_of(row.stream))

    @display(description="stream")
    def stream_link(self, row: Any) -> str:
        return link_to(row.stream)


class EventInline(ReadOnlyInline):
    model = Event
    fields = ("page", "seq", "type", "actor", "role", "at", "position")
    ordering = ("seq",)


class IncidentInline(ReadOnlyInline):
    model = Incident
    fields = ("page", "kind", "detail", "status", "opened_at", "resolved_at")


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "kind", "owner", "last_seq")
    list_filter = ("kind",)
    list_select_related = tuple(Stream.Kind.values)
    search_fields = ("=id",)
    search_help_text = "The stream's number"
    fields = ("kind", "owner", "last_seq", "chain", "head")
    inlines = (IncidentInline, EventInline)

    @display(description="belongs to")
    def owner(self, stream: Stream) -> str:
        return link_to(owner_of(stream))

    @display(description="newest hash")
    def head(self, stream: Stream) -> str:
        return bytes(stream.last_hash).hex()

    @display(description="chain of events")
    def chain(self, stream: Stream) -> str:
        """Every event of the stream is verified each time the page is read."""
        events = list(stream.events.order_by("seq"))
        problem = chain_problem(stream, events)
        return verdict(problem or f"All {len(events)} events verify, up to the newest hash.", good=not problem)


def chain_problem(stream: Stream, events: list[Event]) -> str:
    """Why the stream's events cannot be the whole of what was written, or an empty text."""
    try:
        broken = first_broken(events, ring=audit_ring())
    except KeyError as unknown:
        return f"The key {unknown} of the audit chain is not set: the events signed with it cannot be verified."
    if broken:
        return f"Event {broken.seq} ({broken.type}) does not verify."
    newest = events[-1] if events else None
    seq, head = (newest.seq, bytes(newest.hash)) if newest else (0, b"")
    if events and events[0].seq != 1:
        return f"The events before {events[0].seq} are missing."
    if (seq, head) != (stream.last_seq, bytes(stream.last_hash)):
        return f"The newest events are missing: the stream counts {stream.last_seq}."
    return ""


@admin.register(Event)
class EventAdmin(OfStreamAdmin):
    list_display = ("type", "owner", "seq", "actor", "role", "at", "position")
    list_filter = ("stream__kind", "at")
    search_fields = ("type", "=actor")
    search_help_text = "An event type, or an actor such as user:7"
    fields = (
        "type", "version", "owner", "stream_link", "seq", "position", "at", "acted_by", "role", "data_text",
        "verification", "hash_text", "prev_hash_text", "key_id",
    )  # fmt: skip

    @display(description="actor")
    def acted_by(self, event: Event) -> str:
        return link_to_actor(event.actor)

    @display(description="data")
    def data_text(self, event: Event) -> str:
        return as_code(event.data)

    @display(description="hash")
    def hash_text(self, event: Event) -> str:
        return bytes(event.hash).hex()

    @display(description="hash of the event before")
    def prev_hash_text(self, event: Event) -> str:
        return bytes(event.prev_hash).hex() or "none: this is the first"

    @display(description="verification")
    def verification(self, event: Event) -> str:
        problem = event_problem(event)
        return verdict(problem or "The hash covers what is stored here, and the event before.", good=not problem)


def event_problem(event: Event) -> str:
    """Why the event's hash does not vouch for it, or an empty text. Two statements at most."""
    ring = audit_ring()
    if event.key_id not in ring.keys:
        return f"The key {event.key_id!r} of the audit chain is not set: this cannot be verified."
    if bytes(event.hash) != event_hash(event, ring=ring):
        return "The hash does not fit what is stored here: the event was changed."
    before = Event.objects.filter(stream_id=event.stream_id, seq=event.seq - 1).first()
    if bytes(event.prev_hash) != (bytes(before.hash) if before else b""):
        return "The event before is not the one that this event was written after."
    return ""


@admin.register(Note)
class NoteAdmin(OfStreamAdmin):
    """Texts belong to the people of a request: here one sees that they exist, not what they say."""

    list_display = ("__str__", "owner")
    fields = ("owner", "stream_link", "hidden_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Note]:
        rows: QuerySet[Note] = super().get_queryset(request).defer("text", "salt")
        return rows

    @display(description="text")
    def hidden_text(self, note: Note) -> str:
        return "Hidden. The request's own page shows it to whoever may read it."


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "subscriber", "event_link", "status_badge", "attempts", "next_at", "last_error")
    list_filter = ("status",)
    list_select_related = ("event",)
    search_fields = ("subscriber", "event__type")
    search_help_text = "A subscriber such as email:7, or an event type"
    actions = ("deliver_again",)
    fields = (
        "event_link", "subscriber", "position", "status", "attempts", "next_at", "leased_until", "fence", "last_error",
    )  # fmt: skip
    status_badge = badge("status", {"pending": WAITING, "done": GOOD, "dead": BAD})

    @display(description="event")
    def event_link(self, delivery: Delivery) -> str:
        return link_to(delivery.event)

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("outbox.change_delivery"))

    @admin.action(description="Deliver again (dead ones)", permissions=["redeliver"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        who = f"user:{request.user.pk}"
        again = sum(relay.redeliver(pk, actor=who) for pk in queryset.values_list("pk", flat=True))
        if again:
            messages.success(request, f"{again} put back in line, with fresh attempts.")
        else:
            messages.warning(request, "None of these is dead: nothing was changed.")
