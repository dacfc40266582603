"""The form that asks for a search: which parameters to vary, how, and how the best are tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms

from backtests.domain.metrics import METRICS
from backtests.forms.asking import AskingForm
from backtests.forms.notes import tags_of
from backtests.models import Search
from backtests.requests import InvalidBacktest
from backtests.searches import request_search
from backtests.searching.asking import SearchRequest
from strategies.domain.params import Choice, Flag, Parameter, parse
from strategies.forms import PREFIX, parameter_values
from tcpdashboard.common.forms import style

SPACE: Final = "space."
VALIDATION: Final = "validation."
_ENDS: Final = ("min", "max", "step")
_EACH: Final = "each"
_METHODS: Final = (
    (Search.Method.GRID.value, "Every combination"),
    (Search.Method.RANDOM.value, "Combinations at random"),
    (Search.Method.OPTUNA.value, "Learning from what was tried (Optuna)"),
)
_VALIDATIONS: Final = (
    (Search.Validation.HOLDOUT.value, "The last part of the range"),
    (Search.Validation.WALK_FORWARD.value, "Walk forward"),
    (Search.Validation.NONE.value, "Not at all"),
)
_OF_VALIDATION: Final[Mapping[str, tuple[str, ...]]] = {
    Search.Validation.NONE.value: (),
    Search.Validation.HOLDOUT.value: ("share",),
    Search.Validation.WALK_FORWARD.value: ("mode", "train_days", "test_days"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter: the value it stays at, and the fields for what is tried in its place."""

    fixed: forms.BoundField
    tried: tuple[forms.BoundField, ...]


class SearchForm(AskingForm):
    """Everything a search is asked for by. A parameter with nothing to try stays as it is."""

    method = forms.ChoiceField(label="What is tried", choices=_METHODS)
    count = forms.IntegerField(
        label="Trials", required=False, min_value=1, help_text="Not for every combination."
    )
    seed = forms.IntegerField(
        label="Seed", required=False, min_value=0, help_text="The same one draws the same."
    )
    objective = forms.ChoiceField(
        label="Best by", choices=[(metric.key, metric.title) for metric in METRICS]
    )

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields |= _validation_fields()
        for parameter in self.parameters:
            self.fields |= _space_fields(parameter)
        style(self)

    @property
    def rows(self) -> list[Row]:
        """The parameters with what may be tried of each."""
        return [
            Row(
                self[f"{PREFIX}{one.name}"],
                tuple(self[name] for name in _space_fields(one)),
            )
            for one in self.parameters
        ]

    @property
    def validation_boxes(self) -> list[forms.BoundField]:
        """The fields that say how the best are tested."""
        return [self[name] for name in self.fields if name.startswith(VALIDATION)]

    def save(self) -> Search | None:
        """Ask for the search of a valid form; None, with errors beside the fields, if refused."""
        given = self.cleaned_data
        tags, notes = tags_of(given["tags"]), given["notes"]
        try:
            return request_search(self.request(), self.user, tags=tags, notes=notes)
        except InvalidBacktest as error:
            self.refuse(error)
            return None

    def request(self) -> SearchRequest:
        """Return what a valid form asks for."""
        given, space = self.cleaned_data, self._space()
        values = parameter_values(self.parameters, self.data)
        return SearchRequest(
            **self.asked(),
            space=space,
            parameters={name: value for name, value in values.items() if name not in space},
            method=given["method"],
            count=given["count"],
            seed=given["seed"] or 0,
            objective=given["objective"],
            validation=self._validation(),
        )

    def field_of(self, name: str) -> str:
        if name.startswith(SPACE) and f"{name}.{_EACH}" in self.fields:
            return f"{name}.{_EACH}"
        if name.startswith(SPACE):
            return f"{name}.min"
        return super().field_of(name)

    def _space(self) -> dict[str, Any]:
        found = {one.name: _tried(one, self.cleaned_data) for one in self.parameters}
        return {name: tried for name, tried in found.items() if tried}

    def _validation(self) -> dict[str, Any]:
        kind = self.cleaned_data[f"{VALIDATION}kind"]
        told = {name: self.cleaned_data[f"{VALIDATION}{name}"] for name in _OF_VALIDATION[kind]}
        if told.get("share") is not None:
            told["share"] = told["share"] / 100
        given = {name: value for name, value in told.items() if value not in (None, "")}
        return {"kind": kind, **given}


def _tried(parameter: Parameter, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be tried of a parameter; nothing when it stays."""
    start = f"{SPACE}{parameter.name}."
    if isinstance(parameter, Choice | Flag):
        values = parameter.choices if isinstance(parameter, Choice) else (True, False)
        return {"values": list(values)} if cleaned.get(f"{start}{_EACH}") else {}
    texts = {end: str(cleaned.get(f"{start}{end}") or "").strip() for end in _ENDS}
    # As the parameter's own values are read: what is no number is refused by its field.
    return {
        end: parse((parameter,), {parameter.name: text})[parameter.name]
        for end, text in texts.items()
        if text
    }


def _space_fields(parameter: Parameter) -> dict[str, forms.Field]:
    start = f"{SPACE}{parameter.name}."
    if isinstance(parameter, Choice | Flag):
        return {f"{start}{_EACH}": forms.BooleanField(label="Try each", required=False)}
    labels = {"min": "From", "max": "To", "step": "Step"}
    return {
        f"{start}{end}": forms.CharField(
            label=labels[end],
            required=False,
            max_length=40,
            widget=forms.NumberInput(attrs={"step": "any", "aria-label": _label(parameter, end)}),
        )
        for end in _ENDS
    }


def _label(parameter: Parameter, end: str) -> str:
    return f"{parameter.title}, {end}"


def _validation_fields() -> dict[str, forms.Field]:
    modes = (("rolling", "Windows of one length"), ("anchored", "Windows from the beginning on"))
    return {
        f"{VALIDATION}kind": forms.ChoiceField(label="Tested on", choices=_VALIDATIONS),
        f"{VALIDATION}share": forms.FloatField(
            label="Part kept for the test, %", required=False, min_value=1, max_value=90, initial=25
        ),
        f"{VALIDATION}mode": forms.ChoiceField(label="Walk", choices=modes, required=False),
        f"{VALIDATION}train_days": _days("Days to choose by"),
        f"{VALIDATION}test_days": _days("Days to test on"),
    }


def _days(label: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text="Of a walk forward.", required=False, min_value=1, max_value=3_660
    )
