"""Making the proofs about a configuration, and keeping what they found with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from django.db.models.functions import Now

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from marketdata.storage import read_last_candles
from strategies.catalogue import code_hash_of, describe_strategy, opened, prove_strategy
from strategies.domain.checks import Proof, candles_wanted
from strategies.domain.errors import StrategyError
from strategies.domain.markets import made_up
from strategies.domain.params import Values
from strategies.models import StrategyConfig
from tcpdashboard.common.jobs.run import JobRun

_ATTEMPTS: Final = 3


class ConfigMoved(StrategyError):
    """The configuration changed each time while it was proven, or was deleted: ask again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the proofs found, for the code that they found it for."""

    proofs: tuple[Proof, ...]
    code_hash: str
    candles: int

    @property
    def is_passed(self) -> bool:
        """Whether every proof passed."""
        return all(proof.is_passed for proof in self.proofs)


def prove_key(
    key: str,
    params: Values,
    timeframe: Timeframe,
    instrument: Instrument | None = None,
    seed: int = 1,
) -> Verdict:
    """Prove a strategy on the newest candles of an instrument, on made-up ones without.

    Raises UnknownStrategy, InvalidParameters and StrategyFailed.
    """
    with opened(key, params, timeframe) as strategy:
        count = candles_wanted(strategy.warmup)
        candles = (
            made_up(count, timeframe, seed)
            if instrument is None
            else _stored(instrument, timeframe, count)
        )
        proofs = prove_strategy(strategy, candles)
        return Verdict(proofs, code_hash_of(key, strategy), len(candles))


def prove_config(config: StrategyConfig) -> Verdict:
    """Prove a configuration on made-up candles, and store the verdict with it.

    One that is changed meanwhile is proven again, as it is then. Raises as `prove_key` does, and
    ConfigMoved when it changes too often or is deleted meanwhile.
    """
    for _ in range(_ATTEMPTS):
        verdict = prove_key(config.strategy, config.params, Timeframe(config.timeframe))
        is_kept = _keep(config, verdict)
        try:
            config.refresh_from_db()
        except StrategyConfig.DoesNotExist:
            raise ConfigMoved(f"{config} was deleted while it was proven") from None
        if is_kept:
            return verdict
    raise ConfigMoved(f"{config} changes too often to be proven: try again")


def has_standing_proof(config: StrategyConfig) -> bool:
    """Return whether it passed the proofs with the code that the strategy has now."""
    return bool(config.is_proven) and is_of_present_code(config)


def is_of_present_code(config: StrategyConfig) -> bool:
    """Return whether its verdict is about the code that the strategy has now.

    Raises UnknownStrategy and StrategyFailed.
    """
    return describe_strategy(config.strategy).code_hash == config.proven_code


def run_check(run: JobRun) -> dict[str, Any]:
    """Do a job of kind strategy_check."""
    config = StrategyConfig.objects.get(pk=run.parameters["config"])
    verdict = prove_config(config)
    return {"is_passed": verdict.is_passed, "proofs": config.proofs}


def _keep(config: StrategyConfig, verdict: Verdict) -> bool:
    """Store a verdict unless it is about what the configuration no longer says."""
    proven = {"strategy": config.strategy, "timeframe": config.timeframe, "params": config.params}
    kept = StrategyConfig.objects.filter(pk=config.pk, **proven).update(
        is_proven=verdict.is_passed,
        proofs=[asdict(proof) for proof in verdict.proofs],
        proven_at=Now(),
        proven_code=verdict.code_hash,
    )
    return bool(kept)


def _stored(instrument: Instrument, timeframe: Timeframe, count: int) -> Series:
    rows = read_last_candles(instrument, timeframe, count)
    return Series(timeframe, instrument.spec, rows[rows["minutes"] == timeframe.minutes])
