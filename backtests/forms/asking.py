"""What the forms of backtests and of searches ask for alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef

from backtests.domain.settings import Trading
from backtests.domain.trading_json import trading_as_json
from backtests.forms.notes import LONGEST_TAGS, tags_error, tags_of
from backtests.forms.trading import (
    GROUPS,
    TRADING,
    size_error,
    trading_fields,
    trading_initial,
    trading_of,
)
from backtests.models import Backtest, Search
from backtests.requests import InvalidBacktest
from marketdata.domain.timeframe import Timeframe
from marketdata.models import CandleDay, Instrument, to_ms
from strategies.catalogue import describe_strategy, keys
from strategies.domain.errors import StrategyFailed, UnknownStrategy
from strategies.domain.params import Parameter
from strategies.domain.registry import STRATEGIES
from strategies.forms import PREFIX, parameter_fields


def _time(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget)


class AskingForm(forms.Form):
    """Strategy, market, range and settings; which parameters, its strategy says. Times are UTC."""

    strategy = forms.ChoiceField(label="Strategy")
    instrument = forms.ChoiceField(label="Instrument", help_text="Those with stored candles.")
    timeframe = forms.ChoiceField(
        label="Timeframe",
        choices=[(each.value, each.value) for each in Timeframe],
        help_text="Of the candles the strategy sees; it is traded minute by minute.",
    )
    start = _time("From, UTC")
    end = _time("To, UTC, not included")
    tags = forms.CharField(
        label="Tags", required=False, help_text="Separated by commas.", max_length=LONGEST_TAGS
    )
    notes = forms.CharField(
        label="Notes",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self._field("strategy").choices = [(key, title_of(key)) for key in keys()]
        self._field("instrument").choices = [(str(one), str(one)) for one in instruments()]
        self.fields |= trading_fields()
        self.problem = ""
        self.parameters = self._parameters()
        self.fields |= parameter_fields(self.parameters, self.initial.get("parameters"))

    @property
    def key(self) -> str:
        """The strategy that is chosen."""
        return str(self.data.get("strategy") or self.initial.get("strategy") or next(iter(keys())))

    @property
    def parameter_boxes(self) -> list[forms.BoundField]:
        """The fields of the strategy's parameters."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    @property
    def groups(self) -> dict[str, list[forms.BoundField]]:
        """The fields of the settings, by what they are about."""
        return {
            group: [self[f"{TRADING}{name}"] for name in names] for group, names in GROUPS.items()
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        problems = {
            f"{TRADING}size": size_error(cleaned),
            "strategy": self.problem,
            "tags": tags_error(tags_of(cleaned.get("tags", ""))),
        }
        for name, problem in problems.items():
            if problem:
                self.add_error(name, problem)
        return cleaned

    def asked(self) -> dict[str, Any]:
        """Return what a valid form asks for, by the names that requests have for it."""
        given = self.cleaned_data
        exchange, _, symbol = given["instrument"].partition(":")
        return {
            "strategy": given["strategy"],
            "exchange": exchange,
            "symbol": symbol,
            "timeframe": given["timeframe"],
            "start_ms": to_ms(given["start"]),
            "end_ms": to_ms(given["end"]),
            "trading": trading_of(given),
        }

    def refuse(self, error: InvalidBacktest) -> None:
        """Show each reason beside its field, and what has no field above all."""
        for name, reason in error.errors.items():
            field = self.field_of(name)
            self.add_error(field if field in self.fields else None, _sentence(reason))

    def field_of(self, name: str) -> str:
        """Return the field that an error of this name belongs to."""
        return "instrument" if name == "symbol" else name.replace("parameters.", PREFIX)

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def _parameters(self) -> tuple[Parameter, ...]:
        try:
            return describe_strategy(self.key).parameters
        except (UnknownStrategy, StrategyFailed) as error:
            self.problem = str(error)
            return ()


def first_values() -> dict[str, Any]:
    """Return what an empty form begins with."""
    return trading_initial(trading_as_json(Trading()), with_costs=False)


def initial_of(
    asked: Backtest | Search, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the form begins with to ask for the same again, or with other `parameters`."""
    return {
        "strategy": asked.strategy,
        "parameters": asked.parameters if parameters is None else parameters,
        "instrument": str(asked.instrument),
        "timeframe": asked.timeframe,
        "start": asked.start,
        "end": asked.end,
        "tags": ", ".join(asked.tags),
        **trading_initial(asked.trading, with_costs=True),
    }


def instruments() -> list[Instrument]:
    """Return the instruments of which 1m candles are stored."""
    days = CandleDay.objects.filter(instrument=OuterRef("pk"), timeframe=Timeframe.M1.minutes)
    return list(Instrument.objects.filter(Exists(days)).order_by("exchange", "symbol"))


def title_of(key: str) -> str:
    """Return what a strategy is called; people's own by their key, as asking them takes long."""
    return STRATEGIES[key].title if key in STRATEGIES else key


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith('.') else '.'}"
