"""Makes server/auth/common_passwords.ts of the list that Django's CommonPasswordValidator reads.

Run with a Python that has Django: python test/django/make_common_passwords.py
The list is Royce Williams' (https://gist.github.com/roycewilliams/226886fd01572964e1431ac8afc999ce), as Django ships it.
"""

import base64
import gzip
from pathlib import Path

from django.contrib.auth.password_validation import CommonPasswordValidator

TARGET = Path(__file__).resolve().parents[2] / "server" / "auth" / "common_passwords.ts"
words = "\n".join(sorted(CommonPasswordValidator().passwords)) + "\n"
# Without a time, so that the same list makes the same file.
packed = base64.b64encode(gzip.compress(words.encode(), 9, mtime=0)).decode()
TARGET.write_text(
    """/**
 * Django's list of common passwords: lines, gzip, base64. A module, not a file that is read, because bundlers and Jest's
 * transformers know modules alone. Made by test/django/make_common_passwords.py; server/django/common_passwords.LICENSE.
 */
export const COMMON_PASSWORDS: string =
"""
    + f"  '{packed}';\n"
)
