"""Ask the Django of this interpreter what it makes of messages, and put the answers into vectors.json beside this file.

Run it once with each Django: `python test/messages/make_vectors.py`. All of them have to give the same answers; remove
the file to make it anew.
"""

import base64
import hashlib
import json
from pathlib import Path
from unittest import mock

import django
from django.conf import settings

SECRET_KEY = "a key for messages alone"
NOW = 1800000000
settings.configure(
    SECRET_KEY=SECRET_KEY,
    INSTALLED_APPS=["django.contrib.messages"],
    SESSION_COOKIE_DOMAIN="example.com",
    SESSION_COOKIE_SECURE=True,
    MESSAGE_TAGS={50: "critical"},
)
django.setup()

from django.contrib.messages.storage.cookie import CookieStorage  # noqa: E402
from django.contrib.messages.storage.fallback import FallbackStorage  # noqa: E402
from django.contrib.messages.storage.session import SessionStorage  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.utils.safestring import SafeData, mark_safe  # noqa: E402


def noise(number, length):
    """
    Text in which zlib finds nothing to repeat, the same each time. Builds of zlib differ in how much they find, and with
    it in how many messages fit into a cookie.
    """
    text = ""
    while len(text) < length:
        digest = hashlib.sha256(f"{number}/{len(text)}".encode()).digest()
        text += base64.b85encode(digest).decode()
    return text[:length]


# [level, text, extra_tags, safe]
CASES = {
    "one": [[25, "Saved.", "", False]],
    "no tags": [[20, "Plain", None, False]],
    "tags": [[30, "Careful", "sticky top", False]],
    "safe": [[25, "<b>Saved</b>", "", True]],
    "not safe": [[25, "<b>Saved</b>", "", False]],
    "letters": [[20, 'caf\u00e9 \u4e2d\u6587 \U0001f600 "quoted" \\ \n\t\u007f', "\u00e9t\u00e9", False]],
    "levels": [[level, f"level {level}", "", False] for level in (10, 19, 20, 25, 30, 40, 50, 1000)],
    "long and dull": [[20, "again and again " * 400, "", False]],
    "ten that fit": [[20, noise(number, 60), "", False] for number in range(10)],
    "thirty, not all fit": [[20, noise(number, 160), "", False] for number in range(30)],
    "of all lengths": [[20, noise(number, 30 * number), "", False] for number in range(1, 20)],
    "one too long": [[40, noise(1, 4000), "", False]],
    "the first too long": [[40, noise(1, 4000), "", False], [20, "short", "", False]],
    "the last too long": [[20, "short", "", False], [40, noise(1, 4000), "", False]],
}


def shown(message):
    return [
        message.level,
        str(message.message),
        message.extra_tags,
        isinstance(message.message, SafeData),
        message.tags,
    ]


def store(Storage, messages):
    """What is kept of these messages by a request, and what the next one reads."""
    request = RequestFactory().get("/")
    request.session = {}
    response = HttpResponse()
    storage = Storage(request)
    for level, text, extra_tags, safe in messages:
        storage.add(level, mark_safe(text) if safe else text, extra_tags)
    unstored = storage.update(response)
    later = RequestFactory().get("/")
    later.session = dict(request.session)
    cookie = response.cookies.get("messages")
    if cookie is not None:
        later.COOKIES["messages"] = cookie.value
    read = Storage(later)
    shown_later = [shown(message) for message in read]
    after = HttpResponse()
    read.update(after)
    return {
        "cookie": None if cookie is None else cookie.value,
        "set_cookie": None if cookie is None else cookie.OutputString().replace(cookie.value, "VALUE"),
        "session": request.session.get("_messages"),
        "unstored": [str(message.message) for message in unstored or []],
        "shown": shown_later,
        "set_cookie_after": [morsel.OutputString() for morsel in after.cookies.values()],
        "session_after": later.session.get("_messages"),
    }


def vectors():
    with mock.patch("time.time", lambda: NOW + 0.5):
        return [
            {"name": name, "storage": Storage.__name__, "messages": messages, **store(Storage, messages)}
            for name, messages in CASES.items()
            for Storage in (CookieStorage, SessionStorage, FallbackStorage)
        ]


file = Path(__file__).parent / "vectors.json"
answers = json.loads(json.dumps(vectors()))
known = json.loads(file.read_text()) if file.exists() else {"versions": [], "vectors": answers}
if known["vectors"] != answers:
    raise SystemExit(f"Django {django.get_version()} differs from {', '.join(known['versions'])}.")
versions = sorted({*known["versions"], django.get_version()})
lines = ",\n".join(json.dumps(answer) for answer in answers)
file.write_text(
    f'{{"SECRET_KEY": {json.dumps(SECRET_KEY)}, "now": {NOW}, "versions": {json.dumps(versions)}, "vectors": [\n{lines}\n]}}\n'
)
