"""Django's user with one more column, in a table of another name, whose 64-bit ids JavaScript's numbers do not hold."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Member(AbstractUser):
    company = models.CharField(max_length=50, default="Acme")

    class Meta:
        db_table = "People"
