"""The event types this app writes itself."""

from enum import StrEnum


class IncidentEvent(StrEnum):
    OPENED = "incident.opened"
    RESOLVED = "incident.resolved"
