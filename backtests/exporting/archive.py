"""An archive of a finished backtest: everything it takes to do it again, and what came out."""

from __future__ import annotations

from typing import IO, Any, Final

from backtests.domain.records import KERNEL_VERSION
from backtests.domain.result import BacktestResult
from backtests.domain.statements import fills_as_csv
from backtests.exporting import members
from backtests.exporting.members import Packer
from backtests.exporting.replaying import Setup, replay
from backtests.exporting.verifying import fingerprint_of
from backtests.loading import load_minutes
from backtests.models import Backtest
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from strategies.domain.errors import StrategyError

_RESULT: Final = ("metrics", "compared", "integrity", "badges", "proof", "proofs", "units")


class CannotExport(Exception):
    """The candles or the code of today do not make this result any more; the text says more."""


def write_archive(backtest: Backtest, file: IO[bytes]) -> None:
    """Write the archive of a finished backtest into `file`.

    The run is done once more with the candles that go into it, so that an archive that exists is
    one that can be verified. Raises CannotExport, and CandlesMoved.
    """
    setup = Setup.of(backtest)
    candles, again = _reproduced(backtest, setup)
    pack = Packer(file)
    pack.json(members.CONFIG, setup.as_json())
    if setup.source:
        pack.pieces(members.SOURCE, iter([setup.source]))
    pack.json(members.RESULT, _result(backtest))
    pack.pieces(members.FILLS, fills_as_csv(again.events, again.units))
    for name, array in zip(members.EQUITY, (again.close_times, again.equity), strict=True):
        pack.array(name, array)
    for name in COLUMN_TYPES:
        pack.array(members.CANDLES[name], candles[name])
    pack.close(
        {
            "backtest": backtest.pk,
            "result_hash": backtest.result_hash,
            "fingerprint": backtest.fingerprint,
            "source_hash": backtest.source_hash,
            "engine_version": backtest.engine_version,
        }
    )


def _reproduced(backtest: Backtest, setup: Setup) -> tuple[CandleColumns, BacktestResult]:
    """Return the candles that the backtest used, and its result computed from them."""
    if backtest.engine_version != KERNEL_VERSION:
        raise CannotExport(
            f"backtest {backtest.pk} was run by version {backtest.engine_version} of the engine; "
            f"this is {KERNEL_VERSION}: run it again"
        )
    try:
        with setup.opened() as strategy:
            first_ms = setup.first_ms(strategy)
            minutes = load_minutes(backtest.instrument, first_ms, setup.end_ms)
            again = replay(setup, strategy, minutes.candles)
    except StrategyError as error:
        raise CannotExport(f"the strategy does not run any more: {error}") from error
    # Candles may have changed without changing what was traded: in volume, for one.
    moved = fingerprint_of(minutes.candles) != backtest.fingerprint
    if moved or again.digest != backtest.result_hash:
        raise CannotExport(
            f"the candles or the code behind backtest {backtest.pk} changed since: run it again"
        )
    return minutes.candles, again


def _result(backtest: Backtest) -> dict[str, Any]:
    told = {name: getattr(backtest, name) for name in _RESULT}
    times = {"created_at": backtest.created_at, "finished_at": backtest.finished_at}
    return {**told, **{name: time.isoformat() for name, time in times.items() if time}}
