"""`manage.py compile_kernels`: compile what computes indicators, so that no page waits for it."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from marketdata.domain.indicators import INDICATORS, warm


class Command(BaseCommand):
    """Fill the folder of compiled code; when it is full already, this takes a second."""

    help = "Compile the kernels of all indicators into the var folder."

    def handle(self, *_args: Any, **_options: Any) -> None:
        began = time.monotonic()
        warm()
        seconds = time.monotonic() - began
        self.stdout.write(f"{len(INDICATORS)} indicators are compiled ({seconds:.1f} s).")
