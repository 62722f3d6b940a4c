"""A session model of one's own, as Django's manual shows it under "Extending database-backed session engines"."""

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class TrackedSession(AbstractBaseSession):
    account_id = models.IntegerField(null=True, db_index=True)

    @classmethod
    def get_session_store_class(cls):
        from tracked.sessions import SessionStore

        return SessionStore
