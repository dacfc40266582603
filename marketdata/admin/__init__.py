"""Market data in Django's admin."""

from marketdata.admin import bulk, collection, instruments

__all__ = ["bulk", "collection", "instruments"]
