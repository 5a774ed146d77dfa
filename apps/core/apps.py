from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from apps.core.crypto import audit_ring
from apps.core.errors import Misconfigured


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        """Wrong AUDIT_KEYS stop the start, not the first write."""
        try:
            audit_ring()
        except Misconfigured as error:
            raise ImproperlyConfigured(error.detail) from error
