"""Reads a request's query string through its serializer."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from marketdata.serializers.queries import Query


def read_query(request: Request, query: type[Query]) -> dict[str, Any]:
    """Return the validated parameters; raises ValidationError naming what to correct."""
    read = query(data=request.query_params)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)
