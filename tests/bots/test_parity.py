"""Reports of runs that really were: what was seen, what was ordered, what was repaired since."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bots.models import Bot, BotEvent, BotRun, Fill, Order, ParityReport, SeenMinute, Signal
from bots.parity.reporting import make_report
from bots.parity.running import ended_runs, open_runs, prove
from bots.services import edit_bot, flatten_bot, pause_bot, resume_bot, start_bot, stop_bot
from bots.services.parity import request_parity
from marketdata.domain.records import Source
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Opening, from_ms, to_ms
from marketdata.storage import write_candles
from strategies.domain.builtin.ema_crossover import EmaCrossover
from tcpdashboard.common.jobs.runner import run_job
from tests.bots.scenes import forget_runs
from tests.bots.stepping import make_trader, started, step, tell_time
from tests.marketdata.api.conftest import START_MS, make_instrument, minutes
from tests.marketdata.conftest import queues

__all__ = ["queues"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

BEFORE = 60
ASKED = ParityReport.Reason.ASKED
COSTS = {"stop_loss": "0.03", "trailing_stop": "0.02"}


@pytest.fixture(autouse=True)
def _exchange(settings):
    settings.EXCHANGE = "okx-sim"


class Market:
    """An instrument whose price goes up and down every 40 minutes, minute by minute."""

    def __init__(self, count: int) -> None:
        self.row = make_instrument("BTC-USDT", is_enabled=True)
        self.candles = minutes(count)
        prices = np.round(1000 + 40 * np.sin(np.arange(count) / 6.4), 1)
        self.candles["close"] = prices
        self.candles["open"] = np.append(prices[:1], prices[:-1])
        self.candles["high"] = np.maximum(self.candles["open"], prices)
        self.candles["low"] = np.minimum(self.candles["open"], prices)
        self.done = 0

    def go(self, count: int, *, without: tuple[int, ...] = ()) -> None:
        """Let so many minutes close, and do what is due; those numbered `without` are missing."""
        rows = self.candles[self.done : self.done + count]
        kept = [place for place in range(len(rows)) if self.done + place not in without]
        write_candles(self.row, rows[kept], reason="test")
        self.done += count
        tell_time(self.row.exchange, START_MS + self.done * MINUTE_MS + 5_000)
        step(self.row)

    def revise(self, number: int, **figures: float) -> None:
        """Let a minute become another one, as a repair from trades does."""
        row = self.candles[number : number + 1].copy()
        for name, value in figures.items():
            row[name] = value
        write_candles(self.row, row, reason="repair", source=Source.TRADES)


@pytest.fixture
def market():
    return Market(1200)


def trader(market: Market, **given: Any) -> Bot:
    """Make a bot that crosses short averages, and start it behind the first minutes."""
    market.go(BEFORE)
    bot = make_trader(market.row, {"fast": 3, "slow": 8}, **given)
    return started(bot, at_ms=START_MS + BEFORE * MINUTE_MS + 5_000)


def report_of(bot: Bot) -> ParityReport:
    bot.refresh_from_db()
    assert bot.run_id is not None
    return make_report(bot.run_id, ASKED)


def assert_matched(report: ParityReport) -> None:
    assert report.known_divergence is None, report.known_divergence
    assert report.known == "matched"
    assert report.repaired_divergence is None, report.repaired_divergence
    assert report.repaired == "matched"


def test_a_run_matches_over_what_it_saw_and_over_what_is_stored(market):
    bot = trader(market, trading=COSTS)
    for _ in range(10):
        market.go(37)

    report = report_of(bot)

    assert_matched(report)
    assert report.fills == Fill.objects.filter(bot=bot).count() > 10
    assert to_ms(report.until) == START_MS + market.done * MINUTE_MS
    assert report.minutes == market.done - BEFORE - 1
    assert report.details["fills"] == {"known": report.fills, "repaired": report.fills}
    ended = report.details["ended_with"]
    assert ended["recorded"] == ended["known"] == ended["repaired"]


@pytest.mark.parametrize("timeframe", ["5m", "15m"])
def test_a_run_on_longer_candles_matches_too(market, timeframe):
    bot = trader(market, timeframe=timeframe, trading=COSTS)
    for _ in range(12):
        market.go(61)

    assert_matched(report_of(bot))


def test_orders_and_edits_are_replayed_from_their_rows_and_each_run_is_proved(market):
    bot = trader(market, trading=COSTS)
    market.go(30)
    flatten_bot(bot, bot.owner)
    market.go(20)
    pause_bot(bot, bot.owner)
    market.go(50)
    resume_bot(bot, bot.owner)
    market.go(40)
    edit_bot(bot, {"trading": {"stop_loss": "0.01"}}, bot.owner)
    market.go(50)
    stop_bot(bot, bot.owner)
    market.go(5)
    # It leaves at the next open: there was no live trade to leave at.
    market.go(5)
    runs = list(BotRun.objects.filter(bot=bot).order_by("number"))

    made = prove(ended_runs(), ParityReport.Reason.ENDED)

    assert [run.end_reason for run in runs] == ["edited", "stopped"]
    assert len(made) == 2
    for report in ParityReport.objects.all():
        assert_matched(report)
    assert ended_runs() == []
    assert open_runs() == []


def jumping(market: Market) -> Bot:
    """Return a bot that stands where the next minute, number 80, makes its strategy want to buy."""
    for name in ("open", "high", "low", "close"):
        market.candles[name][:80] = 1000
        market.candles[name][80:] = 1100
    bot = trader(market, trading=COSTS)
    market.go(80 - BEFORE)
    assert not Signal.objects.filter(bot=bot).exists()
    return bot


def let_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self, state, candle):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(EmaCrossover, "step", fail)


def test_a_strategy_that_decides_where_the_price_jumps_is_what_the_next_tests_leave_out(market):
    bot = jumping(market)
    market.go(1)
    assert to_ms(Signal.objects.get(bot=bot).time) == START_MS + 81 * MINUTE_MS
    assert_matched(report_of(bot))


def test_an_edited_run_whose_strategy_failed_matches_although_it_decided_no_more(
    market, monkeypatch
):
    bot = jumping(market)
    let_fail(monkeypatch)
    market.go(1)
    bot.refresh_from_db()
    assert bot.state == "error"
    other = make_trader(market.row, {}, strategy="rsi", name="other").config
    edit_bot(bot, {"config": other.name}, bot.owner)
    start_bot(bot, bot.owner)
    step(market.row)
    old = BotRun.objects.filter(bot=bot).earliest("number")

    report = make_report(old.pk, ASKED)

    assert (old.end_reason, to_ms(old.end)) == ("edited", START_MS + 81 * MINUTE_MS)
    assert not Signal.objects.filter(run=old).exists()
    assert_matched(report)


def test_a_failed_run_that_was_stopped_matches_although_it_decided_no_more(market, monkeypatch):
    bot = jumping(market)
    let_fail(monkeypatch)
    market.go(10)
    bot.refresh_from_db()
    assert bot.state == "error"
    stop_bot(bot, bot.owner)
    step(market.row)
    run = BotRun.objects.get(bot=bot)

    report = report_of(bot)

    assert (run.end_reason, to_ms(run.end)) == ("stopped", START_MS + 90 * MINUTE_MS)
    assert_matched(report)


def test_a_run_of_other_code_that_was_stopped_matches_although_it_decided_no_more(market):
    bot = jumping(market)
    code = bot.run.source_hash
    BotRun.objects.filter(bot=bot).update(source_hash="0" * 64)
    forget_runs()
    stop_bot(bot, bot.owner)
    market.go(1)
    # As if a backup of the code was put back: a replay has that of the run.
    BotRun.objects.filter(bot=bot).update(source_hash=code)
    run = BotRun.objects.get(bot=bot)

    report = report_of(bot)

    assert (run.end_reason, to_ms(run.end)) == ("stopped", START_MS + 81 * MINUTE_MS)
    assert not Signal.objects.filter(run=run).exists()
    assert_matched(report)


def test_an_order_that_waits_through_an_edit_is_replayed_with_the_run_that_fills_it(market):
    bot = trader(market, trading=COSTS)
    for stop_loss in ("0.01", "0.02"):
        while not Order.objects.filter(bot=bot, state="waiting").exists():
            market.go(1)
        edit_bot(bot, {"trading": {"stop_loss": stop_loss}}, bot.owner)
        market.go(1)
    market.go(30)

    runs = list(BotRun.objects.filter(bot=bot).order_by("number"))
    reports = [make_report(run.pk, ASKED) for run in runs]

    assert [Fill.objects.filter(run=run, decided=run.start).count() for run in runs] == [0, 1, 1]
    for report in reports:
        assert_matched(report)


def test_a_fill_that_was_changed_is_a_fault_and_told_with_both_sides_numbers(market):
    bot = trader(market)
    market.go(120)
    fill = Fill.objects.filter(bot=bot).order_by("number")[2]
    Fill.objects.filter(pk=fill.pk).update(price=fill.price + 1)

    report = report_of(bot)

    found = report.known_divergence
    assert (report.known, found["cause"], found["what"]) == ("diverged", "fault", "fill")
    assert found["time_ms"] == to_ms(fill.time)
    assert float(found["recorded"]["tick"]) == float(fill.price) + 1
    assert float(found["replayed"]["tick"]) == float(fill.price)
    assert report.repaired_divergence["cause"] == "fault"


def test_an_account_that_was_changed_is_found(market):
    bot = trader(market)
    market.go(60)
    bot.refresh_from_db()
    kernel = bytearray(bytes(bot.kernel))
    kernel[0] ^= 1
    Bot.objects.filter(pk=bot.pk).update(kernel=bytes(kernel))

    found = report_of(bot).known_divergence

    assert found["what"] == "account"
    assert list(found["recorded"]) == ["cash"]


@pytest.mark.parametrize(
    ("column", "value", "cause"),
    [("engine_version", 0, "engine version"), ("source_hash", "0" * 64, "configuration")],
)
def test_what_is_no_longer_as_it_was_explains_a_divergence(market, column, value, cause):
    bot = trader(market)
    market.go(60)
    bot.refresh_from_db()
    Fill.objects.filter(bot=bot).update(fee=1)
    BotRun.objects.filter(pk=bot.run_id).update(**{column: value})

    assert report_of(bot).known_divergence["cause"] == cause


def test_a_strategy_that_is_gone_makes_a_report_that_failed(market):
    bot = trader(market)
    market.go(60)
    bot.refresh_from_db()
    BotRun.objects.filter(pk=bot.run_id).update(strategy="own:gone", source="")

    report = report_of(bot)

    assert (report.known, report.repaired) == ("failed", "failed")
    assert report.known_divergence["cause"] == "configuration"
    assert "own:gone" in report.known_divergence["why"]


def test_an_own_strategy_is_replayed_by_the_code_of_the_run(market):
    bot = trader(market)
    market.go(60)
    bot.refresh_from_db()
    BotRun.objects.filter(pk=bot.run_id).update(strategy="own:changed-since")

    assert_matched(report_of(bot))


OWN = '''
import numpy as np
from strategies.domain.base import BaseStrategy


class Mine(BaseStrategy):
    """Long above the mean of everything it has seen."""

    key, title, source = "mine", "My own", "myself"

    @property
    def warmup(self):
        return 1

    def process_data(self, candles):
        means = np.cumsum(candles.close) / np.arange(1, len(candles) + 1)
        return np.where(candles.close > means, 1.0, 0.0)

    def get_indicators(self, candles):
        return {"price": candles.close}
'''


@pytest.mark.slow
def test_a_strategy_without_steps_stands_by_what_it_decided_when_old_minutes_change(
    market, settings, tmp_path
):
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    market.go(BEFORE)
    made = make_trader(market.row, {}, strategy="own:mine")
    bot = started(made, at_ms=START_MS + BEFORE * MINUTE_MS + 5_000)
    market.go(40)
    # From now on every close is far below the mean of what is stored.
    market.revise(70, close=9000.0, high=9000.0)
    revised_ms = START_MS + market.done * MINUTE_MS
    for _ in range(4):
        market.go(20)

    report = report_of(bot)

    assert Fill.objects.filter(bot=bot, time__gte=from_ms(revised_ms), quantity__gt=0).exists()
    assert report.known_divergence is None, report.known_divergence
    assert report.repaired_divergence["cause"] == "candle revised"
    assert all("price" in one.why for one in Signal.objects.filter(bot=bot))


def first_entry(bot: Bot) -> int:
    """Return the number of the minute of the first fill."""
    fill = Fill.objects.filter(bot=bot).order_by("number")[0]
    return (to_ms(fill.time) - START_MS) // MINUTE_MS


def test_a_candle_that_was_revised_later_is_what_the_data_cost(market):
    bot = trader(market)
    market.go(120)
    number = first_entry(bot)
    market.revise(number, open=float(market.candles["open"][number]) + 0.5, high=2000, low=900)

    report = report_of(bot)

    assert report.known == "matched"
    found = report.repaired_divergence
    assert (report.repaired, found["cause"]) == ("diverged", "candle revised")
    assert found["time_ms"] == START_MS + number * MINUTE_MS
    ended = report.details["ended_with"]
    assert ended["recorded"] == ended["known"] != ended["repaired"]


def test_a_candle_that_was_revised_before_the_run_saw_it_is_seen_as_it_was_then(market):
    bot = trader(market)
    market.go(20)
    write_candles(market.row, market.candles[90:100], reason="test")
    market.revise(92, close=1100, high=1100)
    market.go(60)
    market.revise(92, close=900, low=900)

    report = report_of(bot)

    assert SeenMinute.objects.get(run=bot.run_id).revision == 1
    assert report.known == "matched"


def test_a_minute_that_was_left_out_and_inserted_later_is_what_the_data_cost(market):
    bot = trader(market)
    market.go(20)
    gone = tuple(range(84, 92))
    market.go(40, without=gone)
    write_candles(market.row, market.candles[84:92], reason="repair")

    report = report_of(bot)

    assert SeenMinute.objects.filter(run=bot.run_id, revision=-1).count() == len(gone)
    assert report.known == "matched"
    assert report.repaired_divergence["cause"] == "candle inserted"


def test_the_opening_of_a_minute_that_never_closed_is_replayed(market):
    bot = trader(market)
    market.go(20)
    first = START_MS + 80 * MINUTE_MS
    Opening.objects.create(
        instrument=market.row,
        open_time=from_ms(first),
        price=float(market.candles["open"][80]),
        trade_id=1,
        executed_at=from_ms(first + 100),
    )
    step(market.row)
    market.go(30, without=(80,))

    assert SeenMinute.objects.get(run=bot.run_id).revision == SeenMinute.OPENED
    assert BotEvent.objects.get(bot=bot, kind="gap").details["minutes"] == 1
    assert report_of(bot).known == "matched"


def test_a_decision_that_came_too_late_is_told_as_late(market):
    bot = trader(market, max_entry_age_s=60)
    market.go(60)

    report = report_of(bot)

    assert Signal.objects.filter(bot=bot, is_missed=True).exists()
    assert report.known == "matched"
    assert report.repaired_divergence["cause"] == "late candle"


def test_the_opening_that_a_run_filled_at_counts_not_one_that_came_later(market):
    bot = trader(market)
    market.go(120)
    number = first_entry(bot)
    Opening.objects.create(
        instrument=market.row,
        open_time=from_ms(START_MS + number * MINUTE_MS),
        price=1.0,
        trade_id=1,
        executed_at=from_ms(START_MS + number * MINUTE_MS),
    )

    assert_matched(report_of(bot))


def test_somebody_asks_for_reports_and_a_job_makes_them(market, queues):
    bot = trader(market)
    market.go(60)

    job = request_parity(bot, bot.owner)
    assert run_job(job.pk) == "done"
    report = ParityReport.objects.get(run__bot=bot)
    job.refresh_from_db()
    assert (job.done, job.total, job.result) == (1, 1, {"reports": [report.pk]})
    assert report.reason == ASKED
    assert_matched(report)
