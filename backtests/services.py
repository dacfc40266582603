"""Asking for a backtest, and doing it again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Now

from backtests.domain.comparing import figures_that_differ
from backtests.domain.records import KERNEL_VERSION
from backtests.domain.trading_json import trading_as_json
from backtests.loading import CandlesMoved
from backtests.models import Backtest
from backtests.requests import BacktestRequest, Prepared, check_data, prepare
from backtests.runner import keep_result, request_of, run_request, stored_values
from backtests.storage.artefacts import remove_unnamed
from marketdata.models import from_ms
from strategies.models import StrategyConfig
from strategies.services import use_config
from tcpdashboard.common.jobs.kinds import JobKind
from tcpdashboard.common.jobs.orders import JobRefused, cancel_job, create_job

BACKTEST: Final = JobKind(
    name="backtest",
    handler="backtests.runner.run_backtest",
    queue="backtests",
    unit="backtests",
    retry_on=(CandlesMoved,),
)


def request_backtest(
    request: BacktestRequest,
    owner: Model | None = None,
    *,
    tags: tuple[str, ...] = (),
    notes: str = "",
) -> Backtest:
    """Store what is asked for and the job that runs it; return it.

    `owner` is a user; None is the system. Raises InvalidBacktest, naming each field, also where
    too few of the range's candles are complete.
    """
    with prepare(request) as prepared:
        # Whoever runs it hashes the candles, which it has to read anyway.
        check_data(prepared, is_hashed=False)
    with transaction.atomic():
        _use(request)
        asked = asked_values(request, prepared)
        told = {"owner": owner, "tags": list(tags), "notes": notes}
        backtest = Backtest.objects.create(**told, **asked)
        title = f"{request.strategy} on {prepared.instrument} {prepared.timeframe}"
        job = create_job(BACKTEST.name, title, {"backtest": backtest.pk}, owner=owner, total=1)
        Backtest.objects.filter(pk=backtest.pk).update(job=job)
    return Backtest.objects.select_related("job", "instrument", "owner").get(pk=backtest.pk)


def run_now(request: BacktestRequest) -> Backtest:
    """Run a backtest of the system in this process; return it as it was stored.

    Raises InvalidBacktest, CandlesMoved and WrongTargets; nothing is stored then.
    """
    finished = run_request(request)
    values = asked_values(request, finished.prepared) | stored_values(finished)
    with transaction.atomic():
        _use(request)
        values["artefact"] = keep_result(finished.result)
        backtest = Backtest.objects.create(finished_at=Now(), **values)
    return Backtest.objects.select_related("instrument").get(pk=backtest.pk)


@transaction.atomic
def delete_backtest(backtest: Backtest) -> None:
    """Delete a backtest; what has not run yet is not run any more, and a worker stops.

    Its file goes with it, unless another run came to the very same.
    """
    if backtest.job is not None:
        with contextlib.suppress(JobRefused):
            cancel_job(backtest.job)
    name = Backtest.objects.values_list("artefact", flat=True).get(pk=backtest.pk)
    Backtest.objects.filter(pk=backtest.pk).delete()
    if name:
        # What fails here is removed with the orphans.
        transaction.on_commit(partial(remove_unnamed, name), robust=True)


def asked_values(request: BacktestRequest, prepared: Prepared) -> dict[str, Any]:
    """Return the columns that tell what was asked for."""
    return {
        "strategy": request.strategy,
        "parameters": dict(prepared.strategy.params),
        "config_id": request.config,
        "source_hash": prepared.source_hash,
        "source": prepared.source,
        "instrument": prepared.instrument,
        "timeframe": prepared.timeframe,
        "start": from_ms(request.start_ms),
        "end": from_ms(request.end_ms),
        "trading": trading_as_json(prepared.trading),
        "engine_version": KERNEL_VERSION,
    }


@dataclass(frozen=True, slots=True)
class Rerun:
    """What doing a backtest again gave; `differences` says what is not the same, by name."""

    result_hash: str
    metrics: Mapping[str, Any]
    differences: dict[str, str]

    @property
    def is_reproduced(self) -> bool:
        """Whether the same was traded and the same figures came out, whatever moved since."""
        return self.differences.keys() <= _CAUSES.keys()

    @property
    def cause(self) -> str:
        """What a difference comes from; empty when there is none."""
        moved = [cause for name, cause in _CAUSES.items() if name in self.differences]
        if moved or not self.differences:
            return ", and ".join(moved)
        return _UNKNOWN if "result_hash" in self.differences else "a formula of figures changed"


_CAUSES: Final = {
    "engine_version": "the engine is another version",
    "source_hash": "the strategy's code, or what it computes with, changed",
    "fingerprint": "candles were revised",
}
_UNKNOWN: Final = (
    "nothing that is kept about it moved: a library did, or code of the project that an own "
    "strategy calls"
)


def rerun_backtest(backtest: Backtest) -> Rerun:
    """Do a finished backtest again and compare hash and figures; nothing is stored."""
    again = run_request(request_of(backtest))
    pairs = {
        "engine_version": (backtest.engine_version, KERNEL_VERSION),
        "source_hash": (backtest.source_hash, again.prepared.source_hash),
        "fingerprint": (backtest.fingerprint, again.fingerprint),
        "result_hash": (backtest.result_hash, again.result.digest),
    }
    moved = {name: f"was {then}, is {now}" for name, (then, now) in pairs.items() if then != now}
    metrics = again.result.metrics()
    others = again.result.as_others()
    moved |= _figures_moved("metrics", backtest.metrics, metrics)
    for program, figures in backtest.compared.items():
        moved |= _figures_moved(program, figures, others.get(program, {}))
    return Rerun(again.result.digest, metrics, moved)


def _figures_moved(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Compare the figures that were told then: those that are new since differ from nothing."""
    return figures_that_differ(name, then, {key: now.get(key) for key in then})


def _use(request: BacktestRequest) -> None:
    """Let the configuration that was asked for stay as it is from now on."""
    if request.config is not None:
        use_config(StrategyConfig.objects.get(pk=request.config))
