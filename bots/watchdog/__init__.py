"""Watches whether every bot that should get on does, says what keeps it, and starts it anew.

It runs on another queue than the steps, so that a dead worker of theirs does not silence it.
"""

from bots.watchdog.watching import watch_bots

__all__ = ["watch_bots"]
