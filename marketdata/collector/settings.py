"""Every tunable of a collector, in one value. The defaults suit production."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """Limits and times. `_s` and `_ms` are wall time; `_exchange_ms` is exchange time."""

    batch_trades: int = 5_000
    # Emitted trades that wait for the writer before the sockets are read no further.
    backlog_trades: int = 25_000
    # What was received is handed on at least this often; forming candles are shown and silent
    # minutes closed as often.
    tick_ms: int = 250
    # How often channels are looked at for silence.
    watch_s: float = 1.0
    # The sockets' time to bring an instrument's first trade before REST is asked for the last.
    first_trade_s: float = 2.0
    connect_timeout_s: float = 10.0
    close_timeout_s: float = 0.5
    # OKX drops a socket after 30 s without a push.
    ping_after_s: float = 20.0
    pong_within_s: float = 10.0
    ack_within_s: float = 10.0
    # A channel that was refused is asked for again, at first after this and then more rarely.
    refused_retry_s: float = 60.0
    # Channels on one connection; OKX names no figure, and closes with 4008 or 4009 beyond it.
    channels_per_connection: int = 240
    # An announced end of a connection: its follower is subscribed this long before it is dropped.
    overlap_s: float = 2.0
    # Without trades and candle pushes for so long an instrument's data is stale. A candle channel
    # pushes every minute, so that a quiet market is not.
    stale_exchange_ms: int = 120_000
    # A channel that says nothing while others prove that it should.
    channel_silence_s: float = 30.0
    # A candle channel pushes every minute, traded or not.
    candle_silence_s: float = 180.0
    backoff_base_s: float = 0.25
    backoff_cap_s: float = 30.0
    # After a socket lived this long the next failure starts at the base again.
    backoff_reset_s: float = 60.0
    drain_s: float = 2.5
    # Larger holes are filled by the exchange's own candles.
    max_hole_trades: int = 30_000
    repairs_at_once: int = 4
    give_up_exchange_ms: int = 30_000
    # A repair that still finds trades goes on for longer, for as long as half a minute on a clock
    # here: only a simulated exchange's time, which may run fast, gives it any more by that.
    # Longer than the pauses between the stale answers that paging.py waits out for one page, 8 s.
    give_up_quiet_s: float = 10.0
    # After so long an instrument goes on whatever its repair does, or waits for behind others:
    # what is found later is added.
    give_up_s: float = 30.0
    # A repair that has not moved for so long is left to the gap's own repair later.
    repair_patience_s: float = 600.0
    warn_every_s: float = 60.0
