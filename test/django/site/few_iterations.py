"""Django's default hasher, with few iterations."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class FewIterationsHasher(PBKDF2PasswordHasher):
    iterations = 10_000
