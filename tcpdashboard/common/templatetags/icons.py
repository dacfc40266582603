"""Icons: one symbol of the vendored sprite, and the mark of the project."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw the icon `name` beside a text; it says nothing to a screen reader."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("vendor/bootstrap-icons/icons.svg"),
        name,
    )


@register.simple_tag
def mark() -> SafeString:
    """Draw the project's mark in the colours of the candles."""
    return format_html(
        '<svg viewBox="0 0 24 24" aria-hidden="true" fill="none">{}{}</svg>',
        _candle("up", "M8 4v16", 5.5, 8.5),
        _candle("down", "M16 4v16", 13.5, 6.5),
    )


def _candle(direction: str, wick: str, x: float, y: float) -> SafeString:
    return format_html(
        '<g class="{}"><path d="{}" stroke="currentColor" stroke-width="1.6" '
        'stroke-linecap="round"/><rect x="{}" y="{}" width="5" height="8" rx="1" '
        'fill="currentColor"/></g>',
        direction,
        wick,
        x,
        y,
    )
