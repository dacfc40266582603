"""The strategies that groups decide by, kept open from one step to the next."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from bots.domain.grouping import GroupKey
from marketdata.domain.timeframe import Timeframe
from strategies.catalogue import AnyStrategy, describe_strategy, make_strategy
from strategies.domain.registry import STRATEGIES
from strategies.sandbox.own import Description, OwnStrategy

_KEPT: Final = 64
_TURNS: Final = 2
"""Threads of a process that may wait for own strategies: the others do everybody else's steps."""
_TURN_S: Final = 1.0
_MOMENT_S: Final = 2.0
"""How long one that is asked by another thread is waited for: bots of many instruments share it."""


class Busy(Exception):
    """Another thread asks the strategy at the moment; its bots are left to the next step."""


class _Open:
    """A strategy, for one thread at a time."""

    def __init__(self, strategy: AnyStrategy) -> None:
        self.strategy, self.lock = strategy, threading.Lock()


_open: OrderedDict[tuple[str, ...], _Open] = OrderedDict()
_changing = threading.Lock()
_turns: Final = threading.BoundedSemaphore(_TURNS)


def is_own(key: str) -> bool:
    """Return whether a strategy is somebody's own: its code runs in another process."""
    return key not in STRATEGIES


def describe(key: str) -> Description:
    """Return what a strategy says of itself, a built-in one as this process loaded it.

    Raises StrategyError.
    """
    return describe_strategy(key) if is_own(key) else _built_in(key)


@cache
def _built_in(key: str) -> Description:
    return describe_strategy(key)


@contextmanager
def own_turn() -> Iterator[bool]:
    """Give whether own strategies may be asked for as long as the block lasts.

    One that hangs takes its thread with it until its deadline. Without a turn their bots are left
    to whoever has one, and to the sweep.
    """
    is_mine = _turns.acquire(timeout=_TURN_S)
    try:
        yield is_mine
    finally:
        if is_mine:
            _turns.release()


@contextmanager
def strategy_of(group: GroupKey) -> Iterator[AnyStrategy]:
    """Give a group's strategy for as long as the block lasts; its process is kept for the next.

    Raises UnknownStrategy, InvalidParameters and StrategyFailed, and Busy when another thread asks
    it for longer than one that is well takes to decide on a minute.
    """
    name = (group.strategy, group.timeframe, group.params, group.source_hash)
    with _changing:
        found = _open.get(name)
    if found is None:
        found = _keep(name, _Open(make(group.strategy, json.loads(group.params), group.timeframe)))
    if not found.lock.acquire(timeout=_MOMENT_S):
        raise Busy
    try:
        yield found.strategy
    finally:
        found.lock.release()


def make(key: str, params: Mapping[str, Any], timeframe: Timeframe) -> AnyStrategy:
    """Return a strategy; see `make_strategy`."""
    return make_strategy(key, params, timeframe)


def _keep(name: tuple[str, ...], made: _Open) -> _Open:
    with _changing:
        kept = _open.setdefault(name, made)
        _open.move_to_end(name)
        gone = [_open.popitem(last=False)[1]] if len(_open) > _KEPT else []
    for one in [*gone, *([made] if kept is not made else [])]:
        with one.lock:
            if isinstance(one.strategy, OwnStrategy):
                one.strategy.close()
    return kept
