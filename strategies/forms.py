"""Forms that ask for a strategy's parameters, made from what the strategy says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms

from marketdata.domain.timeframe import Timeframe
from strategies.domain.params import Choice, Flag, Parameter, Real, Whole, parse
from strategies.loading import Draft, InvalidConfig, checked
from tcpdashboard.common.forms import style

PREFIX: Final = "params."
"""Before the name of a parameter, in the names of fields and of errors."""


def parameter_fields(
    parameters: Sequence[Parameter], values: Mapping[str, Any] | None = None
) -> dict[str, forms.Field]:
    """Return a field for each parameter by its prefixed name, with its help and its limits.

    The browser is told the limits; the strategy itself checks what comes back.
    """
    given = values or {}
    return {
        f"{PREFIX}{each.name}": _field(each, given.get(each.name, each.default))
        for each in parameters
    }


def parameter_values(parameters: Sequence[Parameter], data: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form's `data` says of the parameters; what was left empty has its default.

    A text that is no number stays what it is, for the strategy to refuse.
    """
    texts = {each.name: data.get(f"{PREFIX}{each.name}", "") for each in parameters}
    for each in parameters:
        # Browsers do not send a box that is not ticked.
        if isinstance(each, Flag) and not texts[each.name]:
            texts[each.name] = "false"
    return parse(parameters, {name: text for name, text in texts.items() if text.strip()})


class ConfigForm(forms.Form):
    """A configuration of one strategy."""

    name = forms.CharField(max_length=64, label="Name")
    timeframe = forms.ChoiceField(
        label="Timeframe",
        choices=[(each.value, each.value) for each in Timeframe],
        initial=Timeframe.H1.value,
    )

    def __init__(
        self,
        strategy: str,
        parameters: Sequence[Parameter],
        *args: Any,
        values: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.strategy, self.parameters = strategy, parameters
        self.fields |= parameter_fields(parameters, values)
        style(self)

    @property
    def parameter_boxes(self) -> list[forms.BoundField]:
        """The fields of the parameters, in their order."""
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    def draft(self) -> Draft | None:
        """Return the checked configuration; None, with errors beside the fields, if it is wrong."""
        if not self.is_valid():
            return None
        given = {name: self.cleaned_data[name] for name in ("name", "timeframe")}
        params = parameter_values(self.parameters, self.data)
        try:
            return checked({**given, "strategy": self.strategy, "params": params})
        except InvalidConfig as error:
            self.refuse(error)
            return None

    def refuse(self, error: InvalidConfig) -> None:
        """Show each reason beside its field, and what has no field above all."""
        for name, reason in error.errors.items():
            self.add_error(name if name in self.fields else None, reason)


def _field(parameter: Parameter, value: Any) -> forms.Field:
    told = {"label": parameter.title, "help_text": _help(parameter), "initial": value}
    if isinstance(parameter, Choice):
        choices = [(each, each) for each in parameter.choices]
        return forms.CharField(**told, required=False, widget=forms.Select(choices=choices))
    if isinstance(parameter, Flag):
        return forms.BooleanField(**told, required=False)
    return forms.CharField(
        **told, required=False, widget=forms.NumberInput(attrs=_limits(parameter))
    )


def _help(parameter: Parameter) -> str:
    if isinstance(parameter, Choice | Flag):
        return parameter.help
    return f"{parameter.help} {parameter.min:g} to {parameter.max:g}."


def _limits(parameter: Whole | Real) -> dict[str, Any]:
    step = "1" if isinstance(parameter, Whole) else "any"
    return {"min": f"{parameter.min:g}", "max": f"{parameter.max:g}", "step": step}
