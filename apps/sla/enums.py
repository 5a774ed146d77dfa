"""The states of an SLA clock; each member carries a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class ClockStatus(models.TextChoices):
    RUNNING = "running", "time is running"
    PAUSED = "paused", "stands still"
    MET = "met", "done in time"
    BREACHED = "breached", "not done in time"
    VOID = "void", "no longer measured"


class SlaEvent(StrEnum):
    """What is told of a clock."""

    STARTED = "sla.started"
    PAUSED = "sla.paused"
    RESUMED = "sla.resumed"
    WARNED = "sla.warned"
    BREACHED = "sla.breached"
    ESCALATED = "sla.escalated"
    REBASED = "sla.rebased"
    MET = "sla.met"
    VOIDED = "sla.voided"
