"""The exchanges this installation can reach, and where: settings become addresses here."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from marketdata.collector.okx.constants import Endpoints
from marketdata.collector.okx.rest import OKXHistory

OKX: Final = "okx"
SIMULATED: Final = "okx-sim"
EXCHANGES: Final = (OKX, SIMULATED)


def exchange_endpoints(exchange: str, *, is_demo: bool = False) -> Endpoints:
    """Return the addresses of `exchange`; with `is_demo` the account is one of its demo trading.

    Raises ImproperlyConfigured, saying what to set, when the configured addresses belong to the
    other exchange: simulated data never enters under the name of the real one.
    """
    if exchange not in EXCHANGES:
        raise ImproperlyConfigured(
            f"expected one of the exchanges {', '.join(EXCHANGES)}; was {exchange!r}"
        )
    if _is_okx(settings.OKX_REST_URL) and exchange == SIMULATED:
        raise ImproperlyConfigured(
            f"{SIMULATED} is the simulated exchange, but TCPD_OKX_REST_URL is "
            f"{settings.OKX_REST_URL}: start `manage.py simulate_exchange` and set "
            "TCPD_OKX_REST_URL and TCPD_OKX_WS_URL to the addresses it prints"
        )
    if not _is_okx(settings.OKX_REST_URL) and exchange == OKX:
        raise ImproperlyConfigured(
            f"{OKX} is the real exchange, but TCPD_OKX_REST_URL is {settings.OKX_REST_URL}: "
            f"unset it, or name the exchange {SIMULATED}"
        )
    sockets = settings.OKX_WS_URL.rstrip("/")
    return Endpoints(
        rest=settings.OKX_REST_URL.rstrip("/"),
        public=f"{sockets}/public",
        business=f"{sockets}/business",
        ca_file=settings.OKX_CA_FILE or None,
        private=f"{_demo(sockets) if is_demo else sockets}/private",
    )


def open_history(exchange: str) -> OKXHistory:
    """Return the exchange's REST history, to be used with `async with` in one loop.

    Raises ImproperlyConfigured like `exchange_endpoints`.
    """
    return OKXHistory(exchange_endpoints(exchange))


def _demo(sockets: str) -> str:
    """Return where demo accounts are, in each of OKX's regions: wss://wspap for wss://ws."""
    parts = urlsplit(sockets)
    if not _is_okx(sockets):
        return sockets
    name, _, domain = parts.netloc.partition(".")
    return parts._replace(netloc=f"{name.removesuffix('pap')}pap.{domain}").geturl()


def _is_okx(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "okx.com" or host.endswith(".okx.com")
