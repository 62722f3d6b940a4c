"""A project with the engine and two databases: PostgreSQL where DATABASE_URL names one, otherwise SQLite in ENGINE_FOLDER."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECRET_KEY = "of the engine's suite alone"
SESSION_ENGINE = "mysite.sessions"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "engine_suite.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "engine_suite",
]
# Tables straight from the models: one of ours inherits from Django's, which has migrations.
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "sessions": None}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
AUTH_USER_MODEL = "engine_suite.Member"
AUTHENTICATION_BACKENDS = ["engine_suite.backends.MemberBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def database(name):
    if not os.environ.get("DATABASE_URL"):
        file = str(Path(os.environ["ENGINE_FOLDER"]) / f"{name}.sqlite3")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": file,
            # A file, so that threads have connections of their own.
            "TEST": {"NAME": file},
            "OPTIONS": {"timeout": 30},
        }
    url = urlsplit(os.environ["DATABASE_URL"])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path[1:]),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname,
        "PORT": url.port or 5432,
        "TEST": {"NAME": f"{unquote(url.path[1:])}_{name}"},
    }


DATABASES = {"default": database("default"), "other": database("other")}
