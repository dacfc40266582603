"""The one signal of the project: how later apps learn that a minute closed."""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

minute_closed: Final = Signal()
"""Sent after the commit, in the collector's writer thread, once for every closed 1m candle.

Arguments: `instrument_id` and `open_time_ms`. Receivers must be quick and must not raise; the
message is a hint and may be lost in a crash, so whoever needs every minute also sweeps.
"""
