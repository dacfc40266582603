"""Colours of the pages: whatever is read stands out from what it is read on, in every theme."""

from __future__ import annotations

import re
from functools import cache

import pytest
from django.conf import settings

LEAST_FOR_TEXT = 4.5  # WCAG 2.2, 1.4.3
LEAST_FOR_EDGES = 3.0  # WCAG 2.2, 1.4.11
THEMES = {
    "dark": ['[data-bs-theme="dark"]'],
    "light": ['[data-bs-theme="light"]'],
    "dark, blue and orange": ['[data-bs-theme="dark"]', '[data-candles="blue"]'],
    "light, blue and orange": [
        '[data-bs-theme="light"]',
        '[data-bs-theme="light"][data-candles="blue"]',
    ],
}
WORDS = ["text", "text-strong", "muted", "faint", "accent", "up", "down", "warn"]
LINES = [f"line-{number}" for number in range(1, 7)]


@cache
def tokens(theme):
    text = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text()
    found = {}
    for selector in THEMES[theme]:
        block = re.search(rf"^{re.escape(selector)} {{(.*?)}}", text, re.DOTALL | re.MULTILINE)
        found |= dict(re.findall(r"--([\w-]+):\s*([^;]+);", block[1]))
    return found


def rgb(value, below=None):
    """Return a colour's parts from 0 to 255; a translucent one as it looks on `below`."""
    if value.startswith("#"):
        return [int(value[place : place + 2], 16) for place in (1, 3, 5)]
    *parts, alpha = map(int, re.fullmatch(r"rgb\((\d+) (\d+) (\d+) / (\d+)%\)", value).groups())
    share = alpha / 100
    return [one * share + other * (1 - share) for one, other in zip(parts, below, strict=True)]


def luminance(parts):
    linear = [
        part / 255 / 12.92 if part <= 10.31 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_the_greatest_contrast():
    assert contrast(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["page", "surface", "hover", "raised"])
def test_words_can_be_read_on_every_ground(theme, ground):
    colours = tokens(theme)
    faint = {
        name: round(found, 2)
        for name in WORDS
        if (found := contrast(rgb(colours[name]), rgb(colours[ground]))) < LEAST_FOR_TEXT
    }
    assert faint == {}


@pytest.mark.parametrize("theme", THEMES)
def test_values_in_the_colours_of_their_lines_can_be_read(theme):
    colours = tokens(theme)
    surface = rgb(colours["surface"])
    assert min(contrast(rgb(colours[name]), surface) for name in LINES) >= LEAST_FOR_TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["accent", "warn"])
def test_words_can_be_read_on_their_own_tint(theme, name):
    colours = tokens(theme)
    for ground in ("page", "surface"):
        tint = rgb(colours[f"{name}-soft"], rgb(colours[ground]))
        assert contrast(rgb(colours[name]), tint) >= LEAST_FOR_TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_the_edges_of_fields_are_seen(theme):
    colours = tokens(theme)
    for ground in ("page", "surface", "raised"):
        assert contrast(rgb(colours["field"]), rgb(colours[ground])) >= LEAST_FOR_EDGES
