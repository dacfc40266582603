"""The form that asks for a backtest."""

from __future__ import annotations

import contextlib
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
from backtests.models import Backtest
from backtests.requests import BacktestRequest, InvalidBacktest
from backtests.services import request_backtest
from marketdata.domain.timeframe import Timeframe
from marketdata.models import CandleDay, Instrument, to_ms
from strategies.catalogue import describe_strategy, keys
from strategies.domain.errors import InvalidParameters, StrategyFailed, UnknownStrategy
from strategies.domain.params import Parameter, resolve
from strategies.domain.registry import STRATEGIES
from strategies.forms import PREFIX, parameter_fields, parameter_values
from strategies.models import StrategyConfig
from tcpdashboard.common.forms import style


def _time(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget)


class BacktestForm(forms.Form):
    """Everything a backtest is asked for by; which parameters, its strategy says. Times are UTC."""

    strategy = forms.ChoiceField(label="Strategy")
    config = forms.CharField(label="Saved configuration", required=False)
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
        self._field("config").widget = forms.Select(choices=self._configs())
        style(self)

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

    def save(self) -> Backtest | None:
        """Ask for the backtest of a valid form; None, with errors beside the fields, if refused."""
        given = self.cleaned_data
        tags, notes = tags_of(given["tags"]), given["notes"]
        try:
            return request_backtest(self.request(), self.user, tags=tags, notes=notes)
        except InvalidBacktest as error:
            self.refuse(error)
            return None

    def request(self) -> BacktestRequest:
        """Return what a valid form asks for."""
        given = self.cleaned_data
        exchange, _, symbol = given["instrument"].partition(":")
        parameters = parameter_values(self.parameters, self.data)
        return BacktestRequest(
            strategy=given["strategy"],
            exchange=exchange,
            symbol=symbol,
            timeframe=given["timeframe"],
            start_ms=to_ms(given["start"]),
            end_ms=to_ms(given["end"]),
            parameters=parameters,
            config=self._config_of(parameters),
            trading=trading_of(given),
        )

    def refuse(self, error: InvalidBacktest) -> None:
        """Show each reason beside its field, and what has no field above all."""
        for name, reason in error.errors.items():
            field = name.replace("parameters.", PREFIX)
            field = "instrument" if name == "symbol" else field
            self.add_error(field if field in self.fields else None, _sentence(reason))

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def _parameters(self) -> tuple[Parameter, ...]:
        try:
            return describe_strategy(self.key).parameters
        except (UnknownStrategy, StrategyFailed) as error:
            self.problem = str(error)
            return ()

    def _config_of(self, parameters: Mapping[str, Any]) -> int | None:
        """Return the chosen configuration, unless something of it was changed in the form."""
        number, timeframe = self.cleaned_data["config"], self.cleaned_data["timeframe"]
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        rows = StrategyConfig.objects.visible_to(self.user).filter(deleted_at=None)
        config = rows.filter(pk=int(number), strategy=self.key).first()
        with contextlib.suppress(InvalidParameters):
            if config and config.is_same_as(
                self.key, timeframe, resolve(self.parameters, parameters)
            ):
                return config.pk
        return None

    def _configs(self) -> list[tuple[str, str]]:
        found = StrategyConfig.objects.visible_to(self.user).newest().filter(strategy=self.key)
        return [("", "None: as entered below"), *((str(one.pk), str(one)) for one in found)]


def first_values() -> dict[str, Any]:
    """Return what an empty form begins with."""
    return trading_initial(trading_as_json(Trading()), with_costs=False)


def initial_of(backtest: Backtest) -> dict[str, Any]:
    """Return what the form begins with to ask for the same again."""
    return {
        "strategy": backtest.strategy,
        "parameters": backtest.parameters,
        "instrument": str(backtest.instrument),
        "timeframe": backtest.timeframe,
        "start": backtest.start,
        "end": backtest.end,
        "tags": ", ".join(backtest.tags),
        **trading_initial(backtest.trading, with_costs=True),
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
