"""Market data in Django's admin."""

from marketdata.admin import bulk, checks, collection, instruments

__all__ = ["bulk", "checks", "collection", "instruments"]
