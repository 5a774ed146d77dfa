"""One embedded process for a first look: SQLite, an in-memory broker and channel layer, mail to the log."""

from __future__ import annotations

import secrets

from serviceflow.settings.base import *  # noqa: F403 - base is the whole truth
from serviceflow.settings.base import STATIC_ROOT, VAR_DIR
from serviceflow.settings.environment import flag, number, text


def kept_secret() -> str:
    """The demonstration's own secret key, made once and kept in `var/`, readable by its owner only."""
    path = VAR_DIR / "secret_key"
    if not path.exists():
        VAR_DIR.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text().strip()


SECRET_KEY = text("SECRET_KEY") or kept_secret()
EMBEDDED = True
OUTGOING_ALLOW_HTTP = flag("OUTGOING_ALLOW_HTTP", default=True)
EMAIL_BACKEND = text("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = VAR_DIR / "mail"
WHITENOISE_USE_FINDERS = True
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.E003", "django_ratelimit.W001"]  # LocMem is shared by one process
RELAY_EVERY_SECONDS = number("RELAY_EVERY_SECONDS", 1.0)
LOGGING = {"level": text("LOG_LEVEL", "ERROR"), "json": False}
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise serves the sources themselves, but looks here too
