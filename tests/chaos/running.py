"""One run: a scene is collected, its schedule strikes, and what is stored is held against it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from django.db.models import Count
from numpy.typing import NDArray

from marketdata.domain.records import CANDLE_DTYPE, TRADE_DTYPE
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Candle, CandleRevision, DataGap, Instrument
from marketdata.storage import range_fingerprint, read_candles, read_trades
from tests.chaos.expected import Expected, expected_of
from tests.chaos.scenes import Scene
from tests.chaos.schedules import Schedule, Strike
from tests.chaos.stack import EXCHANGE, Stack, eventually

START_S: Final = 30.0
REPAIRED_S: Final = 60.0
AFTERWARDS_MS: Final = 15_000
"""So much later the last minute has been confirmed."""

IDLE_SPEED: Final = 30.0
"""A minute takes two seconds then, so that no candle channel seems silent."""

CANDLE_COLUMNS: Final = [
    name for name in CANDLE_DTYPE.names or () if name not in ("closed_at_ms", "revision")
]
"""All but those that tell how a candle came about."""

TRADE_COLUMNS: Final = list(TRADE_DTYPE.names or ())


def collect(stack: Stack, scene: Scene, schedule: Schedule) -> None:
    """Collect the scene from its first second to its end while the schedule strikes."""
    exchange = stack.exchange
    for fault in schedule.faults:
        exchange.post("faults", fault)
    stack.start("collect", "light", "beat")
    eventually(stack, "first trades stored", lambda: stack.stored_trades() > 0, START_S)
    exchange.post("speed", {"speed": scene.speed})
    eventually(stack, "first candles stored", lambda: _have_candles(stack, scene), START_S)
    for strike in schedule.strikes:
        _wait_for(stack, scene.start_ms + int(strike.at_s * 1000))
        do(stack, strike)
    _wait_for(stack, scene.end_ms + AFTERWARDS_MS)
    exchange.clear_faults()
    exchange.post("speed", {"speed": IDLE_SPEED})


def do(stack: Stack, strike: Strike) -> None:
    """Kill a process and start it again, or do the same to an engine."""
    verb, name = strike.what.split()
    if verb == "restart":
        stack.ground.engines.restart(name)
    else:
        stack.kill(name)
        stack.start(name)


def repaired(stack: Stack, scene: Scene) -> float:
    """Wait until everything is as if nothing had happened; return how long it took, in seconds.

    Raises AssertionError naming what differs after REPAIRED_S.
    """
    started = time.monotonic()
    wanted = wanted_of(stack, scene)
    while findings := differences(stack, scene, wanted):
        if time.monotonic() - started > REPAIRED_S:
            raise AssertionError("\n".join([*findings, "", stack.logs()]))
        time.sleep(0.3)
        stack.restart_ended()
    return time.monotonic() - started


def wanted_of(stack: Stack, scene: Scene) -> dict[str, Expected]:
    """Return what the domain makes of the scene's market, by symbol: what is to be stored."""
    with stack.as_our_own():
        specs = [Instrument.objects.named(EXCHANGE, symbol).spec for symbol in scene.symbols]
    return {spec.symbol: expected_of(scene, spec) for spec in specs}


def differences(stack: Stack, scene: Scene, wanted: dict[str, Expected]) -> list[str]:
    """Return what is stored otherwise than it should be, and what is not accounted for."""
    with stack.as_our_own():
        return [
            finding
            for symbol, expected in wanted.items()
            for finding in _differences(scene, Instrument.objects.named(EXCHANGE, symbol), expected)
        ]


def _differences(scene: Scene, instrument: Instrument, expected: Expected) -> Iterator[str]:
    trades = read_trades(instrument, scene.start_ms, scene.end_ms)
    yield from _rows(f"{instrument} trades", TRADE_COLUMNS, trades, expected.trades)
    for timeframe, candles in expected.candles.items():
        bounds = _bounds(scene, timeframe)
        stored = read_candles(instrument, timeframe, *bounds)
        yield from _rows(f"{instrument} {timeframe}", CANDLE_COLUMNS, stored, candles)
        if range_fingerprint(instrument, timeframe, *bounds) != expected.fingerprint(timeframe):
            yield f"{instrument} {timeframe}: another fingerprint"
    for gap in DataGap.objects.live().filter(instrument=instrument):
        yield f"{gap} is {gap.state}: {gap.reason}"
    yield from _unexplained(instrument)


def _bounds(scene: Scene, timeframe: Timeframe) -> tuple[int, int]:
    """Return from where to where candles of the scene open that have closed by its end."""
    return timeframe.open_time(scene.start_ms), timeframe.open_time(scene.end_ms)


def _rows(
    what: str, columns: list[str], stored: NDArray[np.void], expected: NDArray[np.void]
) -> Iterator[str]:
    if np.array_equal(stored[columns], expected[columns]):
        return
    there, wanted = (list(map(tuple, one[columns].tolist())) for one in (stored, expected))
    missing, extra = set(wanted) - set(there), set(there) - set(wanted)
    yield (
        f"{what}: {len(there)} of {len(wanted)} rows, lacks {len(missing)} such as "
        f"{sorted(missing)[:2]}, has besides {len(extra)} such as {sorted(extra)[:2]}"
    )


def _unexplained(instrument: Instrument) -> Iterator[str]:
    """Yield candles that were changed more or less often than there are revisions of them.

    One without old values says that the candle was inserted late, which is no change of it.
    """
    revisions = {
        (row["timeframe"], row["open_time"]): (row["rows"], row["changes"])
        for row in CandleRevision.objects.filter(instrument=instrument)
        .values("timeframe", "open_time")
        .annotate(rows=Count("*"), changes=Count("close"))
    }
    for candle in Candle.objects.filter(instrument=instrument).only("revision"):
        rows, changes = revisions.get((candle.timeframe, candle.open_time), (0, 0))
        if changes != candle.revision:
            yield f"{candle.pk}: revision {candle.revision}, of which {changes} are written down"
        if rows > changes + 1:
            yield f"{candle.pk}: inserted late {rows - changes} times"


def _have_candles(stack: Stack, scene: Scene) -> bool:
    started = stack.query("select count(distinct instrument_id) from marketdata_candle")
    return bool(started[0][0] == len(scene.symbols))


def _wait_for(stack: Stack, exchange_ms: int) -> None:
    """Wait until the exchange's clock says so; during a cut it cannot be asked."""

    def has_come() -> bool:
        stack.restart_ended()
        try:
            state = stack.exchange.state()
        except OSError:
            return False
        return bool(state["exchangeMs"] >= exchange_ms or state["hasEnded"])

    eventually(stack, f"exchange time {exchange_ms}", has_come, 90)
