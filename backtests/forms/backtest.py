"""The form that asks for a backtest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from django import forms

from backtests.forms.asking import AskingForm
from backtests.forms.notes import tags_of
from backtests.models import Backtest
from backtests.requests import BacktestRequest, InvalidBacktest
from backtests.services import request_backtest
from strategies.domain.errors import InvalidParameters
from strategies.domain.params import resolve
from strategies.forms import parameter_values
from strategies.models import StrategyConfig
from tcpdashboard.common.forms import style


class BacktestForm(AskingForm):
    """Everything a backtest is asked for by; parameters are entered, or a configuration's."""

    config = forms.CharField(label="Saved configuration", required=False)

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self._field("config").widget = forms.Select(choices=self._configs())
        style(self)

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
        parameters = parameter_values(self.parameters, self.data)
        config = self._config_of(parameters)
        return BacktestRequest(**self.asked(), parameters=parameters, config=config)

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
