"""The indicators a person chose, as they are written in a URL: `ema:20,macd:12:26:9`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from marketdata.charts.errors import BadChartRequest
from marketdata.domain.indicators import INDICATORS, Indicator, Parameter

MAX_CHOICES: Final = 8
DEFAULT_CHOICES: Final = "ema:20,rsi:14,macd:12:26:9"


@dataclass(frozen=True, slots=True)
class Choice:
    """One indicator with its parameters, in the order the indicator declares them."""

    indicator: Indicator
    values: tuple[float, ...]

    @property
    def key(self) -> str:
        """The choice as it stands in URLs and column names: `macd:12:26:9`."""
        return ":".join([self.indicator.key, *(f"{value:g}" for value in self.values)])

    @property
    def title(self) -> str:
        """The choice as people read it: `MACD 12 26 9`."""
        return " ".join([self.indicator.title, *(f"{value:g}" for value in self.values)])

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        names = (parameter.name for parameter in self.indicator.parameters)
        return dict(zip(names, self.values, strict=True))

    @property
    def warmup(self) -> int:
        """The candles before a window that its values depend on."""
        return self.indicator.warmup(self.parameters)


def parse_choices(text: str) -> tuple[Choice, ...]:
    """Return the indicators named by `text`; parameters that are left out take their defaults.

    Raises BadChartRequest, saying what is allowed, for an unknown indicator, a parameter out of
    its range, or too many of either.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    choices = tuple({choice.key: choice for choice in map(_parse, parts)}.values())
    if len(choices) > MAX_CHOICES:
        raise BadChartRequest(
            f"at most {MAX_CHOICES} indicators fit on a chart; {len(choices)} were asked for"
        )
    return choices


def choices_text(choices: tuple[Choice, ...]) -> str:
    """Return the text that `parse_choices` reads back as `choices`."""
    return ",".join(choice.key for choice in choices)


def _parse(part: str) -> Choice:
    key, *texts = part.split(":")
    indicator = INDICATORS.get(key)
    if indicator is None:
        known = ", ".join(INDICATORS)
        raise BadChartRequest(f"expected one of the indicators {known}; was {key!r}")
    declared = indicator.parameters
    if len(texts) > len(declared):
        raise BadChartRequest(f"{key} takes {len(declared)} parameters; {part!r} has {len(texts)}")
    values = [float(parameter.default) for parameter in declared]
    for number, text in enumerate(texts):
        values[number] = _value(key, declared[number], text)
    return Choice(indicator, tuple(values))


def _value(key: str, parameter: Parameter, text: str) -> float:
    is_whole = isinstance(parameter.default, int)
    try:
        value = float(int(text) if is_whole else float(text))
    except ValueError:
        value = float("nan")
    if not parameter.min <= value <= parameter.max:
        kind = "a whole number" if is_whole else "a number"
        raise BadChartRequest(
            f"{parameter.name} of {key} must be {kind} from {parameter.min:g} to "
            f"{parameter.max:g}; was {text!r}"
        )
    return value
