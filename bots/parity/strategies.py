"""The strategy of a run as it was then, as far as it can be had."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from bots.models import BotRun
from marketdata.domain.timeframe import Timeframe
from strategies.catalogue import AnyStrategy, describe_strategy, limits, opened
from strategies.domain.registry import STRATEGIES
from strategies.sandbox.own import OwnStrategy


@contextmanager
def strategy_of(run: BotRun) -> Iterator[AnyStrategy]:
    """Give the strategy for as long as the block lasts: an own one from the code of the run.

    A built-in one is part of the program, and so has the code of today. Raises UnknownStrategy,
    InvalidParameters and StrategyFailed.
    """
    timeframe = Timeframe(run.timeframe)
    if run.strategy in STRATEGIES or not run.source:
        with opened(run.strategy, run.params, timeframe) as strategy:
            yield strategy
        return
    with tempfile.TemporaryDirectory(prefix="tcpd-parity-") as folder:
        # Its sandbox is another user where there is one.
        Path(folder).chmod(0o755)
        file = Path(folder) / "as_it_was.py"
        file.write_text(run.source)
        with OwnStrategy(
            str(file), settings.STRATEGIES_DIR, limits(), timeframe, run.params
        ) as strategy:
            yield strategy


def code_now(run: BotRun) -> str:
    """Return the hash of the code that a replay runs; an own strategy's is the run's."""
    if run.strategy in STRATEGIES:
        return describe_strategy(run.strategy).code_hash
    return run.source_hash
