"""Running a backtest: candles in, the stored result out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from backtests.domain.records import KERNEL_VERSION
from backtests.domain.result import BacktestResult
from backtests.domain.thinning import thinned
from backtests.loading import CandlesMoved, load_minutes
from backtests.models import Backtest
from backtests.proving import Proven, standing_of
from backtests.requests import BacktestRequest, Prepared, check_data, prepare
from backtests.storage.artefacts import keep_arrays
from marketdata.domain.integrity import Integrity
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, to_ms
from marketdata.storage import Held, day_versions, range_fingerprint
from strategies.models import StrategyConfig
from tcpdashboard.common.jobs.run import JobRun

CURVE_POINTS: Final = 1_000
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A run with what it was made of."""

    request: BacktestRequest
    prepared: Prepared
    integrity: Integrity
    """Of the range that was asked for; warm-up candles before it are not in it."""
    result: BacktestResult
    fingerprint: str
    """Of all candles that were used, those of the warm-up too, in hexadecimal."""


def run_backtest(run: JobRun) -> dict[str, Any]:
    """Do the job of a backtest: store its result with the job's progress, in one transaction.

    Raises JobStopped, and what made the run impossible, which is stored with the backtest too.
    """
    backtest = Backtest.objects.select_related("instrument").get(pk=run.parameters["backtest"])
    run.check()
    try:
        finished = run_request(request_of(backtest))
    except CandlesMoved:
        raise
    except Exception as error:
        Backtest.objects.filter(pk=backtest.pk).update(error=f"{type(error).__name__}: {error}")
        raise
    run.check()
    values = stored_values(finished)
    with transaction.atomic():
        run.note(done=1)
        values["artefact"] = keep_result(finished.result)
        Backtest.objects.filter(pk=backtest.pk).update(error="", finished_at=Now(), **values)
    return {"backtest": backtest.pk, "result_hash": values["result_hash"]}


def run_request(request: BacktestRequest) -> Finished:
    """Return what a request comes to. Raises InvalidBacktest, CandlesMoved, WrongTargets."""
    with prepare(request) as prepared:
        return run_prepared(prepared, request)


def run_prepared(prepared: Prepared, request: BacktestRequest) -> Finished:
    """Return what a prepared request comes to; see `run_request`."""
    instrument = prepared.instrument
    used = instrument, Timeframe.M1, prepared.load_from_ms, prepared.end_ms
    for _ in range(_ATTEMPTS):
        versions = day_versions(*used)
        minutes = load_minutes(instrument, prepared.load_from_ms, prepared.end_ms)
        held = Held(minutes.candles, versions)
        found, hashed = check_data(prepared, held=held), range_fingerprint(*used, held)
        # The fingerprint is that of the very candles that were used.
        if versions == day_versions(*used):
            result = prepared.engine.run(minutes, prepared.strategy, prepared.start_ms)
            return Finished(request, prepared, found, result, hashed.hex())
    raise CandlesMoved(f"the candles of {instrument} change too often: try again")


def request_of(backtest: Backtest) -> BacktestRequest:
    """Return what a stored backtest was asked for by."""
    return BacktestRequest(
        strategy=backtest.strategy,
        exchange=backtest.instrument.exchange,
        symbol=backtest.instrument.symbol,
        timeframe=backtest.timeframe,
        start_ms=to_ms(backtest.start),
        end_ms=to_ms(backtest.end),
        parameters=backtest.parameters,
        trading=backtest.trading,
        config=backtest.config_id,
    )


def stored_values(finished: Finished) -> dict[str, Any]:
    """Return the columns that a result fills, without that of `keep_result`."""
    result = finished.result
    standing = standing_of(_subject(finished))
    return {
        **standing.columns,
        # Code may have changed since it was asked for: what ran is what counts.
        "source_hash": finished.prepared.source_hash,
        "source": finished.prepared.source,
        "engine_version": KERNEL_VERSION,
        "fingerprint": finished.fingerprint,
        "integrity": _told(finished.integrity),
        "badges": [*filter(None, [standing.badge]), *badges(finished)],
        "result_hash": result.digest,
        "metrics": result.metrics(),
        "compared": result.as_others(),
        "units": result.units.as_json(),
        "curve": _curve(result),
    }


def keep_result(result: BacktestResult) -> str:
    """Keep events and equity in a file; return its name, for the same transaction to store."""
    names = ("events", "close_times", "closes", "equity")
    return keep_arrays({name: getattr(result, name) for name in names})


def _subject(finished: Finished) -> Proven:
    prepared, config = finished.prepared, finished.request.config
    return Proven(
        strategy=finished.request.strategy,
        parameters=prepared.strategy.params,
        timeframe=prepared.timeframe,
        source_hash=prepared.source_hash,
        config=StrategyConfig.objects.filter(pk=config).first() if config is not None else None,
    )


def badges(finished: Finished) -> list[str]:
    """Return what has to be known before the figures are trusted."""
    found, told = finished.integrity, []
    share = found.complete_share or 0.0
    if share < settings.BACKTEST_WARN_BELOW:
        told.append(f"only {share:.2%} of the minutes are complete")
    if finished.prepared.instrument.kind == Instrument.Kind.SWAP:
        told.append("funding not modelled")
    return told


def _told(found: Integrity) -> dict[str, Any]:
    """Return an integrity for JSON, with its shares."""
    shares = ("complete_share", "flat_share", "revised_share", "verified_share")
    return {
        **asdict(found),
        "fingerprint": found.fingerprint.hex(),
        "missing": found.missing,
        **{name: getattr(found, name) for name in shares},
    }


def _curve(result: BacktestResult) -> dict[str, Any]:
    """Return the points of the equity that a chart shows: close times, quote currency, prices."""
    shown = thinned(result.equity, CURVE_POINTS)
    cash, tick = float(result.units.cash), float(result.units.tick)
    return {
        "time_ms": result.close_times[shown].tolist(),
        "equity": (result.equity[shown] * cash).tolist(),
        "price": (result.closes[shown] * tick).tolist(),
    }
