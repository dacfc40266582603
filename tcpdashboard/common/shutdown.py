"""The one flag that tells everything long-lived in this process to drain and end."""

from __future__ import annotations

import threading
from typing import Final

SHUTDOWN: Final = threading.Event()
"""Set by the worker's shutdown signal, at once and as often as it likes; never cleared."""
