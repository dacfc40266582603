"""Tables of raw messages are made as messages come, and stay when a test's rows are taken away."""

from __future__ import annotations

from marketdata.storage.partitions import drop, partitions, retire


def drop_partitions():
    """Drop every table of raw messages, retired or not."""
    for partition in partitions():
        drop(partition if partition.is_retired else retire(partition))
