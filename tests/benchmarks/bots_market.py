"""Bots for benchmarks: a few are made as people make them, the others are copies of those."""

from __future__ import annotations

from typing import Any, Final

from tests.benchmarks.market import YEAR_START_MS, execute, make_instrument, walk

EXCHANGE: Final = "bench-bots"
MINUTE_MS: Final = 60_000
OWNER: Final = "bench"

_ALIVE: Final = """
update bots_bot as bot
set run_id = run.id, state = 'running', desired = 'running'
from bots_botrun as run where run.bot_id = bot.id and bot.id = any(%s)
"""


class Minutes:
    """An instrument and its minutes, stored one by one as they close."""

    def __init__(self, number: int, *, before: int, ahead: int) -> None:
        from marketdata.models import Collector, Instrument
        from marketdata.storage import write_candles

        made = make_instrument(EXCHANGE, number)
        self.collector, _ = Collector.objects.get_or_create(name=EXCHANGE, exchange=EXCHANGE)
        rows = Instrument.objects.filter(pk=made.pk)
        rows.update(is_enabled=True, collector=self.collector)
        self.instrument: Any = rows.get()
        start_ms = YEAR_START_MS - before * MINUTE_MS
        # The same for all, so that as many of their bots trade at each minute.
        self.candles = walk(before + ahead, start_ms=start_ms)
        self.candles["volume"] += 0.0001
        self.done = before
        write_candles(self.instrument, self.candles[:before], reason="bench")
        self._tell()

    @property
    def open_ms(self) -> int:
        """The open time of the minute that runs."""
        return int(self.candles["open_time_ms"][self.done])

    def close(self, count: int = 1) -> None:
        """Store the next minutes, and the first trade of the one after them."""
        from marketdata.storage import write_candles

        rows = self.candles[self.done : self.done + count]
        write_candles(self.instrument, rows, reason="bench")
        self.done += count
        self._tell()

    def trade(self) -> None:
        """Store a trade, reported by a collector that is live."""
        from django.utils import timezone

        from marketdata.models import Collector, Trade, from_ms

        price, time_ms = float(self.candles["open"][self.done]), self.open_ms + 100
        sold = {"price": price, "size": 1, "side": 1, "trade_id": self.done}
        Trade.objects.create(instrument=self.instrument, executed_at=from_ms(time_ms), **sold)
        Collector.objects.filter(pk=self.collector.pk).update(
            heartbeat_at=timezone.now(),
            counters={"exchange_ms": time_ms, "silence_s": 0},
            channels={self.instrument.symbol: {"event_ms": time_ms}},
        )

    def _tell(self) -> None:
        from marketdata.models import Collector, Opening, from_ms

        now = from_ms(self.open_ms + 50)
        Opening.objects.create(
            instrument=self.instrument,
            open_time=from_ms(self.open_ms),
            price=float(self.candles["open"][self.done]),
            trade_id=self.done,
            executed_at=now,
        )
        Collector.objects.filter(pk=self.collector.pk).update(exchange_time=now)


def owner_of_bots() -> Any:
    """Return whose bots these are."""
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get_or_create(username=OWNER)[0]


def make_bots(minutes: Minutes, number: int, groups: int) -> list[int]:
    """Make running bots of an instrument; return their ids. There are `groups` sets of parameters.

    They cross averages so short that some of them trade at every minute.
    """
    from bots.manager import BotManager

    fewer = min(number, groups)
    models = [make_model(minutes.instrument, 2 + at, 4 + 2 * at) for at in range(fewer)]
    BotManager().step(minutes.instrument.pk)
    ids = [model.pk for model in models]
    for place, model in enumerate(models):
        model.refresh_from_db()
        assert model.state == "running", (model.state, model.last_traceback)
        wanted = number // len(models) + (place < number % len(models)) - 1
        ids += _copies(model, wanted)
    return ids


def make_model(instrument: Any, fast: int, slow: int) -> Any:
    """Make and start a bot that crosses averages."""
    from django.utils import timezone

    from backtests.domain.settings import Trading
    from backtests.domain.trading_json import trading_as_json
    from bots.services import BotDraft, create_bot, start_bot
    from strategies.catalogue import describe_strategy
    from strategies.models import StrategyConfig

    owner = owner_of_bots()
    config, _ = StrategyConfig.objects.get_or_create(
        owner=owner,
        name=f"EMA {fast}/{slow}",
        defaults={
            "strategy": "ema_crossover",
            "timeframe": "1m",
            "params": {"fast": fast, "slow": slow},
            "is_proven": True,
            "proven_at": timezone.now(),
            "proven_code": describe_strategy("ema_crossover").code_hash,
        },
    )
    trading = trading_as_json(Trading())
    name = f"{instrument.symbol} {fast}/{slow}"
    draft = BotDraft(name, instrument, config, trading, 7 * 86_400)
    return start_bot(create_bot(owner, draft), owner)


def _copies(model: Any, number: int) -> list[int]:
    """Make bots that stand where their model does, each with a run, an account and a ledger."""
    from bots.models import Bot, BotRun, LedgerEntry

    changed = {"name": "name || ' ' || number", "state": "'created'", "run_id": "null"}
    numbers = "generate_series(1, %s) as number"
    made = execute(_copied(Bot, changed, numbers, "id = %s"), [number, model.pk])
    ids = [bot_id for (bot_id,) in made]
    copies = "unnest(%s::bigint[]) as copy"
    execute(_copied(BotRun, {"bot_id": "copy"}, copies, "id = %s"), [ids, model.run_id])
    runs = "(select id as run, bot_id as bot from bots_botrun where bot_id = any(%s)) as copy"
    changed = {"bot_id": "copy.bot", "run_id": "copy.run"}
    deposits = "fill_id is null and model.bot_id = %s"
    execute(_copied(LedgerEntry, changed, runs, deposits), [ids, model.pk])
    execute(_ALIVE, [ids])
    return ids


def _copied(kind: Any, changed: dict[str, str], times: str, which: str) -> str:
    """Return a statement that copies rows once for each of `times`, some columns `changed`."""
    columns = [one.column for one in kind._meta.concrete_fields if not one.primary_key]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(column, f'model."{column}"') for column in columns)
    table = kind._meta.db_table
    return (
        f"insert into {table} ({names}) select {values} from {table} as model, {times}"
        f" where {which} returning id"
    )
