"""What is known of a strategy's look-ahead and warm-up when a backtest of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from backtests.models import Backtest
from marketdata.domain.timeframe import Timeframe
from strategies.domain.errors import StrategyError
from strategies.domain.registry import STRATEGIES
from strategies.models import StrategyConfig
from strategies.proving import is_of_present_code, prove_key

_TITLES: Final = {"look_ahead": "look-ahead", "warmup": "warm-up", "steps": "step"}


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the strategy passed its proofs with these parameters and this code."""

    state: str
    """Of Backtest.Proof."""
    proofs: list[dict[str, Any]]
    badge: str = ""

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of a backtest that keep it."""
        return {"proof": self.state, "proofs": self.proofs}


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof is about: a key, resolved parameters, a timeframe and the hash of the code."""

    strategy: str
    parameters: Mapping[str, Any]
    timeframe: Timeframe
    source_hash: str
    config: StrategyConfig | None = None


def standing_of(subject: Proven) -> Standing:
    """Return what is known, and prove what nothing is known of yet.

    A verdict on the configuration counts while its code stands; the project's own tests prove the
    built-in strategies; an own one is proven once for each version of its code, in its own process.
    """
    config = subject.config
    if config is not None and config.is_proven is not None and _is_of_code(config, subject):
        return _judged(config.proofs)
    if subject.strategy in STRATEGIES:
        return Standing(Backtest.Proof.PASSED, [])
    earlier = _earlier(subject)
    return _judged(earlier.proofs) if earlier else _proven(subject)


def _is_of_code(config: StrategyConfig, subject: Proven) -> bool:
    if subject.strategy not in STRATEGIES:
        # What ran, which may have been edited and proven again meanwhile.
        return config.proven_code == subject.source_hash
    return is_of_present_code(config)


def _earlier(subject: Proven) -> Backtest | None:
    """Return a backtest for which the same was proven."""
    return (
        Backtest.objects.exclude(proof=Backtest.Proof.UNPROVEN)
        .filter(
            strategy=subject.strategy,
            parameters=dict(subject.parameters),
            timeframe=subject.timeframe,
            source_hash=subject.source_hash,
        )
        .first()
    )


def _proven(subject: Proven) -> Standing:
    try:
        verdict = prove_key(subject.strategy, subject.parameters, subject.timeframe)
    except StrategyError as error:
        badge = f"strategy is not proven: {error}"
        return Standing(Backtest.Proof.UNPROVEN, [], badge)
    if verdict.code_hash != subject.source_hash:
        badge = "strategy is not proven: its code was changed while it ran"
        return Standing(Backtest.Proof.UNPROVEN, [], badge)
    return _judged([asdict(proof) for proof in verdict.proofs])


def _judged(proofs: Iterable[dict[str, Any]]) -> Standing:
    kept = list(proofs)
    failed = [proof for proof in kept if not proof["is_passed"]]
    if not failed:
        return Standing(Backtest.Proof.PASSED, kept)
    name = _TITLES.get(failed[0]["name"], failed[0]["name"])
    badge = f"strategy fails its {name} proof: {failed[0]['detail']}"
    return Standing(Backtest.Proof.FAILED, kept, badge)
