"""Driving a soak: the market goes on as fast as the bots follow, and everything is disturbed."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg2
import redis
from django.db import InterfaceError, OperationalError

from bots.models import Bot, BotCommand
from marketdata.domain.timeframe import MINUTE_MS
from tests.chaos.running import do
from tests.chaos.scenes import Scene
from tests.chaos.schedules import Strike, schedule_of
from tests.chaos.stack import EXCHANGE, Stack, eventually
from tests.soak.scenes import STOP, start_code

_CHUNK_MS: Final = 20 * MINUTE_MS
"""So often there is a new schedule of disturbances."""

_LAG_MS: Final = MINUTE_MS
"""The shortest timeframe: bots that are further behind slow the exchange down."""

_SLOWEST, _FASTEST = 5.0, 600.0
_LOOK_S: Final = 0.5
_ORDERS: Final = (BotCommand.Kind.FLATTEN, BotCommand.Kind.PAUSE, BotCommand.Kind.RESUME)

_LAG: Final = """
select coalesce(extract(epoch from max(collector.exchange_time) - min(bot.cursor)) * 1000, 0)
from bots_bot as bot, marketdata_collector as collector
where bot.state in ('running', 'paused')
"""
_STANDING: Final = """
select bot.name, bot.state, bot.cursor::text, bot.phase, bot.trouble, left(bot.last_error, 200),
    (select max(open_time)::text from marketdata_candle as candle
        where candle.instrument_id = bot.instrument_id and timeframe = 1)
from bots_bot as bot order by bot.cursor limit 10
"""
_SESSIONS: Final = "select count(*) from pg_stat_activity where datname = current_database()"


@dataclass(slots=True)
class Watched:
    """What was measured on the way, in order: lag in ms, speed, and what processes held."""

    lags_ms: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    clients: list[int] = field(default_factory=list)
    memory: dict[int, list[int]] = field(default_factory=dict)
    """Resident bytes of each worker process, by its id."""


@dataclass(slots=True)
class Drive:
    """One soak under way."""

    stack: Stack
    scene: Scene
    seed: int
    is_adaptive: bool
    watched: Watched = field(default_factory=Watched)
    speed: float = 60.0
    orders: int = 0
    """How many were given on the way."""

    def begin(self, bots: int) -> None:
        """Start the processes, and the bots once there is something to trade."""
        self.stack.start("collect", "light", "beat")
        eventually(self.stack, "first trades stored", lambda: self.stack.stored_trades() > 0, 60)
        self.stack.manage("shell", "-c", start_code(bots, EXCHANGE), timeout_s=300)
        self._until("bots run", lambda: self._count("running") == bots, 120)

    def go_on(self) -> None:
        """Let the market run to its end while everything is disturbed."""
        chance = random.Random(self.seed)
        self._set_speed(self.scene.speed)
        for number, start_ms in enumerate(range(self.scene.start_ms, self.scene.end_ms, _CHUNK_MS)):
            schedule = schedule_of(
                self.seed + number,
                self.scene.symbols,
                min(_CHUNK_MS, self.scene.end_ms - start_ms) / 1000,
                self.scene.longest_cut_s,
            )
            passed_s = (start_ms - self.scene.start_ms) / 1000
            for fault in schedule.faults:
                # Counted from the exchange's start.
                self._post("faults", {**fault, "after": fault["after"] + passed_s})
            orders = [Strike(chance.uniform(60, 1000), "order") for _ in range(3)]
            strikes = sorted([*schedule.strikes, *orders], key=lambda strike: strike.at_s)
            for strike in strikes:
                self._wait_for(start_ms + int(strike.at_s * 1000))
                self._strike(strike, chance)
            self._wait_for(min(start_ms + _CHUNK_MS, self.scene.end_ms))

    def end(self) -> None:
        """Let the bots come to the end of the market, and stop them."""
        assert self.orders > 0, "no order could be given"
        self.stack.exchange.clear_faults()
        self._set_speed(30.0)
        end_ms = self.scene.end_ms
        self._until("bots are at the end", lambda: self._is_behind_none(end_ms), 150)
        self.stack.manage("shell", "-c", STOP, timeout_s=300)
        self._until("bots are stopped", lambda: self._count("stopped") == self._count(), 180)

    def _strike(self, strike: Strike, chance: random.Random) -> None:
        if strike.what != "order":
            do(self.stack, strike)
            return
        # The database may be away at the moment.
        with contextlib.suppress(OperationalError, InterfaceError), self.stack.as_our_own():
            ids = list(Bot.objects.alive().values_list("pk", flat=True))
            some = Bot.objects.filter(pk__in=chance.sample(ids, max(1, len(ids) // 5)))
            kind = chance.choice(_ORDERS)
            self.orders += len(BotCommand.objects.give(some, kind, BotCommand.Source.PERSON))

    def _wait_for(self, exchange_ms: int) -> None:
        """Wait until the exchange's clock says so, looking at the bots meanwhile."""
        # By far longer than it takes, however slow the machine.
        deadline = time.monotonic() + 3600
        while not self._has_come(exchange_ms):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within an hour: {exchange_ms}\n\n{self.stack.logs()}")
            self.stack.restart_ended()
            self._look()
            time.sleep(_LOOK_S)

    def _has_come(self, exchange_ms: int) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.stack.exchange.state()["exchangeMs"] >= exchange_ms)
        return False

    def _look(self) -> None:
        with contextlib.suppress(psycopg2.Error, redis.RedisError):
            lag_ms = float(self.stack.query(_LAG)[0][0])
            self.watched.lags_ms.append(lag_ms)
            self.watched.speeds.append(self.speed)
            self.watched.sessions.append(self.stack.query(_SESSIONS)[0][0])
            self.watched.clients.append(self._clients())
            for pid, size in self._memory():
                self.watched.memory.setdefault(pid, []).append(size)
            if self.is_adaptive:
                factor = 0.8 if lag_ms > _LAG_MS else 1.03
                self._set_speed(min(_FASTEST, max(_SLOWEST, self.speed * factor)))

    def _clients(self) -> int:
        address = self.stack.ground.engines.urls["REDIS_URL"]
        with redis.Redis.from_url(address, socket_timeout=1) as client:
            told: Any = client.info("clients")
            return int(told["connected_clients"])

    def _memory(self) -> Iterator[tuple[int, int]]:
        for name in ("collect", "light"):
            process = self.stack.processes.get(name)
            if process is not None and process.poll() is None:
                with contextlib.suppress(OSError, IndexError):
                    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
                    yield process.pid, int(pages) * 4096

    def _set_speed(self, speed: float) -> None:
        self.speed = speed
        self._post("speed", {"speed": speed})

    def _post(self, control: str, body: object) -> None:
        """Tell the exchange something; during a cut it does not listen."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.stack.exchange.post(control, body)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_S)

    def _until(self, what: str, condition: Any, within_s: float) -> None:
        def holds() -> bool:
            self.stack.restart_ended()
            return bool(condition())

        try:
            eventually(self.stack, what, holds, within_s)
        except AssertionError as error:
            for row in self.stack.query(_STANDING):
                error.add_note(str(row))
            raise

    def _count(self, state: str | None = None) -> int:
        where = "" if state is None else " where state = %s"
        values = () if state is None else (state,)
        return int(self.stack.query(f"select count(*) from bots_bot{where}", *values)[0][0])

    def _is_behind_none(self, end_ms: int) -> bool:
        query = "select count(*) from bots_bot where cursor < to_timestamp(%s) or cursor is null"
        return bool(self.stack.query(query, end_ms / 1000)[0][0] == 0)
