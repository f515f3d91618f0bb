"""Settings of the LeadSend project, read from the environment (docs/operating.md lists the names)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from leadsend import env

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env.text("LEADSEND_STATE_DIR", str(BASE_DIR / ".leadsend")))

# --- Which installation this is ---------------------------------------------------------------
ENVIRONMENT = env.text("LEADSEND_ENV", "development")
if ENVIRONMENT not in {"development", "production"}:
    raise ImproperlyConfigured(
        f"LEADSEND_ENV must be development or production, not {ENVIRONMENT!r}."
    )
IN_PRODUCTION = ENVIRONMENT == "production"
DEBUG = False
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")


def _secret(name: str, development: str) -> str:
    value = env.text(name)
    if value:
        if IN_PRODUCTION and value == development:
            raise ImproperlyConfigured(f"{name} is the public development value: set your own.")
        return value
    if IN_PRODUCTION:
        raise ImproperlyConfigured(f"{name} is not set: in production it must be.")
    return development


SECRET_KEY = _secret("SECRET_KEY", "development-only-not-a-secret-0000000000000000000000000000")
# Newest first; the first one encrypts, all decrypt.
FERNET_KEYS = [
    key.strip()
    for key in _secret("FERNET_KEYS", "development-only-not-a-secret").split(",")
    if key.strip()
]
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "" if IN_PRODUCTION else "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []

# --- Apps ---------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "leadsend.site",
    "leadsend.access",
    "registry",
    "credentials",
    "workflows",
    "runtime",
    "triggers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_celery_beat",
    "django_htmx",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "leadsend.lib.headers.SecurityHeadersMiddleware",
]
ROOT_URLCONF = "leadsend.urls"
ASGI_APPLICATION = "leadsend.asgi.application"
WSGI_APPLICATION = "leadsend.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n", "leadsend.site.templatetags.pages"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "leadsend.site.context.page_frame",
            ],
        },
    },
]

# --- Data ---------------------------------------------------------------------------------------
DATABASE_URL = env.database_url()
# LISTEN needs a connection past pgbouncer; without one in between it is the same database.
POSTGRES_DIRECT_URL = env.text("POSTGRES_DIRECT_URL", DATABASE_URL)
_DATABASE: dict[str, Any] = {**dj_database_url.parse(DATABASE_URL)}
# Under ASGI every request runs in a thread of its own: only a pool lets connections be used again.
# No prepared statements, so that pgbouncer may stand in front.
_DATABASE.update(
    CONN_MAX_AGE=0,
    CONN_HEALTH_CHECKS=True,
    DISABLE_SERVER_SIDE_CURSORS=True,
    OPTIONS={
        **_DATABASE.get("OPTIONS", {}),
        "pool": {"min_size": 0, "max_size": env.number("LEADSEND_DB_POOL", 12), "timeout": 10},
        "prepare_threshold": None,
        "connect_timeout": 5,
        # Shown in pg_stat_activity: leadsend uvicorn, leadsend celery, leadsend engine_process …
        "application_name": f"leadsend {Path(sys.argv[0]).stem}"[:63],
    },
)
DATABASES = {"default": _DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "access.User"

S3_BUCKET = env.text("S3_BUCKET", "workflows")
S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL")
_S3_KEY = env.text("AWS_ACCESS_KEY_ID")


def _s3_client() -> Any:
    """Say how long the S3 client waits: somebody waits for the answer. Its import is dear."""
    return import_string("botocore.config.Config")(
        connect_timeout=5,
        read_timeout=15,
        retries={"total_max_attempts": 2},
        s3={"addressing_style": "path"},
        signature_version="s3v4",
    )


_OBJECTS: dict[str, Any] = (
    {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL or None,
            "access_key": _S3_KEY or None,
            "secret_key": env.text("AWS_SECRET_ACCESS_KEY") or None,
            "region_name": env.text("AWS_REGION", "us-east-1"),
            "default_acl": None,
            "file_overwrite": True,
            "client_config": _s3_client(),
        },
    }
    if S3_ENDPOINT_URL or _S3_KEY
    else {
        "BACKEND": "leadsend.lib.objects.DurableFiles",
        "OPTIONS": {"location": str(STATE_DIR / "objects"), "allow_overwrite": True},
    }
)
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "objects": _OBJECTS,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    if IN_PRODUCTION
    else {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- Sign-in --------------------------------------------------------------------------------------
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
SESSION_COOKIE_AGE = 12 * 3600
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if IN_PRODUCTION:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.text("LEADSEND_SSL_REDIRECT", "on") == "on"
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Language and time ----------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
# In development the files are served from where they lie, with no copy step.
WHITENOISE_USE_FINDERS = not IN_PRODUCTION
WHITENOISE_AUTOREFRESH = False

# --- Broker: it only wakes somebody up --------------------------------------------------------------
BROKER = env.text("LEADSEND_BROKER", "redis")
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
if BROKER not in {"redis", "postgres"}:
    raise ImproperlyConfigured(f"LEADSEND_BROKER must be redis or postgres, not {BROKER!r}.")
if BROKER == "redis":
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "visibility_timeout": 3600,
    }
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
else:
    CELERY_BROKER_URL = DATABASE_URL.replace("postgresql://", "pgmq://", 1).replace(
        "postgres://", "pgmq://", 1
    )
    CELERY_BROKER_TRANSPORT_OPTIONS = {"init_extension": False, "poll_interval_ms": 200}
    # It listens, so it goes past a pooler.
    _DIRECT: dict[str, Any] = {**dj_database_url.parse(POSTGRES_DIRECT_URL)}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_postgres.core.PostgresChannelLayer",
            "CONFIG": {
                **{
                    key: _DIRECT.get(key, "")
                    for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")
                },
                "ENGINE": "django.db.backends.postgresql",
                "TIME_ZONE": None,
                "CONN_MAX_AGE": 0,
                "CONN_HEALTH_CHECKS": False,
                "OPTIONS": {},
            },
        }
    }
    INSTALLED_APPS.append("channels_postgres")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONSUMER = "leadsend.consumer:PatientConsumer"
CELERY_WORKER_CONCURRENCY = 2
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "leadsend"

# --- Engine -----------------------------------------------------------------------------------------
LEADSEND_ENGINES = env.number("LEADSEND_ENGINES", 0)  # 0: as many as the machine has cores
LEADSEND_LEASE_S = env.number("LEADSEND_LEASE_S", 30)
LEADSEND_TRACES = env.text("LEADSEND_TRACES", "off") == "on"
# So many events and runs of one workflow may wait before its webhooks answer 429; 0: any number.
LEADSEND_MOST_QUEUED = env.number("LEADSEND_MOST_QUEUED", 100_000)
# Webhooks answer 503 while the disk that holds this path has less than a tenth free; "": not looked at.
LEADSEND_DISK_PATH = env.text("LEADSEND_DISK_PATH", "")
EGRESS_ALLOW = env.names("LEADSEND_EGRESS_ALLOW")
EGRESS_PORTS = [int(port) for port in env.names("LEADSEND_EGRESS_PORTS", "80,443,8080,8443")]
EMAIL_URL = env.text("EMAIL_URL")  # absent: outbox mode, mails are kept and shown, none leaves
MAIL_FROM = env.text("MAIL_FROM", "LeadSend <leadsend@localhost>")

# --- REST -------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "leadsend.access.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["leadsend.access.permissions.ByPolicy"],
    "DEFAULT_PARSER_CLASSES": ["leadsend.lib.rest.parsing.GuardedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["leadsend.lib.rest.rendering.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "leadsend.lib.rest.paging.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "leadsend.lib.rest.schema.AutoSchema",
    "EXCEPTION_HANDLER": "leadsend.lib.rest.envelope.answer_with_envelope",
    "DEFAULT_METADATA_CLASS": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "LeadSend",
    "DESCRIPTION": "Workflows for leads: what starts them, what they do, what became of it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # What several components share needs a name that none of them gives it.
    "ENUM_NAME_OVERRIDES": {"BulkJobStatusEnum": "runtime.models.BulkStatus"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "leadsend.lib.rest.schema.any_value_is_nullable",
        "leadsend.lib.rest.schema.add_errors",
    ],
}
# One limit for every entrance: bodies beyond it are answered 413.
BODY_LIMIT_BYTES = 10 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT_BYTES + 1024

# --- Logs -------------------------------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"events": {"()": "leadsend.lib.logs.EventFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "events"}},
    "root": {"handlers": ["console"], "level": env.text("LEADSEND_LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING", "propagate": True},
    },
}
