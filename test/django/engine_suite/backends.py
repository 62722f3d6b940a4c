"""A backend that knows the users of this suite."""

from django.contrib.auth.backends import BaseBackend
from engine_suite.models import Member


class MemberBackend(BaseBackend):
    def get_user(self, user_id):
        return Member.objects.filter(pk=user_id, blocked=False).first()
