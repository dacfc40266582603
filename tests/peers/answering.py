"""What the other programs are made to do, in an interpreter that can import them.

Run by `asking`; nothing else of the project is imported here.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Arrays = dict[str, Any]
Answer = tuple[dict[str, Any], Arrays]


def vectorbt_fills(given: Arrays, told: dict[str, Any]) -> Answer:
    """Book the given fills at minutes `at`: sizes, prices and fees as they were."""
    import vectorbt as vbt

    count = len(given["close"])
    size, price, fees = np.full(count, np.nan), np.full(count, np.nan), np.zeros(count)
    size[given["at"]], price[given["at"]] = given["size"], given["price"]
    fees[given["at"]] = given["fee"]
    began = time.perf_counter()
    portfolio = vbt.Portfolio.from_orders(
        _series(given, "close"),
        size=size,
        price=price,
        fixed_fees=fees,
        init_cash=told["cash"],
        freq="1min",
    )
    answer = _vectorbt(portfolio)
    return {**answer[0], "seconds": time.perf_counter() - began}, answer[1]


def vectorbt_signals(given: Arrays, told: dict[str, Any]) -> Answer:
    """Trade an EMA crossover by signals of its own, filled at the next open with costs."""
    close, opens = _series(given, "close"), given["open"]

    def run() -> Answer:
        fast = close.ewm(span=told["fast"], adjust=False).mean().to_numpy()
        slow = close.ewm(span=told["slow"], adjust=False).mean().to_numpy()
        above = fast > slow
        above[: told["slow"]] = False
        return _vectorbt(_held_while(above, close, opens, told))

    return _timed(run, told["rounds"])


def _held_while(above: Any, close: Any, opens: Any, told: dict[str, Any]) -> Any:
    """Be in while `above` says so, each time from the open after on, with costs."""
    import vectorbt as vbt

    changed = np.diff(above, axis=0, prepend=np.zeros_like(above[:1]))
    entries = np.roll(changed & above, 1, axis=0)
    exits = np.roll(changed & ~above, 1, axis=0)
    entries[0] = exits[0] = False
    return vbt.Portfolio.from_signals(
        close,
        entries,
        exits,
        price=opens,
        fees=told["fee"],
        slippage=told["slippage"],
        init_cash=told["cash"],
        freq="1min",
    )


def vectorbt_pairs(given: Arrays, told: dict[str, Any]) -> Answer:
    """Trade EMA crossovers of many `pairs` of periods, `columns` side by side, with all figures."""
    close, opens = _series(given, "close"), given["open"][:, None]
    pairs, width = told["pairs"], told["columns"]
    average = cache(lambda period: close.ewm(span=period, adjust=False).mean().to_numpy())

    def run(pairs: list[tuple[int, int]]) -> Arrays:
        above = np.column_stack([average(fast) > average(slow) for fast, slow in pairs])
        for column, (_, slow) in enumerate(pairs):
            above[:slow, column] = False
        portfolio = _held_while(above, close.to_frame(), opens, told)
        figures = {name: np.asarray(value) for name, value in _figures(portfolio).items()}
        return {**figures, "trips": np.asarray(portfolio.trades.count())}

    run(pairs[:width])
    average.cache_clear()
    began = time.perf_counter()
    made = [run(pairs[first : first + width]) for first in range(0, len(pairs), width)]
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told_of = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
    return {"seconds": seconds, "peak_mb": peak_mb}, told_of


def backtesting_fills(given: Arrays, told: dict[str, Any]) -> Answer:
    """Make market orders of the given fills; the opens are their prices, units are lots."""
    from backtesting import Backtest, Strategy

    plan = dict(zip(given["at"].tolist(), given["lots"].tolist(), strict=True))
    prices = given["open"][given["at"]].tolist()
    rows = zip(given["lots"].tolist(), prices, given["fee"].tolist(), strict=True)
    fees = {(abs(lots), price): fee for lots, price, fee in rows}

    class Planned(Strategy):
        def init(self) -> None:
            self.bar = 0

        def next(self) -> None:
            self.bar = len(self.data)
            lots = plan.get(self.bar)
            if lots is None:
                return
            if self.position:
                self.position.close()
            else:
                self.buy(size=lots)

    frame = pd.DataFrame(
        {name.capitalize(): given[name] for name in ("open", "high", "low", "close")},
        index=_times(given),
    )
    began = time.perf_counter()
    stats = Backtest(
        frame,
        Planned,
        cash=told["cash"],
        commission=lambda size, price: fees[abs(size), price],
    ).run()
    seconds = time.perf_counter() - began
    trades = stats["_trades"]
    figures = {
        name: float(value)
        for name, value in stats.items()
        if isinstance(value, int | float | np.number)
    }
    arrays = {
        "equity": stats["_equity_curve"]["Equity"].to_numpy(),
        "entry": trades["EntryBar"].to_numpy(),
        "exit": trades["ExitBar"].to_numpy(),
        "lots": trades["Size"].to_numpy(),
        "profit": trades["PnL"].to_numpy(),
    }
    return {**figures, "seconds": seconds}, arrays


def backtesting_signals(given: Arrays, told: dict[str, Any]) -> Answer:
    """Trade an EMA crossover by signals of its own, whole units, next open, commission."""
    from backtesting import Backtest, Strategy

    class Crossover(Strategy):
        def init(self) -> None:
            close = pd.Series(self.data.Close)
            self.fast = self.I(lambda: close.ewm(span=told["fast"], adjust=False).mean())
            self.slow = self.I(lambda: close.ewm(span=told["slow"], adjust=False).mean())

        def next(self) -> None:
            if len(self.data) <= told["slow"]:
                return
            if self.fast[-1] > self.slow[-1]:
                if not self.position:
                    self.buy()
            elif self.position:
                self.position.close()

    frame = pd.DataFrame(
        {
            name.capitalize(): given[name] * told["unit"]
            for name in ("open", "high", "low", "close")
        },
        index=_times(given),
    )

    def run() -> Answer:
        test = Backtest(
            frame, Crossover, cash=told["cash"], commission=told["fee"], spread=told["slippage"]
        )
        stats = test.run()
        figures = {"fills": 2 * len(stats["_trades"]), "return": stats["Return [%]"] / 100}
        return figures, {"equity": stats["_equity_curve"]["Equity"].to_numpy()}

    return _timed(run, told["rounds"])


def _vectorbt(portfolio: Any) -> Answer:
    figures = {"fills": len(portfolio.orders.records_arr), **_figures(portfolio)}
    orders = portfolio.orders.records_arr
    arrays = {
        "equity": portfolio.value().to_numpy(),
        "at": orders["idx"].astype(np.int64),
        "size": np.where(orders["side"] == 0, orders["size"], -orders["size"]),
    }
    return {name: float(value) for name, value in figures.items()}, arrays


def _figures(portfolio: Any) -> dict[str, Any]:
    trades = portfolio.trades.closed
    return {
        "total_return": portfolio.total_return(),
        "annualized_return": portfolio.annualized_return(),
        "volatility": portfolio.annualized_volatility(),
        "sharpe": portfolio.sharpe_ratio(),
        "sortino": portfolio.sortino_ratio(),
        "omega": portfolio.omega_ratio(),
        "max_drawdown": -portfolio.max_drawdown(),
        "calmar": portfolio.calmar_ratio(),
        "win_rate": trades.win_rate(),
        "profit_factor": trades.profit_factor(),
        "expectancy": trades.expectancy(),
        "sqn": trades.sqn(),
    }


def _timed(run: Callable[[], Answer], rounds: int) -> Answer:
    """Run several times; return the last answer with the median of the seconds."""
    answer, seconds = run(), []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - began)
    return {**answer[0], "seconds": float(np.median(seconds)) if seconds else None}, answer[1]


def _times(given: Arrays) -> pd.DatetimeIndex:
    # With a time zone vectorbt takes a hundred times as long.
    return pd.DatetimeIndex(pd.to_datetime(given["open_ms"], unit="ms"))


def _series(given: Arrays, name: str) -> pd.Series:
    return pd.Series(given[name], index=_times(given))


WHAT: dict[str, Callable[[Arrays, dict[str, Any]], Answer]] = {
    "vectorbt_fills": vectorbt_fills,
    "vectorbt_signals": vectorbt_signals,
    "vectorbt_pairs": vectorbt_pairs,
    "backtesting_fills": backtesting_fills,
    "backtesting_signals": backtesting_signals,
}


def main() -> None:
    what, folder, count, told = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    for number in range(count):
        with np.load(folder / f"given-{number}.npz") as kept:
            arrays = {name: kept[name] for name in kept.files}
        figures, found = WHAT[what](arrays, json.loads(told))
        np.savez(folder / f"answer-{number}.npz", **found)
        (folder / f"answer-{number}.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
