"""What a new bot is described by, in JSON, a form or a request: checked field by field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market
from backtests.domain.settings import InvalidSetting
from backtests.domain.trading_json import (
    FIELDS,
    InvalidTrading,
    trading_as_json,
    trading_from_json,
)
from backtests.domain.units import TooLarge, check_fits
from bots.domain.drafts import (
    DRAFT_FIELDS,
    FASTEST,
    LONGEST_NAME,
    LONGEST_NOTES,
    NEEDED,
    OLDEST_ENTRY_S,
)
from bots.models import Bot
from bots.storage.minutes import read_end
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument, to_ms
from strategies.domain.spelling import did_you_mean
from strategies.models import StrategyConfig


class InvalidBot(ValueError):
    """What was asked of a bot cannot be done; `errors` says why, by field ("bot": as a whole)."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))


@dataclass(frozen=True, slots=True)
class BotDraft:
    """A bot that could be made: everything in it was checked, nothing is left out."""

    name: str
    instrument: Instrument
    config: StrategyConfig
    trading: Mapping[str, Any]
    max_entry_age_s: int | None = None
    notes: str = ""
    drive_from: datetime | None = None
    drive_speed: float = 1.0

    @property
    def drive(self) -> Bot.Drive:
        """What moves its clock."""
        return Bot.Drive.STORED if self.drive_from else Bot.Drive.LIVE


def checked(owner: Any, given: Mapping[str, Any], kept: StrategyConfig | None = None) -> BotDraft:
    """Return the bot that `given` describes, as `owner` may have it.

    `kept` is the configuration when none is given. Raises InvalidBot with every field that is
    wrong, not only the first; settings of trading as trading.NAME.
    """
    read = _Reader(given, NEEDED[:2] if kept else NEEDED)
    name = read.name()
    instrument = read.instrument()
    config = kept if kept and "config" not in given else read.config(owner)
    trading = read.trading(instrument, config)
    age_s, notes, speed = read.entry_age(), read.notes(), read.speed()
    begin = read.begin(instrument)
    if read.errors or instrument is None or config is None:
        raise InvalidBot(read.errors)
    return BotDraft(name, instrument, config, trading, age_s, notes, begin, speed)


def read_file(file: Path) -> list[Mapping[str, Any]]:
    """Return the bots that a JSON file describes: one object, or a list of them.

    Raises InvalidBot when it is neither, and OSError.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidBot({file.name: f"no JSON: {error}"}) from error
    bots = found if isinstance(found, list) else [found]
    if not bots or not all(isinstance(one, dict) for one in bots):
        raise InvalidBot({file.name: "expected a JSON object, or a list of them"})
    return bots


def trading_errors(
    given: Mapping[str, Any], instrument: Instrument, timeframe: Timeframe
) -> dict[str, str]:
    """Return what is wrong with settings of trading, by setting; empty when nothing is."""
    return _traded(given, instrument, timeframe)[1]


class _Reader:
    """Takes fields out of what was given and remembers what was wrong with each."""

    def __init__(self, given: Mapping[str, Any], needed: Iterable[str]) -> None:
        self._given = given
        self.errors = {
            str(name): f"there is no such field; {did_you_mean(str(name), DRAFT_FIELDS)}"
            for name in given
            if name not in DRAFT_FIELDS and name != "$schema"
        }
        self.errors |= {name: "it is missing" for name in needed if name not in given}

    def name(self) -> str:
        name = self._text("name").strip()
        if "name" not in self.errors and not 0 < len(name) <= LONGEST_NAME:
            self.errors["name"] = f"expected 1 to {LONGEST_NAME} characters"
        return name

    def notes(self) -> str:
        notes = self._text("notes")
        if len(notes) > LONGEST_NOTES:
            self.errors["notes"] = f"expected {LONGEST_NOTES} characters at most"
        return notes

    def instrument(self) -> Instrument | None:
        exchange = self._text("exchange") or settings.EXCHANGE
        symbol = self._text("symbol")
        if "symbol" in self.errors or "exchange" in self.errors:
            return None
        try:
            return Instrument.objects.named(exchange, symbol)
        except Instrument.DoesNotExist as error:
            known = Instrument.objects.filter(exchange=exchange).values_list("symbol", flat=True)
            self.errors["symbol"] = f"{error}; {_close(symbol, list(known))}"
            return None

    def config(self, owner: Any) -> StrategyConfig | None:
        chosen = self._given.get("config")
        if isinstance(chosen, StrategyConfig):
            # A form's choice among those of its owner: another one may have the same name.
            return chosen
        name, version = self._text("config"), self._whole("config_version", least=1)
        if "config" in self.errors or "config_version" in self.errors:
            return None
        known = StrategyConfig.objects.visible_to(owner)
        # One's own comes before everybody's of the same name.
        found = known.filter(name=name, deleted_at=None).order_by("owner_id", "-version")
        one = (found.filter(version=version) if version else found).first()
        if one is None:
            self._unknown_config(name, version, list(known.newest().values_list("name", flat=True)))
        elif self._given.get("timeframe", one.timeframe) != one.timeframe:
            self.errors["timeframe"] = f"the configuration {one} is for candles of {one.timeframe}"
        return one

    def trading(
        self, instrument: Instrument | None, config: StrategyConfig | None
    ) -> dict[str, Any]:
        given = self._given.get("trading", {})
        if not isinstance(given, Mapping):
            self.errors["trading"] = "expected an object of settings by name"
            return {}
        if instrument is None:
            return {}
        timeframe = Timeframe(config.timeframe) if config else Timeframe.M1
        trading, errors = _traded(given, instrument, timeframe)
        self.errors |= {f"trading.{field}": reason for field, reason in errors.items()}
        return trading

    def entry_age(self) -> int | None:
        return self._whole("max_entry_age_s", least=1, most=OLDEST_ENTRY_S)

    def begin(self, instrument: Instrument | None) -> datetime | None:
        value = self._given.get("from")
        if value is None or value == "":
            return None
        begin = value if isinstance(value, datetime) else _parsed(value)
        if begin is None or begin.utcoffset() is None:
            self.errors["from"] = "expected a time with its zone, such as 2026-01-31T00:00Z"
            return None
        if begin != begin.replace(second=0, microsecond=0):
            self.errors["from"] = "expected a whole minute"
        elif instrument is not None and read_end(instrument, to_ms(begin), 0) is None:
            # It would wait for ever: nothing is collected for a rehearsal.
            self.errors["from"] = f"no candle of {instrument} is stored from then on"
        return begin.astimezone(UTC)

    def speed(self) -> float:
        value = self._given.get("speed")
        if value is None:
            return 1.0
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value <= FASTEST
        ):
            self.errors["speed"] = f"expected a number above 0, {FASTEST:,.0f} at most"
            return 1.0
        if not self._given.get("from"):
            self.errors["speed"] = "only a bot on stored candles has one: give `from` too"
        return float(value)

    def _text(self, field: str) -> str:
        value = self._given.get(field)
        if value is None:
            return ""
        if not isinstance(value, str) or "\0" in value:
            self.errors[field] = f"expected text; was {str(value)[:40]!r}"
            return ""
        return value

    def _whole(self, field: str, least: int, most: int = 10**9) -> int | None:
        value = self._given.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.errors[field] = f"expected a whole number from {least} to {most}"
            return None
        return value

    def _unknown_config(self, name: str, version: int | None, known: list[str]) -> None:
        if version and name in known:
            self.errors["config_version"] = f"the configuration {name!r} has no version {version}"
        else:
            self.errors["config"] = f"there is no configuration {name!r}; {_close(name, known)}"


def _traded(
    given: Mapping[str, Any], instrument: Instrument, timeframe: Timeframe
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of trading with their defaults, and what is wrong with them."""
    is_swap = instrument.kind == Instrument.Kind.SWAP
    try:
        trading = trading_from_json(given, is_swap=is_swap)
        market = Market(instrument.spec, instrument.min_size, is_margined=is_swap)
        units = BacktestingEngine(market, timeframe, trading).units
        check_fits(units, 1, units.cash_to_units(trading.cash))
    except InvalidTrading as error:
        unknown = {name: _unknown_setting(name) for name in error.errors if name not in FIELDS}
        return {}, error.errors | unknown
    except InvalidSetting as error:
        return {}, {error.field: str(error)}
    except TooLarge as error:
        return {}, {"cash": str(error)}
    return trading_as_json(trading), {}


def _unknown_setting(name: str) -> str:
    return f"there is no such setting; {did_you_mean(name, FIELDS)}"


def _close(word: str, known: list[str]) -> str:
    """Return the end of a sentence: what was probably meant, without listing hundreds."""
    told = did_you_mean(word, known)
    return told if told.startswith("did") or len(known) <= 10 else f"there are {len(known)} others"


def _parsed(value: object) -> datetime | None:
    try:
        return parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
