"""Models of one's own: sessions, as Django's manual shows them, on the engine instead of Django's store, and users."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.db import models
from mysite.sessions import SessionStore


class AccountSession(AbstractBaseSession):
    """With a column that is filled from the session."""

    account_id = models.IntegerField(null=True, db_index=True)
    changed_at = models.DateTimeField(auto_now=True)

    @classmethod
    def get_session_store_class(cls):
        return AccountStore


class AccountStore(SessionStore):
    @classmethod
    def get_model_class(cls):
        return AccountSession

    def create_model_instance(self, data):
        return self.with_account(super().create_model_instance(data), data)

    async def acreate_model_instance(self, data):
        return self.with_account(await super().acreate_model_instance(data), data)

    def with_account(self, obj, data):
        account_id = data.get("_auth_user_id")
        obj.account_id = None if account_id is None else int(account_id)
        return obj


class CountedSession(AbstractBaseSession):
    """With a save() of its own."""

    saves = models.IntegerField(default=0)

    @classmethod
    def get_session_store_class(cls):
        return CountedStore

    def save(self, **kwargs):
        known = type(self).objects.using(kwargs["using"]).filter(pk=self.pk).values_list("saves", flat=True)
        self.saves = sum(known) + 1
        super().save(**kwargs)


class CountedStore(SessionStore):
    @classmethod
    def get_model_class(cls):
        return CountedSession


class DeviceSession(Session):
    """In two tables: Django's and one of its own."""

    device = models.CharField(max_length=20, default="unknown")


class DeviceStore(SessionStore):
    @classmethod
    def get_model_class(cls):
        return DeviceSession

    def create_model_instance(self, data):
        obj = super().create_model_instance(data)
        obj.device = data.get("device", "unknown")
        return obj


class Member(AbstractBaseUser):
    """A user whose primary key is no number."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    blocked = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
