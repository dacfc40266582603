"""Making bots, changing them in versions, taking them away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from bots.loading import BotDraft, InvalidBot, checked
from bots.models import Bot, BotEvent, BotRun
from bots.publishing import tell_bots
from bots.services.locking import PERSON, SYSTEM, locked
from bots.services.proof import proof_errors
from strategies.services import use_config

_KEPT: Final = ("exchange", "symbol", "from")
_NAME_TAKEN: Final = "bot_name_unique"


def create_bot(owner: User, draft: BotDraft, actor: User | None = None) -> Bot:
    """Return a new bot in state created. Raises InvalidBot when its owner has one of that name."""
    with _unique_name(draft.name), transaction.atomic():
        bot = Bot.objects.create(
            owner=owner,
            instrument=draft.instrument,
            drive=draft.drive,
            drive_from=draft.drive_from,
            drive_speed=draft.drive_speed,
            **_content(draft),
        )
        _tell(bot, actor or owner, "created", f"with {draft.config} on {draft.instrument}")
    return _fresh(bot)


def clone_bot(
    bot: Bot,
    actor: User,
    changes: Mapping[str, Any] | None = None,
    *,
    owner: User | None = None,
) -> Bot:
    """Return a new bot with the settings of another, changed by fields of a draft.

    It belongs to `owner`, by default to the actor, begins with the initial balance, and is called
    as its model with a number behind it, unless a name is given. Raises InvalidBot.
    """
    owner = owner or actor
    given = described(bot) | {"name": _free_name(owner, bot.name)} | dict(changes or {})
    config_of_other = bot.config.owner_id not in (None, owner.pk)
    if config_of_other and "config" not in (changes or {}):
        raise InvalidBot({"config": f"{bot.config} belongs to somebody else: choose your own"})
    return create_bot(owner, checked(owner, given, kept=bot.config), actor)


def edit_bot(bot: Bot, changes: Mapping[str, Any], actor: User | None) -> Bot:
    """Change a bot by fields of a draft; return it.

    What decides or trades makes the next version: the step closes the open run at the next
    candle's edge and opens one by the new settings, with the account as it is. Settings of trading
    that are not given stay. Raises InvalidBot, also for what a bot keeps for life: its instrument,
    where its candles come from, and once it has run its initial balance.
    """
    with _unique_name(str(changes.get("name", bot.name))), transaction.atomic():
        row = locked(bot)
        draft = checked(row.owner, _merged(row, changes), kept=row.config)
        errors = _kept_errors(row, draft, changes)
        is_new = _decides(row) != _decided(draft)
        if is_new and row.state in Bot.ALIVE:
            errors |= proof_errors(draft.config)
        if errors:
            raise InvalidBot(errors)
        _store(row, draft, is_new=is_new)
        told = _told_changes(row, draft)
        if told:
            _tell(row, actor, "edited", f"version {row.version + is_new}: {', '.join(told)}", told)
    return _fresh(bot)


def delete_bot(bot: Bot, actor: User | None) -> None:
    """Take a bot off every list; what it did is kept. Raises InvalidBot while it is alive."""
    with transaction.atomic():
        row = locked(bot)
        _refuse_alive(row, "deleted")
        Bot.objects.filter(pk=row.pk).update(deleted_at=Now())
        _tell(row, actor, "deleted", "")


def reset_bot(bot: Bot, actor: User | None) -> Bot:
    """Begin anew with the initial balance: return a new bot in the place of this one.

    A ledger is never changed, so the old bot is deleted, and its history kept. Raises InvalidBot
    while it is alive.
    """
    with transaction.atomic():
        row = locked(bot)
        _refuse_alive(row, "reset")
        delete_bot(row, actor)
        draft = checked(row.owner, described(row), kept=row.config)
        return create_bot(row.owner, draft, actor)


def described(bot: Bot) -> dict[str, Any]:
    """Return the fields of a draft of this very bot, without its configuration."""
    given: dict[str, Any] = {
        "name": bot.name,
        "exchange": bot.instrument.exchange,
        "symbol": bot.instrument.symbol,
        "trading": dict(bot.trading),
        "max_entry_age_s": bot.max_entry_age_s,
        "notes": bot.notes,
    }
    if bot.drive_from is not None:
        given |= {"from": bot.drive_from, "speed": bot.drive_speed}
    return given


def _merged(bot: Bot, changes: Mapping[str, Any]) -> dict[str, Any]:
    trading = changes.get("trading")
    if isinstance(trading, Mapping):
        changes = {**changes, "trading": {**bot.trading, **trading}}
    return described(bot) | dict(changes)


def _content(draft: BotDraft) -> dict[str, Any]:
    return {"name": draft.name, "notes": draft.notes} | _decided(draft)


def _decided(draft: BotDraft) -> dict[str, Any]:
    """Return what decides and trades: a change of it is a new version."""
    return {
        "config": draft.config,
        "timeframe": draft.config.timeframe,
        "trading": dict(draft.trading),
        "max_entry_age_s": draft.max_entry_age_s,
    }


def _decides(bot: Bot) -> dict[str, Any]:
    return {
        "config": bot.config,
        "timeframe": bot.timeframe,
        "trading": bot.trading,
        "max_entry_age_s": bot.max_entry_age_s,
    }


def _store(bot: Bot, draft: BotDraft, *, is_new: bool) -> None:
    values = _content(draft) | {"drive_speed": draft.drive_speed}
    Bot.objects.filter(pk=bot.pk).update(version=bot.version + is_new, **values)
    if is_new and bot.run_id is not None:
        use_config(draft.config)


def _kept_errors(bot: Bot, draft: BotDraft, changes: Mapping[str, Any]) -> dict[str, str]:
    kept = described(bot)
    moved = {
        "exchange": draft.instrument.exchange,
        "symbol": draft.instrument.symbol,
        "from": draft.drive_from,
    }
    errors = {
        field: "a bot keeps it for life: clone the bot instead"
        for field in _KEPT
        if field in changes and moved[field] != kept.get(field)
    }
    if draft.trading["cash"] != bot.trading["cash"] and _has_run(bot):
        errors["trading.cash"] = "its account is open: clone or reset it for another balance"
    if draft.drive_speed != bot.drive_speed and _has_open_run(bot):
        # Its clock runs since the run began: a slower one would have to come up to it first.
        errors["speed"] = "its clock is running: stop it first, and start it again"
    return errors


def _told_changes(bot: Bot, draft: BotDraft) -> dict[str, list[str]]:
    before = _decides(bot) | {"name": bot.name, "notes": bot.notes}
    after = _content(draft)
    told = {
        field: [str(before[field]), str(after[field])]
        for field in after
        if field != "trading" and before[field] != after[field]
    }
    settings = before["trading"].keys() | after["trading"].keys()
    pairs = {one: (before["trading"].get(one), after["trading"].get(one)) for one in settings}
    return told | {
        name: [str(old), str(new)] for name, (old, new) in sorted(pairs.items()) if old != new
    }


def _has_run(bot: Bot) -> bool:
    return BotRun.objects.filter(bot=bot).exists()


def _has_open_run(bot: Bot) -> bool:
    return BotRun.objects.filter(bot=bot, end=None).exists()


def _refuse_alive(bot: Bot, done: str) -> None:
    if bot.state in Bot.ALIVE or _has_open_run(bot):
        raise InvalidBot({"bot": f"{bot} is {bot.state}: stop it before it is {done}"})


def _free_name(owner: User, name: str) -> str:
    taken = set(Bot.objects.filter(owner=owner, deleted_at=None).values_list("name", flat=True))
    if name not in taken:
        return name
    numbered = (f"{name[:59]} {number}" for number in range(2, len(taken) + 3))
    return next(one for one in numbered if one not in taken)


def _fresh(bot: Bot) -> Bot:
    return Bot.objects.select_related("owner", "instrument", "config", "run").get(pk=bot.pk)


def _tell(
    bot: Bot, actor: Any, kind: str, why: str, details: Mapping[str, Any] | None = None
) -> None:
    BotEvent.objects.create(
        bot=bot,
        run_id=bot.run_id,
        kind=kind,
        actor=actor,
        source=PERSON if actor else SYSTEM,
        why=why,
        details=dict(details or {}),
    )
    tell_bots({bot.pk: bot.owner_id})


@contextmanager
def _unique_name(name: str) -> Iterator[None]:
    """Turn the database's refusal of a second bot of one name into an error of the field."""
    try:
        yield
    except IntegrityError as error:
        if _NAME_TAKEN not in str(error):
            raise
        raise InvalidBot({"name": f"there is a bot called {name!r} already"}) from error
