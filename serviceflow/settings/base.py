"""The whole truth about the settings; `demo`, `production` and `test` only say what differs.

Every value that a site may want to change comes from the environment; README.md has the table.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from pathlib import Path

from kombu import Queue

from serviceflow.admin_menu import SIDEBAR
from serviceflow.settings.databases import database_from_url
from serviceflow.settings.environment import flag, number, text, whole, words

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(text("VAR_DIR", str(BASE_DIR / "var")))
warnings.filterwarnings("ignore", message="The 'django-fsm' package", category=UserWarning)  # ADR 3


DEBUG = False
SECRET_KEY = text("SECRET_KEY")
ALLOWED_HOSTS = words("ALLOWED_HOSTS", ["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS", [])
AUDIT_KEYS = text("AUDIT_KEYS")  # "id:base64,id:base64", the last one signs
DATA_KEYS = text("DATA_KEYS")  # the same, the last one seals
SITE_URL = text("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
SITE_NAME = text("SITE_NAME", "Service Flow")
DEFAULT_CALENDAR = text("DEFAULT_CALENDAR", "office")  # times approvals where nothing else names a calendar
FILE_STORE = Path(text("FILE_STORE", str(VAR_DIR / "files")))
TRUSTED_PROXIES = whole("TRUSTED_PROXIES", 0)
OUTGOING_ALLOW_HTTP = flag("OUTGOING_ALLOW_HTTP", default=False)
OUTGOING_ALLOWED_ADDRESSES = words("OUTGOING_ALLOWED_ADDRESSES", [])  # networks: "10.20.0.0/16"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_structlog",
    "django_fsm",
    "auditlog",
    "channels",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "apps.core",
    "apps.outbox",
    "apps.calendars",
    "apps.accounts",
    "apps.workflows",
    "apps.approvals",
    "apps.sla",
    "apps.requests",
    "apps.notifications",
    "apps.portal",
    "apps.api",
    "apps.realtime",
    "serviceflow",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "serviceflow.middleware.AdminContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "auditlog.middleware.AuditlogMiddleware",
    "apps.portal.middleware.ReaderTimeZone",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "serviceflow.urls"
WSGI_APPLICATION = "serviceflow.wsgi.application"
ASGI_APPLICATION = "serviceflow.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database_from_url(text("DATABASE_URL", f"sqlite:///{VAR_DIR}/demo.sqlite3"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "portal:login"
LOGIN_REDIRECT_URL = "portal:home"
LOGOUT_REDIRECT_URL = "portal:login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(text("STATIC_ROOT", str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]

# Redis wakes, carries pushes and holds the caches; no promise rests on it.
REDIS_URL = text("REDIS_URL", "")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": "serviceflow"},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_QUEUES = [Queue("celery"), Queue("sweeps")]  # a worker takes from both in turn; `-Q sweeps` from one only
CELERY_TASK_ROUTES = {"apps.requests.tasks.run_sweeps": {"queue": "sweeps"}}  # not behind what the relay has to do
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_PUBLISH_RETRY = False  # a wake-up that cannot be sent is not worth a wait: beat comes by
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
RELAY_LEASE_SECONDS = number("RELAY_LEASE_SECONDS", 60.0)
RELAY_EVERY_SECONDS = number("RELAY_EVERY_SECONDS", 2.0)
SWEEP_EVERY_SECONDS = number("SWEEP_EVERY_SECONDS", 2.0)

EMAIL_BACKEND = text("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = text("EMAIL_HOST", "localhost")
EMAIL_PORT = whole("EMAIL_PORT", 25)
EMAIL_HOST_USER = text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = text("DEFAULT_FROM_EMAIL", "Service Flow <service-flow@localhost>")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.api.errors.problem_handler",
    "UNAUTHENTICATED_USER": None,
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "ALGORITHM": "HS256",
    "AUDIENCE": "serviceflow",
    "CHECK_REVOKE_TOKEN": True,
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Service Flow",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Requests, work, approvals and everything that happened. Errors are RFC 9457 problem documents.",
    "OAS_VERSION": "3.1.1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "LevelEnum": "apps.requests.enums.Level",
        "ApprovalStatusEnum": "apps.approvals.enums.ApprovalStatus",
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

AUDITLOG_MASK_CALLABLE = "apps.core.masking.mask_whole"
RATELIMIT_ENABLE = flag("RATELIMIT_ENABLE", default=True)
LOGIN_RATE_PER_ACCOUNT = text("LOGIN_RATE_PER_ACCOUNT", "10/m")
LOGIN_RATE_PER_ADDRESS = text("LOGIN_RATE_PER_ADDRESS", "60/m")
LINK_RATE_PER_ADDRESS = text("LINK_RATE_PER_ADDRESS", "60/m")
ANSWER_LINK_DAYS = whole("ANSWER_LINK_DAYS", 14)  # 0: mails carry no links that answer

UNFOLD = {
    "SITE_TITLE": SITE_NAME,
    "SITE_HEADER": SITE_NAME,
    "SITE_SYMBOL": "conversion_path",
    "SITE_URL": "/",
    "SIDEBAR": SIDEBAR,
}
SERVICEFLOW_SUBSCRIBERS = "serviceflow.wiring.SUBSCRIBERS"
LOGGING_CONFIG = "serviceflow.logs.configure"
LOGGING = {"level": text("LOG_LEVEL", "INFO"), "json": flag("LOG_JSON", default=True)}
