"""The exchanges this installation can reach: one table, from a name to what is built for it.

`docs/guides/second-exchange.md` walks through adding one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from marketdata.collector.limits import Unlimited
from marketdata.collector.okx.constants import RATE_WINDOW_S, RATES, Endpoints
from marketdata.collector.okx.rest import OKXHistory
from marketdata.collector.ports import Credential, History, Limiter, Publisher, Recorder, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.raw import RawChannel
from marketdata.domain.records import InstrumentSpec
from marketdata.limiting import Urgency, shared_limiter

if TYPE_CHECKING:
    # The web process only asks for history: it loads no collector.
    from marketdata.collector.base import BaseCollector

OKX: Final = "okx"
SIMULATED: Final = "okx-sim"


@dataclass(frozen=True, slots=True)
class Parts:
    """What every collector is put together from.

    `raw_every_s` and `credential` are for exchanges whose messages are kept as they came.
    """

    exchange: str
    instruments: Sequence[InstrumentSpec]
    sink: Sink
    publisher: Publisher
    settings: CollectorSettings
    recorder: Recorder | None = None
    raw_every_s: Mapping[RawChannel, float] = field(default_factory=dict)
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one exchange is reached.

    `history` opens its REST history, for `async with` in one loop; `collector` builds what
    collects it live. Both raise ImproperlyConfigured, as `check` does without building anything.
    """

    check: Callable[[], object]
    history: Callable[[], AbstractAsyncContextManager[History]]
    collector: Callable[[Parts], BaseCollector]


def exchange_named(name: str) -> Exchange:
    """Return an exchange of the table. Raises ImproperlyConfigured naming the choices."""
    if name not in EXCHANGES:
        raise ImproperlyConfigured(
            f"expected one of the exchanges {', '.join(EXCHANGES)}; was {name!r}"
        )
    return EXCHANGES[name]


def open_history(exchange: str) -> AbstractAsyncContextManager[History]:
    """Return the exchange's REST history, to be used with `async with` in one loop.

    Its requests stand back behind those of live collection. Raises ImproperlyConfigured when it
    is unknown or its settings contradict each other.
    """
    return exchange_named(exchange).history()


def collected_exchanges() -> tuple[str, ...]:
    """Return the exchanges that are collected here, the one that pages show first."""
    return tuple(dict.fromkeys((settings.EXCHANGE, *settings.MORE_EXCHANGES)))


def okx_endpoints(exchange: str, *, is_demo: bool = False) -> Endpoints:
    """Return the addresses of OKX, or of the simulated exchange that speaks like it.

    With `is_demo` the account is one of its demo trading. Raises ImproperlyConfigured, saying
    what to set, when the configured addresses belong to the other one: simulated data never
    enters under the name of the real one.
    """
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


def _okx_history(exchange: str) -> OKXHistory:
    endpoints = okx_endpoints(exchange)
    return OKXHistory(endpoints, _okx_limiter(endpoints, Urgency.BULK))


def _okx_limiter(endpoints: Endpoints, urgency: Urgency) -> Limiter:
    return _okx_shared(endpoints.rest, urgency) if settings.OKX_LIMITS else Unlimited()


@cache
def _okx_shared(host: str, urgency: Urgency) -> Limiter:
    return shared_limiter(host, RATES, RATE_WINDOW_S, urgency)


def _okx_collector(parts: Parts) -> BaseCollector:
    from marketdata.collector.okx.collector import OKXCollector

    is_demo = parts.credential is not None and parts.credential.is_demo
    endpoints = okx_endpoints(parts.exchange, is_demo=is_demo)
    return OKXCollector(
        exchange=parts.exchange,
        endpoints=endpoints,
        limiter=_okx_limiter(endpoints, Urgency.LIVE),
        instruments=parts.instruments,
        sink=parts.sink,
        publisher=parts.publisher,
        settings=parts.settings,
        recorder=parts.recorder,
        raw_every_s=parts.raw_every_s,
        credential=parts.credential,
    )


def _okx(exchange: str) -> Exchange:
    return Exchange(
        partial(okx_endpoints, exchange), partial(_okx_history, exchange), _okx_collector
    )


EXCHANGES: Final[dict[str, Exchange]] = {OKX: _okx(OKX), SIMULATED: _okx(SIMULATED)}
