"""docs/indicators.md says of every indicator what is true, and its examples compute."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
from django.conf import settings

from marketdata.domain.indicators import (
    INDICATORS,
    LONGEST_GAP,
    Indicator,
    compute,
    parse_indicator,
)
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import wandering

TEXT = (settings.BASE_DIR / "docs" / "indicators.md").read_text()
SECTIONS = dict(
    re.findall(r"^## `(\w+)`: [^\n]+\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
)

every_indicator = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=list(INDICATORS))


@dataclass
class Table:
    """A Markdown table: its header and its rows of cells."""

    header: list[str]
    rows: list[list[str]]

    def column(self, name):
        return [row[self.header.index(name)] for row in self.rows]


def tables(section):
    found = []
    for block in re.findall(r"(?:^\|[^\n]*\n)+", section, re.MULTILINE):
        header, _, *rows = (
            [cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()
        )
        found.append(Table(header, rows))
    return found


def test_there_is_a_section_for_every_indicator_in_the_order_of_the_registry():
    assert list(SECTIONS) == list(INDICATORS)


@every_indicator
def test_formula_source_seeding_and_inputs_are_named(indicator: Indicator):
    section = SECTIONS[indicator.key]
    for name in ("Formula", "Source", "Seeding", "Warm-up"):
        assert re.search(rf"^- {name}: \S", section, re.MULTILINE), name
    assert f"- Inputs: {', '.join(indicator.inputs)}\n" in section


@every_indicator
def test_the_parameters_are_those_of_the_registry(indicator: Indicator):
    described = [
        table for table in tables(SECTIONS[indicator.key]) if table.header[0] == "parameter"
    ]
    rows = [row for table in described for row in table.rows]
    assert rows == [
        [each.name, f"{each.default:g}", f"{each.min:g}", f"{each.max:g}", each.help]
        for each in indicator.parameters
    ]


@every_indicator
def test_the_warm_up_is_what_the_formula_says(indicator: Indicator):
    (formula,) = re.findall(r"^- Warm-up: `(.+)`$", SECTIONS[indicator.key], re.MULTILINE)
    for stretch in (0, 3):
        params = {
            each.name: each.default + (stretch if each.max >= each.default + stretch else 0)
            for each in indicator.parameters
        }
        assert indicator.warmup(params) == eval(formula, {}, params)


@every_indicator
def test_the_example_computes(indicator: Indicator):
    (text,) = re.findall(r"^Example: `(.+)`$", SECTIONS[indicator.key], re.MULTILINE)
    named, params = parse_indicator(text)
    example = tables(SECTIONS[indicator.key])[-1]
    times = MINUTE_MS * np.arange(len(example.rows))
    candles = {"open_time_ms": times} | {
        name: np.array(example.column(name), dtype=float)
        for name in example.header
        if name not in indicator.outputs
    }

    found = compute(named, candles, params, step_ms=MINUTE_MS)

    assert named is indicator
    assert [name for name in example.header if name in found] == list(indicator.outputs)
    assert len(example.rows) > indicator.warmup(params)
    for name, values in found.items():
        written = [float(cell) if cell else math.nan for cell in example.column(name)]
        assert values.tolist() == pytest.approx(written, abs=5.1e-5, nan_ok=True)


def test_the_code_of_the_page_runs():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {"candles": wandering(60)}
    exec(code, names)
    assert names["outputs"]["rsi"][-1] == names["whole"][-1]


def test_the_longest_gap_is_the_one_in_the_code():
    assert f"up to {LONGEST_GAP} in a row\n(`LONGEST_GAP`)" in TEXT
