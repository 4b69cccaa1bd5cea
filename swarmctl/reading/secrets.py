"""Which values may be secret, so that they are never shown or stored."""

from __future__ import annotations

import re

MASK = "********"

# A name that suggests a secret value; the name of a file (…_FILE) may be shown.
_SENSITIVE = re.compile(r"(?!.*_FILE$).*(passw|passphrase|secret|token|credential|_?key\b)", re.I)
_IN_A_URL = re.compile(r"(://[^/@\s:]*:)[^/@\s]+@")


def looks_secret(name: str) -> bool:
    """Whether a name, or a word such as ``--password=…``, suggests a secret value."""
    return _SENSITIVE.match(name) is not None


def without_passwords(text: str) -> str:
    """The text with the passwords in its URLs masked."""
    return _IN_A_URL.sub(rf"\1{MASK}@", text)
