"""Orders that cannot be carried out as things stand."""

from __future__ import annotations


class Refused(Exception):
    """What was asked for cannot be done as it stands: the message says why, or what to change."""
