"""A search of 1,000 pairs of EMA periods over a year of minutes: time, memory, a second worker.

One process does what a worker does for each batch: decide for many pairs in one pass, walk the
minutes that matter, compute every metric; all 1,000 trials are compared with nothing kept but
figures, and a few with backtests of their own. Two processes then take batches as two workers do.
vectorbt trades the same pairs with the same costs, where it was installed: four columns at once,
which is its best, and a process for each hundred pairs, because what it keeps grows with them.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.series import Series
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from strategies.domain.builtin.ema_crossover import EmaCrossover
from tests.benchmarks.bench_backtests import CASH, MINUTES, START_MS, stored_year
from tests.benchmarks.figures import Figure
from tests.peers.asking import are_there, ask

PAIRS = 1_000
VECTORBT_S = 106.0
"""What vectorbt 1.2 was measured to take for them, where it is not installed."""
VECTORBT_PAIRS, VECTORBT_COLUMNS = 100, 4
FASTER = 20
MOST_MB = 500
CHECKED = 5
LOOP_CANDLES, LOOP_SETS, LOOP_TURNS = 10_000, 64, 4_000
YEAR = {"exchange": "bench", "symbol": "BTC-USDT"}


def run() -> list[Figure]:
    """Return time, memory and what a second worker brings."""
    from marketdata.models import Instrument

    if not Instrument.objects.filter(**YEAR).exists():
        stored_year()
    one = measured(1)
    two = measured(2)
    times = one["seconds"] / two["seconds"]
    bare = seconds_of_loops(1) / seconds_of_loops(2)
    return [
        Figure(
            "1,000 EMA pairs over a year, one worker",
            one["seconds"],
            "s",
            note=f"{one['fills']:,.0f} round trips",
        ),
        against_vectorbt(one["seconds"]),
        Figure(
            "peak memory of a worker",
            max(one["peak_mb"], two["peak_mb"]),
            "MB",
            f"below {MOST_MB}",
            max(one["peak_mb"], two["peak_mb"]) < MOST_MB,
            "resident, mapped candles included",
        ),
        Figure(
            "two workers instead of one",
            times,
            "x",
            "at least 1.7 x",
            times >= 1.7,
            f"{two['seconds']:.1f} s",
        ),
        Figure("ceiling: two bare loops instead of one", bare, "x", note="in the cache of a core"),
    ]


def against_vectorbt(own_s: float) -> Figure:
    """Return how many times as long vectorbt takes for the same pairs."""
    theirs = vectorbt_pairs() if are_there() else {"seconds": VECTORBT_S}
    ratio, is_met = theirs["seconds"] / own_s, None
    note = f"vectorbt {theirs['seconds']:.0f} s"
    if "trips" in theirs:
        note += f", {theirs['trips']:,.0f} round trips, {theirs['peak_mb']:,.0f} MB in a process"
        is_met = ratio >= FASTER
    else:
        note += " once, not in this run"
    return Figure(
        "1,000 EMA pairs against vectorbt", ratio, "x", f"at least {FASTER}", is_met, note
    )


def vectorbt_pairs() -> dict[str, float]:
    """Return vectorbt's seconds for all pairs, its round trips and its largest process."""
    from backtests.domain.settings import Costs
    from backtests.loading import load_minutes
    from marketdata.models import Instrument

    span = START_MS, START_MS + MINUTES * 60_000
    candles = load_minutes(Instrument.objects.get(**YEAR), *span).candles
    given = {
        "open_ms": candles["open_time_ms"],
        **{name: np.array(candles[name]) for name in ("open", "close")},
    }
    told = {
        "columns": VECTORBT_COLUMNS,
        "cash": float(CASH),
        "fee": float(Costs().taker_bps) / 1e4,
        "slippage": float(Costs().slippage_bps) / 1e4,
    }
    pairs = [(one["fast"], one["slow"]) for one in pairs_of_periods()]
    seconds = trips = peak_mb = 0.0
    with tempfile.TemporaryDirectory() as name:
        for first in range(0, len(pairs), VECTORBT_PAIRS):
            part = pairs[first : first + VECTORBT_PAIRS]
            ((figures, found),) = ask("vectorbt_pairs", Path(name), [given], pairs=part, **told)
            seconds += figures["seconds"]
            trips += float(found["trips"].sum())
            peak_mb = max(peak_mb, figures["peak_mb"])
    return {"seconds": seconds, "trips": trips, "peak_mb": peak_mb}


def measured(workers: int) -> dict[str, float]:
    """Return the slowest worker's seconds, the largest one's memory, and all round trips."""
    told = side_by_side(work, workers)
    return {
        "seconds": max(one["seconds"] for one in told),
        "peak_mb": max(one["peak_mb"] for one in told),
        "fills": sum(one["fills"] for one in told),
    }


def seconds_of_loops(workers: int) -> float:
    """Return how long processes take for the same decisions over few candles, again and again."""
    seconds: list[float] = side_by_side(loop, workers)
    return max(seconds)


def side_by_side(target: Callable[..., None], workers: int) -> list[Any]:
    """Return what each of some processes puts into the queue it is given."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(workers), context.Queue()
    taken = context.Value("i", 0)
    given = (taken, ready, results)
    processes = [context.Process(target=target, args=given) for _ in range(workers)]
    for process in processes:
        process.start()
    told = [results.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    return told


def loop(taken: Any, ready: Any, results: Any) -> None:
    """Do turns that nobody has taken: what the processor allows when memory is not in the way."""
    candles = few_candles()
    strategies = [EmaCrossover(Timeframe.M1, pair) for pair in pairs_of_periods()[:LOOP_SETS]]
    starts = [0] * len(strategies)
    EmaCrossover.process_lanes(strategies, candles, starts)
    ready.wait(120)
    began = time.monotonic()
    while next_batch(taken, 1) < LOOP_TURNS:
        EmaCrossover.process_lanes(strategies, candles, starts)
    results.put(time.monotonic() - began)


def few_candles() -> Series:
    """Return a random walk of so few minutes that a core's own cache holds it."""
    rng = np.random.default_rng(7)
    values = {name: np.ones(LOOP_CANDLES, kind) for name, kind in COLUMN_TYPES.items()}
    values["open_time_ms"] = START_MS + MINUTE_MS * np.arange(LOOP_CANDLES)
    values["close"] = 100 + np.cumsum(rng.normal(0, 0.1, LOOP_CANDLES))
    spec = InstrumentSpec("BARE", Decimal("0.1"), Decimal("0.1"))
    return Series(Timeframe.M1, spec, CandleColumns(**values))


def work(taken: Any, ready: Any, results: Any) -> None:
    """Do batches that nobody has taken, once every worker has its candles."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
    django.setup()
    from backtests.domain.warming import warm_kernels
    from backtests.searching.batches import BATCH
    from backtests.searching.evaluating import Trials
    from marketdata.domain.indicators import warm

    warm()
    warm_kernels()
    search = unsaved_search()
    trials = Trials(search)
    search.fingerprint = trials.load().fingerprint.hex()
    span = START_MS, START_MS + MINUTES * 60_000
    pairs = pairs_of_periods()
    trials.outcomes(pairs[:1], span, check)
    ready.wait(120)
    began, tried, made = time.monotonic(), [], []
    while (first := next_batch(taken, BATCH)) < len(pairs):
        tried += pairs[first : first + BATCH]
        made += trials.outcomes(pairs[first : first + BATCH], span, check)
    seconds = time.monotonic() - began
    for place in range(0, len(tried), len(tried) // CHECKED):
        assert made[place].metrics == trials.result(tried[place], span).metrics()
    results.put(
        {
            "seconds": seconds,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "fills": sum(one.metrics["round_trips"] or 0 for one in made),
        }
    )


def next_batch(taken: Any, size: int) -> int:
    """Return the place of the first pair of a batch, and take it."""
    with taken.get_lock():
        first: int = taken.value
        taken.value = first + size
    return first


def pairs_of_periods() -> list[dict[str, int]]:
    """Return 1,000 pairs: 25 fast periods, 40 slow ones."""
    fast, slow = range(5, 30), range(32, 192, 4)
    return [{"fast": one, "slow": other} for one in fast for other in slow][:PAIRS]


def unsaved_search() -> Any:
    from backtests.domain.settings import Trading
    from backtests.domain.trading_json import trading_as_json
    from backtests.models import Search
    from marketdata.models import Instrument, from_ms

    return Search(
        strategy="ema_crossover",
        instrument=Instrument.objects.get(**YEAR),
        timeframe="1m",
        start=from_ms(START_MS),
        end=from_ms(START_MS + MINUTES * 60_000),
        trading=trading_as_json(Trading(cash=Decimal(CASH))),
    )


def check() -> None:
    """Nobody asks this one to end."""
