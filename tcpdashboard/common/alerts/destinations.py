"""To which addresses this machine may be made to send: none inside, unless a setting allows it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings


class ForbiddenDestination(ValueError):
    """An address may not be sent to; the message says why."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address: the host's name, and the network address that was checked.

    Whoever connects takes `address`, because a name could mean another one a moment later.
    """

    url: str
    host: str
    address: str

    @property
    def pinned_url(self) -> str:
        """The URL with the network address in the host's place."""
        parts = urlsplit(self.url)
        shown = f"[{self.address}]" if ":" in self.address else self.address
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=shown + port).geturl()

    @property
    def host_header(self) -> str:
        """What the server knows itself by."""
        parts = urlsplit(self.url)
        return f"{self.host}:{parts.port}" if parts.port else self.host


def check_url(url: str) -> str:
    """Return the host of an address that could be sent to. Raises ForbiddenDestination."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ForbiddenDestination(f"no address: {error}") from None
    if parts.scheme not in ("http", "https") or not host or any(map(str.isspace, url)):
        raise ForbiddenDestination("expected an address such as https://example.org/path")
    if parts.username or parts.password:
        raise ForbiddenDestination("expected an address without a password in front of the host")
    return host


def resolve(url: str) -> Destination:
    """Return where a URL leads to. Raises ForbiddenDestination, and OSError without an answer.

    Every network address that the name stands for must be a public one.
    """
    host = check_url(url)
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(row[4][0]).partition("%")[0] for row in found))
    if not settings.ALERT_PRIVATE_ADDRESSES:
        for one in addresses:
            if not _is_public(one):
                raise ForbiddenDestination(
                    f"{host} is {one}, an address inside: TCPD_ALERT_PRIVATE_ADDRESSES=1 allows it"
                )
    return Destination(url, host, addresses[0])


def _is_public(text: str) -> bool:
    address = ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    address = mapped or address
    return address.is_global and not address.is_multicast
