"""The Celery application."""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep

from tcpdashboard.common.shutdown import SHUTDOWN

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")

# Development may run as root; the image does not.
warnings.filterwarnings("ignore", message="You're running the worker with superuser")

app = Celery("tcpdashboard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def _log_as_every_process_does(**_options: Any) -> None:
    # Having a receiver keeps Celery from setting up handlers of its own.
    from tcpdashboard.common.logs import configure_logs

    configure_logs(settings.LOGGING["process"])


@signals.worker_shutting_down.connect
def _let_long_tasks_end(**_options: Any) -> None:
    # Sent again by every further signal; setting the flag twice changes nothing.
    SHUTDOWN.set()
