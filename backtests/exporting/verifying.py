"""Doing a backtest again from its archive alone, and saying what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import IO, Any

from backtests.domain.comparing import figures_that_differ
from backtests.domain.records import KERNEL_VERSION
from backtests.domain.result import BacktestResult
from backtests.domain.statements import fills_as_csv
from backtests.exporting import members
from backtests.exporting.members import Archive, BadArchive
from backtests.exporting.replaying import Setup, replay
from marketdata.domain.columns import CandleColumns
from marketdata.domain.fingerprint import combine, day_fingerprints
from strategies.domain.errors import StrategyError


@dataclass(frozen=True, slots=True)
class Verification:
    """What doing it again gave; `differences` says what is not the same, by name."""

    result_hash: str
    fills: int
    metrics: Mapping[str, Any]
    differences: dict[str, str]

    @property
    def is_confirmed(self) -> bool:
        """Whether everything is as the archive says."""
        return not self.differences


def verify_archive(file: IO[bytes]) -> Verification:
    """Do the backtest of an archive again, over the candles in it, and compare.

    An own strategy's code runs in a process of its own. Raises BadArchive for what is no archive,
    and StrategyFailed.
    """
    archive = Archive(file)
    differences = dict.fromkeys(archive.changed(), "was changed after it was written")
    try:
        setup = Setup.from_json(archive.json(members.CONFIG), archive.text(members.SOURCE))
        candles = archive.candles()
        with setup.opened() as strategy:
            again = replay(setup, strategy, candles)
    except StrategyError:
        raise
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise BadArchive(f"its configuration cannot be run: {error}") from error
    differences |= _compared(archive, candles, again)
    return Verification(again.digest, len(again.fills), again.metrics(), differences)


def _compared(archive: Archive, candles: CandleColumns, again: BacktestResult) -> dict[str, str]:
    told, result = archive.manifest, archive.json(members.RESULT)
    pairs = {
        "engine_version": (told.get("engine_version"), KERNEL_VERSION),
        "fingerprint": (told.get("fingerprint"), fingerprint_of(candles)),
        "result_hash": (told.get("result_hash"), again.digest),
    }
    moved = {name: f"was {then}, is {now}" for name, (then, now) in pairs.items() if then != now}
    moved |= figures_that_differ("metrics", result.get("metrics", {}), again.metrics())
    for program, figures in again.as_others().items():
        moved |= figures_that_differ(program, result.get("compared", {}).get(program, {}), figures)
    if fills := _first_difference(archive.text(members.FILLS), again):
        moved[members.FILLS] = fills
    return moved


def fingerprint_of(candles: CandleColumns) -> str:
    """Return the fingerprint of a run's candles, warm-up among them, as a backtest keeps it."""
    return combine(day_fingerprints(candles).values()).hex()


def _first_difference(text: str, again: BacktestResult) -> str:
    """Return where the fills part, empty when they do not."""
    then = text.splitlines()
    now = "".join(fills_as_csv(again.events, again.units)).splitlines()
    for number, (old, new) in enumerate(zip_longest(then, now)):
        if old != new:
            return f"fill {number} was {old}, is {new}"
    return ""
