"""Who sent a request: its network address, told by the proxy where there is one."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address of the client; behind TLS the one that our own proxy has seen.

    A proxy appends the address it saw: only the last one was not made up by the client.
    """
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if settings.SECURE_PROXY_SSL_HEADER and (forwarded := _forwarded(request)):
        return forwarded.rpartition(",")[2].strip()
    return seen


def is_from_this_machine(request: HttpRequest) -> bool:
    """Return whether a program of this machine asks, and not through a proxy."""
    try:
        seen = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return seen.is_loopback and not _forwarded(request)


def _forwarded(request: HttpRequest) -> str:
    return str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
