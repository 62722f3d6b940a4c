"""Two requests in one: each view lets another request change the session before it goes on."""

from django.http import HttpResponse
from django.urls import path
from mysite.sessions import SessionStore


def other_request(request):
    """The session as a request has it that came a moment later."""
    return SessionStore(request.COOKIES["sessionid"])


def add(request):
    request.session["mine"] = 1
    other = other_request(request)
    other["theirs"] = 2
    other.save()
    return HttpResponse()


def add_after_logout(request):
    request.session["mine"] = 1
    other_request(request).flush()
    return HttpResponse()


def login_after_logout(request):
    request.session.get("mine")
    other_request(request).flush()
    request.session.cycle_key()
    return HttpResponse()


def login_after_clear(request):
    """The cookie leads to no row, which nobody has looked at."""
    request.session.clear()
    request.session.cycle_key()
    request.session["mine"] = 1
    return HttpResponse()


urlpatterns = [
    path("add/", add),
    path("add-after-logout/", add_after_logout),
    path("login-after-logout/", login_after_logout),
    path("login-after-clear/", login_after_clear),
]
