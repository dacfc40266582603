"""Data for scripts, in a block that no browser runs."""

from __future__ import annotations

from typing import Any, Final

import orjson
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# As Django's json_script: no text of the data can end the block.
_ESCAPES: Final = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@register.simple_tag
def json_block(value: Any, element_id: str) -> SafeString:
    """Write `value`, NumPy arrays included, as JSON that a script finds by `element_id`."""
    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode().translate(_ESCAPES)
    return format_html(
        '<script id="{}" type="application/json">{}</script>',
        element_id,
        mark_safe(text),  # noqa: S308 - escaped above
    )
