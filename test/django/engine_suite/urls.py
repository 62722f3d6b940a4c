"""Two requests in one: most views let another request change the session before they go on."""

from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.test import Client
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


def me(request):
    return HttpResponse(str(request.user.pk))


def me_after_another(request):
    """Another request of the page has come to its end since this one read the session."""
    request.session.keys()
    other = Client()
    other.cookies.load(request.COOKIES)
    other.get("/me/")
    return me(request)


def me_after_logout(request):
    request.session.keys()
    other_request(request).flush()
    return me(request)


def change_password(request):
    request.user.set_password("new")
    request.user.save()
    update_session_auth_hash(request, request.user)
    return HttpResponse()


def ask_for_a_key(request):
    """As an application may that gives more rights to the session, and does not ask who the user is."""
    request.session.cycle_key()
    request.session["rights"] = "more"
    return HttpResponse()


urlpatterns = [
    path("add/", add),
    path("add-after-logout/", add_after_logout),
    path("login-after-logout/", login_after_logout),
    path("login-after-clear/", login_after_clear),
    path("me/", me),
    path("me-after-another/", me_after_another),
    path("me-after-logout/", me_after_logout),
    path("change-password/", change_password),
    path("ask-for-a-key/", ask_for_a_key),
]
