"""Asking for a task now, where a sweep will ask for it anyway."""

from __future__ import annotations

from typing import Any, Final

import structlog
from celery import Task
from kombu.exceptions import OperationalError
from redis import RedisError

from tcpdashboard.celery import app

BROKER_TIMEOUT_S: Final = 1.0
EXPIRES_S: Final = 15

log = structlog.get_logger(__name__)


def hint(task: Task[Any, Any], *args: Any, queue: str | None = None) -> None:
    """Ask for a task now; a broker that does not answer within a second is left to the sweep.

    `queue` in place of the one that TASK_ROUTES names.
    """
    timeouts = {
        "socket_timeout": BROKER_TIMEOUT_S,
        "socket_connect_timeout": BROKER_TIMEOUT_S,
        "max_retries": 0,
    }
    try:
        with app.connection(transport_options=timeouts) as connection:
            # The stubs do not know the first argument.
            options: dict[str, Any] = {"connection": connection}
            if queue is not None:
                options["queue"] = queue
            task.apply_async(args, expires=EXPIRES_S, retry=False, **options)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("hint_not_sent", task=task.name, error=str(error))
