"""Pages of candles and trades, cut as the exchange's REST cuts them.

`after` and `before` are both exclusive: after=X means older than X, before=X newer than X. Rows
come newest first, and where a window holds more than a page the older part is missing.
"""

from __future__ import annotations

from typing import Final

from marketdata.simulator.bars import BAR_MINUTES, bar_open
from marketdata.simulator.instruments import Instrument
from marketdata.simulator.market import MINUTE_MS
from marketdata.simulator.matches import Matches
from marketdata.simulator.view import View

_NEWEST_BARS: Final = 1440
_TRADES_KEPT_MS: Final = 90 * 86_400_000


def candles(
    view: View, symbol: str, bar: str, after: int | None, before: int | None, limit: int
) -> list[list[str]]:
    """Return rows of /market/candles: the newest 1,440 bars, the running one included."""
    end = view.now_ms // MINUTE_MS + 1
    oldest = bar_open(bar, end - 1) - (_NEWEST_BARS - 1) * BAR_MINUTES[bar]
    return _rows(view, symbol, bar, _window(after, before, oldest, end), limit)


def history_candles(
    view: View, symbol: str, bar: str, after: int | None, before: int | None, limit: int
) -> list[list[str]]:
    """Return rows of /market/history-candles: closed bars only, since the listing."""
    oldest = view.market.first_minute(symbol) - BAR_MINUTES[bar]
    end = view.confirmed_before(symbol, bar)
    return _rows(view, symbol, bar, _window(after, before, oldest, end), limit)


def _window(after: int | None, before: int | None, oldest: int, end: int) -> tuple[int, int]:
    """Return the minutes a bar may open in."""
    if after is not None:
        end = min(end, -(-after // MINUTE_MS))
    if before is not None:
        oldest = max(oldest, before // MINUTE_MS + 1)
    return oldest, end


def _rows(
    view: View, symbol: str, bar: str, window: tuple[int, int], limit: int
) -> list[list[str]]:
    oldest, end = window
    if end <= oldest:
        return []
    first = max(oldest, bar_open(bar, end - 1) - (limit - 1) * BAR_MINUTES[bar])
    bars = view.bars(symbol, bar, first, end)
    return view.rows(symbol, bar, bars)[::-1][:limit]


def trades(view: View, symbol: str, limit: int) -> list[dict[str, str]]:
    """Return the newest matches."""
    return _trade_rows(view.instrument(symbol), view.newest_matches(symbol, limit))


def trades_by_id(
    view: View, symbol: str, after: int | None, before: int | None, limit: int
) -> list[dict[str, str]]:
    """Return matches with before < id < after."""
    matches = _kept(view, view.matches_before(symbol, after, limit))
    if before is not None:
        matches = matches[int(matches.ids.searchsorted(before, side="right")) :]
    return _trade_rows(view.instrument(symbol), matches)


def trades_by_time(view: View, symbol: str, after: int | None, limit: int) -> list[dict[str, str]]:
    """Return matches older than the time `after`."""
    end = None if after is None else view.id_before(symbol, after)
    matches = _kept(view, view.matches_before(symbol, end, limit))
    return _trade_rows(view.instrument(symbol), matches)


def _kept(view: View, matches: Matches) -> Matches:
    """Return the matches of the last three months."""
    return matches[int(matches.times.searchsorted(view.now_ms - _TRADES_KEPT_MS)) :]


def _trade_rows(instrument: Instrument, matches: Matches) -> list[dict[str, str]]:
    return [
        {
            "instId": instrument.symbol,
            "side": "buy" if matches.buys[row] else "sell",
            "sz": instrument.size(int(matches.lots[row])),
            "source": "1" if matches.elp[row] else "0",
            "px": instrument.price(int(matches.ticks[row])),
            "tradeId": str(matches.ids[row]),
            "ts": str(matches.times[row]),
        }
        for row in range(len(matches) - 1, -1, -1)
    ]
