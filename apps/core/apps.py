from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured

from apps.core.crypto import audit_ring, data_ring
from apps.core.errors import Misconfigured
from apps.core.outgoing import allowed_networks


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        """Wrong AUDIT_KEYS, DATA_KEYS or OUTGOING_ALLOWED_ADDRESSES stop the start, not the first use."""
        try:
            audit_ring()
            data_ring()
            allowed_networks()
        except Misconfigured as error:
            raise ImproperlyConfigured(error.detail) from error
