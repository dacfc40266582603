"""The indicators a person chose, as they are written in a URL: `ema:20,macd:12:26:9`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from marketdata.charts.errors import BadChartRequest
from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators import Indicator, parse_indicator

MAX_CHOICES: Final = 8
DEFAULT_CHOICES: Final = "ema:20,rsi:14,macd:12:26:9"


@dataclass(frozen=True, slots=True)
class Choice:
    """One indicator with all its parameters, in the order the indicator declares them."""

    indicator: Indicator
    values: tuple[float, ...]

    @property
    def key(self) -> str:
        """The choice as it stands in URLs and column names: `macd:12:26:9`."""
        return ":".join([self.indicator.key, *(f"{value:g}" for value in self.values)])

    @property
    def title(self) -> str:
        """The choice as people read it: `MACD 12 26 9`."""
        return " ".join([self.indicator.short, *(f"{value:g}" for value in self.values)])

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        names = (parameter.name for parameter in self.indicator.parameters)
        return dict(zip(names, self.values, strict=True))

    def settling(self, step_ms: int) -> int:
        """Return the candles of `step_ms` before a window that its values depend on."""
        return self.indicator.settling(self.parameters, step_ms)


def parse_choices(text: str) -> tuple[Choice, ...]:
    """Return the indicators named by `text`, each once; left-out parameters have their defaults.

    Raises BadChartRequest, saying what is allowed, for an unknown indicator, a parameter out of
    its range, or too many of either.
    """
    parts = [part for part in text.split(",") if part.strip()]
    if len(parts) > MAX_CHOICES:
        raise BadChartRequest(
            f"at most {MAX_CHOICES} indicators fit on a chart; {len(parts)} were asked for"
        )
    try:
        choices = [
            Choice(found, tuple(values.values())) for found, values in map(parse_indicator, parts)
        ]
    except InvalidIndicator as error:
        raise BadChartRequest(str(error)) from None
    return tuple({choice.key: choice for choice in choices}.values())


def choices_text(choices: tuple[Choice, ...]) -> str:
    """Return the text that `parse_choices` reads back as `choices`."""
    return ",".join(choice.key for choice in choices)
