from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "apps.approvals"
    label = "approvals"

    def ready(self) -> None:
        """New approval policies are logged."""
        from auditlog.registry import auditlog  # noqa: PLC0415 - it needs the loaded apps

        from apps.approvals.models import ApprovalPolicyVersion  # noqa: PLC0415 - models are there only now

        auditlog.register(ApprovalPolicyVersion)
