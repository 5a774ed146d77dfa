from apps.outbox.models.delivery import Delivery
from apps.outbox.models.event import Event, FeedHead
from apps.outbox.models.incident import Incident
from apps.outbox.models.note import Note
from apps.outbox.models.stream import Stream

__all__ = ["Delivery", "Event", "FeedHead", "Incident", "Note", "Stream"]
