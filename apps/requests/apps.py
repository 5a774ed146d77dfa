from django.apps import AppConfig


class RequestsConfig(AppConfig):
    name = "apps.requests"
    label = "requests"

    def ready(self) -> None:
        """Changes of the catalogue are logged field by field."""
        from auditlog.registry import auditlog  # noqa: PLC0415 - it needs the loaded apps

        from apps.requests.models import CatalogItem, FormVersion, SelectionRule  # noqa: PLC0415 - they are there only now

        auditlog.register(CatalogItem, m2m_fields={"audience"})
        auditlog.register(SelectionRule)
        auditlog.register(FormVersion)
