"""Configurations in JSON files: reading them, and the JSON schema that editors check them with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from marketdata.domain.timeframe import Timeframe
from strategies.catalogue import opened
from strategies.domain.errors import InvalidParameters, StrategyError
from strategies.domain.params import params_schema
from strategies.domain.spelling import did_you_mean
from strategies.sandbox.own import Description

SHIPPED: Final = Path(__file__).parent / "configs"

_FIELDS: Final = ("name", "strategy", "timeframe", "params")
_OPTIONAL: Final = ("$schema",)
_LONGEST_NAME: Final = 64


class InvalidConfig(StrategyError, ValueError):
    """A configuration cannot be saved; `errors` says why, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that was checked: all parameters are in it, and each is right."""

    name: str
    strategy: str
    timeframe: Timeframe
    params: Mapping[str, Any]


def checked(given: Mapping[str, Any]) -> Draft:
    """Return the configuration that `given` describes.

    Raises InvalidConfig, by field; parameters as params.NAME.
    """
    errors = {
        str(name): f"there is no such field; {did_you_mean(str(name), _FIELDS)}"
        for name in given
        if name not in (*_FIELDS, *_OPTIONAL)
    }
    errors |= {name: "it is missing" for name in _FIELDS[:3] if name not in given}
    if errors:
        raise InvalidConfig(errors)
    name, params = str(given["name"]).strip(), given.get("params", {})
    if not 0 < len(name) <= _LONGEST_NAME:
        errors["name"] = f"expected 1 to {_LONGEST_NAME} characters"
    if given["timeframe"] not in list(Timeframe):
        known = [timeframe.value for timeframe in Timeframe]
        errors["timeframe"] = f"there is none such; {did_you_mean(str(given['timeframe']), known)}"
    if not isinstance(params, Mapping):
        errors["params"] = "expected an object of parameters by name"
    if errors:
        raise InvalidConfig(errors)
    timeframe = Timeframe(given["timeframe"])
    resolved = _resolved(str(given["strategy"]), params, timeframe)
    return Draft(name, str(given["strategy"]), timeframe, resolved)


def read_folder(folder: Path) -> list[Draft]:
    """Return the configurations of all JSON files of a folder.

    Raises InvalidConfig, by file, if any is wrong.
    """
    errors, drafts = {}, []
    files = [file for file in sorted(folder.glob("*.json")) if file.name != "schema.json"]
    if not files:
        raise InvalidConfig({str(folder): "there is no JSON file"})
    for file in files:
        try:
            drafts.append(checked(_object(file)))
        except (OSError, ValueError) as error:
            errors[file.name] = str(error)
    names = [draft.name for draft in drafts]
    errors |= {name: "two files have this name" for name in names if names.count(name) > 1}
    if errors:
        raise InvalidConfig(errors)
    return drafts


def schema_of(strategies: Iterable[Description]) -> dict[str, Any]:
    """Return the JSON schema of a file: one alternative for each strategy."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A configuration of a strategy",
        "oneOf": [_alternative(strategy) for strategy in strategies],
    }


def _alternative(strategy: Description) -> dict[str, Any]:
    return {
        "type": "object",
        "title": strategy.title,
        "description": strategy.help,
        "additionalProperties": False,
        "required": ["name", "strategy", "timeframe"],
        "properties": {
            "$schema": {"type": "string"},
            "name": {"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME},
            "strategy": {"const": strategy.key},
            "timeframe": {"enum": [timeframe.value for timeframe in Timeframe]},
            "params": params_schema(strategy.parameters),
        },
    }


def _resolved(key: str, params: Mapping[str, Any], timeframe: Timeframe) -> dict[str, Any]:
    try:
        with opened(key, params, timeframe) as strategy:
            return dict(strategy.params)
    except InvalidParameters as error:
        errors = {f"params.{name}": reason for name, reason in error.errors.items()}
        raise InvalidConfig(errors) from error
    except StrategyError as error:
        raise InvalidConfig({"strategy": str(error)}) from error


def _object(file: Path) -> Mapping[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found
