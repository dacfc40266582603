"""An EMA crossover on spot kept by hand: plain numbers, long or out, nothing of this project."""


def fills(candles, minutes, fast, slow, cash, unit, least, fee=10, slip=5):
    """Return (time, lots, price, fee) of each fill of (time_ms, open, close, traded) 1m candles.

    Prices are whole ticks, `cash` whole units of which a lot at one tick is worth `unit`; an order
    is for `least` lots at least. Costs are in bps; the strategy's candles are of `minutes`.
    """
    done, closes, lots, quick, late, wanted, order = [], [], 0, None, None, None, None
    for number, (time_ms, opened, closed, traded) in enumerate(candles, 1):
        if order and traded:
            (buys, made_ms), order = order, None
            price, size = sized(buys, cash, lots, opened, share(opened, slip), unit, fee)
            if time_ms - made_ms <= minutes * 60_000 and abs(size) >= least:
                paid = share(abs(size) * price * unit, fee)
                cash, lots = cash - size * price * unit - paid, lots + size
                done.append((time_ms, size, price, paid))
        if number % minutes == 0:
            closes.append(closed)
            quick, late = average(closes, fast, quick), average(closes, slow, late)
            if late is not None and quick != late:
                target = quick > late
                if target != wanted or (not target and lots and not order):
                    order = (target, time_ms + 60_000)
                wanted = target
    return done


def sized(buys, cash, lots, opened, slip, unit, fee):
    """Return price and size: all of the account, also where a part of it is held; or nothing."""
    size = most(cash + lots * (opened + slip) * unit, (opened + slip) * unit, fee) - lots
    if buys and size > 0:
        return opened + slip, min(size, most(cash, (opened + slip) * unit, fee))
    price = opened - slip
    return price, most(cash + lots * price * unit, price * unit, fee) - lots if buys else -lots


def most(worth, unit, fee):
    size = worth * 10_000 // (unit * (10_000 + fee)) + 1
    while size * unit + share(size * unit, fee) > worth:
        size -= 1
    return size


def average(values, period, before):
    if len(values) <= period:
        return sum(values) / period if len(values) == period else None
    return before + 2 / (period + 1) * (values[-1] - before)


def share(value, bps):
    return -(-value * bps // 10_000)
