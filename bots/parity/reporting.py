"""Making a parity report of a run: both verdicts, what the data cost, and the slippage seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import structlog

from backtests.domain.engine import WrongTargets
from backtests.domain.market import MarketMinutes
from backtests.domain.records import KERNEL_VERSION
from backtests.domain.roundtrips import fills_of
from backtests.domain.settings import InvalidSetting
from backtests.domain.trading_json import InvalidTrading
from backtests.domain.units import Units
from bots.domain.parity.inputs import Inputs
from bots.domain.parity.slippage import slippage_observed
from bots.domain.parity.verdicts import Cause, Verdict, judge_known, judge_repaired
from bots.models import ParityReport
from bots.parity.inputs import RunRows, inputs_of, minutes_replayed, read_run
from bots.parity.strategies import code_now, strategy_of
from bots.parity.telling import told
from marketdata.models import from_ms
from strategies.domain.errors import InvalidParameters, StrategyFailed, UnknownStrategy

log = structlog.get_logger(__name__)

_IMPOSSIBLE: Final = (
    UnknownStrategy,
    InvalidParameters,
    StrategyFailed,
    InvalidTrading,
    InvalidSetting,
    WrongTargets,
)
"""What the strategy or the settings refuse: they are not what they were."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Both verdicts on a run, and the inputs of the first."""

    inputs: Inputs
    known: Verdict
    repaired: Verdict


def make_report(run_id: int, reason: str) -> ParityReport:
    """Replay a run up to where it stands, twice, and store what was found; return it.

    A replay that is impossible makes a report that failed, with the reason. Not inside of a
    transaction: the rows are read as of one moment, and nothing is locked meanwhile.
    """
    rows = read_run(run_id)
    return ParityReport.objects.create(
        run_id=run_id,
        reason=reason,
        until=from_ms(rows.until.minute_ms),
        minutes=minutes_replayed(rows),
        fills=len(rows.recorded.fills),
        **_found(rows),
    )


def judge(rows: RunRows) -> Judged:
    """Return both verdicts. Raises what a strategy or settings that moved since refuse."""
    with strategy_of(rows.run) as strategy:
        inputs = inputs_of(rows, strategy)
        known = judge_known(rows.recorded, inputs, _moved(rows, inputs.engine.units))
        minutes = MarketMinutes.of(rows.minutes.now, inputs.engine.units)
        return Judged(inputs, known, judge_repaired(rows.recorded, inputs, minutes, known))


def _found(rows: RunRows) -> dict[str, Any]:
    """Return the columns of a report that tell what was found."""
    if rows.minutes.gone:
        first = from_ms(rows.minutes.gone[0])
        return _failed(Cause.FAULT, f"what it saw of {first:%Y-%m-%d %H:%M} is not stored any more")
    try:
        judged = judge(rows)
    except _IMPOSSIBLE as error:
        return _failed(Cause.CONFIGURATION, f"{type(error).__name__}: {error}")
    except Exception as error:
        # Without a report it would be tried again for ever.
        log.exception("replay_failed", run=rows.run.pk)
        return _failed(Cause.FAULT, f"{type(error).__name__}: {error}")
    return {
        "known": _name(judged.known),
        "known_divergence": told(judged.known, rows.units),
        "repaired": _name(judged.repaired),
        "repaired_divergence": told(judged.repaired, rows.units),
        "details": _details(rows, judged),
    }


def _moved(rows: RunRows, units: Units) -> Cause | None:
    """Return what is not as it was when the run began."""
    if rows.run.engine_version != KERNEL_VERSION:
        return Cause.ENGINE
    is_same = units == rows.units and code_now(rows.run) == rows.run.source_hash
    return None if is_same else Cause.CONFIGURATION


def _name(verdict: Verdict) -> str:
    parted = ParityReport.Verdict.DIVERGED
    return parted if verdict.divergence is not None else ParityReport.Verdict.MATCHED


def _failed(cause: Cause, why: str) -> dict[str, Any]:
    found = {"what": "replay", "cause": cause.value, "why": why}
    failed = ParityReport.Verdict.FAILED
    return {
        "known": failed,
        "known_divergence": found,
        "repaired": failed,
        "repaired_divergence": found,
    }


def _details(rows: RunRows, judged: Judged) -> dict[str, Any]:
    """Return equity and fills on all sides, and the slippage that was seen."""
    last = rows.recorded.last
    model_bps = float(judged.inputs.engine.trading.costs.slippage_bps)
    return {
        "started_with": _amount(rows, judged.inputs.first),
        "ended_with": {
            "recorded": None if last is None else _amount(rows, last),
            "known": _amount(rows, judged.known.replayed.last),
            "repaired": _amount(rows, judged.repaired.replayed.last),
        },
        "fills": {
            "known": len(fills_of(judged.known.replayed.events)),
            "repaired": len(fills_of(judged.repaired.replayed.events)),
        },
        "slippage": slippage_observed(rows.quotes, model_bps),
    }


def _amount(rows: RunRows, state: Any) -> str:
    return f"{rows.units.amount(int(state['equity'][0])):f}"
