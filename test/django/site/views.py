"""Views that show what Django sees: who is logged in, what is in the session, which cookies came."""

import json
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth import authenticate, get_user_model, hashers, login, logout, update_session_auth_hash
from django.core.signing import BadSignature
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.views.decorators.csrf import csrf_exempt


def answer(value):
    return HttpResponse(json.dumps(value), content_type="application/json")


def me(request):
    user = request.user
    return answer(
        {
            "user": {"id": user.pk, "username": user.get_username()} if user.is_authenticated else None,
            "session_key": request.session.session_key,
        }
    )


@csrf_exempt
def ops(request):
    """Run {"ops": [[name, argument, ...], ...]} on request.session, in order; tell each result and what is there after."""
    results = []
    for name, *arguments in json.loads(request.body)["ops"]:
        try:
            results.append(perform(request, name, *arguments))
        except Exception as error:
            results.append({"raises": type(error).__name__})
    session = request.session
    flags = {"accessed": session.accessed, "modified": session.modified}
    return answer(
        {
            "results": results,
            "state": {
                "session_key": session.session_key,
                **flags,
                "expiry_age": session.get_expiry_age(),
                "expire_at_browser_close": session.get_expire_at_browser_close(),
            },
            "session": dict(session.items()),
        }
    )


def perform(request, name, *arguments):
    session = request.session
    if name == "set":
        session[arguments[0]] = arguments[1]
    elif name == "getitem":
        return session[arguments[0]]
    elif name == "del":
        del session[arguments[0]]
    elif name == "has_key":
        return arguments[0] in session
    elif name in ("keys", "values", "items"):
        return list(getattr(session, name)())
    elif name == "set_expiry":
        session.set_expiry(expiry(arguments[0]))
    elif name == "login":
        user = authenticate(request, username=arguments[0], password=arguments[1])
        login(request, user)
    elif name == "logout":
        logout(request)
    elif name in SESSION_METHODS:
        return getattr(session, name)(*arguments)
    else:
        raise NotImplementedError(name)


SESSION_METHODS = (
    "get pop setdefault update clear is_empty flush cycle_key create save delete exists clear_expired "
    "get_expiry_age get_expire_at_browser_close set_test_cookie test_cookie_worked delete_test_cookie"
).split()


def expiry(value):
    """A number or null as it is, {"seconds": 5} a timedelta, a text an ISO date."""
    if isinstance(value, dict):
        return timedelta(**value)
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def csrf(request):
    """GET: a token. POST: CsrfViewMiddleware let it through."""
    return answer({"csrf_token": get_token(request)} if request.method == "GET" else {"accepted": True})


def signed_cookie(request):
    """?set=value signs the cookie `signed` with ?salt=; otherwise reads it."""
    salt = request.GET.get("salt", "")
    if "set" in request.GET:
        response = answer({})
        response.set_signed_cookie("signed", request.GET["set"], salt=salt, max_age=600)
        return response
    try:
        return answer({"value": request.get_signed_cookie("signed", salt=salt, max_age=600)})
    except (BadSignature, KeyError) as error:
        return answer({"raises": type(error).__name__})


def show_messages(request):
    """?add=text leaves a message; otherwise shows those that wait, which uses them up."""
    if "add" in request.GET:
        messages.success(request, request.GET["add"], extra_tags="kept")
        return answer({})
    return answer([[message.level, message.message, message.extra_tags] for message in messages.get_messages(request)])


def cookies(request):
    return answer(list(request.COOKIES.items()))


@csrf_exempt
def users(request):
    """Make or change users: {"username", "password"?, "hasher"?, "is_active"?}; also what an administrator would do."""
    wanted = json.loads(request.body)
    user, _ = get_user_model().objects.get_or_create(username=wanted["username"])
    if "password" in wanted:
        user.password = hashers.make_password(wanted["password"], hasher=wanted.get("hasher", "default"))
    user.is_active = wanted.get("is_active", user.is_active)
    user.save()
    return answer({"id": user.pk, "password": user.password})


@csrf_exempt
def password(request):
    """{"password", "encoded"} → does it verify; {"new"} → the logged-in user's own change, who stays logged in."""
    wanted = json.loads(request.body)
    if "encoded" in wanted:
        return answer({"verified": hashers.check_password(wanted["password"], wanted["encoded"])})
    request.user.set_password(wanted["new"])
    request.user.save()
    update_session_auth_hash(request, request.user)
    return answer({})
