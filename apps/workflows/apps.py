from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "apps.workflows"
    label = "workflows"

    def ready(self) -> None:
        """Changes of workflows are logged field by field, of secrets only that they changed."""
        from auditlog.registry import auditlog  # noqa: PLC0415 - it needs the loaded apps

        from apps.workflows.models import Secret, Workflow, WorkflowVersion  # noqa: PLC0415 - models are there only now

        auditlog.register(Workflow, exclude_fields=["stream"])
        auditlog.register(WorkflowVersion)
        auditlog.register(Secret, mask_fields=["sealed"])
