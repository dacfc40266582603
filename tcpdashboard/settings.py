"""Django's settings. Every value that may differ between machines is read through `env`."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from tcpdashboard import collection
from tcpdashboard.collection import *  # noqa: F403
from tcpdashboard.common.logs import wants_color
from tcpdashboard.compiled import keep_compiled_code
from tcpdashboard.env import (
    ADMIN_PASSWORD,
    BASE_DIR,
    LOG_DAYS,
    LOG_DIR,
    LOG_FILE_MB,
    LOG_FILES,
    VAR_DIR,
    env,
    given,
)
from tcpdashboard.garbage import collect_nothing_yet
from tcpdashboard.openapi import SPECTACULAR
from tcpdashboard.own import STRATEGIES, STRATEGIES_DIR, STRATEGY_LIMITS  # noqa: F401
from tcpdashboard.policy import POLICY
from tcpdashboard.schedules import TASK_ROUTES, beat_schedule

# ----------------------------------------------------------------------------- core
DEBUG = env.bool("TCPD_DEBUG", default=False)
SECRET_KEY = env.str("TCPD_SECRET_KEY")
MONITOR_TOKEN = env.str("TCPD_MONITOR_TOKEN", default="")
ENCRYPTION_KEYS = env.list("TCPD_ENCRYPTION_KEYS", default=[])
ALLOWED_HOSTS = env.list("TCPD_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("TCPD_CSRF_TRUSTED_ORIGINS", default=[])
keep_compiled_code(BASE_DIR, VAR_DIR)
collect_nothing_yet()
EXCHANGE = env.str("TCPD_EXCHANGE", default="okx")
MORE_EXCHANGES = env.list("TCPD_MORE_EXCHANGES", default=[])
ROOT_URLCONF = "tcpdashboard.urls"
WSGI_APPLICATION = "tcpdashboard.wsgi.application"
ASGI_APPLICATION = "tcpdashboard.asgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_celery_beat",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "tcpdashboard.common",
    "marketdata",
    "strategies",
    "backtests",
    "bots",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before sessions, whose key is looked up as it comes.
    "tcpdashboard.common.requests.refuse_nul",
    "tcpdashboard.common.requests.forget_who_probes",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tcpdashboard.common.outages.RequestLog",
]

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

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["tcpdashboard.formats"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ----------------------------------------------------------------------------- engines
PROCESS = env.str("TCPD_PROCESS", default="manage")
TIMESCALE = env.str("TCPD_TIMESCALE", default="auto")
DB_CONNECTIONS = env.int("TCPD_DB_CONNECTIONS", default=0)
# 0 under ASGI, where each request has a thread of its own and a kept connection leaks.
_database = env.db_url("DATABASE_URL")
DATABASES = {
    "default": {
        **_database,
        "ENGINE": "tcpdashboard.common.postgres",
        "CONN_MAX_AGE": env.int("TCPD_DB_CONN_MAX_AGE", default=0),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database.get("OPTIONS", {}),
            "options": (
                "-c idle_in_transaction_session_timeout=5000 -c lock_timeout=2000 -c timezone=UTC"
                # Late rows of any number may change compressed ones. Plain PostgreSQL ignores it.
                " -c timescaledb.max_tuples_decompressed_per_dml_transaction=0"
                # A machine that vanished holds its locks no longer than this.
                " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
                " -c tcp_user_timeout=30000"
            ),
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "application_name": f"tcpdashboard {PROCESS}",
        },
    }
}

REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        # What is counted there is worth no longer wait.
        "OPTIONS": {"socket_timeout": 1.0, "socket_connect_timeout": 1.0},
    }
}

# ----------------------------------------------------------------------------- celery
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = TASK_ROUTES
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 12 * 3600, "socket_timeout": 5}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# ----------------------------------------------------------------------------- alerts
ALERT_PRIVATE_ADDRESSES = env.bool("TCPD_ALERT_PRIVATE_ADDRESSES", default=False)
_mail = env.email_url_config(env.str("TCPD_EMAIL_URL", default="smtp://localhost:25"))
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"], _mail["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"], _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _mail.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("TCPD_EMAIL_FROM", default="tcpdashboard@localhost")

# ----------------------------------------------------------------------------- logs
LOGGING_CONFIG = "tcpdashboard.common.logs.configure"
LOGGING = {
    "process": PROCESS,
    "level": env.str("TCPD_LOG_LEVEL", default="INFO").upper(),
    "format": env.str("TCPD_LOG_FORMAT", default="console"),
    "color": env.bool("TCPD_LOG_COLOR", default=wants_color()),
    "folder": LOG_DIR,
    "file_mb": LOG_FILE_MB,
    "files": LOG_FILES,
    "days": LOG_DAYS,
    "secrets": [
        SECRET_KEY,
        *ENCRYPTION_KEYS,
        _database.get("PASSWORD", ""),
        urlsplit(REDIS_URL).password or "",
        given(ADMIN_PASSWORD),
        MONITOR_TOKEN,
        EMAIL_HOST_PASSWORD or "",
    ],
}
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# A sweep every two seconds is no news; what goes wrong is.
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_CELERY_TASK_FAILURE_LOG_LEVEL = logging.ERROR
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
# Browsers take back what they asked for whenever people leave a page.
DJANGO_STRUCTLOG_REQUEST_CANCELLED_LOG_LEVEL = logging.INFO

# ----------------------------------------------------------------------------- static files
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "archives": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": env.str("TCPD_ARCHIVE_DIR", default="") or VAR_DIR / "archives"},
    },
    "artefacts": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": env.str("TCPD_ARTEFACT_DIR", default="") or VAR_DIR / "artefacts"},
    },
    "staticfiles": {"BACKEND": "tcpdashboard.common.staticfiles.HashedStaticFilesStorage"},
}
MEDIA_ROOT = VAR_DIR / "media"

# ----------------------------------------------------------------------------- security
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "markets"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_ATTEMPTS = env.int("TCPD_LOGIN_ATTEMPTS", default=10)
LOGIN_PERIOD_SECONDS = env.int("TCPD_LOGIN_PERIOD_SECONDS", default=300)
HTTPS = env.bool("TCPD_HTTPS", default=False)
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Both bind other hosts of the domain, and preloading for months: a decision of who owns it.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("TCPD_HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("TCPD_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Probes come from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = POLICY

# ----------------------------------------------------------------------------- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_VERSIONING_CLASS": None,
    "DEFAULT_RENDERER_CLASSES": ["tcpdashboard.common.rest.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tcpdashboard.common.rest.OrjsonParser"],
    "DEFAULT_THROTTLE_CLASSES": ["tcpdashboard.common.rest.PersonThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "user": env.str("TCPD_API_RATE", default="1200/min"),
        "chart": env.str("TCPD_CHART_RATE", default="600/min"),
        "export": env.str("TCPD_EXPORT_RATE", default="30/min"),
    },
    "EXCEPTION_HANDLER": "tcpdashboard.common.problems.problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = SPECTACULAR

# ----------------------------------------------------------------------------- charts
# What may be drawn over candles: the addresses that list the layers of an instrument, by name.
CHART_LAYERS = {"bot": "bot-layers", "backtest": "backtest-layers"}

# ----------------------------------------------------------------------------- live updates
SOCKETS_PER_USER = env.int("TCPD_SOCKETS_PER_USER", default=30)
SOCKET_CHECK_SECONDS = env.float("TCPD_SOCKET_CHECK_SECONDS", default=15)

# ----------------------------------------------------------------------------- jobs
JOB_LEASE_SECONDS = env.float("TCPD_JOB_LEASE_SECONDS", default=15)
JOB_RENEW_SECONDS = env.float("TCPD_JOB_RENEW_SECONDS", default=4)
JOB_SWEEP_SECONDS = env.int("TCPD_JOB_SWEEP_SECONDS", default=3)
JOB_DAYS = env.int("TCPD_JOB_DAYS", default=90)

# ----------------------------------------------------------------------------- backtests
COLUMN_CACHE_MB = env.int("TCPD_COLUMN_CACHE_MB", default=2048)
BACKTEST_WARN_BELOW = env.float("TCPD_BACKTEST_WARN_BELOW", default=0.999)
BACKTEST_REFUSE_BELOW = env.float("TCPD_BACKTEST_REFUSE_BELOW", default=0.5)
SEARCH_WORKERS = env.int("TCPD_SEARCH_WORKERS", default=4)
SEARCH_MOST_TRIALS = env.int("TCPD_SEARCH_MOST_TRIALS", default=100_000)
SEARCH_MOST_OPTUNA_TRIALS = env.int("TCPD_SEARCH_MOST_OPTUNA_TRIALS", default=2_000)

# ----------------------------------------------------------------------------- bots
BOT_STALLED_SECONDS = env.float("TCPD_BOT_STALLED_SECONDS", default=20)
BOT_GAP_SECONDS = env.float("TCPD_BOT_GAP_SECONDS", default=30)
BOT_SILENT_SECONDS = env.float("TCPD_BOT_SILENT_SECONDS", default=110)
BOT_RESTARTS = env.int("TCPD_BOT_RESTARTS", default=5)
BOT_RESTART_SECONDS = env.float("TCPD_BOT_RESTART_SECONDS", default=30)

# ----------------------------------------------------------------------------- the clock
CELERY_BEAT_SCHEDULE = beat_schedule(
    collection.COLLECTOR_SWEEP_SECONDS,
    JOB_SWEEP_SECONDS,
    collection.REPAIR_SWEEP_SECONDS,
    collection.GAP_SCAN_SECONDS,
)
