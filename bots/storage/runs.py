"""The settings of runs: never changed, so that a process reads each of them once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import connection

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market
from backtests.domain.records import KERNEL_VERSION
from backtests.domain.trading_json import trading_from_json
from backtests.domain.units import Units
from bots.domain.grouping import GroupKey, ordered_params
from bots.domain.running import RunSettings
from bots.models import BotRun
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, to_ms

_KEPT: Final = 20_000
_STARTS: Final = "select id, started_at from bots_botrun where id = any(%s)"

# By id and start: a database that was restored gives the same ids to other runs.
_known: dict[tuple[int, datetime], RunSettings] = {}


def run_settings(ids: Iterable[int]) -> dict[int, RunSettings]:
    """Return the settings of runs by their id."""
    with connection.cursor() as cursor:
        cursor.execute(_STARTS, [list(set(ids))])
        wanted: set[tuple[int, datetime]] = set(cursor.fetchall())
    missing = wanted - _known.keys()
    if missing:
        if len(_known) > _KEPT:
            _known.clear()
            missing = wanted
        unknown = BotRun.objects.filter(pk__in=[run_id for run_id, _ in missing])
        runs = unknown.select_related("instrument").defer("source")
        _known.update(((run.pk, run.started_at), settings_of(run)) for run in runs)
    return {one[0]: _known[one] for one in wanted}


def settings_of(run: BotRun) -> RunSettings:
    """Return what the kernel and the group of a run need to know of it."""
    units = Units.from_json(run.units)
    engine = engine_of(run.instrument, Timeframe(run.timeframe), run.trading, units)
    return RunSettings(
        id=run.pk,
        bot_id=run.bot_id,
        number=run.number,
        version=run.version,
        symbol=str(run.instrument),
        quote=run.instrument.quote,
        rules=engine.rules,
        units=units,
        group=group_of(run),
        params=run.params,
        max_entry_age_ms=run.max_entry_age_ms,
        start_ms=to_ms(run.start),
        started_ms=to_ms(run.started_at),
        is_of_this_engine=run.engine_version == KERNEL_VERSION,
    )


def group_of(run: BotRun) -> GroupKey:
    """Return who decides for a run."""
    return GroupKey(
        instrument_id=run.instrument_id,
        timeframe=Timeframe(run.timeframe),
        strategy=run.strategy,
        params=ordered_params(run.params),
        source_hash=run.source_hash,
        anchor_ms=to_ms(run.anchor),
    )


def engine_of(
    instrument: Instrument,
    timeframe: Timeframe,
    trading: Mapping[str, Any],
    units: Units | None = None,
) -> BacktestingEngine:
    """Return the engine whose rules and units a bot trades by.

    A run has those of the `units` that it began with, whatever the exchange has made of its tick
    and its lot since. Raises InvalidTrading and InvalidSetting.
    """
    spec = instrument.spec
    if units is not None:
        spec = replace(spec, tick_size=units.tick, lot_size=units.lot)
    is_swap = instrument.kind == Instrument.Kind.SWAP
    market = Market(spec, instrument.min_size, is_margined=is_swap)
    return BacktestingEngine(market, timeframe, trading_from_json(trading, is_swap=is_swap))
