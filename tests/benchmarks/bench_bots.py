"""Bots: one minute's close for many of them, the kill switch, and the latency of one bot.

The bots of one instrument share ten sets of parameters; the averages are so short that a part of
them trades at every minute. The clock starts before the closed candle is stored and stops when
the last decision is committed. Beside it stands what the same rows take when nothing but the
database does anything: see bots_ceiling.py. The latency is that of the real processes: see
bots_live.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.bots_ceiling import WrittenRows
from tests.benchmarks.bots_live import latency
from tests.benchmarks.bots_market import Minutes, make_bots, make_model, owner_of_bots
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.market import execute
from tests.effort import spent_s

COUNTS: Final = (10, 100, 1_000, 10_000)
"""Numbers of bots that are measured."""
ROUNDS: Final = 9
"""Minutes that are measured of each."""
WARM: Final = 2
GROUPS: Final = 10
HISTORY: Final = 600

ASKED: Final = 1_000
"""Bots of which a minute's close, and the kill switch, have a target."""

DAY, YEAR = 1_440, 525_600
AFTER: Final = 300
"""Minutes that are measured behind them, of each: enough for a p99."""


@dataclass(frozen=True, slots=True)
class Close:
    """The median of a minute's close for all bots; its ceiling, and the rows that both write.

    `cpu_s` is the median of what the close costs, here and in the database.
    """

    took_s: float
    cpu_s: float
    bare_s: float
    rows: int
    killed_s: float


def run() -> list[Figure]:
    """Return the times of closes by number of bots and by age, of the kill switch, and latency."""
    return [*_closes(), *_ages(), *latency()]


def _closes() -> list[Figure]:
    """Return what one minute's close takes for all bots of an instrument."""
    done = {count: _close(number, count) for number, count in enumerate(COUNTS)}
    most, fewer = 10_000, 1_000
    each, before = (done[count].took_s / count * 1000 for count in (most, fewer))
    growth = done[most].took_s / done[fewer].took_s
    cost = f"{each:.3f} ms a bot after {before:.3f} ms"
    return [
        *(figure for count in COUNTS for figure in _of_close(count, done[count])),
        Figure(f"each of {most:,} bots", each, "ms", "below 1 ms", each < 1),
        Figure(
            f"{most:,} bots against {fewer:,}",
            growth,
            "times",
            f"at most {most // fewer}: no worse than linear",
            growth <= most / fewer,
            cost,
        ),
        Figure(
            f"kill switch: {ASKED:,} bots flat and halted",
            done[ASKED].killed_s * 1000,
            "ms",
            "below 5,000 ms",
            done[ASKED].killed_s < 5,
        ),
    ]


def _of_close(count: int, close: Close) -> list[Figure]:
    is_asked = count == ASKED
    each_ms, times = close.took_s / count * 1000, close.took_s / close.bare_s
    note = f"{each_ms:.2f} ms a bot, {times:.1f} x bare, {close.cpu_s:.3f} CPU s"
    return [
        Figure(
            f"a minute's close, {count:,} bots",
            close.took_s * 1000,
            "ms",
            "below 1,000 ms" if is_asked else "",
            close.took_s < 1 if is_asked else None,
            note,
        ),
        Figure(
            f"bare COPY and UPDATE of the same {close.rows:,} rows",
            close.bare_s * 1000,
            "ms",
            "ceiling",
        ),
    ]


def _close(number: int, count: int) -> Close:
    """Let bots live through some minutes, and kill them."""
    minutes = Minutes(number, before=HISTORY, ahead=WARM + ROUNDS + 3)
    ids = make_bots(minutes, count, GROUPS)
    for _ in range(WARM):
        _timed_close(minutes, ids)
    execute("vacuum analyze")
    took, spent = [], []
    for _ in range(ROUNDS):
        written = WrittenRows(ids)
        before_s = spent_s()
        took.append(_timed_close(minutes, ids))
        spent.append(spent_s() - before_s)
    rows, bare_s = written.copied_again()
    medians = percentile(took, 50), percentile(spent, 50)
    return Close(*medians, bare_s, rows, _killed(minutes, ids))


def _timed_close(minutes: Minutes, ids: list[int]) -> float:
    """Return the seconds from the candle's end to the last committed decision."""
    from bots.manager import BotManager
    from bots.models import Bot
    from marketdata.models import from_ms

    began = time.perf_counter()
    minutes.close()
    BotManager().step(minutes.instrument.pk)
    took = time.perf_counter() - began
    there = Bot.objects.filter(pk__in=ids, state="running", cursor=from_ms(minutes.open_ms))
    assert there.count() == len(ids), f"{there.count()} of {len(ids)} bots are at the minute"
    return took


def _killed(minutes: Minutes, ids: list[int]) -> float:
    """Return the seconds from the switch until all bots are halted, flat at the last trade."""
    from bots.manager import BotManager
    from bots.models import Bot
    from bots.services import kill_bots

    minutes.trade()
    owner = owner_of_bots()
    began = time.perf_counter()
    killed = kill_bots(owner, owner)
    for instrument_id in killed.instruments:
        BotManager().step(instrument_id)
    took = time.perf_counter() - began
    assert len(killed.bots) == len(ids)
    assert Bot.objects.filter(pk__in=ids, state="halted").count() == len(ids)
    return took


def _ages() -> list[Figure]:
    """Return what a minute's close takes for one bot after a day, and after a year."""
    made = [_Aged(50 + place, length) for place, length in enumerate((DAY, YEAR))]
    execute("vacuum analyze")
    for _ in range(AFTER):
        # They take turns, so that whatever else the machine does meets both.
        for one in made:
            one.close()
    return [
        Figure(
            "a year of minutes caught up",
            YEAR / made[1].caught_up_s,
            "minutes/s",
            note=f"{made[1].caught_up_s:.0f} s, {made[1].fills():,} fills",
        ),
        *_of_ages(*made, 50),
        *_of_ages(*made, 99),
    ]


def _of_ages(young: _Aged, old: _Aged, percent: int) -> list[Figure]:
    """Return a percentile of both; that of most of the closes has the target."""
    day, year = (percentile(one.took, percent) * 1000 for one in (young, old))
    is_asked = percent == 50
    return [
        Figure(
            f"a minute's close for one bot after a day, p{percent}",
            day,
            "ms",
            note=f"{len(young.took)} minutes, {young.each_cpu_ms():.1f} CPU ms each",
        ),
        Figure(
            "the same after a year",
            year,
            "ms",
            "at most 1.25 x that of a day" if is_asked else "",
            year <= 1.25 * day if is_asked else None,
            f"{year / day:.2f} x, {old.each_cpu_ms():.1f} CPU ms each",
        ),
    ]


class _Aged:
    """One bot that has run for `length` minutes, which it caught up."""

    def __init__(self, number: int, length: int) -> None:
        self._minutes = Minutes(number, before=HISTORY, ahead=length + AFTER + 2)
        self._bot = make_model(self._minutes.instrument, 12, 26)
        self.took: list[float] = []
        self._spent_s = 0.0
        self.caught_up_s = self._catch_up(length)

    def close(self) -> None:
        """Measure a minute's close."""
        before_s = spent_s()
        self.took.append(_timed_close(self._minutes, [self._bot.pk]))
        self._spent_s += spent_s() - before_s

    def each_cpu_ms(self) -> float:
        """Return the mean of what the closes cost, here and in the database."""
        return self._spent_s / len(self.took) * 1000

    def fills(self) -> int:
        """Return how often it traded."""
        query = "select count(*) from bots_fill where bot_id = %s"
        return int(execute(query, [self._bot.pk])[0][0])

    def _catch_up(self, length: int) -> float:
        from bots.manager import BotManager

        BotManager().step(self._minutes.instrument.pk)
        self._minutes.close(length)
        began = time.perf_counter()
        BotManager().step(self._minutes.instrument.pk)
        return time.perf_counter() - began
