"""Django with its session middleware and nothing else: settings, three views and the WSGI application.

With LOGINS=1 also with CSRF, its own login page, and a page that shows who is logged in.
"""
import os
from urllib.parse import urlsplit

from django.conf import settings

url = urlsplit(os.environ["DATABASE_URL"])
logins = os.environ.get("LOGINS") == "1"
FORM = """<form method="post">{% csrf_token %}<p>{{ form.username }} {{ form.password }}</p></form>"""
settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.sessions"]
    + (["django.contrib.contenttypes", "django.contrib.auth"] if logins else []),
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"]
    + (
        ["django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"]
        if logins
        else []
    ),
    LOGIN_REDIRECT_URL="/api/me/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"login.html": FORM})]},
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": url.hostname,
            "PORT": url.port,
            "NAME": url.path.lstrip("/"),
            "USER": url.username,
            "PASSWORD": url.password or "",
            "CONN_MAX_AGE": None,
        }
    },
)

import django  # noqa: E402

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


def answer(user_id, n):
    """JSON by hand, with the length: gunicorn would send it in chunks otherwise."""
    body = '{"id":"%s","n":%d}' % (user_id, n) if user_id is not None else '{"id":null,"n":0}'
    return HttpResponse(body, headers={"Content-Type": "application/json", "Content-Length": str(len(body))})


def none(request):
    return answer(None, 0)


def read(request):
    return answer(request.session["_auth_user_id"], request.session["n"])


def write(request):
    request.session["n"] += 1
    return answer(request.session["_auth_user_id"], request.session["n"])


def me(request):
    return HttpResponse('{"user":{"id":%d,"username":"%s"}}' % (request.user.id, request.user.get_username()))


urlpatterns = [path("none", none), path("read", read), path("write", write)]
if logins:
    from django.contrib.auth.views import LoginView

    urlpatterns += [path("login/", LoginView.as_view(template_name="login.html")), path("api/me/", me)]
application = get_wsgi_application()
