"""A search of 1,000 pairs of EMA periods over a year of minutes: time, memory, a second worker.

One process does what a worker does for each batch: decide for many pairs in one pass, walk the
minutes that matter, compute every metric; all 1,000 trials are compared with nothing kept but
figures, and a few with backtests of their own. The second figure starts two processes on halves of
the pairs. vectorbt takes 106 s and 10.7 GB for the same pairs on this year (chunks of 4 columns).
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from decimal import Decimal
from typing import Any

from tests.benchmarks.bench_backtests import CASH, MINUTES, START_MS, stored_year
from tests.benchmarks.figures import Figure

PAIRS = 1_000
VECTORBT_S = 106.0
FASTER = 20
MOST_MB = 500
CHECKED = 5
YEAR = {"exchange": "bench", "symbol": "BTC-USDT"}


def run() -> list[Figure]:
    """Return time, memory and what a second worker brings."""
    from marketdata.models import Instrument

    if not Instrument.objects.filter(**YEAR).exists():
        stored_year()
    one = measured(1)
    two = measured(2)
    limit_s = VECTORBT_S / FASTER
    times = one["seconds"] / two["seconds"]
    return [
        Figure(
            "1,000 EMA pairs over a year, one worker",
            one["seconds"],
            "s",
            f"at most {limit_s:.1f} s, a {FASTER}th of vectorbt's {VECTORBT_S:.0f} s",
            one["seconds"] <= limit_s,
            f"{one['fills']:,.0f} round trips, {VECTORBT_S / one['seconds']:.0f} x",
        ),
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
    ]


def measured(workers: int) -> dict[str, float]:
    """Return the slowest worker's seconds, the largest one's memory, and all round trips."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=work, args=(number, workers, ready, results))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    told = [results.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    return {
        "seconds": max(one["seconds"] for one in told),
        "peak_mb": max(one["peak_mb"] for one in told),
        "fills": sum(one["fills"] for one in told),
    }


def work(number: int, workers: int, ready: Any, results: Any) -> None:
    """Do one worker's share of the pairs in batches, once every worker has its candles."""
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
    pairs = pairs_of_periods()[number::workers]
    trials.outcomes(pairs[:1], span, check)
    ready.wait(120)
    began, made = time.monotonic(), []
    for first in range(0, len(pairs), BATCH):
        made += trials.outcomes(pairs[first : first + BATCH], span, check)
    seconds = time.monotonic() - began
    for place in range(0, len(pairs), len(pairs) // CHECKED):
        assert made[place].metrics == trials.result(pairs[place], span).metrics()
    results.put(
        {
            "seconds": seconds,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "fills": sum(one.metrics["round_trips"] or 0 for one in made),
        }
    )


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
