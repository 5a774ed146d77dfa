from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Changes of people, teams and roles are logged field by field, but for passwords and log-ins."""
        from auditlog.registry import auditlog  # noqa: PLC0415 - it needs the loaded apps
        from django.contrib.auth.models import Group  # noqa: PLC0415 - models are there only now

        from apps.accounts.models import Team, User  # noqa: PLC0415 - models are there only now

        auditlog.register(
            User, exclude_fields=["password", "last_login", "stream"], m2m_fields={"groups", "user_permissions"}
        )
        auditlog.register(Team, exclude_fields=["group"])
        auditlog.register(Group, m2m_fields={"permissions"})
