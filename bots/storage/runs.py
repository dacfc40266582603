"""By what runs decide and trade. It never changes, so that a process keeps what it has read."""

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
    # Other threads add to what is known, and empty it: nothing is looked up in it twice.
    found = {one: known for one in wanted if (known := _known.get(one)) is not None}
    if missing := wanted - found.keys():
        unknown = BotRun.objects.filter(pk__in=[run_id for run_id, _ in missing])
        runs = unknown.select_related("instrument").defer("source")
        read = {(run.pk, run.started_at): settings_of(run) for run in runs}
        if len(_known) > _KEPT:
            _known.clear()
        _known.update(read)
        found |= read
    return {run_id: settings for (run_id, _), settings in found.items()}


def settings_of(run: BotRun) -> RunSettings:
    """Return what the kernel and the group of a run need to know of it."""
    engine = engine_of_run(run)
    return RunSettings(
        id=run.pk,
        bot_id=run.bot_id,
        number=run.number,
        version=run.version,
        symbol=str(run.instrument),
        quote=run.instrument.quote,
        rules=engine.rules,
        units=Units.from_json(run.units),
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
    instrument: Instrument, timeframe: Timeframe, trading: Mapping[str, Any]
) -> BacktestingEngine:
    """Return the engine whose rules and units a run trades by that begins now.

    Raises InvalidTrading and InvalidSetting.
    """
    return _engine(_market(instrument), timeframe, trading)


def engine_of_run(run: BotRun) -> BacktestingEngine:
    """Return the engine whose rules and units a run trades by.

    They are those of the tick, the lot and the smallest order that it began with, whatever the
    exchange has made of them since. Raises InvalidTrading and InvalidSetting.
    """
    market, units = _market(run.instrument), Units.from_json(run.units)
    spec = replace(market.spec, tick_size=units.tick, lot_size=units.lot)
    market = replace(market, spec=spec, minimum_size=run.min_size)
    return _engine(market, Timeframe(run.timeframe), run.trading)


def _market(instrument: Instrument) -> Market:
    is_swap = instrument.kind == Instrument.Kind.SWAP
    return Market(instrument.spec, instrument.min_size, is_margined=is_swap)


def _engine(market: Market, timeframe: Timeframe, trading: Mapping[str, Any]) -> BacktestingEngine:
    rules = trading_from_json(trading, is_swap=market.is_margined)
    return BacktestingEngine(market, timeframe, rules)
