"""A request that is well formed but cannot be done as things stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework import status
from rest_framework.exceptions import APIException

from marketdata.services import Refused


class Conflict(APIException):
    """The detail says what stands in the way."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


@contextmanager
def refusals_as_conflicts() -> Iterator[None]:
    """Answer a service's refusal as 409."""
    try:
        yield
    except Refused as refusal:
        raise Conflict(str(refusal)) from refusal
