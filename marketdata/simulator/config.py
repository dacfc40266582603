"""What a simulated exchange is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from marketdata.simulator.instruments import INSTRUMENTS


@dataclass(frozen=True, slots=True)
class Limits:
    """The exchange's own limits, by wall time. None switches one off."""

    connections_per_second: int | None = 3
    requests_per_hour: int | None = 480
    idle_close_s: float | None = 30.0
    rest_scale: float | None = 1.0
    slow_reader_s: float = 10.0
    slow_reader_bytes: int = 1_000_000


NO_LIMITS = Limits(
    connections_per_second=None, requests_per_hour=None, idle_close_s=None, rest_scale=None
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one account that may log in. Not secret: the account does not exist."""

    api_key: str = "simulated-key"
    secret: str = "simulated-secret"  # noqa: S105
    passphrase: str = "simulated-passphrase"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Config:
    """Ports (0: any free one; None: no TLS), market, pace, limits and faults.

    `start_ms` counts at the first start of a state folder only; None means 30 days before wall
    time. `hold` keeps the clock still until somebody has subscribed. `activity` multiplies the
    number of matches of the seeded market, which lists `instruments` of them.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    tls_port: int | None = None
    seed: int = 1
    activity: float = 1.0
    instruments: int = len(INSTRUMENTS)
    speed: float = 1.0
    start_ms: int | None = None
    hold: bool = False
    tape: Path | None = None
    candles: Path | None = None
    symbol: str | None = None
    faults: Path | None = None
    limits: Limits = field(default_factory=Limits)
    credentials: Credentials = field(default_factory=Credentials)
    compress: bool = False
    candles_on_public: bool = False
    legacy_checksum: bool = False
