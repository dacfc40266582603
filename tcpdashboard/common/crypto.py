"""Secrets that are kept in the database: sealed with keys that are not."""

from __future__ import annotations

from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tcpdashboard.common.redaction import remember

SETTING: Final = "TCPD_ENCRYPTION_KEYS"
HIDDEN: Final = "set, not shown"


class KeyTrouble(ImproperlyConfigured):
    """There is no key, or none of them opens what was sealed: the message says what to do."""


class Sealed:
    """A secret as it is stored. Only `reveal` opens it, and it shows itself to nobody."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return f"<{HIDDEN}>"

    def __str__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)

    def reveal(self) -> str:
        """Return the secret, which log lines mask from then on. Raises KeyTrouble."""
        try:
            secret = _keys().decrypt(self.token.encode()).decode()
        except InvalidToken:
            raise KeyTrouble(
                f"a stored secret was sealed with a key that is not among {SETTING}: add the "
                "old key behind the new one, or enter the secret again"
            ) from None
        remember(secret)
        return secret


def seal(secret: str) -> Sealed:
    """Return `secret` sealed with the newest key. Raises KeyTrouble without one."""
    remember(secret)
    return Sealed(_keys().encrypt(secret.encode()).decode())


def reseal(sealed: Sealed) -> Sealed:
    """Return the same secret sealed with the newest key. Raises KeyTrouble."""
    try:
        return Sealed(_keys().rotate(sealed.token.encode()).decode())
    except InvalidToken:
        raise KeyTrouble(f"a stored secret opens with none of {SETTING}") from None


def new_key() -> str:
    """Return a fresh key for the setting."""
    return Fernet.generate_key().decode()


def _keys() -> MultiFernet:
    """Return the keys, the newest first: it seals, and all of them open."""
    if not settings.ENCRYPTION_KEYS:
        raise KeyTrouble(
            f"{SETTING} is not set: make a key with `manage.py rotate_keys --new`, keep it "
            "outside the database, and set it for every process"
        )
    try:
        return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
    except ValueError:
        raise KeyTrouble(
            f"expected keys of 32 bytes in URL-safe base64 in {SETTING}, separated by commas; "
            "`manage.py rotate_keys --new` makes one"
        ) from None
