"""Errors of collection, named by what the collector does about them."""

from __future__ import annotations


class CollectorError(Exception):
    """The base of every error of this package."""


class LostLease(CollectorError):
    """Another worker holds this collector now: end without writing anything more."""


class SinkUnavailable(CollectorError):
    """The store does not answer: keep the batch, wait, try again."""


class ExchangeUnavailable(CollectorError):
    """The exchange does not answer or refuses for now: wait, try again."""


class ExchangeRefused(CollectorError):
    """The exchange says the request is wrong: do not repeat it as it is."""
