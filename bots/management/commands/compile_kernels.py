"""`manage.py compile_kernels`: compile what computes, so that no page and no run waits for it."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from backtests.domain.warming import warm_kernels
from bots.domain.warming import warm_kernels as warm_folding
from marketdata.domain.indicators import INDICATORS, warm
from strategies.domain.warming import warm_kernels as warm_comparing


class Command(BaseCommand):
    """Fill the folder of compiled code; when it is full already, this takes a second."""

    help = "Compile the kernels of indicators, backtests and bots into the var folder."

    def handle(self, *_args: Any, **_options: Any) -> None:
        began = time.monotonic()
        warm()
        warm_comparing()
        warm_kernels()
        warm_folding()
        seconds = time.monotonic() - began
        self.stdout.write(
            f"{len(INDICATORS)} indicators and the execution kernel are compiled ({seconds:.1f} s)."
        )
