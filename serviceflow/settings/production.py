"""PostgreSQL, Redis, HTTPS. A missing variable stops the start and names itself."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from whitenoise.compress import Compressor

from serviceflow.settings.base import *  # noqa: F403 - base is the whole truth
from serviceflow.settings.base import database_from_url, flag
from serviceflow.settings.environment import required

SECRET_KEY = required("SECRET_KEY", "the key that signs sessions and tokens (50 random characters)")
AUDIT_KEYS = required("AUDIT_KEYS", "the keys of the audit chain as id:base64, the last one signs")
DATA_KEYS = required("DATA_KEYS", "the keys that seal secrets as id:base64, the last one seals")
required("ALLOWED_HOSTS", "the host names that are served, separated by commas")
DATABASES = {"default": database_from_url(required("DATABASE_URL", "the PostgreSQL database"))}
REDIS_URL = required("REDIS_URL", "the Redis server that wakes workers and carries pushes")

if not DATABASES["default"]["ENGINE"].endswith("postgresql"):
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database: SQLite serves one process only.")

BEHIND_HTTPS = flag("BEHIND_HTTPS", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SECURE_SSL_REDIRECT = False  # the proxy in front redirects
SESSION_COOKIE_SECURE = BEHIND_HTTPS
CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_HSTS_SECONDS = 31536000 if BEHIND_HTTPS else 0
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "serviceflow.storage.StaticStorage"},
}
# Source maps are half of all bytes, and only developers ask for them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
