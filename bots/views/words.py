"""A bot in words: its state, its troubles, what may be ordered of it."""

from __future__ import annotations

from typing import Any, Final

from backtests.charts.numbers import money, percent, span, tone
from bots.models import Bot
from bots.models.figures import BotRow
from tcpdashboard.common.templatetags.figures import words

State = Bot.State

TONES: Final = {
    State.CREATED: "",
    State.STARTING: "busy",
    State.RUNNING: "good",
    State.PAUSED: "warn",
    State.HALTED: "bad",
    State.STOPPING: "busy",
    State.STOPPED: "",
    State.ERROR: "bad",
}
ORDERS: Final[dict[str, tuple[str, ...]]] = {
    State.CREATED: ("start", "delete"),
    State.STARTING: ("stop",),
    State.RUNNING: ("pause", "stop", "flatten"),
    State.PAUSED: ("resume", "stop", "flatten"),
    State.HALTED: ("start", "reset", "delete"),
    State.STOPPING: (),
    State.STOPPED: ("start", "reset", "delete"),
    State.ERROR: ("start", "stop"),
}
"""What may be ordered of a bot in each state, the likeliest first."""

MEANINGS: Final = {
    State.CREATED: "Made, and not started yet.",
    State.STARTING: "Its next step opens a run and warms the strategy up.",
    State.RUNNING: "Decides and trades with every candle.",
    State.PAUSED: "Enters nothing new; its stops and exits go on.",
    State.HALTED: "Flat, by a limit or the kill switch. Start it again when you have seen why.",
    State.STOPPING: "Closes its position, then ends.",
    State.STOPPED: "Ended by a person. Starting it opens a new run with the account as it is.",
    State.ERROR: "Kept by a failure, which its page tells; its run is open until you stop it.",
}
TROUBLES: Final = {
    "feed_stale": "The exchange or its collector brings nothing.",
    "worker_dead": "No worker does its steps.",
    "strategy_error": "Its strategy failed.",
    "data_gap": "It waits for minutes that are missing.",
}
PARITY: Final = {
    ("matched", "matched"): ("Matched", "good", "A replay made the very same fills."),
    ("matched", "diverged"): (
        "Data revised",
        "warn",
        "The code did right by what it saw; candles were repaired since, and cost the difference.",
    ),
    ("diverged", "matched"): ("Diverged", "bad", "A replay of what it saw came out otherwise."),
    ("diverged", "diverged"): ("Diverged", "bad", "A replay of what it saw came out otherwise."),
}
_LATE_MS: Final = 90_000


def row_words(row: BotRow) -> dict[str, Any]:
    """Return what lists and the page of a bot say of it."""
    bot, figures = row.bot, row.figures
    told: dict[str, Any] = {
        "tone": TONES[State(bot.state)],
        "state": State(bot.state).label,
        "meaning": MEANINGS[State(bot.state)],
        "trouble": words(bot.trouble).capitalize(),
        "trouble_help": TROUBLES.get(bot.trouble, ""),
        "orders": ORDERS[State(bot.state)],
        "parity": parity_words(row.parity),
        "lag": span(row.lag_ms) if row.lag_ms else "",
        "is_late": row.lag_ms is not None and row.lag_ms > _LATE_MS,
    }
    if figures is None:
        return told
    return told | {
        "equity": money(float(figures.equity)),
        "today": money(float(figures.today), signed=True),
        "today_tone": tone(float(figures.today)),
        "total": money(float(figures.total), signed=True),
        "total_share": percent(figures.total_share, signed=True),
        "total_tone": tone(float(figures.total)),
        "drawdown": percent(figures.drawdown),
        "position": f"{figures.position.normalize():f}" if figures.position else "",
        "unrealised": money(float(figures.unrealised), signed=True),
        "unrealised_tone": tone(float(figures.unrealised)),
    }


def parity_words(parity: tuple[str, str] | None) -> dict[str, str] | None:
    """Return the badge of two verdicts: word, tone and what it means; None before the first."""
    if parity is None:
        return None
    failed = ("Not replayed", "warn", "The replay itself failed; the report says why.")
    word, colour, meaning = PARITY.get(parity, failed)
    return {"word": word, "tone": colour, "meaning": meaning}
