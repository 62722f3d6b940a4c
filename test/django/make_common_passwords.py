"""Makes server/django/common_passwords.txt.gz of the list that Django's CommonPasswordValidator reads.

Run with a Python that has Django: python test/django/make_common_passwords.py
The list is Royce Williams' (https://gist.github.com/roycewilliams/226886fd01572964e1431ac8afc999ce), as Django ships it.
"""

import gzip
from pathlib import Path

from django.contrib.auth.password_validation import CommonPasswordValidator

FOLDER = Path(__file__).resolve().parents[2] / "server" / "django"
words = "\n".join(sorted(CommonPasswordValidator().passwords)) + "\n"
# Without a time, so that the same list makes the same file.
(FOLDER / "common_passwords.txt.gz").write_bytes(gzip.compress(words.encode(), 9, mtime=0))
