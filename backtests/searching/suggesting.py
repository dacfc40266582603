"""What Optuna suggests: a generation at a time, so that it follows from stored trials alone.

The trials of a generation are suggested without knowing what comes of each other, from all trials
of the generations before and a seed of the generation's own. So whoever takes a search up again,
after whatever happened, suggests the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from backtests.domain.search.space import Axis, Continuous, Listed, Space, Stepped
from backtests.models import Search, Trial

if TYPE_CHECKING:
    import optuna

_RANDOM: Final = 32
"""Trials in each window that are drawn at random before anything is learnt."""


def suggested(search: Search, window: int, first: int, count: int) -> list[dict[str, Any]]:
    """Return the parameters of trials `first` to `first + count` of a window."""
    space = Space.from_json(search.space, search.parameters)
    trials = search.trials.filter(window=window, number__lt=first).order_by("number")
    study = _study(search, space, trials, f"{search.seed} {window} {first}")
    asked = (study.ask(_distributions(space)) for _ in range(count))
    return [{**space.fixed, **_whole(space, trial.params)} for trial in asked]


def _study(search: Search, space: Space, trials: Iterable[Trial], key: str) -> optuna.Study:
    # Imported at the first use: it takes longer than starting a web process.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "little")
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=_RANDOM, multivariate=True, constant_liar=True
        ),
        direction="maximize" if search.is_maximised else "minimize",
    )
    distributions = _distributions(space)
    study.add_trials([_told(trial, distributions, space.axes) for trial in trials])
    return study


def _told(trial: Trial, distributions: dict[str, Any], axes: Sequence[Axis]) -> Any:
    """Return a stored trial as Optuna knows it; one without a figure has failed."""
    import optuna

    is_known = trial.objective is not None
    states = optuna.trial.TrialState
    return optuna.trial.create_trial(
        state=states.COMPLETE if is_known else states.FAIL,
        value=trial.objective,
        params={axis.name: trial.parameters[axis.name] for axis in axes},
        distributions=distributions,
    )


def _distributions(space: Space) -> dict[str, Any]:
    return {axis.name: _distribution(axis) for axis in space.axes}


def _distribution(axis: Axis) -> Any:
    import optuna

    kinds = optuna.distributions
    match axis:
        case Listed():
            return kinds.CategoricalDistribution(axis.values)
        case Stepped(is_whole=True):
            last = axis.at(axis.size - 1)
            return kinds.IntDistribution(int(axis.low), int(last), step=int(axis.step))
        case Stepped():
            last = axis.at(axis.size - 1)
            return kinds.FloatDistribution(axis.low, float(last), step=axis.step)
        case Continuous():
            return kinds.FloatDistribution(axis.low, axis.high)
    raise TypeError(f"expected an axis; was {axis!r}")


def _whole(space: Space, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return suggested values as those of the axes: without what rounding left of a step."""
    return {axis.name: _value(axis, parameters[axis.name]) for axis in space.axes}


def _value(axis: Axis, value: Any) -> Any:
    if isinstance(axis, Stepped):
        return axis.at(round((value - axis.low) / axis.step))
    return value
