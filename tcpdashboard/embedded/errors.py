"""Why the engines cannot run here, in one sentence that says what to do."""

from __future__ import annotations


class CannotStartError(RuntimeError):
    """Nothing was started; the message tells a person what to change."""
