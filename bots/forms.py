"""The forms of the pages of bots: people write per cent, shares are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from django import forms
from django.db.models import Q

from backtests.domain.settings import Trading
from backtests.domain.trading_json import trading_as_json
from backtests.forms.trading import (
    GROUPS,
    TRADING,
    size_error,
    trading_fields,
    trading_initial,
    trading_of,
)
from bots import services
from bots.models import Bot, OwnerLimits
from bots.services import InvalidBot
from marketdata.models import Instrument
from strategies.models import StrategyConfig
from tcpdashboard.common.forms import style

_BESIDE: Final = {
    "symbol": "instrument",
    "exchange": "instrument",
    "config_version": "config",
    "from": "drive_from",
    "speed": "drive_speed",
}


class BotForm(forms.Form):
    """Everything a bot is made of."""

    name = forms.CharField(label="Name", max_length=64)
    instrument = forms.ChoiceField(label="Instrument", help_text="Those that are collected live.")
    config = forms.ChoiceField(
        label="Strategy configuration", help_text="Only one that passed its proofs can be started."
    )
    max_entry_age_s = forms.IntegerField(
        label="A decision may enter for, seconds",
        required=False,
        min_value=1,
        help_text="After its candle closed. Empty: one timeframe. Older ones are told as missed.",
    )
    notes = forms.CharField(
        label="Notes", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    drive_from = forms.DateTimeField(
        label="Rehearse on stored candles from, UTC",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Empty: live. A rehearsal counts in no portfolio.",
    )
    drive_speed = forms.FloatField(
        label="Minutes in a minute", required=False, min_value=0.01, help_text="Of a rehearsal."
    )

    def __init__(self, user: Any, *args: Any, bot: Bot | None = None, **kwargs: Any) -> None:
        """`bot` is the one that is changed; what it keeps for life is not asked."""
        super().__init__(*args, **kwargs)
        self.user, self.bot = user, bot
        self._field("config").choices = _configs(bot.owner if bot else user, bot)
        if bot is None:
            self._field("instrument").choices = _instruments()
        else:
            for name in ("instrument", "drive_from"):
                del self.fields[name]
            if bot.drive == Bot.Drive.LIVE:
                del self.fields["drive_speed"]
        self.fields |= trading_fields()
        style(self)

    @property
    def groups(self) -> dict[str, list[forms.BoundField]]:
        """The fields of the settings, by what they are about."""
        return {
            group: [self[f"{TRADING}{name}"] for name in names] for group, names in GROUPS.items()
        }

    @property
    def rehearsal(self) -> list[forms.BoundField]:
        """The fields of a bot that is driven from stored candles."""
        return [self[name] for name in ("drive_from", "drive_speed") if name in self.fields]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if problem := size_error(cleaned):
            self.add_error(f"{TRADING}size", problem)
        return cleaned

    def given(self) -> dict[str, Any]:
        """Return the fields of a draft that a valid form says."""
        cleaned = self.cleaned_data
        told = {
            "name": cleaned["name"],
            "config": StrategyConfig.objects.get(pk=cleaned["config"]),
            "trading": trading_of(cleaned),
            "max_entry_age_s": cleaned["max_entry_age_s"],
            "notes": cleaned["notes"],
        }
        if self.bot is None:
            exchange, _, symbol = cleaned["instrument"].partition(":")
            told |= {"exchange": exchange, "symbol": symbol}
        if begin := cleaned.get("drive_from"):
            told["from"] = begin.astimezone(UTC)
        if cleaned.get("drive_speed") and (self.bot is not None or "from" in told):
            told["speed"] = cleaned["drive_speed"]
        return told

    def save(self) -> Bot | None:
        """Make the bot, or its next version; None, with errors beside the fields, if refused."""
        try:
            if self.bot is not None:
                return services.edit_bot(self.bot, self._changes(), self.user)
            return services.create_bot(self.user, services.checked(self.user, self.given()))
        except InvalidBot as error:
            self.refuse(error.errors)
            return None

    def refuse(self, errors: Mapping[str, str]) -> None:
        """Show each reason beside its field, and what has no field above all."""
        for name, reason in errors.items():
            field = _BESIDE.get(name, name)
            self.add_error(field if field in self.fields else None, _sentence(reason))

    def _changes(self) -> dict[str, Any]:
        """Return what is said, and that settings left empty are off."""
        given = self.given()
        empty = dict.fromkeys(
            name for name in (self.bot.trading if self.bot else {}) if not name.endswith("_bps")
        )
        costs = trading_as_json(Trading())
        kept = {name: costs[name] for name in costs if name.endswith("_bps")}
        nothing = {**empty, **kept, "allow_short": False}
        return given | {"trading": {**nothing, **given["trading"]}}

    def _field(self, name: str) -> Any:
        return self.fields[name]


class LimitsForm(forms.Form):
    """Limits over all bots of an owner; empty for none."""

    max_daily_loss = forms.FloatField(
        label="Maximum daily loss, %",
        required=False,
        min_value=0.01,
        max_value=100,
        help_text="Of the day's first equity.",
    )
    max_drawdown = forms.FloatField(
        label="Maximum drawdown, %",
        required=False,
        min_value=0.01,
        max_value=100,
        help_text="Of the highest equity.",
    )
    max_exposure = forms.FloatField(
        label="Maximum exposure, %",
        required=False,
        min_value=0.01,
        max_value=10_000,
        help_text="Positions, of the equity.",
    )
    max_open_bots = forms.IntegerField(
        label="Bots at work at once", required=False, min_value=0, max_value=100_000
    )
    action = forms.ChoiceField(
        label="When one is reached",
        choices=[(value, label.capitalize()) for value, label in OwnerLimits.Action.choices],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        style(self)

    @classmethod
    def initial_of(cls, limits: OwnerLimits) -> dict[str, Any]:
        """Return what the form shows of stored limits."""
        shares = ("max_daily_loss", "max_drawdown", "max_exposure")
        shown = {name: getattr(limits, name) for name in shares}
        percents = {name: None if v is None else f"{v * 100:g}" for name, v in shown.items()}
        return percents | {"max_open_bots": limits.max_open_bots, "action": limits.action}

    def save(self, owner: Any) -> bool:
        """Store the limits of a valid form; False, with errors beside the fields, if refused."""
        given = dict(self.cleaned_data)
        for name in ("max_daily_loss", "max_drawdown", "max_exposure"):
            given[name] = None if given[name] is None else given[name] / 100
        try:
            services.set_limits(owner, given, owner)
        except InvalidBot as error:
            for name, reason in error.errors.items():
                self.add_error(name if name in self.fields else None, _sentence(reason))
            return False
        return True


def first_values(user: Any, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what an empty form begins with; the address may name instrument and config."""
    number = Bot.objects.filter(owner=user).count() + 1
    asked = {name: query[name] for name in ("instrument", "config", "name") if query.get(name)}
    return {
        "name": f"Bot {number}",
        "drive_speed": 60,
        **trading_initial(trading_as_json(Trading()), with_costs=False),
        **asked,
    }


def values_of(bot: Bot) -> dict[str, Any]:
    """Return what the form begins with to change a bot."""
    return {
        "name": bot.name,
        "config": str(bot.config_id),
        "max_entry_age_s": bot.max_entry_age_s,
        "notes": bot.notes,
        "drive_speed": bot.drive_speed,
        **trading_initial(bot.trading, with_costs=True),
    }


def _instruments() -> list[tuple[str, str]]:
    found = Instrument.objects.enabled().order_by("exchange", "symbol")
    return [(str(one), str(one)) for one in found]


def _configs(owner: Any, bot: Bot | None) -> list[tuple[str, str]]:
    found = StrategyConfig.objects.visible_to(owner)
    kept = Q(pk=bot.config_id) if bot else Q()
    newest = {one.pk: one for one in found.newest().order_by("name")}
    if bot is not None:
        newest |= {one.pk: one for one in StrategyConfig.objects.filter(kept)}
    return [(str(one.pk), _described(one)) for one in newest.values()]


def _described(config: StrategyConfig) -> str:
    proof = {True: "proved", False: "failed its proofs", None: "not proved yet"}
    return f"{config}: {config.strategy}, {config.timeframe} ({proof[config.is_proven]})"


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith('.') else '.'}"
