"""The reference project's settings, read from the environment (README, "Environment").

A checkout with no secret in its environment is in debug mode, which answers only on this machine's own names;
naming any secret, or DEBUG=0, makes it production, where whatever is missing refuses the start.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF

from config.logs import logging_config
from config.secrets import SECRETS, local_secret

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = BASE_DIR / ".local"
env = environ.Env()

TESTING = "pytest" in sys.modules
DEBUG = env.bool("DEBUG", default=not any(name in env.ENVIRON for name in SECRETS))
LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]


def _secret(name: str) -> str:
    """A secret of the environment; in debug mode one made once and kept in .local/, else '' (see config.checks)."""
    return env.str(name, default="") or (local_secret(LOCAL_DIR, name) if DEBUG else "")


SECRET_KEY = _secret("SECRET_KEY") or "refused-by-system-check"
JWT_SIGNING_KEY = _secret("JWT_SIGNING_KEY")
FIELD_ENCRYPTION_KEYS = [key for key in _secret("FIELD_ENCRYPTION_KEYS").split(",") if key]

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=LOOPBACK if DEBUG else [])
HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)

INSTALLED_APPS = [
    "chat",  # before staticfiles, whose runserver it replaces
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "csp",
    "config",
    "therapy",
    "privacy",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


# --- Where things are kept ---------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    """SQLite with one writer at a time and every commit on the disk, or PostgreSQL through psycopg's pool."""
    config: dict[str, Any] = env.db_url("DATABASE_URL", default=f"sqlite:///{LOCAL_DIR / 'db.sqlite3'}")
    if config["ENGINE"].endswith("sqlite3"):
        LOCAL_DIR.mkdir(exist_ok=True)
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;"
        config["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": pragmas, "timeout": 5}
        config["CONN_MAX_AGE"] = None  # only our own few threads hold one
        config["TEST"] = {
            "NAME": str(LOCAL_DIR / f"test.{os.getpid()}.sqlite3")
        }  # a file, since several threads use it
    else:
        config["OPTIONS"] = {
            "pool": {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=10), "timeout": 5},
            "connect_timeout": 5,
        }
        config["CONN_MAX_AGE"] = 0  # back to the pool after each use
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
WORKERS = env.int("WORKERS", default=1)
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # socket_timeout: redis-py's own default ends idle subscriptions (channels_redis#422)
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None, "socket_connect_timeout": 2}]},
    }
    if REDIS_URL
    else {"BACKEND": "chat.layer.InProcessLayer"}
}


# --- Who may come in ---------------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ALGORITHM": "HS256",
    "ISSUER": "django-therapeutic-chat",
    "AUDIENCE": "therapeutic-chat",
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=env.int("ACCESS_TOKEN_SECONDS", default=600)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": False,
    "AUTH_HEADER_TYPES": ("Bearer",),
}

#: Origins whose pages may open the socket. Clients that send no Origin (native ones) need only their token.
CHAT_ALLOWED_ORIGINS = env.list(
    "CHAT_ALLOWED_ORIGINS",
    default=[f"http://{host}:{PORT}" for host in [*LOOPBACK, HOST]] if DEBUG else [],
)
#: Sockets one process takes; further ones are asked to try again later.
CHAT_MAX_CONNECTIONS = env.int("CHAT_MAX_CONNECTIONS", default=8000)
#: For runserver; the served process has the same bound (chat.server).
DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE = DAPHNE_WEBSOCKET_MAX_FRAME_SIZE = 128 * 1024
#: Frames a connection may send, in the notation of the `limits` package.
CHAT_RATE_LIMIT = env.str("CHAT_RATE_LIMIT", default="10/2second")

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_AGE = 8 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
)
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, "ws:", "wss:"] if DEBUG else [SELF, "wss:"],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["chat.auth.PlayerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "django-therapeutic-chat",
    "DESCRIPTION": "Tokens, a player's own log and progress. The socket is described by /api/asyncapi.json.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
}


# --- What is said ------------------------------------------------------------------------------------

#: Dotted path of the reply engine's class, and the arguments it is made with.
CHAT_REPLY_ENGINE = env.str("CHAT_REPLY_ENGINE", default="therapy.replies.embedded.EmbeddedEngine")
CHAT_REPLY_ENGINE_OPTIONS: dict[str, str] = (
    {
        "base_url": env.str("OPENAI_BASE_URL"),
        "model": env.str("OPENAI_MODEL"),
        "api_key": env.str("OPENAI_API_KEY", default=""),
    }
    if "OPENAI_BASE_URL" in env.ENVIRON
    else {}
)
CHAT_REPLY_DEADLINE_SECONDS = env.float("CHAT_REPLY_DEADLINE_SECONDS", default=8.0)

#: Where this server is reached from outside, for links in notices.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://{HOST}:{PORT}").rstrip("/")
#: Telling the clinic of a crisis (docs/crisis-answers.md); without an address nothing is sent.
CRISIS_WEBHOOK_URL = env.str("CRISIS_WEBHOOK_URL", default="")
CRISIS_WEBHOOK_SECRET = env.str("CRISIS_WEBHOOK_SECRET", default="")
CRISIS_EMAIL_FROM = env.str("CRISIS_EMAIL_FROM", default="")
CRISIS_EMAIL_TO = env.list("CRISIS_EMAIL_TO", default=[])
vars().update(env.email_url("EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25"))

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

LOGGING_CONFIG = None
LOGGING = logging_config(level=env.str("LOG_LEVEL", default="INFO"))
