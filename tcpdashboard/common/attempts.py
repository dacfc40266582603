"""A limit on passwords that are tried, on both login pages, counted in the shared cache.

Counted are the tries for one name from one address, and those from one address for any name: a
name alone would let anybody shut its owner out. While the cache is away nothing is counted.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest
from redis import RedisError

from tcpdashboard.common.addresses import client_address

log = structlog.get_logger(__name__)

# From one address, which an office may share, for any name.
NAMES_PER_ADDRESS: Final = 10


class TooManyAttempts(ValidationError):
    """No more passwords are tried for now."""

    kind = "too_many_attempts"

    def __init__(self) -> None:
        minutes = max(1, round(settings.LOGIN_PERIOD_SECONDS / 60))
        wait = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(
            f"Too many wrong passwords were tried. Wait {wait}, then try again.",
            code=self.kind,
        )


def count_attempt(request: HttpRequest, name: str) -> None:
    """Count a password that is about to be tried. Raises TooManyAttempts."""
    limit = settings.LOGIN_ATTEMPTS
    limits = ((_key(request, name), limit), (_key(request), limit * NAMES_PER_ADDRESS))
    try:
        is_over = [_increased(key) > most for key, most in limits]
    except RedisError as error:
        log.warning("login attempts are not counted without the cache", error=str(error))
        return
    if any(is_over):
        log.warning("too many login attempts", address=client_address(request))
        raise TooManyAttempts


def forget_attempts(request: HttpRequest, name: str) -> None:
    """Take the attempt back after the right password, and begin anew for the name."""
    try:
        cache.delete(_key(request, name))
        with contextlib.suppress(ValueError):
            cache.decr(_key(request))
    except RedisError as error:
        log.warning("login attempts are not forgotten without the cache", error=str(error))


def _increased(key: str) -> int:
    cache.add(key, 0, settings.LOGIN_PERIOD_SECONDS)
    try:
        return cache.incr(key)
    except ValueError:
        # It ran out at this very moment.
        return 1


def _key(request: HttpRequest, name: str = "") -> str:
    who = f"{client_address(request)} {name.casefold()}"
    return f"login-attempts:{hashlib.sha256(who.encode(errors='replace')).hexdigest()}"


if TYPE_CHECKING:
    _Form = AuthenticationForm
else:
    _Form = object


class _Limited(_Form):
    @property
    def is_over_limit(self) -> bool:
        return self.has_error(NON_FIELD_ERRORS, code=TooManyAttempts.kind)

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if name is None or self.request is None or not self.cleaned_data.get("password"):
            return super().clean()
        count_attempt(self.request, name)
        cleaned = super().clean()
        forget_attempts(self.request, name)
        return cleaned


class LoginForm(_Limited, AuthenticationForm):
    """The form of the login page."""


class AdminLoginForm(_Limited, AdminAuthenticationForm):
    """The form of the admin's own login page."""
