"""The fields that a bot is described by, and the JSON schema that editors check such files with."""

from __future__ import annotations

from typing import Any, Final

from backtests.domain.records import Sizing
from backtests.domain.trading_json import FIELDS
from marketdata.domain.timeframe import Timeframe

DRAFT_FIELDS: Final = (
    "name",
    "exchange",
    "symbol",
    "config",
    "config_version",
    "timeframe",
    "trading",
    "max_entry_age_s",
    "notes",
    "from",
    "speed",
)
NEEDED: Final = ("name", "symbol", "config")
LONGEST_NAME: Final = 64
LONGEST_NOTES: Final = 10_000
OLDEST_ENTRY_S: Final = 7 * 86_400
FASTEST: Final = 100_000.0
"""Stored minutes that may be driven in one minute."""


def schema() -> dict[str, Any]:
    """Return the JSON schema of such a file, for editors: what it cannot say `checked` does."""
    share = {"type": ["string", "number", "null"]}
    minutes = {"type": ["integer", "null"], "minimum": 1}
    settings_of = dict.fromkeys(FIELDS, share) | {
        "sizing": {"enum": [one.name.lower() for one in Sizing]},
        "time_stop_minutes": minutes,
        "cooldown_minutes": minutes,
        "allow_short": {"type": "boolean"},
    }
    bot = {
        "type": "object",
        "additionalProperties": False,
        "required": list(NEEDED),
        "properties": {
            "$schema": {"type": "string"},
            "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
            "exchange": {"type": "string"},
            "symbol": {"type": "string"},
            "config": {"type": "string", "description": "Name of a saved configuration."},
            "config_version": {"type": ["integer", "null"], "minimum": 1},
            "timeframe": {"enum": [one.value for one in Timeframe]},
            "trading": {
                "type": "object",
                "additionalProperties": False,
                "properties": settings_of,
            },
            "max_entry_age_s": {"type": ["integer", "null"], "minimum": 1},
            "notes": {"type": "string", "maxLength": LONGEST_NOTES},
            "from": {"type": ["string", "null"], "format": "date-time"},
            "speed": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": FASTEST},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A paper bot, or a list of them",
        "oneOf": [bot, {"type": "array", "minItems": 1, "items": bot}],
    }
