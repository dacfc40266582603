"""The project's Celery application in a worker whose ticks are all lost on their way.

    LOST_TICKS=FILE celery -A tests.bots.losing worker ...

Each is noted in the file by its instrument, instead of being sent.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import signals

from tcpdashboard.celery import app

__all__ = ["app"]


@signals.celeryd_init.connect
def _lose_ticks(**_rest: Any) -> None:
    from bots.tasks import tick

    tick.apply_async = _lose


def _lose(given: tuple[int], **_options: Any) -> None:
    with Path(os.environ["LOST_TICKS"]).open("a") as file:
        file.write(f"{given[0]}\n")
