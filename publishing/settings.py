"""Settings: constants, or the environment; the README has a line for each name read here."""

from pathlib import Path
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

from publishing.brokers import broker_options
from publishing.embedded_postgres.secret import kept_secret

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or (kept_secret(DATA_DIR) if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it to a long random string, or set DEBUG=1 to try things out."
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "publishing.admin.apps.PublishingAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.sitemaps",
    "rest_framework",
    "csp",
    "publishing",
    "lanes",
    "workflows",  # before django_q: its qcluster command replaces django-q2's
    "django_q",
]

MIDDLEWARE = [
    "publishing.api.hosts.BadHostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "publishing.site.nul.RefuseNul",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "publishing.urls"
WSGI_APPLICATION = "publishing.wsgi.application"

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

# --- Database: the server of DATA_DIR, or DATABASE_URL ---------------------------------------

if env.str("DATABASE_URL", default=""):
    DATABASES = {"default": env.db("DATABASE_URL")}
    # A socket folder stands percent-encoded in the place of the host (libpq, 32.1.1.2).
    DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
else:
    DATABASES = {
        "default": {"ENGINE": "publishing.embedded_postgres", "NAME": "presswork"},
    }
DATABASES["default"] |= {
    "CONN_MAX_AGE": 0,
    "CONN_HEALTH_CHECKS": True,
    # A thread that waits for the network gives its connection back; see workflows.connection.
    "OPTIONS": DATABASES["default"].get("OPTIONS", {})
    | {"pool": {"min_size": 1, "max_size": 8, "timeout": 20}},
}
# Behind PgBouncer in transaction mode a session is anybody's from one transaction to the next:
# nothing is prepared on the server and no cursor outlives its transaction.
DATABASE_POOLED = env.bool("DATABASE_POOLED", default=False)
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_POOLED
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Lanes ------------------------------------------------------------------------------------

# A lane may have a graph of its own if it differs from the spine by more stages than this.
LANES_OWN_GRAPH_ABOVE = env.int("LANES_OWN_GRAPH_ABOVE", default=1)

# --- Workers ----------------------------------------------------------------------------------

WORKFLOWS_THREADS = env.int("WORKFLOWS_THREADS", default=16)
WORKFLOWS_LEASE_SECONDS = env.int("WORKFLOWS_LEASE_SECONDS", default=15)
WORKFLOWS_GRACE_SECONDS = env.int("WORKFLOWS_GRACE_SECONDS", default=30)
# Checkpoints of all threads of a worker in one commit; 0: each in a commit of its own.
WORKFLOWS_GROUP_COMMIT = env.bool("WORKFLOWS_GROUP_COMMIT", default=True)
WORKFLOWS_DRAIN_SECONDS = 3600  # a drain's time budget; then its successor goes on
_LONGEST_STEP_SECONDS = 600

# Only a last resort: recovery never depends on the broker. The timeouts stand above a drain's
# budget and the longest step, so that django-q2 never hands out a drain that still runs.
Q_CLUSTER = {
    "name": "presswork",
    "workers": env.int("Q_WORKERS", default=2),
    "timeout": WORKFLOWS_DRAIN_SECONDS + _LONGEST_STEP_SECONDS + 60,
    "retry": WORKFLOWS_DRAIN_SECONDS + _LONGEST_STEP_SECONDS + 120,
    "recycle": 1_000_000,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "queue_limit": env.int("Q_WORKERS", default=2),
    "catch_up": False,
    "log_level": "WARNING",
} | broker_options(env.str("Q_BROKER", default="orm"))

# --- Providers --------------------------------------------------------------------------------

TEXT_MODEL = env.str("TEXT_MODEL", default="claude-sonnet-5-5")
ANTHROPIC_API_KEY = env.str("ANTHROPIC_API_KEY", default="")
ANTHROPIC_BASE_URL = env.str("ANTHROPIC_BASE_URL", default="https://api.anthropic.com")
EMBEDDING_MODEL = env.str("EMBEDDING_MODEL", default="voyage-4-lite")
VOYAGE_API_KEY = env.str("VOYAGE_API_KEY", default="")
VOYAGE_BASE_URL = env.str("VOYAGE_BASE_URL", default="https://api.voyageai.com/v1")
IMAGE_MODEL = env.str("IMAGE_MODEL", default="")  # empty: that of whose keys are set
CLOUDFLARE_ACCOUNT_ID = env.str("CLOUDFLARE_ACCOUNT_ID", default="")
CLOUDFLARE_API_TOKEN = env.str("CLOUDFLARE_API_TOKEN", default="")
WORKERS_AI_BASE_URL = env.str("WORKERS_AI_BASE_URL", default="https://api.cloudflare.com/client/v4")
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="https://api.openai.com/v1")
FETCH_ALLOW_HOSTS = env.list("FETCH_ALLOW_HOSTS", default=[])

S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")
S3_BUCKET = env.str("S3_BUCKET", default="")
S3_PUBLIC_URL = env.str("S3_PUBLIC_URL", default="").rstrip("/")

STORAGES = {
    "default": (
        {
            "BACKEND": "publishing.providers.objects.ContentAddressedS3Storage",
            "OPTIONS": {
                "endpoint_url": S3_ENDPOINT_URL or None,
                "bucket_name": S3_BUCKET,
                "access_key": env.str("S3_ACCESS_KEY_ID", default=""),
                "secret_key": env.str("S3_SECRET_ACCESS_KEY", default=""),
                "public_url": S3_PUBLIC_URL,
            },
        }
        if S3_BUCKET
        else {
            "BACKEND": "publishing.providers.objects.ContentAddressedFileStorage",
            "OPTIONS": {"location": DATA_DIR / "media", "base_url": "/media/"},
        }
    ),
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_URL = "/media/"
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise wants it, filled or not
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG

# --- API --------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["publishing.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["publishing.api.parsing.BriefParser"],
    "EXCEPTION_HANDLER": "publishing.api.problems.handle_exception",
    "UNAUTHENTICATED_USER": None,
}
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # empty: /metrics is nowhere

# --- Security ---------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        # With its last slash: a path without one matches itself alone (CSP 3, 6.7.2.10).
        "img-src": ["'self'", "data:", *([f"{S3_PUBLIC_URL}/"] if S3_PUBLIC_URL else [])],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
_IS_HTTPS = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if _IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _IS_HTTPS else None
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024  # the API reads and refuses its own limit of 1 MiB
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "publishing.logs.LineFormatter",
            "roots": {f"{BASE_DIR}": "", f"{DATA_DIR}": "DATA_DIR/"},
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "trafilatura": {"level": "ERROR"},  # each page that has no article, as a warning
        # Django's own handlers print stacks, and mail them; gunicorn's has its own format.
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "django.request": {"handlers": ["console"], "propagate": False},
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "workflows": {"level": "INFO"},
        "publishing": {"level": "INFO"},
    },
}
