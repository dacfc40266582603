"""Saving configurations in versions, using them, deleting them, asking for their proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Model
from django.db.models.functions import Now

from strategies.loading import SHIPPED, Draft, InvalidConfig, read_folder
from strategies.models import StrategyConfig
from tcpdashboard.common.jobs.kinds import JobKind
from tcpdashboard.common.jobs.orders import create_job
from tcpdashboard.common.models import Job

CHECK: Final = JobKind(
    name="strategy_check",
    handler="strategies.proving.run_check",
    # Seconds of computing: beside the others it would hold up what must not wait.
    queue="backtests",
    unit="proofs",
    at_once=2,
)

_UNPROVEN: Final[dict[str, Any]] = {
    "is_proven": None,
    "proofs": [],
    "proven_at": None,
    "proven_code": "",
}


@transaction.atomic
def create_config(owner: Model | None, draft: Draft) -> StrategyConfig:
    """Save a new configuration. Raises InvalidConfig when its owner has one of that name."""
    _lock(owner, draft.name)
    newest = _newest(owner, draft.name)
    if newest is not None and newest.deleted_at is None:
        raise InvalidConfig({"name": f"there is a configuration called {draft.name!r} already"})
    return _added(owner, draft, newest)


@transaction.atomic
def save_config(owner: Model | None, draft: Draft) -> StrategyConfig:
    """Save a configuration under its name; return the version that holds it.

    The same one when nothing changed; an unused one is changed; otherwise the next is made.
    """
    _lock(owner, draft.name)
    newest = _newest(owner, draft.name)
    if newest is None or newest.deleted_at is not None:
        return _added(owner, draft, newest)
    if newest.is_same_as(draft.strategy, draft.timeframe, dict(draft.params)):
        return newest
    if newest.used_at is not None:
        return _added(owner, draft, newest)
    StrategyConfig.objects.filter(pk=newest.pk).update(**_content(draft), **_UNPROVEN)
    newest.refresh_from_db()
    return newest


def use_config(config: StrategyConfig) -> None:
    """Note that something runs with this version: from now on it stays as it is."""
    StrategyConfig.objects.filter(pk=config.pk, used_at=None).update(used_at=Now())
    config.refresh_from_db(fields=("used_at",))


@transaction.atomic
def delete_config(config: StrategyConfig) -> None:
    """Delete a configuration with all its versions; those that were used are only hidden."""
    _lock(config.owner, config.name)
    versions = StrategyConfig.objects.filter(owner=config.owner, name=config.name)
    versions.filter(used_at=None).delete()
    versions.filter(deleted_at=None).update(deleted_at=Now())


@transaction.atomic
def load_configs(folder: Path, owner: Model | None = None) -> list[StrategyConfig]:
    """Save all configurations of a folder, or none of them.

    Raises InvalidConfig, by file.
    """
    return [save_config(owner, draft) for draft in read_folder(folder)]


def load_shipped() -> list[StrategyConfig]:
    """Save the configurations that come along, and have them proven; return them.

    Only where nothing was ever everybody's: what was deleted stays so.
    """
    if StrategyConfig.objects.filter(owner=None).exists():
        return []
    loaded = load_configs(SHIPPED)
    for config in loaded:
        request_check(config)
    return loaded


def request_check(config: StrategyConfig, owner: Model | None = None) -> Job:
    """Let a worker prove a configuration; return the job."""
    return create_job(CHECK.name, f"Check {config}", {"config": config.pk}, owner=owner)


def _lock(owner: Model | None, name: str) -> None:
    # Held to the end of the transaction: of two that save at once, the second sees the first.
    with connection.cursor() as cursor:
        key = f"strategyconfig:{owner.pk if owner else 0}:{name}"
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _newest(owner: Model | None, name: str) -> StrategyConfig | None:
    return StrategyConfig.objects.versions_of(owner, name).first()


def _added(owner: Model | None, draft: Draft, newest: StrategyConfig | None) -> StrategyConfig:
    version = newest.version + 1 if newest else 1
    made = StrategyConfig.objects.create(
        owner=owner,  # type: ignore[misc] # a user
        name=draft.name,
        version=version,
        **_content(draft),
    )
    made.refresh_from_db()
    return made


def _content(draft: Draft) -> dict[str, Any]:
    return {
        "strategy": draft.strategy,
        "timeframe": draft.timeframe.value,
        "params": dict(draft.params),
    }
