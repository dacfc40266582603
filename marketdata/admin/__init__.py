"""Market data in Django's admin."""

from marketdata.admin import bulk, checks, collection, credentials, gaps, instruments, raw

__all__ = ["bulk", "checks", "collection", "credentials", "gaps", "instruments", "raw"]
