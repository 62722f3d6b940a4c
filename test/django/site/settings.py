"""The Django half of "one address, two servers". Every value that must agree with the Koa half comes from the environment."""

import json
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django

DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
WSGI_APPLICATION = None

# What the two halves must share: the database, the keys, the cookie names and ages (Django's defaults here).
SECRET_KEY = os.environ["SECRET_KEY"]
SECRET_KEY_FALLBACKS = json.loads(os.environ.get("SECRET_KEY_FALLBACKS") or "[]")  # Django 4.1 and newer
_url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(_url.path[1:]),
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
        "HOST": _url.hostname,
        "PORT": _url.port or 5432,
        "CONN_MAX_AGE": None,
    }
}
# DJANGO_SESSION_ENGINE where it is another than the Koa half's.
SESSION_ENGINE = (
    os.environ.get("DJANGO_SESSION_ENGINE")
    or os.environ.get("SESSION_ENGINE")
    or "django.contrib.sessions.backends.db"
)
_storage = os.environ.get("MESSAGE_STORAGE", "session")
MESSAGE_STORAGE = f"django.contrib.messages.storage.{_storage}.{_storage.title()}Storage"

USE_TZ = os.environ.get("USE_TZ", "1") == "1"
TIME_ZONE = os.environ.get("TIME_ZONE", "Asia/Shanghai")
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"  # as startproject writes it

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
]
# The apps with models of their own: "accounts,tracked".
INSTALLED_APPS += [name for name in os.environ.get("SITE_APPS", "").split(",") if name]
AUTH_USER_MODEL = os.environ.get("AUTH_USER_MODEL", "auth.User")
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",  # Content-Length: connections stay open
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "site_templates"],
    }
]
LOGIN_REDIRECT_URL = "/django/me/"
LOGOUT_REDIRECT_URL = "/django/me/"

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
]
# Where what is tested is not the hash, so that a login costs a hundredth.
if os.environ.get("FEW_ITERATIONS"):
    PASSWORD_HASHERS[0] = "few_iterations.FewIterationsHasher"
if django.VERSION >= (4, 0):
    PASSWORD_HASHERS.append("django.contrib.auth.hashers.ScryptPasswordHasher")
