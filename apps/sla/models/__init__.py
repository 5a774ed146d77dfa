from apps.sla.models.clock import SlaClock
from apps.sla.models.policy import SlaPolicyVersion

__all__ = ["SlaClock", "SlaPolicyVersion"]
