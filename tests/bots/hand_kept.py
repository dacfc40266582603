"""An EMA crossover on spot kept by hand: plain numbers, long or out, nothing of this project."""


def fills(candles, minutes, fast, slow, cash, unit, fee_bps=10, slip_bps=5):
    """Return (time, lots, price, fee) of each fill of (time_ms, open, close, traded) candles.

    Prices are whole ticks, `cash` whole units of which a lot at one tick is worth `unit`. The
    candles are of 1m and have no gap, those of the strategy are of `minutes`.
    """
    done, closes, lots, quick, late, wanted, order = [], [], 0, None, None, None, None
    for number, (time_ms, opened, closed, traded) in enumerate(candles, 1):
        if order and traded:
            (buys, made_ms), order = order, None
            slip = -(-opened * slip_bps // 10_000)
            price, size = (opened + slip, 0) if buys else (opened - slip, -lots)
            if buys and not lots:
                size = cash * 10_000 // (price * unit * (10_000 + fee_bps)) + 1
                while size * price * unit - (-size * price * unit * fee_bps // 10_000) > cash:
                    size -= 1
            if size and time_ms - made_ms <= minutes * 60_000:
                fee = -(-abs(size) * price * unit * fee_bps // 10_000)
                cash, lots = cash - size * price * unit - fee, lots + size
                done.append((time_ms, size, price, fee))
        if number % minutes == 0:
            closes.append(closed)
            quick, late = average(closes, fast, quick), average(closes, slow, late)
            if late is not None and quick != late:
                target = quick > late
                if target != wanted or (not target and lots and not order):
                    order = (target, time_ms + 60_000)
                wanted = target
    return done


def average(values, period, before):
    """Return the exponential average; it begins with the mean of the first `period` values."""
    if len(values) <= period:
        return sum(values) / period if len(values) == period else None
    return before + 2 / (period + 1) * (values[-1] - before)
