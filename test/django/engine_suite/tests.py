"""What the engine promises, on one database. The promises that need two servers are in ../live/engine.test.ts."""

import unittest
from datetime import timedelta
from threading import Barrier, Thread

import django
from django.contrib import auth
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DjangoStore
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.models import Session
from django.db import connections, transaction
from django.db.models.signals import post_save, pre_save
from django.http import HttpRequest
from django.test import Client, TransactionTestCase
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from engine_suite.models import (
    AccountSession,
    AccountStore,
    CountedSession,
    CountedStore,
    DeviceSession,
    DeviceStore,
    Member,
)
from mysite.sessions import SessionStore

LOGIN = {"_auth_user_id": "1", "_auth_user_backend": "b", "_auth_user_hash": "h"}


def stored(values, store=SessionStore):
    """The key of a new session with these values."""
    session = store()
    session.update(values)
    session.save()
    return session.session_key


def opened(session_key, store=SessionStore):
    """A session as a request has it that has looked at it once."""
    session = store(session_key)
    session.keys()
    return session


def saved(session_key, **values):
    """Another request's change, from its beginning to its end."""
    session = opened(session_key)
    session.update(values)
    session.save()


def read(session_key, store=SessionStore):
    return dict(store(session_key).items())


class FormatTests(TransactionTestCase):
    def test_signs_with_the_salt_of_django(self):
        self.assertEqual(SessionStore().key_salt, DjangoStore().key_salt)

    def test_reads_what_the_engine_of_django_wrote_and_the_reverse(self):
        session_key = stored({"a": 1}, DjangoStore)
        saved(session_key, b=2)
        self.assertEqual(read(session_key, DjangoStore), {"a": 1, "b": 2})


class JoinTests(TransactionTestCase):
    def test_keeps_the_keys_that_two_requests_add(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["b"] = 1
        saved(session_key, c=2)
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "b": 1, "c": 2})

    def test_keeps_what_others_removed_removed(self):
        session_key = stored({"a": 0, "b": 0})
        mine, theirs = opened(session_key), opened(session_key)
        del theirs["a"]
        theirs.save()
        mine["c"] = 1
        mine.save()
        self.assertEqual(read(session_key), {"b": 0, "c": 1})

    def test_removes_what_this_request_removed(self):
        session_key = stored({"a": 0, "b": 0})
        mine = opened(session_key)
        del mine["a"]
        saved(session_key, b=1)
        mine.save()
        self.assertEqual(read(session_key), {"b": 1})

    def test_lets_the_later_save_win_a_key_that_both_changed(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["a"] = 1
        saved(session_key, a=2)
        mine.save()
        self.assertEqual(read(session_key), {"a": 1})

    def test_keeps_a_key_that_others_changed_and_this_request_set_to_what_it_was(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["a"] = 0
        saved(session_key, a=2)
        mine.save()
        self.assertEqual(read(session_key), {"a": 2})

    def test_sees_a_change_inside_a_value(self):
        session_key = stored({"cart": ["tea"], "n": 0})
        mine = opened(session_key)
        mine["cart"].append("cup")
        mine.modified = True
        saved(session_key, n=1)
        mine.save()
        self.assertEqual(read(session_key), {"cart": ["tea", "cup"], "n": 1})

    def test_tells_numbers_apart_that_are_equal_in_python(self):
        session_key = stored({"a": 1, "b": 1})
        mine = opened(session_key)
        mine["a"] = True
        saved(session_key, b=1.0)
        mine.save()
        self.assertEqual(repr(read(session_key)), repr({"a": True, "b": 1.0}))

    def test_takes_a_tuple_for_the_list_that_it_was_read_as(self):
        session_key = stored({"a": [1, 2]})
        mine = opened(session_key)
        mine["a"] = (1, 2)
        saved(session_key, a=[3])
        mine.save()
        self.assertEqual(read(session_key), {"a": [3]})

    def test_shows_the_joined_values_after_the_save(self):
        session_key = stored({"a": 0, "cart": []})
        mine = opened(session_key)
        cart = mine["cart"]
        mine["b"] = 1
        saved(session_key, a=2)
        mine.save()
        self.assertEqual(dict(mine.items()), {"a": 2, "cart": [], "b": 1})
        self.assertIs(mine["cart"], cart)
        with self.assertNumQueries(1):
            mine.save()

    def test_writes_in_one_statement_where_nobody_else_wrote(self):
        mine = opened(stored({"a": 0}))
        mine["a"] = 1
        with self.assertNumQueries(1):
            mine.save()

    def test_computes_the_end_from_the_joined_values(self):
        session_key = stored({"a": 0})
        mine, theirs = opened(session_key), opened(session_key)
        theirs.set_expiry(60)
        theirs.save()
        mine["b"] = 1
        mine.save()
        self.assertLess(Session.objects.get().expire_date, timezone.now() + timedelta(seconds=61))
        self.assertEqual(mine.get_expiry_age(), 60)

    def test_takes_a_row_that_holds_no_dictionary_for_an_empty_one(self):
        for text in ("broken", SessionStore().encode([1])):
            session_key = stored({"a": 0})
            mine = opened(session_key)
            mine["b"] = 1
            Session.objects.filter(session_key=session_key).update(session_data=text)
            mine.save()
            self.assertEqual(read(session_key), {"b": 1})

    def test_removes_with_clear_what_this_request_has_seen(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine.clear()
        mine["b"] = 1
        saved(session_key, c=2)
        mine.save()
        self.assertEqual(read(session_key), {"b": 1, "c": 2})

    def test_replaces_all_with_clear_on_a_session_that_was_not_read(self):
        session_key = stored({"a": 0})
        mine = SessionStore(session_key)
        mine.clear()
        mine["b"] = 1
        mine.save()
        self.assertEqual(read(session_key), {"b": 1})

    def test_compares_with_what_the_dictionary_was_read_from_not_with_a_later_look(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        saved(session_key, b=1)
        self.assertEqual(mine.load(), {"a": 0, "b": 1})
        mine["c"] = 2
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "b": 1, "c": 2})


class LoginTests(TransactionTestCase):
    def test_refuses_to_join_two_logins(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine.update({**LOGIN, "_auth_user_id": "2"})
        saved(session_key, **LOGIN)
        with self.assertRaises(UpdateError):
            mine.save()
        self.assertEqual(read(session_key), {"a": 0, **LOGIN})

    def test_refuses_a_login_where_others_logged_out(self):
        session_key = stored(LOGIN)
        mine, theirs = opened(session_key), opened(session_key)
        mine["_auth_user_id"] = "2"
        for key in LOGIN:
            del theirs[key]
        theirs.save()
        with self.assertRaises(UpdateError):
            mine.save()
        self.assertEqual(read(session_key), {})

    def test_joins_the_same_login_twice(self):
        session_key = stored({})
        mine = opened(session_key)
        mine.update({"b": 1, **LOGIN})
        saved(session_key, a=0, **LOGIN)
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "b": 1, **LOGIN})

    def test_keeps_a_login_that_only_one_side_made(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["a"] = 1
        saved(session_key, **LOGIN)
        mine.save()
        self.assertEqual(read(session_key), {"a": 1, **LOGIN})


class DeletedTests(TransactionTestCase):
    def setUp(self):
        session_key = stored({"a": 0})
        self.mine = opened(session_key)
        self.mine["a"] = 1
        SessionStore(session_key).flush()

    def assert_nothing_came_back(self):
        self.assertEqual(Session.objects.count(), 0)
        self.assertEqual(dict(self.mine.items()), {"a": 1})

    def test_save_brings_no_row_back(self):
        with self.assertRaises(UpdateError):
            self.mine.save()
        self.assert_nothing_came_back()

    def test_cycle_key_brings_no_row_back(self):
        session_key = self.mine.session_key
        with self.assertRaises(UpdateError):
            self.mine.cycle_key()
        self.assert_nothing_came_back()
        self.assertEqual(self.mine.session_key, session_key)

    def test_atomic_brings_no_row_back(self):
        with self.assertRaises(UpdateError):
            self.mine.atomic(lambda session: self.fail("nothing to change"))
        self.assert_nothing_came_back()

    def test_is_answered_with_400_where_a_view_meets_it(self):
        with self.assertRaises(SessionInterrupted):
            self.mine.cycle_key()

    def test_a_row_that_was_gone_at_the_first_look_is_a_new_session(self):
        late = SessionStore(self.mine.session_key)
        late["b"] = 1
        late.save()
        self.assertNotEqual(late.session_key, self.mine.session_key)
        self.assertEqual(read(late.session_key), {"b": 1})


class CycleKeyTests(TransactionTestCase):
    def test_moves_what_others_wrote_meanwhile(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["b"] = 1
        saved(session_key, c=2)
        mine.cycle_key()
        self.assertEqual(list(Session.objects.values_list("session_key", flat=True)), [mine.session_key])
        self.assertNotEqual(mine.session_key, session_key)
        self.assertEqual(read(mine.session_key), {"a": 0, "b": 1, "c": 2})
        self.assertEqual(dict(mine.items()), {"a": 0, "b": 1, "c": 2})
        self.assertIs(mine.modified, True)

    def test_interrupts_the_request_that_still_has_the_old_key(self):
        session_key = stored({"a": 0})
        mine, theirs = opened(session_key), opened(session_key)
        theirs.cycle_key()
        mine["b"] = 1
        with self.assertRaises(UpdateError):
            mine.save()
        self.assertEqual(read(theirs.session_key), {"a": 0})

    def test_leaves_all_as_it_was_if_the_old_row_cannot_be_deleted(self):
        class Stubborn(SessionStore):
            key_salt = SessionStore().key_salt

            def delete(self, session_key=None):
                raise OSError

        session_key = stored({"a": 0})
        mine = opened(session_key, Stubborn)
        with self.assertRaises(OSError):
            mine.cycle_key()
        self.assertEqual(list(Session.objects.values_list("session_key", flat=True)), [session_key])
        self.assertEqual(mine.session_key, session_key)
        mine["b"] = 1
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "b": 1})

    def test_makes_a_session_where_there_is_none(self):
        mine = SessionStore()
        mine["a"] = 1
        mine.cycle_key()
        self.assertEqual(read(mine.session_key), {"a": 1})


class AtomicTests(TransactionTestCase):
    def test_changes_the_values_as_they_are_now(self):
        session_key = stored({"n": 0})
        mine = opened(session_key)
        saved(session_key, n=7)

        def count(session):
            session["n"] += 1
            return session["n"]

        self.assertEqual(mine.atomic(count), 8)
        self.assertEqual(read(session_key), {"n": 8})
        self.assertEqual(mine["n"], 8)
        self.assertIs(mine.modified, False)

    def test_leaves_what_this_request_changed_before_for_its_save(self):
        session_key = stored({"n": 0})
        mine = opened(session_key)
        mine["a"] = 1
        mine.atomic(lambda session: session.update({"n": session["n"] + 1}))
        self.assertEqual(read(session_key), {"n": 1})
        self.assertEqual(dict(mine.items()), {"n": 1, "a": 1})
        saved(session_key, n=5)
        mine.save()
        self.assertEqual(read(session_key), {"n": 5, "a": 1})

    def test_writes_nothing_if_the_change_raises(self):
        session_key = stored({"n": 0})
        mine = opened(session_key)
        mine["a"] = 1

        def fail(session):
            session["n"] = 1
            raise KeyError("n")

        with self.assertRaises(KeyError):
            mine.atomic(fail)
        self.assertEqual(read(session_key), {"n": 0})
        self.assertEqual(dict(mine.items()), {"n": 0, "a": 1})
        mine.save()
        self.assertEqual(read(session_key), {"n": 0, "a": 1})

    def test_can_change_the_end_of_the_session(self):
        mine = opened(stored({"n": 0}))
        mine.atomic(lambda session: session.set_expiry(60))
        self.assertLess(Session.objects.get().expire_date, timezone.now() + timedelta(seconds=61))

    def test_makes_a_session_where_there_is_none(self):
        mine = SessionStore()
        mine.atomic(lambda session: session.update({"n": 1}))
        self.assertEqual(read(mine.session_key), {"n": 1})


class Together:
    """Work of many threads at once."""

    WRITERS = 12

    def run_together(self, work):
        """Call work(number, meet) in as many threads as there are writers; meet() returns when all of them call it."""
        barrier = Barrier(self.WRITERS)
        errors = []

        def run(number):
            try:
                work(number, barrier.wait)
            except BaseException as error:
                errors.append(error)
                barrier.abort()
            finally:
                connections.close_all()

        threads = [Thread(target=run, args=[number]) for number in range(self.WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])


class ThreadTests(Together, TransactionTestCase):
    def test_keeps_the_keys_of_all_writers_that_read_the_same_text(self):
        session_key = stored({"a": 0})

        def write(number, meet):
            session = opened(session_key)
            meet()
            session[f"w{number}"] = number
            session.save()

        self.run_together(write)
        expected = {f"w{number}": number for number in range(self.WRITERS)}
        self.assertEqual(read(session_key), {"a": 0, **expected})

    def test_counts_each_call_of_atomic(self):
        session_key = stored({"n": 0})

        def count(number, meet):
            session = opened(session_key)
            meet()
            session.atomic(lambda fresh: fresh.update({"n": fresh["n"] + 1}))

        self.run_together(count)
        self.assertEqual(read(session_key), {"n": self.WRITERS})

    def test_gives_one_new_key_to_those_who_ask_at_once(self):
        session_key = stored({"a": 0})
        outcomes = []

        def cycle(number, meet):
            session = opened(session_key)
            meet()
            try:
                session.cycle_key()
                outcomes.append(session.session_key)
            except UpdateError:
                outcomes.append(None)

        self.run_together(cycle)
        (new_key,) = [outcome for outcome in outcomes if outcome is not None]
        self.assertEqual(list(Session.objects.values_list("session_key", flat=True)), [new_key])


@unittest.skipUnless(hasattr(AbstractBaseUser, "get_session_auth_fallback_hash"), "Django has no SECRET_KEY_FALLBACKS")
@override_settings(SECRET_KEY_FALLBACKS=["older", "old"])
class RotationTests(Together, TransactionTestCase):
    """SECRET_KEY was changed since the user logged in."""

    def setUp(self):
        self.user = Member(email="a@example.com")
        self.user.set_password("first")
        self.user.save()
        self.session_key = self.logged_in(self.user, "old")
        self.client = Client()
        self.client.cookies["sessionid"] = self.session_key

    def logged_in(self, user, secret_key):
        """The key of a session from the time of this SECRET_KEY."""
        with override_settings(SECRET_KEY=secret_key):
            login = {
                auth.SESSION_KEY: str(user.pk),
                auth.BACKEND_SESSION_KEY: "engine_suite.backends.MemberBackend",
                auth.HASH_SESSION_KEY: user.get_session_auth_hash(),
            }
            return stored({"a": 0, **login})

    def request(self, session):
        request = HttpRequest()
        request.session = session
        return request

    def keys(self):
        return list(Session.objects.values_list("session_key", flat=True))

    def hash_in_row(self):
        return Session.objects.get().get_decoded()[auth.HASH_SESSION_KEY]

    def assert_moved(self):
        """The session has a new key, and the old one is gone."""
        (session_key,) = self.keys()
        self.assertNotEqual(session_key, self.session_key)
        self.assertEqual(self.client.cookies["sessionid"].value, session_key)

    def test_keeps_the_key_and_writes_the_new_hash(self):
        for _ in range(2):
            response = self.client.get("/me/")
            self.assertEqual(response.content.decode(), str(self.user.pk))
            self.assertEqual(self.keys(), [self.session_key])
            self.assertEqual(self.hash_in_row(), self.user.get_session_auth_hash())
        self.assertEqual(response.cookies, {})
        with override_settings(SECRET_KEY_FALLBACKS=[]):
            session = opened(self.session_key)
            self.assertEqual(auth.get_user(self.request(session)), self.user)

    def test_keeps_it_for_a_request_that_read_before_another_wrote_the_hash(self):
        response = self.client.get("/me-after-another/")
        self.assertEqual((response.status_code, response.content.decode()), (200, str(self.user.pk)))
        self.assertEqual(response.cookies["sessionid"].value, self.session_key)
        self.assertEqual(self.keys(), [self.session_key])
        self.assertEqual(self.hash_in_row(), self.user.get_session_auth_hash())

    def test_answers_all_requests_that_come_at_once(self):
        users = []

        def read_user(number, meet):
            session = opened(self.session_key)
            meet()
            users.append(auth.get_user(self.request(session)))
            meet()
            session[f"w{number}"] = number
            session.save()

        self.run_together(read_user)
        self.assertEqual(users, [self.user] * self.WRITERS)
        self.assertEqual(self.keys(), [self.session_key])
        values = read(self.session_key)
        self.assertEqual(values[auth.HASH_SESSION_KEY], self.user.get_session_auth_hash())
        self.assertEqual({values[f"w{number}"] for number in range(self.WRITERS)}, set(range(self.WRITERS)))

    def test_reads_the_user_once_more_and_only_where_the_hash_is_an_old_one(self):
        for queries in (2, 1):
            session = opened(self.session_key)
            with self.assertNumQueries(queries):
                auth.get_user(self.request(session))
            session.save()

    def test_leaves_a_logout_meanwhile_final(self):
        self.assertEqual(self.client.get("/me-after-logout/").status_code, 400)
        self.assertEqual(self.keys(), [])

    def test_ends_a_session_from_before_a_change_of_the_password(self):
        self.user.set_password("second")
        self.user.save()
        self.assertEqual(self.client.get("/me/").content, b"None")
        self.assertEqual(self.keys(), [])

    def test_takes_a_new_key_after_a_change_of_the_password(self):
        self.assertEqual(self.client.get("/change-password/").status_code, 200)
        self.assert_moved()
        user = Member.objects.get()
        self.assertEqual(self.hash_in_row(), user.get_session_auth_hash())
        self.assertEqual(self.client.get("/me/").content.decode(), str(user.pk))

    def test_takes_a_new_key_after_a_change_of_the_password_that_is_saved_later(self):
        request = self.request(opened(self.session_key))
        request.user = SimpleLazyObject(lambda: auth.get_user(request))
        self.user.set_password("second")
        auth.update_session_auth_hash(request, self.user)
        self.user.save()
        request.session.save()
        self.assertEqual(self.keys(), [request.session.session_key])
        self.assertNotEqual(request.session.session_key, self.session_key)
        self.assertEqual(self.hash_in_row(), self.user.get_session_auth_hash())

    def test_takes_a_new_key_for_others_that_ask_for_one(self):
        self.assertEqual(self.client.get("/ask-for-a-key/").status_code, 200)
        self.assert_moved()
        self.assertEqual(Session.objects.get().get_decoded()["rights"], "more")
        self.assertEqual(self.client.get("/me/").content.decode(), str(self.user.pk))

    def test_takes_a_new_key_for_others_that_ask_once_the_user_is_known(self):
        session = opened(self.session_key)
        auth.get_user(self.request(session))
        session.cycle_key()
        self.assertEqual(self.keys(), [session.session_key])
        self.assertNotEqual(session.session_key, self.session_key)
        self.assertEqual(self.hash_in_row(), self.user.get_session_auth_hash())

    def test_takes_the_new_key_that_others_asked_for_before_atomic(self):
        session = opened(self.session_key)
        session.cycle_key()
        self.client.get("/me/")
        session.atomic(lambda fresh: fresh.update({"b": 1}))
        self.assertEqual(self.keys(), [session.session_key])
        self.assertNotEqual(session.session_key, self.session_key)
        self.assertEqual(read(session.session_key)["b"], 1)

    def test_takes_a_new_key_at_a_login(self):
        other = Member(email="b@example.com")
        other.save()
        for user in (self.user, other):
            session_key = self.logged_in(self.user, "old")
            request = self.request(opened(session_key))
            request.user = None
            auth.login(request, user, "engine_suite.backends.MemberBackend")
            request.session.save()
            self.assertNotIn(session_key, self.keys())
            self.assertEqual(auth.get_user(self.request(opened(request.session.session_key))), user)

    def test_takes_a_new_key_where_the_backend_gives_no_user(self):
        Member.objects.update(blocked=True)
        session = opened(self.session_key)
        session.cycle_key()
        self.assertEqual(self.keys(), [session.session_key])
        self.assertNotEqual(session.session_key, self.session_key)

    def test_asks_no_user_model_where_nobody_is_logged_in(self):
        session = opened(stored({"a": 0}))
        with CaptureQueriesContext(connections["default"]) as queries:
            session.cycle_key()
        self.assertNotIn(Member._meta.db_table, str(queries.captured_queries))


class TransactionTests(TransactionTestCase):
    def test_saves_again_what_a_rollback_took_back(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["b"] = 1
        with transaction.atomic():
            mine.save()
            transaction.set_rollback(True)
        self.assertEqual(read(session_key), {"a": 0})
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "b": 1})

    def test_joins_what_others_wrote_after_a_rollback(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["b"] = 1
        with transaction.atomic():
            mine.save()
            transaction.set_rollback(True)
        saved(session_key, c=2)
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "b": 1, "c": 2})

    def test_joins_what_others_wrote_after_a_commit(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["b"] = 1
        with transaction.atomic():
            mine.save()
            mine["c"] = 2
            mine.save()
        theirs = opened(session_key)
        del theirs["b"]
        theirs.save()
        mine["d"] = 3
        mine.save()
        self.assertEqual(read(session_key), {"a": 0, "c": 2, "d": 3})


class SignalTests(TransactionTestCase):
    def test_sends_the_signals_of_a_model_that_is_saved(self):
        session_key = stored({"a": 0})
        heard = []

        def hear(sender, instance, signal, **kwargs):
            heard.append((signal is pre_save, dict(instance.get_decoded())))

        for signal in (pre_save, post_save):
            signal.connect(hear, sender=Session)
            self.addCleanup(signal.disconnect, hear, sender=Session)
        mine = opened(session_key)
        mine["b"] = 1
        mine.save()
        self.assertEqual(heard, [(True, {"a": 0, "b": 1}), (False, {"a": 0, "b": 1})])
        saved(session_key, c=2)
        heard.clear()
        mine["b"] = 3
        mine.save()
        self.assertEqual(heard[-1], (False, {"a": 0, "b": 3, "c": 2}))


class ModelTests(TransactionTestCase):
    def test_fills_a_column_from_the_joined_values(self):
        session_key = stored({"a": 0}, AccountStore)
        mine, theirs = opened(session_key, AccountStore), opened(session_key, AccountStore)
        theirs["_auth_user_id"] = "7"
        theirs.save()
        self.assertEqual(AccountSession.objects.get().account_id, 7)
        changed_at = AccountSession.objects.get().changed_at
        mine["b"] = 1
        mine.save()
        row = AccountSession.objects.get()
        self.assertEqual(row.account_id, 7)
        self.assertGreater(row.changed_at, changed_at)
        self.assertEqual(row.get_decoded(), {"a": 0, "b": 1, "_auth_user_id": "7"})

    def test_writes_the_columns_of_a_model_in_one_statement(self):
        mine = opened(stored({"_auth_user_id": "7"}, AccountStore), AccountStore)
        changed_at = AccountSession.objects.get().changed_at
        del mine["_auth_user_id"]
        with self.assertNumQueries(1):
            mine.save()
        row = AccountSession.objects.get()
        self.assertIsNone(row.account_id)
        self.assertGreater(row.changed_at, changed_at)

    def test_cycles_the_key_of_a_model_with_columns(self):
        mine = opened(stored({"_auth_user_id": "7"}, AccountStore), AccountStore)
        mine.cycle_key()
        self.assertEqual(AccountSession.objects.get().account_id, 7)

    def test_calls_the_save_of_a_model(self):
        session_key = stored({"a": 0}, CountedStore)
        mine, theirs = opened(session_key, CountedStore), opened(session_key, CountedStore)
        for session, name in ((theirs, "b"), (mine, "c")):
            session[name] = 1
            session.save()
        row = CountedSession.objects.get()
        self.assertEqual(row.saves, 3)
        self.assertEqual(row.get_decoded(), CountedStore().decode(row.session_data))
        self.assertEqual(read(session_key, CountedStore), {"a": 0, "b": 1, "c": 1})

    def test_writes_both_tables_of_a_model_that_inherits(self):
        session_key = stored({"device": "phone"}, DeviceStore)
        mine, theirs = opened(session_key, DeviceStore), opened(session_key, DeviceStore)
        theirs["device"] = "desk"
        theirs.save()
        mine["a"] = 1
        mine.save()
        self.assertEqual(DeviceSession.objects.get().device, "desk")
        self.assertEqual(read(session_key, DeviceStore), {"device": "desk", "a": 1})
        with self.assertRaises(UpdateError):
            DeviceSession.objects.all().delete()
            mine.save()

    def test_signs_a_subclass_with_its_own_salt(self):
        self.assertEqual(AccountStore().key_salt, "django.contrib.sessions.AccountStore")


class Other:
    """A router that sends sessions to the second database."""

    def db_for_read(self, model, **hints):
        return "other" if model is Session else None

    db_for_write = db_for_read


@override_settings(DATABASE_ROUTERS=["engine_suite.tests.Other"])
class RouterTests(TransactionTestCase):
    databases = {"default", "other"}

    def test_writes_where_the_router_says(self):
        session_key = stored({"a": 0})
        mine = opened(session_key)
        mine["b"] = 1
        saved(session_key, c=2)
        mine.save()
        mine.atomic(lambda session: session.update({"d": 3}))
        mine.cycle_key()
        self.assertEqual(Session.objects.using("default").count(), 0)
        self.assertEqual(read(mine.session_key), {"a": 0, "b": 1, "c": 2, "d": 3})


class MiddlewareTests(TransactionTestCase):
    def setUp(self):
        self.session_key = stored({"a": 0})
        self.client = Client()
        self.client.cookies["sessionid"] = self.session_key

    def test_a_request_keeps_what_another_wrote_while_it_ran(self):
        self.assertEqual(self.client.get("/add/").status_code, 200)
        self.assertEqual(read(self.session_key), {"a": 0, "mine": 1, "theirs": 2})

    def test_a_logout_meanwhile_is_400(self):
        for url in ("/add-after-logout/", "/login-after-logout/"):
            session_key = self.client.cookies["sessionid"] = stored({"a": 0})
            self.assertEqual(self.client.get(url).status_code, 400)
            self.assertFalse(SessionStore().exists(session_key))

    def test_a_cookie_without_a_row_does_not_keep_anybody_from_logging_in(self):
        SessionStore(self.session_key).delete()
        response = self.client.get("/login-after-clear/")
        self.assertEqual(response.status_code, 200)
        self.assertNotEqual(response.cookies["sessionid"].value, self.session_key)


@unittest.skipIf(django.VERSION < (5, 1), "Django has no asynchronous sessions before 5.1")
class AsyncTests(TransactionTestCase):
    async def astored(self, values, store=SessionStore):
        session = store()
        await session.aupdate(values)
        await session.asave()
        return session.session_key

    async def aopened(self, session_key, store=SessionStore):
        session = store(session_key)
        await session.akeys()
        return session

    async def aread(self, session_key, store=SessionStore):
        return dict(await store(session_key).aitems())

    async def test_keeps_the_keys_that_two_requests_add(self):
        session_key = await self.astored({"a": 0})
        mine, theirs = await self.aopened(session_key), await self.aopened(session_key)
        await theirs.aset("b", 1)
        await theirs.asave()
        await mine.aset("c", 2)
        await mine.asave()
        self.assertEqual(await self.aread(session_key), {"a": 0, "b": 1, "c": 2})

    async def test_moves_what_others_wrote_meanwhile_to_the_new_key(self):
        session_key = await self.astored({"a": 0})
        mine, theirs = await self.aopened(session_key), await self.aopened(session_key)
        await theirs.aset("b", 1)
        await theirs.asave()
        await mine.acycle_key()
        self.assertEqual(await self.aread(mine.session_key), {"a": 0, "b": 1})
        self.assertIs(await theirs.aexists(session_key), False)

    async def test_brings_no_row_back(self):
        session_key = await self.astored({"a": 0})
        mine = await self.aopened(session_key)
        await mine.aset("a", 1)
        await SessionStore(session_key).aflush()
        for call in (mine.asave, mine.acycle_key, lambda: mine.aatomic(lambda session: None)):
            with self.assertRaises(UpdateError):
                await call()
        self.assertEqual(await Session.objects.acount(), 0)

    async def test_atomic_takes_functions_and_coroutine_functions(self):
        session_key = await self.astored({"n": 0})
        mine = await self.aopened(session_key)

        async def count(session):
            await session.aset("n", (await session.aget("n")) + 1)
            return await session.aget("n")

        self.assertEqual(await mine.aatomic(count), 1)
        await mine.aatomic(lambda session: session.update({"n": session["n"] + 1}))
        self.assertEqual(await self.aread(session_key), {"n": 2})

    async def test_makes_a_session_where_there_is_none(self):
        for call in (SessionStore.acycle_key, lambda mine: mine.aatomic(lambda session: session.update({"b": 1}))):
            mine = SessionStore()
            await mine.aset("a", 1)
            await call(mine)
            self.assertEqual((await self.aread(mine.session_key))["a"], 1)

    async def test_fills_a_column_from_the_joined_values(self):
        session_key = await self.astored({"a": 0}, AccountStore)
        mine = await self.aopened(session_key, AccountStore)
        theirs = await self.aopened(session_key, AccountStore)
        await theirs.aset("_auth_user_id", "7")
        await theirs.asave()
        await mine.aset("b", 1)
        await mine.asave()
        self.assertEqual((await AccountSession.objects.aget()).account_id, 7)
        await mine.acycle_key()
        self.assertEqual((await AccountSession.objects.aget()).account_id, 7)

    async def alogged_in(self):
        """A user, and a session of that user from before a change of SECRET_KEY."""
        user = Member(email="a@example.com")
        user.set_password("first")
        await user.asave()
        with override_settings(SECRET_KEY="old"):
            login = {
                auth.SESSION_KEY: str(user.pk),
                auth.BACKEND_SESSION_KEY: "engine_suite.backends.MemberBackend",
                auth.HASH_SESSION_KEY: user.get_session_auth_hash(),
            }
            return user, await self.astored({"a": 0, **login})

    def request(self, session):
        request = HttpRequest()
        request.session = session
        return request

    @override_settings(SECRET_KEY_FALLBACKS=["old"])
    async def test_keeps_the_key_after_a_change_of_secret_key(self):
        user, session_key = await self.alogged_in()
        both = [await self.aopened(session_key), await self.aopened(session_key)]
        for session in both:
            self.assertEqual(await auth.aget_user(self.request(session)), user)
        for session in both:
            await session.asave()
        row = await Session.objects.aget()
        self.assertEqual(row.session_key, session_key)
        self.assertEqual(row.get_decoded()[auth.HASH_SESSION_KEY], user.get_session_auth_hash())

    @override_settings(SECRET_KEY_FALLBACKS=["old"])
    async def test_takes_a_new_key_for_others_that_ask_after_a_change_of_secret_key(self):
        user, session_key = await self.alogged_in()
        session = await self.aopened(session_key)
        await session.acycle_key()
        await session.asave()
        row = await Session.objects.aget()
        self.assertNotEqual(row.session_key, session_key)
        self.assertEqual(row.session_key, session.session_key)

    @override_settings(SECRET_KEY_FALLBACKS=["old"])
    async def test_leaves_a_logout_final_after_a_change_of_secret_key(self):
        user, session_key = await self.alogged_in()
        session = await self.aopened(session_key)
        await SessionStore(session_key).aflush()
        self.assertEqual(await auth.aget_user(self.request(session)), user)
        with self.assertRaises(UpdateError):
            await session.asave()
        self.assertEqual(await Session.objects.acount(), 0)
