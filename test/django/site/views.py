"""Views that show what Django sees: who is logged in, what is in the session, which cookies came."""

import json
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth import get_user_model, hashers, update_session_auth_hash
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.base import UpdateError
from django.core.signing import BadSignature
from django.db import connection
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.utils.safestring import SafeData, mark_safe
from django.views.decorators.csrf import csrf_exempt


def answer(value):
    return HttpResponse(json.dumps(value), content_type="application/json")


def me(request):
    user = request.user
    return answer(
        {
            "user": {"id": key_of(user), "username": user.get_username()} if user.is_authenticated else None,
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
        except UpdateError:
            results.append({"raises": "UpdateError"})
        except Exception as error:
            results.append({"raises": type(error).__name__})
    session = request.session
    state = {"session_key": session.session_key, "accessed": session.accessed, "modified": session.modified}
    return answer({"results": results, "state": {**state, "expiry_age": session.get_expiry_age()}})


def perform(request, name, *arguments):
    session = request.session
    if name == "set":
        session[arguments[0]] = arguments[1]
    elif name == "getitem":
        return session[arguments[0]]
    elif name == "delitem":
        del session[arguments[0]]
    elif name in ("keys", "values", "items"):
        return list(getattr(session, name)())
    elif name == "count":
        return session.atomic(count)  # of the engine that koa-django-session prints
    elif name == "wait_for":
        wait_for(arguments[0])
    elif name == "set_expiry":
        session.set_expiry(expiry(arguments[0]))
    elif name in SESSION_METHODS:
        return getattr(session, name)(*arguments)
    else:
        raise NotImplementedError(name)


def count(session):
    session["count"] = session.get("count", 0) + 1
    return session["count"]


def wait_for(number):
    """Wait until nobody holds this advisory lock, which a test takes to let other requests pass."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [number])
        cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [number])


SESSION_METHODS = (
    "get pop setdefault update has_key clear is_empty flush cycle_key create save delete exists "
    "get_expiry_age get_expire_at_browser_close set_test_cookie test_cookie_worked delete_test_cookie"
).split()


def expiry(value):
    """A number or null as it is, {"$td": seconds} a timedelta, {"$dt": text} an ISO date."""
    if not isinstance(value, dict):
        return value
    return timedelta(seconds=value["$td"]) if "$td" in value else datetime.fromisoformat(value["$dt"])


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


@csrf_exempt
def told(request):
    """POST [[level, text, extra_tags, safe], ...] leaves messages; GET shows those that wait, which uses them up."""
    if request.method == "POST":
        for level, text, extra_tags, safe in json.loads(request.body):
            messages.add_message(request, level, mark_safe(text) if safe else text, extra_tags)
        return answer({})
    return answer(
        [
            [message.level, message.message, message.extra_tags, isinstance(message.message, SafeData), message.tags]
            for message in messages.get_messages(request)
        ]
    )


def cookies(request):
    return answer(list(request.COOKIES.items()))


@csrf_exempt
def users(request):
    """Make or change users: {"username", "password"?, "hasher"?, "is_active"?,
    "is_superuser"?, "groups"?, "permissions"?}; also what an administrator would do."""
    wanted = json.loads(request.body)
    model = get_user_model()
    user, _ = model.objects.get_or_create(**{model.USERNAME_FIELD: wanted["username"]})
    if "password" in wanted:
        user.password = hashers.make_password(wanted["password"], hasher=wanted.get("hasher", "default"))
    user.is_active = wanted.get("is_active", user.is_active)
    user.is_superuser = wanted.get("is_superuser", user.is_superuser)
    user.save()
    if "groups" in wanted:
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in wanted["groups"]])
    if "permissions" in wanted:
        user.user_permissions.set(permissions(wanted["permissions"]))
    return answer({"id": key_of(user), "password": user.password})


def key_of(user):
    """Numbers as they are; a UUID as text, which JSON has no type for."""
    return user.pk if isinstance(user.pk, int) else str(user.pk)


def permissions(names):
    """By texts such as "shop.change_good"; those that are not there yet are made."""
    found = []
    for name in names:
        app_label, codename = name.split(".")
        content_type, _ = ContentType.objects.get_or_create(app_label=app_label, model="good")
        found.append(Permission.objects.get_or_create(content_type=content_type, codename=codename)[0])
    return found


@csrf_exempt
def groups(request):
    """Give groups their permissions: {name: ["app.codename", ...]}."""
    for name, names in json.loads(request.body).items():
        Group.objects.get_or_create(name=name)[0].permissions.set(permissions(names))
    return answer({})


@csrf_exempt
def may(request):
    """What a user may do: {"username", "perms": [...], "modules": [...]}, where each is asked for by itself."""
    wanted = json.loads(request.body)
    user = get_user_model().objects.get_by_natural_key(wanted["username"])
    return answer(
        {
            "perms": [user.has_perm(name) for name in wanted["perms"]],
            "all": user.has_perms(wanted["perms"]),
            "modules": [user.has_module_perms(name) for name in wanted["modules"]],
            "get_user_permissions": sorted(user.get_user_permissions()),
            "get_group_permissions": sorted(user.get_group_permissions()),
            "get_all_permissions": sorted(user.get_all_permissions()),
            "groups": sorted(group.name for group in user.groups.all()),
        }
    )


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
