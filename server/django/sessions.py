"""Django's database sessions, without lost changes: a session engine in one file.

Save this file in your project, for example as mysite/sessions.py, and set

    SESSION_ENGINE = "mysite.sessions"

Table, rows, salt and cookies are those of Django's engine `db`: sessions go on when
you change from one to the other, in either direction, and other programs on the
same table keep reading them. koa-django-session is one; its own SESSION_ENGINE
stays `db`.

Django's engine writes the whole dictionary that a request read at its beginning. Of
two requests that change one session at once, the later save removes what the
earlier one wrote. This engine

- writes only if the row still holds the text that was read. Otherwise it locks the
  row and joins both changes key by key, compared with what was read: a key that
  only one side changed is taken from that side; where both changed it, mine wins.
- does not join two different logins: the later request is answered with 400.
- never brings a deleted row back, in `cycle_key` too: 400.
- keeps the session's key when SECRET_KEY was changed and the old one is among
  SECRET_KEY_FALLBACKS: only the user's hash is written anew. Django takes a new key,
  and the other requests of the page, on their way with the old one, find no row.
- adds `atomic` (and `aatomic`), for counters and for values that count once.

Write a subclass as Django's manual says under "Extending database-backed session
engines". Made for Django 3.2 and newer, tested on PostgreSQL and SQLite. As in
Django, the asynchronous methods need Django 5.1.
"""

import inspect
from contextlib import contextmanager

from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.contrib import auth
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, Model
from django.db.models.signals import post_save, pre_save
from django.http import HttpRequest

AUTH_PREFIX = "_auth_user_"


class Interrupted(UpdateError, SessionInterrupted):
    """
    The session was deleted, or its login changed, while this request ran.

    SessionMiddleware expects UpdateError from save(). In a view nobody does, and
    SessionInterrupted makes the answer 400.
    """


class SessionCopy(SessionBase):
    """
    A copy to ask Django's get_user about: it calls cycle_key() if the session's hash
    verifies under one of SECRET_KEY_FALLBACKS and not under SECRET_KEY, and only then.
    """

    asked = False

    def __init__(self, values):
        super().__init__()
        self._session_cache = dict(values)

    def cycle_key(self):
        self.asked = True

    async def acycle_key(self):
        self.asked = True

    def flush(self):
        """Called if the hash does not verify. The session itself is not deleted."""

    async def aflush(self):
        """See flush()."""


class SessionStore(DatabaseStore):
    """
    Django's database store, which joins changes that were made at once.

    Its name is part of the salt that signs the rows: keep it.
    """

    # (session_key, session_data) of the row when it was last read or written here;
    # None while no row is known.
    _stored = None
    # The same without writes in a transaction that is still open. After a rollback
    # the row holds this, so changes are compared with it.
    _base = None
    # The hash for which cycle_key() kept the key; None before. If it is still in the
    # session at the save, the caller was not get_user, and the save takes a new key.
    _old_hash = None

    def load(self):
        row = self._get_session_from_db()
        # Beside a dictionary in use, load() is a look and does not replace it.
        if not hasattr(self, "_session_cache"):
            self._stored = (row.session_key, row.session_data) if row else None
            self._base = self._stored
        return self.decode(row.session_data) if row else {}

    async def aload(self):
        """See load()."""
        return await sync_to_async(self.load)()

    def save(self, must_create=False):
        """
        Write the row, joined with what others wrote since it was read.

        If 'must_create' is True, add the row, and raise CreateError if there is one.
        Otherwise raise UpdateError if there is none.
        """
        self._get_session(no_load=must_create)
        if self.session_key is None:
            return self.create()
        self._write(must_create, self.create_model_instance)

    async def asave(self, must_create=False):
        """See save()."""
        await self._aget_session(no_load=must_create)
        if self.session_key is None:
            return await self.acreate()
        make = async_to_sync(self.acreate_model_instance)
        await sync_to_async(self._write)(must_create, make)

    def cycle_key(self):
        """
        Move the session to a new key, joined with what others wrote meanwhile. The
        new row is there before the old one goes, or neither.

        Raise UpdateError if the old row is gone: a logout elsewhere is final.

        After a change of SECRET_KEY, Django's get_user calls this, and then sets the
        user's new hash. The key stays, as it does not depend on SECRET_KEY, and the
        next save writes the hash. If no new hash was set by then, the caller was
        somebody else, and that save takes the new key. Where a user is logged in, the
        user is read once more, to see whether the hash is one of an old SECRET_KEY.
        """
        self._get_session()
        if self._known_text() is None:
            return super().cycle_key()
        request = self._copied()
        if request:
            auth.get_user(request)
        if not self._keep_key(request):
            self._cycle(self.create_model_instance)

    async def acycle_key(self):
        """See cycle_key()."""
        await self._aget_session()
        if self._known_text() is None:
            return await super().acycle_key()
        request = self._copied()
        if request:
            await auth.aget_user(request)
        if not self._keep_key(request):
            make = async_to_sync(self.acreate_model_instance)
            await sync_to_async(self._cycle)(make)

    def atomic(self, change):
        """
        Call 'change' with this session as its row is now, under the row's lock; save,
        and return what 'change' returned.

            def count(session):
                session["n"] = session.get("n", 0) + 1

            request.session.atomic(count)

        Others wait for the row while 'change' runs; it must not save. If it raises,
        nothing is written. What this request changed before stays, and is saved later.
        A session without a row gets one. Raise UpdateError if the row is gone.
        """
        self._get_session()
        if self._known_text() is None:
            result = change(self)
            self.save()
            return result
        return self._apply(change, self.create_model_instance)

    async def aatomic(self, change):
        """See atomic(). What 'change' returns is awaited if it can be."""

        def call(session):
            result = change(session)
            if not inspect.isawaitable(result):
                return result

            async def awaited():
                return await result

            return async_to_sync(awaited)()

        await self._aget_session()
        if self._known_text() is None:
            result = await sync_to_async(call)(self)
            await self.asave()
            return result
        make = async_to_sync(self.acreate_model_instance)
        return await sync_to_async(self._apply)(call, make)

    # What follows is synchronous, for both worlds: a transaction is, in Django. 'make'
    # is create_model_instance or acreate_model_instance, which subclasses override.

    def _copied(self):
        """
        A request with a copy of this session. None if get_user cannot be the caller of
        cycle_key(): nobody is logged in, or the call before this one set no hash.
        """
        values = self._session_cache
        if auth.SESSION_KEY not in values or not values.get(auth.HASH_SESSION_KEY):
            return None
        if self._wants_key() or not apps.is_installed("django.contrib.auth"):
            return None
        request = HttpRequest()
        request.session = SessionCopy(values)
        return request

    def _keep_key(self, request):
        """Keep the key if get_user called cycle_key() on the copy. Return whether."""
        if request is None or not request.session.asked:
            return False
        self._old_hash = self._session_cache[auth.HASH_SESSION_KEY]
        self.modified = True
        return True

    def _wants_key(self):
        """Whether cycle_key() kept the key, and its caller has set no new hash."""
        if self._old_hash is None or self._known_text() is None:
            return False
        return self._session_cache.get(auth.HASH_SESSION_KEY) == self._old_hash

    def _write(self, must_create, make):
        if self._wants_key():
            return self._cycle(make)
        with self._unchanged_by_errors():
            obj = make(self._session_cache)
            using = router.db_for_write(self.model, instance=obj)
            if must_create:
                self._insert(obj, using)
            elif not self._replace(obj, using):
                with transaction.atomic(using=using):
                    if self._join(self._lock(obj, using)):
                        obj = make(self._session_cache)
                    obj.save(force_update=True, using=using)
        self._wrote(obj, using)

    def _cycle(self, make):
        old = self.model(session_key=self.session_key)
        using = router.db_for_write(self.model, instance=old)
        with self._unchanged_by_errors(), transaction.atomic(using=using):
            self._join(self._lock(old, using))
            while True:
                self._session_key = None
                obj = make(self._session_cache)
                try:
                    self._insert(obj, router.db_for_write(self.model, instance=obj))
                    break
                except CreateError:
                    continue
            self.delete(old.session_key)
        self._wrote(obj, using)
        self._old_hash = None
        self.modified = True

    def _apply(self, change, make):
        if self._wants_key():
            self._cycle(make)
        mine, base, modified = self._session_cache, self._base, self.modified
        row = self.model(session_key=self.session_key)
        using = router.db_for_write(self.model, instance=row)
        with self._unchanged_by_errors(), transaction.atomic(using=using):
            text = self._lock(row, using)
            self._stored = self._base = (row.session_key, text)
            self._session_cache = self._decoded(text)
            result = change(self)
            obj = make(self._session_cache)
            obj.save(force_update=True, using=using)
            fresh = self._session_cache
            self._session_cache, self._base, self.modified = mine, base, modified
            self._session_cache = self._merged(fresh)
        self._wrote(obj, using)
        return result

    @contextmanager
    def _unchanged_by_errors(self):
        """Put key, dictionary and flags back as they were if the work within fails."""
        names = ("_session_key", "_session_cache", "_stored", "_base", "modified")
        before = [getattr(self, name) for name in names]
        try:
            yield
        except BaseException:
            for name, value in zip(names, before):
                setattr(self, name, value)
            raise

    def _known_text(self):
        """What the row under this key is known to hold; None if nothing is known."""
        if self._stored is None or self._stored[0] != self.session_key:
            return None
        return self._stored[1]

    def _wrote(self, obj, using):
        """Remember what the row holds; what it surely holds only once committed."""
        self._stored = written = (obj.session_key, obj.session_data)

        def committed():
            if self._stored == written:
                self._base = written

        if connections[using].in_atomic_block:
            transaction.on_commit(committed, using=using)
        else:
            committed()

    def _insert(self, obj, using):
        try:
            with transaction.atomic(using=using):
                obj.save(force_insert=True, using=using)
        except IntegrityError as error:
            raise CreateError from error

    def _replace(self, obj, using):
        """
        Write the row if it still holds the known text, in one UPDATE … WHERE
        session_key … AND session_data …. Return whether it was written.

        Refused where Model.save() does more than one UPDATE, or where signals are sent.
        """
        text = self._known_text()
        model = type(obj)
        if (
            text is None
            or model._meta.parents
            or model.save is not Model.save
            or pre_save.has_listeners(model)
            or post_save.has_listeners(model)
        ):
            return False
        values = {
            field.attname: field.pre_save(obj, False)
            for field in model._meta.concrete_fields
            if not field.primary_key and not getattr(field, "generated", False)
        }
        rows = model._base_manager.using(using)
        row = rows.filter(session_key=obj.session_key, session_data=text)
        return row.update(**values) > 0

    def _lock(self, obj, using):
        """Lock the row until the transaction ends, and return its text."""
        rows = type(obj)._base_manager.using(using)
        row = rows.filter(session_key=obj.session_key)
        if not connections[using].features.has_select_for_update:
            # SQLite locks the database, with the first write of a transaction.
            row.update(expire_date=F("expire_date"))
        texts = list(row.select_for_update().values_list("session_data", flat=True))
        if not texts:
            raise Interrupted("The session was deleted while this request ran.")
        return texts[0]

    def _join(self, text):
        """Take over what others wrote into the row. Return whether anybody did."""
        if text == self._known_text():
            return False
        self._session_cache = self._merged(self._decoded(text))
        return True

    def _merged(self, theirs):
        """
        This session's dictionary with the changes that led others from the base to
        'theirs', a key at a time. Without a base, as after clear() on a session that
        was not read, this session replaces all that is there.
        """
        serializer = self.serializer()
        # As it will be read again: tuples are lists, keys are texts.
        mine = serializer.loads(serializer.dumps(self._session_cache))
        base = theirs
        if self._base is not None and self._base[0] == self.session_key:
            base = self._decoded(self._base[1])

        def members(dictionary, keys):
            # As text, because 1, 1.0 and True are equal in Python.
            return [
                serializer.dumps({key: dictionary[key]})
                for key in keys
                if key in dictionary
            ]

        def differ(one, other, keys):
            return members(one, keys) != members(other, keys)

        auth = sorted(
            key
            for key in {*base, *mine, *theirs}
            if isinstance(key, str) and key.startswith(AUTH_PREFIX)
        )
        if (
            differ(base, mine, auth)
            and differ(base, theirs, auth)
            and differ(mine, theirs, auth)
        ):
            raise Interrupted(
                "Another request changed who is logged in while this one ran."
            )
        merged = dict(self._session_cache)
        for key in {**base, **theirs}:
            if differ(base, theirs, [key]) and not differ(base, mine, [key]):
                if key in theirs:
                    merged[key] = theirs[key]
                else:
                    merged.pop(key, None)
        return merged

    def _decoded(self, text):
        """The dictionary in a row's text; empty for what holds none, as with load()."""
        decoded = self.decode(text)
        return decoded if isinstance(decoded, dict) else {}
