from django.apps import AppConfig


class SLAConfig(AppConfig):
    name = "apps.sla"
    label = "sla"
    verbose_name = "SLA"

    def ready(self) -> None:
        """New SLA policies are logged."""
        from auditlog.registry import auditlog  # noqa: PLC0415 - it needs the loaded apps

        from apps.sla.models import SlaPolicyVersion  # noqa: PLC0415 - models are there only now

        auditlog.register(SlaPolicyVersion)
