"""Remake the values of vectors.json that need no database, from the Django that is installed.

    python test/django/make_vectors.py > remade.json     the same entries, as this Django gives them
    python test/django/make_vectors.py --check           compare them with vectors.json; exit code 1 when one differs

Inputs (texts, keys, times, arguments) are taken from vectors.json, outputs come from Django under a frozen clock.
With --check an entry counts as the same when vectors.json has it for this Django's minor version or a newer one.
"""

import base64
import json
import logging
import pathlib
import re
import sys
import time
import zlib
from datetime import timedelta
from unittest import mock

import django
from django.conf import settings

FILE = pathlib.Path(__file__).with_name("vectors.json")
HASHERS = "PBKDF2 PBKDF2SHA1 Argon2 BCryptSHA256 BCrypt Scrypt MD5".split()

settings.configure(
    SECRET_KEY="unused",
    PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in HASHERS],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import hashers  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.cache import SessionStore as CacheStore  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core import signing  # noqa: E402
from django.http import HttpRequest, HttpResponse, parse_cookie  # noqa: E402
from django.middleware import csrf  # noqa: E402
from django.test.utils import override_settings  # noqa: E402

SECRET_KEY = "django-insecure-)x2v!7w#0p5@k3r9$z^&*m(t=e_q+8y1u6i4oahs-dflgjnbc"
TIME = 1767225600


def frozen(moment):
    return mock.patch.object(time, "time", lambda: moment)


def raised(error):
    return {"raises": type(error).__name__, "message": str(error)}


class Log(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append([record.name, record.levelname, record.getMessage()])


def decoded(session_data):
    log, logger = Log(), logging.getLogger("django.security")
    logger.addHandler(log)
    logger.propagate = False
    try:
        outputs = {"result_json": json.dumps(SessionStore().decode(session_data))}
    except Exception as error:
        outputs = {"raises": f"{type(error).__name__}: {error}"}
    logger.removeHandler(log)
    return {"log": log.lines, **outputs}


def session_data(entry):
    with override_settings(SECRET_KEY=entry["secret_key"]), frozen(entry["time"]):
        text = SessionStore().encode(json.loads(entry["json"]))
    return {"session_data": text, "compressed": text.startswith(".")}


def decode(entry):
    with override_settings(SECRET_KEY=entry["secret_key"]), frozen(TIME):
        return decoded(entry["session_data"])


def decode_fallbacks(entry):
    keys = {"SECRET_KEY": entry["secret_key"], "SECRET_KEY_FALLBACKS": entry["secret_key_fallbacks"]}
    with override_settings(**keys), frozen(TIME):
        return {**decoded(entry["session_data"]), "reencoded": SessionStore().encode({"foo": "bar"})}


def signer(entry):
    if "value" not in entry:
        with override_settings(SECRET_KEY=SECRET_KEY), frozen(TIME):
            return {
                "dumps_default": signing.dumps({"hello": "world"}),
                "dumps_salt": signing.dumps("x", salt="s"),
                "dumps_list_compress": signing.dumps(list(range(1, 20)), compress=True),
            }
    salt = {"salt": entry["salt"]} if "salt" in entry else {}
    with frozen(TIME):
        plain, stamping = signing.Signer(key=SECRET_KEY, **salt), signing.TimestampSigner(key=SECRET_KEY, **salt)
        outputs = {"Signer": plain.sign(entry["value"]), "TimestampSigner": stamping.sign(entry["value"])}
    if not salt:
        outputs.update(Signer_default_salt=plain.salt, Timestamp_default_salt=stamping.salt)
    return outputs


def signed_cookie(entry):
    salts = []

    def spying(salt):
        salts.append(salt)
        return signing.TimestampSigner(key=b"django.http.cookies" + entry["secret_key"].encode(), salt=salt)

    response = HttpResponse()
    with override_settings(SECRET_KEY=entry["secret_key"]), frozen(entry["time"]):
        with mock.patch.object(signing, "get_cookie_signer", spying):
            try:
                response.set_signed_cookie(entry["key"], entry["value"], salt=entry["salt"])
                morsel = response.cookies[entry["key"]]
                outputs = {"cookie_value": morsel.value, "set_cookie": morsel.OutputString()}
            except Exception as error:
                outputs = {"raises": f"{type(error).__name__}: {error}"}
        return {**outputs, "signer_salt": salts[0], "signed_value": spying(salts[0]).sign(entry["value"])}


def get_signed_cookie(entry):
    kwargs = dict(entry["kwargs"])
    if "max_age_td" in kwargs:
        kwargs["max_age"] = timedelta(seconds=kwargs.pop("max_age_td"))
    values = {"SECRET_KEY": entry["secret_key"], "SECRET_KEY_FALLBACKS": entry["fallbacks"] or []}
    if entry["legacy_fallback"] is not None:
        values["SIGNED_COOKIE_LEGACY_SALT_FALLBACK"] = entry["legacy_fallback"]
    request = HttpRequest()
    request.COOKIES = entry["cookies"]
    with override_settings(**values), frozen(entry["now"]):
        try:
            return {"result": request.get_signed_cookie(entry["key"], **kwargs)}
        except Exception as error:
            return raised(error)


def set_cookie(entry):
    kwargs = dict(entry["kwargs"])
    if isinstance(kwargs.get("max_age"), dict):
        kwargs["max_age"] = timedelta(seconds=kwargs["max_age"]["timedelta_seconds"])
    response = HttpResponse()
    with frozen(entry["now"]):
        try:
            response.set_cookie(*entry["args"], **kwargs)
        except Exception as error:
            return raised(error)
    return {"header": response.cookies[entry["args"][0]].OutputString()}


def delete_cookie(entry):
    if "args" not in entry:
        return None
    response = HttpResponse()
    try:
        response.delete_cookie(*entry["args"], **entry["kwargs"])
    except Exception as error:
        return raised(error)
    return {"header": response.cookies[entry["args"][0]].OutputString()}


def session_key(entry):
    session = CacheStore(entry["input"])
    return {"session_key": session.session_key, "is_empty_before_load": session.is_empty()}


def password_hash(entry):
    hasher = hashers.get_hasher(entry["hasher"])
    password, salt = entry["password"], entry["salt"]
    if "iterations" in entry:
        return {"encoded": hasher.encode(password, salt, entry["iterations"])}
    if "n" in entry:
        return {"encoded": hasher.encode(password, salt, entry["n"], entry["r"], entry["p"])}
    if "t" in entry:
        hasher.time_cost, hasher.memory_cost, hasher.parallelism = entry["t"], entry["m"], entry["p"]
    return {"encoded": hasher.encode(password, salt.encode() if "bcrypt" in entry["hasher"] else salt)}


def check_password(entry):
    if "version_iterations" in entry:
        return None
    called = []
    try:
        outputs = {"result": hashers.check_password(entry["password"], entry["encoded"], called.append)}
    except Exception as error:
        outputs = raised(error)
    return {"setter_called": bool(called), **outputs}


def auth_hash(entry):
    keys = {"SECRET_KEY": entry["secret_key"], "SECRET_KEY_FALLBACKS": entry.get("fallbacks", [])}
    with override_settings(**keys):
        user = User(password=entry["password_field"])
        outputs = {"hash": user.get_session_auth_hash()}
        if "fallbacks" in entry:
            outputs["fallback_hashes"] = list(user.get_session_auth_fallback_hash())
    return outputs


def csrf_token(entry):
    with mock.patch.object(csrf, "_get_new_csrf_string", lambda: entry["mask"]):
        masked = csrf._mask_cipher_secret(entry["secret"])
    return {"masked_token": masked, "unmasked": csrf._unmask_cipher_token(masked)}


# list: (what makes an entry's outputs, the names of its outputs)
LISTS = {
    "session_data": (session_data, "session_data compressed"),
    "decode": (decode, "log result_json raises"),
    "decode_fallbacks": (decode_fallbacks, "log result_json reencoded"),
    "b62": (lambda entry: {"b62": signing.b62_encode(int(entry["n"]))}, "b62"),
    "signing": (signer, "Signer TimestampSigner Signer_default_salt Timestamp_default_salt dumps_default dumps_salt "
                        "dumps_list_compress"),
    "signed_cookies": (signed_cookie, "cookie_value set_cookie raises signer_salt signed_value"),
    "get_signed_cookie": (get_signed_cookie, "result raises message"),
    "set_cookie": (set_cookie, "header raises message"),
    "delete_cookie": (delete_cookie, "header raises message"),
    "parse_cookie": (lambda entry: {"result": [list(item) for item in parse_cookie(entry["header"]).items()]}, "result"),
    "session_key_validation": (session_key, "session_key is_empty_before_load"),
    "password_hashes": (password_hash, "encoded"),
    "check_password": (check_password, "result raises message setter_called"),
    "session_auth_hash": (auth_hash, "hash"),
    "session_auth_fallback_hash": (auth_hash, "hash fallback_hashes"),
    "csrf": (csrf_token, "masked_token unmasked"),
}


def inputs_of(entry, outputs):
    return {name: value for name, value in entry.items() if name not in outputs.split() + ["django"]}


def remake(vectors):
    """Each list's entries with this Django's outputs, equal inputs once."""
    remade = {}
    for name, (make, outputs) in LISTS.items():
        seen = remade[name] = []
        known = set()
        for entry in vectors[name]:
            inputs = inputs_of(entry, outputs)
            key = json.dumps(inputs, sort_keys=True)
            if key in known:
                continue
            known.add(key)
            made = make(entry)
            if made is not None:
                seen.append({**inputs, **made, "django": [django.get_version()]})
    return remade


def comparable(entry):
    """Compressed bytes differ between builds of zlib, and the signature with them; what they hold does not."""
    entry = {name: value for name, value in entry.items() if name != "django"}
    text = entry.get("session_data", "")
    if "compressed" in entry and text.startswith("."):
        payload, stamp, _ = text[1:].split(":")
        entry["session_data"] = [zlib.decompress(base64.urlsafe_b64decode(payload + "==")).decode("latin-1"), stamp]
    return json.dumps(entry, sort_keys=True)


def minor(version):
    """(5, 2) for 5.2.17; main is newer than all."""
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (99, 0)


# Minor versions that changed the salt of signed cookies on the way (CVE-2026-6873): these came before.
OLDER_COOKIE_SALT = {"5.2.10", "6.0.1", "6.0.x"}


def like_this(list_name, entry):
    """Whether an entry of vectors.json says what this Django, or a newer one, gives for its inputs."""
    versions = set(entry.get("django", ["main"]))
    if "signed_cookie" in list_name and hasattr(signing, "_cookie_signer_salt"):
        versions -= OLDER_COOKIE_SALT
    return any(minor(version) >= django.VERSION[:2] for version in versions)


def check(vectors, remade):
    """Print what differs. Entries that vectors.json has for older Djangos alone are counted, not compared."""
    differing = compared = older = 0
    for name, entries in remade.items():
        outputs = LISTS[name][1]
        for entry in entries:
            inputs = inputs_of(entry, outputs)
            same_inputs = [
                other for other in vectors[name] if inputs_of(other, outputs) == inputs and like_this(name, other)
            ]
            if not same_inputs:
                older += 1
                continue
            compared += 1
            if comparable(entry) not in map(comparable, same_inputs):
                differing += 1
                print(f"{name}: this Django gives {json.dumps(entry)[:300]}\n  vectors.json has {json.dumps(same_inputs)[:300]}")
    print(f"Django {django.get_version()}: {compared} compared, {differing} differ, {older} known for older versions alone")
    return 1 if differing else 0


if __name__ == "__main__":
    VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
    REMADE = remake(VECTORS)
    if "--check" in sys.argv[1:]:
        sys.exit(check(VECTORS, REMADE))
    json.dump(REMADE, sys.stdout, indent=1)
    print()
