"""What a request for candles asks for, checked; what is wrong with it, in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict

from marketdata.charts.errors import BadChartRequest
from marketdata.domain.errors import InvalidTimeframe
from marketdata.models import Instrument

# Of any number that is asked for; int() refuses thousands of digits by an exception.
MOST_DIGITS: Final = 13

# The first millisecond of the year 2100.
_LAST_MS: Final = 4_102_444_800_000


def answer_in_sentences(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Turn what is wrong with a request into JSON with a sentence: status 400, or 404."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (BadChartRequest, InvalidTimeframe) as error:
            return JsonResponse({"error": str(error)}, status=400)
        except Instrument.DoesNotExist as error:
            return JsonResponse({"error": str(error)}, status=404)

    return wrapped


def time_range(query: QueryDict) -> tuple[int, int]:
    """Return `start` and `end` in UTC milliseconds. Raises BadChartRequest."""
    start_ms = whole_number(query, "start", 0, _LAST_MS)
    end_ms = whole_number(query, "end", 0, _LAST_MS)
    if start_ms >= end_ms:
        raise BadChartRequest(f"start must come before end; was {start_ms} to {end_ms}")
    return start_ms, end_ms


def whole_number(
    query: QueryDict, name: str, least: int, most: int, default: int | None = None
) -> int:
    """Return the number `name` of the query. Raises BadChartRequest."""
    text = query.get(name)
    if text is None and default is not None:
        return default
    if text is None:
        raise BadChartRequest(f"the parameter {name} is missing")
    is_number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    if not is_number or not least <= int(text) <= most:
        raise BadChartRequest(f"{name} must be a whole number from {least} to {most}; was {text!r}")
    return int(text)
