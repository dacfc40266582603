"""The strategies that can be used here, with what a form needs to ask for their parameters."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from strategies.catalogue import describe_all, describe_strategy
from strategies.domain.errors import StrategyFailed, UnknownStrategy
from strategies.domain.params import as_json, params_schema
from strategies.domain.registry import STRATEGIES
from strategies.sandbox.own import Description
from strategies.serializers import StrategySerializer


class StrategyViewSet(viewsets.GenericViewSet[Any]):
    serializer_class = StrategySerializer
    pagination_class = None
    lookup_field = "key"
    lookup_value_regex = r"[\w.:-]+"

    @extend_schema(responses=StrategySerializer(many=True))
    def list(self, request: Request) -> Response:
        """List built-in and own strategies; own ones that cannot be loaded say why."""
        return Response([_told(key, found) for key, found in describe_all()])

    def retrieve(self, request: Request, key: str) -> Response:
        """Return one strategy."""
        try:
            return Response(_told(key, describe_strategy(key)))
        except UnknownStrategy as error:
            raise NotFound(str(error)) from error
        except StrategyFailed as error:
            return Response(_told(key, error))


def _told(key: str, found: Description | StrategyFailed) -> dict[str, Any]:
    is_own = key not in STRATEGIES
    if isinstance(found, StrategyFailed):
        empty = {"title": key, "help": "", "source": "", "has_steps": False}
        return {
            **empty,
            "key": key,
            "is_own": is_own,
            "parameters": [],
            "schema": {},
            "error": str(found),
        }
    return {
        "key": key,
        "title": found.title,
        "help": found.help,
        "source": found.source,
        "is_own": is_own,
        "has_steps": found.has_steps,
        "parameters": [as_json(parameter) for parameter in found.parameters],
        "schema": params_schema(found.parameters),
        "error": None,
    }
